//! The commands, and what they share.

use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    time::Instant,
};

use burn::tensor::{Device, Distribution, Tensor};
use rayon::prelude::*;
use sdic::{
    editing::{
        EditRun, Edited, Engine, EngineError, EngineLoader, InvertedFace, Stage, check_manifest,
        paste_mode,
    },
    face::{self, Face, FaceFinder, LANDMARKS, Landmarks, PasteMode, Rendered},
    import::{Naming, import_checkpoint, import_directions},
    networks::device,
    pixels::{self, Picture, Quad, QuadError},
    weights::WeightsDir,
};

use crate::{Backend, Import, Job};

/// What a command may fail with; printed as one line.
pub type Failure = Box<dyn Error>;

const FACE_MANIFEST: &[u8] = include_bytes!("../../../weights/face/manifest.json");
const FACE_WEIGHTS: &[u8] = include_bytes!("../../../weights/face/face.safetensors");

/// Reads "name=strength".
pub fn parse_strength(text: &str) -> Result<(String, f32), String> {
    let (name, strength) = text
        .split_once('=')
        .ok_or_else(|| format!("\"{text}\" is not of the form name=strength, such as smile=2"))?;
    let strength = strength
        .trim()
        .parse::<f32>()
        .ok()
        .filter(|strength| strength.is_finite())
        .ok_or_else(|| format!("the strength of \"{name}\" is not a number"))?;
    Ok((name.trim().to_owned(), strength))
}

/// Reads a file whole; an error names it.
pub fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Writes a file completely or not at all.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    let written = fs::write(&partial, bytes).and_then(|()| fs::rename(&partial, path));
    written.map_err(|error: io::Error| {
        // The first error matters more than a leftover file.
        let _ = fs::remove_file(&partial);
        format!("{}: {error}", path.display()).into()
    })
}

fn write_picture(path: &Path, picture: &Picture) -> Result<(), Failure> {
    write_file(path, &pixels::encode_png(picture)?)
}

/// Decodes a photo; an error names the file.
pub fn read_picture(path: &Path) -> Result<Picture<'static>, Failure> {
    pixels::decode(&read_file(path)?).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Opens the device that was asked for.
pub fn open_device(backend: Backend) -> Result<Device, Failure> {
    match backend {
        Backend::Cpu => Ok(device::cpu()),
        #[cfg(feature = "wgpu")]
        Backend::Wgpu => {
            let gpu = pollster::block_on(device::gpu::open())?;
            eprintln!("running on {}", gpu.adapter);
            Ok(gpu.device)
        }
    }
}

/// Loads a model shard by shard.
pub fn open_engine(weights: &Path, device: &Device) -> Result<Engine, Failure> {
    let started = Instant::now();
    let dir =
        WeightsDir::open(weights).map_err(|error| format!("{}: {error}", weights.display()))?;
    let mut loader = EngineLoader::with_manifest(dir.manifest().clone(), device)?;
    for index in 0..dir.manifest().shards.len() {
        loader = loader.push_tensors(index, dir.read_shard(index)?)?;
    }
    let engine = loader.finish()?;
    eprintln!(
        "loaded {} in {:.1} s",
        engine.manifest().title,
        started.elapsed().as_secs_f32()
    );
    Ok(engine)
}

/// Inverts with a line per stage on stderr.
pub fn invert_with_progress(
    engine: &Engine,
    face: &Picture,
    landmarks: Option<Landmarks>,
) -> Result<InvertedFace, EngineError> {
    let started = Instant::now();
    let report = async |stage: Stage| {
        let (step, seconds) = (stage as usize + 1, started.elapsed().as_secs_f32());
        let (steps, name) = (Stage::ALL.len(), stage.name());
        eprintln!("[{seconds:5.1} s] {step}/{steps} {name}");
        Ok(())
    };
    pollster::block_on(engine.invert(face, landmarks, report))
}

/// Runs an edit to its end.
fn finish(engine: &Engine, edit: EditRun) -> Result<Edited<Picture<'static>>, EngineError> {
    pollster::block_on(async {
        let edited = edit.finish(async || Ok::<_, EngineError>(())).await?;
        engine.render_edited(edited).await
    })
}

/// A photo and the face in it to work on.
struct Subject {
    photo: Picture<'static>,
    /// `None` if the whole photo is an aligned face.
    face: Option<Face>,
}

impl Subject {
    fn open(job: &Job) -> Result<Self, Failure> {
        let photo = read_picture(&job.photo)?;
        if job.aligned {
            return Ok(Self { photo, face: None });
        }
        let mut faces = find_faces(&photo, &job.photo)?;
        let index = job.face as usize - 1;
        if index >= faces.len() {
            return Err(format!(
                "{}: there is no face {}; {} found",
                job.photo.display(),
                job.face,
                faces.len()
            )
            .into());
        }
        Ok(Self {
            photo,
            face: Some(faces.swap_remove(index)),
        })
    }

