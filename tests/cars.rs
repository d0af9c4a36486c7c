//! A model whose pictures are not square and show no faces, from a photo to the edited photo, against PyTorch. The
//! files are made by `golden/make_cars.py`.

#[path = "golden/common.rs"]
mod common;

use std::{fs, path::PathBuf};

use common::{Scratch, Trace, golden, trace};
use safetensors::{Dtype, tensor::TensorView};
use sdic::{
    editing::EngineError,
    import::import_checkpoint,
    networks::read,
    pixels::{Picture, decode, encode_png},
    weights::{self, Depicts, WeightsDir},
};

const TRACE: &str = "cars_trace.safetensors";
/// Strength of the edit in the golden values.
const STRENGTH: &str = "turn=1.5";
/// Width of the soft border of what is put into a photo, in widths.
const FEATHER: f32 = 0.1;

/// A directory with the model in it.
struct Cars(Scratch);

impl Cars {
    fn new(name: &str) -> Self {
        let scratch = Scratch::new(&format!("cars-{name}"));
        let model = scratch.0.join("model");
        let dtype = weights::Dtype::F32;
        import_checkpoint(&golden("cars.pt"), &model, dtype, |_, _| {}).unwrap();
        Self(scratch)
    }

    fn model(&self) -> PathBuf {
        self.0.0.join("model")
    }

    /// What a command that must succeed says.
    fn output(&self, command: &str) -> (String, String) {
        self.0.output(&command.split(' ').collect::<Vec<_>>())
    }

    /// Why a command is refused.
    fn refusal(&self, command: &str) -> String {
        let output = self.0.run(&command.split(' ').collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(2), "{command}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn write(&self, name: &str, picture: &Picture) {
        fs::write(self.0.0.join(name), encode_png(picture).unwrap()).unwrap();
    }

    fn read(&self, name: &str) -> Picture<'static> {
        decode(&fs::read(self.0.0.join(name)).unwrap())
            .unwrap()
            .picture
    }

    /// Adds the golden direction to the model, as "turn".
    fn with_turn(self, trace: &Trace) -> Self {
        let (shape, values) = &trace["direction"];
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let view = TensorView::new(Dtype::F32, shape.clone(), &bytes).unwrap();
        let file = safetensors::serialize([("direction", view)], None).unwrap();
        fs::write(self.0.0.join("turn.safetensors"), file).unwrap();
        self.output("import turn.safetensors --into model");
        self
    }
}

/// Red, green and blue of a spot of a golden picture, in steps of 255 and not clamped.
fn colour((shape, values): &(Vec<usize>, Vec<f32>), x: usize, y: usize) -> [f32; 3] {
    let [_, height, width] = shape[..] else {
        panic!("no picture: {shape:?}")
    };
    std::array::from_fn(|plane| 127.5 * (values[width * (height * plane + y) + x] + 1.0))
}

fn picture_of(
    width: usize,
    height: usize,
    at: impl Fn(usize, usize) -> [f32; 3],
) -> Picture<'static> {
    let spots = (0..width * height).map(|spot| at(spot % width, spot / width));
    let rgba: Vec<u8> = spots
        .flat_map(|[r, g, b]| [r, g, b, 255.0].map(|value| value.round() as u8))
        .collect();
    Picture::new(width, height, rgba).unwrap()
}

/// The golden photo, of 4:3.
fn photo(trace: &Trace) -> Picture<'static> {
    picture_of(32, 24, |x, y| colour(&trace["picture"], x, y))
}

/// Fails where a picture is further than a step from what it must be, which may lie beyond black and white.
fn assert_same(
    found: &Picture,
    width: usize,
    height: usize,
    at: impl Fn(usize, usize) -> [f32; 3],
) {
    assert_eq!((found.width(), found.height()), (width, height));
    for (spot, pixel) in found.rgba().chunks_exact(4).enumerate() {
        let expected = at(spot % width, spot / width).map(|value| value.clamp(0.0, 255.0));
        for (value, expected) in pixel.iter().zip(expected) {
            let off = (f32::from(*value) - expected).abs();
            let place = [spot % width, spot / width];
            assert!(off <= 1.0, "{place:?}: {pixel:?} instead of {expected:?}");
        }
    }
}

#[test]
fn a_photo_of_the_models_shape_is_seen_between_black_bars() {
    let (trace, scratch) = (trace(TRACE), Cars::new("codes"));
    let engine = common::engine(scratch.model());
    let begin = async |_| Ok::<_, EngineError>(());
    let inverted = pollster::block_on(engine.invert(&photo(&trace), None, begin)).unwrap();
    let codes = pollster::block_on(read(inverted.inversion.codes.clone())).unwrap();
    for (name, found) in [("codes", &codes), ("wp", &inverted.compensated_codes)] {
        let expected = &trace[name].1;
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-4,
                "{name}: {found}, {expected}"
            );
        }
    }
    // A square one would be seen stretched.
    let square = picture_of(32, 32, |_, _| [0.0; 3]);
    let refused = pollster::block_on(engine.invert(&square, None, begin)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "32 x 32 pixels are not of the model's shape; cut the picture to the shape of 64 x 48 first"
    );
}

