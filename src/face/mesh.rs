//! The face mesh: a rotated square around a face in, 468 points out.

use super::{
    detector::Detection,
    error::FaceError,
    landmarks::{LANDMARKS, Landmarks, MESH_POINTS},
    network::Network,
};
use crate::pixels::{Point, Pyramid, Quad, QuadPoints};

/// How much larger than the face the square is that the network looks at.
const MARGIN: f32 = 1.5;
/// Passes at most, and the turn of the square in degrees below which the last one counts.
const MOST_PASSES: usize = 5;
const STEADY: f32 = 12.0;
/// A first pass that sees a face less probably than this does not get better.
const HOPELESS: f32 = 0.005;

const LEFT_EYE: [usize; 6] = [33, 160, 158, 133, 153, 144];
const RIGHT_EYE: [usize; 6] = [362, 385, 387, 263, 373, 380];
const OUTER_EYE_CORNERS: [usize; 2] = [33, 263];
/// Corners of the mouth in the mesh.
pub(crate) const MOUTH_CORNERS: [usize; 2] = [61, 291];
/// The outermost points of the cheeks in the mesh.
pub(crate) const CHEEKS: [usize; 2] = [234, 454];

/// The outline of the face, clockwise from the top of the forehead.
pub(super) const OVAL: [usize; 36] = [
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
    148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
];

/// The points of the mesh that lie nearest to the 68 landmarks, on average over 999 faces on which dlib had found
/// those.
#[rustfmt::skip]
const OF_LANDMARKS: [usize; LANDMARKS] = [
    127, 227, 93, 215, 138, 136, 149, 148, 152, 377, 378, 365, 367, 435, 323, 447, 356,
    70, 63, 105, 66, 55, 285, 296, 334, 293, 300,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    7, 160, 158, 155, 153, 144, 382, 385, 387, 249, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 77, 38, 13, 268, 307, 317, 14, 87,
];

/// The points of one face in picture coordinates.
#[derive(Clone, Debug)]
pub(super) struct Mesh {
    pub points: Vec<Point>,
    /// How far behind the middle of the face each point lies, in pixels.
    pub depths: Vec<f32>,
    /// Confidence in 0..=1 that the square held a face.
    pub presence: f32,
    /// Turn of the head in degrees, 0 for a face seen from the front, positive towards the right of the upright face.
    pub yaw: f32,
}

/// The mesh of a face in a picture in FFHQ framing, in three dimensions.
#[derive(Clone, Debug, PartialEq)]
pub struct AlignedMesh {
    /// The [`MESH_POINTS`] points in sides of the picture: to the right, down, and away from the viewer from the middle
    /// of the face.
    pub points: Vec<[f32; 3]>,
    /// Confidence in 0..=1 that there is a face.
    pub presence: f32,
}

impl AlignedMesh {
    /// The mesh in a square picture of `side` pixels.
    pub(super) fn new(mesh: &Mesh, side: f32) -> Self {
        let points = mesh.points.iter().zip(&mesh.depths);
        Self {
            points: points
                .map(|(&[x, y], &z)| [x, y, z].map(|value| value / side))
                .collect(),
            presence: mesh.presence,
        }
    }

    /// Whether there is a face rather than none.
    pub fn shows_face(&self) -> bool {
        self.presence >= 0.5
    }

    /// Its 68 landmarks.
    pub fn landmarks(&self) -> Landmarks {
        OF_LANDMARKS.map(|i| self.points.get(i).map_or([0.0; 2], |&[x, y, _]| [x, y]))
    }
}

/// Each pass gives a better square for the next: the first follows the detector's box and eyes, the second the points
/// of the first. More follow only while the square goes on turning: of eyes that are not level the detector is vague.
pub(super) fn trace(network: &Network, pyramid: &Pyramid, detection: &Detection) -> Option<Mesh> {
    let [left, right] = detection.eyes;
    let mut square = around(detection.centre, detection.size, left, right)?;
    let mut mesh = pass(network, pyramid, &square);
    if mesh.presence < HOPELESS {
        return None;
    }
    for _ in 1..MOST_PASSES {
        let next = surroundings(&mesh.points)?;
        let turn = (next.tilt() - square.tilt() + 180.0).rem_euclid(360.0) - 180.0;
        square = next;
        mesh = pass(network, pyramid, &square);
        if turn.abs() < STEADY {
            break;
        }
    }
    Some(mesh)
}

