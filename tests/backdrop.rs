//! What stays and what moves when a face is put in front of what is behind it.

#[path = "face/common.rs"]
#[allow(dead_code)]
mod common;

use std::{fs, path::Path};

use common::{finder, scene};
use sdic::{
    face::{Backdrop, FaceError, FaceFinder, PasteMode, Rendered, paste_back, paste_before},
    pixels::{Difference, Field, GRID, Picture, Point, Quad, decode},
};
use serde_json::{Value, json};

/// Sides of the photo, which the quad fills, and of the edited face.
const SIDE: usize = 384;
const FACE: usize = 64;
/// The head at rest: middle and radius, in sides of the quad.
const HEAD: (Point, f32) = ([0.5, 0.5], 0.22);
/// How far the head moves to the left, in sides.
const STEP: f32 = 0.06;

/// How far a spot is outside the head at rest, in sides; negative inside.
fn beyond_head([u, v]: Point) -> f32 {
    let ([x, y], radius) = HEAD;
    (u - x).hypot(v - y) - radius
}

/// Upright bars behind a red head with a pattern.
fn photo() -> Picture<'static> {
    let mut rgba = Vec::new();
    for index in 0..SIDE * SIDE {
        let (x, y) = (index % SIDE, index / SIDE);
        let uv = [x, y].map(|t| (t as f32 + 0.5) / SIDE as f32);
        let grain = ((x * 7919 + y * 104_729) % 13) as u8;
        let [bar, pattern] = [x / 12 % 2, (x / 6 + y / 9) % 2].map(|t| t as u8);
        rgba.extend(match beyond_head(uv) < 0.0 {
            true => [200 + 2 * grain, 40 * pattern, 20 + grain, 255],
            false => [
                90 + 60 * bar + grain,
                100 + 60 * bar + grain,
                120 + 60 * bar + grain,
                255,
            ],
        });
    }
    Picture::new(SIDE, SIDE, rgba).unwrap()
}

/// The head's mask with an edge of two cells, in front of plain grey.
fn backdrop() -> Backdrop {
    const CELLS: usize = 256;
    let mut rgba = Vec::new();
    for index in 0..CELLS * CELLS {
        let uv = [index % CELLS, index / CELLS].map(|t| (t as f32 + 0.5) / CELLS as f32);
        let mask = (0.5 - 0.5 * CELLS as f32 * beyond_head(uv)).clamp(0.0, 1.0);
        rgba.extend([126, 136, 156, (255.0 * mask) as u8]);
    }
    Backdrop::from_picture(Picture::new(CELLS, CELLS, rgba).unwrap()).unwrap()
}

/// To the left by [`STEP`] where the head goes, and by less and less towards the border.
fn motion() -> Field {
    let arrow = |i: usize| {
        let [u, v] = [i % GRID, i / GRID].map(|i| (i as f32 + 0.5) / GRID as f32);
        let away = ((u + STEP - 0.5).hypot(v - 0.5) - 0.3).max(0.0) / 0.2;
        [STEP * (1.0 - away).clamp(0.0, 1.0), 0.0]
    };
    Field::new((0..GRID * GRID).map(arrow).collect()).unwrap()
}

fn plain(value: u8) -> Picture<'static> {
    Picture::new(FACE, FACE, [value, value, value, 255].repeat(FACE * FACE)).unwrap()
}

fn quad() -> Quad {
    Quad::whole(SIDE, SIDE).unwrap()
}

/// The photo pasted as it was before there were backdrops, and in front of one.
fn pasted(
    motion: Option<&Field>,
    difference: Option<&Difference>,
    mode: PasteMode,
) -> [Picture<'static>; 2] {
    let (photo, face, backdrop) = (photo(), plain(128), backdrop());
    let rendered = Rendered {
        edited: &face,
        unedited: &face,
        difference,
        motion,
    };
    [
        paste_back(&photo, &quad(), None, rendered, mode).unwrap(),
        paste_before(&photo, &quad(), None, rendered, mode, Some(&backdrop)).unwrap(),
    ]
}

