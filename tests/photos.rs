//! Every picture of `tests/photos`, which an independent library has made and read; the page reads the same list.

use std::{
    fs,
    io::Cursor,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::Command,
};

use rayon::prelude::*;
use sdic::{
    editing::{Engine, EngineError},
    face::{FaceFinder, PasteMode, Rendered, paste_back, toned},
    networks::device,
    pixels::{
        Difference, Field, Format, GRID, Picture, PictureError, Quad, Space, decode, encode,
        inspect,
    },
    weights::WeightsDir,
};
use serde::Deserialize;

/// How far a channel may be from what the other library says, of 255.
const TOLERANCE: f32 = 2.0;

/// A case of `cases.json`; see `make.py`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    file: String,
    #[serde(default)]
    pad: usize,
    /// "page" or "cli" where only one of them reads this, or the answers differ.
    only: Option<String>,
    error: Option<String>,
    #[serde(default)]
    width: usize,
    #[serde(default)]
    height: usize,
    #[serde(default)]
    space: String,
    #[serde(default)]
    notes: Vec<String>,
    at: Option<usize>,
    #[serde(default)]
    probes: Vec<[usize; 6]>,
    original: Option<[u32; 2]>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/photos")
}

fn cases() -> Vec<Case> {
    serde_json::from_slice(&fs::read(folder().join("cases.json")).unwrap()).unwrap()
}

impl Case {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = fs::read(folder().join("files").join(&self.file)).unwrap();
        let segment: Vec<u8> = [&[0xff, 0xef, 0xff, 0xff][..], &[0; 65_533]].concat();
        let padding = segment.repeat(self.pad);
        bytes.splice(2.min(bytes.len())..2.min(bytes.len()), padding);
        bytes
    }

    /// What is wrong with how this file is read, if anything.
    fn problem(&self, expected: &[u8]) -> Option<String> {
        let decoded = match (decode(&self.bytes()), &self.error, self.only.as_deref()) {
            (Err(error), None, Some("page")) => {
                let known = matches!(error, PictureError::Unsupported { .. });
                return (!known).then(|| format!("is refused by: {error}"));
            }
            (Err(_), Some(_), Some("page")) => return None,
            (Err(error), Some(right), _) => {
                let kind = match error {
                    PictureError::NotAPicture(_) => "not-a-picture",
                    PictureError::Unsupported { .. } => "unsupported",
                    PictureError::TooLarge { .. } => "too-large",
                    PictureError::Damaged { .. } => "damaged",
                    _ => "another error",
                };
                let text = error.to_string();
                let wrong = kind != right || !text.contains("; ");
                return wrong.then(|| format!("is {kind} instead of {right}: {text}"));
            }
            (Err(error), None, _) => return Some(format!("is refused: {error}")),
            (Ok(_), Some(error), _) => return Some(format!("is read, but is {error}")),
            (Ok(decoded), None, _) => decoded,
        };
        let picture = &decoded.picture;
        let size = (picture.width(), picture.height());
        if size != (self.width, self.height) {
            return Some(format!(
                "has {size:?} pixels, not {:?}",
                (self.width, self.height)
            ));
        }
        if picture.space().name() != self.space {
            return Some(format!("is in {}", picture.space().name()));
        }
        let mut notes: Vec<_> = decoded.notes.iter().map(|note| note.code()).collect();
        notes.sort_unstable();
        if notes != self.notes {
            return Some(format!(
                "has the notes {notes:?} instead of {:?}",
                self.notes
            ));
        }
        let original = self
            .original
            .unwrap_or([self.width as u32, self.height as u32]);
        if decoded.original != original {
            return Some(format!("was {:?}, it says", decoded.original));
        }
        let probed: Vec<(usize, [u8; 4])> = match self.at {
            Some(at) => {
                let pixels = expected[at..].chunks_exact(4).take(size.0 * size.1);
                pixels
                    .map(|p| [p[0], p[1], p[2], p[3]])
                    .enumerate()
                    .collect()
            }
            None => {
                let probe = |&[x, y, colour @ ..]: &[usize; 6]| {
                    (y * size.0 + x, colour.map(|value| value as u8))
                };
                self.probes.iter().map(probe).collect()
            }
        };
        assert!(!probed.is_empty(), "{} names no pixel", self.name);
        let off = |(at, right): &(usize, [u8; 4])| {
            let found: [u8; 4] = picture.rgba()[4 * at..][..4].try_into().unwrap();
            distance(found, *right)
        };
        let worst = probed.iter().max_by(|a, b| off(a).total_cmp(&off(b)))?;
        (off(worst) > TOLERANCE).then(|| {
            let (at, right) = worst;
            let found = &picture.rgba()[4 * at..][..4];
            format!(
                "has {found:?} instead of {right:?} at {:?}",
                (at % size.0, at / size.0)
            )
        })
    }
}

