//! Finding every face of a photo: weights, search strategy, and what to warn about.

use std::collections::BTreeMap;

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    detector::{self, Detection},
    error::FaceError,
    landmarks::{Landmarks, MESH_POINTS},
    mesh::{self, Mesh, OVAL},
    network::{Description, Network},
};
use crate::pixels::{Picture, Point, Pyramid, Quad, QuadError, QuadPoints, length, sub};

/// Format version of the manifest.
const FORMAT: u32 = 1;
/// A best score below this makes the search go on in the other orientations.
const CERTAIN: f32 = 0.75;
/// Side of the square for a closer look, in sides of the quad.
const CLOSER: f32 = 1.5;
/// Meshes less probable than this lie on no face.
const MIN_PRESENCE: f32 = 0.3;
/// Where FFHQ framing puts the eyes, on average; in sides of the picture.
const ALIGNED_EYES: [Point; 2] = [[0.374, 0.463], [0.629, 0.462]];
/// Middle and longer side of the detector's box around a face in FFHQ framing, likewise.
const ALIGNED_BOX: (Point, f32) = ([0.5, 0.594], 0.626);
/// Two quads whose centres are closer than this, in sides of the larger, show one face.
const SAME_FACE: f32 = 0.25;

/// Score below which a face may be none.
const DOUBTFUL: f32 = 0.6;
/// Yaw in degrees from which a face counts as seen from the side.
const PROFILE_YAW: f32 = 35.0;
/// Sides of quads below this, in pixels, hold too little detail.
const TINY_SIDE: f32 = 96.0;
/// Mean luminance, of 255, below which a face is dark.
const DARK_LUMINANCE: f32 = 45.0;
/// Share of the quad beyond the photo from which that is worth a word.
const OUTSIDE_SHARE: f32 = 0.15;

#[derive(Deserialize)]
struct FaceManifest {
    format: u32,
    shard: Shard,
    networks: BTreeMap<String, Description>,
}

#[derive(Deserialize)]
struct Shard {
    file: String,
    bytes: usize,
    sha256: String,
}

/// Something about a face that makes a poor result likely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Warning {
    /// Turned far to the side.
    Profile,
    /// Few pixels.
    Tiny,
    /// Hardly any light.
    Dark,
    /// Perhaps not a face, or hidden by something.
    Uncertain,
    /// Cut off by the edge of the photo.
    Outside,
}

impl Warning {
    /// A sentence for people.
    pub fn message(self) -> &'static str {
        match self {
            Warning::Profile => {
                "The face is turned far to the side; a picture from the front works better."
            }
            Warning::Tiny => "The face is very small; use a larger or closer picture.",
            Warning::Dark => "The face is very dark; use a picture with more light.",
            Warning::Uncertain => {
                "This may not be a face, or something covers it; check the alignment."
            }
            Warning::Outside => {
                "The face reaches beyond the edge of the photo; what is missing will be made up."
            }
        }
    }
}

/// A face in a photo; all positions are in the photo's pixels (see [`Picture`]).
#[derive(Clone, Debug, Serialize)]
pub struct Face {
    /// Confidence of detector and mesh together, 0..=1.
    pub score: f32,
    /// What FFHQ alignment cuts out; serialised as its four corners.
    pub quad: Quad,
    /// The four points behind the quad, for correcting it by hand.
    pub quad_points: QuadPoints,
    /// The [`MESH_POINTS`] points of the face mesh.
    pub mesh: Vec<Point>,
    /// Upright rectangle around the points: left, top, width, height.
    #[serde(rename = "box")]
    pub bounds: [f32; 4],
    /// How the face lies in the photo, clockwise to the nearest quarter turn: 0 upright, 90, 180 or 270 degrees.
    pub rotation: u16,
    /// Turn of the head in degrees, 0 from the front, positive towards the right of the upright face.
    pub yaw: f32,
    /// Reasons to expect a poor result.
    pub warnings: Vec<Warning>,
}

/// The face detector and the face mesh.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sdic::{face::{FaceFinder, align}, pixels::decode};
///
/// let finder = FaceFinder::from_bytes(&std::fs::read("weights/face/manifest.json")?, &std::fs::read("weights/face/face.safetensors")?)?;
/// let photo = decode(&std::fs::read("selfie.jpg")?)?.picture;
/// for face in finder.detect(&photo) {
///     let crop = align(&photo, &face.quad, 256)?;
/// }
/// # Ok(())
/// # }
/// ```
pub struct FaceFinder {
    detector: Network,
    mesh: Network,
}

