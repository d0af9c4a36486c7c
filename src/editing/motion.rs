//! How an edit moves a face: displacements of its 68 landmarks, and a thin-plate spline for everything between them.
//!
//! The spline is Bookstein's (PAMI 1989), lightly smoothed; four points on the forehead go with the brows, and
//! sixteen on the picture's border stay in place. All positions are in sides of the aligned picture.

use crate::{
    face::{LANDMARKS, Landmarks},
    pixels::{Field, GRID, Point, middle_of_cell},
};

/// Smoothing of the spline, against the jitter of single points.
const SMOOTHING: f64 = 1e-3;
/// Brow points above which the forehead's lie, and how far, in heights from nose to brows.
const BROWS: [usize; 4] = [18, 20, 23, 25];
const FOREHEAD: f32 = 0.8;
/// Points per side of the border.
const BORDER: usize = 4;
const CONTROLS: usize = LANDMARKS + BROWS.len() + 4 * BORDER;
/// Coefficients of a spline: a weight per control point and an affine part.
const TERMS: usize = CONTROLS + 3;
/// A motion that leaves a piece of the picture less than this share of its area is about to tear. Of 128 faces from
/// the front, an edit by one slider leaves 0.17 at least, but for one of them that turns; of 16 heads that are turned
/// away, turning further folds all.
const LEAST_AREA: f32 = 0.14;
/// Values that are interpolated together: the arrows of two fields.
const VALUES: usize = 4;

/// Where a moved face comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Fields {
    /// From a spot of the moved picture to where it was; `None` if nothing moves.
    pub motion: Option<Field>,
    /// From a spot of the moved picture to where it lies on the face of a given shape.
    pub place: Field,
}

impl Fields {
    /// For a face with these landmarks, moved by `displacements`, and a face of `shape`. `None` if a number is not
    /// finite or the landmarks leave the spline undetermined.
    pub fn new(
        landmarks: &Landmarks,
        displacements: Option<&Landmarks>,
        shape: &Landmarks,
    ) -> Option<Self> {
        let displacement =
            |i: usize| displacements.map_or([0.0; 2], |displacements| displacements[i]);
        let moved =
            std::array::from_fn(|i| [0, 1].map(|axis| landmarks[i][axis] + displacement(i)[axis]));
        let at = controls(&moved).map(|point| point.map(f64::from));
        let (from, on) = (controls(landmarks), controls(shape));
        let arrows = std::array::from_fn::<_, CONTROLS, _>(|i| {
            let [x, y] = at[i];
            let [from, on] = [from[i], on[i]].map(|[u, v]| [f64::from(u) - x, f64::from(v) - y]);
            [from[0], from[1], on[0], on[1]]
        });
        let coefficients = spline(&at, &arrows)?;
        let cells = (0..GRID * GRID).map(|i| middle_of_cell(i, GRID).map(f64::from));
        let (motion, place): (Vec<_>, Vec<_>) = cells
            .map(|[x, y]| {
                let mut sum = [0.0; VALUES];
                let affine = [1.0, x, y].into_iter();
                let terms = at.iter().map(|&point| kernel(point, [x, y])).chain(affine);
                for (term, row) in terms.zip(&coefficients) {
                    for (sum, coefficient) in sum.iter_mut().zip(row) {
                        *sum += term * coefficient;
                    }
                }
                let [a, b, c, d] = sum.map(|value| value as f32);
                ([a, b], [c, d])
            })
            .unzip();
        Some(Self {
            motion: displacements.and_then(|_| Field::new(motion)),
            place: Field::new(place)?,
        })
    }

    /// Whether the motion is one that a picture survives.
    pub fn hold(&self) -> bool {
        (self.motion.as_ref()).is_none_or(|motion| motion.least_area() >= LEAST_AREA)
    }
}

/// The landmarks of a face, points of its forehead and of the border.
fn controls(landmarks: &Landmarks) -> [Point; CONTROLS] {
    let mean = |axis: usize| {
        landmarks[17..27]
            .iter()
            .map(|point| point[axis])
            .sum::<f32>()
            / 10.0
    };
    let up = [0, 1].map(|axis| mean(axis) - landmarks[33][axis]);
    let forehead = BROWS.map(|i| [0, 1].map(|axis| landmarks[i][axis] + FOREHEAD * up[axis]));
    let border = (0..4 * BORDER).map(|i| {
        let along = (i % BORDER) as f32 / BORDER as f32;
        match i / BORDER {
            0 => [along, 0.0],
            1 => [1.0, along],
            2 => [1.0 - along, 1.0],
            _ => [0.0, 1.0 - along],
        }
    });
    let mut all = landmarks.iter().copied().chain(forehead).chain(border);
    std::array::from_fn(|_| all.next().unwrap_or_default())
}

/// The spline's kernel r² log r², which is 0 at 0.
fn kernel([ax, ay]: [f64; 2], [bx, by]: [f64; 2]) -> f64 {
    let square = (ax - bx).powi(2) + (ay - by).powi(2);
    square * (square + 1e-9).ln()
}

