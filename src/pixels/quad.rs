//! The square that FFHQ alignment cuts out of a photo, and any other rotated square or rectangle.
//!
//! The geometry is that of `recreate_aligned_images` in NVlabs/ffhq-dataset.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Position in a picture, `[x, y]`: x to the right, y down, continuous (see [`Picture`](super::Picture)).
pub type Point = [f32; 2];

/// `a` turned by a quarter, from the x axis towards the y axis.
fn quarter([x, y]: Point) -> Point {
    [-y, x]
}

fn add([ax, ay]: Point, [bx, by]: Point) -> Point {
    [ax + bx, ay + by]
}

pub(crate) fn sub([ax, ay]: Point, [bx, by]: Point) -> Point {
    [ax - bx, ay - by]
}

fn scale([x, y]: Point, factor: f32) -> Point {
    [x * factor, y * factor]
}

pub(crate) fn length([x, y]: Point) -> f32 {
    x.hypot(y)
}

/// Corners whose sides differ by less than this share are those of a square.
const NEARLY_SQUARE: f32 = 0.05;

/// Points or corners that define no square or rectangle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "alignment: the points coincide or contradict each other; move them onto both eyes and the mouth"
)]
pub struct QuadError;

/// The four points that fix a quad. "Left" and "right" are as seen in the picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuadPoints {
    /// Centre of the eye on the left.
    pub left_eye: Point,
    /// Centre of the eye on the right.
    pub right_eye: Point,
    /// Corner of the mouth on the left.
    pub left_mouth: Point,
    /// Corner of the mouth on the right.
    pub right_mouth: Point,
}

/// A square or, for models of other shapes, a rectangle in a picture: centre, half-width vector from the centre to the
/// middle of the right-hand side, and height in widths.
///
/// Its own coordinates `[u, v]` run over `[0, 1]`, from the top left corner to the right and down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quad {
    centre: Point,
    half: Point,
    aspect: f32,
}

impl Quad {
    /// The upright or rotated square around `centre` whose right-hand side is at `centre + half`; `None` unless all
    /// numbers are finite and `half` is longer than nothing.
    pub fn new(centre: Point, half: Point) -> Option<Quad> {
        let finite = centre.iter().chain(&half).all(|v| v.is_finite());
        (finite && length(half) > 1e-3).then_some(Quad {
            centre,
            half,
            aspect: 1.0,
        })
    }

    /// All of a picture of these sides; `None` if it has no pixels.
    pub fn whole(width: usize, height: usize) -> Option<Quad> {
        let [width, height] = [width as f32, height as f32];
        Quad::new([width / 2.0, height / 2.0], [width / 2.0, 0.0])?.with_aspect(height / width)
    }

    /// The largest upright quad in the middle of a picture whose height is `aspect` times its width.
    pub fn middle(width: usize, height: usize, aspect: f32) -> Option<Quad> {
        let [width, height] = [width as f32, height as f32];
        let across = width.min(height / aspect);
        Quad::new([width / 2.0, height / 2.0], [across / 2.0, 0.0])?.with_aspect(aspect)
    }

    /// The quad of the same middle and width that is `aspect` times as high as wide; `None` unless that is a height.
    pub fn with_aspect(self, aspect: f32) -> Option<Quad> {
        let high = aspect.is_finite() && aspect * length(self.half) > 1e-3;
        high.then_some(Quad { aspect, ..self })
    }

    /// The FFHQ square of a face.
    ///
    /// # Errors
    /// [`QuadError`] if the points coincide, or if eyes and mouth are placed so that no direction results.
    pub fn from_points(points: &QuadPoints) -> Result<Quad, QuadError> {
        let eyes = scale(add(points.left_eye, points.right_eye), 0.5);
        let mouth = scale(add(points.left_mouth, points.right_mouth), 0.5);
        let across = sub(points.right_eye, points.left_eye);
        let down = sub(mouth, eyes);
        let direction = sub(across, quarter(down));
        let size = (2.0 * length(across)).max(1.8 * length(down));
        let half = scale(direction, size / length(direction));
        Quad::new(add(eyes, scale(down, 0.1)), half).ok_or(QuadError)
    }

