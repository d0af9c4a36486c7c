//! Photos of a single tone: black and white, sepia, and whatever else was printed with one ink.

/// Parts of the scale from black to white for which the tint is known.
const STEPS: usize = 32;
/// How far the colours of a toned photo are from the tint of their lightness, of 255: as a root of the mean square,
/// and all but one in a hundred. JPEG at quality 60 leaves 4.0 and 10.9 of this in sepia; of 1019 portraits in colour,
/// the least had 4.3 and 14.6.
const SPREAD: f32 = 4.2;
const RARE: f32 = 12.5;

/// The lightness of a colour as the eye weighs red, green and blue (ITU-R BT.601), of what they are of.
pub(crate) fn luma([r, g, b]: [f32; 3]) -> f32 {
    0.299 * r + 0.587 * g + 0.114 * b
}

/// The tint of a photo by lightness.
#[derive(Debug)]
pub(crate) struct Tone([[f32; 3]; STEPS + 1]);

/// The step below a lightness, and how far beyond it the lightness is, in steps.
fn step(lightness: f32) -> (usize, f32) {
    let at = (lightness / 255.0).clamp(0.0, 1.0) * STEPS as f32;
    let below = (at as usize).min(STEPS - 1);
    (below, at - below as f32)
}

impl Tone {
    /// The tone of a photo with these colours of 255; `None` if they have more than one tint.
    pub fn of(colours: &[[f32; 3]]) -> Option<Self> {
        let mut weights = [0.0; STEPS + 1];
        let mut tints = [[0.0; 3]; STEPS + 1];
        for &colour in colours {
            let light = luma(colour);
            let (below, share) = step(light);
            for (at, weight) in [(below, 1.0 - share), (below + 1, share)] {
                weights[at] += weight;
                for (tint, value) in tints[at].iter_mut().zip(colour) {
                    *tint += weight * (value - light);
                }
            }
        }
        // What does not occur lies on the way between what does; black and white have no tint unless they show one.
        let least = 1e-3 * weights.iter().sum::<f32>();
        let known = |at: usize| weights[at] > least || at.is_multiple_of(STEPS);
        let mean = |at: usize| tints[at].map(|tint| tint / weights[at].max(least));
        let tint = |at: usize| {
            let below = (0..=at).rev().find(|&at| known(at)).unwrap_or(0);
            let above = (at..=STEPS).find(|&at| known(at)).unwrap_or(STEPS);
            let share = (at - below) as f32 / (above - below).max(1) as f32;
            let [a, b] = [below, above].map(mean);
            std::array::from_fn(|i| a[i] + share * (b[i] - a[i]))
        };
        if colours.is_empty() {
            return None;
        }
        let tone = Self(std::array::from_fn(tint));
        let mut distances: Vec<f32> = colours
            .iter()
            .map(|&colour| tone.distance(colour))
            .collect();
        distances.sort_by(f32::total_cmp);
        let rare = *distances.get(distances.len() * 99 / 100)?;
        let mean = distances.iter().map(|d| d * d).sum::<f32>() / distances.len() as f32;
        (mean.sqrt() < SPREAD && rare < RARE).then_some(tone)
    }

    fn tint(&self, lightness: f32) -> [f32; 3] {
        let (below, share) = step(lightness);
        std::array::from_fn(|i| {
            let [a, b] = [self.0[below][i], self.0[below + 1][i]];
            a + share * (b - a)
        })
    }

    fn distance(&self, colour: [f32; 3]) -> f32 {
        let light = luma(colour);
        let tint = self.tint(light);
        let offset = |i: usize| (colour[i] - light - tint[i]).powi(2);
        (0..3).map(offset).sum::<f32>().sqrt()
    }

    /// What remains of a change of a colour so that the photo keeps its tone.
    pub fn keep(&self, own: [f32; 3], change: [f32; 3]) -> [f32; 3] {
        let (before, change) = (luma(own), luma(change));
        let [from, to] = [before, before + change].map(|light| self.tint(light));
        std::array::from_fn(|i| change + (to[i] - from[i]))
    }

    /// A colour's lightness in the tone of the photo.
    pub fn toned(&self, colour: [f32; 3]) -> [f32; 3] {
        let light = luma(colour);
        self.tint(light).map(|tint| light + tint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lightness from black to white with a tint that bends.
    fn sepia(light: f32) -> [f32; 3] {
        let bend = light * (255.0 - light) / 65_025.0;
        [
            light + 60.0 * bend,
            light + 10.0 * bend,
            light - 90.0 * bend,
        ]
    }

    fn ramp(colour: impl Fn(f32) -> [f32; 3]) -> Vec<[f32; 3]> {
        (0..2000)
            .map(|i| colour(255.0 * (i % 256) as f32 / 255.0))
            .collect()
    }

    #[test]
    fn greys_stay_grey_to_the_last_bit() {
        let tone = Tone::of(&ramp(|light| [light; 3])).unwrap();
        for change in [[40.0, -3.0, 12.0], [-90.0, 20.0, 20.0]] {
            let [r, g, b] = tone.keep([117.0; 3], change);
            assert!(r == g && g == b, "{r} {g} {b}");
        }
    }

    #[test]
    fn sepia_stays_sepia() {
        let tone = Tone::of(&ramp(sepia)).unwrap();
        let own = sepia(90.0);
        let change = tone.keep(own, [70.0, 40.0, -30.0]);
        let edited: [f32; 3] = std::array::from_fn(|i| own[i] + change[i]);
        let right = sepia(90.0 + luma([70.0, 40.0, -30.0]));
        for (a, b) in edited.iter().zip(right) {
            assert!((a - b).abs() < 2.5, "{edited:?} for {right:?}");
        }
    }

    #[test]
    fn colours_have_no_tone() {
        let skin = |light: f32| [light, 0.75 * light, 0.6 * light];
        let mut colours = ramp(skin);
        colours.extend(ramp(|light| [0.6 * light, 0.8 * light, light]));
        assert!(Tone::of(&colours).is_none());
        assert!(Tone::of(&[]).is_none());
    }
}
