//! Shifts of style channels, against PyTorch and from files as people keep them. The files are made by
//! `golden/make_channels.py`.

#[path = "golden/common.rs"]
mod common;

use std::{fs, io::Cursor, path::Path};

use burn::tensor::{Device, Tensor};
use common::{Scratch, golden, trace};
use sdic::{
    editing::{Engine, EngineError, InvertedFace},
    import::import_checkpoint,
    networks::{device, read},
    pixels::Picture,
    weights::{DirectionKind, Dtype},
};

const STRENGTH: f32 = 1.5;
const SHIFTS: &str = "own/channels.pt/channels";

/// The model whose generator the shifts are for.
fn engine(scratch: &Scratch, device: &Device) -> Engine {
    let out = scratch.0.join("model");
    import_checkpoint(&golden("e4e.pt"), &out, Dtype::F32, |_, _| {}).unwrap();
    common::engine_on(out, device)
}

fn file(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import");
    fs::read(folder.join(name)).unwrap()
}

/// A face whose codes are those of the golden picture.
fn inverted(engine: &Engine) -> InvertedFace {
    let side = engine.config().input_size();
    let picture = Picture::new(side, side, vec![99; 4 * side * side]).unwrap();
    let begun = async |_| Ok::<_, EngineError>(());
    let mut face = pollster::block_on(engine.invert(&picture, None, begun)).unwrap();
    face.compensated_codes = trace("uncompensated_trace.safetensors")["e4e.codes"]
        .1
        .clone();
    face
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    pollster::block_on(read(tensor)).unwrap()
}

/// Norm of the difference over norm.
fn relative(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let square = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>();
    let difference = square(&mut found.iter().zip(expected).map(|(a, b)| a - b));
    (difference / square(&mut expected.iter().copied())).sqrt()
}

fn shifted_channels_match_pytorch(device: &Device, tolerance: f32) {
    let scratch = Scratch::new("channels");
    let mut engine = engine(&scratch, device);
    let trace = trace("channels_trace.safetensors");
    let face = inverted(&engine);
    let codes = engine.codes_tensor(face.compensated_codes.clone());
    let channels = values(engine.sdic().style_channels(&codes));
    let off = relative(&channels, &trace["channels"].1);
    assert!(off < tolerance, "the channels are off by {off:e}");

    let added = engine.add_directions("channels.pt", Cursor::new(file("channels.pt")));
    let [direction] = &added.unwrap()[..] else {
        panic!("one direction");
    };
    assert!(matches!(direction.kind, DirectionKind::StyleSpace { .. }));
    assert_eq!(
        (direction.name.as_str(), direction.range),
        (SHIFTS, [-10.0, 10.0])
    );
    let picture = |engine: &Engine, strengths: &[(&str, f32)]| {
        let edit = engine.edit(&face, strengths.iter().copied(), None).unwrap();
        let edited = pollster::block_on(edit.finish(async || Ok::<_, EngineError>(())));
        values(edited.unwrap().picture)
    };
    let off = relative(
        &picture(&engine, &[(SHIFTS, STRENGTH)]),
        &trace["picture"].1,
    );
    assert!(off < tolerance, "the picture is off by {off:e}");
    let off = relative(&picture(&engine, &[(SHIFTS, 0.0)]), &trace["picture"].1);
    assert!(
        off > 0.1,
        "without the shifts it is off by no more than {off:e}"
    );

    // The same shifts by the names of layers, and split on two sliders.
    engine
        .add_directions("named.npz", Cursor::new(file("channels.npz")))
        .unwrap();
    let named = "own/named.npz/named";
    let both = picture(&engine, &[(SHIFTS, 1.0), (named, STRENGTH - 1.0)]);
    let off = relative(&both, &trace["picture"].1);
    assert!(off < tolerance, "both together are off by {off:e}");
}

#[test]
fn shifted_channels_match_pytorch_on_the_cpu() {
    shifted_channels_match_pytorch(&device::cpu(), 1e-5);
}

#[cfg(feature = "wgpu")]
#[test]
fn shifted_channels_match_pytorch_on_the_gpu() {
    let gpu = pollster::block_on(device::gpu::open());
    let gpu = gpu.expect("a Vulkan driver, such as Mesa's lavapipe");
    shifted_channels_match_pytorch(&gpu.device, 1e-4);
}

#[test]
fn shifts_are_kept_with_a_model() {
    let scratch = Scratch::new("channels-kept");
    drop(engine(&scratch, &device::cpu()));
    fs::write(scratch.0.join("channels.pt"), file("channels.pt")).unwrap();
    scratch.output(&["import", "channels.pt", "--into", "model"]);
    let engine = common::engine(scratch.0.join("model"));
    let expected = &trace("channels_trace.safetensors")["shifts"].1;
    let offset = engine.directions().offset("channels").unwrap();
    assert!(offset.rows.is_empty());
    assert_eq!(offset.channels.as_ref(), Some(expected));
    // Nobody has seen yet how it moves a face.
    assert!(engine.directions().look_at("channels", 1.0).is_some());
}