/// Largest distance of a channel; colours count as far as they are opaque.
fn distance(a: [u8; 4], b: [u8; 4]) -> f32 {
    let seen = |p: [u8; 4]| {
        let [r, g, b, alpha] = p.map(f32::from);
        [
            r * alpha / 255.0,
            g * alpha / 255.0,
            b * alpha / 255.0,
            alpha,
        ]
    };
    let pairs = seen(a).into_iter().zip(seen(b));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn every_picture_is_read_as_another_library_reads_it_or_refused_rightly() {
    let expected = fs::read(folder().join("expected.bin")).unwrap();
    let cases = cases();
    assert!(cases.len() >= 120, "{} cases", cases.len());
    let problems: Vec<String> = cases
        .par_iter()
        .filter_map(|case| Some(format!("{} {}", case.name, case.problem(&expected)?)))
        .collect();
    assert!(
        problems.is_empty(),
        "{} of {}: {problems:#?}",
        problems.len(),
        cases.len()
    );
}

#[test]
fn cutting_a_file_anywhere_or_changing_its_header_never_breaks_the_reader() {
    let small: Vec<_> = cases().into_iter().filter(|case| case.pad == 0).collect();
    let broken: Vec<String> = small
        .par_iter()
        .flat_map_iter(|case| {
            let bytes = case.bytes();
            let ends = (0..bytes.len().min(600)).map(|end| bytes[..end].to_vec());
            let places =
                (0..bytes.len().min(400)).step_by(if bytes.len() > 40_000 { 7 } else { 1 });
            let changed = places.flat_map(|at| {
                [0, 1, 0x7f, 0x80, 0xff].map(|value| {
                    let mut bytes = bytes[..bytes.len().min(20_000)].to_vec();
                    bytes[at] = value;
                    bytes
                })
            });
            let panics = |bytes: &Vec<u8>| {
                catch_unwind(AssertUnwindSafe(|| inspect(Cursor::new(bytes)).is_ok())).is_err()
            };
            let found = ends.chain(changed).filter(panics).count();
            (found > 0).then(|| format!("{}: {found} panics", case.name))
        })
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn boxes_nested_without_end_are_refused() {
    // A box of length 0 has all that follows.
    let endless = b"\0\0\0\0iprp".repeat(1 << 17);
    let file = [
        b"\0\0\0\x10ftypheic\0\0\0\0\0\0\0\0meta\0\0\0\0",
        &endless[..],
    ]
    .concat();
    assert!(inspect(Cursor::new(&file)).is_err());
}

#[test]
fn what_is_damaged_at_random_is_decoded_or_refused() {
    let mut seed = 7_u32;
    let mut random = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize
    };
    for case in cases()
        .iter()
        .filter(|case| case.pad == 0 && case.probes.is_empty())
    {
        let bytes = case.bytes();
        for _ in 0..if bytes.is_empty() { 0 } else { 4 } {
            let mut bytes = bytes.clone();
            for _ in 0..1 + random() % 4 {
                let at = random() % bytes.len();
                bytes[at] = random() as u8;
            }
            // Either answer will do; not a panic.
            let _ = decode(&bytes);
        }
    }
}

/// Colours and transparency by formula.
fn drawn(width: usize, height: usize, pixel: impl Fn(usize, usize) -> [u8; 4]) -> Picture<'static> {
    let pixels = (0..width * height).flat_map(|i| pixel(i % width, i / width));
    Picture::new(width, height, pixels.collect::<Vec<u8>>()).unwrap()
}

