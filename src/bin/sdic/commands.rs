//! The commands, and what they share.

use std::{
    error::Error,
    fmt::Display,
    fs,
    io::{self, Write, stdout},
    path::{Path, PathBuf},
    time::Instant,
};

use burn::tensor::Device;
use indicatif::ProgressBar;
use rayon::prelude::*;
use sdic::{
    config::ModelConfig,
    editing::{
        EditedPictures, Engine, EngineError, InvertedFace, MOST_STRENGTH, Stage, check_manifest,
    },
    face::{self, AlignedMesh, Face, FaceFinder, LANDMARKS, Landmarks, PasteMode},
    import::{Naming, import_checkpoint, import_directions},
    networks::device,
    pixels::{self, Format, Picture, Quad, QuadError},
    weights::{Depicts, Manifest, WeightsDir},
};

use crate::{
    Backend, Import, With,
    paths::{check_weights, read_file, spare},
};

/// What a command may fail with; printed as one line.
pub type Failure = Box<dyn Error>;

/// Reads "name=strength".
pub fn parse_strength(text: &str) -> Result<(String, f32), String> {
    let (name, strength) = text
        .split_once('=')
        .ok_or_else(|| format!("\"{text}\" is not of the form name=strength, such as smile=2"))?;
    let strength = parse_number(strength)
        .map_err(|problem| format!("the strength of \"{name}\": {problem}"))?;
    Ok((name.trim().to_owned(), strength))
}

/// Reads a number from 0 to 1.
pub fn parse_share(text: &str) -> Result<f64, String> {
    let share = text.trim().parse::<f64>().ok();
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| format!("\"{text}\" is not a number from 0 to 1"))
}

/// Reads a number that an edit can take.
pub fn parse_number(text: &str) -> Result<f32, String> {
    let number = text.trim().parse::<f32>().ok();
    number
        .filter(|number| number.abs() <= MOST_STRENGTH)
        .ok_or_else(|| {
            format!("\"{text}\" is not a number from -{MOST_STRENGTH} to {MOST_STRENGTH}")
        })
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

/// A picture file to be written, checked before any work is done.
pub struct Target<'a> {
    path: &'a Path,
    format: Format,
}

impl<'a> Target<'a> {
    /// The file that `option` names, in the format of its name unless another is asked for.
    pub fn new(option: &str, path: &'a Path, format: Option<Format>) -> Result<Self, Failure> {
        check_place(option, path)?;
        let format = format.or_else(|| Format::of_name(path)).ok_or_else(|| {
            let path = path.display();
            let way = "end it in .png, .jpg or .webp, or pass --format";
            format!("{option}: {path}: the name ends in no known format; {way}")
        })?;
        Ok(Self { path, format })
    }

    fn write(&self, picture: &Picture) -> Result<(), Failure> {
        write_file(self.path, &self.encode(picture, &Telling::Lines)?)
    }

    /// Writes a picture that a model has made or edited, with the mark that says so.
    pub fn write_marked(&self, picture: &Picture, telling: &Telling) -> Result<(), Failure> {
        write_file(self.path, &pixels::marked(self.encode(picture, telling)?))
    }

    fn encode(&self, picture: &Picture, telling: &Telling) -> Result<Vec<u8>, Failure> {
        let path = self.path.display();
        if !self.format.has_alpha() && !picture.is_opaque() {
            let loss = "JPEG knows no transparency; what was transparent is white now";
            telling.say(format_args!("{path}: {loss}"));
        }
        Ok(pixels::encode(picture, self.format).map_err(|e| format!("{path}: {e}"))?)
    }
}

/// Makes sure that a file can be put where `option` says.
pub fn check_place(option: &str, path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    if path.file_name().is_none() || path.is_dir() {
        return Err(format!("{option}: {shown} is a folder; name a file in it").into());
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let folder = folder.display();
        return Err(
            format!("{option}: the folder {folder} does not exist; create it first").into(),
        );
    }
    Ok(())
}