/// Colours of two pictures side by side, with the spot that they are at.
fn pairs<'a>(a: &'a Picture, b: &'a Picture) -> impl Iterator<Item = (Point, &'a [u8], &'a [u8])> {
    let pixels = a.rgba().chunks_exact(4).zip(b.rgba().chunks_exact(4));
    pixels.enumerate().map(|(index, (a, b))| {
        let uv = [index % SIDE, index / SIDE].map(|t| (t as f32 + 0.5) / SIDE as f32);
        (uv, a, b)
    })
}

/// Whether the moved head shows at a spot: how far beyond it the spot is.
fn beyond_moved_head(motion: &Field, uv: Point) -> f32 {
    let [right, down] = motion.at(uv);
    beyond_head([uv[0] + right, uv[1] + down])
}

#[test]
fn the_background_stays_and_the_head_moves() {
    let (photo, motion) = (photo(), motion());
    let [before, after] = pasted(Some(&motion), None, PasteMode::Difference);
    let (mut dragged, mut still, mut head) = (0, 0, 0);
    for ((uv, own, before), (_, _, after)) in pairs(&photo, &before).zip(pairs(&photo, &after)) {
        let outside = beyond_head(uv).min(beyond_moved_head(&motion, uv));
        // Close to the head, hair might be astray.
        if outside > 0.03 {
            assert_eq!(own, after, "background at {uv:?}");
            dragged += usize::from(own != before);
            still += 1;
        }
        if beyond_moved_head(&motion, uv) < -0.01 {
            assert_eq!(before, after, "head at {uv:?}");
            head += usize::from(own != after);
        }
    }
    // Without a backdrop, the bars were dragged along.
    assert!(dragged > still / 10, "{dragged} of {still}");
    assert!(head > SIDE * SIDE / 20, "{head}");
}

#[test]
fn what_the_head_uncovers_is_filled_with_background() {
    let (photo, motion) = (photo(), motion());
    let [_, after] = pasted(Some(&motion), None, PasteMode::Difference);
    let mut uncovered = Vec::new();
    for (uv, own, after) in pairs(&photo, &after) {
        if beyond_head(uv) < -0.01 && beyond_moved_head(&motion, uv) > 0.01 {
            assert!(own[0] > 190 && own[1] < 60, "the head was at {uv:?}");
            assert!(
                after[1] > 70 && after[0].abs_diff(after[1]) < 25,
                "{after:?} at {uv:?} is no background"
            );
            uncovered.push(f32::from(after[1]));
        }
    }
    assert!(uncovered.len() > 500, "{}", uncovered.len());
    // It has grain, as what is around.
    let mean = uncovered.iter().sum::<f32>() / uncovered.len() as f32;
    let variance = uncovered.iter().map(|v| (v - mean).powi(2)).sum::<f32>();
    let spread = (variance / uncovered.len() as f32).sqrt();
    assert!((10.0..45.0).contains(&spread), "{spread}");
}

#[test]
fn where_nothing_moves_nothing_is_new() {
    let brighter = Difference::new(FACE, FACE, vec![20 * 64; 3 * FACE * FACE]).unwrap();
    let still = Field::new(vec![[0.0; 2]; GRID * GRID]).unwrap();
    let moving = motion();
    for (motion, mode) in [
        (None, PasteMode::Difference),
        (Some(&still), PasteMode::Difference),
        (Some(&moving), PasteMode::Face),
    ] {
        let [before, after] = pasted(motion, Some(&brighter), mode);
        assert!(before == after, "{mode:?}");
    }
    // A motion of next to nothing is next to nothing new.
    let hardly = Field::new(vec![[1e-5, 0.0]; GRID * GRID]).unwrap();
    let [before, after] = pasted(Some(&hardly), Some(&brighter), PasteMode::Difference);
    for (uv, before, after) in pairs(&before, &after) {
        let far = before.iter().zip(after).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(far <= Some(2), "{before:?} and {after:?} at {uv:?}");
    }
}

