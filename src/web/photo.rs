//! The worker that holds the photo: finds faces, cuts them out aligned, and puts edited ones back.

use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use super::{
    EditedJs, MeshJs, QuadJs, argument,
    picture::{PictureJs, edited_from_js, picture_from_js, picture_to_js},
    plain, quad_argument, thrown,
};
use crate::{
    editing::Fields,
    face::{self, AlignedMesh, Backdrop, Face, Warning},
    pixels::{Picture, Point, Quad, QuadPoints, Space},
};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(typescript_type = "Face[]")]
    pub type FacesJs;
    #[wasm_bindgen(typescript_type = "Face | undefined")]
    pub type FollowedJs;
    #[wasm_bindgen(typescript_type = "QuadPoints")]
    pub type QuadPointsJs;
    #[wasm_bindgen(typescript_type = "PasteMode")]
    pub type PasteModeJs;
    #[wasm_bindgen(typescript_type = "Picture | undefined")]
    pub type SeenJs;
}

/// A face as JavaScript spells it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FaceJs<'a> {
    score: f32,
    quad: Quad,
    quad_points: QuadPointsFields,
    mesh: &'a [Point],
    r#box: [f32; 4],
    rotation: u16,
    yaw: f32,
    warnings: &'a [Warning],
}

impl<'a> From<&'a Face> for FaceJs<'a> {
    fn from(face: &'a Face) -> Self {
        Self {
            score: face.score,
            quad: face.quad,
            quad_points: face.quad_points.into(),
            mesh: &face.mesh,
            r#box: face.bounds,
            rotation: face.rotation,
            yaw: face.yaw,
            warnings: &face.warnings,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct QuadPointsFields {
    left_eye: Point,
    right_eye: Point,
    left_mouth: Point,
    right_mouth: Point,
}

impl From<QuadPoints> for QuadPointsFields {
    fn from(points: QuadPoints) -> Self {
        let QuadPoints {
            left_eye,
            right_eye,
            left_mouth,
            right_mouth,
        } = points;
        Self {
            left_eye,
            right_eye,
            left_mouth,
            right_mouth,
        }
    }
}

impl From<QuadPointsFields> for QuadPoints {
    fn from(points: QuadPointsFields) -> Self {
        let QuadPointsFields {
            left_eye,
            right_eye,
            left_mouth,
            right_mouth,
        } = points;
        Self {
            left_eye,
            right_eye,
            left_mouth,
            right_mouth,
        }
    }
}

/// Finds faces; runs on the CPU, needs no model.
#[wasm_bindgen]
pub struct FaceFinder(face::FaceFinder);

#[wasm_bindgen]
impl FaceFinder {
    /// From the bytes of `face/manifest.json` and of the file it names.
    #[wasm_bindgen(constructor)]
    pub fn new(manifest_json: &[u8], weights: &[u8]) -> Result<FaceFinder, JsValue> {
        Ok(Self(face::FaceFinder::from_bytes(manifest_json, weights)?))
    }

    /// The faces in a photo (RGBA bytes), largest first; none is an empty list, not an error.
    pub fn detect(&self, rgba: &[u8], width: usize, height: usize) -> Result<FacesJs, JsValue> {
        let faces = self.0.detect(&Picture::new(width, height, rgba)?);
        let faces: Vec<FaceJs> = faces.iter().map(Into::into).collect();
        Ok(plain(&faces)?.unchecked_into())
    }

    /// The mesh of the face in a square picture (RGBA bytes) that was cut out along `quad`, in the photo; undefined where
    /// it shows none.
    #[wasm_bindgen(js_name = meshIn)]
    pub fn mesh_in(
        &self,
        rgba: &[u8],
        width: usize,
        height: usize,
        quad: &QuadJs,
    ) -> Result<MeshJs, JsValue> {
        let quad = quad_argument(quad)?;
        let mesh = self
            .0
            .mesh_of_aligned(&Picture::new(width, height, rgba)?)?;
        let points = mesh.filter(AlignedMesh::shows_face).map(|mesh| {
            let points = mesh.points.iter();
            points.map(|&[x, y, _]| quad.at([x, y])).collect::<Vec<_>>()
        });
        let points = points.map(|points| plain(&points)).transpose()?;
        Ok(points.unwrap_or(JsValue::UNDEFINED).unchecked_into())
    }

    /// What is behind the person in `quad` of a photo (RGBA bytes), for `pasteBack`: a picture of the quad whose colours
    /// are the background's and whose alpha is the person's mask. Undefined where nobody is seen.
    pub fn backdrop(
        &self,
        rgba: &[u8],
        width: usize,
        height: usize,
        quad: &QuadJs,
    ) -> Result<SeenJs, JsValue> {
        let photo = Picture::new(width, height, rgba)?;
        let backdrop = self.0.backdrop(&photo, &quad_argument(quad)?)?;
        seen_to_js(backdrop.as_ref().map(Backdrop::picture))
    }

    /// Where the person is in `quad` of a picture of a film (RGBA bytes): a square picture whose red is the person's
    /// mask, green how far the background is hidden there, and blue how near the person is. Undefined where nobody is
    /// seen.
    pub fn silhouette(
        &self,
        rgba: &[u8],
        width: usize,
        height: usize,
        quad: &QuadJs,
    ) -> Result<SeenJs, JsValue> {
        let picture = Picture::new(width, height, rgba)?;
        let silhouette = self.0.silhouette(&picture, &quad_argument(quad)?)?;
        seen_to_js(silhouette.as_ref())
    }

    /// The face whose mesh was `mesh` in the picture before of a film, in this one (RGBA bytes); undefined where it is
    /// seen no longer.
    pub fn follow(
        &self,
        rgba: &[u8],
        width: usize,
        height: usize,
        mesh: &MeshJs,
    ) -> Result<FollowedJs, JsValue> {
        let picture = Picture::new(width, height, rgba)?;
        let face = self.0.follow(&picture, &argument::<Vec<Point>>(mesh)?)?;
        let face = face.map(|face| plain(&FaceJs::from(&face))).transpose()?;
        Ok(face.unwrap_or(JsValue::UNDEFINED).unchecked_into())
    }
}

/// From every spot of the square `quad` around a face with this mesh to where it lies on the same face in another
/// picture, `on`: arrows in sides, as those of a motion. Undefined where the points tell nothing.
#[wasm_bindgen]
pub fn placement(
    mesh: &MeshJs,
    quad: &QuadJs,
    on: &MeshJs,
    on_quad: &QuadJs,
) -> Result<Option<Vec<f32>>, JsValue> {
    let landmarks = |mesh: &MeshJs, quad: &QuadJs| -> Result<_, JsValue> {
        let mesh = argument::<Vec<Point>>(mesh)?;
        Ok(face::landmarks_of(&mesh, &quad_argument(quad)?)?)
    };
    let fields = Fields::new(&landmarks(mesh, quad)?, None, &landmarks(on, on_quad)?);
    Ok(fields.map(|fields| fields.place.arrows().as_flattened().to_vec()))
}

/// Cuts `quad` out of a photo (RGBA bytes), `size` pixels wide; what lies outside the photo is mirrored and blurred as
/// in FFHQ.
#[wasm_bindgen]
pub fn align(
    rgba: &[u8],
    width: usize,
    height: usize,
    quad: &QuadJs,
    size: usize,
) -> Result<PictureJs, JsValue> {
    let photo = Picture::new(width, height, rgba)?;
    picture_to_js(&face::align(&photo, &quad_argument(quad)?, size)?)
}

/// As `align` for what is no face: nothing is blurred, and beyond the photo its outermost pixels go on.
#[wasm_bindgen(js_name = cutOut)]
pub fn cut_out(
    rgba: &[u8],
    width: usize,
    height: usize,
    quad: &QuadJs,
    size: usize,
) -> Result<PictureJs, JsValue> {
    let photo = Picture::new(width, height, rgba)?;
    picture_to_js(&face::cut_out(&photo, &quad_argument(quad)?, size)?)
}

/// The FFHQ square of four points set by hand.
#[wasm_bindgen(js_name = quadFromPoints)]
pub fn quad_from_points(points: &QuadPointsJs) -> Result<QuadJs, JsValue> {
    let points = argument::<QuadPointsFields>(points)?;
    let quad = Quad::from_points(&points.into())?;
    Ok(plain(&quad.corners())?.unchecked_into())
}

/// A photo's bytes in the colour space that a canvas calls `space`; without a name, in sRGB.
fn photo_in(
    rgba: &[u8],
    width: usize,
    height: usize,
    space: Option<String>,
) -> Result<Picture<'_>, JsValue> {
    let named = space.map(|name| {
        let unknown = || thrown("argument", &format!("there is no colour space \"{name}\""));
        Space::from_name(&name).ok_or_else(unknown)
    });
    let space = named.transpose()?.unwrap_or_default();
    Ok(Picture::new(width, height, rgba)?.with_space(space))
}

/// A rebuilt face in the tone of the face in `quad` of a photo (RGBA bytes), if that has a single one, such as grey.
#[wasm_bindgen]
pub fn toned(
    rgba: &[u8],
    width: usize,
    height: usize,
    quad: &QuadJs,
    face: &PictureJs,
) -> Result<PictureJs, JsValue> {
    let photo = Picture::new(width, height, rgba)?;
    picture_to_js(&face::toned(
        picture_from_js(face)?,
        &photo,
        &quad_argument(quad)?,
    )?)
}

/// Puts an edited face back into its photo (RGBA bytes). `mesh` is that of the detected face, if there is one; `space`
/// the photo's colour space, sRGB if none is given; `backdrop` what is behind the person, if that is known, in sRGB.
#[wasm_bindgen(js_name = pasteBack)]
#[allow(clippy::too_many_arguments)]
pub fn paste_back(
    rgba: &[u8],
    width: usize,
    height: usize,
    quad: &QuadJs,
    mesh: &MeshJs,
    edited: &EditedJs,
    mode: &PasteModeJs,
    space: Option<String>,
    backdrop: Option<PictureJs>,
) -> Result<PictureJs, JsValue> {
    let photo = photo_in(rgba, width, height, space)?;
    let backdrop = backdrop.as_ref().map(backdrop_from_js).transpose()?;
    let mesh: Option<Vec<Point>> = argument(mesh)?;
    let edited = edited_from_js(edited)?;
    let (quad, mode) = (quad_argument(quad)?, argument(mode)?);
    let mesh = mesh.as_deref();
    picture_to_js(&edited.paste_before(&photo, &quad, mesh, mode, backdrop.as_ref())?)
}

/// A picture, if something was seen.
fn seen_to_js(picture: Option<&Picture>) -> Result<SeenJs, JsValue> {
    let picture = picture.map(picture_to_js).transpose()?;
    let picture = picture.map(JsValue::from);
    Ok(picture.unwrap_or(JsValue::UNDEFINED).unchecked_into())
}

fn backdrop_from_js(picture: &PictureJs) -> Result<Backdrop, JsValue> {
    let unfit = || thrown("argument", "the backdrop is not a picture of a square");
    Backdrop::from_picture(picture_from_js(picture)?).ok_or_else(unfit)
}
