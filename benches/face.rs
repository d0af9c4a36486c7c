//! How well and how fast faces are found and framed.
//!
//! ```text
//! cargo bench --bench face -- [FOLDER]
//! taskset -c 0 cargo bench --bench face -- FOLDER
//! ```
//!
//! FOLDER holds square pictures in FFHQ framing (default: those in `tests/face/portraits`), and may hold tables with
//! labels: CSV files with a head line and at least the column `file`. Known columns are `ethnicity`, `age` or
//! `age_est`, `glasses_est`, `expression`, `source`, and `yaw`, the turn of the head, where 0.25 is far to the side.
//!
//! Each picture is pasted into a larger canvas at a random place: near and upright, near in any direction, and small.
//! It is found if a face's corners lie within a fifth of the side; the error is the mean distance of the corners in
//! percent of the side. The result is a table in Markdown. Then photos of 12 and 24 megapixels are searched, and a
//! moved face of 2 megapixels is pasted, with the background moving along and staying.

#[path = "../tests/face/common.rs"]
mod common;

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use common::{Random, corner_error, finder, portrait_folder, quantile, scene, square};
use image::RgbaImage;
use sdic::{
    face::{FaceFinder, PasteMode, Rendered, Warning, align, paste_before},
    pixels::{Field, GRID, Quad},
};

const CANVAS: [usize; 2] = [1500, 1125];
/// Largest corner error, in percent of the side, of a face that counts as found.
const FOUND: f32 = 20.0;
/// Name, sides of the quads in pixels, and largest tilt in degrees.
const SETTINGS: [(&str, [f32; 2], f32); 3] = [
    ("near, upright", [200.0, 500.0], 30.0),
    ("near, any direction", [200.0, 500.0], 180.0),
    ("small, upright", [60.0, 120.0], 30.0),
];
/// Side of the aligned picture.
const ALIGNED: usize = 1024;
const ROUNDS: usize = 5;

/// The labels of a picture, by column.
type Labels = BTreeMap<String, String>;

/// What the finder made of a picture in one setting.
#[derive(Clone, Copy)]
struct Outcome {
    /// Corner error of the face, if it was found.
    error: Option<f32>,
    /// Faces in other places than the face's.
    elsewhere: usize,
    dark: bool,
}

/// The groups that a picture belongs to.
fn groups(labels: &Labels) -> Vec<String> {
    let label = |column: &str| labels.get(column).map_or("", String::as_str);
    let number = |column: &str| label(column).parse::<f32>().ok();
    let mut groups = vec!["all".to_owned()];
    let ethnicity = match label("ethnicity") {
        "black" => "black",
        "white" | "caucasian" => "white",
        "asian" | "east_asian" => "East Asian",
        "indian" | "west_asian" | "mideastern" => "South or West Asian",
        "hispanic" | "latino" => "Hispanic",
        _ => "",
    };
    if !ethnicity.is_empty() {
        groups.push(ethnicity.to_owned());
    }
    if let Some(age) = number("age").or_else(|| number("age_est")) {
        let decade = match age {
            ..20.0 => "younger than 20",
            ..40.0 => "20 to 39",
            ..60.0 => "40 to 59",
            _ => "60 and older",
        };
        groups.push(decade.to_owned());
    }
    if number("glasses_est").is_some_and(|share| share > 0.5) {
        groups.push("glasses".to_owned());
    }
    if number("yaw").is_some_and(|yaw| yaw.abs() > 0.25) {
        groups.push("turned to the side".to_owned());
    }
    if label("expression") == "smiling" {
        groups.push("smiling".to_owned());
    }
    let source = label("source").split('-').next().unwrap_or_default();
    if !source.is_empty() {
        groups.push(format!("source: {source}"));
    }
    groups
}

/// The fields of a line of CSV without quotes.
fn fields(line: &str) -> impl Iterator<Item = String> {
    line.trim_end().split(',').map(str::to_owned)
}

