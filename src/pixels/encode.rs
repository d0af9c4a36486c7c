//! From a picture to the bytes of a file.

use std::path::Path;

use image::{
    ExtendedColorType, ImageEncoder, ImageResult,
    codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder},
};

use super::{colour::profile_of, error::PictureError, picture::Picture, space::Space};

/// Quality of JPEG files, of 100.
const QUALITY: u8 = 95;

/// A format that pictures are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Without loss.
    Png,
    /// Smaller, with a little loss, and without transparency.
    Jpeg,
    /// Without loss, and smaller than PNG.
    WebP,
}

impl Format {
    /// The format that a file's name asks for.
    pub fn of_name(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "png" => Some(Self::Png),
            "jpg" | "jpeg" | "jpe" | "jfif" => Some(Self::Jpeg),
            "webp" => Some(Self::WebP),
            _ => None,
        }
    }

    /// How names of its files end.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::WebP => "webp",
        }
    }

    /// Whether files of this format can be transparent.
    pub fn has_alpha(self) -> bool {
        self != Self::Jpeg
    }
}

/// Encodes a picture without metadata, but for the profile of a space other than sRGB; with an alpha channel only if a
/// pixel is transparent. JPEG lays transparent pixels over white.
///
/// # Errors
/// [`PictureError::Sides`] for sides too long for the format, and [`PictureError::Encode`].
pub fn encode(picture: &Picture, format: Format) -> Result<Vec<u8>, PictureError> {
    let flat;
    let picture = if format.has_alpha() {
        picture
    } else {
        flat = picture.view().over_white();
        &flat
    };
    let longest = picture.width().max(picture.height());
    let limit = match format {
        Format::Png => None,
        Format::Jpeg => Some(("JPEG", 65_535)),
        Format::WebP => Some(("WebP", 16_383)),
    };
    if let Some((format, most)) = limit.filter(|(_, most)| longest > *most) {
        return Err(PictureError::Sides { format, most });
    }
    let mut bytes = Vec::new();
    let done = match format {
        Format::Png => write(PngEncoder::new(&mut bytes), picture),
        Format::Jpeg => write(JpegEncoder::new_with_quality(&mut bytes, QUALITY), picture),
        Format::WebP => write(WebPEncoder::new_lossless(&mut bytes), picture),
    };
    done.map_err(PictureError::Encode)?;
    Ok(bytes)
}

/// As [`encode`] to PNG.
///
/// # Errors
/// As there.
pub fn encode_png(picture: &Picture) -> Result<Vec<u8>, PictureError> {
    encode(picture, Format::Png)
}

fn write(mut encoder: impl ImageEncoder, picture: &Picture) -> ImageResult<()> {
    let (width, height) = (picture.width() as u32, picture.height() as u32);
    if picture.space() != Space::Srgb {
        // A profile that this crate has made itself can be written.
        let profile = profile_of(picture.space()).encode().unwrap_or_default();
        encoder
            .set_icc_profile(profile)
            .map_err(image::ImageError::Unsupported)?;
    }
    let rgba = picture.rgba();
    if picture.is_opaque() {
        let rgb: Vec<u8> = rgba
            .chunks_exact(4)
            .flat_map(|p| [p[0], p[1], p[2]])
            .collect();
        return encoder.write_image(&rgb, width, height, ExtendedColorType::Rgb8);
    }
    encoder.write_image(rgba, width, height, ExtendedColorType::Rgba8)
}