/// The mesh where a face is looked for that has moved a little from `points`. One pass will do: in a film each is the
/// start of the next.
pub(super) fn follow(network: &Network, pyramid: &Pyramid, points: &[Point]) -> Option<Mesh> {
    Some(pass(network, pyramid, &surroundings(points)?))
}

/// The square around the points of a mesh, with the outer corners of the eyes level.
fn surroundings(points: &[Point]) -> Option<Quad> {
    let [left, right] = OUTER_EYE_CORNERS.map(|i| points[i]);
    // Bounding box of the points in a frame whose x axis runs along the eyes.
    let frame = around([0.0, 0.0], 1.0 / MARGIN, left, right)?;
    let located = points.iter().map(|&p| frame.locate(p));
    let (low, high) = located.fold(([f32::MAX; 2], [f32::MIN; 2]), |(low, high), [u, v]| {
        (
            [low[0].min(u), low[1].min(v)],
            [high[0].max(u), high[1].max(v)],
        )
    });
    let middle = frame.at([(low[0] + high[0]) / 2.0, (low[1] + high[1]) / 2.0]);
    let size = (high[0] - low[0]).max(high[1] - low[1]);
    around(middle, size, left, right)
}

/// The square around something of `size`, with the line from `left` to `right` level.
fn around(centre: Point, size: f32, left: Point, right: Point) -> Option<Quad> {
    let [dx, dy] = [right[0] - left[0], right[1] - left[1]];
    let half = MARGIN * size / 2.0 / dx.hypot(dy);
    Quad::new(centre, [dx * half, dy * half])
}

fn pass(network: &Network, pyramid: &Pyramid, square: &Quad) -> Mesh {
    let side = network.input_shape()[0];
    let input = pyramid
        .sample(square, side)
        .flat_map(|rgb| rgb.unwrap_or_default().map(|v| v / 255.0))
        .collect();
    let outputs = network.run(input);
    let (raw, _) = outputs[0].as_chunks::<3>();
    let [left, right] = CHEEKS.map(|i| raw[i]);
    Mesh {
        points: raw
            .iter()
            .map(|[x, y, _]| square.at([x / side as f32, y / side as f32]))
            .collect(),
        depths: raw
            .iter()
            .map(|[_, _, z]| z * square.side() / side as f32)
            .collect(),
        presence: 1.0 / (1.0 + (-outputs[1][0]).exp()),
        yaw: (right[2] - left[2]).atan2(right[0] - left[0]).to_degrees(),
    }
}

/// The 68 landmarks of a face, in sides of `quad`, from the points of its mesh in the picture.
///
/// # Errors
/// [`FaceError::Mesh`] for a wrong number of points.
pub fn landmarks_of(mesh: &[Point], quad: &Quad) -> Result<Landmarks, FaceError> {
    if mesh.len() != MESH_POINTS {
        return Err(FaceError::Mesh { found: mesh.len() });
    }
    Ok(OF_LANDMARKS.map(|i| quad.locate(mesh[i])))
}

/// Eyes and mouth corners. `points` must be the [`MESH_POINTS`] of a mesh.
pub(super) fn quad_points(points: &[Point]) -> QuadPoints {
    let mean = |indices: &[usize]| {
        let sum = indices.iter().fold([0.0, 0.0], |sum: Point, &i| {
            [sum[0] + points[i][0], sum[1] + points[i][1]]
        });
        sum.map(|v| v / indices.len() as f32)
    };
    QuadPoints {
        left_eye: mean(&LEFT_EYE),
        right_eye: mean(&RIGHT_EYE),
        left_mouth: points[MOUTH_CORNERS[0]],
        right_mouth: points[MOUTH_CORNERS[1]],
    }
}
