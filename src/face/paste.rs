//! Putting an edited face back into its photo at the photo's full resolution.

use serde::{Deserialize, Serialize};

use super::{
    align::sampled,
    backdrop::{Backdrop, Scene},
    error::FaceError,
    landmarks::MESH_POINTS,
    mesh::OVAL,
};
use crate::pixels::{
    Difference, Field, GRID, Picture, Point, Pyramid, Quad, Tone, between_cells, blur, blurred,
    middle_of_cell, to_byte,
};

/// Width of the soft border along the sides of the quad, in sides.
const FEATHER: f32 = 0.1;
/// How far the face region reaches beyond the outline of the face, in sides: everywhere, and more at the top for hair.
const GROWTH: f32 = 0.06;
const HAIR: f32 = 0.22;
/// Softness of the face region, standard deviation in sides.
const SOFTNESS: f32 = 0.03;
/// Standard deviation of the colour match in sides.
const MATCH_RADIUS: f32 = 0.1;
/// Side of the grid on which the photo's tone is measured.
const TONE_GRID: usize = 64;
/// Length of the longest arrow of a motion, in sides, from which on a difference keeps to the person.
const MOVING: f32 = 0.005;
/// Differences in colour, of 255, much larger than this are no drift but another content.
const DRIFT: f32 = 24.0;

/// What is put into the photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PasteMode {
    /// The edited face itself, matched in colour along its border. For edits of shape and pose whose motion is not
    /// known.
    Face,
    /// The photo's own pixels, moved as the edit moves the face, and what it changed besides added: keeps pores and
    /// grain.
    Difference,
}

/// A rendered face, in sRGB.
#[derive(Clone, Copy, Debug)]
pub struct Rendered<'a> {
    /// The edited face, a picture of the whole quad of any size.
    pub edited: &'a Picture<'a>,
    /// The same face, unedited but for its motion, in the same size.
    pub unedited: &'a Picture<'a>,
    /// How they differ beyond what their bytes can say; `None` if they say it all.
    pub difference: Option<&'a Difference>,
    /// From a spot of both to where it is in the quad; `None` if nothing moves.
    pub motion: Option<&'a Field>,
}

/// The photo with the edited face in the place of `quad`.
///
/// In [`PasteMode::Face`], the points of the `mesh` narrow the pasted region to face and hair; without them, and for a
/// difference, it is the whole quad but for a soft border. A rebuilt face is matched in colour by how the unedited one
/// differs from the photo, so that an edit of the colours themselves is kept. Pixels outside the quad stay as they are,
/// and so does all alpha. A photo of one tone, such as grey or sepia, keeps it.
///
/// # Errors
/// [`FaceError::Empty`] for pictures without pixels, [`FaceError::Mesh`] for a wrong number of points, and
/// [`FaceError::Sizes`] if the two faces differ in size.
pub fn paste_back(
    photo: &Picture,
    quad: &Quad,
    mesh: Option<&[Point]>,
    rendered: Rendered,
    mode: PasteMode,
) -> Result<Picture<'static>, FaceError> {
    paste_before(photo, quad, mesh, rendered, mode, None)
}