impl FaceFinder {
    /// Reads the contents of `weights/face/manifest.json` and of the file it names.
    ///
    /// # Errors
    /// Any [`FaceError`] about manifest, weights, tensors or graph.
    pub fn from_bytes(manifest: &[u8], weights: &[u8]) -> Result<FaceFinder, FaceError> {
        let manifest: FaceManifest = serde_json::from_slice(manifest)?;
        if manifest.format != FORMAT {
            return Err(FaceError::Format {
                found: manifest.format,
                expected: FORMAT,
            });
        }
        let Shard {
            file,
            bytes,
            sha256,
        } = manifest.shard;
        let damaged = |problem: String| FaceError::Weights {
            file: file.clone(),
            problem,
        };
        if weights.len() != bytes {
            return Err(damaged(format!(
                "{} bytes instead of {bytes}",
                weights.len()
            )));
        }
        let digest: String = Sha256::digest(weights)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if digest != sha256 {
            return Err(damaged(format!("SHA-256 {digest} instead of {sha256}")));
        }
        let tensors =
            SafeTensors::deserialize(weights).map_err(|error| damaged(error.to_string()))?;
        let network = |name: &str, outputs: [&str; 2]| {
            let fault = |at: &str, problem: String| FaceError::Graph {
                network: name.into(),
                at: at.into(),
                problem,
            };
            let description = manifest
                .networks
                .get(name)
                .ok_or_else(|| fault("networks", "it is missing".into()))?;
            let network = Network::new(name, description, &tensors, &outputs)?;
            let [height, width, channels] = network.input_shape();
            if height != width || channels != 3 {
                return Err(fault(
                    "input",
                    format!("{height} x {width} x {channels} is not a square RGB picture"),
                ));
            }
            Ok(network)
        };
        let detector = network("detector", ["boxes", "scores"])?;
        let mesh = network("mesh", ["points", "face"])?;
        check_outputs("detector", &detector, |[boxes, scores]| {
            boxes[0] == boxes[1]
                && boxes == [scores[0], scores[1], detector::NUMBERS]
                && scores[2] == 1
        })?;
        check_outputs("mesh", &mesh, |[points, face]| {
            points == [1, 1, 3 * MESH_POINTS] && face == [1, 1, 1]
        })?;
        Ok(FaceFinder { detector, mesh })
    }

    /// All faces of a photo, largest first; none for a photo without faces or without pixels.
    ///
    /// The photo is searched as a whole first. If that leaves doubt it is also searched turned by 90, 180 and 270
    /// degrees, and the most certain orientation counts. If there is still no face, one that fills the photo and small
    /// ones in parts of the photo are looked for.
    pub fn detect(&self, photo: &Picture) -> Vec<Face> {
        if photo.is_empty() {
            return Vec::new();
        }
        let pyramid = Pyramid::new(photo.view());
        let best_score = |faces: &[Face]| faces.iter().map(|face| face.score).fold(0.0, f32::max);
        let mut faces = self.search(&pyramid, &[whole(photo, 0, 1.0)]);
        if best_score(&faces) < CERTAIN {
            for turn in 1..4 {
                let turned = self.search(&pyramid, &[whole(photo, turn, 1.0)]);
                if best_score(&turned) > best_score(&faces) {
                    faces = turned;
                }
            }
        }
        if faces.is_empty() {
            faces = self.search(&pyramid, &[whole(photo, 0, 2.0)]);
        }
        if faces.is_empty() {
            faces = self.search(&pyramid, &parts(photo));
        }
        faces.sort_by(|a, b| b.quad.side().total_cmp(&a.quad.side()));
        faces
    }

