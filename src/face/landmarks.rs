//! The 68 landmarks of a face in the scheme of iBUG 300-W (Sagonas et al., ICCV-W 2013): jaw, brows, nose, eyes, lips.

use std::ops::Range;

use crate::pixels::Point;

/// How many there are.
pub const LANDMARKS: usize = 68;
/// Points of the face mesh, from which the landmarks are taken.
pub const MESH_POINTS: usize = 468;
/// Landmarks around the eye on the left of the picture.
pub const LEFT_EYE: Range<usize> = 36..42;
/// Landmarks around the eye on the right.
pub const RIGHT_EYE: Range<usize> = 42..48;
/// The landmark at the tip of the nose.
pub const NOSE_TIP: usize = 30;

/// The landmarks of a face, in sides of its quad.
pub type Landmarks = [Point; LANDMARKS];
