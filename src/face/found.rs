//! A face in a photo: where it lies, what to warn about, and how far an edit may turn it.

use serde::Serialize;

use super::{
    align::align,
    error::FaceError,
    landmarks::Landmarks,
    mesh::{self, Mesh, OVAL},
};
use crate::pixels::{Picture, Point, Pyramid, Quad, QuadPoints, luma};

/// Score below which a face may be none.
const DOUBTFUL: f32 = 0.6;
/// Yaw in degrees from which a face counts as seen from the side: its far half is hidden.
const PROFILE_YAW: f32 = 35.0;
/// Sides of quads below this, in pixels, hold too little detail.
const TINY_SIDE: f32 = 96.0;
/// Share of the quad beyond the photo from which that is worth a word.
const OUTSIDE_SHARE: f32 = 0.15;

/// Grid on which the light is measured, per side of the quad; the face lies in these columns and rows.
const LIGHT_GRID: usize = 32;
const FACE_COLUMNS: std::ops::Range<usize> = 10..22;
const FACE_ROWS: std::ops::Range<usize> = 10..26;
/// Luminance, of 255, that highlights reach in any face that gets light. Of 2,120 portraits of people of all colours
/// every one reaches 80.
const DIM_HIGHLIGHT: f32 = 50.0;
/// Luminance that the brighter parts of well-lit surroundings reach.
const LIT_SURROUNDINGS: f32 = 90.0;
/// How many times as bright as the median of the face its highlights are where light falls on it.
const LIT_RELIEF: f32 = 2.0;

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
            Warning::Dark => "Hardly any light falls on the face; use a picture with more light.",
            Warning::Uncertain => {
                "This may not be a face, or something covers it; check the alignment."
            }
            Warning::Outside => {
                "The face reaches beyond the edge of the photo; what is missing will be made up."
            }
        }
    }
}

/// A face in a photo; all positions are in the photo's pixels (see [`Picture`](crate::pixels::Picture)).
#[derive(Clone, Debug, Serialize)]
pub struct Face {
    /// Confidence of detector and mesh together, 0..=1.
    pub score: f32,
    /// What FFHQ alignment cuts out; serialised as its four corners.
    pub quad: Quad,
    /// The four points behind the quad, for correcting it by hand.
    pub quad_points: QuadPoints,
    /// The [`MESH_POINTS`](super::MESH_POINTS) points of the face mesh.
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

impl Face {
    /// The face of a mesh; `score` is the detector's. `None` if the points define no quad.
    pub(super) fn new(pyramid: &Pyramid, mesh: Mesh, score: f32) -> Option<Face> {
        let quad_points = mesh::quad_points(&mesh.points);
        let quad = Quad::from_points(&quad_points).ok()?;
        let score = score * mesh.presence;
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

    /// The face cut out of its photo, upright and `size` pixels wide (see [`align()`]).
    ///
    /// # Errors
    /// As there.
    pub fn aligned(&self, photo: &Picture, size: usize) -> Result<Picture<'static>, FaceError> {
        align(photo, &self.quad, size)
    }

    /// Its landmarks, in sides of the quad.
    ///
    /// # Errors
    /// [`FaceError::Mesh`] if the mesh was exchanged for one with another number of points.
    pub fn landmarks(&self) -> Result<Landmarks, FaceError> {
        mesh::landmarks_of(&self.mesh, &self.quad)
    }
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
    let samples: Vec<_> = pyramid.sample(quad, LIGHT_GRID).collect();
    let outside = samples.iter().filter(|sample| sample.is_none()).count();
    let share_outside = outside as f32 / samples.len() as f32;
    let photo = pyramid.full();
    let cut = OVAL.iter().any(|&i| {
        let [x, y] = mesh.points[i];
        x < 0.0 || y < 0.0 || x > photo.width() as f32 || y > photo.height() as f32
    });
    [
        (mesh.yaw.abs() > PROFILE_YAW, Warning::Profile),
        (quad.side() < TINY_SIDE, Warning::Tiny),
        (is_dark(&samples), Warning::Dark),
        (score < DOUBTFUL, Warning::Uncertain),
        (cut || share_outside > OUTSIDE_SHARE, Warning::Outside),
    ]
    .into_iter()
    .filter_map(|(applies, warning)| applies.then_some(warning))
    .collect()
}

/// Whether hardly any light falls on the face in a quad sampled on [`LIGHT_GRID`].
///
/// The mean would measure the skin. Light shows in the brightest spots of a face: the whites of the eyes, teeth, and
/// the shine of the skin. Where even those are dim, dark skin is told from shade by its surroundings, which get light,
/// and by its relief: shade is flat.
fn is_dark(samples: &[Option<[f32; 3]>]) -> bool {
    let (mut face, mut surroundings) = (Vec::new(), Vec::new());
    for (index, sample) in samples.iter().enumerate() {
        let Some(colour) = *sample else { continue };
        let (column, row) = (index % LIGHT_GRID, index / LIGHT_GRID);
        let part = match FACE_COLUMNS.contains(&column) && FACE_ROWS.contains(&row) {
            true => &mut face,
            false => &mut surroundings,
        };
        part.push(luma(colour));
    }
    let share = |values: &mut Vec<f32>, share: f32| {
        values.sort_by(f32::total_cmp);
        let at = (values.len() as f32 * share) as usize;
        values.get(at).copied().unwrap_or_default()
    };
    let highlight = share(&mut face, 0.99);
    let lit = share(&mut surroundings, 0.9) >= LIT_SURROUNDINGS
        && highlight >= LIT_RELIEF * share(&mut face, 0.5);
    !face.is_empty() && highlight < DIM_HIGHLIGHT && !lit
}
