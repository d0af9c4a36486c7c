//! Pictures as a generator makes them, with colours lighter than white and darker than black.

use super::{difference::Difference, picture::Picture, quad::Point};

/// A picture whose colours are not cut off at black and white, in one word per pixel: its red, green and blue in thirds
/// of an 8-bit step, as the digits of a number to the base [`ExtendedPicture::LEVELS`], red the lowest.
///
/// Of thirds, the nearest whole step is the one that the colour itself is nearest to. So a [`Picture`] of these words is
/// that of the colours, bit by bit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendedPicture {
    width: usize,
    height: usize,
    words: Vec<u32>,
}

impl ExtendedPicture {
    /// Of a colour; as many as have room in a word three times.
    pub const LEVELS: u32 = 1625;
    /// The darkest and the lightest colour that there are levels for, in 8-bit steps from black.
    pub const RANGE: [i32; 2] = [-143, 398];
    /// Where a step's thirds change: halves between them.
    pub(crate) const BETWEEN: [f32; 3] = [1.0 / 6.0, 0.5, 5.0 / 6.0];
    /// The word of a pixel with a value that is no finite number.
    pub const NO_COLOUR: u32 = u32::MAX;

    /// From its words, row by row; `None` for another number of them than one per pixel.
    pub fn new(width: usize, height: usize, words: Vec<u32>) -> Option<Self> {
        (width.checked_mul(height)? == words.len()).then_some(Self {
            width,
            height,
            words,
        })
    }

    /// The word of a colour, in 8-bit steps.
    pub fn word(colour: [f32; 3]) -> u32 {
        if !colour.iter().all(|value| value.is_finite()) {
            return Self::NO_COLOUR;
        }
        let [red, green, blue] = colour.map(|steps| {
            let [darkest, lightest] = Self::RANGE;
            let steps = steps.clamp(darkest as f32, lightest as f32);
            let whole = steps.floor();
            let thirds = Self::BETWEEN.map(|between| u32::from(steps - whole >= between));
            3 * (whole as i32 - darkest) as u32 + thirds.iter().sum::<u32>()
        });
        red + Self::LEVELS * (green + Self::LEVELS * blue)
    }

    /// Of a word, thirds of 8-bit steps above black, or below.
    fn thirds(word: u32) -> [i32; 3] {
        let levels = [
            word % Self::LEVELS,
            word / Self::LEVELS % Self::LEVELS,
            word / Self::LEVELS / Self::LEVELS,
        ];
        levels.map(|level| level as i32 + 3 * Self::RANGE[0])
    }

    /// Pixels that have no colour, for the networks gave them a value that is no finite number.
    pub fn without_colour(&self) -> usize {
        let none = |word: &&u32| **word == Self::NO_COLOUR;
        self.words.iter().filter(none).count()
    }

    /// As a person sees it: cut off at black and white, and rounded.
    pub fn picture(&self) -> Picture<'static> {
        Picture::from_rgb(self.width, self.height, |x, y| {
            let thirds = Self::thirds(self.words[y * self.width + x]);
            thirds.map(|thirds| (thirds + 1).div_euclid(3).clamp(0, 255) as u8)
        })
    }

    /// This less `other`, or `None` if that is of another size.
    pub fn difference(&self, other: &Self) -> Option<Difference> {
        self.difference_over(other, |_| None)
    }

    /// As there, but in places less a colour, in 8-bit steps, in place of `other`: for `[u, v]` of the unit square `own`
    /// says by what share, 0 to 1, and the colour.
    pub fn difference_over(
        &self,
        other: &Self,
        own: impl Fn(Point) -> Option<(f32, [f32; 3])>,
    ) -> Option<Difference> {
        if [self.width, self.height] != [other.width, other.height] {
            return None;
        }
        let pairs = self.words.iter().zip(&other.words).enumerate();
        let steps = pairs.flat_map(|(index, (&a, &b))| {
            let [a, b] = [a, b].map(Self::thirds);
            let steps = [0, 1, 2].map(|channel| (a[channel] - b[channel]) as f32 / 3.0);
            let [x, y] = [index % self.width, index / self.width];
            let uv = [
                (x as f32 + 0.5) / self.width as f32,
                (y as f32 + 0.5) / self.height as f32,
            ];
            match own(uv) {
                Some((share, colour)) => [0, 1, 2].map(|channel| {
                    steps[channel] + share * (b[channel] as f32 / 3.0 - colour[channel])
                }),
                None => steps,
            }
        });
        Difference::from_steps(self.width, self.height, steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(colours: &[[f32; 3]]) -> ExtendedPicture {
        let words = colours.iter().map(|&colour| ExtendedPicture::word(colour));
        ExtendedPicture::new(colours.len(), 1, words.collect()).unwrap()
    }

    #[test]
    fn a_picture_is_that_of_the_colours() {
        let mut colours = vec![[-0.0, 0.5, 254.5], [-300.0, 0.49999997, 1000.0]];
        let mut state = 1_u32;
        for _ in 0..50_000 {
            colours.push([(); 3].map(|()| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Some of them are halves of steps.
                let scale = if state >> 31 == 0 { 2.0 } else { 4_194_304.0 };
                ((state >> 2) % (600 * scale as u32)) as f32 / scale - 150.0
            }));
        }
        let picture = row(&colours).picture();
        for (pixel, colour) in picture.rgba().chunks_exact(4).zip(&colours) {
            let rounded = colour.map(|steps| steps.round().clamp(0.0, 255.0) as u8);
            assert_eq!(pixel[..3], rounded, "{colour:?}");
        }
    }

    #[test]
    fn differences_go_beyond_white() {
        let light = row(&[[280.5, 300.0, -60.0], [255.0, 0.0, 398.0]]);
        let lighter = row(&[[306.0, 100.0, 0.0], [255.0, 0.0, 9999.0]]);
        let difference = lighter.difference(&light).unwrap();
        // In sixty-fourths of a step. 280.5 lies between two thirds, and is taken for the upper one.
        let unit = 64.0_f32;
        let known = [25.333333, -200.0, 60.0, 0.0, 0.0, 0.0].map(|s| (s * unit).round() as i16);
        assert_eq!(difference.values(), known);
        assert!(row(&[[0.0; 3]]).difference(&light).is_none());
    }

    #[test]
    fn in_places_they_are_differences_from_a_colour() {
        let [a, b] = [[200.0, 100.0, 300.0], [90.0, 60.0, 30.0]].map(|colour| row(&[colour; 4]));
        let own = |[u, v]: Point| {
            assert_eq!(v, 0.5);
            (u > 0.25).then_some((2.0 * u - 0.75, [50.0, 70.0, 10.0]))
        };
        let difference = a.difference_over(&b, own).unwrap();
        let unit = 64.0;
        for (pixel, share) in difference
            .values()
            .chunks_exact(3)
            .zip([0.0, 0.0, 0.5, 1.0])
        {
            let expected = [
                110.0 + share * 40.0,
                40.0 - share * 10.0,
                270.0 + share * 20.0,
            ];
            assert_eq!(
                pixel,
                expected.map(|steps| (steps * unit) as i16),
                "{share}"
            );
        }
    }

    #[test]
    fn colours_that_are_none_are_counted() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let picture = row(&[[0.0; 3], [1.0, bad, bad], [9999.0; 3], [-9999.0; 3]]);
            assert_eq!(picture.without_colour(), 1, "{bad}");
        }
    }
}
