//! Where to look for faces in a photo, and which of the places that look like one are one.
//!
//! The detector sees 192 x 192 pixels. What it makes of a face depends on the face's size there, and on its tilt:
//!
//! | side of the quad, pixels of 192 | upright | upside down |
//! |---|---|---|
//! | 14 | 9 of 10 score 0.2 | the same |
//! | 20 | nearly all score 0.5 | nearly all score 0.2 |
//! | 28 to 180 | all score 0.5, with the eyes in place | most score 0.2, with the eyes anywhere |
//!
//! So every face leaves a hint in some upright square of the right size, however it lies itself:
//!
//! 1. Upright squares cover the photo: twice as large as its longer side, as large, and smaller by halves. All scores
//!    from 0.2 on are hints.
//! 2. From the strongest to the weakest, each hint that no known face explains gets a closer look, turned by all four
//!    quarters at once.
//! 3. The mesh says whether there is a face and where its points are. If doubt remains, the detector looks again, with
//!    the face level and in the middle.
//!
//! Nothing ends the search early but a row of hints that were no faces.

use super::{
    detector::{self, Detection},
    found::Face,
    mesh,
    network::Network,
};
use crate::{
    kernels,
    pixels::{Point, Pyramid, Quad, length, sub},
};

/// Smallest squares, as a share of the side of a square photo of the same area.
const FINEST: f32 = 1.0 / 3.2;
/// No smaller squares than this, in pixels: quads below 48 pixels are of no use.
const FINEST_SIDE: f32 = 560.0;
/// By how much neighbouring squares overlap, in sides. A face that none of them holds whole has a quad of 46 pixels or
/// more in them, and so of 23 in the next larger ones.
const OVERLAP: f32 = 0.15;
/// A score from which it is worth a closer look.
const HINT: f32 = 0.2;
/// A score from which there is no doubt.
const CERTAIN: f32 = 0.85;
/// A score below which it is no face.
const MIN_SCORE: f32 = 0.4;
/// Looks at a hint with less than this share of the best one's score count only if better ones show a doubtful face.
const RIVAL: f32 = 0.6;
/// Meshes less probable than this lie on no face.
pub(super) const MIN_PRESENCE: f32 = 0.3;
/// A score that only faces reach that lie as the detector believes.
const OBVIOUS: f32 = 0.9;
/// Side of the squares for a closer look, in sides of the detector's box: the face's quad takes two fifths of it.
const CLOSER: f32 = 4.0;
/// Side of the square for a level look, in sides of the face's quad.
const LEVEL: f32 = 1.5;
/// How far from the hint a closer look may find the face, in sides of the hint's box.
const DRIFT: f32 = 0.6;
/// A hint of less than this share of its square is too small to show how the face lies.
const SMALL: f32 = 0.08;
/// After so many hints in a row that were no faces, weaker ones are not looked at.
const PATIENCE: usize = 10;
/// Two quads whose centres are closer than this, in sides of the larger, show one face.
const SAME_FACE: f32 = 0.25;

/// A photo and what to search it with.
pub(super) struct Search<'a> {
    pub detector: &'a Network,
    pub mesh: &'a Network,
    pub pyramid: &'a Pyramid<'a>,
}

/// What may be a face.
struct Hint {
    detection: Detection,
    /// Whether it is large enough to show how the face lies.
    clear: bool,
}