    /// The square or rectangle through four corners in the order of [`Quad::corners`], the nearest one if they form
    /// none exactly. Where the sides hardly differ, it is a square.
    ///
    /// # Errors
    /// [`QuadError`] if the corners coincide or are not finite.
    pub fn from_corners(corners: &[Point; 4]) -> Result<Quad, QuadError> {
        let [top_left, bottom_left, bottom_right, top_right] = *corners;
        let centre = scale(
            add(add(top_left, bottom_left), add(bottom_right, top_right)),
            0.25,
        );
        // Least squares over both pairs of sides: the vertical ones, turned back, are half-widths too.
        let width = add(sub(top_right, top_left), sub(bottom_right, bottom_left));
        let height = add(sub(bottom_left, top_left), sub(bottom_right, top_right));
        let aspect = length(height) / length(width);
        if !aspect.is_finite() || (aspect - 1.0).abs() < NEARLY_SQUARE {
            return Quad::new(centre, scale(sub(width, quarter(height)), 0.125)).ok_or(QuadError);
        }
        // As above, with both of one length.
        let half = scale(sub(width, scale(quarter(height), 1.0 / aspect)), 0.125);
        Quad::new(centre, half)
            .and_then(|quad| quad.with_aspect(aspect))
            .ok_or(QuadError)
    }

    /// Corners in the order top left, bottom left, bottom right, top right, as the face sees it.
    pub fn corners(&self) -> [Point; 4] {
        [[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]].map(|uv| self.at(uv))
    }

    /// Middle of the quad.
    pub fn centre(&self) -> Point {
        self.centre
    }

    /// Length of a side in pixels; of a rectangle its width.
    pub fn side(&self) -> f32 {
        2.0 * length(self.half)
    }

    /// Height in widths: 1 for a square.
    pub fn aspect(&self) -> f32 {
        self.aspect
    }

    /// Clockwise tilt in the picture, in degrees in -180..=180; 0 is upright.
    pub fn tilt(&self) -> f32 {
        self.half[1].atan2(self.half[0]).to_degrees()
    }

    /// Position of the quad's own coordinates `[u, v]` in the picture.
    pub fn at(&self, [u, v]: Point) -> Point {
        let across = scale(self.half, 2.0 * u - 1.0);
        let down = scale(quarter(self.half), (2.0 * v - 1.0) * self.aspect);
        add(self.centre, add(across, down))
    }

    /// The quad's own coordinates of a position in the picture; the inverse of [`Quad::at`].
    pub fn locate(&self, point: Point) -> Point {
        let [dx, dy] = sub(point, self.centre);
        let [x, y] = self.half;
        let square = x * x + y * y;
        [
            ((dx * x + dy * y) / square + 1.0) / 2.0,
            ((dy * x - dx * y) / (square * self.aspect) + 1.0) / 2.0,
        ]
    }

    /// The same quad in a picture whose pixels are `factor` times as many per side and whose origin then moves by
    /// `offset`.
    pub(crate) fn mapped(&self, factor: f32, offset: Point) -> Quad {
        Quad {
            centre: add(scale(self.centre, factor), offset),
            half: scale(self.half, factor),
            aspect: self.aspect,
        }
    }

    /// The quad with the same middle and `factor` times the sides.
    pub(crate) fn scaled(&self, factor: f32) -> Option<Quad> {
        Quad::new(self.centre, scale(self.half, factor))?.with_aspect(self.aspect)
    }

    /// Smallest upright rectangle around the quad: left, top, right, bottom.
    pub fn bounds(&self) -> [f32; 4] {
        let [along, across] = self.half.map(f32::abs);
        let [x, y] = self.centre;
        let right = along + across * self.aspect;
        let down = across + along * self.aspect;
        [x - right, y - down, x + right, y + down]
    }
}

impl Serialize for Quad {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.corners().serialize(serializer)
    }
}
