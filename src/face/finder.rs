//! The face networks with their weights, and what they are used for.

use std::collections::BTreeMap;

use safetensors::SafeTensors;
use serde::Deserialize;

use super::{
    backdrop::{Backdrop, silhouette},
    detector::{self, Detection},
    error::FaceError,
    found::Face,
    landmarks::{Landmarks, MESH_POINTS},
    mesh::{self, AlignedMesh},
    network::{Description, Network},
    search::{MIN_PRESENCE, Search},
};
use crate::{
    pixels::{GRID, Picture, Point, Pyramid, Quad, QuadError},
    weights::{self, one_line},
};

/// Format version of the manifest.
const FORMAT: u32 = 1;
/// Where FFHQ framing puts the eyes, on average; in sides of the picture.
const ALIGNED_EYES: [Point; 2] = [[0.374, 0.463], [0.629, 0.462]];
/// Middle and longer side of the detector's box around a face in FFHQ framing, likewise.
const ALIGNED_BOX: (Point, f32) = ([0.5, 0.594], 0.626);
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

/// The face detector, the face mesh, and the network that tells a person from the background.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sdic::{face::FaceFinder, pixels::decode};
///
/// let finder = FaceFinder::bundled()?;
/// let photo = decode(&std::fs::read("selfie.jpg")?)?.picture;
/// for face in finder.detect(&photo) {
///     let crop = face.aligned(&photo, 256)?;
/// }
/// # Ok(())
/// # }
/// ```
pub struct FaceFinder {
    detector: Network,
    mesh: Network,
    person: Network,
}

impl FaceFinder {
    /// The networks that come with this crate, in `weights/face`. A page loads them as files instead.
    ///
    /// # Errors
    /// As [`Self::from_bytes`], of a copy of the crate whose files were exchanged.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn bundled() -> Result<FaceFinder, FaceError> {
        let manifest = include_bytes!("../../weights/face/manifest.json");
        let weights = include_bytes!("../../weights/face/face.safetensors");
        Self::from_bytes(manifest, weights)
    }

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
            file: one_line(&file),
            problem: one_line(&problem),
        };
        if weights.len() != bytes {
            return Err(damaged(format!(
                "{} bytes instead of {bytes}",
                weights.len()
            )));
        }
        let digest = weights::sha256(weights);
        if digest != sha256 {
            return Err(damaged(format!("SHA-256 {digest} instead of {sha256}")));
        }
        let tensors =
            SafeTensors::deserialize(weights).map_err(|error| damaged(error.to_string()))?;
        let network = |name: &str, outputs: &[&str]| {
            let fault = |at: &str, problem: String| FaceError::Graph {
                network: name.into(),
                at: at.into(),
                problem,
            };
            let description = manifest
                .networks
                .get(name)
                .ok_or_else(|| fault("networks", "it is missing".into()))?;
            let network = Network::new(name, description, &tensors, outputs)?;
            let [height, width, channels] = network.input_shape();
            if height != width || channels != 3 {
                return Err(fault(
                    "input",
                    format!("{height} x {width} x {channels} is not a square RGB picture"),
                ));
            }
            Ok(network)
        };
        let detector = network("detector", &["boxes", "scores"])?;
        let mesh = network("mesh", &["points", "face"])?;
        let person = network("person", &["mask"])?;
        check_outputs("detector", &detector, |[boxes, scores]| {
            boxes[0] == boxes[1]
                && boxes == [scores[0], scores[1], detector::NUMBERS]
                && scores[2] == 1
        })?;
        check_outputs("mesh", &mesh, |[points, face]| {
            points == [1, 1, 3 * MESH_POINTS] && face == [1, 1, 1]
        })?;
        let side = person.input_shape()[0];
        check_outputs("person", &person, |[mask]| {
            side > 0 && side.is_multiple_of(GRID) && mask == [side, side, 1]
        })?;
        Ok(FaceFinder {
            detector,
            mesh,
            person,
        })
    }

    /// All faces of a photo, largest first; none for a photo without faces or without pixels.
    ///
    /// Faces may lie in any direction. They may fill the photo; the smallest that are found reliably have quads of a
    /// fiftieth of its longer side, but not less than 48 pixels.
    pub fn detect(&self, photo: &Picture) -> Vec<Face> {
        if photo.is_empty() {
            return Vec::new();
        }
        let search = Search {
            detector: &self.detector,
            mesh: &self.mesh,
            pyramid: &Pyramid::new(photo.view()),
        };
        let mut faces = search.faces();
        faces.sort_by(|a, b| b.quad.side().total_cmp(&a.quad.side()));
        faces
    }

    /// The face whose mesh was `mesh` in the picture before of a film; `None` where it is seen no longer. That takes a
    /// fraction of the time of a search, and finds a face that has moved by less than half its width.
    ///
    /// # Errors
    /// [`FaceError::Empty`] for a picture without pixels, [`FaceError::Mesh`] for a wrong number of points.
    pub fn follow(&self, picture: &Picture, mesh: &[Point]) -> Result<Option<Face>, FaceError> {
        if picture.is_empty() {
            return Err(FaceError::Empty {
                what: "following a face",
            });
        }
        if mesh.len() != MESH_POINTS {
            return Err(FaceError::Mesh { found: mesh.len() });
        }
        let pyramid = Pyramid::new(picture.view());
        let followed = mesh::follow(&self.mesh, &pyramid, mesh);
        let seen = followed.filter(|mesh| mesh.presence >= MIN_PRESENCE);
        Ok(seen.and_then(|mesh| Face::new(&pyramid, mesh, 1.0)))
    }

    /// What is behind the person in the quad of a face, for [`paste_before`](super::paste_before). `None` where nobody
    /// is seen in the middle of it, or no background, and for photos that are transparent anywhere.
    ///
    /// # Errors
    /// [`FaceError::Empty`] for a photo without pixels.
    pub fn backdrop(&self, photo: &Picture, quad: &Quad) -> Result<Option<Backdrop>, FaceError> {
        Backdrop::new(&self.person, photo, quad)
    }

    /// Where the person is in the quad of a face, for pictures that follow each other and leave no time for a
    /// [`Backdrop`]: a square of 256 x 256 cells whose red is the person's mask, green how far the background is hidden
    /// there, and blue how near the person is. `None` as there, but for what is transparent.
    ///
    /// # Errors
    /// [`FaceError::Empty`] for a picture without pixels.
    pub fn silhouette(
        &self,
        picture: &Picture,
        quad: &Quad,
    ) -> Result<Option<Picture<'static>>, FaceError> {
        silhouette(&self.person, picture, quad)
    }

    /// The landmarks of the face in a square picture that already has FFHQ framing, in sides of the picture, and the
    /// mesh's confidence in 0..=1 that there is a face.
    ///
    /// # Errors
    /// As [`Self::mesh_of_aligned`]; and [`FaceError::NoFace`] where there is nothing like one.
    pub fn landmarks_of_aligned(&self, picture: &Picture) -> Result<(Landmarks, f32), FaceError> {
        let mesh = self.mesh_of_aligned(picture)?.ok_or(FaceError::NoFace)?;
        Ok((mesh.landmarks(), mesh.presence))
    }

    /// The mesh of the face in a square picture that already has FFHQ framing; `None` where there is nothing like one.
    ///
    /// The detector is not asked: the mesh starts where that framing puts a face.
    ///
    /// # Errors
    /// [`FaceError::Empty`] for a picture without pixels, [`FaceError::NotSquare`] for one that is not square.
    pub fn mesh_of_aligned(&self, picture: &Picture) -> Result<Option<AlignedMesh>, FaceError> {
        let (width, height) = (picture.width(), picture.height());
        if picture.is_empty() {
            return Err(FaceError::Empty {
                what: "landmarks of an aligned face",
            });
        }
        if width != height {
            return Err(FaceError::NotSquare { width, height });
        }
        let half = width as f32 / 2.0;
        let quad = Quad::new([half; 2], [half, 0.0]).ok_or(QuadError)?;
        let (centre, size) = ALIGNED_BOX;
        let detection = Detection {
            score: 1.0,
            centre: quad.at(centre),
            size: size * quad.side(),
            eyes: ALIGNED_EYES.map(|eye| quad.at(eye)),
        };
        let pyramid = Pyramid::new(picture.view());
        let mesh = mesh::trace(&self.mesh, &pyramid, &detection);
        Ok(mesh.map(|mesh| AlignedMesh::new(&mesh, width as f32)))
    }
}

