//! What is behind a person: where the person is in a quad, and the background, filled in where the person hides it.

use super::{
    align::{cut_out, sampled},
    error::FaceError,
    network::Network,
};
use crate::pixels::{
    GRID, Picture, Point, Quad, QuadError, Space, between_cells, blur, luma, middle_of_cell,
    to_byte,
};

/// Cells per side of a backdrop.
const SIDE: usize = 512;
/// Cells per side of the grid on which the background is filled in. What is finer comes from beside the person.
const PLATE: usize = 2 * GRID;
/// Standard deviation, in sides, of the window in which the mask follows the photo's light.
const REACH: f32 = 1.0 / 128.0;
/// Variance of light, of 1, below which the photo hardly tells where the person ends.
const FLAT: f32 = 1e-3;
/// A mask below this, of 1, is background; one above 1 less this, person. Around cells of one kind it does not follow
/// the light.
const EDGE: f32 = 0.04;
/// Standard deviations in cells of [`PLATE`], from coarse to fine, within which the background goes on behind the
/// person.
const WIDTHS: [f32; 6] = [32.0, 16.0, 8.0, 4.0, 2.0, 1.0];
/// Share of background in such a window from which on it is taken and none that is larger.
const ENOUGH: f32 = 0.25;
/// Middle and half-axes of the part of a quad that a face is in, in sides, and how much of it must be person.
const FACE: (Point, Point) = ([0.5, 0.56], [0.18, 0.24]);
const LEAST_FACE: f32 = 0.9;
/// Share of a quad that must be background for there to be anything to keep.
const LEAST_BACKGROUND: f32 = 0.01;
/// How what is near fades with the distance from the person: standard deviation in sides, and a factor that makes it
/// full up to 0.06 sides from the person. From 0.14 on nothing is near.
const NEARNESS: f32 = 0.05;
const FULLNESS: f32 = 8.0;
/// Likewise how far around the person the background is taken for hidden: stray hair and what the mask misses.
const RIM: f32 = 0.008;
const RIM_FULLNESS: f32 = 7.0;
/// Standard deviation, in sides, of how deep a spot is hidden; from the first share of person around on, what is filled
/// in gives way to what moves there, and is gone at the second.
const DEPTH: f32 = 0.02;
const DEEP: [f32; 2] = [0.2, 0.9];
/// A mask of so much, of 1, takes its colour from the filled-in background and what shows in front of it.
const MIXED: f32 = 0.25;

/// A person's mask in a quad, and the background behind. [`paste_before`](super::paste_before) puts the moved face in
/// front of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backdrop(Picture<'static>);

impl Backdrop {
    /// Wraps a picture of a quad such as [`Self::picture`] gives; `None` unless it has as many rows as columns, and at
    /// least 128.
    pub fn from_picture(picture: Picture<'static>) -> Option<Self> {
        (picture.width() == picture.height() && picture.width() >= PLATE).then_some(Self(picture))
    }

    /// A square picture of the quad, whatever the quad's shape: its colours are those of the background, its alpha says
    /// how much of the person is in front.
    pub fn picture(&self) -> &Picture<'static> {
        &self.0
    }

    /// What is behind the person in the `quad` of a photo, as `network` sees it. `None` where it sees nobody or nothing
    /// but the person, and for a photo that is transparent anywhere.
    pub(super) fn new(
        network: &Network,
        photo: &Picture,
        quad: &Quad,
    ) -> Result<Option<Self>, FaceError> {
        if !photo.is_opaque() {
            return Ok(None);
        }
        let square = sampled(photo, quad, [SIDE; 2])?;
        let [side, ..] = network.input_shape();
        let whole = Quad::whole(SIDE, SIDE).ok_or(QuadError)?;
        let small = cut_out(&square, &whole, side)?.in_space(Space::Srgb);
        let Some(mask) = person(network, &small) else {
            return Ok(None);
        };
        let mask = refined(&mask, &small, &square);
        let plate = filled_in(&square, &mask);
        let mut rgba = Vec::with_capacity(4 * SIDE * SIDE);
        for (index, &[mask, _]) in mask.iter().enumerate() {
            let [r, g, b] = between_cells(&plate, PLATE, middle_of_cell(index, SIDE));
            rgba.extend([r, g, b, 255.0 * mask].map(|value| (value + 0.5) as u8));
        }
        let picture = Picture::new(SIDE, SIDE, rgba)?.with_space(square.space());
        Ok(Some(Self(picture)))
    }
}

