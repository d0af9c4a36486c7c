//! `sdic edit`: one photo, or many alike.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use sdic::{
    editing::{
        EditedPictures, Engine, EngineError, InvertedFace, Look,
        fit::{FitError, Seen, edit_as_seen},
    },
    face::{AlignedMesh, FaceFinder, PasteMode},
    networks::device,
    pixels::Format,
    weights::Depicts,
};

use crate::{
    Paste, With,
    commands::{
        Failure, Subject, Target, Telling, open_device, open_engine, parse_share, parse_strength,
        read_manifest,
    },
    paths::{read_file, same, spare},
};

/// Which photos, how, and where to.
#[derive(Args)]
pub struct Edit {
    /// JPEG, PNG or WebP files.
    #[arg(required = true)]
    photos: Vec<PathBuf>,
    /// PNG, JPEG or WebP file to write, by the ending of its name; for several photos a folder, in which each keeps
    /// its name.
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    with: With,
    /// Strengths by name, such as age=+3,smile=-2; `sdic inspect` lists the names.
    #[arg(
        long,
        value_delimiter = ',',
        required_unless_present = "look",
        value_parser = parse_strength,
        allow_hyphen_values = true
    )]
    edit: Vec<(String, f32)>,
    /// A look, a file with strengths; those of --edit come on top.
    #[arg(long)]
    look: Option<PathBuf>,
    /// What is put into the photo; unless given, what suits the model.
    #[arg(long, value_enum)]
    paste: Option<Paste>,
}

impl Edit {
    /// Strengths by name, of the look and of the option.
    fn strengths(&self) -> Result<Vec<(String, f32)>, Failure> {
        let mut strengths = Vec::new();
        if let Some(path) = &self.look {
            let look = Look::from_json(&read_file(path)?)
                .map_err(|error| format!("--look: {}: {error}", path.display()))?;
            strengths.extend(look.strengths);
        }
        strengths.extend(self.edit.iter().cloned()); // those of one name add up
        Ok(strengths)
    }
}

/// Which face, how edited, and where to.
#[derive(Args)]
pub struct Drawing {
    /// Weights directory.
    #[arg(long, default_value = "weights")]
    weights: PathBuf,
    /// PNG, JPEG or WebP file to write, by the ending of its name.
    #[arg(long)]
    out: PathBuf,
    /// Another face for every seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Distance from the average face: 0 is the average, 1 anything the model knows.
    #[arg(long, default_value_t = 0.7, value_parser = parse_share, allow_negative_numbers = true)]
    truncation: f64,
    /// Strengths by name, such as age=+3,smile=-2; `sdic inspect` lists the names.
    #[arg(long, value_delimiter = ',', value_parser = parse_strength, allow_hyphen_values = true)]
    edit: Vec<(String, f32)>,
}

/// Draws a face, and edits it.
pub fn draw(drawing: &Drawing) -> Result<(), Failure> {
    let out = Target::new("--out", &drawing.out, None)?;
    let engine = open_engine(&drawing.weights, &device::cpu())?;
    let begin = async |_| Ok::<_, EngineError>(());
    let drawn = engine.draw(drawing.seed, drawing.truncation, None, begin);
    let mut face = pollster::block_on(drawn)
        .map_err(|error| format!("{}: {error}", drawing.weights.display()))?;
    let picture = pollster::block_on(engine.render(face.inversion.reconstruction.clone()))?;
    let finder = FaceFinder::bundled()?;
    if engine.manifest().depicts() == Depicts::Faces && picture.width() == picture.height() {
        let mesh = finder.mesh_of_aligned(&picture)?;
        let shown = mesh.filter(AlignedMesh::shows_face);
        face.landmarks = shown.map(|mesh| mesh.landmarks());
    }
    let strengths = named(&drawing.edit);
    let edited = edited(&engine, &finder, &face, &strengths, |text| tell!("{text}"))?;
    out.write_marked(&edited.picture, &Telling::Lines)
}

