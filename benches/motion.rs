//! What found sliders and found motions are worth, beside trained ones, on faces that neither has seen.
//!
//! `cargo bench --bench motion -- TRAINED FOUND FACES [COUNT]` prints two tables in Markdown. TRAINED is a model with
//! trained sliders, FOUND one with found sliders (`sdic directions FOUND --fit`): the same, or its networks as a
//! foreign model (`training/measure/foreign.py`). FACES is a folder of aligned faces.
//!
//! The first table compares what sliders move from one end to the other, and tells at which strength a found one moves
//! its measure half as far as the trained one does from end to end. The second is about ghosting. With r what
//! compensation adds to the picture of w', M(r) that moved along with the face, and r' what it adds to the picture of
//! an edit, it fits r' = a M(r) + b r, where r has contours and the edit moves the face: a is the share of the
//! compensation that moved along, and b what stayed behind as a ghost.

use std::{fs, path::PathBuf, time::Instant};

use burn::tensor::Tensor;
use sdic::{
    editing::{
        EditedCodes, Engine, EngineError, Fields, InvertedFace,
        fit::{FitError, MEASURES, Measure, Reading, Seen, found_displacements},
    },
    face::{FaceFinder, LANDMARKS, Landmarks},
    networks::{device, from_data, read},
    pixels::{Field, Picture, decode},
    weights::WeightsDir,
};

/// A measure, the trained slider that moves it and the found one. Beside a trained one of its name, a found one is
/// called `found-` that.
const SLIDERS: [(Measure, &str, &str); 7] = [
    (Measure::Smile, "smile", "smile"),
    (Measure::MouthWidth, "smile", "mouth-width"),
    (Measure::EyeOpening, "eyes", "eyes"),
    (Measure::BrowHeight, "brows", "brows"),
    (Measure::FaceWidth, "slim", "face-width"),
    (Measure::Yaw, "yaw", "yaw"),
    (Measure::Pitch, "pitch", "pitch"),
];
/// Edits of the second table: name, slider, and which end of it.
const EDITS: [(&str, &str, f32); 5] = [
    ("turn +", "yaw", 1.0),
    ("turn -", "yaw", -1.0),
    ("nod +", "pitch", 1.0),
    ("nod -", "pitch", -1.0),
    ("smile", "smile", 1.0),
];
/// Motion in sides of the picture from which a spot counts as moved.
const MOVED: f32 = 0.006;
/// Share of the moved spots, those of the strongest contours, that are looked at.
const CONTOURS: f64 = 0.25;

fn open(weights: PathBuf) -> Engine {
    let dir = WeightsDir::open(weights).expect("a weights directory");
    Engine::open(&dir, &device::cpu()).expect("a model")
}

/// A model, and faces that it has inverted.
struct Bench {
    engine: Engine,
    finder: FaceFinder,
    subjects: Vec<Subject>,
}

/// A face, inverted.
struct Subject {
    face: InvertedFace,
    /// The picture that no edit has changed.
    unedited: Tensor<4>,
}

impl Bench {
    fn new(weights: &str, faces: &[PathBuf]) -> Self {
        let mut bench = Self {
            engine: open(weights.into()),
            finder: FaceFinder::bundled().expect("the face networks"),
            subjects: Vec::new(),
        };
        let subject = |path: &PathBuf| {
            let bytes = fs::read(path).expect("a file");
            bench.invert(&decode(&bytes).expect("a picture").picture)
        };
        bench.subjects = faces.iter().filter_map(subject).collect();
        bench
    }

    /// The whole name of a found slider, unless it was dropped.
    fn found(&self, name: &str) -> Option<String> {
        let directions = &self.engine.manifest().directions;
        let mut names = [format!("found-{name}"), name.into()].into_iter();
        names.find(|name| directions.iter().any(|direction| direction.name == *name))
    }

    fn range(&self, name: &str) -> [f32; 2] {
        let mut directions = self.engine.manifest().directions.iter();
        let direction = directions.find(|direction| direction.name == name);
        direction.unwrap_or_else(|| panic!("a slider {name}")).range
    }

    fn invert(&self, picture: &Picture) -> Option<Subject> {
        let mesh = self.finder.mesh_of_aligned(picture).ok()??;
        let landmarks = mesh.shows_face().then(|| mesh.landmarks())?;
        let begun = async |_| Ok::<_, EngineError>(());
        let face = pollster::block_on(self.engine.invert(picture, Some(landmarks), begun));
        let face = face.expect("an inversion");
        let unedited = face.inversion.reconstruction.clone();
        Some(Subject { face, unedited })
    }

