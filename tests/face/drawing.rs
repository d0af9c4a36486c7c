//! Drawn faces: pictures given by a formula, so that they can be rendered in any place, at any size and tilt, with
//! every landmark known.

use image::RgbaImage;
use sdic::pixels::{Picture, Point, Quad, QuadPoints};

use crate::common::{Random, edge_cover};

/// A picture of `width` by `height` pixels with the mean of 2x2 samples of `colour` in each.
pub fn render(width: usize, height: usize, colour: impl Fn(Point) -> [f32; 3]) -> Picture<'static> {
    let mut rgba = Vec::with_capacity(4 * width * height);
    for y in 0..height {
        for x in 0..width {
            let mut sum = [0.0; 3];
            for (dx, dy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
                for (sum, value) in sum.iter_mut().zip(colour([x as f32 + dx, y as f32 + dy])) {
                    *sum += value.clamp(0.0, 255.0) / 4.0;
                }
            }
            rgba.extend(sum.map(|v| (v + 0.5) as u8));
            rgba.push(255);
        }
    }
    Picture::new(width, height, rgba).unwrap()
}

/// The picture in the place of `quad` on a canvas with a plain gradient.
pub fn pasted(
    face: &RgbaImage,
    quad: &Quad,
    [width, height]: [usize; 2],
    random: &mut Random,
) -> Picture<'static> {
    let colour = [0; 3].map(|_| random.between(40.0, 200.0));
    let slope = [random.between(-60.0, 60.0), random.between(-60.0, 60.0)];
    render(width, height, |[x, y]| {
        let [u, v] = quad.locate([x, y]);
        let shade = slope[0] * x / width as f32 + slope[1] * y / height as f32;
        let backdrop = colour.map(|value| value + shade);
        let cover = edge_cover([u, v]);
        match image::imageops::sample_bilinear(face, u, v) {
            Some(pixel) => {
                std::array::from_fn(|i| backdrop[i] + cover * (f32::from(pixel.0[i]) - backdrop[i]))
            }
            None => backdrop,
        }
    })
}

/// What one drawn person looks like; lengths in sides of the frame.
#[derive(Clone, Copy)]
pub struct Look {
    pub skin: [f32; 3],
    pub hair: [f32; 3],
    pub iris: [f32; 3],
    pub backdrop: [f32; 3],
    /// Half the distance of the eyes.
    pub eyes: f32,
    /// From the line of the eyes to the mouth.
    pub mouth: f32,
    /// Half the width of the mouth.
    pub smile: f32,
    /// Half the width of the head.
    pub width: f32,
}

/// Middle of the line between the eyes.
const EYES: Point = [0.5, 0.47];

impl Look {
    /// Somebody.
    pub fn random(random: &mut Random) -> Look {
        let light = random.between(0.35, 1.0);
        let hair = random.between(0.1, 0.6);
        let eyes = random.between(0.118, 0.134);
        Look {
            skin: [235.0 * light, 190.0 * light, 160.0 * light],
            hair: [140.0 * hair, 100.0 * hair, 70.0 * hair],
            iris: [
                random.between(40.0, 90.0),
                random.between(50.0, 110.0),
                random.between(40.0, 130.0),
            ],
            backdrop: [
                random.between(90.0, 200.0),
                random.between(90.0, 200.0),
                random.between(90.0, 200.0),
            ],
            eyes,
            mouth: eyes * random.between(1.95, 2.15),
            smile: random.between(0.088, 0.102),
            width: eyes * random.between(1.95, 2.1),
        }
    }

    /// Eye centres and mouth corners in the frame.
    pub fn quad_points(&self) -> QuadPoints {
        let [x, y] = EYES;
        QuadPoints {
            left_eye: [x - self.eyes, y],
            right_eye: [x + self.eyes, y],
            left_mouth: [x - self.smile, y + self.mouth],
            right_mouth: [x + self.smile, y + self.mouth],
        }
    }

