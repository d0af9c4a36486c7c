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

/// The share of a plan where no cover lies. Nobody sees it, but shares make up 1 there, too.
const LEAST: f32 = 1e-6;

/// Plans that lie on each other, the first on top, each with its cover: what a spot holds of each is as much as is seen
/// there of its cover. `None` of none. One alone is itself, to the bit.
///
/// Plans are planes of as many values as a cover has, whose opacities go from 0 to 1.
pub(super) fn layered(layers: &[(Vec<f32>, Vec<f32>)]) -> Option<Vec<f32>> {
    let (plan, cover) = layers.first()?;
    let mut behind = vec![1.0; cover.len()];
    let shares: Vec<Vec<f32>> = (layers.iter())
        .map(|(_, cover)| {
            let seen = behind.iter_mut().zip(cover).map(|(behind, opacity)| {
                let opacity = opacity.clamp(0.0, 1.0);
                let share = *behind * opacity + LEAST;
                *behind *= 1.0 - opacity;
                share
            });
            seen.collect()
        })
        .collect();
    let total = |spot: usize| -> f32 { shares.iter().map(|shares| shares[spot]).sum() };
    let totals: Vec<f32> = (0..cover.len()).map(total).collect();
    let mut layered = vec![0.0; plan.len()];
    for ((plan, _), shares) in layers.iter().zip(&shares) {
        for (at, (sum, value)) in layered.iter_mut().zip(plan).enumerate() {
            let spot = at % totals.len();
            *sum += shares[spot] / totals[spot] * value;
        }
    }
    Some(layered)
}

fn along(uv: Point, field: &Field) -> Point {
    let arrow = field.at(uv);
    [uv[0] + arrow[0], uv[1] + arrow[1]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{networks::cpu_values, testing::golden::Case};
    use burn::tensor::Tensor;

    #[test]
    fn layers_match_pytorch() {
        let case = Case::open("layered");
        let [plans, covers] = [0, 1].map(|index| case.input::<4>(index));
        let [count, channels, height, width] = plans.dims();
        let [plans, covers] = [plans, covers].map(cpu_values);
        let layers: Vec<_> = (plans.chunks(channels * height * width))
            .zip(covers.chunks(height * width))
            .map(|(plan, cover)| (plan.to_vec(), cover.to_vec()))
            .collect();
        assert_eq!(layers.len(), count);
        let found = Tensor::<1>::from_data(&layered(&layers).unwrap()[..], case.device());
        case.check(found.reshape([1, channels, height, width]));
    }

    #[test]
    fn one_layer_is_itself() {
        assert_eq!(layered(&[]), None);
        let plan = vec![0.1, -0.7, 0.3, 1e-9, -3.0, 0.0];
        let cover = vec![0.0, 0.3, 2.0];
        assert_eq!(layered(&[(plan.clone(), cover)]), Some(plan));
    }
}