/// The rows of a folder's tables by file name.
fn tables(folder: &Path) -> Result<BTreeMap<String, Labels>, Box<dyn Error>> {
    let mut rows = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|ending| ending != "csv") {
            continue;
        }
        let text = fs::read_to_string(&path)?;
        let mut lines = text.lines();
        let head: Vec<_> = fields(lines.next().unwrap_or_default()).collect();
        for line in lines {
            let row: Labels = head.iter().cloned().zip(fields(line)).collect();
            rows.insert(row.get("file").cloned().unwrap_or_default(), row);
        }
    }
    Ok(rows)
}

/// What becomes of a face that is pasted into a canvas.
fn outcome(
    finder: &FaceFinder,
    face: &RgbaImage,
    [from, to]: [f32; 2],
    tilt: f32,
    random: &mut Random,
) -> Outcome {
    let side = random.between(from, to);
    let centre = CANVAS.map(|length| random.between(0.75 * side, length as f32 - 0.75 * side));
    let quad = square(centre, side, random.between(-tilt, tilt));
    let faces = finder.detect(&scene(CANVAS, &[(face, quad)]));
    let errors = faces.iter().map(|face| corner_error(&face.quad, &quad));
    let error = errors.min_by(f32::total_cmp).filter(|&error| error < FOUND);
    Outcome {
        error,
        elsewhere: faces.len() - usize::from(error.is_some()),
        dark: faces.iter().any(|f| f.warnings.contains(&Warning::Dark)),
    }
}

/// Prints how well the faces of each group are found.
fn table(files: &[PathBuf], labels: &BTreeMap<String, Labels>) -> Result<(), Box<dyn Error>> {
    let finder = finder();
    let mut random = Random(7);
    let mut rows: BTreeMap<String, [Vec<Outcome>; SETTINGS.len()]> = BTreeMap::new();
    for file in files {
        let face = open(file)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let groups = groups(labels.get(&*name).unwrap_or(&Labels::new()));
        for (index, (_, sides, tilt)) in SETTINGS.iter().enumerate() {
            let outcome = outcome(&finder, &face, *sides, *tilt, &mut random);
            for group in &groups {
                rows.entry(group.clone()).or_default()[index].push(outcome);
            }
        }
    }
    let names = SETTINGS.map(|(name, ..)| format!("{name}: found | error, median | 90 %"));
    println!(
        "| group | faces | {} | elsewhere | dark |",
        names.join(" | ")
    );
    println!("|---|---|{}---|---|", "---|---|---|".repeat(SETTINGS.len()));
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by_key(|(group, _)| (group != "all", group.clone()));
    for (group, settings) in &rows {
        print!("| {group} | {} |", settings[0].len());
        for outcomes in settings {
            let mut errors: Vec<_> = outcomes.iter().filter_map(|o| o.error).collect();
            let [median, most] = [0.5, 0.9].map(|share| quantile(&mut errors, share));
            let found = 100.0 * errors.len() as f32 / outcomes.len() as f32;
            print!(" {found:.1} % | {median:.2} % | {most:.2} % |");
        }
        let all = || settings.iter().flatten();
        let elsewhere: usize = all().map(|outcome| outcome.elsewhere).sum();
        let dark = all().filter(|outcome| outcome.dark).count();
        println!(" {elsewhere} | {dark} |");
    }
    Ok(())
}

/// The result of `work` and the milliseconds it took.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f32) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed().as_secs_f32() * 1000.0)
}

