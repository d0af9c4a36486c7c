//! Portraits turned to the side: what shows in them is put onto the surface of their face mesh, which is turned and
//! seen anew.

use image::{RgbaImage, imageops::sample_bilinear};
use sdic::{face::AlignedMesh, pixels::Picture};

/// The outermost points of the cheeks in the mesh.
const CHEEKS: [usize; 2] = [234, 454];
/// Cells of the grid of depths, and spots that are drawn for each pixel, both per side.
const GRID: usize = 64;
const SPOTS: usize = 3;

/// How far the head is turned in degrees, positive towards the right.
pub fn yaw(mesh: &AlignedMesh) -> f32 {
    let [left, right] = CHEEKS.map(|i| mesh.points[i]);
    (right[2] - left[2]).atan2(right[0] - left[0]).to_degrees()
}

/// Depths at the corners of a grid's cells; each takes after the points of the mesh that are near.
fn depths(mesh: &AlignedMesh) -> Vec<f32> {
    let corners = (0..(GRID + 1).pow(2)).map(|i| [i % (GRID + 1), i / (GRID + 1)]);
    let depth = |[column, row]: [usize; 2]| {
        let at = [column, row].map(|i| i as f32 / GRID as f32);
        let (mut sum, mut weights) = (0.0, 1e-9);
        for [x, y, z] in &mesh.points {
            let weight = ((x - at[0]).powi(2) + (y - at[1]).powi(2) + 1e-4).powi(-2);
            sum += weight * z;
            weights += weight;
        }
        sum / weights
    };
    corners.map(depth).collect()
}

/// The portrait with its head turned by so many degrees, in the middle of a picture of `side` pixels.
pub fn turned(
    portrait: &RgbaImage,
    mesh: &AlignedMesh,
    degrees: f32,
    side: usize,
) -> Picture<'static> {
    let depths = depths(mesh);
    let (sin, cos) = degrees.to_radians().sin_cos();
    // The axis goes through the middle of the head.
    let [left, right] = CHEEKS.map(|i| mesh.points[i]);
    let axis: [f32; 3] = std::array::from_fn(|i| (left[i] + right[i]) / 2.0);
    let mut rgba = [120, 130, 140, 255].repeat(side * side);
    let mut nearest = vec![f32::MAX; side * side];
    let spots = side * SPOTS / 2;
    for spot in 0..spots * spots {
        let uv = [spot % spots, spot / spots].map(|i| (i as f32 + 0.5) / spots as f32);
        let cell = uv.map(|t| t * GRID as f32);
        let [column, row] = cell.map(|t| t as usize);
        let [right, down] = cell.map(f32::fract);
        let corner = |right: usize, down: usize| depths[(row + down) * (GRID + 1) + column + right];
        let upper = corner(0, 0) + right * (corner(1, 0) - corner(0, 0));
        let lower = corner(0, 1) + right * (corner(1, 1) - corner(0, 1));
        let (x, z) = (uv[0] - axis[0], upper + down * (lower - upper) - axis[2]);
        let (seen, depth) = (axis[0] + x * cos - z * sin, x * sin + z * cos);
        // The portrait takes half of the picture's side.
        let [x, y] = [seen, uv[1]].map(|t| (0.25 + t / 2.0) * side as f32);
        if !(0.0..side as f32).contains(&x) {
            continue;
        }
        let at = y as usize * side + x as usize;
        if depth < nearest[at]
            && let Some(pixel) = sample_bilinear(portrait, uv[0], uv[1])
        {
            nearest[at] = depth;
            rgba[4 * at..][..3].copy_from_slice(&pixel.0[..3]);
        }
    }
    Picture::new(side, side, rgba).unwrap()
}