#[test]
fn photos_come_out_as_pytorch_makes_them() {
    let trace = trace(TRACE);
    let scratch = Cars::new("whole").with_turn(&trace);
    scratch.write("photo.png", &photo(&trace));
    for how in ["", " --aligned"] {
        scratch.output(&format!(
            "invert photo.png --weights model --out a.png{how}"
        ));
        assert_same(&scratch.read("a.png"), 64, 48, |x, y| {
            colour(&trace["reconstruction"], x, y)
        });
        let edit = format!("edit photo.png --weights model --edit {STRENGTH} --out b.png{how}");
        scratch.output(&edit);
        assert_same(&scratch.read("b.png"), 64, 48, |x, y| {
            colour(&trace["edited"], x, y)
        });
    }
}

/// The middle of a larger photo is what the model sees, and every pixel of the edit comes back to where it was seen.
#[test]
fn an_edit_comes_back_to_its_place_in_the_photo() {
    let trace = trace(TRACE);
    let scratch = Cars::new("place").with_turn(&trace);
    // Of 64 x 60 pixels the middle 64 x 48, each pixel that the model sees being four of them.
    let top = 6;
    let own = |x: usize, y: usize| match y.checked_sub(top) {
        Some(y) if y < 48 => colour(&trace["picture"], x / 2, y / 2).map(f32::round),
        _ => [(3 * x) as f32, (4 * y) as f32, 200.0],
    };
    scratch.write("photo.png", &picture_of(64, 60, own));
    let edit =
        format!("edit photo.png --weights model --edit {STRENGTH} --paste difference --out b.png");
    let (_, told) = scratch.output(&edit);
    assert!(
        told.contains("photo.png: the middle 64 x 48 pixels are edited; crop the photo first"),
        "{told}"
    );
    assert_same(&scratch.read("b.png"), 64, 60, |x, y| {
        let Some(row) = y.checked_sub(top).filter(|row| *row < 48) else {
            return own(x, y);
        };
        let inwards = |at: usize, side: usize| at.min(side - 1 - at) as f32 + 0.5;
        let depth = inwards(x, 64).min(inwards(row, 48)) / 64.0;
        let t = (depth / FEATHER).min(1.0);
        let soft = t * t * (3.0 - 2.0 * t);
        let [edited, unedited] = ["edited", "unedited"].map(|name| colour(&trace[name], x, row));
        let photo = own(x, y);
        std::array::from_fn(|i| photo[i] + soft * (edited[i] - unedited[i]))
    });
}

#[test]
fn nothing_is_said_of_faces() {
    let trace = trace(TRACE);
    let scratch = Cars::new("words").with_turn(&trace);
    let manifest = WeightsDir::open(scratch.model()).unwrap();
    assert_eq!(manifest.manifest().depicts, Some(Depicts::Cars));
    let (said, _) = scratch.output("inspect model");
    assert!(
        said.contains("picture     64 x 48, from a 32 x 24 car"),
        "{said}"
    );

    scratch.write("photo.png", &photo(&trace));
    scratch.write(
        "wide.png",
        &picture_of(48, 24, |x, _| [5.0 * x as f32, 90.0, 30.0]),
    );
    let edit = format!("edit wide.png --weights model --edit {STRENGTH} --out b.png");
    let (said, told) = scratch.output(&edit);
    assert!(!(said + &told).to_lowercase().contains("face"), "{told}");
    assert_eq!(
        (
            scratch.read("b.png").width(),
            scratch.read("b.png").height()
        ),
        (48, 24)
    );

    for (command, reason) in [
        (
            format!("{edit} --aligned"),
            "--aligned: wide.png: 48 x 24 pixels are not of the shape of 64 x 48; leave --aligned out",
        ),
        (
            format!("{edit} --face 2"),
            "--face: this model shows no faces; leave the option out",
        ),
        (
            "directions model --fit --faces .".to_owned(),
            "this model shows no faces, so none is measured in pictures",
        ),
    ] {
        let refusal = scratch.refusal(&command);
        assert!(refusal.contains(reason), "{command}: {refusal}");
    }
}

/// What needs no faces of a search for sliders: the components, which then edit.
#[test]
fn components_are_found_without_faces() {
    let trace = trace(TRACE);
    let scratch = Cars::new("components");
    scratch.write("photo.png", &photo(&trace));
    let (said, _) = scratch.output("directions model --fit");
    assert!(
        said.starts_with("this model shows no faces, so nothing was measured"),
        "{said}"
    );
    assert!(said.contains("added   ganspace-0\n"), "{said}");
    assert!(!scratch.model().join("fit.partial").exists());
    scratch.output("edit photo.png --weights model --edit ganspace-0=2 --out a.png");
    scratch.output("edit photo.png --weights model --edit ganspace-0=-2 --out b.png");
    assert_ne!(scratch.read("a.png").rgba(), scratch.read("b.png").rgba());
    let refusal = scratch.refusal("directions model --fit");
    assert!(
        refusal.contains("sliders were found in this model before"),
        "{refusal}"
    );
}