/// Where the person is in the `quad` of a picture, as `network` sees it, without what is behind: a square whose red is
/// the person's mask, green how far the background is hidden, and blue how near the person is. `None` where it sees
/// nobody or nothing but the person.
pub(super) fn silhouette(
    network: &Network,
    picture: &Picture,
    quad: &Quad,
) -> Result<Option<Picture<'static>>, FaceError> {
    let [side, ..] = network.input_shape();
    let square = sampled(picture, quad, [side; 2])?.in_space(Space::Srgb);
    let Some(mask) = person(network, &square) else {
        return Ok(None);
    };
    // Half as fine, most of the work takes a quarter of the time.
    let coarse = side / 2;
    let mask = refined(&means(&mask, side, coarse), &square.halved(), &square).into_iter();
    let mask: Vec<f32> = mask.map(|[mask, _]| mask).collect();
    let hidden = grown(means(&mask, side, coarse), coarse, RIM, RIM_FULLNESS).into_iter();
    let hidden: Vec<_> = hidden.map(|value| [value]).collect();
    let near = nearness(&mask, side);
    Ok(Some(Picture::from_rgb(side, side, |x, y| {
        let mask = mask[y * side + x];
        let spot = middle_of_cell(y * side + x, side);
        let [hidden] = between_cells(&hidden, coarse, spot);
        let [near] = between_cells(&near, GRID, spot);
        [mask, hidden, near.max(mask)].map(|share| to_byte(255.0 * share))
    })))
}

/// The mask of the person in a `square` as large as the network's input; `None` if it shows nobody, or nothing else.
fn person(network: &Network, square: &Picture) -> Option<Vec<f32>> {
    let pixels = square.rgba().chunks_exact(4);
    let input = pixels.flat_map(|p| [p[0], p[1], p[2]].map(|value| f32::from(value) / 255.0));
    let mask = network.run(input.collect()).swap_remove(0);
    shows_person(&mask, square.width()).then_some(mask)
}

/// The light of an RGBA pixel, of 1.
fn light(pixel: &[u8]) -> f32 {
    luma([0, 1, 2].map(|channel| f32::from(pixel[channel]))) / 255.0
}

/// Whether a mask of `side` x `side` numbers holds the face that a quad is about, and leaves some background.
fn shows_person(mask: &[f32], side: usize) -> bool {
    let (centre, axes) = FACE;
    let (mut person, mut count) = (0.0, 0.0);
    for (index, value) in mask.iter().enumerate() {
        let uv = middle_of_cell(index, side);
        let [x, y] = [0, 1].map(|axis| (uv[axis] - centre[axis]) / axes[axis]);
        if x * x + y * y < 1.0 {
            person += value;
            count += 1.0;
        }
    }
    let background = mask.iter().filter(|value| **value < 0.1).count();
    person >= LEAST_FACE * count && background as f32 >= LEAST_BACKGROUND * mask.len() as f32
}

/// The mask of a `small` picture with the edges that the same picture has when it is `large`, and the same smoothed.
/// A guided filter (K. He and J. Sun, "Fast guided filter", 2015) with a Gaussian window: within it, the mask is a
/// straight function of the light.
fn refined(mask: &[f32], small: &Picture, large: &Picture) -> Vec<[f32; 2]> {
    let side = small.width();
    let smoothed = |values: &mut dyn Iterator<Item = f32>| {
        let mut values: Vec<f32> = values.collect();
        blur(&mut values, side, REACH * side as f32);
        values
    };
    let lights: Vec<f32> = small.rgba().chunks_exact(4).map(light).collect();
    let both = || lights.iter().zip(mask);
    let mean_light = smoothed(&mut lights.iter().copied());
    let mean_mask = smoothed(&mut mask.iter().copied());
    let products = smoothed(&mut both().map(|(light, mask)| light * mask));
    let squares = smoothed(&mut lights.iter().map(|light| light * light));
    let slope = |i: usize| {
        let variance = (squares[i] - mean_light[i] * mean_light[i]).max(0.0);
        (products[i] - mean_light[i] * mean_mask[i]) / (variance + FLAT)
    };
    let slopes: Vec<f32> = (0..mask.len()).map(slope).collect();
    let offset = |i: usize| mean_mask[i] - slopes[i] * mean_light[i];
    let offsets = smoothed(&mut (0..mask.len()).map(offset));
    let slopes = smoothed(&mut slopes.iter().copied());
    let cells = (0..mask.len()).map(|i| [slopes[i], offsets[i], mean_mask[i]]);
    let cells: Vec<_> = cells.collect();
    let pixels = large.rgba().chunks_exact(4).enumerate();
    let values = pixels.map(|(index, pixel)| {
        let [slope, offset, around] =
            between_cells(&cells, side, middle_of_cell(index, large.width()));
        let followed = (slope * light(pixel) + offset).clamp(0.0, 1.0);
        // Full or empty where all around is person or background.
        let sure = if around < 0.5 { 0.0 } else { 1.0 };
        let doubt = (around.min(1.0 - around) / EDGE).clamp(0.0, 1.0);
        let value = sure + doubt * (followed - sure);
        let value = ((value - EDGE) / (1.0 - 2.0 * EDGE)).clamp(0.0, 1.0);
        [value, around]
    });
    values.collect()
}

