//! The worker that converts a checkpoint.

use js_sys::{Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::Blob;

use super::{blob::BlobReader, thrown};
use crate::{
    import::{Checkpoint, Conversion},
    weights::Dtype,
};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(typescript_type = "ConvertedFile | undefined")]
    pub type ConvertedFileJs;
}

/// Converts the authors' checkpoint to a weights directory, file by file; never whole in memory.
#[wasm_bindgen]
pub struct CheckpointConversion(Conversion<BlobReader>);

#[wasm_bindgen]
impl CheckpointConversion {
    /// Reads names and shapes, and refuses what is no SDIC checkpoint. `dtype` is "f32", "f16" or "q8".
    #[wasm_bindgen(constructor)]
    pub fn new(file: Blob, dtype: &str) -> Result<CheckpointConversion, JsValue> {
        let dtype: Dtype = dtype
            .parse()
            .map_err(|error: String| thrown("argument", &error))?;
        let checkpoint = Checkpoint::open(BlobReader::new(file)?)?;
        Ok(Self(checkpoint.convert(dtype)))
    }

    /// The next finished file with how many tensors of how many are done, or undefined after the manifest.
    #[wasm_bindgen(js_name = nextFile)]
    pub fn next_file(&mut self) -> Result<ConvertedFileJs, JsValue> {
        let Some(file) = self.0.next_file()? else {
            return Ok(JsValue::UNDEFINED.unchecked_into());
        };
        let (done, total) = self.0.progress();
        let object = Object::new();
        Reflect::set(&object, &"name".into(), &file.name.into())?;
        Reflect::set(
            &object,
            &"bytes".into(),
            &Uint8Array::from(file.bytes.as_slice()),
        )?;
        Reflect::set(&object, &"done".into(), &done.into())?;
        Reflect::set(&object, &"total".into(), &total.into())?;
        Ok(object.unchecked_into())
    }
}