#[test]
fn a_difference_keeps_to_the_person_without_a_hard_edge() {
    let brighter = Difference::new(FACE, FACE, vec![20 * 64; 3 * FACE * FACE]).unwrap();
    let motion = motion();
    let [_, after] = pasted(Some(&motion), Some(&brighter), PasteMode::Difference);
    let [_, without] = pasted(Some(&motion), None, PasteMode::Difference);
    let added = |uv: Point| {
        let [x, y] = uv.map(|t| (t * SIDE as f32) as usize);
        let at = 4 * (y * SIDE + x) + 2;
        i16::from(after.rgba()[at]) - i16::from(without.rgba()[at])
    };
    // Down from the middle of the head to the border.
    let line: Vec<i16> = (0..170)
        .map(|step| added([0.44, 0.5 + step as f32 / SIDE as f32]))
        .collect();
    assert!(
        line[..100].iter().all(|v| (19..=21).contains(v)),
        "{line:?}"
    );
    let steps = line.windows(2).map(|pair| (pair[1] - pair[0]).abs());
    assert!(steps.max() <= Some(2), "{line:?}");
    assert!(line[150..].iter().all(|v| *v <= 1), "{line:?}");
}

/// A portrait and the quad of the face in it.
fn portrait(finder: &FaceFinder) -> (Picture<'static>, Quad) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/samples/01.webp");
    let photo = decode(&fs::read(file).unwrap()).unwrap().picture;
    let quad = finder.detect(&photo).remove(0).quad;
    (photo, quad)
}

/// The pixel at a spot of a picture.
fn pixel<'a>(picture: &'a Picture, [u, v]: Point) -> &'a [u8] {
    let [x, y] = [u * picture.width() as f32, v * picture.height() as f32].map(|t| t as usize);
    &picture.rgba()[4 * (y * picture.width() + x)..][..4]
}

#[test]
fn a_silhouette_tells_where_the_person_is_and_what_is_near() {
    let finder = finder();
    let (photo, quad) = portrait(&finder);
    let silhouette = finder.silhouette(&photo, &quad).unwrap().unwrap();
    for spot in [[0.5, 0.5], [0.37, 0.47], [0.63, 0.47], [0.5, 0.75]] {
        assert_eq!(pixel(&silhouette, spot), [255; 4], "{spot:?}");
    }
    for spot in [[0.03, 0.1], [0.97, 0.1], [0.03, 0.4], [0.97, 0.4]] {
        let seen = pixel(&silhouette, spot);
        assert_eq!(seen[..2], [0, 0], "{spot:?}");
        assert!(seen[2] < 128, "{seen:?} at {spot:?}");
    }
    // Around the mask the background is hidden, and farther around the person is near.
    let sums = silhouette.rgba().chunks_exact(4).fold([0; 3], |sums, p| {
        assert!(p[2] >= p[0], "{p:?}");
        std::array::from_fn(|i| sums[i] + u64::from(p[i]))
    });
    assert!(sums[0] < sums[1] && sums[1] < sums[2], "{sums:?}");
    // The mask is that of the backdrop.
    let backdrop = finder.backdrop(&photo, &quad).unwrap().unwrap();
    let side = silhouette.width();
    let far = (0..side * side).map(|index| {
        let spot = [index % side, index / side].map(|t| (t as f32 + 0.5) / side as f32);
        let masks = [
            pixel(&silhouette, spot)[0],
            pixel(backdrop.picture(), spot)[3],
        ];
        u64::from(masks[0].abs_diff(masks[1]))
    });
    let mean = far.sum::<u64>() as f32 / (side * side) as f32;
    assert!(mean < 3.0, "{mean}");

    let square = Quad::whole(200, 200).unwrap();
    let empty = scene([200, 200], &[]);
    assert!(finder.silhouette(&empty, &square).unwrap().is_none());
    let none = Picture::new(0, 0, Vec::new()).unwrap();
    assert!(matches!(
        finder.silhouette(&none, &square),
        Err(FaceError::Empty { .. })
    ));
}

