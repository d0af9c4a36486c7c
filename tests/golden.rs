//! The whole pipeline against PyTorch, on the tiny model in `tests/golden` (made by `make_golden.py` there).

use std::{collections::BTreeSet, convert::Infallible, fs, path::PathBuf, sync::Arc};

use burn::tensor::{Device, Tensor, TensorData};
use half::f16;
use safetensors::{Dtype, SafeTensors};
use sdic::{
    editing::{
        EditRun, Edited, Engine, EngineError, EngineLoader, InversionRun, InvertedFace,
        ganspace_offset, invert,
    },
    face::Landmarks,
    networks::{read, to_tensor},
    pixels::{GRID, Picture, decode},
    weights::{Manifest, WeightsDir},
};

/// Strengths with which the golden edits were made.
const TILT: f32 = 1.5;
const BEND: f32 = -1.0;
const THIRD: f32 = 2.0;

fn golden(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(file)
}

struct Golden(Vec<u8>);

impl Golden {
    fn open(file: &str) -> Self {
        Self(fs::read(golden(file)).unwrap())
    }

    fn values(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let view = file.tensor(name).unwrap();
        let data = view.data();
        let values = match view.dtype() {
            Dtype::F16 => {
                let values = data.as_chunks::<2>().0.iter();
                values
                    .map(|bytes| f16::from_le_bytes(*bytes).to_f32())
                    .collect()
            }
            _ => {
                let values = data.as_chunks::<4>().0.iter();
                values.map(|bytes| f32::from_le_bytes(*bytes)).collect()
            }
        };
        (view.shape().to_vec(), values)
    }

    /// What stands before `.codes`, in order: one for each inversion in the file.
    fn inversions(&self) -> BTreeSet<String> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let names = file.names().into_iter();
        names
            .filter_map(|name| name.strip_suffix(".codes"))
            .map(str::to_owned)
            .collect()
    }

    /// A golden tensor with a batch dimension put in front.
    fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
        let (shape, values) = self.values(name);
        let mut dims = [1; D];
        dims[1..].copy_from_slice(&shape);
        Tensor::from_data(TensorData::new(values, dims), device)
    }

    /// Fails unless the norm of the difference is at most `tolerance` times the norm of the golden tensor.
    fn check<const D: usize>(&self, name: &str, found: Tensor<D>, tolerance: f64) {
        let (shape, expected) = self.values(name);
        assert_eq!(found.dims()[1..], shape, "shape of {name}");
        let found = pollster::block_on(read(found)).unwrap();
        let square = |values: &mut dyn Iterator<Item = f32>| -> f64 {
            values.map(|value| f64::from(value).powi(2)).sum()
        };
        let difference = square(&mut found.iter().zip(&expected).map(|(a, b)| a - b));
        let relative = (difference / square(&mut expected.iter().copied())).sqrt();
        assert!(relative <= tolerance, "{name}: relative error {relative:e}");
    }
}

fn open_engine(device: &Device) -> Engine {
    open_weights(golden("tiny"), device)
}

/// The tiny model without its feature editor, where "tilt" changes the features as the golden "plain" says.
fn open_without_editor(device: &Device) -> Engine {
    let dir = WeightsDir::open(golden("tiny")).unwrap();
    let mut manifest = dir.manifest().clone();
    manifest.config.editor = None;
    let golden_values = Golden::open("tiny_trace.safetensors");
    let (shape, values) = golden_values.values("plain");
    manifest
        .tensors
        .retain(|entry| !entry.name.starts_with("feature_editor."));
    let change = |name: &str| name == "directions.tilt.change";
    for entry in manifest
        .tensors
        .iter_mut()
        .filter(|entry| change(&entry.name))
    {
        entry.shape.clone_from(&shape);
    }
    let mut loader = EngineLoader::with_manifest(manifest, device).unwrap();
    for index in 0..dir.manifest().shards.len() {
        let mut tensors = dir.read_shard(index).unwrap();
        tensors.retain(|tensor| !tensor.name.starts_with("feature_editor."));
        for tensor in tensors.iter_mut().filter(|tensor| change(&tensor.name)) {
            (tensor.shape, tensor.values) = (shape.clone(), values.clone());
        }
        loader = loader.push_tensors(index, tensors).unwrap();
    }
    loader.finish().unwrap()
}

fn open_weights(path: PathBuf, device: &Device) -> Engine {
    Engine::open(&WeightsDir::open(path).unwrap(), device).unwrap()
}

