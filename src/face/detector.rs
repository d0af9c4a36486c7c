//! The full-range face detector: a picture's letterboxed square in, boxes with six points out.

use super::network::Network;
use crate::pixels::{Point, Pyramid, Quad, middle_of_cell};

/// Scores below this mean nothing.
const LEAST_SCORE: f32 = 0.1;
/// Boxes that overlap more than this, intersection over union, show one face.
const MAX_OVERLAP: f32 = 0.3;
/// Numbers per anchor: centre, width and height of the box, then x and y of six points.
pub(super) const NUMBERS: usize = 16;

/// What may be a face, as the detector sees it, in picture coordinates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Detection {
    /// Confidence in 0..=1.
    pub score: f32,
    /// Middle of the box.
    pub centre: Point,
    /// Longer side of the box.
    pub size: f32,
    /// Centres of the eyes, the left one in the picture first.
    pub eyes: [Point; 2],
}

/// A box and its points in the searched square's own coordinates.
#[derive(Clone, Copy)]
struct BoxCandidate {
    score: f32,
    numbers: [f32; NUMBERS],
}

impl BoxCandidate {
    /// The candidate in the own coordinates of a quarter of the square, if its middle lies there; quarters count in
    /// reading order.
    fn in_quarter(&self, quarter: usize) -> Option<BoxCandidate> {
        let corner = [quarter % 2, quarter / 2].map(|at| at as f32 / 2.0);
        let numbers = std::array::from_fn(|n| match n {
            2 | 3 => 2.0 * self.numbers[n],
            _ => 2.0 * (self.numbers[n] - corner[n % 2]),
        });
        let inside = numbers[..2].iter().all(|at| (0.0..1.0).contains(at));
        inside.then_some(BoxCandidate { numbers, ..*self })
    }

    /// Left, top, right, bottom.
    fn edges(&self) -> [f32; 4] {
        let [x, y, width, height] = [
            self.numbers[0],
            self.numbers[1],
            self.numbers[2],
            self.numbers[3],
        ];
        [
            x - width / 2.0,
            y - height / 2.0,
            x + width / 2.0,
            y + height / 2.0,
        ]
    }

    /// Intersection over union of two boxes.
    fn overlap(&self, other: &BoxCandidate) -> f32 {
        let (a, b) = (self.edges(), other.edges());
        let area = |e: [f32; 4]| (e[2] - e[0]).max(0.0) * (e[3] - e[1]).max(0.0);
        let shared = area([
            a[0].max(b[0]),
            a[1].max(b[1]),
            a[2].min(b[2]),
            a[3].min(b[3]),
        ]);
        shared / (area(a) + area(b) - shared).max(f32::MIN_POSITIVE)
    }
}

/// What may be faces inside `square`, best first.
pub(super) fn detect(network: &Network, pyramid: &Pyramid, square: &Quad) -> Vec<Detection> {
    let side = network.input_shape()[0];
    let input = pyramid.sample(square, side).flat_map(values).collect();
    let found = merge(candidates(network, input));
    found.iter().map(|c| locate(c, square)).collect()
}

/// The same for four squares at once: they share one input, each with a quarter of the pixels.
pub(super) fn detect_in_each(
    network: &Network,
    pyramid: &Pyramid,
    squares: &[Quad; 4],
) -> [Vec<Detection>; 4] {
    let side = network.input_shape()[0];
    let half = side / 2;
    let mut input = vec![0.0; side * side * 3];
    for (cell, square) in squares.iter().enumerate() {
        let (left, top) = (cell % 2 * half, cell / 2 * half);
        for (index, rgb) in pyramid.sample(square, half).enumerate() {
            let (x, y) = (left + index % half, top + index / half);
            input[3 * (y * side + x)..][..3].copy_from_slice(&values(rgb));
        }
    }
    let found = candidates(network, input);
    std::array::from_fn(|cell| {
        let inside = found.iter().filter_map(|c| c.in_quarter(cell));
        let merged = merge(inside.collect());
        merged.iter().map(|c| locate(c, &squares[cell])).collect()
    })
}

/// A pixel as the network wants it; black beyond the picture.
fn values(rgb: Option<[f32; 3]>) -> [f32; 3] {
    rgb.unwrap_or_default().map(|v| v / 127.5 - 1.0)
}

fn candidates(network: &Network, input: Vec<f32>) -> Vec<BoxCandidate> {
    let side = network.input_shape()[0];
    let outputs = network.run(input);
    let grid = network.output_shapes()[1][1];
    decode(&outputs[0], &outputs[1], grid, side as f32)
}

/// Anchors above the least score. Every anchor is a cell of the output grid and its numbers are offsets from the
/// middle of the cell, in input pixels.
fn decode(boxes: &[f32], scores: &[f32], grid: usize, side: f32) -> Vec<BoxCandidate> {
    let anchors = boxes
        .as_chunks::<NUMBERS>()
        .0
        .iter()
        .zip(scores)
        .enumerate();
    anchors
        .filter_map(|(index, (offsets, logit))| {
            let score = 1.0 / (1.0 + (-logit).exp());
            let middle = middle_of_cell(index, grid);
            let numbers = std::array::from_fn(|n| {
                let is_extent = n == 2 || n == 3;
                offsets[n] / side + if is_extent { 0.0 } else { middle[n % 2] }
            });
            (score >= LEAST_SCORE).then_some(BoxCandidate { score, numbers })
        })
        .collect()
}

/// Weighted non-maximum suppression: overlapping boxes become their mean weighted by score, with the best one's score.
fn merge(mut candidates: Vec<BoxCandidate>) -> Vec<BoxCandidate> {
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut merged = Vec::new();
    while let Some(&best) = candidates.first() {
        let (same, others): (Vec<_>, Vec<_>) = candidates
            .into_iter()
            .enumerate()
            .partition(|(i, c)| *i == 0 || best.overlap(c) > MAX_OVERLAP);
        let total: f32 = same.iter().map(|(_, c)| c.score).sum();
        let numbers = std::array::from_fn(|n| {
            same.iter()
                .map(|(_, c)| c.score * c.numbers[n])
                .sum::<f32>()
                / total
        });
        merged.push(BoxCandidate {
            score: best.score,
            numbers,
        });
        candidates = others.into_iter().map(|(_, c)| c).collect();
    }
    merged
}

fn locate(candidate: &BoxCandidate, square: &Quad) -> Detection {
    let n = &candidate.numbers;
    Detection {
        score: candidate.score,
        centre: square.at([n[0], n[1]]),
        size: n[2].max(n[3]) * square.side(),
        eyes: [square.at([n[4], n[5]]), square.at([n[6], n[7]])],
    }
}
