//! What a GPU makes of a model: choosing kernels, compiling, loading, inversions and edits, layer by layer, and the
//! memory they take.
//!
//! `cargo bench --bench gpu -- [MODEL] [ROUNDS] [--browser]` prints tables, with 0 rounds none of times. MODEL is a
//! weights directory, or `face` or `cars` for made-up weights of the authors' sizes, as 16-bit floats. With --browser
//! memory is handed out as browsers do, a buffer for every tensor.

use std::{
    ops::ControlFlow,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use burn::tensor::{Device, Tensor};
use sdic::{
    config::ModelConfig,
    editing::{Engine, EngineError, EngineLoader, InvertedFace, made_up_parameters},
    networks::{Tuning, device::gpu, read, tensor_shapes},
    pixels::Picture,
    weights::{self, Dtype, FORMAT, Manifest, TensorEntry, WeightsDir},
};

/// Tensors of a made-up model that are in memory at once.
const BATCH: usize = 16;
/// Between two looks at the memory.
const LOOK: Duration = Duration::from_millis(2);

/// Seconds that `work` takes.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let started = Instant::now();
    let value = work();
    (value, started.elapsed().as_secs_f64())
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.1}", 1e3 * seconds)
}

/// First quartile, median and third quartile.
fn quartiles(mut seconds: Vec<f64>) -> [f64; 3] {
    seconds.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| seconds[(seconds.len() - 1) * quarter / 4])
}

fn made_up_manifest(preset: &str) -> Manifest {
    let config = ModelConfig::preset(preset).expect("a folder, or a preset");
    let tensors = tensor_shapes(&config).into_iter();
    let tensors = tensors.map(|(name, shape)| TensorEntry {
        dtype: Dtype::F16.for_tensor(&name, &shape),
        name,
        shape,
        shard: 0,
    });
    Manifest {
        format: FORMAT,
        name: preset.to_owned(),
        title: format!("made-up weights of the sizes of \"{preset}\""),
        tensors: tensors.collect(),
        config,
        depicts: None,
        shards: Vec::new(),
        directions: Vec::new(),
        face_shape: None,
        plan_shape: None,
        provenance: "random numbers".to_owned(),
        licence: "none needed".to_owned(),
        model_card: None,
        samples: Vec::new(),
        extra: serde_json::Map::new(),
    }
}

fn load_made_up(mut loader: EngineLoader) -> Engine {
    let entries = loader.manifest().tensors.clone();
    for (batch, entries) in entries.chunks(BATCH).enumerate() {
        let tensors = entries
            .iter()
            .enumerate()
            .map(|(index, entry)| weights::Tensor {
                values: made_up_parameters(batch * BATCH + index, &entry.name, &entry.shape),
                name: entry.name.clone(),
                shape: entry.shape.clone(),
            });
        loader = loader
            .push_tensors(0, tensors.collect())
            .expect("parameters");
    }
    loader.finish().expect("all parameters")
}

fn wait(image: Tensor<4>) {
    pollster::block_on(read(image)).expect("values");
}

fn invert(engine: &Engine, face: &Picture) -> InvertedFace {
    let begin = async |_| Ok::<_, EngineError>(());
    let inverted = pollster::block_on(engine.invert(face, None, begin)).expect("an inversion");
    wait(inverted.inversion.reconstruction.clone());
    inverted
}

/// An edit by all sliders, or one that changes nothing, and its picture.
fn edit(engine: &Engine, face: &InvertedFace) {
    let sliders = engine.manifest().directions.iter();
    let strengths = sliders.map(|direction| (direction.name.as_str(), 0.1 * direction.range[1]));
    let run = engine.edit(face, strengths, None).expect("an edit");
    let pause = async || Ok::<_, EngineError>(());
    pollster::block_on(engine.finish(run, pause)).expect("pictures");
}

/// One generator pass, waiting for every convolution: what each takes, in seconds, and its multiplications.
fn layers(engine: &Engine, face: &InvertedFace) -> Vec<(f64, u64)> {
    let codes = face.inversion.compensated_codes.clone();
    let injection = face.inversion.injected_residual.clone().into();
    let sdic = engine.sdic();
    let mut pass = sdic.pass(codes, injection, engine.config().image_size);
    let mut found = Vec::new();
    loop {
        let before = pass.multiplications();
        let started = Instant::now();
        match pass.advance() {
            ControlFlow::Continue(further) => {
                if let Some(mark) = further.mark() {
                    pollster::block_on(mark);
                }
                found.push((
                    started.elapsed().as_secs_f64(),
                    further.multiplications() - before,
                ));
                pass = further;
            }
            ControlFlow::Break(image) => {
                wait(image);
                return found;
            }
        }
    }
}

