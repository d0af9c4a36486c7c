//! Checkpoints of e4e and pSp, inversions without compensation, and of a generator alone: against PyTorch and through
//! the command line. The files are made by `golden/make_uncompensated.py`.

#[path = "golden/common.rs"]
mod common;

use std::fs;

use burn::tensor::{Tensor, TensorData};
use common::{Scratch, Trace, golden, trace};
use sdic::{
    editing::{Engine, EngineError, InvertedFace, Stage},
    import::import_checkpoint,
    networks::{device, read},
    pixels::{Picture, decode},
    weights::Dtype,
};

const STRENGTH: f32 = 1.5;
const TRACE: &str = "uncompensated_trace.safetensors";

fn imported(name: &str, scratch: &Scratch, dtype: Dtype) -> Engine {
    let out = scratch.0.join("model");
    let report = import_checkpoint(&golden(&format!("{name}.pt")), &out, dtype, |_, _| {});
    assert!(
        report
            .unwrap()
            .kept
            .iter()
            .all(|name| !name.starts_with("DIP.") && !name.starts_with("SAF."))
    );
    common::engine(out)
}

/// The golden picture, whose values are exact 8-bit ones.
fn face(trace: &Trace) -> Picture<'static> {
    let (shape, values) = &trace["image"];
    let side = shape[1];
    let byte = |plane: usize, x: usize, y: usize| {
        (127.5 * (values[side * (side * plane + y) + x] + 1.0)).round() as u8
    };
    let spots = (0..side * side).map(|spot| (spot % side, spot / side));
    let rgba: Vec<u8> = spots
        .flat_map(|(x, y)| [byte(0, x, y), byte(1, x, y), byte(2, x, y), 255])
        .collect();
    Picture::new(side, side, rgba).unwrap()
}

/// Norm of the difference over norm.
fn relative(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let square = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>();
    let difference = square(&mut found.iter().zip(expected).map(|(a, b)| a - b));
    (difference / square(&mut expected.iter().copied())).sqrt()
}

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    pollster::block_on(read(tensor.clone())).unwrap()
}

#[test]
fn inversions_without_compensation_match_pytorch() {
    let trace = trace(TRACE);
    for name in ["e4e", "psp"] {
        let scratch = Scratch::new(name);
        let engine = imported(name, &scratch, Dtype::F32);
        assert!(!engine.config().compensates() && engine.config().mapping_layers == 8);
        let mut stages = Vec::new();
        let begun = async |stage: Stage| {
            stages.push(stage.name());
            Ok::<_, EngineError>(())
        };
        let inverted = pollster::block_on(engine.invert(&face(&trace), None, begun)).unwrap();
        assert_eq!(stages, ["encode", "generate"]);
        let InvertedFace {
            inversion,
            compensated_codes,
            ..
        } = &inverted;
        assert!(inversion.discrepancy.is_none());
        let check = |what: &str, found: &[f32]| {
            let off = relative(found, &trace[&format!("{name}.{what}")].1);
            assert!(off < 1e-5, "{name}.{what}: relative error {off:e}");
        };
        check("codes", &values(&inversion.codes));
        check("codes", compensated_codes);
        check("picture", &values(&inversion.initial));
        check("picture", &values(&inversion.reconstruction));

        // An edit adds nothing to what the generator makes of the edited codes.
        let direction = &trace[&format!("{name}.direction")].1;
        let shifts = direction.iter().cycle();
        let edited: Vec<f32> = (compensated_codes.iter().zip(shifts))
            .map(|(code, shift)| code + STRENGTH * shift)
            .collect();
        let config = engine.config();
        let shape = [1, config.styles(), config.style_dim];
        let codes = Tensor::from_data(TensorData::new(edited, shape), &device::cpu());
        let injection = inversion.injected_residual.clone().into();
        let pass = engine.sdic().pass(codes, injection, config.image_size);
        check("edited", &values(&pass.finish()));

        // All sliders at 0 are the reconstruction, to the last bit.
        let still = engine.edit(&inverted, [("coarse-1", 0.0)], None).unwrap();
        let still = pollster::block_on(still.finish(async || Ok::<_, EngineError>(()))).unwrap();
        assert_eq!(values(&still.picture), values(&inversion.reconstruction));
    }
}