    fn edit(
        &self,
        subject: &Subject,
        name: &str,
        strength: f32,
        shifts: Option<&Landmarks>,
    ) -> Tensor<4> {
        let strengths = [(name, strength)];
        let edit = self
            .engine
            .edit_moving(&subject.face, strengths, None, shifts);
        let pause = async || Ok::<_, EngineError>(());
        pollster::block_on(edit.expect("an edit").finish(pause))
            .expect("pictures")
            .picture
    }

    /// The shifts that the direction itself brings.
    fn known(&self, name: &str, strength: f32) -> Option<Landmarks> {
        self.engine
            .directions()
            .displacements(&[(name, strength)])
            .expect("a slider")
    }

    fn reading(&self, image: Tensor<4>) -> Option<Reading> {
        let data = pollster::block_on(image.into_data_async()).expect("values");
        let picture = from_data(&data).expect("a picture").picture();
        Reading::new(
            &picture,
            &self
                .finder
                .mesh_of_aligned(&picture)
                .expect("a square picture")?,
        )
    }

    /// The generator's picture of codes, without compensation.
    fn plain(&self, codes: impl Into<EditedCodes>) -> Tensor<4> {
        let sdic = self.engine.sdic();
        sdic.generate(codes.into().on(sdic)).image
    }
}

