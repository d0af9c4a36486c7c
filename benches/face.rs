//! How well and how fast faces are framed.
//!
//! ```text
//! cargo bench --bench face -- [FOLDER [SIDE_FROM SIDE_TO MAX_TILT]]
//! ```
//!
//! FOLDER holds square pictures in FFHQ framing (default: those in `tests/face/portraits`). Each is pasted tilted into a larger
//! canvas and must be found again; the error is the mean distance of the corners in percent of the side. Defaults: sides of
//! 200 to 500 pixels, up to 40 degrees. Then the first of them is found and aligned in a photo of 12 megapixels.

#[path = "../tests/face/common.rs"]
mod common;

use std::{error::Error, path::Path, time::Instant};

use common::{Random, corner_error, finder, pasted, portrait_folder, quantile, square};
use image::RgbaImage;
use sdic::face::align;

const CANVAS: [usize; 2] = [1500, 1125];
const PHOTO: [usize; 2] = [4000, 3000];
/// Side of the aligned picture.
const ALIGNED: usize = 1024;
const ROUNDS: usize = 9;

/// The result of `work` and the milliseconds it took.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f32) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed().as_secs_f32() * 1000.0)
}

/// Prints how well and how fast each of the faces is found.
fn framing(faces: &[RgbaImage], [from, to, tilt]: [f32; 3]) {
    let finder = finder();
    let mut random = Random(7);
    let (mut errors, mut times) = (Vec::new(), Vec::new());
    for face in faces {
        let side = random.between(from, to);
        let centre = CANVAS.map(|length| random.between(0.75 * side, length as f32 - 0.75 * side));
        let quad = square(centre, side, random.between(-tilt, tilt));
        let canvas = pasted(face, &quad, CANVAS, &mut random);
        let (found, milliseconds) = timed(|| finder.detect(&canvas));
        times.push(milliseconds);
        let each = found.iter().map(|face| corner_error(&face.quad, &quad));
        errors.extend(each.min_by(f32::total_cmp).filter(|&error| error < 100.0));
    }
    println!(
        "faces found {}, missed {}",
        errors.len(),
        faces.len() - errors.len()
    );
    println!(
        "corner error, % of the side: median {:.2}, 90th percentile {:.2}",
        quantile(&mut errors, 0.5),
        quantile(&mut errors, 0.9)
    );
    println!(
        "detection in {} x {}, ms: median {:.0}, 90th percentile {:.0}",
        CANVAS[0],
        CANVAS[1],
        quantile(&mut times, 0.5),
        quantile(&mut times, 0.9)
    );
}

/// Prints how long it takes to find and align a face in a large photo.
fn photo(face: &RgbaImage) -> Result<(), Box<dyn Error>> {
    let quad = square([1900.0, 1400.0], 1300.0, 8.0);
    let photo = pasted(face, &quad, PHOTO, &mut Random(7));
    let (finder, load) = timed(finder);
    let (mut detection, mut alignment) = (Vec::new(), Vec::new());
    for _ in 0..=ROUNDS {
        let (found, milliseconds) = timed(|| finder.detect(&photo));
        detection.push(milliseconds);
        let found = found.first().ok_or("no face in the large photo")?;
        let (aligned, milliseconds) = timed(|| align(&photo, &found.quad, ALIGNED));
        aligned?;
        alignment.push(milliseconds);
    }
    println!(
        "photo of {} x {}, ms: loading the networks {load:.0}",
        PHOTO[0], PHOTO[1]
    );
    for (name, times) in [("detection", &mut detection), ("alignment", &mut alignment)] {
        let cold = times.remove(0);
        println!(
            "  {name}: cold {cold:.0}, warm median {:.0} of {ROUNDS}",
            quantile(times, 0.5)
        );
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let folder = arguments.next().map_or_else(portrait_folder, Into::into);
    let mut number = |default: f32| arguments.next().map_or(Ok(default), |text| text.parse());
    let tilted = [number(200.0)?, number(500.0)?, number(40.0)?];
    let entries = std::fs::read_dir(&folder)?.map(|entry| Ok(entry?.path()));
    let mut files = entries.collect::<std::io::Result<Vec<_>>>()?;
    files.sort();
    let open = |file: &Path| {
        let picture = image::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok::<_, String>(picture.into_rgba8())
    };
    let faces = files.iter().map(|file| open(file));
    let faces = faces.collect::<Result<Vec<_>, _>>()?;
    framing(&faces, tilted);
    photo(faces.first().ok_or("the folder is empty")?)
}
