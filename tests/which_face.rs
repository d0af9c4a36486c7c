//! `sdic edit --face N`: what is edited and what is said are about that face.

use std::{fs, path::Path, process::Command};

use image::{Rgb, RgbImage, imageops};

/// Two portraits in one photo, the smaller one in hardly any light.
fn couple() -> RgbImage {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/samples");
    let mut photo = RgbImage::from_pixel(1200, 760, Rgb([128; 3]));
    for (name, side, x, y, light) in [
        ("01.webp", 640, 20, 60, 1.0),
        ("02.webp", 400, 740, 200, 0.12),
    ] {
        let portrait = image::open(samples.join(name)).unwrap().into_rgb8();
        let filter = imageops::FilterType::Triangle;
        let mut portrait = imageops::resize(&portrait, side, side, filter);
        for Rgb(colour) in portrait.pixels_mut() {
            *colour = colour.map(|value| (f32::from(value) * light) as u8);
        }
        imageops::replace(&mut photo, &portrait, x, y);
    }
    photo
}

#[test]
fn the_face_that_was_asked_for_is_edited_and_warned_of() {
    let folder = std::env::temp_dir().join(format!("sdic-which-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let photo = couple();
    photo.save(folder.join("couple.png")).unwrap();
    let edit = |face: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_sdic"))
            .current_dir(&folder)
            .args(["edit", "couple.png", "--face", face, "--edit", "age=2"])
            .args(["--out", "out.png", "--weights"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("weights"))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said)
    };
    let changed = || {
        let out = image::open(folder.join("out.png")).unwrap().into_rgb8();
        let pairs = photo.enumerate_pixels().zip(out.pixels());
        let columns = pairs.filter(|((.., before), after)| before != after);
        let columns: Vec<u32> = columns.map(|((x, ..), _)| x).collect();
        let left = columns.iter().filter(|&&x| x < 700).count();
        (left > 1000, columns.len() - left > 1000, columns.len())
    };
    for (face, dark, place) in [("1", false, (true, false)), ("2", true, (false, true))] {
        let (code, said) = edit(face);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(said.contains("Hardly any light falls"), dark, "{said}");
        let (left, right, count) = changed();
        assert_eq!((left, right), place, "face {face}: {count} pixels");
    }
    let (code, said) = edit("3");
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("--face: couple.png: there is no face 3; pass a number from 1 to 2"),
        "{said}"
    );
    fs::remove_dir_all(&folder).unwrap();
}