/// Prints how much memory is held at most while `work` goes on, looking all the time, and how much there is afterwards.
fn memory<T>(device: &Device, name: &str, work: impl FnOnce() -> T) -> T {
    let (done, most) = (AtomicBool::new(false), AtomicU64::new(0));
    let look = || {
        let memory = gpu::memory(device);
        most.fetch_max(memory.reserved, Ordering::Relaxed);
        memory
    };
    let (value, after) = thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                look();
                thread::sleep(LOOK);
            }
        });
        let value = work();
        done.store(true, Ordering::Relaxed);
        (value, look())
    });
    let numbers = [most.into_inner(), after.reserved, after.in_use];
    let [most, reserved, used] = numbers.map(|bytes| bytes as f64 / 1e6);
    println!("| {name} | {most:.0} | {reserved:.0} | {used:.0} |");
    value
}

/// Chooses the fastest kernels, and prints how fast all were.
fn tune(device: &Device) {
    let started = Instant::now();
    let clock = || started.elapsed().as_secs_f64();
    let tuning = pollster::block_on(Tuning::measure(device, clock));
    tuning.apply();
    println!("| convolutions | GMAC/s by tiling | taken |\n|---|---|---|");
    for class in tuning.classes {
        let rates: Vec<_> = (class.rates.iter())
            .map(|rate| format!("{rate:.0}"))
            .collect();
        let (name, taken) = (class.name, class.tiling + 1);
        println!("| {name} | {} | {taken} |", rates.join(", "));
    }
    println!("\nmeasured in {} ms\n", milliseconds(clock()));
}

fn main() {
    let arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let (flags, arguments): (Vec<_>, Vec<_>) =
        arguments.partition(|argument| argument.starts_with("--"));
    let model = arguments.first().map_or("weights", String::as_str);
    let rounds = arguments.get(1).map_or(Ok(9), |rounds| rounds.parse());
    let rounds: usize = rounds.expect("ROUNDS is a number");
    let gpu = if flags.iter().any(|flag| flag == "--browser") {
        pollster::block_on(gpu::open_as_browsers_do())
    } else {
        pollster::block_on(gpu::open())
    };
    let gpu = gpu.expect("a GPU");
    let device = gpu.device;

    let dir = Path::new(model)
        .is_dir()
        .then(|| WeightsDir::open(model).expect("weights"));
    let manifest = match &dir {
        Some(dir) => dir.manifest().clone(),
        None => made_up_manifest(model),
    };
    println!(
        "{}, {} px, on {}\n",
        manifest.title, manifest.config.image_size, gpu.adapter
    );
    tune(&device);
    let loader = EngineLoader::with_manifest(manifest, &device).expect("a model");
    let rehearsal = loader.rehearsal();
    let (difference, rehearsed) = timed(|| pollster::block_on(rehearsal.run(&device)));
    let difference = difference.expect("a rehearsal");
    println!("| memory, MB | held, at most | held afterwards | of that, in use |");
    println!("|---|---|---|---|");
    let load = || match &dir {
        Some(dir) => loader.finish_from(dir).expect("a model"),
        None => load_made_up(loader),
    };
    let (engine, loaded) = timed(|| memory(&device, "loading", load));
    let [height, width] = engine.config().output_size();
    let pixel = |i: usize| [(i % width) as u8, (i / width) as u8, 90, 255];
    let rgba: Vec<u8> = (0..width * height).flat_map(pixel).collect();
    let picture = Picture::new(width, height, &rgba).expect("a picture");
    let inversion = || invert(&engine, &picture);
    let (face, cold_inversion) = timed(|| memory(&device, "inversion", inversion));
    let ((), cold_edit) = timed(|| memory(&device, "edit", || edit(&engine, &face)));
    if rounds == 0 {
        return;
    }
    let rounds = 0..rounds;
    let inversions = rounds
        .clone()
        .map(|_| timed(|| invert(&engine, &picture)).1);
    let inversions = inversions.collect();
    let edits = rounds.map(|_| timed(|| edit(&engine, &face)).1).collect();

    println!("\n| ms | cold | quartile | median | quartile |\n|---|---|---|---|---|");
    println!(
        "| rehearsal (off by {difference:.1e}) | {} | | | |",
        milliseconds(rehearsed)
    );
    println!("| loading | {} | | | |", milliseconds(loaded));
    for (name, cold, warm) in [
        ("inversion", cold_inversion, inversions),
        ("edit", cold_edit, edits),
    ] {
        let [low, median, high] = quartiles(warm).map(milliseconds);
        println!(
            "| {name} | {} | {low} | {median} | {high} |",
            milliseconds(cold)
        );
    }

    println!("\n| convolution of the generator | ms | GMAC/s |\n|---|---|---|");
    layers(&engine, &face);
    for (index, (seconds, multiplications)) in layers(&engine, &face).into_iter().enumerate() {
        let rate = multiplications as f64 / seconds / 1e9;
        println!("| {index} | {} | {rate:.0} |", milliseconds(seconds));
    }
}
