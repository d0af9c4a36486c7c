//! Whole inversions and edits, cold and warm.
//!
//! `cargo bench --bench pipeline -- WEIGHTS_DIR [ROUNDS] [--gpu]` prints seconds. With `--serve` instead of ROUNDS it
//! loads the model, then answers each line `invert` or `edit` on standard input with the seconds that one took, so that
//! `benches/peers/native.py` can alternate with its peers; a line `picture PATH` writes what was drawn last, f32 of
//! shape 3 x H x W, little-endian. `--gpu` computes through wgpu.

use std::{
    io::{BufRead, Write, stdin, stdout},
    path::PathBuf,
    time::Instant,
};

use burn::tensor::{Device, Tensor};
use sdic::{
    editing::{Engine, EngineError, Inversion, InversionRun, invert},
    networks::{device, read},
    weights::WeightsDir,
};

fn open_device(gpu: bool) -> Device {
    #[cfg(feature = "wgpu")]
    if gpu {
        let gpu = pollster::block_on(device::gpu::open()).expect("a GPU");
        eprintln!("{}", gpu.adapter);
        return gpu.device;
    }
    assert!(!gpu, "built without the feature wgpu");
    device::cpu()
}

fn open(weights: PathBuf, device: &Device) -> Engine {
    let dir = WeightsDir::open(weights).expect("a weights directory");
    Engine::open(&dir, device).expect("a model")
}

struct Bench {
    engine: Engine,
    face: Tensor<4>,
    inversion: Option<Inversion>,
    /// The last one.
    picture: Vec<f32>,
}

impl Bench {
    /// Reads a picture back; returns the seconds since `started`.
    fn draw(&mut self, picture: Tensor<4>, started: Instant) -> f64 {
        self.picture = pollster::block_on(read(picture)).expect("values");
        started.elapsed().as_secs_f64()
    }

    fn invert(&mut self) -> f64 {
        let started = Instant::now();
        let face = self.face.clone();
        let run = InversionRun::new(self.engine.sdic(), face).expect("an encoder");
        let inversion = invert::<EngineError>(run, async |_| Ok(()));
        let inversion = pollster::block_on(inversion).expect("an inversion");
        let picture = inversion.reconstruction.clone();
        self.inversion = Some(inversion);
        self.draw(picture, started)
    }

    fn edit(&mut self) -> f64 {
        let Some(inversion) = &self.inversion else {
            return self.invert();
        };
        let started = Instant::now();
        let codes = inversion.compensated_codes.clone();
        let injection = inversion.injected_residual.clone().into();
        let size = self.engine.config().image_size;
        let picture = self.engine.sdic().pass(codes, injection, size).finish();
        self.draw(picture, started)
    }

    /// Writes the last picture to a file.
    fn write(&self, path: &str) {
        let bytes: Vec<u8> = self
            .picture
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        std::fs::write(path, bytes).expect("a file");
    }
}

fn main() {
    device::keep_memory();
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let device = open_device(arguments.iter().any(|argument| argument == "--gpu"));
    arguments.retain(|argument| argument != "--bench" && argument != "--gpu");
    let mut arguments = arguments.into_iter();
    let Some(weights) = arguments.next() else {
        println!("usage: cargo bench --bench pipeline -- WEIGHTS_DIR [ROUNDS | --serve] [--gpu]");
        return;
    };
    let rounds = arguments.next();
    let started = Instant::now();
    let engine = open(weights.into(), &device);
    let load = started.elapsed().as_secs_f64();
    let side = engine.config().input_size();
    let face = Tensor::zeros([1, 3, side, side], &device);
    let mut bench = Bench {
        engine,
        face,
        inversion: None,
        picture: Vec::new(),
    };
    if rounds.as_deref() == Some("--serve") {
        println!("ready");
        for line in stdin().lock().lines() {
            let line = line.unwrap_or_default();
            match line.split_once(' ') {
                Some(("picture", path)) => {
                    bench.write(path);
                    println!("written");
                }
                _ if line == "edit" => println!("{}", bench.edit()),
                _ => println!("{}", bench.invert()),
            }
            let _ = stdout().flush();
        }
        return;
    }
    let rounds = rounds.and_then(|rounds| rounds.parse().ok()).unwrap_or(5);
    println!("load {load:.2} s");
    println!(
        "cold: invert {:.3} s, edit {:.3} s",
        bench.invert(),
        bench.edit()
    );
    for (name, run) in [
        ("invert", Bench::invert as fn(&mut Bench) -> f64),
        ("edit", Bench::edit),
    ] {
        let mut seconds: Vec<f64> = (0..rounds).map(|_| run(&mut bench)).collect();
        seconds.sort_by(f64::total_cmp);
        println!(
            "warm: {name} median {:.3} s, fastest {:.3} s of {rounds}",
            seconds[rounds / 2],
            seconds[0]
        );
    }
}
