//! Closed-form factorisation of a generator (SeFa; Shen and Zhou, CVPR 2021, arXiv 2007.06600): the directions that
//! change the modulation most are the eigenvectors of A^T A with the largest eigenvalues, where A stacks the modulation
//! weights.

/// Vectors iterated beside those asked for, so that close eigenvalues do not slow the iteration down.
const SPARE: usize = 28;
const MAX_ITERATIONS: usize = 500;
/// Residual at which an eigenvector counts as found, relative to the largest eigenvalue.
const TOLERANCE: f64 = 1e-7;

/// A^T A of stacked weight matrices, summed matrix by matrix.
#[derive(Clone, Debug)]
pub struct Gram {
    width: usize,
    sums: Vec<f64>,
}

impl Gram {
    /// Of no rows yet; rows will have `width` values.
    pub fn new(width: usize) -> Self {
        Self {
            width,
            sums: vec![0.0; width * width],
        }
    }

    /// That is known already: `sums`, row by row.
    pub fn from_sums(width: usize, sums: Vec<f64>) -> Self {
        assert_eq!(sums.len(), width * width, "a square matrix");
        Self { width, sums }
    }

    /// Stacks another matrix, row-major with `width` columns, below the others.
    pub fn add(&mut self, matrix: &[f32]) {
        for row in matrix.chunks_exact(self.width) {
            for (sums, &factor) in self.sums.chunks_exact_mut(self.width).zip(row) {
                let factor = f64::from(factor);
                for (sum, &value) in sums.iter_mut().zip(row) {
                    *sum += factor * f64::from(value);
                }
            }
        }
    }

    /// The `count` eigenvectors with the largest eigenvalues, largest first, of unit length, each with its largest
    /// component positive. Found by subspace iteration with a Rayleigh-Ritz step.
    pub fn top_eigenvectors(&self, count: usize) -> Vec<Vec<f32>> {
        let pairs = self.top_eigenpairs(count).into_iter();
        pairs.map(|(_, vector)| vector).collect()
    }

    /// [`Self::top_eigenvectors`] with their eigenvalues.
    pub fn top_eigenpairs(&self, count: usize) -> Vec<(f64, Vec<f32>)> {
        let block = (count + SPARE).min(self.width);
        let mut basis = start(block, self.width);
        orthonormalise(&mut basis);
        for _ in 0..MAX_ITERATIONS {
            let image: Vec<_> = basis.iter().map(|vector| self.apply(vector)).collect();
            let projected = basis
                .iter()
                .map(|vector| image.iter().map(|image| dot(vector, image)).collect())
                .collect();
            let (values, rotation) = eigen(projected);
            let image = rotate(&rotation, &image);
            let ritz = rotate(&rotation, &basis);
            let largest = values.first().copied().unwrap_or(0.0);
            let converged = (0..count.min(block)).all(|i| {
                let residual = image[i]
                    .iter()
                    .zip(&ritz[i])
                    .map(|(z, q)| (z - values[i] * q).powi(2));
                residual.sum::<f64>().sqrt() <= TOLERANCE * largest
            });
            if converged {
                basis = ritz;
                break;
            }
            basis = image;
            orthonormalise(&mut basis);
        }
        basis.truncate(count);
        let value = |vector: &Vec<f64>| dot(vector, &self.apply(vector));
        let pairs = basis.iter().map(|vector| (value(vector), signed(vector)));
        pairs.collect()
    }

