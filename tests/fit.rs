//! `sdic directions --fit`: what it keeps of what it finds, and what it says where there is nothing to be found.

use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

use sdic::{
    editing::{
        Engine, EngineError, InvertedFace,
        fit::{FitError, Seen, edit_as_seen, found_displacements},
    },
    face::{FaceFinder, Landmarks},
    networks::{device, tensor_shapes},
    pixels::{Picture, decode, encode_png},
    weights::{
        DirectionKind, Dtype, MANIFEST_FILE, ShardPacker, StagedDir, WeightsDir, WeightsFile,
    },
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A copy of a weights directory that a test may change.
struct Copy(PathBuf);

impl Copy {
    fn of(weights: &str, name: &str) -> Self {
        let copy = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&copy);
        fs::create_dir_all(&copy).unwrap();
        for entry in fs::read_dir(root().join(weights)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
            }
        }
        Self(copy)
    }

    /// The bundled encoder and generator as a model of 128 px that somebody else has made: nothing compensates, and
    /// there are no directions.
    fn foreign(name: &str) -> Self {
        let copy = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&copy);
        let bundled = WeightsDir::open(root().join("weights")).unwrap();
        let mut manifest = bundled.manifest().clone();
        let config = &mut manifest.config;
        config.image_size = 128;
        config.channels.pop();
        (config.dipn, config.dicn, config.editor) = (None, None, None);
        let shapes = tensor_shapes(config);
        let shards =
            (0..manifest.shards.len()).flat_map(|index| bundled.read_shard(index).unwrap());
        let mut tensors: Vec<_> = shards.collect();
        let (mut packer, mut files) = (ShardPacker::new(), Vec::new());
        for (name, shape) in shapes {
            let tensor = tensors
                .iter_mut()
                .find(|tensor| tensor.name == name)
                .unwrap();
            // The mean style has a row for each style, of which there are two less.
            tensor.values.truncate(shape.iter().product());
            tensor.shape = shape;
            files.extend(packer.push(tensor, Dtype::F16).unwrap());
        }
        let packed = packer.finish().unwrap();
        files.extend(packed.last_shard);
        (manifest.tensors, manifest.shards) = (packed.tensors, packed.shards);
        (manifest.directions, manifest.samples) = (Vec::new(), Vec::new());
        (manifest.face_shape, manifest.plan_shape) = (None, None);
        manifest.model_card = None;
        manifest.extra.clear();
        files.push(WeightsFile {
            name: MANIFEST_FILE.to_owned(),
            bytes: manifest.to_json().unwrap(),
        });
        let staged = StagedDir::create(&copy).unwrap();
        files.iter().for_each(|file| staged.write(file).unwrap());
        staged.commit().unwrap();
        Self(copy)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sdic"));
        command
            .arg("directions")
            .arg(&self.0)
            .arg("--fit")
            .args(arguments);
        command
    }

    fn fit(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The last line that a command wrote to its errors.
fn complaint(output: &Output) -> String {
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().last().unwrap_or_default().to_owned()
}

/// A portrait in another light, tilted, nearer, or seen in a mirror.
fn varied(portrait: &Picture, variant: usize) -> Picture<'static> {
    let side = portrait.width();
    let angle = [0.0_f32, 4.0, -4.0, 8.0, -8.0, 2.0, -6.0][variant].to_radians();
    let zoom = [1.0, 0.96, 0.92, 1.0, 0.94, 0.9, 0.98][variant];
    let light = [1.0, 0.8, 1.15, 0.7, 1.0, 0.9, 1.1][variant];
    let mirror = if variant.is_multiple_of(2) { 1.0 } else { -1.0 };
    let middle = (side - 1) as f32 / 2.0;
    let within = |at: f32| (at + middle).round().clamp(0.0, (side - 1) as f32) as usize;
    let pixels = (0..side * side).flat_map(|spot| {
        let x = mirror * zoom * ((spot % side) as f32 - middle);
        let y = zoom * ((spot / side) as f32 - middle);
        let (sine, cosine) = angle.sin_cos();
        let column = within(cosine * x - sine * y);
        let row = within(sine * x + cosine * y);
        let rgb = &portrait.rgba()[4 * (row * side + column)..][..3];
        let lit = |value: u8| (light * f32::from(value)).round() as u8;
        [lit(rgb[0]), lit(rgb[1]), lit(rgb[2]), 255]
    });
    Picture::new(side, side, pixels.collect::<Vec<u8>>()).unwrap()
}