impl Search<'_> {
    /// All faces, each once, in no order.
    pub fn faces(&self) -> Vec<Face> {
        let mut hints = self.all_hints();
        hints.sort_by(|a, b| b.detection.score.total_cmp(&a.detection.score));
        let mut faces: Vec<Face> = Vec::new();
        let mut refuted: Vec<Detection> = Vec::new();
        let mut failures = 0;
        for hint in &hints {
            let found = &hint.detection;
            if faces.iter().any(|face| belongs(found, face))
                || refuted.iter().any(|other| alike(found, other))
            {
                continue;
            }
            match self.face(hint) {
                Some(face) => {
                    failures = 0;
                    keep(&mut faces, face);
                }
                None => {
                    failures += 1;
                    refuted.push(*found);
                    if failures == PATIENCE {
                        break;
                    }
                }
            }
        }
        faces
    }

    /// Overlapping upright squares of all sizes that cover the photo, largest first.
    fn squares(&self) -> Vec<Quad> {
        let photo = self.pyramid.full();
        let size = [photo.width() as f32, photo.height() as f32];
        let longest = size[0].max(size[1]);
        let finest = (FINEST * (size[0] * size[1]).sqrt()).max(FINEST_SIDE);
        // Each size is about half the one before.
        let steps = (longest / finest).log2().round().max(0.0);
        let sizes = (0..=steps as i32).map(|step| match steps > 0.0 {
            true => longest * (finest / longest).powf(step as f32 / steps),
            false => longest,
        });
        let mut squares = Vec::new();
        for side in [2.0 * longest].into_iter().chain(sizes) {
            let [xs, ys] = size.map(|length| middles(length, side));
            let centres = ys.iter().flat_map(|&y| xs.iter().map(move |&x| [x, y]));
            squares.extend(centres.filter_map(|centre| Quad::new(centre, [side / 2.0, 0.0])));
        }
        squares
    }

    /// The hints of all squares; natively, the threads of the current pool share them.
    fn all_hints(&self) -> Vec<Hint> {
        let hints = kernels::each(&self.squares(), |square| self.hints(square));
        hints.into_iter().flatten().collect()
    }

    fn hints(&self, square: &Quad) -> Vec<Hint> {
        let hint = |detection: Detection| Hint {
            clear: detection.size >= SMALL * square.side(),
            detection,
        };
        let found = detector::detect(self.detector, self.pyramid, square);
        let found = found.into_iter().filter(|d| d.score >= HINT);
        found.map(hint).collect()
    }

    /// The face at a hint.
    fn face(&self, hint: &Hint) -> Option<Face> {
        let found = hint.detection;
        if hint.clear && found.score >= OBVIOUS {
            let face = self.trace(&found);
            if face.as_ref().is_some_and(|face| face.score >= CERTAIN) {
                return face;
            }
        }
        let mut looks = self.turned(&found);
        looks.push(found);
        looks.sort_by(|a, b| b.score.total_cmp(&a.score));
        let least = RIVAL * looks[0].score;
        let mut best: Option<Face> = None;
        for look in &looks {
            // Where there is a face, but a doubtful one, it may lie otherwise.
            if look.score < least && best.is_none() {
                break;
            }
            let Some(face) = self.trace(look) else {
                continue;
            };
            let level = match face.score < CERTAIN {
                true => self.level(&face.quad),
                false => None,
            };
            best = best.into_iter().chain([face]).chain(level).max_by(by_score);
            if best.as_ref().is_some_and(|face| face.score >= CERTAIN) {
                break;
            }
        }
        best.filter(|face| face.score >= MIN_SCORE)
    }

    /// What the detector sees at a hint with the face in the middle, in the four squares turned by quarters.
    fn turned(&self, hint: &Detection) -> Vec<Detection> {
        let half = CLOSER * hint.size / 2.0;
        let squares = [[half, 0.0], [0.0, half], [-half, 0.0], [0.0, -half]];
        let [Some(a), Some(b), Some(c), Some(d)] = squares.map(|half| Quad::new(hint.centre, half))
        else {
            return Vec::new();
        };
        let near = |d: &Detection| length(sub(d.centre, hint.centre)) < DRIFT * hint.size;
        let found = detector::detect_in_each(self.detector, self.pyramid, &[a, b, c, d]);
        let best = found
            .into_iter()
            .filter_map(|found| found.into_iter().find(near));
        best.collect()
    }

    /// The face in a quad, seen level and in the middle: then nothing speaks for it but itself.
    fn level(&self, quad: &Quad) -> Option<Face> {
        let square = quad.scaled(LEVEL)?;
        let found = detector::detect(self.detector, self.pyramid, &square);
        let distance = |d: &Detection| length(sub(d.centre, quad.centre()));
        let nearest = |a: &Detection, b: &Detection| distance(a).total_cmp(&distance(b));
        let found = found.into_iter().filter(|d| d.score >= MIN_SCORE);
        self.trace(&found.min_by(nearest)?)
    }

    /// The mesh at a detection and what follows from it.
    fn trace(&self, detection: &Detection) -> Option<Face> {
        let mesh = mesh::trace(self.mesh, self.pyramid, detection)?;
        if mesh.presence < MIN_PRESENCE {
            return None;
        }
        Face::new(self.pyramid, mesh, detection.score)
    }
}

/// Middles of the fewest squares of `side` that cover `length` and overlap.
fn middles(length: f32, side: f32) -> Vec<f32> {
    let overlap = OVERLAP * side;
    let count = ((length - overlap) / (side - overlap)).ceil().max(1.0);
    if length <= side {
        return vec![length / 2.0];
    }
    let step = (length - side) / (count - 1.0);
    (0..count as usize)
        .map(|i| side / 2.0 + i as f32 * step)
        .collect()
}

/// Whether a detection shows a known face or a part of it.
fn belongs(detection: &Detection, face: &Face) -> bool {
    let [left, top, width, height] = face.bounds;
    let [x, y] = detection.centre;
    let inside = (left..left + width).contains(&x) && (top..top + height).contains(&y);
    let middle: Point = [left + width / 2.0, top + height / 2.0];
    let apart = length(sub(detection.centre, middle));
    inside && detection.size < 2.0 * width.max(height) || apart < 0.5 * detection.size
}

/// Whether two detections show the same.
fn alike(a: &Detection, b: &Detection) -> bool {
    let (small, large) = (a.size.min(b.size), a.size.max(b.size));
    length(sub(a.centre, b.centre)) < 0.5 * small && large < 1.5 * small
}

fn by_score(a: &Face, b: &Face) -> std::cmp::Ordering {
    a.score.total_cmp(&b.score)
}

/// Adds a face, or replaces the same one if it is less certain.
fn keep(faces: &mut Vec<Face>, face: Face) {
    let same = |known: &&mut Face| {
        let (a, b) = (&known.quad, &face.quad);
        length(sub(a.centre(), b.centre())) < SAME_FACE * a.side().max(b.side())
    };
    match faces.iter_mut().find(same) {
        Some(known) if known.score >= face.score => {}
        Some(known) => *known = face,
        None => faces.push(face),
    }
}