/// [`paste_back`] in front of what is behind the person, if that is known.
///
/// Where an edit of [`PasteMode::Difference`] moves the face, the person moves as one, and the background stays as it
/// is. What the person hid and does so no longer is filled in from its surroundings. Where the photo shows nothing but
/// the person, both before and after, the result is that of [`paste_back`], and so it is where nothing moves.
///
/// # Errors
/// As there.
pub fn paste_before(
    photo: &Picture,
    quad: &Quad,
    mesh: Option<&[Point]>,
    Rendered {
        edited,
        unedited,
        difference,
        motion,
    }: Rendered,
    mode: PasteMode,
    backdrop: Option<&Backdrop>,
) -> Result<Picture<'static>, FaceError> {
    if photo.is_empty() || edited.is_empty() {
        return Err(FaceError::Empty { what: "paste-back" });
    }
    if let Some(mesh) = mesh.filter(|mesh| mesh.len() != MESH_POINTS) {
        return Err(FaceError::Mesh { found: mesh.len() });
    }
    let size = [edited.width(), edited.height()];
    let others = [
        [unedited.width(), unedited.height()],
        difference.map_or(size, |d| [d.width(), d.height()]),
    ];
    if let Some(&other) = others.iter().find(|other| **other != size) {
        return Err(FaceError::Sizes {
            edited: size,
            unedited: other,
        });
    }
    let tone = tone(photo, quad)?;
    let space = photo.space();
    let mask = Mask::new(quad, mesh.filter(|_| mode == PasteMode::Face));
    let content = match mode {
        PasteMode::Face => {
            let [edited, unedited] = [edited, unedited].map(|p| p.view().in_space(space));
            let drift = drift(photo, quad, &unedited, &mask)?;
            Content::Face {
                face: for_place(edited, quad),
                drift,
            }
        }
        PasteMode::Difference => {
            let bytes = || Difference::between(edited, unedited);
            let difference = difference.cloned().unwrap_or_else(bytes);
            let difference = difference.in_space(space, unedited);
            Content::Difference(match smoothing(size, quad) {
                Some(sigma) => difference.blurred(sigma),
                None => difference,
            })
        }
    };
    let motion = motion.filter(|_| mode == PasteMode::Difference);
    let longest = motion.map_or(0.0, longest);
    let scene = (backdrop.filter(|_| longest > 0.0)).map(|backdrop| Scene::new(backdrop, space));
    let keeping = (longest / MOVING).min(1.0);
    let (width, height) = (photo.width(), photo.height());
    let [left, top, right, bottom] = quad.bounds();
    let range = |low: f32, high: f32, length: usize| {
        low.floor().clamp(0.0, length as f32) as usize
            ..high.ceil().clamp(0.0, length as f32) as usize
    };
    let mut rgba = photo.rgba().to_vec();
    for y in range(top, bottom, height) {
        for x in range(left, right, width) {
            let uv = quad.locate([x as f32 + 0.5, y as f32 + 0.5]);
            let inside = feather(uv, quad.aspect());
            if inside <= 0.0 {
                continue;
            }
            let pixel = &mut rgba[4 * (y * width + x)..][..4];
            if pixel[3] == 0 {
                continue;
            }
            // Where nothing that can be seen moves here, what is here stays.
            let mut own = [pixel[0], pixel[1], pixel[2]].map(f32::from);
            let mut alpha = inside * mask.at(uv);
            if let Some(motion) = motion {
                let arrow = motion.at(uv);
                let from = [0, 1].map(|axis| uv[axis] + inside * arrow[axis]);
                let moved = || photo.cubic(quad.at(from));
                match &scene {
                    Some(scene) => {
                        let (shown, near) = scene.shown(own, uv, from, moved);
                        alpha *= 1.0 - keeping * (1.0 - near);
                        if alpha <= 0.0 && shown == own {
                            continue;
                        }
                        own = shown;
                    }
                    None => own = moved().unwrap_or(own),
                }
            }
            let opacity = f32::from(pixel[3]) / 255.0;
            let change = content
                .change(uv, own, opacity)
                .map(|change| alpha * change);
            let change = tone.as_ref().map_or(change, |tone| tone.keep(own, change));
            for ((value, own), change) in pixel.iter_mut().zip(own).zip(change) {
                *value = to_byte(own + change);
            }
        }
    }
    Ok(Picture::new(width, height, rgba)?.with_space(space))
}

/// Length of the longest arrow of a motion, in sides.
fn longest(motion: &Field) -> f32 {
    let lengths = motion
        .arrows()
        .iter()
        .map(|[right, down]| right.hypot(*down));
    lengths.fold(0.0, f32::max)
}

/// A rebuilt face in the tone of the photo that it was cut out of, if that has a single one, such as grey or sepia.
///
/// # Errors
/// [`FaceError::Empty`] for a photo without pixels.
pub fn toned(
    picture: Picture<'static>,
    photo: &Picture,
    quad: &Quad,
) -> Result<Picture<'static>, FaceError> {
    let Some(tone) = tone(photo, quad)? else {
        return Ok(picture);
    };
    let (width, height, space) = (picture.width(), picture.height(), picture.space());
    let mut rgba = picture.into_rgba();
    for pixel in rgba.chunks_exact_mut(4) {
        let colour = tone.toned([pixel[0], pixel[1], pixel[2]].map(f32::from));
        for (value, toned) in pixel.iter_mut().zip(colour) {
            *value = to_byte(toned);
        }
    }
    Ok(Picture::new(width, height, rgba)?.with_space(space))
}

