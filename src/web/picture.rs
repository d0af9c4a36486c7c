//! Pictures and motions between JavaScript and Rust.

use js_sys::{Float32Array, Int16Array, Object, Reflect, Uint8ClampedArray};
use wasm_bindgen::prelude::*;

use super::{EditedJs, thrown};
use crate::{
    editing::EditedPictures,
    pixels::{Difference, Field, Picture},
};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(typescript_type = "Picture")]
    pub type PictureJs;
}

/// A picture as a `Picture`.
pub(super) fn picture_to_js(picture: &Picture) -> Result<PictureJs, JsValue> {
    let object = Object::new();
    let data = Uint8ClampedArray::from(picture.rgba());
    Reflect::set(&object, &"width".into(), &picture.width().into())?;
    Reflect::set(&object, &"height".into(), &picture.height().into())?;
    Reflect::set(&object, &"data".into(), &data)?;
    Ok(object.unchecked_into())
}

/// A `Picture` as a picture.
pub(super) fn picture_from_js(picture: &JsValue) -> Result<Picture<'static>, JsValue> {
    let side = |name: &str| {
        let value = Reflect::get(picture, &name.into())
            .ok()
            .and_then(|side| side.as_f64());
        value.ok_or_else(|| thrown("picture", &format!("the picture has no {name}")))
    };
    let (width, height) = (side("width")? as usize, side("height")? as usize);
    let data = Reflect::get(picture, &"data".into())?;
    let data = data
        .dyn_into::<Uint8ClampedArray>()
        .map_err(|_| thrown("picture", "the picture's data is no Uint8ClampedArray"))?;
    Ok(Picture::new(width, height, data.to_vec())?)
}

/// Both pictures of an edit, its motion and which sliders were held back as an `Edited`.
pub(super) fn edited_to_js(
    edited: &EditedPictures,
    held: &[(String, f32)],
) -> Result<EditedJs, JsValue> {
    let object = Object::new();
    let pictures = [("edited", &edited.picture), ("unedited", &edited.unedited)];
    for (name, picture) in pictures {
        Reflect::set(&object, &name.into(), &picture_to_js(picture)?.into())?;
    }
    if let Some(difference) = &edited.difference {
        let values = Int16Array::from(difference.values());
        Reflect::set(&object, &"difference".into(), &values)?;
    }
    if let Some(motion) = &edited.motion {
        let arrows = Float32Array::from(motion.arrows().as_flattened());
        Reflect::set(&object, &"motion".into(), &arrows)?;
    }
    let shares = Object::new();
    for (name, share) in held {
        Reflect::set(&shares, &name.into(), &f64::from(*share).into())?;
    }
    Reflect::set(&object, &"held".into(), &shares)?;
    Ok(object.unchecked_into())
}

/// An `Edited` as both pictures of an edit and its motion.
pub(super) fn edited_from_js(edited: &EditedJs) -> Result<EditedPictures, JsValue> {
    let picture = |name: &str| picture_from_js(&Reflect::get(edited, &name.into())?);
    let unedited = picture("unedited")?;
    Ok(EditedPictures {
        picture: picture("edited")?,
        difference: difference_from_js(edited, &unedited)?,
        unedited,
        motion: motion_from_js(edited)?,
    })
}

fn difference_from_js(edited: &JsValue, like: &Picture) -> Result<Option<Difference>, JsValue> {
    let difference = Reflect::get(edited, &"difference".into())?;
    if difference.is_undefined() {
        return Ok(None);
    }
    let values = difference.dyn_into::<Int16Array>().ok();
    let difference = values.and_then(|v| Difference::new(like.width(), like.height(), v.to_vec()));
    difference
        .map(Some)
        .ok_or_else(|| thrown("argument", "the difference is not that of an edit"))
}

fn motion_from_js(edited: &JsValue) -> Result<Option<Field>, JsValue> {
    let motion = Reflect::get(edited, &"motion".into())?;
    if motion.is_undefined() {
        return Ok(None);
    }
    let arrows = motion.dyn_into::<Float32Array>().ok();
    let arrows = arrows.map(|arrows| arrows.to_vec().as_chunks::<2>().0.to_vec());
    let field = arrows.and_then(Field::new);
    field
        .map(Some)
        .ok_or_else(|| thrown("argument", "the motion is not that of an edit"))
}
