//! A dense warp of a square picture.

use super::quad::Point;

/// Cells per side of a [`Field`].
pub const GRID: usize = 64;

/// An arrow for every spot of a picture, which says how far away to read.
#[derive(Clone, Debug, PartialEq)]
pub struct Field(Vec<Point>);

impl Field {
    /// From the arrows of GRID x GRID cells, row by row; `None` for another number of them.
    pub fn new(arrows: Vec<Point>) -> Option<Self> {
        (arrows.len() == GRID * GRID).then_some(Self(arrows))
    }

    /// The arrows of the cells, row by row.
    pub fn arrows(&self) -> &[Point] {
        &self.0
    }

    /// Least area that a small piece of the warped picture has where it is read, as a share of its own. At 0 and
    /// below, the warp folds: pieces are read twice and in mirror image, and the picture tears.
    pub fn least_area(&self) -> f32 {
        let arrow = |x: usize, y: usize| self.0[y * GRID + x];
        let cells = (0..GRID - 1).flat_map(|y| (0..GRID - 1).map(move |x| (x, y)));
        let areas = cells.map(|(x, y)| {
            let [corner, right, below] = [arrow(x, y), arrow(x + 1, y), arrow(x, y + 1)];
            let slope = |to: Point, axis: usize| (to[axis] - corner[axis]) * GRID as f32;
            (1.0 + slope(right, 0)) * (1.0 + slope(below, 1)) - slope(right, 1) * slope(below, 0)
        });
        areas.fold(f32::INFINITY, f32::min)
    }

    /// The arrow at `[u, v]`, bilinear between the middles of the cells and constant beyond.
    #[inline]
    pub fn at(&self, uv: Point) -> Point {
        between_cells(&self.0, GRID, uv)
    }
}

/// The middle of one of `side` x `side` cells, row by row.
pub(crate) fn middle_of_cell(index: usize, side: usize) -> Point {
    [index % side, index / side].map(|i| (i as f32 + 0.5) / side as f32)
}

/// Value at `[u, v]` of `side` x `side` cells, row by row: bilinear between their middles and constant beyond.
#[inline]
pub(crate) fn between_cells<const N: usize>(
    cells: &[[f32; N]],
    side: usize,
    uv: Point,
) -> [f32; N] {
    let [(x, fx), (y, fy)] = uv.map(|t| {
        let at = (t * side as f32 - 0.5).clamp(0.0, side as f32 - 1.0);
        let near = (at as usize).min(side - 2);
        (near, at - near as f32)
    });
    let corner = |x, y| cells[y * side + x];
    let (a, b) = (corner(x, y), corner(x + 1, y));
    let (c, d) = (corner(x, y + 1), corner(x + 1, y + 1));
    std::array::from_fn(|i| {
        let top = a[i] + fx * (b[i] - a[i]);
        let bottom = c[i] + fx * (d[i] - c[i]);
        top + fy * (bottom - top)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_numbers_of_arrows_are_refused() {
        assert_eq!(Field::new(vec![[0.0; 2]; 5]), None);
    }

    #[test]
    fn areas_are_those_of_an_affine_warp() {
        let warp = |matrix: [[f32; 2]; 2]| {
            let arrows = (0..GRID * GRID).map(|i| {
                let [x, y] = [i % GRID, i / GRID].map(|i| i as f32 / GRID as f32);
                matrix.map(|[a, b]| a * x + b * y)
            });
            Field::new(arrows.collect()).unwrap().least_area()
        };
        for (matrix, area) in [
            ([[0.0, 0.0], [0.0, 0.0]], 1.0),
            ([[1.0, 0.0], [0.0, 0.5]], 3.0),
            ([[0.0, 0.5], [0.5, 0.0]], 0.75),
            ([[-2.0, 0.0], [0.0, 0.0]], -1.0),
        ] {
            assert!((warp(matrix) - area).abs() < 1e-3, "{matrix:?}");
        }
    }

    #[test]
    fn a_field_is_read_at_any_resolution() {
        let field = Field::new(
            (0..GRID * GRID)
                .map(|i| [(i % GRID) as f32, (i / GRID) as f32])
                .collect(),
        );
        let field = field.unwrap();
        let row = |side: usize, count: usize| -> Vec<f32> {
            (0..count)
                .map(|i| field.at(middle_of_cell(i, side))[0])
                .collect()
        };
        assert_eq!(row(GRID, 3), [0.0, 1.0, 2.0]);
        assert_eq!(row(GRID / 2, 3), [0.5, 2.5, 4.5]);
        assert_eq!(row(2 * GRID, 4), [0.0, 0.25, 0.75, 1.25]);
        assert_eq!(field.at([7.0, -1.0]), [GRID as f32 - 1.0, 0.0]);
    }
}