/// Decodes a picture; an error names the file.
pub fn read_picture(path: &Path) -> Result<Picture<'static>, Failure> {
    Ok(decode(path)?.picture)
}

fn decode(path: &Path) -> Result<pixels::Decoded, Failure> {
    pixels::decode(&read_file(path)?).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Decodes a photo, and says what was done to it.
fn read_photo(path: &Path, telling: &Telling) -> Result<Picture<'static>, Failure> {
    let decoded = decode(path)?;
    for note in &decoded.notes {
        telling.say(format_args!("{}: {note}", path.display()));
    }
    Ok(decoded.picture)
}

/// Opens the device that was asked for.
pub fn open_device(backend: Backend) -> Result<Device, Failure> {
    match backend {
        Backend::Cpu => {
            device::keep_memory();
            Ok(device::cpu())
        }
        #[cfg(feature = "wgpu")]
        Backend::Wgpu => {
            let gpu = pollster::block_on(device::gpu::open())?;
            tell!("running on {}", gpu.adapter);
            Ok(gpu.device)
        }
    }
}

fn open_weights(weights: &Path) -> Result<WeightsDir, Failure> {
    check_weights(weights)?;
    Ok(WeightsDir::open(weights).map_err(|error| format!("{}: {error}", weights.display()))?)
}

/// What a weights directory says of itself; nothing is loaded.
pub fn read_manifest(weights: &Path) -> Result<Manifest, Failure> {
    Ok(open_weights(weights)?.manifest().clone())
}

/// Loads a model shard by shard.
pub fn open_engine(weights: &Path, device: &Device) -> Result<Engine, Failure> {
    let started = Instant::now();
    let engine = Engine::open(&open_weights(weights)?, device)?;
    tell!(
        "loaded {} in {:.1} s",
        engine.manifest().title,
        started.elapsed().as_secs_f32()
    );
    Ok(engine)
}

/// How a command tells what it does, on stderr.
pub enum Telling {
    /// Line by line, with one for each stage of an inversion.
    Lines,
    /// Above a progress bar, which tells how far all is.
    Above(ProgressBar),
}

impl Telling {
    /// Says a line. A bar makes way for it, or the line would begin behind the bar.
    pub fn say(&self, line: impl Display) {
        match self {
            Self::Lines => tell!("{line}"),
            Self::Above(bar) => bar.suspend(|| tell!("{line}")),
        }
    }

    /// What an inversion calls as its stages begin.
    pub fn report(
        &self,
        config: &ModelConfig,
    ) -> impl AsyncFnMut(Stage) -> Result<(), EngineError> {
        let (started, steps) = (Instant::now(), Stage::of(config).len());
        async move |stage| {
            if let Self::Lines = self {
                let (step, seconds) = (stage as usize + 1, started.elapsed().as_secs_f32());
                self.say(format_args!(
                    "[{seconds:5.1} s] {step}/{steps} {}",
                    stage.name()
                ));
            }
            Ok(())
        }
    }
}

/// A photo and what in it to work on.
pub struct Subject {
    photo: Picture<'static>,
    place: Place,
}

enum Place {
    /// The whole photo: an aligned face, with its landmarks if they are found, or of the shape of a model without
    /// faces.
    Whole(Option<Box<Landmarks>>),
    Face(Face),
    /// Of a photo for a model without faces.
    Part(Quad),
}