    /// The landmarks of the face in a square picture that already has FFHQ framing, in sides of the picture, and the
    /// mesh's confidence in 0..=1 that there is a face.
    ///
    /// The detector is not asked: the mesh starts where that framing puts a face.
    ///
    /// # Errors
    /// [`FaceError::Empty`] for a picture without pixels, [`FaceError::NotSquare`] for one that is not square.
    pub fn landmarks_of_aligned(&self, picture: &Picture) -> Result<(Landmarks, f32), FaceError> {
        let (width, height) = (picture.width(), picture.height());
        if picture.is_empty() {
            return Err(FaceError::Empty {
                what: "landmarks of an aligned face",
            });
        }
        if width != height {
            return Err(FaceError::NotSquare { width, height });
        }
        let quad = whole(picture, 0, 1.0).ok_or(QuadError)?;
        let (centre, size) = ALIGNED_BOX;
        let detection = Detection {
            score: 1.0,
            centre: quad.at(centre),
            size: size * quad.side(),
            eyes: ALIGNED_EYES.map(|eye| quad.at(eye)),
        };
        let pyramid = Pyramid::new(picture.view());
        let mesh = mesh::trace(&self.mesh, &pyramid, &detection).ok_or(QuadError)?;
        Ok((mesh::landmarks_of(&mesh.points, &quad)?, mesh.presence))
    }

    /// Faces in any of the squares, each only once.
    fn search(&self, pyramid: &Pyramid, squares: &[Option<Quad>]) -> Vec<Face> {
        let mut faces: Vec<Face> = Vec::new();
        for square in squares.iter().flatten() {
            for detection in detector::detect(&self.detector, pyramid, square) {
                let Some(face) = self.face(pyramid, &detection) else {
                    continue;
                };
                match faces
                    .iter_mut()
                    .find(|known| same_face(&known.quad, &face.quad))
                {
                    Some(known) if known.score >= face.score => {}
                    Some(known) => *known = face,
                    None => faces.push(face),
                }
            }
        }
        faces
    }

    /// The face at a detection. Where there is doubt a closer look decides, with the face level and in the middle.
    fn face(&self, pyramid: &Pyramid, detection: &Detection) -> Option<Face> {
        let face = self.trace(pyramid, detection)?;
        if face.score >= CERTAIN {
            return Some(face);
        }
        let square = face.quad.scaled(CLOSER)?;
        let detections = detector::detect(&self.detector, pyramid, &square);
        let distance = |d: &Detection| length(sub(d.centre, face.quad.centre()));
        let nearest = detections
            .iter()
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
        self.trace(pyramid, nearest)
    }

    /// The mesh at a detection and what follows from it.
    fn trace(&self, pyramid: &Pyramid, detection: &Detection) -> Option<Face> {
        let mesh = mesh::trace(&self.mesh, pyramid, detection)
            .filter(|mesh| mesh.presence >= MIN_PRESENCE)?;
        let quad_points = mesh::quad_points(&mesh.points);
        let quad = Quad::from_points(&quad_points).ok()?;
        let score = detection.score * mesh.presence;
        let warnings = warnings(pyramid, &quad, &mesh, score);
        let quarters = (quad.tilt() / 90.0).round() as i32;
        Some(Face {
            score,
            quad,
            quad_points,
            bounds: bounds(&mesh.points),
            rotation: 90 * quarters.rem_euclid(4) as u16,
            yaw: mesh.yaw,
            mesh: mesh.points,
            warnings,
        })
    }
}

fn check_outputs(
    name: &str,
    network: &Network,
    fits: impl Fn([[usize; 3]; 2]) -> bool,
) -> Result<(), FaceError> {
    let shapes = network.output_shapes();
    if fits([shapes[0], shapes[1]]) {
        return Ok(());
    }
    let problem = format!("shapes {shapes:?} are not those of a face network");
    Err(FaceError::Graph {
        network: name.to_string(),
        at: "outputs".to_string(),
        problem,
    })
}

/// The square around the photo, `margin` times as large, turned clockwise by `turn` quarters.
fn whole(photo: &Picture, turn: u8, margin: f32) -> Option<Quad> {
    let [width, height] = [photo.width() as f32, photo.height() as f32];
    let half = margin * width.max(height) / 2.0;
    let direction = [[half, 0.0], [0.0, half], [-half, 0.0], [0.0, -half]][usize::from(turn)];
    Quad::new([width / 2.0, height / 2.0], direction)
}