/// The background on a grid of [`PLATE`] x [`PLATE`]. What the mask hides goes on from what is near: a normalised
/// convolution with the narrowest window that holds enough background.
fn filled_in(square: &Picture, mask: &[[f32; 2]]) -> Vec<[f32; 3]> {
    // Sums of red, green, blue, and of what counts as background: nothing that is next to the person.
    let mut sums = vec![[0.0; 4]; PLATE * PLATE];
    let scale = SIDE / PLATE;
    for (index, (pixel, mask)) in square.rgba().chunks_exact(4).zip(mask).enumerate() {
        let clear = mask.iter().all(|value| *value < EDGE / 2.0);
        let [x, y] = [index % SIDE, index / SIDE].map(|i| i / scale);
        if clear {
            let sum = &mut sums[y * PLATE + x];
            let weight = 1.0 / (scale * scale) as f32;
            for (sum, &value) in sum.iter_mut().zip(&pixel[..3]) {
                *sum += weight * f32::from(value);
            }
            sum[3] += weight;
        }
    }
    let blurred = |sigma: f32| {
        let planes: [Vec<f32>; 4] = std::array::from_fn(|channel| {
            let mut plane: Vec<f32> = sums.iter().map(|sum| sum[channel]).collect();
            blur(&mut plane, PLATE, sigma);
            plane
        });
        (0..PLATE * PLATE).map(move |i| planes.each_ref().map(|plane| plane[i]))
    };
    let total = sums.iter().fold([1e-6; 4], |total: [f32; 4], sum| {
        std::array::from_fn(|i| total[i] + sum[i])
    });
    let typical: [f32; 3] = std::array::from_fn(|i| total[i] / total[3]);
    let mut plate = vec![typical; PLATE * PLATE];
    let mut finer = |sums: &mut dyn Iterator<Item = [f32; 4]>, enough: f32| {
        for (colour, [r, g, b, weight]) in plate.iter_mut().zip(sums) {
            if weight > 1e-4 {
                let share = (weight / enough).min(1.0);
                for (colour, sum) in colour.iter_mut().zip([r, g, b]) {
                    *colour += share * (sum / weight - *colour);
                }
            }
        }
    };
    for sigma in WIDTHS {
        finer(&mut blurred(sigma), ENOUGH);
    }
    finer(&mut sums.iter().copied(), 1.0);
    plate
}

/// A backdrop laid out for a paste.
pub(super) struct Scene {
    side: usize,
    /// The person's mask in each cell.
    mask: Vec<[f32; 1]>,
    /// The background's red, green and blue in each cell of [`PLATE`] x [`PLATE`], of 255; whether it is hidden; and how
    /// much its colours are worth there.
    plate: Vec<[f32; 5]>,
    /// How near the person is, in each cell of [`GRID`] x [`GRID`].
    near: Vec<[f32; 1]>,
}

