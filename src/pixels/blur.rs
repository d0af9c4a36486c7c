//! Gaussian blur of any width in constant time per pixel.

use super::picture::{Picture, to_byte};

/// Blurs the colours of a picture with the standard deviation `sigma` in pixels; it goes on as its mirror image beyond
/// its borders.
pub(crate) fn blurred(picture: &Picture, sigma: f32) -> Picture<'static> {
    let (width, height) = (picture.width(), picture.height());
    let planes: [Vec<f32>; 3] = std::array::from_fn(|channel| {
        let mut plane: Vec<f32> = picture
            .rgba()
            .chunks_exact(4)
            .map(|pixel| f32::from(pixel[channel]))
            .collect();
        blur(&mut plane, width, sigma);
        plane
    });
    Picture::from_rgb(width, height, |x, y| {
        planes.each_ref().map(|plane| to_byte(plane[y * width + x]))
    })
}

/// Blurs rows of `width` numbers in place.
pub(crate) fn blur(plane: &mut [f32], width: usize, sigma: f32) {
    let window = BoxFilter::new(sigma);
    let mut scratch = Vec::new();
    for row in plane.chunks_exact_mut(width) {
        window.smooth(row, &mut scratch);
    }
    let mut column = vec![0.0; plane.len() / width];
    for x in 0..width {
        for (value, row) in column.iter_mut().zip(plane.chunks_exact(width)) {
            *value = row[x];
        }
        window.smooth(&mut column, &mut scratch);
        for (value, row) in column.iter().zip(plane.chunks_exact_mut(width)) {
            row[x] = *value;
        }
    }
}

/// A box filter with fractional ends, whose threefold use has a given variance and all but the shape of a Gaussian
/// (P. Gwosdek et al., "Theoretical foundations of Gaussian convolution by extended box filtering", 2011).
struct BoxFilter {
    /// Neighbours on either side that count fully.
    radius: usize,
    /// Weight of the next neighbours.
    edge: f32,
}

impl BoxFilter {
    const PASSES: usize = 3;

    fn new(sigma: f32) -> BoxFilter {
        let variance = sigma * sigma / Self::PASSES as f32;
        let radius = (((12.0 * variance + 1.0).sqrt() - 1.0) / 2.0).floor();
        let whole = 2.0 * radius + 1.0;
        let edge = whole * (variance - radius * (radius + 1.0) / 3.0)
            / (2.0 * ((radius + 1.0).powi(2) - variance));
        BoxFilter {
            radius: radius as usize,
            edge,
        }
    }

    fn smooth(&self, line: &mut [f32], scratch: &mut Vec<f32>) {
        let length = line.len();
        let reach = self.radius + 1;
        let scale = 1.0 / ((2 * self.radius + 1) as f32 + 2.0 * self.edge);
        for _ in 0..Self::PASSES {
            scratch.clear();
            scratch.extend((0..length + 2 * reach).map(|at| line[mirrored(at, reach, length)]));
            let mut sum: f32 = scratch[1..2 * reach].iter().sum();
            for (at, value) in line.iter_mut().enumerate() {
                *value = (sum + self.edge * (scratch[at] + scratch[at + 2 * reach])) * scale;
                sum += scratch[at + 2 * reach] - scratch[at + 1];
            }
        }
    }
}

/// Index into `length` pixels of position `at` of a row that starts `before` pixels earlier and goes on as its mirror
/// image, the outermost pixels not repeated.
pub(crate) fn mirrored(at: usize, before: usize, length: usize) -> usize {
    let period = 2 * (length - 1).max(1) as isize;
    let offset = (at as isize - before as isize).rem_euclid(period) as usize;
    offset.min(period as usize - offset).min(length - 1)
}