/// The tone of the photo in the quad, if it has a single one.
fn tone(photo: &Picture, quad: &Quad) -> Result<Option<Tone>, FaceError> {
    let square = sampled(photo, quad, [TONE_GRID; 2])?;
    let pixels = square.rgba().chunks_exact(4);
    let colours: Vec<_> = pixels.map(|p| [p[0], p[1], p[2]].map(f32::from)).collect();
    Ok(Tone::of(&colours))
}

/// How much a picture of the quad has to be smoothed for being shown smaller than it is, if it is: standard deviation
/// in its pixels.
fn smoothing([width, _]: [usize; 2], quad: &Quad) -> Option<f32> {
    let ratio = width as f32 / quad.side();
    (ratio > 1.0).then_some(0.5 * (ratio - 1.0))
}

/// The picture smoothed for its place.
fn for_place<'a>(picture: Picture<'a>, quad: &Quad) -> Picture<'a> {
    match smoothing([picture.width(), picture.height()], quad) {
        Some(sigma) => blurred(&picture, sigma),
        None => picture,
    }
}

/// Colour of a picture of the quad at `[u, v]` in the quad.
fn colour(picture: &Picture, [u, v]: Point) -> [f32; 3] {
    picture.bilinear([u * picture.width() as f32, v * picture.height() as f32])
}

enum Content<'a> {
    Face { face: Picture<'a>, drift: Grid<3> },
    Difference(Difference),
}

impl Content<'_> {
    /// What is to be added to the photo's `own` colour, at `uv` in the quad, where the mask is full. A face was made
    /// of what shows in front of white.
    fn change(&self, uv: Point, own: [f32; 3], opacity: f32) -> [f32; 3] {
        match self {
            Content::Face { face, drift } => {
                let (face, drift) = (colour(face, uv), drift.at(uv));
                let shown = own.map(|value| 255.0 + opacity * (value - 255.0));
                std::array::from_fn(|i| (face[i] + drift[i] - shown[i]) / opacity)
            }
            Content::Difference(difference) => difference.at(uv),
        }
    }
}

/// Smooth numbers over the quad, `N` per cell of a grid of GRID by GRID.
struct Grid<const N: usize>(Vec<[f32; N]>);

impl<const N: usize> Grid<N> {
    /// Bilinear value at `[u, v]`, constant beyond the middles of the outermost cells.
    fn at(&self, uv: Point) -> [f32; N] {
        between_cells(&self.0, GRID, uv)
    }
}

/// Middles of the cells, row by row.
fn cells() -> impl Iterator<Item = Point> {
    (0..GRID * GRID).map(|i| middle_of_cell(i, GRID))
}