impl Subject {
    /// Opens a photo for a model.
    pub fn open(
        path: &Path,
        with: &With,
        manifest: &Manifest,
        finder: &FaceFinder,
        telling: &Telling,
    ) -> Result<Self, Failure> {
        let photo = read_photo(path, telling)?;
        let shaped = shape_problem(&photo, &manifest.config);
        if with.aligned {
            if let Some(problem) = shaped {
                let path = path.display();
                let way = match manifest.depicts() {
                    Depicts::Faces => "leave --aligned out, or run `sdic align` on the photo first",
                    _ => "leave --aligned out",
                };
                return Err(format!("--aligned: {path}: {problem}; {way}").into());
            }
            let place = Place::Whole(landmarks_in(&photo, manifest, finder)?);
            return Ok(Self { photo, place });
        }
        if manifest.depicts() != Depicts::Faces {
            if with.face > 1 {
                return Err("--face: this model shows no faces; leave the option out".into());
            }
            let place = match shaped {
                None => Place::Whole(None),
                Some(_) => Place::Part(middle(&photo, &manifest.config, path, telling)?),
            };
            return Ok(Self { photo, place });
        }
        let mut faces = find_faces(finder, &photo, path)?;
        let index = with.face as usize - 1;
        if index >= faces.len() {
            let (path, face, count) = (path.display(), with.face, faces.len());
            return Err(format!(
                "--face: {path}: there is no face {face}; pass a number from 1 to {count}"
            )
            .into());
        }
        let face = faces.swap_remove(index);
        warn_of(&face, path, telling);
        let place = Place::Face(face);
        Ok(Self { photo, place })
    }

    /// Inverts the face, or what else it is about.
    pub fn inverted(&self, engine: &Engine, telling: &Telling) -> Result<InvertedFace, Failure> {
        let config = engine.config();
        let begin = telling.report(config);
        let inverted = match &self.place {
            Place::Whole(landmarks) => {
                pollster::block_on(engine.invert(&self.photo, landmarks.as_deref().copied(), begin))
            }
            Place::Face(face) => pollster::block_on(engine.invert_face(&self.photo, face, begin)),
            Place::Part(quad) => {
                let [_, columns] = config.picture_in(config.input_size());
                let part = face::cut_out(&self.photo, quad, columns)?;
                pollster::block_on(engine.invert(&part, None, begin))
            }
        };
        Ok(inverted?)
    }

    /// The finished picture: the photo with the edit in it, or that alone if it is about the whole photo. Where the edit
    /// moves a face, what is behind stays.
    pub fn finish(
        &self,
        finder: &FaceFinder,
        edited: &EditedPictures,
        mode: PasteMode,
    ) -> Result<Picture<'static>, Failure> {
        let (quad, mesh) = match &self.place {
            Place::Face(face) => (face.quad, Some(face.mesh.as_slice())),
            Place::Part(quad) => (*quad, None),
            Place::Whole(_) => {
                let quad = Quad::whole(self.photo.width(), self.photo.height());
                (quad.ok_or(QuadError)?, None)
            }
        };
        if matches!(self.place, Place::Whole(_)) && mode == PasteMode::Face {
            return Ok(face::toned(edited.picture.clone(), &self.photo, &quad)?);
        }
        let backdrop = match edited.motion {
            Some(_) if mode == PasteMode::Difference => finder.backdrop(&self.photo, &quad)?,
            _ => None,
        };
        Ok(edited.paste_before(&self.photo, &quad, mesh, mode, backdrop.as_ref())?)
    }
}

/// Why a picture is not of the shape of a model's, if it is not.
pub fn shape_problem(picture: &Picture, config: &ModelConfig) -> Option<String> {
    let [width, height] = [picture.width(), picture.height()];
    let [high, wide] = config.output_size();
    let problem = match wide == high {
        true if width != height => "not square".to_owned(),
        false if !config.is_shape_of([width, height]) => {
            format!("not of the shape of {wide} x {high}")
        }
        _ => return None,
    };
    Some(format!("{width} x {height} pixels are {problem}"))
}

/// What a model without faces takes of a photo of another shape.
fn middle(
    photo: &Picture,
    config: &ModelConfig,
    path: &Path,
    telling: &Telling,
) -> Result<Quad, Failure> {
    let [high, wide] = config.output_size();
    let aspect = high as f32 / wide as f32;
    let quad = Quad::middle(photo.width(), photo.height(), aspect).ok_or(QuadError)?;
    let [width, height] = [quad.side(), quad.side() * aspect].map(f32::round);
    let (path, way) = (path.display(), "crop the photo first to edit another part");
    telling.say(format_args!(
        "{path}: the middle {width} x {height} pixels are edited; {way}"
    ));
    Ok(quad)
}

