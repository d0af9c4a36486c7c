//! FFHQ alignment: shrink, crop, pad, and one similarity transform, in the steps of `recreate_aligned_images` in
//! NVlabs/ffhq-dataset.

use super::error::FaceError;
use crate::pixels::{Picture, Quad, blurred, mirrored, to_byte};

/// Cuts `quad` out of the photo as an upright picture, `size` pixels wide and as high as its shape asks for.
///
/// What lies beyond the photo is filled with its mirror image, blurred outwards and fading to the median colour. Where
/// the photo is transparent, white shows through. The picture is in the photo's colour space.
///
/// # Errors
/// [`FaceError::Empty`] for a photo or a size of no pixels.
pub fn align(photo: &Picture, quad: &Quad, size: usize) -> Result<Picture<'static>, FaceError> {
    sampled(photo, quad, shape(quad, size))
}

/// [`align`] for what is no face: nothing is blurred. Beyond the photo its outermost pixels go on.
///
/// # Errors
/// As there.
pub fn cut_out(photo: &Picture, quad: &Quad, size: usize) -> Result<Picture<'static>, FaceError> {
    let size = shape(quad, size);
    let (picture, quad) = shrunk(photo, quad, size)?;
    Ok(transformed(&picture, &quad, size).with_space(photo.space()))
}

/// [`align`] to pixels of any shape: `size` are columns and rows.
pub(super) fn sampled(
    photo: &Picture,
    quad: &Quad,
    size: [usize; 2],
) -> Result<Picture<'static>, FaceError> {
    let (picture, quad) = shrunk(photo, quad, size)?;
    let (picture, quad) = padded(picture, quad);
    Ok(transformed(&picture, &quad, size).with_space(photo.space()))
}

/// Columns and rows of a picture of a quad that is so wide; however flat, there is a row.
fn shape(quad: &Quad, width: usize) -> [usize; 2] {
    let height = (width as f32 * quad.aspect()).round() as usize;
    [width, height.max(width.min(1))]
}

/// The part of the photo around the quad, no larger than `size` needs, and the quad in it.
fn shrunk(
    photo: &Picture,
    quad: &Quad,
    size: [usize; 2],
) -> Result<(Picture<'static>, Quad), FaceError> {
    if photo.is_empty() || size.contains(&0) {
        return Err(FaceError::Empty { what: "alignment" });
    }
    let [across, down] = spacings(quad, size);
    let factor = ((across.min(down) / 2.0) as usize).max(1);
    Ok(shrunk_surroundings(photo, quad, factor))
}

/// The photo's pixels for each of `size`, columns and rows, of a quad.
fn spacings(quad: &Quad, [columns, rows]: [usize; 2]) -> [f32; 2] {
    [
        quad.side() / columns as f32,
        quad.side() * quad.aspect() / rows as f32,
    ]
}

/// Border kept around a quad of the given side.
fn border(side: f32) -> f32 {
    (0.1 * side).round().max(3.0)
}

/// The part of the photo around the quad, `factor` times smaller, and the quad in it. At least one pixel is kept.
fn shrunk_surroundings(photo: &Picture, quad: &Quad, factor: usize) -> (Picture<'static>, Quad) {
    let reach = border(quad.side());
    let [left, top, right, bottom] = quad.bounds();
    let span = |low: f32, high: f32, length: usize| {
        let start = ((low - reach).floor().max(0.0) as usize).min(length - 1);
        let end = ((high + reach).ceil().max(0.0) as usize).clamp(start + 1, length);
        (start, end - start)
    };
    let (x, width) = span(left, right, photo.width());
    let (y, height) = span(top, bottom, photo.height());
    let scale = 1.0 / factor as f32;
    let moved = quad.mapped(scale, [-(x as f32) * scale, -(y as f32) * scale]);
    (photo.shrunk_crop(x, y, width, height, factor), moved)
}