/// Coefficients of the smoothed thin-plate spline through values at points.
fn spline(
    at: &[[f64; 2]; CONTROLS],
    values: &[[f64; VALUES]; CONTROLS],
) -> Option<Vec<[f64; VALUES]>> {
    const WIDTH: usize = TERMS + VALUES;
    let mut rows = vec![[0.0; WIDTH]; TERMS];
    for (i, (&point, values)) in at.iter().zip(values).enumerate() {
        for (j, &other) in at.iter().enumerate() {
            rows[i][j] = kernel(point, other);
        }
        rows[i][i] += SMOOTHING;
        for (k, term) in [1.0, point[0], point[1]].into_iter().enumerate() {
            rows[i][CONTROLS + k] = term;
            rows[CONTROLS + k][i] = term;
        }
        rows[i][TERMS..].copy_from_slice(values);
    }
    // Gaussian elimination with the largest pivot.
    for column in 0..TERMS {
        let size = |row: &[f64; WIDTH]| row[column].abs();
        let largest = |&a: &usize, &b: &usize| size(&rows[a]).total_cmp(&size(&rows[b]));
        let pivot = (column..TERMS).max_by(largest)?;
        if !size(&rows[pivot]).is_normal() {
            return None;
        }
        rows.swap(column, pivot);
        let (above, below) = rows.split_at_mut(column + 1);
        let head = &above[column];
        for row in below {
            let factor = row[column] / head[column];
            for (value, head) in row[column..].iter_mut().zip(&head[column..]) {
                *value -= factor * head;
            }
        }
    }
    let mut solution = vec![[0.0; VALUES]; TERMS];
    for i in (0..TERMS).rev() {
        let mut rest: [f64; VALUES] = std::array::from_fn(|k| rows[i][TERMS + k]);
        for j in i + 1..TERMS {
            for (rest, known) in rest.iter_mut().zip(solution[j]) {
                *rest -= rows[i][j] * known;
            }
        }
        solution[i] = rest.map(|value| value / rows[i][i]);
    }
    solution
        .iter()
        .flatten()
        .all(|value| value.is_finite())
        .then_some(solution)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{pixels::Field, testing::golden::Case};

    /// A face of plausible proportions: points on three ellipses and a line.
    fn face() -> Landmarks {
        std::array::from_fn(|i| {
            let turn = |from: usize, count: usize| (i - from) as f32 / count as f32 * 6.3;
            let on =
                |[x, y]: Point, [w, h]: Point, turn: f32| [x + w * turn.cos(), y + h * turn.sin()];
            match i {
                0..17 => on([0.5, 0.5], [0.28, 0.4], turn(0, 34)),
                17..27 => [0.32 + 0.04 * (i - 17) as f32, 0.4],
                27..36 => [0.5 + 0.02 * (i % 3) as f32, 0.45 + 0.02 * (i - 27) as f32],
                36..42 => on([0.37, 0.46], [0.04, 0.02], turn(36, 6)),
                42..48 => on([0.63, 0.46], [0.04, 0.02], turn(42, 6)),
                _ => on([0.5, 0.75], [0.1, 0.05], turn(48, 20)),
            }
        })
    }

    #[test]
    fn fields_match_pytorch() {
        let case = Case::open("fields");
        let points = |index: usize| -> Landmarks {
            let values = crate::networks::cpu_values(case.input::<3>(index));
            std::array::from_fn(|i| [values[2 * i], values[2 * i + 1]])
        };
        let fields = Fields::new(&points(0), Some(&points(1)), &points(2)).unwrap();
        let planes = [fields.motion.unwrap(), fields.place].map(|field| {
            let along = |axis: usize| field.arrows().iter().map(move |arrow| arrow[axis]);
            along(0).chain(along(1)).collect::<Vec<_>>()
        });
        let planes = planes.concat();
        let data = burn::tensor::TensorData::new(planes, [1, 4, GRID, GRID]);
        case.check(burn::tensor::Tensor::<4>::from_data(data, case.device()));
    }

    #[test]
    fn nothing_moves_without_displacements() {
        let still = [[0.0; 2]; LANDMARKS];
        let unmoved = |field: Field| field.arrows().iter().flatten().all(|v| v.abs() < 1e-6);
        let fields = Fields::new(&face(), Some(&still), &face()).unwrap();
        assert!(unmoved(fields.motion.unwrap()) && unmoved(fields.place));
        let fields = Fields::new(&face(), None, &face()).unwrap();
        assert!(fields.motion.is_none() && unmoved(fields.place));
    }

    #[test]
    fn points_go_where_they_are_shifted_and_the_border_stays() {
        let (face, mut displacements) = (face(), [[0.0; 2]; LANDMARKS]);
        for displacement in &mut displacements[48..] {
            *displacement = [0.02, -0.03];
        }
        let motion = Fields::new(&face, Some(&displacements), &face);
        let motion = motion.and_then(|fields| fields.motion).unwrap();
        for [x, y] in &face[48..] {
            let [right, down] = motion.at([x + 0.02, y - 0.03]);
            let off = (right + 0.02).hypot(down - 0.03);
            assert!(off < 0.004, "{right} {down}");
        }
        for corner in [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]] {
            assert!(motion.at(corner).iter().all(|v| v.abs() < 0.004));
        }
    }

    #[test]
    fn fields_of_no_use_are_refused() {
        let mut broken = face();
        broken[30] = [f32::NAN, 0.5];
        assert_eq!(Fields::new(&broken, None, &face()), None);
    }
}
