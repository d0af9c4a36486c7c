//! Where an edit draws what the photo does not show, such as the teeth of a smile.
//!
//! Elsewhere a photo keeps its own pixels, to which the difference between two pictures of the model is added. Where a
//! closed mouth opens there are none worth keeping: lips, pulled apart, would tint the teeth.

use std::sync::Arc;

use crate::pixels::{Field, Picture, Point, between_cells};

/// Where an edit draws what the photo does not show, and what the photo shows there.
#[derive(Clone, Debug)]
pub struct CoveredPhoto {
    /// How opaque what is drawn is, 1 and above for wholly, on the face that changes are laid out on: `side` x `side`
    /// values, row by row.
    pub(super) opacity: Vec<[f32; 1]>,
    pub(super) side: usize,
    /// From a spot of the edited picture to where it lies on that face.
    pub(super) place: Field,
    /// From there to where it is in the photo.
    pub(super) motion: Option<Field>,
    /// The face as the model saw it, aligned.
    pub(super) face: Arc<Picture<'static>>,
}

impl CoveredPhoto {
    /// How opaque what is drawn is at `[u, v]` of the edited picture, 0 to 1.
    pub fn opacity(&self, uv: Point) -> f32 {
        let [opacity] = between_cells(&self.opacity, self.side, along(uv, &self.place));
        opacity.clamp(0.0, 1.0)
    }

    /// The photo's colour there, moved along with the edit, in 8-bit steps.
    pub fn own(&self, uv: Point) -> [f32; 3] {
        let [u, v] = (self.motion.as_ref()).map_or(uv, |motion| along(uv, motion));
        let [width, height] = [self.face.width(), self.face.height()];
        self.face.bilinear([u * width as f32, v * height as f32])
    }
}

fn along(uv: Point, field: &Field) -> Point {
    let arrow = field.at(uv);
    [uv[0] + arrow[0], uv[1] + arrow[1]]
}