    /// The aligned face for an encoder of `side` pixels.
    fn aligned(&self, side: usize) -> Result<Picture<'static>, Failure> {
        match &self.face {
            Some(face) => Ok(face::align(&self.photo, &face.quad, side)?),
            None => Ok(self.photo.clone()),
        }
    }

    /// The landmarks of the face, where it was found.
    fn landmarks(&self) -> Result<Option<Landmarks>, Failure> {
        let landmarks = |face: &Face| face::landmarks_of(&face.mesh, &face.quad);
        Ok(self.face.as_ref().map(landmarks).transpose()?)
    }

    /// The finished picture: the photo with the face in it, or the face alone if the photo was one.
    fn finish(
        &self,
        edited: &Edited<Picture<'static>>,
        mode: PasteMode,
    ) -> Result<Picture<'static>, Failure> {
        let (quad, mesh) = match (&self.face, mode) {
            (Some(face), _) => (face.quad, Some(face.mesh.as_slice())),
            (None, PasteMode::Face) => return Ok(edited.picture.clone()),
            (None, PasteMode::Difference) => {
                let half = self.photo.width() as f32 / 2.0;
                let quad = Quad::new([half, half], [half, 0.0]);
                (quad.ok_or(QuadError)?, None)
            }
        };
        let rendered = Rendered {
            edited: &edited.picture,
            unedited: &edited.unedited,
            motion: edited.motion.as_ref(),
        };
        Ok(face::paste_back(&self.photo, &quad, mesh, rendered, mode)?)
    }
}

fn find_faces(photo: &Picture, path: &Path) -> Result<Vec<Face>, Failure> {
    let faces = FaceFinder::from_bytes(FACE_MANIFEST, FACE_WEIGHTS)?.detect(photo);
    if faces.is_empty() {
        return Err(format!(
            "{}: no face found; use a picture from the front, or crop it and pass --aligned",
            path.display()
        )
        .into());
    }
    for warning in &faces[0].warnings {
        eprintln!("{}: {}", path.display(), warning.message());
    }
    Ok(faces)
}

/// `sdic import`.
pub fn import(import: &Import) -> Result<(), Failure> {
    if let Some(into) = &import.into {
        let naming = match &import.name {
            Some(name) => Naming::new(name),
            None => Naming::of_file(&import.file),
        };
        let names = import_directions(&import.file, into, &naming)?;
        println!("added {}", names.join(", "));
        return Ok(());
    }
    let Some(out) = &import.out else {
        return Err("either --out or --into is needed".into());
    };
    let started = Instant::now();
    let mut last_percent = 0;
    let report = import_checkpoint(&import.file, out, import.dtype, |done, total| {
        let percent = 100 * done / total.max(1);
        if percent >= last_percent + 10 {
            last_percent = percent;
            let seconds = started.elapsed().as_secs_f32();
            eprintln!("[{seconds:5.1} s] {percent:3} % ({done} of {total} tensors)");
        }
    })?;
    for (name, reason) in &report.dropped {
        println!("dropped {name}: {reason}");
    }
    println!(
        "kept {} tensors, dropped {}",
        report.kept.len(),
        report.dropped.len()
    );
    Ok(())
}

/// `sdic align`.
pub fn align(photo: &Path, out: &Path, size: usize) -> Result<(), Failure> {
    let picture = read_picture(photo)?;
    let faces = find_faces(&picture, photo)?;
    fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
    for (index, face) in faces.iter().enumerate() {
        let aligned = face::align(&picture, &face.quad, size)?;
        write_picture(&out.join(format!("{}.png", index + 1)), &aligned)?;
    }
    write_file(&out.join("faces.json"), &serde_json::to_vec_pretty(&faces)?)?;
    println!("{} faces", faces.len());
    Ok(())
}

/// `sdic points`.
pub fn points(folder: &Path, out: &Path) -> Result<(), Failure> {
    let paths = pictures_in(folder)?;
    let finder = FaceFinder::from_bytes(FACE_MANIFEST, FACE_WEIGHTS)?;
    let row = |path: &PathBuf| -> Result<String, String> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let picture = read_picture(path).map_err(|error| error.to_string())?;
        let (landmarks, presence) = finder
            .landmarks_of_aligned(&picture)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let numbers = landmarks.iter().flatten().chain([&presence]);
        let numbers: String = numbers.map(|value| format!(",{value:.5}")).collect();
        Ok(format!("{}{numbers}\n", csv_field(&name)))
    };
    let rows: Vec<String> = paths.par_iter().map(row).collect::<Result<_, _>>()?;
    let columns: String = (0..LANDMARKS).map(|i| format!(",x{i},y{i}")).collect();
    let table = format!("file{columns},presence\n{}", rows.concat());
    write_file(out, table.as_bytes())?;
    println!("{} faces", rows.len());
    Ok(())
}