/// The tiny model as if its files held 16-bit floats: a GPU keeps its weights so.
#[cfg(feature = "wgpu")]
fn open_halves(device: &Device) -> Engine {
    let dir = WeightsDir::open(golden("tiny")).unwrap();
    let mut manifest = dir.manifest().clone();
    for entry in &mut manifest.tensors {
        entry.dtype = sdic::weights::Dtype::F16.for_tensor(&entry.name, &entry.shape);
    }
    open_as(&dir, manifest, device)
}

fn open_as(dir: &WeightsDir, manifest: Manifest, device: &Device) -> Engine {
    let loader = EngineLoader::with_manifest(manifest, device).unwrap();
    loader.finish_from(dir).unwrap()
}

fn finished(edit: EditRun) -> Edited<Tensor<4>> {
    let Ok(edited) = pollster::block_on(edit.finish(async || Ok::<_, Infallible>(())));
    edited
}

/// Inverts an aligned face of the encoder's size.
fn inverted(engine: &Engine, face: Tensor<4>, landmarks: Option<Landmarks>) -> InvertedFace {
    pollster::block_on(async {
        let run = InversionRun::new(engine.sdic(), face).unwrap();
        let inversion = invert::<EngineError>(run, async |_| Ok(()));
        InvertedFace::new(inversion.await.unwrap(), landmarks).await
    })
    .unwrap()
}

/// The face of the golden edits.
fn picture_of(golden_values: &Golden) -> Picture<'static> {
    let (shape, values) = golden_values.values("image");
    let side = *shape.last().unwrap();
    let rgba = (0..side * side).flat_map(|i| {
        let [r, g, b] = [0, 1, 2].map(|channel| values[channel * side * side + i]);
        [r, g, b]
            .map(|value| ((value + 1.0) * 127.5).round() as u8)
            .into_iter()
            .chain([255])
    });
    Picture::new(side, side, rgba.collect::<Vec<u8>>()).unwrap()
}

/// The landmarks of the face in the golden edits.
fn golden_landmarks(golden_values: &Golden) -> Landmarks {
    let (_, points) = golden_values.values("points");
    std::array::from_fn(|i| [points[2 * i], points[2 * i + 1]])
}