/// How far from the sides of a quad that is `aspect` times as high as wide: 0 outside it and on them, 1 beyond the soft
/// border.
fn feather([u, v]: Point, aspect: f32) -> f32 {
    let depth = u.min(1.0 - u).min(v.min(1.0 - v) * aspect);
    let t = (depth / FEATHER).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// The region of a face within its quad.
struct Mask {
    region: Option<Grid<1>>,
}

impl Mask {
    fn new(quad: &Quad, mesh: Option<&[Point]>) -> Mask {
        let region = mesh.map(|mesh| {
            let outline = region(&OVAL.map(|i| quad.locate(mesh[i])));
            let mut filled: Vec<f32> = cells()
                .map(|cell| f32::from(u8::from(contains(&outline, cell))))
                .collect();
            blur(&mut filled, GRID, SOFTNESS * GRID as f32);
            Grid(filled.into_iter().map(|v| [v.clamp(0.0, 1.0)]).collect())
        });
        Mask { region }
    }

    /// 1 in the region, falling to 0 around it; 1 everywhere if no region is known.
    fn at(&self, uv: Point) -> f32 {
        self.region.as_ref().map_or(1.0, |region| region.at(uv)[0])
    }
}

/// The outline of a face, in the quad's own coordinates, grown to hold its hair.
fn region(oval: &[Point]) -> Vec<Point> {
    let count = oval.len() as f32;
    let [cx, cy] = oval.iter().fold([0.0, 0.0], |sum, p| {
        [sum[0] + p[0] / count, sum[1] + p[1] / count]
    });
    let grown = oval.iter().map(|[u, v]| {
        let [dx, dy] = [u - cx, v - cy];
        let distance = dx.hypot(dy).max(f32::MIN_POSITIVE);
        let upwards = (-dy / distance).max(0.0);
        let factor = 1.0 + (GROWTH + HAIR * upwards) / distance;
        [cx + factor * dx, cy + factor * dy]
    });
    grown.collect()
}

/// Whether a point lies inside a polygon, by the number of edges that a ray to the right crosses.
fn contains(polygon: &[Point], [x, y]: Point) -> bool {
    let edges = polygon.iter().zip(polygon.iter().cycle().skip(1));
    let crossed = edges.filter(|([ax, ay], [bx, by])| {
        (*ay > y) != (*by > y) && x < ax + (y - ay) / (by - ay) * (bx - ax)
    });
    crossed.count() % 2 == 1
}

/// How the photo differs from `reference` along the border of the mask, carried smoothly over the whole quad. What
/// differs in content rather than in tint hardly counts.
fn drift(
    photo: &Picture,
    quad: &Quad,
    reference: &Picture,
    mask: &Mask,
) -> Result<Grid<3>, FaceError> {
    let place = sampled(photo, quad, [GRID; 2])?;
    let pyramid = Pyramid::new(reference.view());
    let whole = Quad::whole(reference.width(), reference.height());
    let samples: Vec<_> = whole
        .iter()
        .flat_map(|whole| pyramid.sample(whole, GRID))
        .collect();
    let [width, height] = [photo.width() as f32, photo.height() as f32];
    let mut differences = Vec::with_capacity(GRID * GRID);
    let mut weights = Vec::with_capacity(GRID * GRID);
    for ((cell, sample), pixel) in cells().zip(samples).zip(place.rgba().chunks_exact(4)) {
        let [x, y] = quad.at(cell);
        let inside = (0.0..width).contains(&x) && (0.0..height).contains(&y);
        let alpha = feather(cell, quad.aspect()) * mask.at(cell);
        let on_ring = inside && alpha > 0.05 && alpha < 0.95;
        let sample = sample.unwrap_or_default();
        differences.push(std::array::from_fn::<f32, 3, _>(|i| {
            f32::from(pixel[i]) - sample[i]
        }));
        weights.push(if on_ring { 1.0 } else { 0.0 });
    }
    let typical: [f32; 3] = std::array::from_fn(|i| median(differences.iter().zip(&weights), i));
    for (weight, difference) in weights.iter_mut().zip(&differences) {
        let distance: f32 = (0..3).map(|i| (difference[i] - typical[i]).powi(2)).sum();
        *weight *= (-distance / (2.0 * DRIFT * DRIFT)).exp();
    }
    let sigma = MATCH_RADIUS * GRID as f32;
    let mut planes: [Vec<f32>; 3] = std::array::from_fn(|i| {
        differences
            .iter()
            .zip(&weights)
            .map(|(difference, weight)| weight * (difference[i] - typical[i]))
            .collect()
    });
    for plane in planes.iter_mut().chain([&mut weights]) {
        blur(plane, GRID, sigma);
    }
    // Where no border is near, the typical difference holds.
    let cell =
        |at: usize| std::array::from_fn(|i| typical[i] + planes[i][at] / (weights[at] + 0.02));
    Ok(Grid((0..GRID * GRID).map(cell).collect()))
}

/// Median of one channel of the differences with a weight; 0 if there are none.
fn median<'a>(differences: impl Iterator<Item = (&'a [f32; 3], &'a f32)>, channel: usize) -> f32 {
    let mut values: Vec<f32> = differences
        .filter(|(_, w)| **w > 0.0)
        .map(|(d, _)| d[channel])
        .collect();
    values.sort_by(f32::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