    fn apply(&self, vector: &[f64]) -> Vec<f64> {
        self.sums
            .chunks_exact(self.width)
            .map(|row| dot(row, vector))
            .collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Fixed pseudo-random vectors, so that the same weights always give the same directions.
fn start(count: usize, width: usize) -> Vec<Vec<f64>> {
    let mut state = 1u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as f64 / f64::from(u32::MAX) - 0.5
    };
    (0..count)
        .map(|_| (0..width).map(|_| next()).collect())
        .collect()
}

/// Modified Gram-Schmidt, twice for accuracy. A vector that depends on those before it becomes zero.
fn orthonormalise(vectors: &mut [Vec<f64>]) {
    for index in 0..vectors.len() {
        let (before, rest) = vectors.split_at_mut(index);
        let vector = &mut rest[0];
        let length = dot(vector, vector).sqrt();
        for _ in 0..2 {
            for other in before.iter() {
                let overlap = dot(vector, other);
                vector
                    .iter_mut()
                    .zip(other)
                    .for_each(|(v, o)| *v -= overlap * o);
            }
        }
        let rest = dot(vector, vector).sqrt();
        let scale = if rest > 1e-12 * length {
            1.0 / rest
        } else {
            0.0
        };
        vector.iter_mut().for_each(|v| *v *= scale);
    }
}

/// `rotation[i]` gives the weights of the old vectors in new vector i.
fn rotate(rotation: &[Vec<f64>], vectors: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let combine = |weights: &Vec<f64>| {
        let mut sum = vec![0.0; vectors[0].len()];
        for (weight, vector) in weights.iter().zip(vectors) {
            sum.iter_mut()
                .zip(vector)
                .for_each(|(s, v)| *s += weight * v);
        }
        sum
    };
    rotation.iter().map(combine).collect()
}

/// Eigenvalues, largest first, and eigenvectors of a small symmetric matrix by cyclic Jacobi rotations.
fn eigen(mut matrix: Vec<Vec<f64>>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let size = matrix.len();
    let mut vectors: Vec<Vec<f64>> = (0..size)
        .map(|i| (0..size).map(|j| f64::from(u8::from(i == j))).collect())
        .collect();
    for _ in 0..50 {
        let diagonal: f64 = (0..size).map(|i| matrix[i][i].powi(2)).sum();
        let off: f64 = (0..size)
            .flat_map(|i| &matrix[i][..i])
            .map(|v| v.powi(2))
            .sum();
        if off <= 1e-28 * diagonal {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                if matrix[p][q] == 0.0 {
                    continue;
                }
                let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
                let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                let sine = tangent * cosine;
                for row in &mut matrix {
                    (row[p], row[q]) = (
                        cosine * row[p] - sine * row[q],
                        sine * row[p] + cosine * row[q],
                    );
                }
                for rows in [&mut matrix, &mut vectors] {
                    let (above, below) = rows.split_at_mut(q);
                    for (x, y) in above[p].iter_mut().zip(&mut below[0]) {
                        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
                    }
                }
            }
        }
    }
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|&a, &b| matrix[b][b].total_cmp(&matrix[a][a]));
    let values = order.iter().map(|&i| matrix[i][i]).collect();
    let vectors = order
        .iter()
        .map(|&i| std::mem::take(&mut vectors[i]))
        .collect();
    (values, vectors)
}

fn signed(vector: &[f64]) -> Vec<f32> {
    let largest = vector
        .iter()
        .fold(0f64, |best, &v| if v.abs() > best.abs() { v } else { best });
    let sign = if largest < 0.0 { -1.0 } else { 1.0 };
    vector.iter().map(|v| (sign * v) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows `gain_i * direction_i` of orthonormal directions, whose A^T A has eigenvalues `gain_i^2`.
    fn known(width: usize, gains: &[f64]) -> (Gram, Vec<Vec<f64>>) {
        let mut directions = start(gains.len(), width);
        orthonormalise(&mut directions);
        let mut gram = Gram::new(width);
        for (direction, gain) in directions.iter().zip(gains) {
            let row: Vec<f32> = direction.iter().map(|v| (gain * v) as f32).collect();
            gram.add(&row);
        }
        (gram, directions)
    }

    #[test]
    fn eigenvectors_of_a_known_matrix_are_found_in_order() {
        let gains: Vec<f64> = (0..60).map(|i| 5.0 * 0.97f64.powi(i)).collect();
        let (gram, directions) = known(80, &gains);
        let found = gram.top_eigenvectors(5);
        assert_eq!(found.len(), 5);
        for (found, direction) in found.iter().zip(&directions) {
            let expected = signed(direction);
            let error = found
                .iter()
                .zip(&expected)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            assert!(error < 1e-5, "{error}");
        }
    }

    #[test]
    fn stacked_matrices_add_up() {
        let matrix: Vec<f32> = start(6, 4).concat().iter().map(|&v| v as f32).collect();
        let mut whole = Gram::new(4);
        whole.add(&matrix);
        let mut parts = Gram::new(4);
        parts.add(&matrix[..8]);
        parts.add(&matrix[8..]);
        assert_eq!(whole.sums, parts.sums);
        assert_eq!(whole.top_eigenvectors(9).len(), 4);
    }

    #[test]
    fn no_rows_give_no_direction() {
        for vector in Gram::new(6).top_eigenvectors(2) {
            assert!(vector.iter().all(|v| v.is_finite()));
        }
    }
}
