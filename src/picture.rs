//! Pictures at the edges of the pipeline: decoding with limits, conversion to and from tensors.
//!
//! Networks see RGB in [-1, 1], `pixel / 127.5 - 1`, as `[1, 3, height, width]`.

use std::io::Cursor;

use burn::tensor::{Device, Tensor, TensorData};
use image::{
    DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage,
    imageops::{self, FilterType},
};
use thiserror::Error;

/// Largest accepted side of a photo in pixels.
pub const MAX_SIDE: u32 = 16_384;
/// Largest number of bytes that decoding one photo may allocate.
const MAX_DECODED_BYTES: u64 = 1 << 30;

/// Why a picture cannot be read or written.
#[derive(Debug, Error)]
pub enum PictureError {
    /// No bytes at all.
    #[error("the picture is empty (0 bytes); choose a JPEG, PNG or WebP file")]
    Empty,
    /// Not one of the supported formats.
    #[error("the picture is not a JPEG, PNG or WebP file; convert it first")]
    UnknownFormat,
    /// More pixels than [`MAX_SIDE`] or the memory limit allow.
    #[error(
        "the picture is larger than {MAX_SIDE} pixels a side or 1 GiB decoded; scale it down first"
    )]
    TooLarge,
    /// Recognised, but damaged or unsupported inside.
    #[error("the picture cannot be decoded: {0}")]
    Damaged(#[source] image::ImageError),
    /// Encoding failed.
    #[error("the picture cannot be written as PNG: {0}")]
    Encode(#[source] image::ImageError),
    /// Raw pixels of the wrong length.
    #[error("{found} bytes are not {width} x {height} RGBA pixels")]
    Bytes {
        /// Bytes given.
        found: usize,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// A tensor that is no picture.
    #[error("expected a [1, 3, height, width] tensor, got {0:?}")]
    Shape(Vec<usize>),
}

impl From<image::ImageError> for PictureError {
    fn from(error: image::ImageError) -> Self {
        match error {
            image::ImageError::Limits(_) => Self::TooLarge,
            image::ImageError::Unsupported(_) => Self::UnknownFormat,
            error => Self::Damaged(error),
        }
    }
}

/// Decodes a JPEG, PNG or WebP file, upright by its EXIF orientation; transparency is laid over white.
///
/// # Errors
/// [`PictureError`] for empty, unknown, oversized and damaged files; never more than 1 GiB is allocated.
pub fn decode(bytes: &[u8]) -> Result<RgbImage, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| PictureError::Damaged(error.into()))?;
    match reader.format() {
        Some(ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP) => {}
        _ => return Err(PictureError::UnknownFormat),
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    flatten(picture)
}

/// Rows of RGBA bytes, as a browser's canvas has them, as a picture; transparency is laid over white.
///
/// # Errors
/// [`PictureError::Bytes`] if there are not `4 * width * height` bytes or no pixels at all.
pub fn from_rgba(rgba: &[u8], width: u32, height: u32) -> Result<RgbImage, PictureError> {
    let expected = 4 * u64::from(width) * u64::from(height);
    if expected == 0 || rgba.len() as u64 != expected {
        return Err(PictureError::Bytes {
            found: rgba.len(),
            width,
            height,
        });
    }
    let mut picture = RgbImage::new(width, height);
    for (pixel, rgba) in picture.pixels_mut().zip(rgba.chunks_exact(4)) {
        let alpha = u32::from(rgba[3]);
        for (value, &colour) in pixel.0.iter_mut().zip(rgba) {
            *value = ((u32::from(colour) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        }
    }
    Ok(picture)
}

/// Rows of opaque RGBA bytes.
pub fn to_rgba(picture: &RgbImage) -> Vec<u8> {
    picture
        .pixels()
        .flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255])
        .collect()
}

/// Drops an alpha channel by laying the picture over white.
fn flatten(picture: DynamicImage) -> Result<RgbImage, PictureError> {
    if !picture.color().has_alpha() {
        return Ok(picture.into_rgb8());
    }
    let rgba = picture.into_rgba8();
    from_rgba(rgba.as_raw(), rgba.width(), rgba.height())
}

/// Encodes a picture as PNG, without metadata.
///
/// # Errors
/// [`PictureError::Encode`].
pub fn encode_png(picture: &RgbImage) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, ImageFormat::Png)
        .map_err(PictureError::Encode)?;
    Ok(bytes.into_inner())
}