/// Overlapping upright squares that cover the photo, each with half its longer side.
fn parts(photo: &Picture) -> Vec<Option<Quad>> {
    let [width, height] = [photo.width() as f32, photo.height() as f32];
    let half = width.max(height) / 4.0;
    let middles = |length: f32| {
        let count = if length <= 2.0 * half { 1 } else { 3 };
        (0..count).map(move |i| {
            if count == 1 {
                length / 2.0
            } else {
                half + i as f32 * (length - 2.0 * half) / 2.0
            }
        })
    };
    middles(height)
        .flat_map(|y| middles(width).map(move |x| Quad::new([x, y], [half, 0.0])))
        .collect()
}

fn same_face(a: &Quad, b: &Quad) -> bool {
    length(sub(a.centre(), b.centre())) < SAME_FACE * a.side().max(b.side())
}

/// Left, top, width and height of the rectangle around some points.
fn bounds(points: &[Point]) -> [f32; 4] {
    let range = |axis: usize| {
        let values = points.iter().map(move |p| p[axis]);
        values.fold((f32::MAX, f32::MIN), |(low, high), v| {
            (low.min(v), high.max(v))
        })
    };
    let ((left, right), (top, bottom)) = (range(0), range(1));
    [left, top, right - left, bottom - top]
}

fn warnings(pyramid: &Pyramid, quad: &Quad, mesh: &Mesh, score: f32) -> Vec<Warning> {
    let samples: Vec<_> = pyramid.sample(quad, 32).collect();
    let share_outside =
        samples.iter().filter(|s| s.is_none()).count() as f32 / samples.len() as f32;
    // Of the middle of the square, where the face is.
    let face = samples
        .chunks(32)
        .skip(10)
        .take(16)
        .flat_map(|row| row[10..22].iter().flatten());
    let (sum, count) = face.fold((0.0, 0.0), |(sum, count), [r, g, b]| {
        (sum + 0.299 * r + 0.587 * g + 0.114 * b, count + 1.0)
    });
    let photo = pyramid.full();
    let cut = OVAL.iter().any(|&i| {
        let [x, y] = mesh.points[i];
        x < 0.0 || y < 0.0 || x > photo.width() as f32 || y > photo.height() as f32
    });
    [
        (mesh.yaw.abs() > PROFILE_YAW, Warning::Profile),
        (quad.side() < TINY_SIDE, Warning::Tiny),
        (sum < DARK_LUMINANCE * count, Warning::Dark),
        (score < DOUBTFUL, Warning::Uncertain),
        (cut || share_outside > OUTSIDE_SHARE, Warning::Outside),
    ]
    .into_iter()
    .filter_map(|(applies, warning)| applies.then_some(warning))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Vec<u8> {
        std::fs::read(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    fn finder() -> FaceFinder {
        FaceFinder::from_bytes(
            &read("weights/face/manifest.json"),
            &read("weights/face/face.safetensors"),
        )
        .unwrap()
    }

    /// The picture of `tests/face/golden.py`, 0..=255.
    fn pattern() -> impl Iterator<Item = f32> {
        (0..192 * 192 * 3).map(|index: i64| {
            let (y, x, channel) = (index / 576, index / 3 % 192, index % 3);
            let value =
                ((y - 96).pow(2)) / 8 + (x - 90) * 5 + channel * 60 + (x / 16 + y / 16) % 2 * 40;
            value.rem_euclid(256) as f32
        })
    }

    #[test]
    fn networks_agree_with_the_reference_runtime() {
        let golden = read("tests/face/golden.safetensors");
        let golden = SafeTensors::deserialize(&golden).unwrap();
        let finder = finder();
        let boxes = finder
            .detector
            .run(pattern().map(|v| v / 127.5 - 1.0).collect());
        let points = finder.mesh.run(pattern().map(|v| v / 255.0).collect());
        for (name, output) in ["boxes", "scores", "points", "face"]
            .iter()
            .zip(boxes.iter().chain(&points))
        {
            let tensor = golden.tensor(name).unwrap();
            let (expected, _) = tensor.data().as_chunks::<4>();
            assert_eq!(output.len(), expected.len(), "{name}");
            for (index, (value, expected)) in output.iter().zip(expected).enumerate() {
                let expected = f32::from_le_bytes(*expected);
                assert!(
                    (value - expected).abs() < 1e-3,
                    "{name}[{index}]: {value}, expected {expected}"
                );
            }
        }
    }
}