#[test]
fn a_generator_alone_draws_what_pytorch_draws() {
    let trace = trace(TRACE);
    let scratch = Scratch::new("stylegan2");
    let engine = imported("stylegan2", &scratch, Dtype::F32);
    let (sdic, config) = (engine.sdic(), engine.config());
    assert!(config.draws() && !config.inverts() && !config.compensates());
    assert_eq!((config.image_size, config.inject_size), (32, 16));
    let check = |what: &str, found: &[f32]| {
        let off = relative(found, &trace[&format!("stylegan2.{what}")].1);
        assert!(off < 1e-5, "{what}: relative error {off:e}");
    };
    let z = trace["stylegan2.z"].1.clone();
    let z = Tensor::from_data(TensorData::new(z, [1, config.style_dim]), &device::cpu());
    let codes = sdic.sample(z, 1.0).unwrap();
    check("codes", &values(&codes));
    check("picture", &values(&sdic.generate(codes).image));

    // Its file has no average style: without any distance from it, all faces are that of the average of many.
    let begun = async |_| Ok::<_, EngineError>(());
    let draw = |seed, truncation| {
        let drawn = pollster::block_on(engine.draw(seed, truncation, None, begun));
        drawn.unwrap().compensated_codes
    };
    let count = 500;
    let average = draw(1, 0.0);
    assert_eq!(average, draw(2, 0.0));
    let mut mean = vec![0.0; average.len()];
    for seed in 0..count {
        for (sum, value) in mean.iter_mut().zip(draw(seed, 1.0)) {
            *sum += value / count as f32;
        }
    }
    let far = relative(&draw(1, 1.0), &average);
    assert!(relative(&mean, &average) < 0.1 * far);
    assert_ne!(draw(1, 0.5), draw(2, 0.5));

    // No photo can be turned into its codes.
    let refused = pollster::block_on(engine.invert(&face(&trace), None, begun));
    let refused = refused.map(drop).unwrap_err().to_string();
    assert!(
        refused.starts_with("this model is a generator alone: it draws faces"),
        "{refused}"
    );
}

#[test]
fn the_command_line_draws_and_edits_what_a_generator_alone_makes() {
    let scratch = Scratch::new("draws");
    let file = golden("stylegan2.pt");
    let (said, _) = scratch.output(&["import", file.to_str().unwrap(), "--out", "model"]);
    assert!(
        said.contains("a generator only: it takes no photo"),
        "{said}"
    );
    let (said, _) = scratch.output(&["inspect", "model"]);
    assert!(said.contains("StyleGAN2 generator, imported"), "{said}");
    assert!(
        said.contains("takes no photo: sdic sample draws faces"),
        "{said}"
    );
    let drawn = |out: &str, options: &[&str]| {
        let sample = ["sample", "--weights", "model", "--out", out];
        scratch.output(&[&sample, options].concat());
        fs::read(scratch.0.join(out)).unwrap()
    };
    let face = drawn("a.png", &["--seed", "3"]);
    assert!(face == drawn("b.png", &["--seed", "3", "--edit", "coarse-1=0"]));
    assert!(face != drawn("c.png", &["--seed", "4"]));
    assert!(face != drawn("d.png", &["--seed", "3", "--edit", "coarse-1=4"]));
    let mark = b"compositeWithTrainedAlgorithmicMedia";
    assert!(face.windows(mark.len()).any(|part| part == mark));
}

#[test]
fn the_command_line_says_that_nothing_is_compensated() {
    let scratch = Scratch::new("cli");
    let trace = trace(TRACE);
    let photo = sdic::pixels::encode_png(&face(&trace)).unwrap();
    fs::write(scratch.0.join("face.png"), photo).unwrap();
    let file = golden("e4e.pt");
    let (said, _) = scratch.output(&["import", file.to_str().unwrap(), "--out", "model"]);
    assert!(said.contains("nothing puts back what it loses"), "{said}");
    let (said, _) = scratch.output(&["inspect", "model"]);
    assert!(
        said.contains("e4e model, imported, without compensation (e4e)"),
        "{said}"
    );
    assert!(
        said.contains("injection   none: nothing is compensated"),
        "{said}"
    );
    let aligned = ["--weights", "model", "--aligned"];
    let (_, stages) =
        scratch.output(&[&["invert", "face.png", "--out", "a.png"], &aligned[..]].concat());
    assert!(
        stages.contains("1/2 encode") && stages.contains("2/2 generate"),
        "{stages}"
    );
    let edit = ["edit", "face.png", "--edit", "coarse-1=6", "--out", "b.png"];
    scratch.output(&[&edit, &aligned[..]].concat());
    let picture = |name: &str| {
        decode(&fs::read(scratch.0.join(name)).unwrap())
            .unwrap()
            .picture
    };
    assert_eq!(
        (picture("a.png").width(), picture("b.png").width()),
        (32, 32)
    );
    assert_ne!(picture("a.png").rgba(), picture("b.png").rgba());

    let map = [
        "invert",
        "face.png",
        "--out",
        "c.png",
        "--discrepancy",
        "d.png",
    ];
    let refused = scratch.run(&[&map, &aligned[..]].concat());
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr
            .contains("--discrepancy: model: this model has no network that predicts what is lost"),
        "{stderr}"
    );
    assert!(!scratch.0.join("c.png").exists());
}
