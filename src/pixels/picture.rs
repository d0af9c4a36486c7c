//! Pictures in memory, their half-size levels and sampling along a rotated square.

use std::borrow::Cow;

use super::{
    error::PictureError,
    field::middle_of_cell,
    quad::{Point, Quad},
    space::Space,
};

/// Rows of RGBA pixels, 8 bits per channel, borrowed or owned, in a colour space. Alpha is carried along, not
/// premultiplied.
///
/// Positions in a picture are continuous: it covers `[0, width] x [0, height]`, y points down, and the centre of the
/// first pixel is (0.5, 0.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture<'a> {
    width: usize,
    height: usize,
    rgba: Cow<'a, [u8]>,
    space: Space,
}

impl<'a> Picture<'a> {
    /// Wraps RGBA bytes of sRGB; a picture of no pixels is allowed.
    ///
    /// # Errors
    /// [`PictureError::Bytes`] if `rgba` is not `4 * width * height` bytes long.
    pub fn new(
        width: usize,
        height: usize,
        rgba: impl Into<Cow<'a, [u8]>>,
    ) -> Result<Picture<'a>, PictureError> {
        let rgba = rgba.into();
        match width
            .checked_mul(height)
            .and_then(|pixels| pixels.checked_mul(4))
        {
            Some(bytes) if bytes == rgba.len() => Ok(Picture {
                width,
                height,
                rgba,
                space: Space::Srgb,
            }),
            _ => Err(PictureError::Bytes {
                found: rgba.len(),
                width,
                height,
            }),
        }
    }

    /// With bytes of its own.
    pub fn into_owned(self) -> Picture<'static> {
        Picture {
            rgba: Cow::Owned(self.rgba.into_owned()),
            ..self
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

    /// What the bytes mean.
    pub fn space(&self) -> Space {
        self.space
    }

    /// The same bytes with the meaning that they have in `space`.
    pub fn with_space(self, space: Space) -> Self {
        Self { space, ..self }
    }

    /// The same colours in another space, as far as it has them.
    pub fn in_space(mut self, space: Space) -> Self {
        if self.space != space {
            let from = self.space;
            for pixel in self.rgba.to_mut().chunks_exact_mut(4) {
                let colour = from.convert([pixel[0], pixel[1], pixel[2]].map(f32::from), space);
                for (value, converted) in pixel.iter_mut().zip(colour) {
                    *value = to_byte(converted);
                }
            }
            self.space = space;
        }
        self
    }

    /// The bytes, row by row.
    pub fn rgba(&self) -> &[u8] {
        &self.rgba
    }

    /// The bytes, copied only if they were borrowed.
    pub fn into_rgba(self) -> Vec<u8> {
        self.rgba.into_owned()
    }

    /// Whether there is no pixel at all.
    pub fn is_empty(&self) -> bool {
        self.rgba.is_empty()
    }

    /// Whether no pixel is transparent.
    pub fn is_opaque(&self) -> bool {
        self.rgba.chunks_exact(4).all(|pixel| pixel[3] == 255)
    }

    /// The picture laid over white, opaque.
    pub(crate) fn over_white(mut self) -> Self {
        if !self.is_opaque() {
            for pixel in self.rgba.to_mut().chunks_exact_mut(4) {
                let flat = over_white([pixel[0], pixel[1], pixel[2], pixel[3]]);
                pixel[..3].copy_from_slice(&flat);
                pixel[3] = 255;
            }
        }
        self
    }

    /// Red, green and blue of a pixel.
    pub(crate) fn rgb(&self, x: usize, y: usize) -> [u8; 3] {
        let at = 4 * (y * self.width + x);
        [self.rgba[at], self.rgba[at + 1], self.rgba[at + 2]]
    }

    /// A view of the same pixels.
    pub(crate) fn view(&self) -> Picture<'_> {
        Picture {
            width: self.width,
            height: self.height,
            rgba: Cow::Borrowed(&self.rgba),
            space: self.space,
        }
    }

    /// Makes an opaque picture, pixel by pixel from the top left.
    pub(crate) fn from_rgb(
        width: usize,
        height: usize,
        mut pixel: impl FnMut(usize, usize) -> [u8; 3],
    ) -> Picture<'static> {
        let mut rgba = Vec::with_capacity(4 * width * height);
        for y in 0..height {
            for x in 0..width {
                let [r, g, b] = pixel(x, y);
                rgba.extend_from_slice(&[r, g, b, 255]);
            }
        }
        Picture {
            width,
            height,
            rgba: Cow::Owned(rgba),
            space: Space::Srgb,
        }
    }

    /// The picture in the middle of a black square of `side` pixels, which is at least as large.
    pub(crate) fn letterboxed(&self, side: usize) -> Picture<'static> {
        let [left, top] = [self.width, self.height].map(|own| (side - own) / 2);
        let mut rgba = [0, 0, 0, 255].repeat(side * side);
        for (y, row) in self.rgba.chunks_exact(4 * self.width).enumerate() {
            rgba[4 * ((top + y) * side + left)..][..row.len()].copy_from_slice(row);
        }
        Picture {
            width: side,
            height: side,
            rgba: Cow::Owned(rgba),
            space: self.space,
        }
    }

    /// The rectangle of `width` by `height` pixels at (`left`, `top`), laid over white and averaged over `factor`
    /// squares; the last row and column average what is left of theirs.
    pub(crate) fn shrunk_crop(
        &self,
        left: usize,
        top: usize,
        width: usize,
        height: usize,
        factor: usize,
    ) -> Picture<'static> {
        let shrunk = |x: usize, y: usize| {
            let columns = left + x * factor..left + ((x + 1) * factor).min(width);
            let rows = top + y * factor..top + ((y + 1) * factor).min(height);
            let count = (columns.len() * rows.len()) as u32;
            let mut sum = [count / 2; 3];
            for row in rows {
                let bytes = &self.rgba
                    [4 * (row * self.width + columns.start)..4 * (row * self.width + columns.end)];
                for pixel in bytes.chunks_exact(4) {
                    let pixel = over_white([pixel[0], pixel[1], pixel[2], pixel[3]]);
                    for (sum, value) in sum.iter_mut().zip(pixel) {
                        *sum += u32::from(value);
                    }
                }
            }
            sum.map(|sum| (sum / count) as u8)
        };
        Picture::from_rgb(width.div_ceil(factor), height.div_ceil(factor), shrunk)
            .with_space(self.space)
    }

    /// Half the size; an odd last row or column averages what is left.
    pub(crate) fn halved(&self) -> Picture<'static> {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let mut rgba = vec![255; 4 * width * height];
        for (y, target) in rgba.chunks_exact_mut(4 * width).enumerate() {
            let row = |y: usize| &self.rgba[4 * y * self.width..4 * (y + 1) * self.width];
            let (upper, lower) = (row(2 * y), row((2 * y + 1).min(self.height - 1)));
            let mean = |left: usize, right: usize, channel: usize| {
                let sum = |row: &[u8]| {
                    u32::from(row[4 * left + channel]) + u32::from(row[4 * right + channel])
                };
                ((sum(upper) + sum(lower) + 2) / 4) as u8
            };
            let (pairs, rest) = (self.width / 2, self.width % 2);
            let blocks = upper.chunks_exact(8).zip(lower.chunks_exact(8));
            for (pixel, (upper, lower)) in target.chunks_exact_mut(4).zip(blocks) {
                for channel in 0..3 {
                    let sum = u16::from(upper[channel])
                        + u16::from(upper[channel + 4])
                        + u16::from(lower[channel])
                        + u16::from(lower[channel + 4]);
                    pixel[channel] = ((sum + 2) / 4) as u8;
                }
            }
            if rest == 1 {
                for channel in 0..3 {
                    target[4 * pairs + channel] = mean(2 * pairs, 2 * pairs, channel);
                }
            }
        }
        Picture {
            width,
            height,
            rgba: Cow::Owned(rgba),
            space: self.space,
        }
    }

    /// Bilinear value at a continuous position; beyond the centres of the outermost pixels their colour goes on.
    /// The picture must not be empty.
    #[inline]
    pub(crate) fn bilinear(&self, [x, y]: Point) -> [f32; 3] {
        let axis = |at: f32, length: usize| {
            let at = (at - 0.5).clamp(0.0, (length - 1) as f32);
            let near = at as usize;
            (near, (near + 1).min(length - 1), at - near as f32)
        };
        let (left, right, fx) = axis(x, self.width);
        let (upper, lower, fy) = axis(y, self.height);
        let [a, b] = [self.rgb(left, upper), self.rgb(right, upper)];
        let [c, d] = [self.rgb(left, lower), self.rgb(right, lower)];
        std::array::from_fn(|i| {
            let top = f32::from(a[i]) + fx * (f32::from(b[i]) - f32::from(a[i]));
            let bottom = f32::from(c[i]) + fx * (f32::from(d[i]) - f32::from(c[i]));
            top + fy * (bottom - top)
        })
    }

    /// Value at a continuous position by Catmull-Rom's cubic, which keeps grain that a bilinear filter would smooth;
    /// beyond the picture its outermost pixels go on. Transparent pixels add nothing; `None` if all are. The picture
    /// must not be empty.
    pub(crate) fn cubic(&self, at: Point) -> Option<[f32; 3]> {
        let size = [self.width, self.height];
        let [(left, across), (top, down)] = [0, 1].map(|axis| {
            let at = at[axis] - 0.5;
            let near = at.floor();
            (near as isize, catmull_rom(at - near, size[axis]))
        });
        let mut sum = [0.0; 3];
        let mut total = 0.0;
        for (dy, weight_y) in (-1..).zip(down) {
            let y = (top + dy).clamp(0, self.height as isize - 1) as usize;
            for (dx, weight_x) in (-1..).zip(across) {
                let x = (left + dx).clamp(0, self.width as isize - 1) as usize;
                let pixel = &self.rgba[4 * (y * self.width + x)..][..4];
                let weight = weight_x * weight_y * (f32::from(pixel[3]) / 255.0);
                total += weight;
                for (sum, &value) in sum.iter_mut().zip(pixel) {
                    *sum += weight * f32::from(value);
                }
            }
        }
        // The filter's negative ends could all but cancel a sliver of what can be seen.
        (total > 0.05).then(|| sum.map(|sum| sum / total))
    }
}