fn gradient(x: usize, y: usize) -> [u8; 4] {
    [(3 * x) as u8, (2 * y + 60) as u8, (x + y) as u8, 255]
}

#[test]
fn files_keep_pixels_transparency_and_space() {
    let opaque = drawn(61, 43, gradient);
    let clear = drawn(61, 43, |x, y| {
        let [r, g, b, _] = gradient(x, y);
        [r, g, b, (4 * x) as u8]
    });
    for format in [Format::Png, Format::WebP] {
        for picture in [&opaque, &clear] {
            for space in [Space::Srgb, Space::DisplayP3] {
                let picture = picture.clone().with_space(space);
                let decoded = decode(&encode(&picture, format).unwrap()).unwrap();
                assert!(decoded.picture == picture, "{format:?} in {space:?}");
                assert_eq!(decoded.notes, []);
            }
        }
    }
    let wide = clear.clone().with_space(Space::DisplayP3);
    let jpeg = decode(&encode(&wide, Format::Jpeg).unwrap())
        .unwrap()
        .picture;
    assert_eq!(jpeg.space(), Space::DisplayP3);
    // What is transparent has become white.
    assert!(
        jpeg.rgba()[..3].iter().all(|&value| value > 250),
        "{:?}",
        &jpeg.rgba()[..4]
    );
    let long = Picture::new(20_000, 1, vec![0; 80_000]).unwrap();
    assert!(matches!(
        encode(&long, Format::WebP),
        Err(PictureError::Sides { most: 16_383, .. })
    ));
    assert!(encode(&long, Format::Png).is_ok());
}

/// The square of side `side` around (x, y).
fn square(x: f32, y: f32, side: f32) -> Quad {
    Quad::new([x, y], [side / 2.0, 0.0]).unwrap()
}

/// A face in 64 x 64 pixels, and the same with brown hair, red lips and more light.
fn faces() -> [Picture<'static>; 2] {
    let face = |x: usize, y: usize| [150 + x as u8, 110 + y as u8, 90, 255];
    let unedited = drawn(64, 64, face);
    let edited = drawn(64, 64, |x, y| {
        let [r, g, b, _] = face(x, y);
        if y < 24 {
            [120, 70, 30, 255]
        } else {
            [r + 30, g - 20, b + 10, 255]
        }
    });
    [edited, unedited]
}

/// To the right, by less and less towards the border.
fn motion() -> Field {
    let arrow = |i: usize| {
        let [u, v] = [i % GRID, i / GRID].map(|i| (i as f32 + 0.5) / GRID as f32);
        [0.6 * u * (1.0 - u) * v * (1.0 - v), 0.0]
    };
    Field::new((0..GRID * GRID).map(arrow).collect()).unwrap()
}

/// Lightness up and down with some grain.
fn grain(x: usize, y: usize) -> u8 {
    let noise = (x * 7919 + y * 104_729 + x * y * 31) % 9;
    (40 + (x + y).abs_diff(160) + noise) as u8
}

fn pasted(photo: &Picture, mode: PasteMode, moving: bool) -> Picture<'static> {
    let [edited, unedited] = faces();
    let motion = motion();
    let rendered = Rendered {
        edited: &edited,
        unedited: &unedited,
        difference: None,
        motion: moving.then_some(&motion),
    };
    let quad = square(100.0, 90.0, 120.0);
    paste_back(photo, &quad, None, rendered, mode).unwrap()
}

