//! Photo in, photo out: moves one slider of a model on the largest face of a photo.
//!
//! ```sh
//! cargo run --release --example edit -- weights photo.jpg smile=1.5 edited.png
//! ```

use std::{env, error::Error, fs, path::Path};

use sdic::{
    editing::{Engine, EngineError},
    face::FaceFinder,
    pixels::{self, Format},
    weights::WeightsDir,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [weights, photo, slider, out] = arguments.as_slice() else {
        return Err("usage: edit WEIGHTS PHOTO SLIDER=STRENGTH OUT".into());
    };
    let (name, strength) = slider.split_once('=').ok_or("no SLIDER=STRENGTH")?;
    let strength = strength.parse()?;
    let format = Format::of_name(Path::new(out)).ok_or("OUT ends in no known format")?;
    let engine = Engine::open(&WeightsDir::open(weights)?, &sdic::networks::device::cpu())?;
    let photo = pixels::decode(&fs::read(photo)?)?.picture;
    let finder = FaceFinder::bundled()?;
    let faces = finder.detect(&photo);
    let face = faces.first().ok_or("no face found in the photo")?;
    let edited = pollster::block_on(async {
        let begin = async |_| Ok::<_, EngineError>(()); // hears of each stage, and may stop here
        let inverted = engine.invert_face(&photo, face, begin).await?;
        let run = engine.edit(&inverted, [(name, strength)], None)?;
        engine.finish(run, async || Ok::<_, EngineError>(())).await
    })?;
    let mode = edited.paste_mode(engine.manifest());
    let behind = finder.backdrop(&photo, &face.quad)?; // stays where it is
    let photo = edited.paste_before(&photo, &face.quad, Some(&face.mesh), mode, behind.as_ref())?;
    fs::write(out, pixels::marked(pixels::encode(&photo, format)?))?; // marked as a model's work
    Ok(())
}