fn find_faces(finder: &FaceFinder, photo: &Picture, path: &Path) -> Result<Vec<Face>, Failure> {
    let faces = finder.detect(photo);
    if faces.is_empty() {
        return Err(format!(
            "{}: no face found; use a picture from the front, or crop it and pass --aligned",
            path.display()
        )
        .into());
    }
    Ok(faces)
}

/// Where the landmarks of an aligned face are: sliders ask how far a face smiles already, and its own pixels follow an
/// edit. `None` for other things, and if nothing like a face is seen.
fn landmarks_in(
    aligned: &Picture,
    manifest: &Manifest,
    finder: &FaceFinder,
) -> Result<Option<Box<Landmarks>>, Failure> {
    if manifest.depicts() != Depicts::Faces || aligned.width() != aligned.height() {
        return Ok(None);
    }
    let mesh = finder.mesh_of_aligned(aligned)?;
    let mesh = mesh.filter(AlignedMesh::shows_face);
    Ok(mesh.map(|mesh| Box::new(mesh.landmarks())))
}

/// Says why a face may come out poorly.
fn warn_of(face: &Face, path: &Path, telling: &Telling) {
    for warning in &face.warnings {
        telling.say(format_args!("{}: {}", path.display(), warning.message()));
    }
}

/// `sdic import`.
pub fn import(import: &Import) -> Result<(), Failure> {
    if let Some(into) = &import.into {
        let naming = match &import.name {
            Some(name) => Naming::of_person(name),
            None => Naming::of_file(&import.file),
        };
        let names = import_directions(&import.file, into, &naming)?;
        writeln!(stdout(), "added {}", names.join(", "))?;
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
            tell!("[{seconds:5.1} s] {percent:3} % ({done} of {total} tensors)");
        }
    })?;
    for (name, reason) in &report.dropped {
        writeln!(stdout(), "dropped {name}: {reason}")?;
    }
    writeln!(
        stdout(),
        "kept {} tensors, dropped {}",
        report.kept.len(),
        report.dropped.len()
    )?;
    if !report.inverts {
        writeln!(
            stdout(),
            "a generator only: it takes no photo; sdic sample draws faces with it"
        )?;
    } else if !report.compensates {
        writeln!(
            stdout(),
            "an encoder and a generator only: nothing puts back what it loses of a face, so hair, background and the \
             person are only like those in the photo"
        )?;
    }
    Ok(())
}

/// `sdic align`.
pub fn align(photo: &Path, out: &Path, size: usize) -> Result<(), Failure> {
    if out.exists() && !out.is_dir() {
        return Err(format!("--out: {} is a file; name a folder", out.display()).into());
    }
    let telling = &Telling::Lines;
    let picture = read_photo(photo, telling)?;
    let faces = find_faces(&FaceFinder::bundled()?, &picture, photo)?;
    fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
    for (index, face) in faces.iter().enumerate() {
        warn_of(face, photo, telling);
        let aligned = face.aligned(&picture, size)?;
        let path = out.join(format!("{}.png", index + 1));
        Target::new("--out", &path, Some(Format::Png))?.write(&aligned)?;
    }
    write_file(&out.join("faces.json"), &serde_json::to_vec_pretty(&faces)?)?;
    writeln!(stdout(), "{} faces", faces.len())?;
    Ok(())
}

/// `sdic points`.
pub fn points(folder: &Path, out: &Path) -> Result<(), Failure> {
    check_place("--out", out)?;
    let paths = pictures_in(folder)?;
    let finder = FaceFinder::bundled()?;
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
    writeln!(stdout(), "{} faces", rows.len())?;
    Ok(())
}

