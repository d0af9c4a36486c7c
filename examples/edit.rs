//! Photo in, photo out: moves one slider of a model on the largest face of a photo.
//!
//! ```sh
//! cargo run --release --example edit -- weights photo.jpg smile=1.5 edited.png
//! ```

use std::{env, error::Error, fs, path::Path};

use sdic::{
    editing::{Engine, EngineError, paste_mode},
    face::{self, FaceFinder, Rendered},
    networks::device,
    pixels::{self, Format},
    weights::WeightsDir,
};

const FACE_MANIFEST: &[u8] = include_bytes!("../weights/face/manifest.json");
const FACE_WEIGHTS: &[u8] = include_bytes!("../weights/face/face.safetensors");

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [weights, photo, slider, out] = arguments.as_slice() else {
        return Err("usage: edit WEIGHTS PHOTO SLIDER=STRENGTH OUT".into());
    };
    let (name, strength) = slider.split_once('=').ok_or("no SLIDER=STRENGTH")?;
    let strength: f32 = strength.parse()?;
    let format = Format::of_name(Path::new(out)).ok_or("OUT ends in no known format")?;

    let engine = Engine::open(&WeightsDir::open(weights)?, &device::cpu())?;

    // The largest face, in the frame that the model knows.
    let photo = pixels::decode(&fs::read(photo)?)?.picture;
    let faces = FaceFinder::from_bytes(FACE_MANIFEST, FACE_WEIGHTS)?.detect(&photo);
    let found = faces.first().ok_or("no face found in the photo")?;
    let aligned = face::align(&photo, &found.quad, engine.config().encoder.input_size)?;
    let landmarks = face::landmarks_of(&found.mesh, &found.quad)?;

    // Its inversion, and the edit; what could be done in between is nothing here.
    let edited = pollster::block_on(async {
        let nothing = async |_| Ok::<_, EngineError>(());
        let inverted = engine.invert(&aligned, Some(landmarks), nothing).await?;
        let run = engine.edit(&inverted, [(name, strength)], None)?;
        let edited = run.finish(async || Ok::<_, EngineError>(())).await?;
        engine.render_edited(edited).await
    })?;

    // Back into the photo, with a mark that says that a model has edited it.
    let rendered = Rendered {
        edited: &edited.picture,
        unedited: &edited.unedited,
        difference: edited.difference.as_ref(),
        motion: edited.motion.as_ref(),
    };
    let mode = paste_mode(engine.manifest());
    let photo = face::paste_back(&photo, &found.quad, Some(&found.mesh), rendered, mode)?;
    fs::write(out, pixels::marked(pixels::encode(&photo, format)?))?;
    Ok(())
}