/// Root of the mean square of the differences of two pictures' colours.
fn spread(a: &Picture, b: &Picture) -> f32 {
    let pairs = a.rgba().iter().zip(b.rgba());
    let sum: f32 = pairs
        .map(|(a, b)| (f32::from(*a) - f32::from(*b)).powi(2))
        .sum();
    (sum / a.rgba().len() as f32).sqrt()
}

#[test]
fn a_grey_photo_stays_grey_under_every_edit() {
    let photo = drawn(200, 180, |x, y| {
        let level = grain(x, y);
        [level, level, level, 255]
    });
    let [edited, _] = faces();
    for mode in [PasteMode::Face, PasteMode::Difference] {
        for moving in [false, true] {
            let pasted = pasted(&photo, mode, moving);
            let tinted = pasted
                .rgba()
                .chunks_exact(4)
                .find(|p| p[0] != p[1] || p[1] != p[2]);
            assert_eq!(tinted, None, "{mode:?}, moving: {moving}");
            assert!(spread(&photo, &pasted) > 3.0, "the edit is there");
        }
    }
    let face = toned(edited, &photo, &square(100.0, 90.0, 120.0)).unwrap();
    assert!(
        face.rgba()
            .chunks_exact(4)
            .all(|p| p[0] == p[1] && p[1] == p[2])
    );
}

#[test]
fn a_toned_photo_keeps_its_tone_and_a_coloured_one_its_edit() {
    // From black to white, by way of brown or of blue.
    let tint = |bent: [f32; 3], level: u8| {
        let light = f32::from(level);
        let bend = light * (255.0 - light) / 65_025.0;
        bent.map(|bent| (light + bent * bend).round() as u8)
    };
    let sepia = |level: u8| tint([60.0, 10.0, -90.0], level);
    let cyanotype = |level: u8| tint([-80.0, 5.0, 60.0], level);
    let tints: [&dyn Fn(u8) -> [u8; 3]; 2] = [&sepia, &cyanotype];
    for tint in tints {
        let photo = drawn(200, 180, |x, y| {
            let [r, g, b] = tint(grain(x, y));
            [r, g, b, 255]
        });
        for mode in [PasteMode::Face, PasteMode::Difference] {
            let pasted = pasted(&photo, mode, true);
            assert!(spread(&photo, &pasted) > 3.0, "the edit is there");
            for pixel in pasted.rgba().chunks_exact(4) {
                let own = (0..=255).map(|level| {
                    let tint = tint(level);
                    (0..3).map(|i| tint[i].abs_diff(pixel[i])).max().unwrap()
                });
                let off = own.min().unwrap();
                assert!(off <= 6, "{mode:?}: {pixel:?} is {off} from the tone");
            }
        }
    }
    let coloured = drawn(200, 180, |x, y| {
        let level = grain(x, y);
        [level, level / 2, if x % 40 < 20 { 200 } else { 20 }, 255]
    });
    let pasted = pasted(&coloured, PasteMode::Difference, false);
    let at = 4 * (100 * 200 + 100);
    let change =
        [0, 1, 2].map(|i| i16::from(pasted.rgba()[at + i]) - i16::from(coloured.rgba()[at + i]));
    assert_eq!(change, [30, -20, 10]);
}

#[test]
fn transparency_stays_and_nothing_hidden_comes_to_light() {
    // A cut-out: green hides behind what is transparent.
    let photo = drawn(200, 180, |x, y| {
        let inside = (x as i32 - 100).pow(2) + (y as i32 - 90).pow(2) < 40 * 40;
        if inside {
            [180, 120, 100, 255]
        } else {
            [0, 255, 0, 0]
        }
    });
    for mode in [PasteMode::Face, PasteMode::Difference] {
        let pasted = pasted(&photo, mode, true);
        for (before, after) in photo
            .rgba()
            .chunks_exact(4)
            .zip(pasted.rgba().chunks_exact(4))
        {
            assert_eq!(before[3], after[3]);
            let [r, g, b] = [after[0], after[1], after[2]];
            let green = i16::from(g) - i16::from(r.max(b));
            assert!(after[3] == 0 || green < 20, "{after:?} for {before:?}");
        }
    }
}

