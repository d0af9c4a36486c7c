//! What is compiled behind the download of the bundled model, and what is left to compile when it is there.
#![cfg(feature = "wgpu")]

use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use sdic::{
    editing::{EngineError, EngineLoader, TOLERANCE},
    networks::device,
    pixels::decode,
    weights::WeightsDir,
};

/// Pipelines since the program began: wgpu tells of them in its log.
static PIPELINES: AtomicUsize = AtomicUsize::new(0);

struct Log;

impl log::Log for Log {
    fn enabled(&self, about: &log::Metadata) -> bool {
        about.target().starts_with("wgpu_core")
    }

    fn log(&self, record: &log::Record) {
        let said = record.args().to_string();
        if said.starts_with("Device::create_compute_pipeline") {
            PIPELINES.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}

fn made<T>(name: &str, work: impl FnOnce() -> T) -> (T, usize) {
    let before = PIPELINES.load(Ordering::Relaxed);
    let made = work();
    let pipelines = PIPELINES.load(Ordering::Relaxed) - before;
    println!("{name}: {pipelines} pipelines");
    (made, pipelines)
}

#[test]
fn a_rehearsal_compiles_what_the_bundled_model_needs() {
    log::set_logger(&Log).expect("no other logger");
    log::set_max_level(log::LevelFilter::Trace);
    let gpu = pollster::block_on(device::gpu::open());
    let gpu = gpu
        .expect("a Vulkan driver, such as Mesa's lavapipe")
        .device;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights");
    let dir = WeightsDir::open(&root).unwrap();
    let loader = EngineLoader::with_manifest(dir.manifest().clone(), &gpu).unwrap();

    let rehearsal = loader.rehearsal();
    let (difference, rehearsed) = made("rehearsal", || {
        pollster::block_on(rehearsal.run(&gpu)).unwrap()
    });
    assert!(difference <= TOLERANCE, "off by {difference}");
    assert!(rehearsed > 50, "{rehearsed} pipelines");

    let (engine, loading) = made("loading", || loader.finish_from(&dir).unwrap());
    let face = std::fs::read(root.join("samples/01.webp")).unwrap();
    let face = decode(&face).unwrap().picture;
    let begin = async |_| Ok::<_, EngineError>(());
    let (inverted, inversion) = made("inversion", || {
        pollster::block_on(engine.invert(&face, None, begin)).unwrap()
    });
    let edit = |strengths: &[(&str, f32)], size| {
        let run = engine
            .edit(&inverted, strengths.iter().copied(), size)
            .unwrap();
        let pause = async || Ok::<_, EngineError>(());
        pollster::block_on(engine.finish(run, pause)).unwrap();
    };
    let ((), edits) = made("edits", || {
        edit(&[("smile", 1.0)], None);
        edit(&[("yaw", 0.5), ("smile", 1.0)], None);
    });
    // Burn's copies depend on more than layers and sides. What has been reached only ever falls.
    for (what, found, most) in [
        ("loading", loading, 9),
        ("the inversion", inversion, 2),
        ("edits", edits, 0),
    ] {
        assert!(found <= most, "{what}: {found} pipelines, were {most}");
    }
}
