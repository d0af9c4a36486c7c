//! Where an edit draws what the photo does not show, such as the teeth of a smile.
//!
//! Elsewhere a photo keeps its own pixels, to which the difference between two pictures of the model is added. Where a
//! closed mouth opens there are none worth keeping: lips, pulled apart, would tint the teeth.

use std::sync::Arc;

use crate::pixels::{ExtendedPicture, Field, Picture, Point, between_cells};

/// How far around a cover the cast of the rebuilt face is looked at, in sides of the picture.
const REACH: f32 = 0.06;

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

    /// What is there of the photo, pixel by pixel of the unedited picture: how opaque the cover is, and the colour to
    /// take off there, with the cast that the unedited picture has around the cover. `None` where there is no cover.
    pub fn under(&self, unedited: &ExtendedPicture) -> Vec<Option<(f32, [f32; 3])>> {
        let opacities = self.opacities(unedited.sides());
        let cast = self.cast(unedited, &opacities);
        let colour = |(index, opacity): (usize, f32)| {
            (opacity > 0.0).then(|| {
                let own = self.own(middle(index, unedited.sides()));
                (opacity, [0, 1, 2].map(|i| own[i] + cast[i]))
            })
        };
        opacities.into_iter().enumerate().map(colour).collect()
    }

    fn opacities(&self, sides: [usize; 2]) -> Vec<f32> {
        let spots = (0..sides[0] * sides[1]).map(|index| middle(index, sides));
        spots.map(|uv| self.opacity(uv)).collect()
    }

    /// By how much the unedited picture is off from the photo around the cover, in 8-bit steps.
    fn cast(&self, unedited: &ExtendedPicture, opacities: &[f32]) -> [f32; 3] {
        let sides = unedited.sides();
        let reach = (REACH * sides[0] as f32).round() as usize;
        let (mut sum, mut total) = ([0.0; 3], 0.0);
        for (index, (near, opacity)) in means(opacities, sides[0], reach)
            .into_iter()
            .zip(opacities)
            .enumerate()
        {
            let weight = near * (1.0 - opacity);
            if weight > 0.0 {
                let (there, own) = (unedited.colour(index), self.own(middle(index, sides)));
                total += weight;
                for i in 0..3 {
                    sum[i] += weight * (there[i] - own[i]);
                }
            }
        }
        sum.map(|sum| sum / total.max(1e-6))
    }
}

/// The middle of a pixel, in the unit square.
fn middle(index: usize, [width, height]: [usize; 2]) -> Point {
    let [x, y] = [index % width, index / width].map(|at| at as f32 + 0.5);
    [x / width as f32, y / height as f32]
}

/// The means of rows of `width` numbers over the squares around each, `reach` to every side, as far as there are any.
fn means(plane: &[f32], width: usize, reach: usize) -> Vec<f32> {
    let height = plane.len() / width;
    let across = line_means(plane, (width, 1), (height, width), reach);
    line_means(&across, (height, width), (width, 1), reach)
}

/// The means along lines of `length` numbers that lie `step` apart; there are `count` such lines, `next` apart.
fn line_means(
    plane: &[f32],
    (length, step): (usize, usize),
    (count, next): (usize, usize),
    reach: usize,
) -> Vec<f32> {
    let mut found = vec![0.0; plane.len()];
    let mut before = vec![0.0; length + 1];
    for line in 0..count {
        let at = |i: usize| line * next + i * step;
        for i in 0..length {
            before[i + 1] = before[i] + plane[at(i)];
        }
        for i in 0..length {
            let (from, to) = (i.saturating_sub(reach), (i + reach + 1).min(length));
            found[at(i)] = (before[to] - before[from]) / (to - from) as f32;
        }
    }
    found
}

fn along(uv: Point, field: &Field) -> Point {
    let arrow = field.at(uv);
    [uv[0] + arrow[0], uv[1] + arrow[1]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_those_of_the_squares() {
        let (width, height) = (7, 5);
        let plane: Vec<_> = (0..width * height)
            .map(|i| (i * i % 11) as f32 / 11.0)
            .collect();
        for reach in [0, 1, 2, 9] {
            let found = means(&plane, width, reach);
            for (index, found) in found.into_iter().enumerate() {
                let [x, y] = [index % width, index / width];
                let square: Vec<_> = (0..height)
                    .flat_map(|row| (0..width).map(move |column| (column, row)))
                    .filter(|&(column, row)| column.abs_diff(x).max(row.abs_diff(y)) <= reach)
                    .map(|(column, row)| plane[row * width + column])
                    .collect();
                let mean = square.iter().sum::<f32>() / square.len() as f32;
                assert!((found - mean).abs() < 1e-5, "{reach} {x} {y}");
            }
        }
    }
}