fn check_outputs<const N: usize>(
    name: &str,
    network: &Network,
    fits: impl Fn([[usize; 3]; N]) -> bool,
) -> Result<(), FaceError> {
    let shapes = network.output_shapes();
    if <[_; N]>::try_from(shapes.clone()).is_ok_and(fits) {
        return Ok(());
    }
    let problem = format!("shapes {shapes:?} are not those of a face network");
    Err(FaceError::Graph {
        network: name.to_string(),
        at: "outputs".to_string(),
        problem,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Vec<u8> {
        std::fs::read(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    /// The picture of `tests/face/golden.py`, 0..=255.
    fn pattern(side: i64) -> impl Iterator<Item = f32> {
        (0..side * side * 3).map(move |index: i64| {
            let (y, x, channel) = (index / (3 * side), index / 3 % side, index % 3);
            let value =
                ((y - 96).pow(2)) / 8 + (x - 90) * 5 + channel * 60 + (x / 16 + y / 16) % 2 * 40;
            value.rem_euclid(256) as f32
        })
    }

    #[test]
    fn networks_agree_with_the_reference_runtime() {
        let golden = read("tests/face/golden.safetensors");
        let golden = SafeTensors::deserialize(&golden).unwrap();
        let finder = FaceFinder::bundled().unwrap();
        let boxes = finder
            .detector
            .run(pattern(192).map(|v| v / 127.5 - 1.0).collect());
        let points = finder.mesh.run(pattern(192).map(|v| v / 255.0).collect());
        let mask = finder.person.run(pattern(256).map(|v| v / 255.0).collect());
        for (name, output) in ["boxes", "scores", "points", "face", "mask"]
            .iter()
            .zip(boxes.iter().chain(&points).chain(&mask))
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