/// Runs the command. An error of many photos says how many failed; each was told as it came.
pub fn run(edit: &Edit) -> Result<(), Failure> {
    let strengths = edit.strengths()?;
    let format = edit.with.format.map(Format::from);
    let finder = &FaceFinder::bundled()?;
    if let [photo] = edit.photos.as_slice()
        && !edit.out.is_dir()
    {
        let out = Target::new("--out", &edit.out, format)?;
        spare("--out", &edit.out, photo)?;
        let manifest = read_manifest(&edit.with.weights)?;
        let telling = &Telling::Lines;
        let subject = Subject::open(photo, &edit.with, &manifest, finder, telling)?;
        let editor = Editor::open(edit, &strengths, finder)?;
        return editor.edit(photo, &subject, &out, telling);
    }
    let outs = names_in(&edit.out, &edit.photos, format)?;
    let editor = Editor::open(edit, &strengths, finder)?;
    let bar = ProgressBar::new(edit.photos.len() as u64).with_style(ProgressStyle::with_template(
        "{bar:30} {pos} of {len}, {eta} left: {msg}",
    )?);
    let telling = &Telling::Above(bar.clone());
    let mut failed = 0;
    for (photo, out) in edit.photos.iter().zip(&outs) {
        bar.set_message(photo.display().to_string());
        let done = Target::new("--out", out, format).and_then(|target| {
            let manifest = editor.engine.manifest();
            let subject = Subject::open(photo, &edit.with, manifest, finder, telling)?;
            editor.edit(photo, &subject, &target, telling)
        });
        if let Err(error) = done {
            failed += 1;
            telling.say(format_args!("sdic: {error}"));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let (count, folder) = (edit.photos.len(), edit.out.display());
    tell!("{} of {count} photos edited, in {folder}", count - failed);
    if failed > 0 {
        return Err(format!("{failed} of {count} photos were not edited, see above").into());
    }
    Ok(())
}

/// The files in `folder` that take the edits of `photos`, each under its own name.
fn names_in(
    folder: &Path,
    photos: &[PathBuf],
    format: Option<Format>,
) -> Result<Vec<PathBuf>, Failure> {
    let shown = folder.display();
    if !folder.is_dir() {
        let problem = "is not a folder, which several photos need";
        return Err(format!("--out: {shown} {problem}; create it first").into());
    }
    let mut taken: Vec<PathBuf> = Vec::new();
    for photo in photos {
        let format = format.or_else(|| Format::of_name(photo));
        let mut name: OsString = photo.file_stem().unwrap_or_default().to_owned();
        name.push(".");
        name.push(format.unwrap_or(Format::Png).ending());
        let out = folder.join(name);
        if same(&out, photo) {
            let photo = photo.display();
            let way = "name another folder";
            return Err(format!("--out: {photo} itself would be replaced; {way}").into());
        }
        if taken.contains(&out) {
            let (photo, out) = (photo.display(), out.display());
            let problem = "would replace that of a photo of the same name";
            return Err(format!("--out: {out}, from {photo}, {problem}; edit them apart").into());
        }
        taken.push(out);
    }
    Ok(taken)
}

/// A model, and what it does to every photo.
struct Editor<'a> {
    engine: Engine,
    finder: &'a FaceFinder,
    strengths: &'a [(String, f32)],
    paste: Option<PasteMode>,
}

impl<'a> Editor<'a> {
    fn open(
        edit: &Edit,
        strengths: &'a [(String, f32)],
        finder: &'a FaceFinder,
    ) -> Result<Self, Failure> {
        let engine = open_engine(&edit.with.weights, &open_device(edit.with.backend)?)?;
        // All names are known, before any photo is worked on.
        for (option, strengths) in [("--edit", &edit.edit[..]), ("--look", strengths)] {
            let named = strengths
                .iter()
                .map(|(name, value)| (name.as_str(), *value));
            let known = engine.directions().effective(named, None);
            known.map_err(|error| format!("{option}: {error}"))?;
        }
        Ok(Self {
            engine,
            finder,
            strengths,
            paste: edit.paste.map(Into::into),
        })
    }

    /// Edits a face. Without a mode, the photo's own pixels are kept where the model knows how its edits move it.
    fn edit(
        &self,
        path: &Path,
        subject: &Subject,
        out: &Target,
        telling: &Telling,
    ) -> Result<(), Failure> {
        let engine = &self.engine;
        let face = subject.inverted(engine, telling)?;
        let say = |text: &str| telling.say(format_args!("{}: {text}", path.display()));
        let edited = edited(engine, self.finder, &face, &named(self.strengths), say)?;
        let mode = (self.paste).unwrap_or_else(|| edited.paste_mode(engine.manifest()));
        out.write_marked(&subject.finish(self.finder, &edited, mode)?, telling)
    }
}

/// Strengths as the engine takes them.
fn named(strengths: &[(String, f32)]) -> Vec<(&str, f32)> {
    let strengths = strengths.iter();
    strengths
        .map(|(name, value)| (name.as_str(), *value))
        .collect()
}

/// The pictures of an edit; `say` hears of each slider that was held back.
fn edited(
    engine: &Engine,
    finder: &FaceFinder,
    face: &InvertedFace,
    strengths: &[(&str, f32)],
    say: impl Fn(&str),
) -> Result<EditedPictures, Failure> {
    // Where the model does not tell how its edits move a face, its own pictures do.
    let mut seen = Seen::default();
    let pause = async || Ok::<_, FitError>(());
    let edit = edit_as_seen(engine, finder, face, strengths, None, &mut seen, pause);
    let edit = pollster::block_on(edit)?;
    for (name, share) in edit.held() {
        let (percent, why) = ((100.0 * share).round(), "more would tear this face");
        say(&format!(
            "--edit {name}: held back to {percent} % of its strength; {why}"
        ));
    }
    let pause = async || Ok::<_, EngineError>(());
    Ok(pollster::block_on(engine.finish(edit, pause))?)
}
