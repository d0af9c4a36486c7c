//! What the GPU is given to do by an inversion and by an edit: counted, for a count is the same on every adapter.
//!
//! `cargo test --release --test dispatches -- --nocapture` prints the counts, and `KERNELS=1` before it which kernels
//! they are. Burn's own operations count as much as this crate's kernels do.
#![cfg(feature = "wgpu")]

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use burn::tensor::Device;
use burn_cubecl::cubecl::logging::{LaunchObservation, LaunchObserver};
use sdic::{
    config::{DicnSizes, DipnSizes, EncoderSizes, Heads, ModelConfig},
    editing::{Engine, EngineError, EngineLoader, InvertedFace},
    networks::{device, read, tensor_shapes},
    pixels::{Picture, decode},
    weights::{Dtype, FORMAT, Manifest, ShardPacker, Tensor, WeightsDir},
};

/// What wgpu was asked for since the program began.
static SUBMITS: AtomicUsize = AtomicUsize::new(0);
static UPLOADS: AtomicUsize = AtomicUsize::new(0);
static READS: AtomicUsize = AtomicUsize::new(0);

/// wgpu tells of these calls in its log, and nowhere else.
struct Log;

impl log::Log for Log {
    fn enabled(&self, about: &log::Metadata) -> bool {
        about.target().starts_with("wgpu_core")
    }

    fn log(&self, record: &log::Record) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let said = record.args().to_string();
        let counter = match said.as_str() {
            "Queue::submit" => &SUBMITS,
            "Queue::write_buffer" | "Queue::create_staging_buffer" => &UPLOADS,
            said if said.starts_with("Buffer::map_async") => &READS,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn flush(&self) {}
}

/// How often each kernel was launched.
#[derive(Default)]
struct Launches(Mutex<BTreeMap<&'static str, usize>>);

impl LaunchObserver for Launches {
    fn launched(&self, kernel: &'static str) {
        *self.0.lock().unwrap().entry(kernel).or_default() += 1;
    }
}

#[derive(Clone, Copy, Debug)]
struct Counts {
    dispatches: usize,
    submits: usize,
    uploads: usize,
    reads: usize,
}

impl Counts {
    /// Fails if there is more of anything than in `most`, which is what has been reached: it only ever falls.
    fn at_most(self, most: Self) {
        for (what, found, most) in [
            ("dispatches", self.dispatches, most.dispatches),
            ("submits", self.submits, most.submits),
            ("uploads", self.uploads, most.uploads),
            ("reads", self.reads, most.reads),
        ] {
            assert!(found <= most, "{found} {what}, were {most}");
        }
    }
}

static GPU: LazyLock<Device> = LazyLock::new(|| {
    log::set_logger(&Log).expect("no other logger");
    log::set_max_level(log::LevelFilter::Trace);
    let gpu = pollster::block_on(device::gpu::open_as_browsers_do());
    gpu.expect("a Vulkan driver, such as Mesa's lavapipe")
        .device
});

/// Tests wait for each other here: the counters are the whole program's, and so is the memory, of which the tests before
/// leave none.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    device::gpu::give_back_all(&GPU);
    turn
}

/// What `work` has the GPU do; it has to end with a value read back.
fn counted<T>(name: &str, work: impl FnOnce() -> T) -> (T, Counts) {
    let before = [&SUBMITS, &UPLOADS, &READS].map(|counter| counter.load(Ordering::Relaxed));
    let launches = Arc::new(Launches::default());
    let watching = LaunchObservation::new(launches.clone());
    let made = work();
    drop(watching);
    let after = [&SUBMITS, &UPLOADS, &READS].map(|counter| counter.load(Ordering::Relaxed));
    let [submits, uploads, reads] = [0, 1, 2].map(|i| after[i] - before[i]);
    let kernels = launches.0.lock().unwrap();
    let counts = Counts {
        dispatches: kernels.values().sum(),
        submits,
        uploads,
        reads,
    };
    println!("{name}: {counts:?}");
    if std::env::var_os("KERNELS").is_some() {
        for (kernel, count) in kernels.iter() {
            println!("{count:6} {kernel}");
        }
    }
    (made, counts)
}

fn invert(engine: &Engine, face: &Picture) -> InvertedFace {
    let begin = async |_| Ok::<_, EngineError>(());
    pollster::block_on(engine.invert(face, None, begin)).unwrap()
}

fn edit(engine: &Engine, face: &InvertedFace, strengths: &[(&str, f32)]) {
    let run = engine.edit(face, strengths.iter().copied(), None).unwrap();
    let pause = async || Ok::<_, EngineError>(());
    pollster::block_on(engine.finish(run, pause)).unwrap();
}

/// An inversion and edits, each counted the second time: the first compiles, and uploads what is then kept.
fn warm<const N: usize>(
    name: &str,
    engine: &Engine,
    face: &Picture,
    edits: [&[(&str, f32)]; N],
) -> (Counts, [Counts; N]) {
    invert(engine, face);
    let (inverted, inversion) = counted(&format!("{name}, inversion"), || invert(engine, face));
    let edits = edits.map(|strengths| {
        let halves: Vec<_> = strengths.iter().map(|&(name, s)| (name, s / 2.0)).collect();
        edit(engine, &inverted, &halves);
        let name = format!("{name}, edit by {strengths:?}");
        counted(&name, || edit(engine, &inverted, strengths)).1
    });
    (inversion, edits)
}

/// The layers of the authors' model of 1024 px with few channels: how many dispatches there are depends on layers and
/// on sides.
fn thin_face() -> ModelConfig {
    let face = ModelConfig::face();
    ModelConfig {
        style_dim: 64,
        channels: vec![8; face.channels.len()],
        encoder: face.encoder.map(|released| EncoderSizes {
            widths: [4, 8, 12, 16],
            head_width: 8,
            heads: Heads::Offsets,
            ..released
        }),
        dipn: Some(DipnSizes {
            features: [4, 6, 8, 10, 12],
            descriptor: 4,
            volume: 2,
        }),
        dicn: Some(DicnSizes {
            stem: 4,
            middle: 8,
            latent_map: 32,
            condition: None,
        }),
        ..face
    }
}

/// Small values that differ between tensors; variances are positive.
fn sample(name: &str, shape: &[usize]) -> Tensor {
    let mut state =
        (name.bytes()).fold(7u32, |hash, b| hash.wrapping_mul(31).wrapping_add(b.into()));
    let value = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let value = (state >> 8) as f32 / (1 << 25) as f32;
        if name.ends_with(".running_var") {
            1.0 + value
        } else {
            value - 0.25
        }
    };
    Tensor {
        name: name.to_owned(),
        shape: shape.to_vec(),
        values: (0..shape.iter().product()).map(value).collect(),
    }
}