#[test]
fn pixels_outside_the_mask_stay_to_the_bit_in_the_photos_own_space() {
    let photo = drawn(200, 180, gradient).with_space(Space::DisplayP3);
    let quad = square(100.0, 90.0, 120.0);
    for mode in [PasteMode::Face, PasteMode::Difference] {
        let pasted = pasted(&photo, mode, true);
        assert_eq!(pasted.space(), Space::DisplayP3);
        let pairs = photo
            .rgba()
            .chunks_exact(4)
            .zip(pasted.rgba().chunks_exact(4));
        for (index, (before, after)) in pairs.enumerate() {
            let point = [(index % 200) as f32 + 0.5, (index / 200) as f32 + 0.5];
            if !quad.locate(point).iter().all(|t| (0.0..1.0).contains(t)) {
                assert_eq!(before, after, "pixel {index}");
            }
        }
    }
}

#[test]
fn a_difference_means_the_same_in_a_wider_space() {
    // An edit from one colour of sRGB to another is one from and to these colours as Display P3 has them.
    let flat = |colour: [u8; 3]| drawn(64, 64, |_, _| [colour[0], colour[1], colour[2], 255]);
    let (before, after) = (flat([180, 90, 60]), flat([220, 60, 70]));
    let wide = before.clone().in_space(Space::DisplayP3);
    let photo = drawn(200, 180, |_, _| wide.rgba()[..4].try_into().unwrap());
    let photo = photo.with_space(Space::DisplayP3);
    let rendered = Rendered {
        edited: &after,
        unedited: &before,
        difference: None,
        motion: None,
    };
    let quad = square(100.0, 90.0, 120.0);
    // A photo of one colour has one tone; a second colour far from the face makes it a coloured one.
    let mut rgba = photo.into_rgba();
    for pixel in rgba.chunks_exact_mut(4).skip(200 * 40).take(200 * 20) {
        pixel.copy_from_slice(&[20, 200, 90, 255]);
    }
    let photo = Picture::new(200, 180, rgba)
        .unwrap()
        .with_space(Space::DisplayP3);
    let pasted = paste_back(&photo, &quad, None, rendered, PasteMode::Difference).unwrap();
    let right = after.in_space(Space::DisplayP3);
    let at = 4 * (100 * 200 + 100);
    for i in 0..3 {
        let (found, right) = (pasted.rgba()[at + i], right.rgba()[i]);
        assert!(
            found.abs_diff(right) <= 1,
            "{:?} for {:?}",
            &pasted.rgba()[at..at + 3],
            right
        );
    }
}

#[test]
fn blown_highlights_keep_their_edits() {
    // Both pictures are lighter than white: their bytes are the same, what they were made of is not.
    let white = drawn(64, 64, |_, _| [255; 4]);
    let photo = drawn(200, 180, |x, y| match y {
        91.. => [255; 4],
        _ => [x as u8, if x % 40 < 20 { 200 } else { 20 }, 90, 255],
    });
    let darker = Difference::new(64, 64, [-30 * 64, -30 * 64, -12 * 64].repeat(64 * 64)).unwrap();
    let rendered = Rendered {
        edited: &white,
        unedited: &white,
        difference: Some(&darker),
        motion: None,
    };
    let quad = square(100.0, 90.0, 120.0);
    let pasted = paste_back(&photo, &quad, None, rendered, PasteMode::Difference).unwrap();
    let at = 4 * (110 * 200 + 100);
    assert_eq!(pasted.rgba()[at..at + 4], [225, 225, 243, 255]);
}

