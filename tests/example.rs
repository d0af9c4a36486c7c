//! `examples/edit.rs`, its program run as a person would.

mod scratch;

use std::{
    env::consts::EXE_EXTENSION,
    fs,
    path::Path,
    process::{Command, Output},
};

use image::{RgbImage, imageops};
use sdic::{
    face::FaceFinder,
    pixels::{Picture, decode},
};

use scratch::Scratch;

/// Where the face is put into the photo, and how large.
const PLACE: [i64; 2] = [330, 70];
const SIDE: u32 = 256;

/// Runs the example's program, which `cargo test` builds beside the command line's.
fn example(arguments: &[&Path]) -> Output {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/edit.rs");
    let folder = Path::new(env!("CARGO_BIN_EXE_sdic")).parent().unwrap();
    let program = folder.join("examples/edit").with_extension(EXE_EXTENSION);
    let changed = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    assert!(
        changed(&program) >= changed(&source),
        "the example is older than its source; without --test cargo builds it, too"
    );
    Command::new(program).args(arguments).output().unwrap()
}

/// A sample portrait in a larger photo with a grain that nothing but a copy keeps.
fn photo(root: &Path) -> RgbImage {
    let grain = |x: u32, y: u32| (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)) >> 7;
    let mut photo = RgbImage::from_fn(640, 420, |x, y| {
        let shade = 90 + (grain(x, y) % 40) as u8;
        image::Rgb([shade, shade + 20, shade + 40])
    });
    let portrait = image::open(root.join("weights/samples/01.webp")).unwrap();
    let portrait = imageops::resize(
        &portrait.into_rgb8(),
        SIDE,
        SIDE,
        imageops::FilterType::Triangle,
    );
    imageops::overlay(&mut photo, &portrait, PLACE[0], PLACE[1]);
    photo
}

fn read(path: &Path) -> (Vec<u8>, Picture<'static>) {
    let file = fs::read(path).unwrap();
    let picture = decode(&file).unwrap().picture;
    (file, picture)
}

#[test]
fn the_example_edits_the_face_and_nothing_else_and_marks_the_picture() {
    let (folder, root) = (Scratch::new("example"), env!("CARGO_MANIFEST_DIR"));
    let [from, to] = ["photo.png", "edited.png"].map(|name| folder.0.join(name));
    photo(root.as_ref()).save(&from).unwrap();
    let model = Path::new(root).join("weights");
    let run = example(&[&model, &from, "smile=1.5".as_ref(), &to]);
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );

    let ((plain, before), (file, after)) = (read(&from), read(&to));
    let size = |picture: &Picture| [picture.width(), picture.height()];
    assert_eq!(size(&before), size(&after));
    let faces = FaceFinder::bundled().unwrap().detect(&before);
    assert_eq!(faces.len(), 1);
    let pixels = before
        .rgba()
        .chunks_exact(4)
        .zip(after.rgba().chunks_exact(4));
    let (mut within, mut beyond) = (0, 0);
    for (index, (before, after)) in pixels.enumerate() {
        let spot = [index % 640, index / 640].map(|at| at as f32 + 0.5);
        let inside = faces[0].quad.locate(spot);
        let inside = inside.iter().all(|at| (0.0..=1.0).contains(at));
        let differs = usize::from(before != after);
        if inside {
            within += differs
        } else {
            beyond += differs
        }
    }
    assert_eq!(beyond, 0, "pixels beyond the face differ");
    assert!(within > 2000, "only {within} pixels of the face differ");

    let marked = |file: &[u8]| {
        let mark = b"digitalsourcetype/compositeWithTrainedAlgorithmicMedia";
        file.windows(mark.len()).any(|bytes| bytes == mark)
    };
    assert!(marked(&file) && !marked(&plain));
}

#[test]
fn the_example_says_what_it_lacks() {
    let (folder, root) = (Scratch::new("example-lacks"), env!("CARGO_MANIFEST_DIR"));
    let [empty, out] = ["empty.png", "out.png"].map(|name| folder.0.join(name));
    RgbImage::new(64, 64).save(&empty).unwrap();
    let model = Path::new(root).join("weights");
    let cases: [(&[&Path], &str); 4] = [
        (&[], "usage: edit WEIGHTS PHOTO SLIDER=STRENGTH OUT"),
        (
            &[&model, &empty, "smile".as_ref(), &out],
            "no SLIDER=STRENGTH",
        ),
        (
            &[&model, &empty, "smile=1".as_ref(), "out.bmp".as_ref()],
            "OUT ends in no known format",
        ),
        (
            &[&model, &empty, "smile=1".as_ref(), &out],
            "no face found in the photo",
        ),
    ];
    for (arguments, reason) in cases {
        let run = example(arguments);
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(!run.status.success() && said.contains(reason), "{said}");
        assert!(!out.exists());
    }
}

#[test]
fn the_example_stays_short() {
    let text = include_str!("../examples/edit.rs");
    assert!(text.lines().count() <= 40, "the example is an example");
}