/// A model of these sizes with one slider, "lean", which changes codes alone.
fn model(config: ModelConfig, dtype: Dtype, device: &Device) -> Engine {
    let mut packer = ShardPacker::new();
    let mut files = Vec::new();
    let mut shapes = tensor_shapes(&config);
    shapes.push(("directions.lean".to_owned(), vec![1, config.style_dim]));
    for (name, shape) in shapes {
        files.extend(
            packer
                .push(&sample(&name, &shape), dtype.for_tensor(&name, &shape))
                .unwrap(),
        );
    }
    let packed = packer.finish().unwrap();
    files.extend(packed.last_shard);
    let lean = serde_json::json!([{
        "name": "lean", "label": "Lean", "group": "Face", "kind": "linear", "tensor": "directions.lean",
        "range": [-3, 3], "styles": [0, config.styles()],
    }]);
    let manifest = Manifest {
        format: FORMAT,
        name: "thin".to_owned(),
        title: "Thin model".to_owned(),
        config,
        depicts: None,
        tensors: packed.tensors,
        shards: packed.shards,
        directions: serde_json::from_value(lean).unwrap(),
        face_shape: None,
        plan_shape: None,
        provenance: "test values".to_owned(),
        licence: "none needed".to_owned(),
        model_card: None,
        samples: Vec::new(),
        extra: serde_json::Map::new(),
    };
    let mut loader = EngineLoader::with_manifest(manifest, device).unwrap();
    for (index, file) in files.iter().enumerate() {
        loader = loader.push_shard(index, &file.bytes).unwrap();
    }
    loader.finish().unwrap()
}

/// Pixels of a square of 256.
fn pattern() -> Vec<u8> {
    let pixel = |i| [i as u8, (i / 256) as u8, 90, 255];
    (0..256 * 256).flat_map(pixel).collect()
}