#[test]
fn grain_that_moves_stays_sharp() {
    // Stripes of two and a half pixels, moved by half a pixel: a bilinear filter would leave less than three quarters.
    let wave = |x: f32| 128.0 + 90.0 * (std::f32::consts::TAU * x / 5.0).sin();
    let photo = drawn(400, 400, |x, y| {
        let level = wave(x as f32 + 0.5) as u8;
        [
            level,
            level,
            if y % 2 == 0 { level } else { 255 - level },
            255,
        ]
    });
    let flat = drawn(64, 64, |_, _| [128, 128, 128, 255]);
    let quad = square(200.0, 200.0, 320.0);
    let arrow = |i: usize| {
        let [u, v] = [i % GRID, i / GRID].map(|i| (i as f32 + 0.5) / GRID as f32);
        let inner = (0.25..0.75).contains(&u) && (0.25..0.75).contains(&v);
        [if inner { 0.5 / 320.0 } else { 0.0 }, 0.0]
    };
    let motion = Field::new((0..GRID * GRID).map(arrow).collect()).unwrap();
    let rendered = Rendered {
        edited: &flat,
        unedited: &flat,
        difference: None,
        motion: Some(&motion),
    };
    let pasted = paste_back(&photo, &quad, None, rendered, PasteMode::Difference).unwrap();
    let (mut own, mut off) = (0.0, 0.0);
    for x in 180..220 {
        let right = wave(x as f32 + 1.0);
        let found = f32::from(pasted.rgba()[4 * (200 * 400 + x)]);
        own += (right - 128.0).powi(2);
        off += (found - right).powi(2);
    }
    let share = (off / own).sqrt();
    assert!(share < 0.14, "{share} of the grain is lost");
}

/// Runs `sdic edit` with the bundled model on a photo; returns the picture written and what was said.
fn edited(name: &str, photo: &[u8], ending: &str, options: &[&str]) -> (Vec<u8>, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::temp_dir().join(format!("sdic-photos-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (from, to) = (
        folder.join("photo"),
        folder.join(format!("edited.{ending}")),
    );
    fs::write(&from, photo).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_sdic"))
        .arg("edit")
        .arg(&from)
        .arg("--out")
        .arg(&to)
        .arg("--weights")
        .arg(root.join("weights"))
        .args(options)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let bytes = fs::read(&to).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    (bytes, said)
}

/// A portrait in a larger photo.
fn portrait() -> Picture<'static> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/samples/01.webp");
    decode(&fs::read(file).unwrap()).unwrap().picture
}

#[test]
fn the_command_line_keeps_space_transparency_and_what_is_around_the_face() {
    let portrait = portrait();
    let (width, height) = (portrait.width(), portrait.height());
    let mut rgba = portrait.into_rgba();
    for (index, pixel) in rgba.chunks_exact_mut(4).enumerate() {
        // The upper left corner is cut out, by half at its rim.
        match index % width + index / width {
            0..40 => pixel[3] = 0,
            40..50 => pixel[3] = 128,
            _ => {}
        }
    }
    let photo = Picture::new(width, height, rgba)
        .unwrap()
        .with_space(Space::DisplayP3);
    let file = encode(&photo, Format::Png).unwrap();
    let (bytes, _) = edited("space", &file, "png", &["--edit", "smile=2"]);
    let out = decode(&bytes).unwrap().picture;
    assert_eq!(out.space(), Space::DisplayP3);
    let pixels = || photo.rgba().chunks_exact(4).zip(out.rgba().chunks_exact(4));
    assert!(pixels().all(|(before, after)| before[3] == after[3]));
    let same = |&(index, (before, after)): &(usize, (&[u8], &[u8]))| {
        let [x, y] = [index % width, index / width];
        let rim = x < 8 || y < 8 || x >= width - 8 || y >= height - 8;
        rim && before != after
    };
    assert_eq!(
        pixels().enumerate().find(same),
        None,
        "the rim of the photo"
    );
    assert!(spread(&photo, &out) > 0.5, "there is an edit");

    let (bytes, said) = edited("jpeg", &file, "jpg", &["--edit", "smile=2"]);
    assert!(
        bytes.starts_with(&[0xff, 0xd8]) && said.contains("transparency"),
        "{said}"
    );
    assert_eq!(decode(&bytes).unwrap().picture.space(), Space::DisplayP3);
    let (bytes, _) = edited(
        "webp",
        &file,
        "bin",
        &["--edit", "smile=2", "--format", "webp"],
    );
    assert!(
        decode(&bytes).unwrap().picture == out,
        "WebP is without loss"
    );
}

