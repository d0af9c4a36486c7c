//! The linear algebra of a fit: small, dense, in f64.

/// Sum of products.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `a + factor * b`, in place of `a`.
pub(super) fn add(a: &mut [f64], factor: f64, b: &[f64]) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += factor * b);
}

/// A symmetric matrix, row by row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Symmetric {
    side: usize,
    values: Vec<f64>,
}

impl Symmetric {
    /// The inner products of all pairs of rows.
    pub fn products(rows: &[Vec<f64>]) -> Self {
        let side = rows.len();
        let mut values = vec![0.0; side * side];
        for (i, row) in rows.iter().enumerate() {
            for (j, other) in rows[..=i].iter().enumerate() {
                let product = dot(row, other);
                values[i * side + j] = product;
                values[j * side + i] = product;
            }
        }
        Self { side, values }
    }

    /// Sum of the diagonal.
    pub fn trace(&self) -> f64 {
        self.values.iter().step_by(self.side + 1).sum()
    }

    /// P K P, where P takes away what lies along the orthonormal vectors of `basis`.
    pub fn without(&self, basis: &[Vec<f64>]) -> Self {
        let mut values = self.values.clone();
        // From the rows, and then from the columns.
        for _ in 0..2 {
            for row in values.chunks_exact_mut(self.side) {
                take_away(row, basis);
            }
            for i in 0..self.side {
                for j in 0..i {
                    values.swap(i * self.side + j, j * self.side + i);
                }
            }
        }
        Self {
            side: self.side,
            values,
        }
    }

    /// The solution of (K + `ridge`) x = `right`, by Cholesky's factors. `None` where the sum is not positive definite.
    pub fn solve(&self, ridge: f64, right: &[f64]) -> Option<Vec<f64>> {
        let side = self.side;
        let mut factor = self.values.clone();
        for i in 0..side {
            factor[i * side + i] += ridge;
            let (above, row) = factor.split_at_mut(i * side);
            let row = &mut row[..=i];
            for j in 0..i {
                let other = &above[j * side..=j * side + j];
                let rest = row[j] - dot(&row[..j], &other[..j]);
                row[j] = rest / other[j];
            }
            let rest = row[i] - dot(&row[..i], &row[..i]);
            // Written so that NaN is refused too.
            if !(rest > 0.0 && rest.is_finite()) {
                return None;
            }
            row[i] = rest.sqrt();
        }
        let mut x = right.to_vec();
        for i in 0..side {
            let row = &factor[i * side..=i * side + i];
            x[i] = (x[i] - dot(&row[..i], &x[..i])) / row[i];
        }
        for i in (0..side).rev() {
            x[i] /= factor[i * side + i];
            let (known, solved) = x.split_at_mut(i);
            add(known, -solved[0], &factor[i * side..i * side + i]);
        }
        Some(x)
    }
}

/// Vectors of unit length, at right angles to each other, that span the given ones. Those that depend on others, or
/// nearly, are left out.
pub(super) fn orthonormal(vectors: impl IntoIterator<Item = Vec<f64>>) -> Vec<Vec<f64>> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for mut vector in vectors {
        let before = dot(&vector, &vector).sqrt();
        // Twice, for accuracy.
        for _ in 0..2 {
            take_away(&mut vector, &basis);
        }
        let length = dot(&vector, &vector).sqrt();
        if length > 1e-6 * before {
            vector.iter_mut().for_each(|value| *value /= length);
            basis.push(vector);
        }
    }
    basis
}

/// Takes away what lies along the vectors of an orthonormal basis.
pub(super) fn take_away(vector: &mut [f64], basis: &[Vec<f64>]) {
    for other in basis {
        let along = dot(vector, other);
        add(vector, -along, other);
    }
}

/// A measure's coefficients on codes, by ridge regression with other measures partialled out of both (Frisch and Waugh,
/// Econometrica 1933; Lovell, JASA 1963).
///
/// There are fewer samples than numbers in the codes of most models, so the dual is solved: with P the projection that
/// takes `others` and the mean away, K = X X^T and λ = `ridge` times the mean of the diagonal of P K P, the coefficients
/// are X^T P (P K P + λ)^-1 P y. `None` where nothing of the measure, or of the codes, is left.
pub(super) fn ridge(
    codes: &[Vec<f64>],
    products: &Symmetric,
    measure: &[f64],
    others: impl IntoIterator<Item = Vec<f64>>,
    ridge: f64,
) -> Option<Vec<f64>> {
    let mean = vec![1.0; measure.len()];
    let basis = orthonormal(std::iter::once(mean).chain(others));
    let mut rest = measure.to_vec();
    take_away(&mut rest, &basis);
    let left = dot(&rest, &rest) / dot(measure, measure);
    if left.is_nan() || left <= 1e-9 {
        return None;
    }
    let products = products.without(&basis);
    let strength = ridge * products.trace() / measure.len() as f64;
    let mut weights = products.solve(strength, &rest)?;
    take_away(&mut weights, &basis);
    let mut coefficients = vec![0.0; codes.first()?.len()];
    for (code, weight) in codes.iter().zip(weights) {
        add(&mut coefficients, weight, code);
    }
    let size = dot(&coefficients, &coefficients);
    (size.is_finite() && size > 0.0).then_some(coefficients)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::editing::fit::golden::table;

    fn rows(name: &str) -> Vec<Vec<f64>> {
        let (width, values) = table(name);
        values.chunks_exact(width).map(<[f64]>::to_vec).collect()
    }

    #[test]
    fn ridge_matches_numpy() {
        let codes = rows("ridge.codes");
        let products = Symmetric::products(&codes);
        let measure = &rows("ridge.measure")[0];
        let strength = rows("ridge.ridge")[0][0];
        let found = ridge(&codes, &products, measure, rows("ridge.others"), strength).unwrap();
        let expected = &rows("ridge.coefficients")[0];
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-9,
                "{found}, expected {expected}"
            );
        }
    }

    #[test]
    fn a_measure_that_others_tell_has_no_coefficients() {
        let (codes, others) = (rows("ridge.codes"), rows("ridge.others"));
        let products = Symmetric::products(&codes);
        let mut sum = others[0].clone();
        add(&mut sum, 2.0, &others[1]);
        assert_eq!(ridge(&codes, &products, &sum, others.clone(), 0.5), None);
        let same = vec![3.0; codes.len()];
        assert_eq!(ridge(&codes, &products, &same, others, 0.5), None);
    }

    #[test]
    fn systems_are_solved_and_unsolvable_ones_refused() {
        let matrix = Symmetric::products(&rows("ridge.codes")[..5]);
        let right = [1.0, -2.0, 0.5, 4.0, 3.0];
        let solution = matrix.solve(0.3, &right).unwrap();
        for (i, row) in matrix.values.chunks_exact(5).enumerate() {
            let found = dot(row, &solution) + 0.3 * solution[i];
            assert!((found - right[i]).abs() < 1e-9, "{found}");
        }
        assert_eq!(matrix.solve(-1e6, &right), None);
        assert_eq!(matrix.solve(f64::NAN, &right), None);
    }
}