impl Scene {
    /// In the colours of `space`.
    pub fn new(backdrop: &Backdrop, space: Space) -> Self {
        let picture = &backdrop.0;
        let pixels = picture.rgba().chunks_exact(4);
        let mask: Vec<f32> = pixels.map(|pixel| f32::from(pixel[3]) / 255.0).collect();
        let shares = means(&mask, picture.width(), PLATE);
        let near = nearness(&shares, PLATE);
        let mut depths = shares.clone();
        blur(&mut depths, PLATE, DEPTH * PLATE as f32);
        let hidden = grown(shares, PLATE, RIM, RIM_FULLNESS);
        let spots = (0..PLATE * PLATE).map(|index| middle_of_cell(index, PLATE));
        let plate = spots
            .zip(hidden.iter().zip(&depths))
            .map(|(spot, (&hidden, depth))| {
                let size = picture.width() as f32;
                let colour = picture.bilinear(spot.map(|t| t * size));
                let [r, g, b] = picture.space().convert(colour, space);
                let worth = 1.0 - smooth((depth - DEEP[0]) / (DEEP[1] - DEEP[0]));
                [r, g, b, hidden, worth]
            });
        Self {
            side: picture.width(),
            mask: mask.into_iter().map(|value| [value]).collect(),
            plate: plate.collect(),
            near,
        }
    }

    /// What shows at `uv` in the quad if the person moves there from `from`, and the background stays, and how near the
    /// person is: 1 on the person and close by, falling to 0 around. `own` is the photo's colour at `uv`, and `moved`
    /// gives that at `from`, if anything is seen there.
    ///
    /// Where the background was hidden, that at `from` stands in for it, in the colours of what is filled in as far as
    /// those are worth anything: near to what is seen. A person's edge is a mixture, and takes its share of the new
    /// background in place of the old one. If the two spots are one, the photo shows.
    #[inline]
    pub fn shown(
        &self,
        own: [f32; 3],
        uv: Point,
        from: Point,
        moved: impl FnOnce() -> Option<[f32; 3]>,
    ) -> ([f32; 3], f32) {
        let [person] = between_cells(&self.mask, self.side, from);
        if person >= 1.0 {
            return (moved().unwrap_or(own), 1.0);
        }
        let [near] = between_cells(&self.near, GRID, uv);
        let near = near.max(person);
        let [r, g, b, hidden, worth] = between_cells(&self.plate, PLATE, uv);
        if person <= 0.0 && hidden <= 0.0 {
            return (own, near);
        }
        let Some(moved) = moved() else {
            return (own, near);
        };
        let here = [r, g, b];
        let there = between_cells(&self.plate, PLATE, from);
        let fringe = (smooth(person / MIXED) - hidden).max(0.0);
        let colour = std::array::from_fn(|i| {
            let filled = moved[i] + worth * (here[i] - there[i]);
            let behind = own[i] + hidden * (filled - own[i]) + fringe * (moved[i] - there[i]);
            behind + person * (moved[i] - behind)
        });
        (colour, near)
    }
}

/// How near the person is in each of [`GRID`] x [`GRID`] cells, by a mask of `side` x `side`, a multiple of them.
fn nearness(mask: &[f32], side: usize) -> Vec<[f32; 1]> {
    let cells = means(mask, side, GRID);
    let near = grown(cells, GRID, NEARNESS, FULLNESS).into_iter();
    near.map(|value| [value]).collect()
}

/// Means of `side` x `side` cells in each of `fewer` x `fewer`.
fn means(cells: &[f32], side: usize, fewer: usize) -> Vec<f32> {
    let mut sums = vec![[0.0f32; 2]; fewer * fewer];
    for (y, row) in cells.chunks_exact(side).enumerate() {
        let sums = &mut sums[y * fewer / side * fewer..][..fewer];
        for (x, value) in row.iter().enumerate() {
            let [sum, count] = &mut sums[x * fewer / side];
            *sum += value;
            *count += 1.0;
        }
    }
    sums.iter()
        .map(|[sum, count]| sum / count.max(1.0))
        .collect()
}

/// A mask of `side` x `side` cells that reaches farther: blurred by `sigma`, in sides, and `fullness` times as full.
fn grown(mut mask: Vec<f32>, side: usize, sigma: f32, fullness: f32) -> Vec<f32> {
    blur(&mut mask, side, sigma * side as f32);
    for value in &mut mask {
        *value = smooth(fullness * *value);
    }
    mask
}

/// From 0 to 1 without a corner at either end.
fn smooth(t: f32) -> f32 {
    let t = t.clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}
