//! Files of pictures: decoding with limits, and encoding.

use std::io::Cursor;

use image::{
    DynamicImage, ExtendedColorType, ImageBuffer, ImageDecoder, ImageEncoder, ImageFormat,
    ImageReader, Limits, Rgba,
    codecs::png::PngEncoder,
    imageops::{self, FilterType},
};

use super::{
    error::{MAX_SIDE, PictureError},
    picture::Picture,
};

/// Largest number of bytes that decoding one photo may allocate.
const MAX_DECODED_BYTES: u64 = 1 << 30;

/// Decodes a JPEG, PNG or WebP file, upright by its EXIF orientation; transparency is laid over white.
///
/// # Errors
/// [`PictureError`] for empty, unknown, oversized and damaged files; never more than 1 GiB is allocated.
pub fn decode(bytes: &[u8]) -> Result<Picture<'static>, PictureError> {
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
    let rgba = picture.into_rgba8();
    let (width, height) = (rgba.width() as usize, rgba.height() as usize);
    Ok(Picture::new(width, height, rgba.into_raw())?.over_white())
}

/// Encodes a picture as PNG, without metadata; with an alpha channel only if a pixel is transparent.
///
/// # Errors
/// [`PictureError::Encode`].
pub fn encode_png(picture: &Picture) -> Result<Vec<u8>, PictureError> {
    let (width, height) = (picture.width() as u32, picture.height() as u32);
    let rgba = picture.rgba();
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new(&mut bytes);
    let encoded = if picture.is_opaque() {
        let rgb: Vec<u8> = rgba
            .chunks_exact(4)
            .flat_map(|p| [p[0], p[1], p[2]])
            .collect();
        encoder.write_image(&rgb, width, height, ExtendedColorType::Rgb8)
    } else {
        encoder.write_image(rgba, width, height, ExtendedColorType::Rgba8)
    };
    encoded.map_err(PictureError::Encode)?;
    Ok(bytes)
}

/// Resizes to `side` x `side` pixels with an antialiasing filter; a picture of that size is left as it is.
///
/// # Errors
/// [`PictureError::Bytes`] for a picture without pixels.
pub fn resize_square<'a>(picture: &'a Picture, side: usize) -> Result<Picture<'a>, PictureError> {
    let (width, height) = (picture.width(), picture.height());
    if [width, height] == [side; 2] {
        return Ok(picture.view());
    }
    let empty = || PictureError::Bytes {
        found: picture.rgba().len(),
        width,
        height,
    };
    let source =
        ImageBuffer::<Rgba<u8>, &[u8]>::from_raw(width as u32, height as u32, picture.rgba());
    let source = source.filter(|_| !picture.is_empty()).ok_or_else(empty)?;
    let resized = imageops::resize(&source, side as u32, side as u32, FilterType::Lanczos3);
    Picture::new(side, side, resized.into_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(width: usize, height: usize) -> Picture<'static> {
        Picture::from_rgb(width, height, |x, y| [x as u8, y as u8, (x ^ y) as u8])
    }

    #[test]
    fn pngs_round_trip() {
        let picture = gradient(37, 19);
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
        let clear = Picture::new(2, 2, [10, 20, 30, 0].repeat(4)).unwrap();
        let flat = decode(&encode_png(&clear).unwrap()).unwrap();
        assert_eq!(flat.rgba(), [255; 16]);
    }
}
