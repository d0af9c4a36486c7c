//! Reading between the pixels: StyleGAN2's low-pass filter `[1, 3, 3, 1]` behind a doubling of height and width, and
//! warps.

/// One row of an upsampling convolution's output from the four phases of the transposed convolution.
///
/// `phase(r, c, t)` is row `t` of the values at rows `2 t + r` and columns `2 x + c`, both counted from one
/// position before the tile; `row` counts from the tile's first row. `scratch` holds two rows of a phase.
#[inline(always)]
pub(super) fn blur_rows<'a>(
    target: &mut [f32],
    row: usize,
    phase: impl Fn(usize, usize, usize) -> &'a [f32],
    scratch: &mut [f32],
) {
    let t = row / 2 + 1;
    let columns = phase(0, 0, t).len();
    let (even, odd) = scratch[..2 * columns].split_at_mut(columns);
    for (column, mixed) in [&mut *even, &mut *odd].into_iter().enumerate() {
        let rows = if row.is_multiple_of(2) {
            [
                phase(1, column, t - 1),
                phase(0, column, t),
                phase(1, column, t),
                phase(0, column, t + 1),
            ]
        } else {
            [
                phase(0, column, t),
                phase(1, column, t),
                phase(0, column, t + 1),
                phase(1, column, t + 1),
            ]
        };
        let [a, b, c, d] = rows.map(|row| &row[..columns]);
        for ((((mixed, a), b), c), d) in mixed.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *mixed = ((a + d) + 3.0 * (b + c)) / 16.0;
        }
    }
    interpolate(target.as_chunks_mut::<2>().0, even, odd);
}

/// The filter along a row, whose values at `2 x` and `2 x + 1` are `even[x + 1]` and `odd[x + 1]`.
#[inline(always)]
fn interpolate(target: &mut [[f32; 2]], even: &[f32], odd: &[f32]) {
    let count = target.len();
    let [last_odd, odd, next_odd] = [0, 1, 2].map(|shift| &odd[shift..][..count]);
    let [even, next_even] = [1, 2].map(|shift| &even[shift..][..count]);
    for x in 0..count {
        target[x] = [
            (last_odd[x] + next_even[x]) + 3.0 * (even[x] + odd[x]),
            (even[x] + next_odd[x]) + 3.0 * (odd[x] + next_even[x]),
        ];
    }
}

/// Adds a doubled picture: zeros between the pixels of `small`, then the filter with gain 4.
///
/// # Shapes
/// `picture` is `[channels, 2 * height, 2 * width]`, `small` is `[channels, height, width]`.
///
/// # Panics
/// If a length does not fit `dims`, which is `small`'s `[channels, height, width]`.
pub fn add_upsampled(picture: &mut [f32], small: &[f32], dims: [usize; 3]) {
    let [channels, height, width] = dims;
    assert_eq!(
        small.len(),
        channels * height * width,
        "small picture of dimensions {dims:?}"
    );
    assert_eq!(
        picture.len(),
        4 * small.len(),
        "picture of twice the dimensions {dims:?}"
    );
    let mut mixed = vec![0.0; width + 2];
    for (index, target) in picture.chunks_exact_mut(2 * width).enumerate() {
        let (channel, row) = (index / (2 * height), index % (2 * height));
        let near = row / 2;
        let far = if row.is_multiple_of(2) {
            near.checked_sub(1)
        } else {
            Some(near + 1).filter(|&far| far < height)
        };
        let line = |row: usize| &small[(channel * height + row) * width..][..width];
        let inside = &mut mixed[1..=width];
        match far {
            Some(far) => {
                for ((mixed, near), far) in inside.iter_mut().zip(line(near)).zip(line(far)) {
                    *mixed = (3.0 * near + far) / 16.0;
                }
            }
            None => {
                for (mixed, near) in inside.iter_mut().zip(line(near)) {
                    *mixed = 3.0 * near / 16.0;
                }
            }
        }
        let (pairs, _) = target.as_chunks_mut::<2>();
        for (pair, window) in pairs.iter_mut().zip(mixed.windows(3)) {
            pair[0] += window[0] + 3.0 * window[1];
            pair[1] += 3.0 * window[1] + window[2];
        }
    }
}

/// Reads pictures bilinearly at given spots. The border goes on outside.
///
/// # Shapes
/// `planes` is `[channels, side, side]`; `spots` has a place for each pixel of the result, right and down in pixels
/// from the middle of the first pixel. The result is `[channels, spots]`.
///
/// # Panics
/// If `side` is 0 or `planes` has parts of a plane.
pub fn warp(planes: &[f32], side: usize, spots: &[[f32; 2]]) -> Vec<f32> {
    let (area, last) = (side * side, side - 1);
    assert!(
        planes.len().is_multiple_of(area),
        "planes of {side} x {side}"
    );
    // The first of the four pixels around a spot, how far the others are, and how much of them there is.
    let corners = spots.iter().map(|spot| {
        let at = spot.map(|at| at.clamp(0.0, last as f32));
        let [x, y] = at.map(|at| at as usize);
        let step = [usize::from(x < last), side * usize::from(y < last)];
        (y * side + x, step, [at[0] - x as f32, at[1] - y as f32])
    });
    let corners: Vec<_> = corners.collect();
    let mut output = Vec::with_capacity(planes.len() / area * spots.len());
    for plane in planes.chunks_exact(area) {
        output.extend(corners.iter().map(|&(first, [right, down], [x, y])| {
            let row = |at: usize| plane[at] + x * (plane[at + right] - plane[at]);
            let (top, bottom) = (row(first), row(first + down));
            top + y * (bottom - top)
        }));
    }
    output
}
