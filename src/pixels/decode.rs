//! From the bytes of a file to a picture to work on: upright, in a named colour space, of a size that fits.

use std::{fmt, io::Cursor};

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use image::{
    DynamicImage, ImageBuffer, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, Rgba,
    RgbaImage, imageops, metadata::Orientation,
};

use super::{
    colour::{ColourConversion, Colours},
    error::PictureError,
    header::{Header, inspect},
    kind::MediaKind,
    note::Note,
    picture::Picture,
    space::Space,
};

/// Most pixels of a picture that is worked on; a larger photo is reduced to it.
pub const WORKING_PIXELS: u64 = 24_000_000;
/// Longest side of a picture that is worked on.
pub const WORKING_SIDE: u32 = 16_384;
/// Most bytes that decoding one photo may allocate at once: for [`MAX_PIXELS`](super::MAX_PIXELS) of four channels of
/// 16 bits.
const MAX_ALLOCATION: u64 = 1 << 30;

/// A photo that is ready to be worked on.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// Upright, in its [`Picture::space`], with its alpha kept.
    pub picture: Picture<'static>,
    /// Width and height of the upright photo before it was reduced.
    pub original: [u32; 2],
    /// What was done to it.
    pub notes: Vec<Note>,
}

/// What will come out of decoding a picture.
pub struct DecodePlan {
    /// The colour space worked in.
    pub space: Space,
    /// What will have been done to it.
    pub notes: Vec<Note>,
    pub(super) conversion: ColourConversion,
}

/// The size at which a photo of `size` is worked on.
pub fn working_size([width, height]: [u32; 2]) -> [u32; 2] {
    let [w, h] = [width, height].map(f64::from);
    let pixels = (WORKING_PIXELS as f64 / (w * h)).sqrt();
    let side = f64::from(WORKING_SIDE) / w.max(h);
    let scale = pixels.min(side);
    if scale >= 1.0 {
        return [width, height];
    }
    // Rounded down, so that doing it again changes nothing.
    [w, h].map(|side| ((side * scale) as u32).max(1))
}

impl Header {
    /// What will come out of decoding this picture.
    pub fn plan(&self) -> DecodePlan {
        self.plan_with(if self.inks {
            Colours::Srgb.conversion(false)
        } else {
            self.colours.conversion(self.grey)
        })
    }

    fn plan_with(&self, conversion: ColourConversion) -> DecodePlan {
        let reduced = self.upright().map(|from| (from, working_size(from)));
        let reduced = reduced.filter(|(from, to)| from != to);
        let notes = [
            reduced.map(|(from, to)| Note::Reduced { from, to }),
            self.animated.then_some(Note::FirstFrame),
            conversion.note.clone(),
            self.gain_map.then_some(Note::GainMapDropped),
            (self.depth > 8).then_some(Note::DepthReduced { bits: self.depth }),
            self.inks.then_some(Note::InksConverted),
        ];
        DecodePlan {
            space: conversion.space,
            notes: notes.into_iter().flatten().collect(),
            conversion,
        }
    }
}

/// Decodes a JPEG, PNG or WebP file.
///
/// # Errors
/// [`PictureError`] for what is no such file, is damaged, or has more than [`MAX_PIXELS`](super::MAX_PIXELS). Sizes
/// are known before anything is allocated, and at most 1.5 GiB are.
pub fn decode(bytes: &[u8]) -> Result<Decoded, PictureError> {
    let header = inspect(Cursor::new(bytes))?;
    if let Some(what) = header.unread {
        return Err(PictureError::Unsupported { what });
    }
    let format = match header.kind {
        MediaKind::Jpeg => ImageFormat::Jpeg,
        MediaKind::Png => ImageFormat::Png,
        _ => ImageFormat::WebP,
    };
    let plan = header.plan_with(header.plan().conversion.usable());
    let picture = pixels(bytes, format).map_err(|error| match error {
        ImageError::IoError(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            PictureError::Read(error)
        }
        ImageError::Limits(_) => too_large(&header),
        _ => PictureError::Damaged {
            kind: header.kind,
            problem: "its picture data are broken or missing",
        },
    })?;
    let (width, height) = (picture.width(), picture.height());
    if header.stored != Some([width, height]) {
        return Err(PictureError::Damaged {
            kind: header.kind,
            problem: "it names several sizes",
        });
    }
    let rgba = plan
        .conversion
        .apply(picture)
        .map_err(|_| PictureError::Damaged {
            kind: header.kind,
            problem: "its colour profile contradicts itself",
        })?;
    let (rgba, [width, height]) = reduced(rgba, [width, height])?;
    let upright = Orientation::from_exif(header.orientation).unwrap_or(Orientation::NoTransforms);
    let picture = RgbaImage::from_raw(width, height, rgba).map(DynamicImage::ImageRgba8);
    let mut picture = picture.ok_or_else(|| too_large(&header))?;
    picture.apply_orientation(upright);
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let rgba = picture.into_rgba8().into_raw();
    Ok(Decoded {
        picture: Picture::new(width, height, rgba)?.with_space(plan.space),
        original: header.upright().unwrap_or_default(),
        notes: plan.notes,
    })
}

fn too_large(header: &Header) -> PictureError {
    let [width, height] = header.stored.unwrap_or_default().map(u64::from);
    PictureError::TooLarge { width, height }
}

fn pixels(bytes: &[u8], format: ImageFormat) -> Result<DynamicImage, ImageError> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_ALLOCATION);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    // Our own reading of the header decides which way is up.
    decoder.set_limits(Limits::no_limits())?;
    DynamicImage::from_decoder(decoder)
}

/// The picture at its working size.
fn reduced(rgba: Vec<u8>, size: [u32; 2]) -> Result<(Vec<u8>, [u32; 2]), PictureError> {
    let to = working_size(size);
    if to == size {
        return Ok((rgba, size));
    }
    let failed = |error: &dyn fmt::Display| PictureError::Resize(error.to_string());
    let source = ImageRef::new(size[0], size[1], &rgba, PixelType::U8x4);
    let source = source.map_err(|error| failed(&error))?;
    let mut target = Image::new(to[0], to[1], PixelType::U8x4);
    let filter = ResizeAlg::Convolution(FilterType::CatmullRom);
    let options = ResizeOptions::new().resize_alg(filter);
    let done = Resizer::new().resize(&source, &mut target, &options);
    done.map_err(|error| failed(&error))?;
    Ok((target.into_vec(), to))
}

/// Resizes to columns and rows with an antialiasing filter; a picture of that size is left as it is.
///
/// # Errors
/// [`PictureError::Resize`] for a picture without pixels.
pub fn resize<'a>(
    picture: &'a Picture,
    [columns, rows]: [usize; 2],
) -> Result<Picture<'a>, PictureError> {
    let (width, height) = (picture.width(), picture.height());
    if [width, height] == [columns, rows] {
        return Ok(picture.view());
    }
    let empty = || PictureError::Resize("it has no pixels".to_owned());
    let source =
        ImageBuffer::<Rgba<u8>, &[u8]>::from_raw(width as u32, height as u32, picture.rgba());
    let source = source.filter(|_| !picture.is_empty()).ok_or_else(empty)?;
    let filter = imageops::FilterType::Lanczos3;
    let resized = imageops::resize(&source, columns as u32, rows as u32, filter);
    Ok(Picture::new(columns, rows, resized.into_raw())?.with_space(picture.space()))
}