/// The pictures of a folder, by the endings of their names, sorted by file name.
fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error: io::Error| format!("{}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        if ["jpg", "jpeg", "png", "webp"]
            .iter()
            .any(|known| ending == *known)
        {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        let problem = "no JPEG, PNG or WebP file in it; pass a folder of aligned faces";
        return Err(format!("{}: {problem}", folder.display()).into());
    }
    paths.sort();
    Ok(paths)
}

/// A text as a field of a CSV file, quoted where it has to be.
fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}

/// `sdic inspect`.
pub fn inspect(weights: &Path) -> Result<(), Failure> {
    let dir =
        WeightsDir::open(weights).map_err(|error| format!("{}: {error}", weights.display()))?;
    let manifest = dir.manifest();
    check_manifest(manifest)?;
    let config = &manifest.config;
    let [height, width] = config.output_size();
    let bytes: u64 = manifest.shards.iter().map(|shard| shard.bytes).sum();
    for index in 0..manifest.shards.len() {
        dir.read_shard(index)?;
    }
    println!("{} ({})", manifest.title, manifest.name);
    println!(
        "picture     {width} x {height}, from a {0} x {0} face",
        config.encoder.input_size
    );
    println!(
        "styles      {} of {} values",
        config.styles(),
        config.style_dim
    );
    println!("injection   at {} pixels", config.inject_size);
    if let Some(editor) = &config.editor {
        println!(
            "editor      {} channels, plans of {}",
            editor.width, editor.plan
        );
    }
    println!(
        "weights     {} tensors in {} shards, {:.1} MB, all verified",
        manifest.tensors.len(),
        manifest.shards.len(),
        bytes as f64 / 1e6
    );
    println!("provenance  {}", manifest.provenance);
    println!("licence     {}", manifest.licence);
    for direction in &manifest.directions {
        let [low, high] = direction.range;
        println!(
            "edit        {:<16} {low:>5} to {high:<5} {} / {}",
            direction.name, direction.group, direction.label
        );
    }
    Ok(())
}

/// `sdic invert`.
pub fn invert(
    job: &Job,
    initial: Option<&Path>,
    discrepancy: Option<&Path>,
) -> Result<(), Failure> {
    let subject = Subject::open(job)?;
    let engine = open_engine(&job.weights, &open_device(job.backend)?)?;
    let face = subject.aligned(engine.config().encoder.input_size)?;
    let InvertedFace { inversion, .. } = invert_with_progress(&engine, &face, None)?;
    let render = |image| pollster::block_on(engine.render(image));
    let reconstruction = render(inversion.reconstruction)?;
    if let Some(path) = initial {
        write_picture(path, &render(inversion.initial)?)?;
    }
    if let Some(path) = discrepancy {
        write_picture(path, &render(inversion.discrepancy)?)?;
    }
    let still = Edited {
        unedited: reconstruction.clone(),
        picture: reconstruction,
        motion: None,
    };
    write_picture(&job.out, &subject.finish(&still, PasteMode::Face)?)
}

/// `sdic edit`. Without a mode, the photo's own pixels are kept where the model knows how its edits move a face.
pub fn edit(
    job: &Job,
    strengths: &[(String, f32)],
    paste: Option<PasteMode>,
) -> Result<(), Failure> {
    let subject = Subject::open(job)?;
    let engine = open_engine(&job.weights, &open_device(job.backend)?)?;
    let face = subject.aligned(engine.config().encoder.input_size)?;
    let face = invert_with_progress(&engine, &face, subject.landmarks()?)?;
    let strengths = strengths
        .iter()
        .map(|(name, value)| (name.as_str(), *value));
    let edited = finish(&engine, engine.edit(&face, strengths, None)?)?;
    let mode = paste.unwrap_or(paste_mode(engine.manifest()));
    write_picture(&job.out, &subject.finish(&edited, mode)?)
}

/// `sdic sample`.
pub fn sample(weights: &Path, out: &Path, seed: u64, truncation: f64) -> Result<(), Failure> {
    let device = device::cpu();
    let engine = open_engine(weights, &device)?;
    device.seed(seed);
    let shape = [1, engine.config().style_dim];
    let z = Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device);
    let codes = engine.sdic().sample(z, truncation).ok_or_else(|| {
        format!(
            "{}: these weights have no mapping network, so they cannot make faces up",
            weights.display()
        )
    })?;
    let image = engine.sdic().generate(&codes).image;
    write_picture(out, &pollster::block_on(engine.render(image))?)
}