/// Prints how long it takes to find all faces of a photo and to align the largest.
fn photo(name: &str, size: [usize; 2], faces: &[(&RgbaImage, Quad)]) -> Result<(), Box<dyn Error>> {
    let photo = scene(size, faces);
    let finder = finder();
    let (mut detection, mut alignment) = (Vec::new(), Vec::new());
    let mut count = 0;
    for _ in 0..=ROUNDS {
        let (found, milliseconds) = timed(|| finder.detect(&photo));
        detection.push(milliseconds);
        count = found.len();
        let found = found.first().ok_or("no face in the large photo")?;
        let (aligned, milliseconds) = timed(|| align(&photo, &found.quad, ALIGNED));
        aligned?;
        alignment.push(milliseconds);
    }
    let [[cold, fast], [_, aligned]] = [&mut detection, &mut alignment].map(|times| {
        let cold = times.remove(0);
        [cold, quantile(times, 0.0)]
    });
    println!(
        "{name}, {} x {}, ms: {count} of {} faces found in {fast:.0} (cold {cold:.0}), one aligned in {aligned:.0}",
        size[0],
        size[1],
        faces.len(),
    );
    Ok(())
}

/// Prints how long it takes to find what is behind a face of 2 megapixels, and to paste it moved, the background moving
/// along or staying.
fn pasting(face: &RgbaImage) -> Result<(), Box<dyn Error>> {
    let quad = square([1000.0, 1000.0], 1414.0, 0.0);
    let (photo, finder) = (scene([2000, 2000], &[(face, quad)]), finder());
    let arrow = |i: usize| {
        let [u, v] = [i % GRID, i / GRID].map(|i| (i as f32 + 0.5) / GRID as f32);
        [0.8 * u * (1.0 - u) * v * (1.0 - v), 0.0]
    };
    let motion = Field::new((0..GRID * GRID).map(arrow).collect());
    let plain = align(&photo, &quad, 256)?;
    let rendered = Rendered {
        edited: &plain,
        unedited: &plain,
        difference: None,
        motion: motion.as_ref(),
    };
    let [mut looks, mut along, mut staying] = [const { Vec::new() }; 3];
    for _ in 0..=ROUNDS {
        let (behind, milliseconds) = timed(|| finder.backdrop(&photo, &quad));
        let behind = behind?.ok_or("nobody is seen in the portrait")?;
        looks.push(milliseconds);
        for (backdrop, times) in [(None, &mut along), (Some(&behind), &mut staying)] {
            let mode = PasteMode::Difference;
            let paste = || paste_before(&photo, &quad, None, rendered, mode, backdrop);
            let (pasted, milliseconds) = timed(paste);
            pasted?;
            times.push(milliseconds);
        }
    }
    let [looks, along, staying] =
        [&mut looks, &mut along, &mut staying].map(|times| quantile(times, 0.0));
    println!(
        "a moved face of 2 megapixels, ms: backdrop in {looks:.0}, pasted in {along:.0}, before the backdrop in \
         {staying:.0} ({:.2} of it)",
        staying / along
    );
    Ok(())
}

fn open(file: &Path) -> Result<RgbaImage, String> {
    let picture = image::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(picture.into_rgba8())
}

/// The pictures in a folder, sorted by name.
fn pictures(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let ending = path.extension().unwrap_or_default();
        if ["png", "jpg", "webp"].iter().any(|known| ending == *known) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let folder = arguments.next().map_or_else(portrait_folder, Into::into);
    let files = pictures(&folder)?;
    table(&files, &tables(&folder)?)?;
    println!("\non {} threads", sdic::kernels::threads());
    let first = files.iter().take(12).map(|file| open(file));
    let faces = first.collect::<Result<Vec<_>, _>>()?;
    let one = faces.first().ok_or("the folder is empty")?;
    photo(
        "a portrait",
        [4000, 3000],
        &[(one, square([1900.0, 1400.0], 1300.0, 8.0))],
    )?;
    pasting(one)?;
    let place = |i: usize| {
        [
            750.0 + 1500.0 * (i % 4) as f32,
            700.0 + 1300.0 * (i / 4) as f32,
        ]
    };
    let group = faces.iter().enumerate();
    let group: Vec<_> = group
        .map(|(i, face)| (face, square(place(i), 220.0, 0.0)))
        .collect();
    photo("a group", [6000, 4000], &group)
}