/// Weights of four pixels around a position `t` behind the second of them.
fn catmull_rom(t: f32, length: usize) -> [f32; 4] {
    if length == 1 {
        return [0.0, 1.0, 0.0, 0.0];
    }
    let [t2, t3] = [t * t, t * t * t];
    [
        0.5 * (-t + 2.0 * t2 - t3),
        0.5 * (2.0 - 5.0 * t2 + 3.0 * t3),
        0.5 * (t + 4.0 * t2 - 3.0 * t3),
        0.5 * (t3 - t2),
    ]
}

/// The colour of a pixel in front of white.
fn over_white([r, g, b, alpha]: [u8; 4]) -> [u8; 3] {
    if alpha == 255 {
        return [r, g, b];
    }
    let alpha = u32::from(alpha);
    [r, g, b].map(|value| ((u32::from(value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8)
}

/// Nearest 8-bit value.
pub(crate) fn to_byte(value: f32) -> u8 {
    (value + 0.5).clamp(0.0, 255.0) as u8
}

/// A picture, laid over white, and its halves, down to a few hundred pixels.
pub(crate) struct Pyramid<'a> {
    levels: Vec<Picture<'a>>,
}

impl<'a> Pyramid<'a> {
    /// Longer side at which halving stops.
    const SMALLEST: usize = 192;

    pub fn new(picture: Picture<'a>) -> Pyramid<'a> {
        let mut levels = vec![picture.over_white()];
        while let Some(last) = levels
            .last()
            .filter(|p| p.width.max(p.height) > Self::SMALLEST)
        {
            let half = last.halved();
            levels.push(half);
        }
        Pyramid { levels }
    }

    /// The picture itself.
    pub fn full(&self) -> &Picture<'a> {
        &self.levels[0]
    }

    /// Samples `quad` on a grid of `size` by `size` points, RGB in 0..=255, from the level where neighbouring points
    /// are one to two pixels apart. Points outside the picture become `None`. The picture must not be empty.
    pub fn sample(&self, quad: &Quad, size: usize) -> impl Iterator<Item = Option<[f32; 3]>> {
        let spacing = quad.side() / size as f32;
        let level = (spacing.max(1.0).log2() as usize).min(self.levels.len() - 1);
        let scale = 0.5f32.powi(level as i32);
        let picture = &self.levels[level];
        let [full_width, full_height] = [self.levels[0].width as f32, self.levels[0].height as f32];
        (0..size * size).map(move |index| {
            let [x, y] = quad.at(middle_of_cell(index, size));
            let inside = (0.0..full_width).contains(&x) && (0.0..full_height).contains(&y);
            inside.then(|| picture.bilinear([x * scale, y * scale]))
        })
    }
}