fn values(image: Tensor<4>) -> Vec<f32> {
    pollster::block_on(read(image)).expect("values")
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn sliders(trained: &Bench, found: &Bench) {
    let readings: Vec<_> = trained
        .subjects
        .iter()
        .filter_map(|subject| trained.reading(subject.unedited.clone()))
        .collect();
    let deviation = |measure: usize| {
        let all: Vec<_> = readings
            .iter()
            .map(|reading| reading.values[measure])
            .collect();
        let middle = mean(&all);
        mean(
            &all.iter()
                .map(|value| (value - middle).powi(2))
                .collect::<Vec<_>>(),
        )
        .sqrt()
    };
    let deviations: [f64; MEASURES] = std::array::from_fn(deviation);
    println!(
        "| measure | trained slider | end to end | found slider | end to end | ratio | half at | others, trained | others, found |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (measure, taught, fitted) in SLIDERS {
        let Some(fitted) = &found.found(fitted) else {
            eprintln!("no slider {fitted} was found");
            continue;
        };
        let moved = |bench: &Bench, name: &str| {
            let [low, high] = bench.range(name);
            let ends = |subject: &Subject| {
                let reading = |strength| {
                    let shifts = bench.shifts(subject, name, strength);
                    bench.reading(bench.edit(subject, name, strength, shifts.as_ref()))
                };
                let (low, high) = (reading(low)?, reading(high)?);
                let change = |i: usize| (high.values[i] - low.values[i]) / deviations[i];
                Some(std::array::from_fn::<f64, MEASURES, _>(change))
            };
            let changes: Vec<_> = bench.subjects.iter().filter_map(ends).collect();
            let means: Vec<_> = (0..MEASURES)
                .map(|i| mean(&changes.iter().map(|change| change[i]).collect::<Vec<_>>()))
                .collect();
            let own = means[measure as usize];
            let stay = |other: &Measure| *other != measure && !measure.kin().contains(other);
            let others = Measure::ALL.into_iter().filter(stay);
            let others = others
                .map(|other| means[other as usize].powi(2))
                .sum::<f64>()
                .sqrt();
            (own, others / own.abs())
        };
        let (before, spill_before) = moved(trained, taught);
        let (now, spill) = moved(found, fitted);
        let share = (now / before).abs();
        let way = before * deviations[measure as usize];
        let half = half_way(way, found, fitted, measure as usize);
        let name = measure.names()[0];
        println!(
            "| {name} | {taught} | {before:+.2} | {fitted} | {now:+.2} | {share:.2} | {half:.2} | {spill_before:.2} | {spill:.2} |"
        );
    }
}

/// The strength at which a found slider moves a measure half as far as a trained one does, from one end to the other.
fn half_way(before: f64, found: &Bench, fitted: &str, measure: usize) -> f64 {
    let moved = |strength: f64| {
        let [low, high] = [-1.0, 1.0].map(|sign| (sign * strength) as f32);
        found.between(fitted, [low, high], measure)
    };
    let [low, high] = found.range(fitted).map(f64::from);
    // Movement is nearly in proportion to the strength, but for what is lost far out.
    (0..3).fold(0.25 * (high - low), |strength, _| {
        strength * (before.abs() / 2.0) / moved(strength).abs()
    })
}

impl Bench {
    /// How far a measure is moved between two strengths, on the mean of all faces.
    fn between(&self, name: &str, ends: [f32; 2], measure: usize) -> f64 {
        let change = |subject: &Subject| {
            let [low, high] = ends.map(|strength| {
                let shifts = self.shifts(subject, name, strength);
                self.reading(self.edit(subject, name, strength, shifts.as_ref()))
            });
            Some(high?.values[measure] - low?.values[measure])
        };
        mean(&self.subjects.iter().filter_map(change).collect::<Vec<_>>())
    }

    /// The shifts of an edit of the page: what a trained direction brings, or what is found on the face.
    fn shifts(&self, subject: &Subject, name: &str, strength: f32) -> Option<Landmarks> {
        let pause = async || Ok::<_, FitError>(());
        let (strengths, mut seen) = ([(name, strength)], Seen::default());
        let face = &subject.face;
        let shifts = found_displacements(
            &self.engine,
            &self.finder,
            face,
            &strengths,
            &mut seen,
            pause,
        );
        pollster::block_on(shifts).expect("a slider")
    }
}

/// A picture read along a motion, bilinear; three planes of `side` x `side`.
fn moved(picture: &[f32], side: usize, motion: &Field) -> Vec<f32> {
    let at = |plane: &[f32], [u, v]: [f32; 2]| {
        let place = |t: f32| (t * side as f32 - 0.5).clamp(0.0, side as f32 - 1.001);
        let (x, y) = (place(u), place(v));
        let (i, j) = (x as usize, y as usize);
        let (fx, fy) = (x - i as f32, y - j as f32);
        let row = |j: usize| plane[j * side + i] * (1.0 - fx) + plane[j * side + i + 1] * fx;
        row(j) * (1.0 - fy) + row(j + 1) * fy
    };
    let spot = |index: usize| [index % side, index / side].map(|i| (i as f32 + 0.5) / side as f32);
    picture
        .chunks_exact(side * side)
        .flat_map(|plane| {
            (0..side * side).map(move |index| {
                let [u, v] = spot(index);
                let [right, down] = motion.at([u, v]);
                at(plane, [u + right, v + down])
            })
        })
        .collect()
}

/// Spots at which the face moves and what compensation adds has contours.
fn contours(residual: &[f32], side: usize, motion: &Field) -> Vec<usize> {
    let moves = |index: &usize| {
        let spot = [index % side, index / side].map(|i| (i as f32 + 0.5) / side as f32);
        let [right, down] = motion.at(spot);
        right.hypot(down) > MOVED
    };
    let strength = |index: usize| -> f32 {
        let planes = residual.chunks_exact(side * side);
        planes
            .map(|plane| {
                let across = plane[index + 1] - plane[index - 1];
                let down = plane[index + side] - plane[index - side];
                across * across + down * down
            })
            .sum()
    };
    let inner = |index: &usize| {
        [index % side, index / side]
            .iter()
            .all(|&i| (1..side - 1).contains(&i))
    };
    let mut spots: Vec<_> = (0..side * side).filter(inner).filter(moves).collect();
    spots.sort_by(|&a, &b| strength(b).total_cmp(&strength(a)));
    spots.truncate((CONTOURS * spots.len() as f64) as usize);
    spots
}

/// The shares a and b of r' = a M(r) + b r at some spots.
fn shares(
    found: &[f32],
    along: &[f32],
    stayed: &[f32],
    spots: &[usize],
    plane: usize,
) -> Option<[f64; 2]> {
    let mut sums = [0.0; 5];
    for &spot in spots {
        for channel in 0..3 {
            let at = channel * plane + spot;
            let [r, m, s] = [found, along, stayed].map(|values| f64::from(values[at]));
            let products = [m * m, m * s, s * s, m * r, s * r];
            sums.iter_mut()
                .zip(products)
                .for_each(|(sum, product)| *sum += product);
        }
    }
    let [mm, ms, ss, mr, sr] = sums;
    let determinant = mm * ss - ms * ms;
    (determinant > 1e-6 * mm * ss).then(|| {
        [
            (mr * ss - sr * ms) / determinant,
            (sr * mm - mr * ms) / determinant,
        ]
    })
}

/// Cosine between two motions, and the factor that brings the second nearest to the first.
fn compare(a: &Landmarks, b: &Landmarks) -> [f64; 2] {
    let sum = |x: &Landmarks, y: &Landmarks| -> f64 {
        let pairs = x.as_flattened().iter().zip(y.as_flattened());
        pairs.map(|(x, y)| f64::from(x * y)).sum()
    };
    let (ab, aa, bb) = (sum(a, b), sum(a, a), sum(b, b));
    [ab / (aa * bb).sqrt(), ab / bb]
}

fn ghosting(teacher: &Bench, bench: &Bench) {
    let side = bench.engine.config().image_size;
    println!();
    println!(
        "| edit | cosine | no motion | trained motion | found motion, mean of the fit | found on the face |"
    );
    println!("|---|---|---|---|---|---|");
    let none: Landmarks = [[0.0; 2]; LANDMARKS];
    for (label, trained, end) in EDITS {
        let found = &bench.found(trained).expect("a slider of that kind");
        let end_of = |bench: &Bench, name: &str| {
            let [low, high] = bench.range(name);
            if end > 0.0 { high } else { low }
        };
        let taught = teacher
            .known(trained, end_of(teacher, trained))
            .expect("a trained motion");
        let average = bench
            .known(found, end_of(bench, found))
            .expect("a found motion");
        // Sliders may be of opposite sign.
        let [cosine, _] = compare(&average, &taught);
        let strength = if cosine < 0.0 && label != "smile" {
            -end_of(bench, found)
        } else {
            end_of(bench, found)
        };
        let (mut cosines, mut behind) = (Vec::new(), [const { Vec::new() }; 4]);
        for subject in &bench.subjects {
            let Some(own) = bench.own_motion(subject, found, strength) else {
                continue;
            };
            let [cosine, factor] = compare(&own, &taught);
            cosines.push(cosine);
            let scaled = taught.map(|shift| shift.map(|value| factor as f32 * value));
            let average = bench.known(found, strength);
            let landmarks = subject.face.landmarks.expect("landmarks");
            let motion =
                Fields::new(&landmarks, Some(&own), &landmarks).and_then(|fields| fields.motion);
            let Some(motion) = motion else { continue };
            let codes = &subject.face.compensated_codes;
            let edited_codes = bench
                .engine
                .directions()
                .edited_codes(codes, &[(found, strength)]);
            let plain = values(bench.plain(codes.clone()));
            let plain_edited = values(bench.plain(edited_codes.expect("a slider")));
            let minus = |a: Vec<f32>, b: &[f32]| -> Vec<f32> {
                a.iter().zip(b).map(|(a, b)| a - b).collect()
            };
            let residual = minus(values(subject.unedited.clone()), &plain);
            let along = moved(&residual, side, &motion);
            let spots = contours(&residual, side, &motion);
            for (behind, shifts) in
                behind
                    .iter_mut()
                    .zip([Some(none), Some(scaled), average, Some(own)])
            {
                let picture = values(bench.edit(subject, found, strength, shifts.as_ref()));
                let added = minus(picture, &plain_edited);
                behind
                    .extend(shares(&added, &along, &residual, &spots, side * side).map(|[_, b]| b));
            }
        }
        let cosine = mean(&cosines);
        let [still, trained, average, own] = behind.map(|shares| mean(&shares));
        println!("| {label} | {cosine:.2} | {still:.2} | {trained:.2} | {average:.2} | {own:.2} |");
    }
}

impl Bench {
    /// The motion that the model's pictures show on this face, whatever the direction brings.
    fn own_motion(&self, subject: &Subject, name: &str, strength: f32) -> Option<Landmarks> {
        let codes = &subject.face.compensated_codes;
        let edited_codes = self
            .engine
            .directions()
            .edited_codes(codes, &[(name, strength)]);
        let [before, after] = [codes.clone().into(), edited_codes.expect("a slider")]
            .map(|codes| self.reading(self.plain(codes)));
        let (before, after) = (before?.landmarks, after?.landmarks);
        Some(std::array::from_fn(|i| {
            [0, 1].map(|axis| after[i][axis] - before[i][axis])
        }))
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let [trained, found, faces, ..] = &arguments[..] else {
        println!("usage: cargo bench --bench motion -- TRAINED FOUND FACES [COUNT]");
        return;
    };
    let count = arguments.get(3).and_then(|count| count.parse().ok());
    let entries = fs::read_dir(faces).expect("a folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    paths.truncate(count.unwrap_or(usize::MAX));
    let started = Instant::now();
    let [trained, found] = [trained, found].map(|weights| Bench::new(weights, &paths));
    println!("{} faces of {}", found.subjects.len(), paths.len());
    println!();
    sliders(&trained, &found);
    ghosting(&trained, &found);
    eprintln!("{:.0} s", started.elapsed().as_secs_f32());
}