/// A folder of 84 pictures of faces.
fn faces(name: &str) -> Copy {
    let folder = Copy(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name));
    let _ = fs::remove_dir_all(&folder.0);
    fs::create_dir_all(&folder.0).unwrap();
    for index in 1..=12 {
        let path = root().join(format!("tests/face/portraits/{index:02}.png"));
        let portrait = decode(&fs::read(path).unwrap()).unwrap().picture;
        for variant in 0..7 {
            let picture = encode_png(&varied(&portrait, variant)).unwrap();
            let path = folder.0.join(format!("{index:02}-{variant}.png"));
            fs::write(path, picture).unwrap();
        }
    }
    folder
}

/// Stopped by force once some pictures are kept, a search goes on from there, and what it finds becomes part of the
/// model.
#[test]
fn a_search_that_was_killed_goes_on_and_keeps_what_it_finds() {
    let (weights, faces) = (Copy::foreign("fit-of-foreign"), faces("fit-faces"));
    let arguments = ["--faces", faces.0.to_str().unwrap(), "--samples", "84"];
    let kept = weights.0.join("fit.partial");
    let mut search = weights
        .command(&arguments)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !kept.exists() {
        assert!(search.try_wait().unwrap().is_none(), "it ended too soon");
        thread::sleep(Duration::from_millis(20));
    }
    search.kill().unwrap();
    search.wait().unwrap();
    let before = WeightsDir::open(&weights.0).unwrap();
    assert!(before.manifest().directions.is_empty());

    let output = weights.fit(&arguments);
    let [said, told] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{told}");
    assert!(told.contains("going on after "), "{told}");
    assert!(!kept.exists());
    let after = WeightsDir::open(&weights.0).unwrap();
    let manifest = after.manifest();
    let lines = |start: &str| {
        let lines = said.lines().filter_map(|line| line.strip_prefix(start));
        let names = lines.map(|line| line.split_whitespace().next().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let (found, dropped) = (lines("found "), lines("dropped "));
    assert_eq!(found.len() + dropped.len(), 14, "{said}");
    let names: Vec<_> = manifest
        .directions
        .iter()
        .map(|slider| &slider.name)
        .collect();
    assert!(found.iter().eq(names), "{said}");
    // The light differs most among these faces.
    assert!(found.iter().any(|name| name == "skin"), "{said}");
    for slider in &manifest.directions {
        let [low, high] = slider.range;
        assert!(low == -high && (0.5..=2.0).contains(&high), "{slider:?}");
        assert!(slider.displacements.is_some() && !slider.folded);
        assert!(matches!(slider.kind, DirectionKind::Linear { .. }));
    }
    assert!(manifest.face_shape.is_some());
    assert_eq!(manifest.extra["fit"]["pictures"].as_u64(), Some(84));
    let complaint = complaint(&weights.fit(&arguments));
    assert!(
        complaint.contains("sliders were found in this model before"),
        "{complaint}"
    );
}

fn manifest(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("manifest.json")).unwrap()
}

#[test]
fn a_model_from_which_nothing_can_be_drawn_is_told_at_once() {
    let weights = Copy::of("weights", "fit-without-mapping");
    let before = manifest(&weights.0);
    let complaint = complaint(&weights.fit(&[]));
    assert!(
        complaint.contains("no mapping network to draw faces from"),
        "{complaint}"
    );
    assert_eq!(manifest(&weights.0), before);
}

#[test]
fn too_few_faces_are_counted() {
    let weights = Copy::of("weights", "fit-of-few");
    let portraits = root().join("tests/face/portraits");
    let complaint = complaint(&weights.fit(&["--faces", portraits.to_str().unwrap()]));
    assert!(
        complaint.contains("12 faces are too few to find sliders"),
        "{complaint}"
    );
}

#[test]
fn the_rest_of_another_fit_is_refused() {
    let weights = Copy::of("weights", "fit-of-another");
    let kept = weights.0.join("fit.partial");
    fs::write(&kept, b"remember the milk").unwrap();
    let portraits = root().join("tests/face/portraits");
    let complaint = complaint(&weights.fit(&["--faces", portraits.to_str().unwrap()]));
    assert!(
        complaint.contains("fit.partial: what was kept of an earlier fit"),
        "{complaint}"
    );
    assert_eq!(fs::read(&kept).unwrap(), b"remember the milk");
}

/// A `.npy` file of single precision.
fn numpy(rows: usize, values: &[f32]) -> Vec<u8> {
    let shape = format!("({rows}, {})", values.len() / rows);
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    let header = format!("{header:<117}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.bytes());
    file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    file
}

/// A slider of which nobody knows how it moves a face is looked at twice per face and side.
#[test]
fn what_moves_a_face_is_seen_once_and_goes_with_the_strength() {
    let weights = WeightsDir::open(root().join("weights")).unwrap();
    let mut engine = Engine::open(&weights, &device::cpu()).unwrap();
    let finder = FaceFinder::bundled().unwrap();
    let [(aligned, landmarks), (other, _)] = ["01", "02"].map(|sample| {
        let file = fs::read(root().join(format!("weights/samples/{sample}.webp"))).unwrap();
        let photo = decode(&file).unwrap().picture;
        let face = finder.detect(&photo).swap_remove(0);
        let aligned = face.aligned(&photo, 256).unwrap();
        let mesh = finder.mesh_of_aligned(&aligned).unwrap().unwrap();
        (aligned, mesh.landmarks())
    });
    let invert = |engine: &Engine, picture, landmarks| {
        let begun = async |_| Ok::<_, EngineError>(());
        pollster::block_on(engine.invert(picture, landmarks, begun)).unwrap()
    };
    let [face, known_nothing] =
        [Some(landmarks), None].map(|landmarks| invert(&engine, &aligned, landmarks));
    // From one face to another.
    let to = invert(&engine, &other, None).compensated_codes;
    let pairs = face.compensated_codes.iter().zip(to);
    let way: Vec<_> = pairs.map(|(from, to)| to - from).collect();
    let file = Cursor::new(numpy(engine.config().styles(), &way));
    let added = engine.add_directions("way.npy", file).unwrap();
    let (name, end) = (&added[0].name[..], added[0].range[1]);

    let mut seen = Seen::default();
    let mut find = |face: &InvertedFace, strengths: &[(&str, f32)]| {
        let mut pauses = 0;
        let pause = async || {
            pauses += 1;
            Ok::<_, FitError>(())
        };
        let found = found_displacements(&engine, &finder, face, strengths, &mut seen, pause);
        (pollster::block_on(found).unwrap(), pauses)
    };
    let scaled = |motion: Landmarks, share: f32| motion.map(|shift| shift.map(|v| share * v));
    let far = |a: Landmarks, b: Landmarks| {
        let pairs = a.as_flattened().iter().zip(b.as_flattened());
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };

    // The unmoved face and the middle of the range, then the end; between them it costs nothing.
    let (little, first) = find(&face, &[(name, 0.1 * end)]);
    let (middle, no_more) = find(&face, &[(name, 0.5 * end)]);
    let (whole, second) = find(&face, &[(name, end)]);
    let (most, nothing) = find(&face, &[(name, 0.75 * end)]);
    assert_eq!((first, no_more, nothing), (2 * second, 0, 0));
    let [little, middle, whole, most] = [little, middle, whole, most].map(Option::unwrap);
    assert!(far(middle, [[0.0; 2]; 68]) > 0.005 && far(whole, middle) > 0.005);
    assert!(far(scaled(little, 5.0), middle) < 1e-6);
    let between = std::array::from_fn(|i| [0, 1].map(|k| (middle[i][k] + whole[i][k]) / 2.0));
    assert!(far(most, between) < 1e-6);
    // The other side is another one.
    let (back, third) = find(&face, &[(name, -0.5 * end)]);
    assert!(third == second && far(back.unwrap(), middle) > 0.005);
    // Trained sliders tell themselves; together they add up.
    let (trained, of_trained) = find(&face, &[("smile", 1.0)]);
    let (both, of_both) = find(&face, &[(name, end), ("smile", 1.0)]);
    let trained = trained.unwrap();
    let sum = std::array::from_fn(|i| [0, 1].map(|k| trained[i][k] + whole[i][k]));
    assert!(far(both.unwrap(), sum) < 1e-6 && (of_trained, of_both) == (0, 0));
    // Without landmarks there is nothing to move.
    assert_eq!(find(&known_nothing, &[(name, end)]), (None, 0));

    // Where nothing has to be looked at, what moves nothing is not held back with what would tear the face.
    let pause = async || Ok::<_, FitError>(());
    let asked = [("yaw", 500.0), ("glasses", 1.0)];
    let run = edit_as_seen(&engine, &finder, &face, &asked, None, &mut seen, pause);
    let run = pollster::block_on(run).unwrap();
    let held: Vec<_> = run.held().iter().map(|(name, _)| name).collect();
    assert_eq!(held, ["yaw"]);
}