#[test]
fn the_model_of_1024_px_is_computed_in_few_dispatches() {
    let _turn = alone();
    let engine = model(thin_face(), Dtype::F32, &GPU);
    let rgba = pattern();
    let face = Picture::new(256, 256, &rgba).unwrap();
    let (inversion, [edit]) = warm("1024 px", &engine, &face, [&[("lean", 2.0)]]);
    inversion.at_most(Counts {
        dispatches: 382,
        submits: 20,
        uploads: 1,
        reads: 6,
    });
    edit.at_most(Counts {
        dispatches: 30,
        submits: 2,
        uploads: 1,
        reads: 1,
    });
}

#[test]
fn the_bundled_model_is_computed_in_few_dispatches() {
    let _turn = alone();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights");
    let dir = WeightsDir::open(&root).unwrap();
    let engine = Engine::open(&dir, &GPU).unwrap();
    let face = std::fs::read(root.join("samples/01.webp")).unwrap();
    let face = decode(&face).unwrap().picture;
    let smile: &[_] = &[("smile", 2.0)];
    // Every place of the feature editor has a plan of its own then.
    let several = &[("smile", 2.0), ("age", 1.0), ("brows", -1.0)];
    let (inversion, [edit, by_several]) = warm("bundled", &engine, &face, [smile, several]);
    inversion.at_most(Counts {
        dispatches: 277,
        submits: 16,
        uploads: 1,
        reads: 6,
    });
    edit.at_most(Counts {
        dispatches: 77,
        submits: 5,
        uploads: 6,
        reads: 1,
    });
    by_several.at_most(Counts {
        dispatches: 79,
        submits: 5,
        uploads: 8,
        reads: 1,
    });
}

/// What the pool has left of other tensors would be twice as large.
#[test]
fn weights_lie_in_buffers_of_their_size() {
    let _turn = alone();
    let wide = ModelConfig {
        channels: vec![128; ModelConfig::face().channels.len()],
        ..thin_face()
    };
    let before = device::gpu::memory(&GPU);
    let engine = model(wide, Dtype::F16, &GPU);
    device::gpu::give_back_all(&GPU);
    let after = device::gpu::memory(&GPU);
    drop(engine);
    let used = after.in_use - before.in_use;
    let held = after.reserved - before.reserved;
    println!("{used} bytes of weights in {held}");
    assert!(held < used + used / 4, "{used} bytes of weights in {held}");
}

/// The heads of a large encoder wait in main memory, and are never all on the GPU at once.
#[test]
fn large_heads_do_not_stay_on_the_gpu() {
    let _turn = alone();
    let mut config = thin_face();
    let sizes = config.encoder.as_mut().unwrap();
    // Many more weights than a GPU would keep, and more than all else takes.
    sizes.head_width = 400;
    let heads: u64 = (tensor_shapes(&config).iter())
        .filter(|(name, _)| name.starts_with("encoder.styles."))
        .map(|(_, shape)| 2 * shape.iter().product::<usize>() as u64)
        .sum();
    let before = device::gpu::memory(&GPU).reserved;
    let engine = model(config.clone(), Dtype::F16, &GPU);
    let held = || device::gpu::memory(&GPU).reserved.saturating_sub(before);
    assert!(held() < heads / 2, "{} of {heads} bytes of heads", held());

    let rgba = pattern();
    let face = Picture::new(256, 256, &rgba).unwrap();
    let encoded = |engine: &Engine| {
        let face = engine.face_tensor(&face).unwrap();
        pollster::block_on(read(engine.inverter().unwrap().encode(face))).unwrap()
    };
    let found = encoded(&engine);
    // What was held for a while is held still: so little is not given back.
    println!("{} bytes, {heads} of heads", held());
    assert!(held() < heads / 2, "{} bytes, {heads} of heads", held());

    let expected = encoded(&model(config, Dtype::F16, &device::cpu()));
    let sizes = expected.iter().map(|value| value.abs());
    let largest = sizes.fold(0.0, f32::max);
    for (found, expected) in found.iter().zip(&expected) {
        let off = (found - expected).abs();
        assert!(off < 1e-3 * largest, "{found} for {expected}");
    }
}
