//! `sdic directions`: the sliders of a model, and those that are found in the model itself.

use std::{
    fs,
    io::{self, Write, stdout},
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Args;
use sdic::{
    editing::{
        Engine,
        fit::{
            CodeSource, Fit, Installation, Journal, ModelFaces, Progress, REFUSAL, Request, Task,
            find_components, find_sliders, judge,
        },
    },
    face::FaceFinder,
    weights::{Depicts, WeightsDir},
};

use crate::{
    Backend,
    commands::{
        Failure, open_device, open_engine, pictures_in, print_directions, read_picture, write_file,
    },
    paths::read_file,
};

/// File in the weights directory in which an unfinished fit is kept.
const JOURNAL: &str = "fit.partial";
/// More need more memory than they bring: the fit holds a number for each pair.
const MOST_SAMPLES: i64 = 5000;
/// Pictures after which it is written anew.
const KEPT_EVERY: usize = 50;

#[derive(Args)]
pub struct Find {
    /// Weights directory.
    #[arg(default_value = "weights")]
    weights: PathBuf,
    /// Draw faces from the model, measure them, and add the sliders found; goes on where it was stopped. A model of
    /// other things gets the components of its styles alone.
    #[arg(long)]
    fit: bool,
    /// Faces to draw.
    #[arg(long, default_value_t = 600, requires = "fit")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=MOST_SAMPLES))]
    samples: u32,
    /// Other faces for every seed.
    #[arg(long, default_value_t = 1, requires = "fit")]
    seed: u64,
    /// Take codes from the aligned faces in this folder, for weights without a mapping network.
    #[arg(long, requires = "fit")]
    faces: Option<PathBuf>,
    /// Where to compute.
    #[arg(long, value_enum, default_value_t = Backend::Cpu)]
    backend: Backend,
}

/// `sdic directions`.
pub fn run(find: &Find) -> Result<(), Failure> {
    let failed = |error| format!("{}: {error}", find.weights.display());
    let mut dir = WeightsDir::open(&find.weights).map_err(failed)?;
    if !find.fit {
        print_directions(dir.manifest())?;
        return Ok(());
    }
    // Before anything is loaded.
    Installation::new(dir.manifest(), None, None)?;
    let engine = open_engine(&find.weights, &open_device(find.backend)?)?;
    let (fit, installation) = search(find, &engine)?;
    let (files, manifest) = installation.finish(fit.as_ref(), find.seed)?;
    let known = |name: &String| {
        dir.manifest()
            .directions
            .iter()
            .any(|old| old.name == *name)
    };
    let names = manifest.directions.iter().map(|new| new.name.clone());
    let added: Vec<_> = names.filter(|name| !known(name)).collect();
    dir.extend(&files, manifest)?;
    let journal = find.weights.join(JOURNAL);
    fs::remove_file(&journal).map_err(|error| format!("{}: {error}", journal.display()))?;
    match fit {
        Some(fit) => report(&fit)?,
        None => {
            writeln!(
                stdout(),
                "this model shows no faces, so nothing was measured; the components of its styles are"
            )?;
            for name in added {
                writeln!(stdout(), "added   {name}")?;
            }
        }
    }
    Ok(())
}

fn search(find: &Find, engine: &Engine) -> Result<(Option<Fit>, Installation), Failure> {
    let started = Instant::now();
    let paths = find.faces.as_deref().map(pictures_in).transpose()?;
    let folder = find.faces.as_deref().zip(paths.as_deref());
    let pictures = folder.map(|(folder, paths)| listing(folder, paths));
    let pictures = pictures.transpose()?;
    let request = Request {
        samples: find.samples as usize,
        seed: find.seed,
        pictures: pictures.as_deref().unwrap_or_default(),
    };
    let kept = find.weights.join(JOURNAL);
    let mut journal = open_journal(&kept, &request.key(engine.manifest()))?;
    let say = |text: &str| tell!("[{:6.1} s] {text}", started.elapsed().as_secs_f32());
    let mut written = journal.pictures();
    let mut told = None;
    let pause = async |progress: Progress, journal: &Journal| {
        if journal.pictures() >= written + KEPT_EVERY {
            written = journal.pictures();
            write_file(&kept, &journal.to_bytes()?)?;
        }
        let Progress { task, done, total } = progress;
        let (every, what) = match task {
            Task::Components => (20_000, "styles"),
            _ => (100, "pictures"),
        };
        let step = (task, done / every);
        let counted = matches!(task, Task::Draw | Task::Components);
        if told != Some(step) && (counted || told.is_none_or(|(old, _)| old != task)) {
            told = Some(step);
            say(&format!("{done:5} of {total} {what}: {task}"));
        }
        Ok::<_, Failure>(())
    };
    let found = match engine.manifest().depicts() {
        Depicts::Faces => {
            let finder = FaceFinder::bundled()?;
            let source = match &paths {
                None => CodeSource::Mapping(find.seed),
                Some(paths) => CodeSource::Pictures(Box::new(|index| {
                    let picture = read_picture(paths.get(index)?);
                    Some(picture.map_err(|error| error.to_string()))
                })),
            };
            let mut faces = ModelFaces::new(engine, &finder, source)?;
            let found = find_sliders(engine, &mut faces, &request, &mut journal, pause);
            let (fit, installation) = pollster::block_on(found)?;
            (Some(fit), installation)
        }
        Depicts::Cars | Depicts::Other => {
            let found = find_components(engine, &request, &mut journal, pause);
            (None, pollster::block_on(found)?)
        }
    };
    write_file(&kept, &journal.to_bytes()?)?;
    say("done");
    Ok(found)
}

/// What tells the pictures in a folder from others: a fit that was stopped goes on with the same ones only.
fn listing(folder: &Path, pictures: &[PathBuf]) -> Result<String, Failure> {
    let mut lines = format!("{}\n", folder.display());
    for path in pictures {
        let bytes = fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
        lines += &format!("{} {}\n", path.display(), bytes.len());
    }
    Ok(lines)
}

fn open_journal(path: &Path, key: &str) -> Result<Journal, Failure> {
    if !path.exists() {
        return Ok(Journal::new(key));
    }
    let journal = Journal::from_bytes(&read_file(path)?, key)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    tell!("going on after {} pictures", journal.pictures());
    Ok(journal)
}

fn report(fit: &Fit) -> io::Result<()> {
    let [pictures, faces] = fit.drawn;
    writeln!(stdout(), "{faces} faces in {pictures} pictures")?;
    for slider in &fit.sliders {
        let [name, ..] = slider.measure.names();
        let (spill, share) = slider.spill;
        let ([other, ..], reach) = (spill.names(), slider.reach);
        let (styles, share) = (&slider.styles, 100.0 * share);
        writeln!(
            stdout(),
            "found   {name:<12} to {reach:.1}, styles {styles:?}; moves {other} by {share:.0} % of its own"
        )?;
    }
    for (measure, reason) in &fit.dropped {
        writeln!(stdout(), "dropped {:<12} {reason}", measure.names()[0])?;
    }
    for name in judge(&fit.followed).refused {
        writeln!(stdout(), "dropped {name:<12} {REFUSAL}")?;
    }
    let moving = fit.followed.iter().filter(|f| f.displacements.is_some());
    writeln!(
        stdout(),
        "motion found for {} of {} other directions",
        moving.count(),
        fit.followed.len()
    )?;
    Ok(())
}