/// The pictures of a folder, by the endings of their names, sorted by file name.
pub fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
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
    writeln!(stdout(), "{} ({})", manifest.title, manifest.name)?;
    let [rows, columns] = config.picture_in(config.input_size());
    let depicted = match manifest.depicts() {
        Depicts::Faces => "face",
        Depicts::Cars => "car",
        Depicts::Other => "picture",
    };
    match config.inverts() {
        true => writeln!(
            stdout(),
            "picture     {width} x {height}, from a {columns} x {rows} {depicted}"
        )?,
        false => writeln!(
            stdout(),
            "picture     {width} x {height}; takes no photo: sdic sample draws faces"
        )?,
    }
    writeln!(
        stdout(),
        "styles      {} of {} values",
        config.styles(),
        config.style_dim
    )?;
    if config.compensates() {
        writeln!(stdout(), "injection   at {} pixels", config.inject_size)?;
    } else {
        writeln!(stdout(), "injection   none: nothing is compensated")?;
    }
    if let Some(editor) = &config.editor {
        writeln!(
            stdout(),
            "editor      {} channels, plans of {} at {} pixels",
            editor.width,
            editor.plan,
            editor.fold * config.inject_size
        )?;
    }
    writeln!(
        stdout(),
        "weights     {} tensors in {} shards, {:.1} MB, all verified",
        manifest.tensors.len(),
        manifest.shards.len(),
        bytes as f64 / 1e6
    )?;
    writeln!(stdout(), "provenance  {}", manifest.provenance)?;
    writeln!(stdout(), "licence     {}", manifest.licence)?;
    print_directions(manifest)?;
    Ok(())
}

/// A line per slider.
pub fn print_directions(manifest: &Manifest) -> io::Result<()> {
    for direction in &manifest.directions {
        let [low, high] = direction.range;
        writeln!(
            stdout(),
            "edit        {:<16} {low:>5} to {high:<5} {} / {}",
            direction.name,
            direction.group,
            direction.label
        )?;
    }
    Ok(())
}

/// `sdic invert`.
pub fn invert(
    photo: &Path,
    out: &Path,
    with: &With,
    initial: Option<&Path>,
    discrepancy: Option<&Path>,
) -> Result<(), Failure> {
    let format = with.format.map(Format::from);
    let out = Target::new("--out", out, format)?;
    spare("--out", out.path, photo)?;
    let target = |option, path| Target::new(option, path, format);
    let initial = initial.map(|path| target("--initial", path)).transpose()?;
    let discrepancy = discrepancy
        .map(|path| target("--discrepancy", path))
        .transpose()?;
    let others = [("--initial", &initial), ("--discrepancy", &discrepancy)];
    let mut taken = vec![out.path];
    for (option, target) in others {
        let Some(target) = target else { continue };
        spare(option, target.path, photo)?;
        if taken.contains(&target.path) {
            let path = target.path.display();
            return Err(format!("{option}: {path} is written already; name another file").into());
        }
        taken.push(target.path);
    }
    let telling = &Telling::Lines;
    let (manifest, finder) = (read_manifest(&with.weights)?, FaceFinder::bundled()?);
    let subject = Subject::open(photo, with, &manifest, &finder, telling)?;
    let engine = open_engine(&with.weights, &open_device(with.backend)?)?;
    if discrepancy.is_some() && !engine.config().compensates() {
        let path = with.weights.display();
        return Err(format!(
            "--discrepancy: {path}: this model has no network that predicts what is lost; leave the option out"
        )
        .into());
    }
    let InvertedFace { inversion, .. } = subject.inverted(&engine, telling)?;
    let render = |image| pollster::block_on(engine.render(image));
    let reconstruction = render(inversion.reconstruction)?;
    if let Some(target) = initial {
        target.write_marked(&render(inversion.initial)?, telling)?;
    }
    if let (Some(target), Some(map)) = (discrepancy, inversion.discrepancy) {
        target.write_marked(&render(map)?, telling)?;
    }
    let still = EditedPictures {
        unedited: reconstruction.clone(),
        picture: reconstruction,
        difference: None,
        motion: None,
    };
    out.write_marked(&subject.finish(&finder, &still, PasteMode::Face)?, telling)
}
