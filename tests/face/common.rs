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

/// The place of a bundled file or folder.
pub fn weights(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("weights")
        .join(name)
}

/// The folder of generated portraits, aligned faces of 128 pixels.
pub fn portrait_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/face/portraits")
}

/// A file of the face networks.
pub fn read(file: &str) -> Vec<u8> {
    std::fs::read(weights("face").join(file)).unwrap()
}

/// The face networks of this project.
pub fn finder() -> FaceFinder {
    FaceFinder::from_bytes(&read("manifest.json"), &read("face.safetensors")).unwrap()
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

/// A picture of `width` by `height` pixels with the mean of 2x2 samples of `colour` in each.
pub fn render(width: usize, height: usize, colour: impl Fn(Point) -> [f32; 3]) -> Picture<'static> {
    let mut rgba = Vec::with_capacity(4 * width * height);
    for y in 0..height {
        for x in 0..width {
            let mut sum = [0.0; 3];
            for (dx, dy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
                for (sum, value) in sum.iter_mut().zip(colour([x as f32 + dx, y as f32 + dy])) {
                    *sum += value.clamp(0.0, 255.0) / 4.0;
                }
            }
            rgba.extend(sum.map(|v| (v + 0.5) as u8));
            rgba.push(255);
        }
    }
    Picture::new(width, height, rgba).unwrap()
}

/// The picture in the place of `quad` on a canvas with a plain gradient, with an edge softened over 2 % of the side.
pub fn pasted(
    face: &RgbaImage,
    quad: &Quad,
    [width, height]: [usize; 2],
    random: &mut Random,
) -> Picture<'static> {
    let colour = [0; 3].map(|_| random.between(40.0, 200.0));
    let slope = [random.between(-60.0, 60.0), random.between(-60.0, 60.0)];
    render(width, height, |[x, y]| {
        let [u, v] = quad.locate([x, y]);
        let shade = slope[0] * x / width as f32 + slope[1] * y / height as f32;
        let backdrop = colour.map(|value| value + shade);
        let cover = (u.min(1.0 - u).min(v).min(1.0 - v) / 0.02).clamp(0.0, 1.0);
        match image::imageops::sample_bilinear(face, u, v) {
            Some(pixel) => {
                std::array::from_fn(|i| backdrop[i] + cover * (f32::from(pixel.0[i]) - backdrop[i]))
            }
            None => backdrop,
        }
    })
}

/// The value that `share` of the values do not exceed.
pub fn quantile(values: &mut [f32], share: f32) -> f32 {
    values.sort_by(f32::total_cmp);
    let at = (values.len() as f32 * share) as usize;
    values.get(at).copied().unwrap_or(f32::NAN)
}