/// Resizes to `side` x `side` pixels with an antialiasing filter; a picture of that size is left as it is.
pub fn resize_square(picture: &RgbImage, side: usize) -> RgbImage {
    let side = side as u32;
    if picture.dimensions() == (side, side) {
        return picture.clone();
    }
    imageops::resize(picture, side, side, FilterType::Lanczos3)
}

/// A picture as a `[1, 3, height, width]` tensor in [-1, 1].
pub fn to_tensor(picture: &RgbImage, device: &Device) -> Tensor<4> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let pixels = picture.as_raw();
    let values: Vec<f32> = (0..3)
        .flat_map(|channel| pixels.iter().skip(channel).step_by(3))
        .map(|&value| f32::from(value) / 127.5 - 1.0)
        .collect();
    Tensor::from_data(TensorData::new(values, [1, 3, height, width]), device)
}

/// The picture in `[1, 3, height, width]` values around [-1, 1], clamped and rounded.
///
/// # Errors
/// [`PictureError::Shape`] if the data is not of that form.
pub fn from_data(data: TensorData) -> Result<RgbImage, PictureError> {
    let shape: Vec<usize> = data.shape().iter().copied().collect();
    let bad_shape = || PictureError::Shape(shape.clone());
    let &[1, 3, height, width] = shape.as_slice() else {
        return Err(bad_shape());
    };
    let values = data.as_slice::<f32>().map_err(|_| bad_shape())?;
    let plane = height * width;
    let mut pixels = vec![0; 3 * plane];
    for (channel, values) in values.chunks_exact(plane).enumerate() {
        for (pixel, value) in pixels.chunks_exact_mut(3).zip(values) {
            pixel[channel] = ((value + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8;
        }
    }
    RgbImage::from_raw(width as u32, height as u32, pixels).ok_or_else(bad_shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            image::Rgb([x as u8, y as u8, (x ^ y) as u8])
        })
    }

    #[test]
    fn tensors_and_pngs_round_trip() {
        let picture = gradient(37, 19);
        let tensor = to_tensor(&picture, &Device::flex());
        assert_eq!(tensor.dims(), [1, 3, 19, 37]);
        assert_eq!(from_data(tensor.into_data()).unwrap(), picture);
        assert_eq!(decode(&encode_png(&picture).unwrap()).unwrap(), picture);
    }

    #[test]
    fn bad_files_are_typed_errors() {
        assert!(matches!(decode(b""), Err(PictureError::Empty)));
        assert!(matches!(
            decode(b"%PDF-1.7 renamed to .jpg"),
            Err(PictureError::UnknownFormat)
        ));
        let png = encode_png(&gradient(64, 64)).unwrap();
        for length in (1..png.len()).step_by(7) {
            assert!(decode(&png[..length]).is_err(), "{length} bytes decoded");
        }
        // A header that promises 30,000 x 30,000 pixels.
        let mut bomb = png.clone();
        bomb[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
        assert!(decode(&bomb).is_err());
    }

    #[test]
    fn transparency_is_laid_over_white() {
        let rgba = image::RgbaImage::from_pixel(2, 2, image::Rgba([10, 20, 30, 0]));
        let flat = flatten(DynamicImage::ImageRgba8(rgba)).unwrap();
        assert_eq!(flat.get_pixel(0, 0).0, [255, 255, 255]);
    }
}