fn pipeline_matches_pytorch(engine: &Engine, device: &Device, tolerance: f64) {
    let sdic = engine.sdic();
    let golden_values = Golden::open("tiny_trace.safetensors");
    let check4 = |name: &str, found: Tensor<4>| golden_values.check(name, found, tolerance);
    let check3 = |name: &str, found: Tensor<3>| golden_values.check(name, found, tolerance);

    let face: Tensor<4> = golden_values.tensor("image", device);
    let known = inverted(engine, face, Some(golden_landmarks(&golden_values)));
    let unknown = InvertedFace {
        landmarks: None,
        ..known.clone()
    };
    let inversion = &known.inversion;
    check3("codes", inversion.codes.clone());
    check4("initial.full", inversion.initial.clone());
    check4(
        "g_inject",
        sdic.generate(inversion.codes.clone()).lower.feature,
    );
    check4("discrepancy", inversion.discrepancy.clone().unwrap());
    check3("wp", inversion.compensated_codes.clone());
    check4("residual", inversion.residual.clone());
    check4("shift", inversion.injected_residual.clone());
    check4("reconstruction", inversion.reconstruction.clone());

    let size = engine.config().image_size;
    let edit = |face: &InvertedFace, strengths: &[(&str, f32)]| {
        let edit = engine.edit(face, strengths.iter().copied(), None);
        finished(edit.unwrap())
    };
    assert!(edit(&known, &[("tilt", TILT)]).cover.is_none(), "no photo");
    let seen = InvertedFace {
        face: Some(Arc::new(picture_of(&golden_values))),
        ..known.clone()
    };
    assert!(edit(&seen, &[("bend", BEND)]).cover.is_none());
    let tilted = edit(&seen, &[("tilt", TILT)]);
    let cover = tilted.cover.unwrap();
    let spots = (0..size * size).map(|i| [i % size, i / size]);
    let spots = spots.map(|at| at.map(|i| (i as f32 + 0.5) / size as f32));
    let opacities = spots.clone().map(|uv| cover.opacity(uv)).collect();
    let opacities = TensorData::new(opacities, [1, 1, size, size]);
    check4("cover.tilt", Tensor::from_data(opacities, device));
    let colours: Vec<_> = spots.map(|uv| cover.own(uv)).collect();
    let planes = (0..3).flat_map(|i| colours.iter().map(move |colour| colour[i] / 127.5 - 1.0));
    let planes = TensorData::new(planes.collect(), [1, 3, size, size]);
    check4("own.tilt", Tensor::from_data(planes, device));
    check4("edit.tilt", tilted.picture);
    check4("unedited.tilt", tilted.unedited);
    let motion = tilted.motion.unwrap();
    let along = |axis: usize| motion.arrows().iter().map(move |arrow| arrow[axis]);
    let planes = along(0).chain(along(1)).collect();
    let planes = Tensor::from_data(TensorData::new(planes, [1, 2, GRID, GRID]), device);
    check4("motion.tilt", planes);
    // The same motion from elsewhere, and none.
    let shifts = engine.directions().displacements(&[("tilt", TILT)]);
    let shifts = shifts.unwrap();
    let moving = |shifts: Option<&Landmarks>| {
        let edit = engine.edit_moving(&known, [("tilt", TILT)], None, shifts);
        finished(edit.unwrap())
    };
    let given = moving(shifts.as_ref());
    check4("edit.tilt", given.picture);
    assert_eq!(given.motion, Some(motion));
    let still = moving(None);
    check4("reconstruction", still.unedited);
    assert_eq!(still.motion, None);
    let bent = edit(&known, &[("bend", BEND)]);
    check4("edit.bend", bent.picture);
    check4("reconstruction", bent.unedited);
    assert_eq!(bent.motion, None);
    let both = edit(&unknown, &[("tilt", TILT), ("bend", BEND)]);
    check4("edit.tilt+bend", both.picture);
    check4("unedited.tilt+bend", both.unedited);
    let up = edit(&known, &[("tilt", TILT), ("bend", -BEND)]);
    check4("edit.both up", up.picture);
    check4("edit.none", edit(&unknown, &[]).picture);
    let codes = &known.compensated_codes;
    let pass = |codes: Vec<f32>, residual: Tensor<4>| {
        let codes = engine.codes_tensor(codes);
        sdic.pass(codes, residual.into(), size).finish()
    };
    let tilt = engine.directions().edited_codes(codes, &[("tilt", TILT)]);
    let published = pass(tilt.unwrap().rows, inversion.residual.clone());
    check4("published.tilt", published);

    let basis = Golden::open("tiny/shard-000.safetensors");
    let width = engine.config().style_dim;
    let (_, axes) = basis.values("basis.comp");
    let (_, mean) = basis.values("basis.mean");
    let (_, deviations) = basis.values("basis.std");
    let axis = &axes[2 * width..3 * width];
    let mut moved = codes.clone();
    ganspace_offset(&mut moved, axis, &mean, deviations[2], 2..5, THIRD);
    let third = pass(moved, inversion.injected_residual.clone());
    check4("edit.third", third);
}

/// A model without a feature editor adds the change that an edit brings to the features as it is.
fn changes_without_editor_match_pytorch(device: &Device, tolerance: f64) {
    let engine = open_without_editor(device);
    let golden_values = Golden::open("tiny_trace.safetensors");
    let face: Tensor<4> = golden_values.tensor("image", device);
    let face = inverted(&engine, face, Some(golden_landmarks(&golden_values)));
    let tilted = finished(engine.edit(&face, [("tilt", TILT)], None).unwrap());
    golden_values.check("plain.tilt", tilted.picture, tolerance);
    golden_values.check("unedited.tilt", tilted.unedited, tolerance);
}

/// The bundled weights on generated portraits, brought to the encoder's size as `make_final.py` does.
fn bundled_model_matches_pytorch(device: &Device) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let portraits = root.join("tests/face/portraits");
    let engine = open_weights(root.join("weights"), device);
    let golden_values = Golden::open("final_trace.safetensors");
    let smile = engine
        .manifest()
        .directions
        .iter()
        .find(|direction| direction.name == "smile")
        .unwrap();
    let half = smile.range[1] / 2.0;
    let side = engine.config().input_size();
    let inversions = golden_values.inversions();
    assert!(!inversions.is_empty());
    for sample in inversions {
        let file = fs::read(portraits.join(format!("{sample}.png"))).unwrap();
        let face = engine
            .sdic()
            .seen(to_tensor(&decode(&file).unwrap().picture, device));
        assert_eq!(face.dims(), [1, 3, side, side]);
        let face = inverted(&engine, face, None);
        let inversion = &face.inversion;
        let check4 = |name: &str, found: Tensor<4>| {
            golden_values.check(&format!("{sample}.{name}"), found, 1e-3);
        };
        let check3 = |name: &str, found: Tensor<3>| {
            golden_values.check(&format!("{sample}.{name}"), found, 1e-3);
        };
        check3("codes", inversion.codes.clone());
        check4("discrepancy", inversion.discrepancy.clone().unwrap());
        check3("wp", inversion.compensated_codes.clone());
        check4("reconstruction", inversion.reconstruction.clone());
        let edited = finished(engine.edit(&face, [("smile", half)], None).unwrap());
        check4("edit.smile", edited.picture);
        check4("unedited.smile", edited.unedited);
    }
}