/// The picture with mirrored, blurred borders wherever the quad needs them, and the quad in it.
fn padded(picture: Picture<'static>, quad: Quad) -> (Picture<'static>, Quad) {
    let side = quad.side();
    let [left, top, right, bottom] = quad.bounds();
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    if right <= 0.0 || bottom <= 0.0 || left >= width || top >= height {
        // All of it would be padding, of any size, and out there that has one colour.
        let colour = median_colour(&picture);
        return (Picture::from_rgb(1, 1, |_, _| colour), quad);
    }
    let missing =
        [-left, -top, right - width, bottom - height].map(|m| (m + border(side)).ceil().max(0.0));
    if missing.iter().all(|&m| m <= border(side) - 4.0) {
        return (picture, quad);
    }
    let pad = missing.map(|m| m.max((0.3 * side).round()) as usize);
    let padded = Picture::from_rgb(
        picture.width() + pad[0] + pad[2],
        picture.height() + pad[1] + pad[3],
        |x, y| {
            picture.rgb(
                mirrored(x, pad[0], picture.width()),
                mirrored(y, pad[1], picture.height()),
            )
        },
    );
    (
        faded(&padded, pad, 0.02 * side),
        quad.mapped(1.0, [pad[0] as f32, pad[1] as f32]),
    )
}

/// Blurs the padding, more the farther out, and fades its rim to the median colour.
fn faded(picture: &Picture, pad: [usize; 4], sigma: f32) -> Picture<'static> {
    let (width, height) = (picture.width(), picture.height());
    // 1 on the outer rim, 0 on the old border, negative inside.
    let outwards = |x: usize, y: usize| {
        let depth = |at: usize, pad: usize| at as f32 / pad as f32;
        let across = depth(x, pad[0]).min(depth(width - 1 - x, pad[2]));
        let down = depth(y, pad[1]).min(depth(height - 1 - y, pad[3]));
        1.0 - across.min(down)
    };
    let blurred = blurred(picture, sigma);
    let softened = Picture::from_rgb(width, height, |x, y| {
        let weight = (3.0 * outwards(x, y) + 1.0).clamp(0.0, 1.0);
        let (sharp, soft) = (picture.rgb(x, y), blurred.rgb(x, y));
        std::array::from_fn(|i| to_byte(mix(f32::from(sharp[i]), f32::from(soft[i]), weight)))
    });
    let median = median_colour(&softened);
    Picture::from_rgb(width, height, |x, y| {
        let weight = outwards(x, y).clamp(0.0, 1.0);
        let colour = softened.rgb(x, y);
        std::array::from_fn(|i| to_byte(mix(f32::from(colour[i]), f32::from(median[i]), weight)))
    })
}

fn mix(a: f32, b: f32, weight: f32) -> f32 {
    a + weight * (b - a)
}

/// Median of each channel.
fn median_colour(picture: &Picture) -> [u8; 3] {
    let mut counts = [[0usize; 256]; 3];
    for pixel in picture.rgba().chunks_exact(4) {
        for (counts, &value) in counts.iter_mut().zip(pixel) {
            counts[usize::from(value)] += 1;
        }
    }
    let half = picture.width() * picture.height() / 2;
    counts.map(|counts| {
        let mut below = 0;
        let median = counts.iter().position(|count| {
            below += count;
            below > half
        });
        median.unwrap_or(255) as u8
    })
}

/// Resamples the quad to `size` pixels, columns and rows: the mean of enough bilinear samples per pixel not to alias.
fn transformed(picture: &Picture, quad: &Quad, size: [usize; 2]) -> Picture<'static> {
    let [across, down] = spacings(quad, size).map(|spacing| (spacing.ceil() as usize).max(2));
    let steps = [(size[0] * across) as f32, (size[1] * down) as f32];
    Picture::from_rgb(size[0], size[1], |i, j| {
        let mut sum = [0.0; 3];
        for index in 0..across * down {
            let (a, b) = (i * across + index % across, j * down + index / across);
            let at = [(a as f32 + 0.5) / steps[0], (b as f32 + 0.5) / steps[1]];
            let colour = picture.bilinear(quad.at(at));
            for (sum, value) in sum.iter_mut().zip(colour) {
                *sum += value;
            }
        }
        sum.map(|sum| to_byte(sum / (across * down) as f32))
    })
}