/// Its own pixels follow an edit, as those of a face in a photo do.
#[test]
fn the_command_line_finds_the_landmarks_of_an_aligned_face() {
    let (finder, photo) = (FaceFinder::bundled().unwrap(), portrait());
    let face = finder.detect(&photo).swap_remove(0);
    let aligned = face.aligned(&photo, 256).unwrap();
    let file = encode(&aligned, Format::Png).unwrap();
    let (bytes, _) = edited("aligned", &file, "png", &["--aligned", "--edit", "yaw=1.5"]);
    let found = decode(&bytes).unwrap().picture;

    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights");
    let engine = Engine::open(&WeightsDir::open(weights).unwrap(), &device::cpu()).unwrap();
    let edited_by = |landmarks| {
        let begun = async |_| Ok::<_, EngineError>(());
        let face = pollster::block_on(engine.invert(&aligned, landmarks, begun)).unwrap();
        let edit = engine.edit(&face, [("yaw", 1.5)], None).unwrap();
        let pause = async || Ok::<_, EngineError>(());
        let edited = pollster::block_on(engine.finish(edit, pause)).unwrap();
        let mode = edited.paste_mode(engine.manifest());
        let quad = Quad::whole(aligned.width(), aligned.height()).unwrap();
        let backdrop = finder.backdrop(&aligned, &quad).unwrap();
        edited
            .paste_before(&aligned, &quad, None, mode, backdrop.as_ref())
            .unwrap()
    };
    let mesh = finder.mesh_of_aligned(&aligned).unwrap().unwrap();
    let [by_its_own, by_average] = [Some(mesh.landmarks()), None].map(edited_by);
    assert!(spread(&found, &by_its_own) < 0.1);
    assert!(spread(&found, &by_average) > 0.5);
}

#[test]
fn the_command_line_keeps_black_and_white_under_every_slider() {
    let portrait = portrait();
    let grey = drawn(portrait.width(), portrait.height(), |x, y| {
        let level = portrait.rgba()[4 * (y * portrait.width() + x) + 1];
        [level, level, level, 255]
    });
    let file = encode(&grey, Format::Png).unwrap();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/manifest.json");
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    let directions = manifest["directions"].as_array().unwrap();
    let all: Vec<String> = directions
        .iter()
        .map(|d| format!("{}={}", d["name"].as_str().unwrap(), d["range"][1]))
        .collect();
    assert!(all.len() > 5, "{all:?}");
    for mode in ["face", "difference"] {
        let options = ["--edit", &all.join(","), "--paste", mode];
        let (bytes, _) = edited(&format!("grey-{mode}"), &file, "png", &options);
        let out = decode(&bytes).unwrap().picture;
        let tinted = out
            .rgba()
            .chunks_exact(4)
            .find(|p| p[0] != p[1] || p[1] != p[2]);
        assert_eq!(tinted, None, "{mode}");
        assert!(spread(&grey, &out) > 2.0, "there is an edit");
    }
}

#[test]
fn the_command_line_says_what_was_done_to_a_photo() {
    let folder = folder().join("files");
    let output = Command::new(env!("CARGO_BIN_EXE_sdic"))
        .arg("align")
        .arg(folder.join("48-megapixels-sideways.png"))
        .args(["--out", "nowhere"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let note = "the photo has 6000 x 8000 pixels and was reduced to 4242 x 5656";
    assert!(
        said.contains(note) && said.contains("no face found"),
        "{said}"
    );
}