/// All sliders at 0 give the reconstruction, and small strengths small changes.
fn edits_start_at_the_reconstruction(device: &Device) {
    let engine = open_engine(device);
    let golden_values = Golden::open("tiny_trace.safetensors");
    let face = inverted(&engine, golden_values.tensor("image", device), None);
    let picture = |image| pollster::block_on(read(image)).unwrap();
    let reconstruction = picture(face.inversion.reconstruction.clone());
    let change = |strength: f32| {
        let strengths = [("tilt", strength), ("bend", -strength), ("third", strength)];
        let edit = engine.edit(&face, strengths, None);
        let edited = picture(finished(edit.unwrap()).picture);
        let pairs = edited.iter().zip(&reconstruction);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max)
    };
    assert!(change(0.0) < 1e-4, "jump of {} at 0", change(0.0));
    let (small, large) = (change(1e-3), change(1.0));
    assert!(small < 0.01 * large, "{small} at 1e-3, {large} at 1");
}

/// A preview is the picture that the generator has reached at that resolution.
fn previews_stop_early(device: &Device) {
    let engine = open_engine(device);
    let golden_values = Golden::open("tiny_trace.safetensors");
    let face = inverted(&engine, golden_values.tensor("image", device), None);
    let edit = |strength, size| {
        let edit = engine.edit(&face, [("tilt", strength)], Some(size))?;
        pollster::block_on(engine.render_edited(finished(edit)))
    };
    for strength in [0.0, 1.0] {
        for size in [16, 32] {
            let edited = edit(strength, size).unwrap();
            for picture in [&edited.picture, &edited.unedited] {
                assert_eq!([picture.width(), picture.height()], [size; 2]);
            }
            assert_eq!(edited.picture == edited.unedited, strength == 0.0);
        }
    }
    for size in [8, 24, 64] {
        let error = edit(1.0, size).unwrap_err().to_string();
        assert!(error.contains("power of two from 16 to 32"), "{error}");
    }
}

mod cpu {
    use sdic::networks::device;

    #[test]
    fn bundled_model_matches_pytorch() {
        super::bundled_model_matches_pytorch(&device::cpu());
    }

    #[test]
    fn pipeline_matches_pytorch() {
        let device = device::cpu();
        super::pipeline_matches_pytorch(&super::open_engine(&device), &device, 1e-5);
    }

    #[test]
    fn changes_without_editor_match_pytorch() {
        super::changes_without_editor_match_pytorch(&device::cpu(), 1e-5);
    }

    #[test]
    fn edits_start_at_the_reconstruction() {
        super::edits_start_at_the_reconstruction(&device::cpu());
    }

    #[test]
    fn previews_stop_early() {
        super::previews_stop_early(&device::cpu());
    }
}

#[cfg(feature = "wgpu")]
mod gpu {
    use std::sync::LazyLock;

    use burn::tensor::Device;
    use sdic::networks::device;

    static GPU: LazyLock<Device> = LazyLock::new(|| {
        let gpu = pollster::block_on(device::gpu::open());
        gpu.expect("a Vulkan driver, such as Mesa's lavapipe")
            .device
    });

    #[test]
    fn pipeline_matches_pytorch() {
        super::pipeline_matches_pytorch(&super::open_engine(&GPU), &GPU, 1e-4);
    }

    /// The steps of 16-bit floats are 5e-4 wide.
    #[test]
    fn pipeline_in_halves_matches_pytorch() {
        super::pipeline_matches_pytorch(&super::open_halves(&GPU), &GPU, 2e-3);
    }

    #[test]
    fn changes_without_editor_match_pytorch() {
        super::changes_without_editor_match_pytorch(&GPU, 1e-4);
    }

    #[test]
    fn edits_start_at_the_reconstruction() {
        super::edits_start_at_the_reconstruction(&GPU);
    }
}
