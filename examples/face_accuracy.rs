//! How well faces are framed: aligned pictures, pasted small and tilted into a larger canvas, must be found again.
//!
//! ```text
//! cargo run --release --example face_accuracy -- DIR [SIDE_FROM SIDE_TO MAX_TILT]
//! ```
//!
//! DIR holds square pictures in FFHQ framing. For every one of them the true quad is where it was pasted; the error is
//! the mean distance of the corners in percent of the side. Defaults: sides of 200 to 500 pixels, up to 40 degrees.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use sdic::face::{FaceFinder, Picture, Quad};

const CANVAS: [usize; 2] = [1500, 1125];

/// A reproducible sequence of numbers (a linear congruential generator).
struct Random(u64);

impl Random {
    fn between(&mut self, low: f32, high: f32) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        low + (high - low) * (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }
}

/// The picture in the place of `quad` on a canvas with a plain gradient, with an edge softened over 2 % of the side.
fn pasted(
    face: &image::RgbaImage,
    quad: &Quad,
    random: &mut Random,
) -> Result<Picture<'static>, Box<dyn Error>> {
    let [width, height] = CANVAS;
    let colour = [0; 3].map(|_| random.between(40.0, 200.0));
    let slope = [random.between(-60.0, 60.0), random.between(-60.0, 60.0)];
    let mut rgba = Vec::with_capacity(4 * width * height);
    for y in 0..height {
        for x in 0..width {
            let [u, v] = quad.locate([x as f32 + 0.5, y as f32 + 0.5]);
            let shade = slope[0] * x as f32 / width as f32 + slope[1] * y as f32 / height as f32;
            let cover = (u.min(1.0 - u).min(v).min(1.0 - v) / 0.02).clamp(0.0, 1.0);
            let pixel =
                image::imageops::sample_bilinear(face, u.clamp(0.0, 1.0), v.clamp(0.0, 1.0));
            let pixel = pixel.map_or([0.0; 4], |pixel| pixel.0.map(f32::from));
            rgba.extend((0..3).map(|i| {
                let backdrop = colour[i] + shade;
                (backdrop + cover * (pixel[i] - backdrop) + 0.5) as u8
            }));
            rgba.push(255);
        }
    }
    Ok(Picture::new(width, height, rgba)?)
}

/// Mean distance of the corners in percent of the true side.
fn corner_error(found: &Quad, truth: &Quad) -> f32 {
    let distances = found.corners().into_iter().zip(truth.corners());
    distances
        .map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1]))
        .sum::<f32>()
        / 4.0
        / truth.side()
        * 100.0
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = arguments
        .first()
        .ok_or("name a folder of aligned pictures")?;
    let number = |index: usize, default: f32| {
        arguments
            .get(index)
            .map_or(Ok(default), |text| text.parse::<f32>())
    };
    let (from, to, tilt) = (number(1, 200.0)?, number(2, 500.0)?, number(3, 40.0)?);
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/face");
    let finder = FaceFinder::from_bytes(
        &std::fs::read(weights.join("manifest.json"))?,
        &std::fs::read(weights.join("face.safetensors"))?,
    )?;
    let entries = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut files = entries.collect::<std::io::Result<Vec<_>>>()?;
    files.sort();
    let mut random = Random(7);
    let (mut errors, mut times, mut missed) = (Vec::new(), Vec::new(), 0);
    for file in files {
        let face = image::open(&file)
            .map_err(|error| format!("{}: {error}", file.display()))?
            .into_rgba8();
        let side = random.between(from, to);
        let (sin, cos) = random.between(-tilt, tilt).to_radians().sin_cos();
        let centre = CANVAS.map(|length| random.between(0.75 * side, length as f32 - 0.75 * side));
        let quad = Quad::new(centre, [cos * side / 2.0, sin * side / 2.0])
            .ok_or("sides must be positive")?;
        let canvas = pasted(&face, &quad, &mut random)?;
        let start = Instant::now();
        let faces = finder.detect(&canvas);
        times.push(start.elapsed().as_secs_f32() * 1000.0);
        let error = faces
            .iter()
            .map(|face| corner_error(&face.quad, &quad))
            .fold(f32::INFINITY, f32::min);
        if error < 100.0 {
            errors.push(error);
        } else {
            missed += 1;
        }
    }
    errors.sort_by(f32::total_cmp);
    times.sort_by(f32::total_cmp);
    let at = |values: &[f32], share: f32| {
        values
            .get((values.len() as f32 * share) as usize)
            .copied()
            .unwrap_or(f32::NAN)
    };
    println!("faces found {}, missed {missed}", errors.len());
    println!(
        "corner error, % of the side: median {:.2}, 90th percentile {:.2}",
        at(&errors, 0.5),
        at(&errors, 0.9)
    );
    println!(
        "detection, ms: median {:.0}, 90th percentile {:.0}",
        at(&times, 0.5),
        at(&times, 0.9)
    );
    Ok(())
}