    /// Colour at `[u, v]` in the frame.
    pub fn colour(&self, [u, v]: Point) -> [f32; 3] {
        let [x, y] = [u - EYES[0], v - EYES[1]];
        let mirrored = x.abs();
        let mut colour = self.backdrop;
        let mut paint = |cover: f32, with: [f32; 3]| {
            for (value, with) in colour.iter_mut().zip(with) {
                *value += cover.clamp(0.0, 1.0) * (with - *value);
            }
        };
        let skin = |light: f32| self.skin.map(|v| v * light);
        let head = self.width;
        // Shoulders, hair behind the head, neck, ears.
        paint(
            ellipse([x, y - 0.62], [0.5, 0.26], 0.01),
            [70.0, 80.0, 105.0],
        );
        paint(ellipse([x, y + 0.06], [head * 1.18, 0.33], 0.02), self.hair);
        paint(
            ellipse([x, y - 0.36], [head * 0.55, 0.2], 0.012),
            skin(0.72),
        );
        paint(
            ellipse([mirrored - head, y - 0.04], [0.028, 0.065], 0.008),
            skin(0.8),
        );
        // Head, lit from the front and above, with a rounded chin.
        let chin = if y > 0.0 {
            1.0 + 0.35 * (y / 0.4).powi(2)
        } else {
            1.0
        };
        let round = ((x * chin / head).powi(2) + ((y - 0.06) / 0.36).powi(2)).min(1.0);
        paint(
            ellipse([x * chin, y - 0.06], [head, 0.345], 0.008),
            skin(1.0 - 0.35 * round * round),
        );
        paint(
            0.25 * ellipse([mirrored - 0.14, y - 0.13], [0.07, 0.06], 0.06),
            self.blush(1.0),
        );
        // Sockets, brows, eyes.
        let [ex, ey] = [mirrored - self.eyes, y];
        paint(
            0.35 * ellipse([ex, ey + 0.012], [0.075, 0.05], 0.05),
            skin(0.6),
        );
        let brow = ey + 0.062 - 1.8 * (ex - 0.01).powi(2);
        paint(
            0.85 * ellipse([ex - 0.005, brow], [0.062, 0.011], 0.008),
            self.hair,
        );
        let lid = 0.026 * (1.0 - (ex / 0.05).powi(2)).max(0.0);
        let squint = if ey > 0.0 { 1.25 } else { 0.95 };
        let open = smooth(0.004, lid * 0.9 + 0.001 - (ey + 0.001).abs() * squint) * step(lid);
        paint(open, [232.0, 228.0, 224.0]);
        paint(open * ellipse([ex, ey], [0.0235, 0.0235], 0.003), self.iris);
        paint(
            open * ellipse([ex, ey], [0.0105, 0.0105], 0.003),
            [12.0, 12.0, 14.0],
        );
        paint(
            open * ellipse([x.signum() * ex + 0.008, ey + 0.008], [0.005, 0.005], 0.002),
            [250.0; 3],
        );
        let edge = smooth(0.004, 0.0045 - (ey + lid * 0.95 + 0.001).abs())
            * smooth(0.004, 0.053 - ex.abs());
        paint(0.9 * edge, [45.0, 32.0, 30.0]);
        // Nose: a bright ridge, shaded sides, nostrils.
        let along = (y / 0.17).clamp(0.0, 1.0);
        let side = 0.02 + 0.022 * along * along;
        let ridge = smooth(0.04, 0.155 - y) * smooth(0.04, y + 0.03);
        paint(
            0.28 * ridge * (1.0 - ((mirrored - side) / 0.02).powi(2)).max(0.0),
            skin(0.6),
        );
        paint(
            0.35 * ridge * (1.0 - (x / 0.018).powi(2)).max(0.0),
            skin(1.15),
        );
        paint(
            0.45 * ellipse([x, y - 0.172], [0.05, 0.016], 0.018),
            skin(0.55),
        );
        paint(
            0.85 * ellipse([mirrored - 0.023, y - 0.163], [0.012, 0.007], 0.006),
            skin(0.3),
        );
        // Lips: the corners are the widest points.
        let m = y - self.mouth;
        let across = (1.0 - (x / self.smile).powi(2)).max(0.0);
        let bow = 1.0 - 0.25 * (1.0 - mirrored / 0.02).max(0.0);
        paint(
            smooth(0.004, 0.024 * across * bow - (-m)) * smooth(0.004, -m + 0.002) * step(across),
            self.blush(0.72),
        );
        paint(
            smooth(0.005, 0.036 * across.sqrt() * across - m)
                * smooth(0.004, m + 0.002)
                * step(across),
            self.blush(0.85),
        );
        paint(
            0.9 * smooth(0.003, 0.0035 - m.abs()) * step(across),
            skin(0.3),
        );
        paint(0.3 * ellipse([x, m - 0.06], [0.06, 0.012], 0.02), skin(0.6));
        // Hair over the forehead.
        let line = y + 0.20 - 0.5 * x * x / head;
        let cap = ellipse([x, y + 0.06], [head * 1.16, 0.31], 0.015);
        paint(cap * smooth(0.02, -line), self.hair);
        let strands = 0.12 * (60.0 * x + 9.0 * (20.0 * y).sin()).sin();
        paint(cap * smooth(0.02, -line) * strands.max(0.0), [255.0; 3]);
        colour
    }

    fn blush(&self, light: f32) -> [f32; 3] {
        [
            self.skin[0] * light * 0.98,
            self.skin[1] * light * 0.68,
            self.skin[2] * light * 0.7,
        ]
    }
}

/// 0 below zero, 1 above `width`, smooth in between.
fn smooth(width: f32, value: f32) -> f32 {
    let t = (value / width).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

fn step(value: f32) -> f32 {
    if value > 0.0 { 1.0 } else { 0.0 }
}

/// Cover of an ellipse with the given half axes and an edge about `soft` wide.
fn ellipse([x, y]: Point, [a, b]: [f32; 2], soft: f32) -> f32 {
    let radius = (x / a).hypot(y / b);
    smooth(soft, (1.0 - radius) * a.min(b) + soft / 2.0)
}

/// Positions of the points of the frame in a picture where the frame lies at `frame`.
pub fn placed(landmarks: &QuadPoints, frame: &Quad) -> QuadPoints {
    QuadPoints {
        left_eye: frame.at(landmarks.left_eye),
        right_eye: frame.at(landmarks.right_eye),
        left_mouth: frame.at(landmarks.left_mouth),
        right_mouth: frame.at(landmarks.right_mouth),
    }
}

/// A picture with a drawn face in the frame `frame`, the backdrop going on around it.
pub fn portrait(look: &Look, frame: &Quad, width: usize, height: usize) -> Picture<'static> {
    render(width, height, |point| look.colour(frame.locate(point)))
}
