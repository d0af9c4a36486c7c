//! How two pictures differ, also where one of them is lighter than white.

use super::{blur::blur, picture::Picture, quad::Point, space::Space};

/// What has to be added to the colours of one picture to get another: red, green and blue of each pixel in
/// sixty-fourths of an 8-bit step. A generator's output goes beyond black and white; here that is not cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    width: usize,
    height: usize,
    values: Vec<i16>,
}

impl Difference {
    /// Units in a step of 8 bits.
    pub const UNITS: f32 = 64.0;

    /// From its values; `None` for another number of them than three per pixel.
    pub fn new(width: usize, height: usize, values: Vec<i16>) -> Option<Self> {
        let count = width.checked_mul(height)?.checked_mul(3)?;
        (count == values.len()).then_some(Self {
            width,
            height,
            values,
        })
    }

    /// From how much each value differs in steps of 8 bits.
    pub(crate) fn from_steps(
        width: usize,
        height: usize,
        steps: impl Iterator<Item = f32>,
    ) -> Option<Self> {
        // The conversion saturates, at 512 steps.
        let values = steps.map(|step| (step * Self::UNITS).round() as i16);
        Self::new(width, height, values.collect())
    }

    /// `edited` less `unedited`, two pictures of one size, as far as their bytes tell.
    pub(crate) fn between(edited: &Picture, unedited: &Picture) -> Self {
        let pairs = edited
            .rgba()
            .chunks_exact(4)
            .zip(unedited.rgba().chunks_exact(4));
        let steps = |(a, b): (&[u8], &[u8])| {
            [0, 1, 2].map(|i| (i16::from(a[i]) - i16::from(b[i])) * Self::UNITS as i16)
        };
        Self {
            width: edited.width(),
            height: edited.height(),
            values: pairs.flat_map(steps).collect(),
        }
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The values, row by row.
    pub fn values(&self) -> &[i16] {
        &self.values
    }

    /// The same difference to `unedited`, both of sRGB, for colours of another space.
    pub(crate) fn in_space(&self, space: Space, unedited: &Picture) -> Self {
        if space == Space::Srgb {
            return self.clone();
        }
        let base = unedited
            .rgba()
            .chunks_exact(4)
            .map(|p| [p[0], p[1], p[2]].map(f32::from));
        let steps = self
            .values
            .chunks_exact(3)
            .zip(base)
            .flat_map(|(values, base)| {
                let edited = [0, 1, 2].map(|i| base[i] + f32::from(values[i]) / Self::UNITS);
                let [from, to] = [base, edited].map(|colour| Space::Srgb.convert(colour, space));
                [0, 1, 2].map(|i| to[i] - from[i])
            });
        let values = steps.map(|step| (step * Self::UNITS).round() as i16);
        Self {
            values: values.collect(),
            ..*self
        }
    }

    /// Blurred with the standard deviation `sigma` in pixels.
    pub(crate) fn blurred(&self, sigma: f32) -> Self {
        let mut values = self.values.clone();
        for channel in 0..3 {
            let plane = self.values.iter().skip(channel).step_by(3);
            let mut plane: Vec<f32> = plane.map(|&value| f32::from(value)).collect();
            blur(&mut plane, self.width, sigma);
            for (value, blurred) in values.iter_mut().skip(channel).step_by(3).zip(plane) {
                *value = blurred.round() as i16;
            }
        }
        Self { values, ..*self }
    }

    /// Bilinear value at `[u, v]` of the unit square, in steps of 8 bits. There must be a pixel.
    pub(crate) fn at(&self, uv: Point) -> [f32; 3] {
        let size = [self.width, self.height];
        let [(left, right, fx), (upper, lower, fy)] = [0, 1].map(|axis| {
            let length = size[axis];
            let at = (uv[axis] * length as f32 - 0.5).clamp(0.0, (length - 1) as f32);
            let near = at as usize;
            (near, (near + 1).min(length - 1), at - near as f32)
        });
        let value = |x: usize, y: usize, channel: usize| {
            f32::from(self.values[3 * (y * self.width + x) + channel]) / Self::UNITS
        };
        std::array::from_fn(|i| {
            let top = value(left, upper, i) + fx * (value(right, upper, i) - value(left, upper, i));
            let [a, b] = [value(left, lower, i), value(right, lower, i)];
            top + fy * (a + fx * (b - a) - top)
        })
    }
}