#[test]
fn a_person_is_told_from_what_is_behind() {
    let finder = finder();
    let (photo, quad) = portrait(&finder);
    let backdrop = finder.backdrop(&photo, &quad).unwrap().unwrap();
    let picture = backdrop.picture();
    let at = |spot: Point| pixel(picture, spot);
    for spot in [
        [0.5, 0.5],
        [0.37, 0.47],
        [0.63, 0.47],
        [0.5, 0.75],
        [0.5, 0.95],
    ] {
        assert_eq!(at(spot)[3], 255, "{spot:?}");
    }
    for spot in [[0.03, 0.1], [0.97, 0.1], [0.03, 0.4], [0.97, 0.4]] {
        assert_eq!(at(spot)[3], 0, "{spot:?}");
    }
    // The wall behind is grey, and is so where the head hides it.
    let [wall, hidden] = [at([0.03, 0.4]), at([0.5, 0.5])];
    let furthest = wall
        .iter()
        .zip(&hidden[..3])
        .map(|(a, b)| a.abs_diff(*b))
        .max();
    assert!(furthest <= Some(30), "{wall:?} and {hidden:?}");
    // Nobody, nothing, and what is cut out already.
    let empty = scene([200, 200], &[]);
    let square = Quad::whole(200, 200).unwrap();
    assert!(finder.backdrop(&empty, &square).unwrap().is_none());
    let none = Picture::new(0, 0, Vec::new()).unwrap();
    assert!(matches!(
        finder.backdrop(&none, &square),
        Err(FaceError::Empty { .. })
    ));
    let (width, height) = (photo.width(), photo.height());
    let mut rgba = photo.into_rgba();
    rgba[3] = 0;
    let cut = Picture::new(width, height, rgba).unwrap();
    assert!(finder.backdrop(&cut, &quad).unwrap().is_none());
}

#[test]
fn only_square_pictures_are_backdrops() {
    for [width, height] in [[200, 201], [127, 127], [0, 0]] {
        let picture = Picture::new(width, height, vec![9; 4 * width * height]).unwrap();
        assert!(Backdrop::from_picture(picture).is_none());
    }
}

#[test]
fn a_wrong_description_of_the_network_is_named() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/face");
    let [manifest, weights] =
        ["manifest.json", "face.safetensors"].map(|file| fs::read(folder.join(file)).unwrap());
    let error = |change: &dyn Fn(&mut Value)| {
        let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
        change(&mut manifest["networks"]["person"]);
        let text = manifest.to_string();
        let error = FaceFinder::from_bytes(text.as_bytes(), &weights).err();
        error.expect("it is refused").to_string()
    };
    let first = |kind: &str| -> usize {
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        let ops = manifest["networks"]["person"]["ops"].as_array().unwrap();
        ops.iter().position(|op| op["op"] == kind).unwrap()
    };
    let last = first("transposed_conv2d");
    let multiply = first("multiply");
    type Case<'a> = (&'a dyn Fn(&mut Value), &'a str);
    let cases: [Case; 9] = [
        (&|network| *network = Value::Null, "face manifest"),
        (
            &|network| network["outputs"] = json!({}),
            "the manifest lists no such output",
        ),
        (
            &|network| network["outputs"]["mask"] = "add_13".into(),
            "not those of a face network",
        ),
        // No multiple of the cells in which it is told how near the person is.
        (
            &|network| network["input"]["shape"] = json!([96, 96, 3]),
            "not those of a face network",
        ),
        (
            &|network| network["ops"][last]["stride"] = 3.into(),
            "with a stride of 3",
        ),
        (
            &|network| network["ops"][last]["stride"] = 0.into(),
            "with a stride of 0",
        ),
        (
            &|network| network["ops"][last]["weight"] = "person.segment.bias".into(),
            "does not fit",
        ),
        (
            &|network| {
                network["ops"][multiply]["other"] = network["ops"][multiply]["input"].clone()
            },
            "are not factors for the channels",
        ),
        (
            &|network| network["ops"][last]["slope"] = "person.segment.bias".into(),
            "other activations take none",
        ),
    ];
    for (change, expected) in cases {
        let said = error(change);
        assert!(said.contains(expected), "{said} does not say {expected:?}");
        assert!(!said.contains('\n'));
    }
}
