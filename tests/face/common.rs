//! What the tests and the benchmark of faces share.

use std::path::{Path, PathBuf};

use image::RgbaImage;
use sdic::{
    face::FaceFinder,
    pixels::{Picture, Point, Quad},
};

/// A reproducible sequence of numbers in 0..1 (a linear congruential generator).
pub struct Random(pub u64);

impl Random {
    pub fn unit(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }

    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }
}

/// The folder of generated portraits, aligned faces of 128 pixels.
pub fn portrait_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/face/portraits")
}

/// The face networks of this project.
pub fn finder() -> FaceFinder {
    FaceFinder::bundled().unwrap()
}

/// A square of the given side, tilted clockwise by `tilt` degrees.
pub fn square(centre: Point, side: f32, tilt: f32) -> Quad {
    let (sin, cos) = tilt.to_radians().sin_cos();
    Quad::new(centre, [side / 2.0 * cos, side / 2.0 * sin]).unwrap()
}

/// Mean distance of the corners in percent of the side.
pub fn corner_error(found: &Quad, truth: &Quad) -> f32 {
    let distances = found.corners().into_iter().zip(truth.corners());
    distances
        .map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1]))
        .sum::<f32>()
        / 4.0
        / truth.side()
        * 100.0
}

/// How much a pasted picture covers at `[u, v]`: its edge is softened over 2 % of the side.
pub fn edge_cover([u, v]: Point) -> f32 {
    (u.min(1.0 - u).min(v).min(1.0 - v) / 0.02).clamp(0.0, 1.0)
}

/// A photo of `width` by `height` pixels with faces pasted into their quads, over a coarse pattern.
pub fn scene([width, height]: [usize; 2], faces: &[(&RgbaImage, Quad)]) -> Picture<'static> {
    let mut rgba = Vec::with_capacity(4 * width * height);
    for index in 0..width * height {
        let shade = 90 + 20 * ((index % width / 37 + index / width / 53) % 3) as u8;
        rgba.extend([shade, shade + 10, shade - 15, 255]);
    }
    for (face, quad) in faces {
        let [left, top, right, bottom] = quad.bounds();
        for y in top.max(0.0) as usize..(bottom as usize + 1).min(height) {
            for x in left.max(0.0) as usize..(right as usize + 1).min(width) {
                let [u, v] = quad.locate([x as f32 + 0.5, y as f32 + 0.5]);
                let cover = edge_cover([u, v]);
                if let Some(pixel) = image::imageops::sample_bilinear(*face, u, v) {
                    let backdrop = &mut rgba[4 * (y * width + x)..][..3];
                    for (value, with) in backdrop.iter_mut().zip(pixel.0) {
                        let change = cover * (f32::from(with) - f32::from(*value));
                        *value = (f32::from(*value) + change + 0.5) as u8;
                    }
                }
            }
        }
    }
    Picture::new(width, height, rgba).unwrap()
}

/// The value that `share` of the values do not exceed.
pub fn quantile(values: &mut [f32], share: f32) -> f32 {
    values.sort_by(f32::total_cmp);
    let at = (values.len() as f32 * share) as usize;
    values.get(at).copied().unwrap_or(f32::NAN)
}
