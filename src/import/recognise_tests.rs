//! Checkpoints of other projects: which are used, and what is said of the rest.

use std::io::Cursor;

use super::{Checkpoint, ImportError};
use crate::config::{Heads, ModelConfig};
use crate::networks::tensor_shapes;
use crate::testing::files::{Parts, dict, int, pickle, tensor, text, torch_zip};
use crate::weights::{Depicts, Tensor};

/// Option names with the opcodes of their values.
type Options = Vec<(&'static str, Vec<u8>)>;

/// A tensor whose values are not in the file.
fn without_values(index: usize, shape: &[usize]) -> Vec<u8> {
    let mut stride = vec![1; shape.len()];
    for axis in (1..stride.len()).rev() {
        stride[axis - 1] = stride[axis] * shape[axis];
    }
    tensor(
        &index.to_string(),
        shape.iter().product(),
        0,
        shape,
        &stride,
    )
}

/// A file with all tensors of a model's names and shapes, none of which has values: nothing reads them here.
fn file_of(config: &ModelConfig, options: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let shapes = tensor_shapes(config);
    let mut state = Vec::new();
    let mut average = Vec::new();
    for (index, (name, shape)) in shapes.iter().enumerate() {
        let code = without_values(index, shape);
        match name.as_str() {
            "latent_avg" => average = code,
            name => state.push((name, code)),
        }
    }
    let root = dict(&[
        ("state_dict", dict(&state)),
        ("latent_avg", average),
        ("opts", dict(options)),
    ]);
    torch_zip(&pickle(root), &[])
}

fn open(bytes: &[u8]) -> Result<ModelConfig, ImportError> {
    Ok(Checkpoint::open(Cursor::new(bytes))?.config().clone())
}

fn refusal(bytes: &[u8]) -> String {
    open(bytes).expect_err("must be refused").to_string()
}

fn e4e() -> Options {
    vec![
        ("encoder_type", text("Encoder4Editing")),
        ("start_from_latent_avg", b"\x88".to_vec()),
    ]
}

#[test]
fn checkpoints_of_e4e_and_psp_are_recognised_by_options_and_heads() {
    let with = |options: &[(&'static str, Vec<u8>)]| [&e4e(), options].concat();
    let psp = vec![("encoder_type", text("GradualStyleEncoder"))];
    let plain = ModelConfig::uncompensated;
    for (expected, options) in [
        (
            plain(1024, None, Heads::Offsets),
            with(&[("stylegan_size", int(1024))]),
        ),
        (plain(512, None, Heads::Offsets), e4e()),
        (
            plain(256, None, Heads::Offsets),
            with(&[("dataset_type", text("church_encode"))]),
        ),
        (
            plain(512, Some([384, 512]), Heads::Offsets),
            with(&[("dataset_type", text("cars_encode"))]),
        ),
        (plain(1024, None, Heads::Codes), psp.clone()),
        (
            plain(1024, None, Heads::Codes),
            [psp, vec![("output_size", int(1024))]].concat(),
        ),
    ] {
        assert_eq!(open(&file_of(&expected, &options)).unwrap(), expected);
    }
}

#[test]
fn data_sets_tell_what_a_model_shows() {
    let told = |config: &ModelConfig, data_set: &str| {
        let options = [e4e(), vec![("dataset_type", text(data_set))]].concat();
        let bytes = file_of(config, &options);
        Checkpoint::open(Cursor::new(&bytes)).unwrap().depicts()
    };
    let config = ModelConfig::uncompensated(256, None, Heads::Offsets);
    for (data_set, depicts) in [
        ("ffhq_encode", Some(Depicts::Faces)),
        ("celebs_sketch_to_face", Some(Depicts::Faces)),
        ("church_encode", Some(Depicts::Other)),
        ("horse_encode", Some(Depicts::Other)),
        ("cartoon_encode", None),
        ("my_own", None),
    ] {
        assert_eq!(told(&config, data_set), depicts, "{data_set}");
    }
    let config = ModelConfig::uncompensated(512, Some([384, 512]), Heads::Offsets);
    assert_eq!(told(&config, "cars_encode"), Some(Depicts::Cars));
}

#[test]
fn what_is_known_of_other_checkpoints_is_said() {
    let face = ModelConfig::uncompensated(1024, None, Heads::Offsets);
    let refused = |options: Options| refusal(&file_of(&face, &options));
    assert_eq!(
        refused(vec![("stylegan_size", int(1024))]),
        "has no DIP and SAF, and does not tell whether it is of e4e or of pSp; save it with opts[\"encoder_type\"] = \
         \"Encoder4Editing\" or \"GradualStyleEncoder\""
    );
    assert_eq!(
        refused(vec![("encoder_type", text("SingleStyleCodeEncoder"))]),
        "opts: encoder_type = SingleStyleCodeEncoder: an encoder without a head per style; only Encoder4Editing (e4e) \
         and GradualStyleEncoder (pSp) can be used"
    );
    let relative = |code: &[u8]| {
        let encoder = ("encoder_type", text("GradualStyleEncoder"));
        vec![encoder, ("start_from_latent_avg", code.to_vec())]
    };
    assert!(refused(relative(b"\x89")).starts_with("opts: start_from_latent_avg = False: "));
    assert_eq!(
        open(&file_of(&face, &relative(b"\x88")))
            .unwrap()
            .encoder
            .map(|encoder| encoder.heads),
        Some(Heads::Codes)
    );
    let cases = [
        (
            "stylegan_size",
            int(512),
            "stylegan_size = 512 contradicts the 18 style heads of a 1024 px",
        ),
        (
            "output_size",
            int(256),
            "output_size = 256 contradicts the 18 style heads of a 1024 px",
        ),
        (
            "dataset_type",
            text("cars_encode"),
            "dataset_type = cars_encode contradicts the 18",
        ),
    ];
    for (name, code, part) in cases {
        let message = refused([e4e(), vec![(name, code)]].concat());
        assert!(message.contains(part), "{message}");
    }
    let heads = |count: usize| {
        let one = Tensor {
            name: String::new(),
            shape: vec![1],
            values: vec![0.0],
        };
        let name = |style| format!("encoder.styles.{style}.linear.weight");
        let tensors = (0..count).map(|style| Tensor {
            name: name(style),
            ..one.clone()
        });
        let opts = vec![("encoder_type", "Encoder4Editing".to_owned())];
        refusal(
            &Parts {
                tensors: tensors.collect(),
                latent_avg: one.clone(),
                opts,
            }
            .write(),
        )
    };
    for count in [10, 13, 20] {
        let sizes = "style heads; generators of 128 to 1024 px have 12, 14, 16 or 18";
        assert_eq!(heads(count), format!("state_dict: {count} {sizes}"));
    }
    // What is missing of SDIC's own networks is named as before.
    let mut sdic = Parts::tiny();
    sdic.tensors
        .retain(|tensor| !tensor.name.starts_with("SAF.att"));
    assert!(refusal(&sdic.write()).contains("tensors missing: SAF.att"));
}

#[test]
fn a_generator_alone_is_recognised_by_its_tensors() {
    let config = ModelConfig::generator(vec![12, 10, 8, 6], 16, 8);
    let shapes = tensor_shapes(&config);
    let codes = shapes
        .iter()
        .enumerate()
        .filter_map(|(index, (name, shape))| {
            Some((name.strip_prefix("decoder.")?, without_values(index, shape)))
        });
    let codes: Vec<_> = codes.collect();
    let average = || ("latent_avg", without_values(shapes.len(), &[16]));
    let bare = [&codes[..], &[average()]].concat();
    for root in [
        dict(&[("g", dict(&codes)), ("g_ema", dict(&codes))]),
        dict(&[("g_ema", dict(&codes)), average()]),
        dict(&[("module", dict(&[("g_ema", dict(&codes))]))]),
        dict(&bare),
    ] {
        let file = torch_zip(&pickle(root), &[]);
        let checkpoint = Checkpoint::open(Cursor::new(&file[..])).unwrap();
        assert_eq!(checkpoint.config(), &config);
        assert!(!checkpoint.report().inverts);
        assert_eq!(checkpoint.report().kept.len(), shapes.len());
    }
    let without = |name: &str| {
        let kept: Vec<_> = codes
            .iter()
            .filter(|(other, _)| *other != name)
            .cloned()
            .collect();
        refusal(&torch_zip(&pickle(dict(&[("g_ema", dict(&kept))])), &[]))
    };
    assert!(without("to_rgb1.bias").contains("tensors missing: decoder.to_rgb1.bias"));
    assert!(without("conv1.conv.weight").contains("not an SDIC checkpoint"));
}

#[test]
fn other_encoders_are_named() {
    let one = || tensor("0", 1, 0, &[1], &[1]);
    let backbone = dict(&[
        ("state_dict", dict(&[("encoder.linear.weight", one())])),
        ("latent_avg", one()),
        (
            "opts",
            dict(&[("encoder_type", text("BackboneEncoderUsingLastLayerIntoW"))]),
        ),
    ]);
    let message = refusal(&torch_zip(&pickle(backbone), &[]));
    assert!(message.starts_with(
        "opts: encoder_type = BackboneEncoderUsingLastLayerIntoW: an encoder without"
    ));
}

#[test]
fn pickles_of_nvidia_say_what_becomes_of_them() {
    let refused = |module: &str, class: &str| {
        let code = [
            b"\x80\x02}(",
            &text("training_set_kwargs")[..],
            b"}",
            &text("G"),
        ]
        .concat();
        let name = format!("c{module}\n{class}\n)Rus.");
        refusal(&[&code[..], name.as_bytes()].concat())
    };
    let newer = refused("torch_utils.persistence", "_reconstruct_persistent_obj");
    assert!(
        newer.contains("it is a pickle of NVIDIA's StyleGAN code, which only that code can load"),
        "{newer}"
    );
    assert!(
        newer.contains("by export_weights.py of dvschultz/stylegan2-ada-pytorch"),
        "{newer}"
    );
    let older = refused("dnnlib.tflib.network", "Network");
    assert!(
        older.contains("by convert_weight.py of rosinality/stylegan2-pytorch"),
        "{older}"
    );
    let other = refused("somewhere.else", "Thing");
    assert!(
        other.contains("it is a Python pickle; load it in Python"),
        "{other}"
    );
}
