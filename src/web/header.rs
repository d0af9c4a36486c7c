//! What a file of the visitor's is, before the browser decodes it.

use serde::Serialize;
use wasm_bindgen::prelude::*;
use web_sys::Blob;

use super::{blob::BlobReader, plain};
use crate::pixels::{self, Note, PictureError};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** What was done to a photo on opening it. */
export type PhotoNote =
  | { code: "reduced"; from: [number, number]; to: [number, number] }
  | { code: "profileConverted"; name: string }
  | { code: "depthReduced"; bits: number }
  | { code: "firstFrame" | "profileUnreadable" | "gainMapDropped" | "inksConverted" };
/** A file that is a picture, or why it is none that can be opened. */
export type PhotoHeader =
  | { problem: "not-a-picture"; kind: "empty" | "pdf" | "svg" | "film" | "webPage" | "archive" | "unknown" }
  | { problem: "too-large"; width: number; height: number }
  | { problem: "damaged"; kind: string }
  | {
      problem: null;
      kind: string;
      /** As stored; null where only a decoder knows. */
      size: [number, number] | null;
      /** How the stored picture is turned to be upright, as EXIF counts, where the browser is not to turn it. */
      orientation: number;
      space: PredefinedColorSpace;
      notes: PhotoNote[];
      /** Pictures of what sort they are, where not every program reads them. */
      unread: string | null;
      /** Lightness beyond white. */
      hdr: boolean;
      /** Bytes to put over those of the file, and behind it, before a browser decodes it. */
      patches: { at: number; bytes: number[] }[];
      tail: number[];
    };
/** Bytes of a file that are replaced by others, or put in between. */
export interface FileChange { at: number; replaced: number; bytes: number[]; }
"#;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(typescript_type = "PhotoHeader")]
    pub type PhotoHeaderJs;
    #[wasm_bindgen(typescript_type = "FileChange[]")]
    pub type FileChangesJs;
}

#[derive(Serialize)]
struct PhotoHeaderInfo<'a> {
    problem: Option<&'a str>,
    kind: &'a str,
    size: Option<[u32; 2]>,
    orientation: u8,
    space: &'a str,
    notes: &'a [Note],
    unread: Option<&'a str>,
    hdr: bool,
    patches: Vec<PatchJs<'a>>,
    tail: &'a [u8],
}

#[derive(Serialize)]
struct PatchJs<'a> {
    at: f64,
    bytes: &'a [u8],
}

#[derive(Serialize)]
struct Refused<'a> {
    problem: &'a str,
    kind: &'a str,
    width: f64,
    height: f64,
}

/// Reads what can be known of a picture without decoding it, and whether it is all there. The file is read by slices.
#[wasm_bindgen(js_name = inspectPhoto)]
pub fn inspect_photo(file: Blob) -> Result<PhotoHeaderJs, JsValue> {
    let refused = |problem, kind| Refused {
        problem,
        kind,
        width: 0.0,
        height: 0.0,
    };
    let header = match pixels::inspect(BlobReader::new(file)?) {
        Ok(header) => header,
        Err(PictureError::NotAPicture(kind)) => {
            return Ok(plain(&refused("not-a-picture", kind.name()))?.unchecked_into());
        }
        Err(PictureError::Damaged { kind, .. }) => {
            return Ok(plain(&refused("damaged", kind.name()))?.unchecked_into());
        }
        Err(PictureError::TooLarge { width, height }) => {
            let refused = Refused {
                width: width as f64,
                height: height as f64,
                ..refused("too-large", "")
            };
            return Ok(plain(&refused)?.unchecked_into());
        }
        Err(error) => return Err(error.into()),
    };
    let plan = header.plan();
    let patches = header.patches.iter().map(|patch| PatchJs {
        at: patch.at as f64,
        bytes: &patch.bytes,
    });
    let found = PhotoHeaderInfo {
        problem: None,
        kind: header.kind.name(),
        size: header.stored,
        orientation: header.orientation,
        space: plan.space.name(),
        notes: &plan.notes,
        unread: header.unread,
        hdr: header.hdr,
        patches: patches.collect(),
        tail: header.tail,
    };
    Ok(plain(&found)?.unchecked_into())
}

/// Width and height at which a photo of this size is worked on.
#[wasm_bindgen(js_name = workingSize)]
pub fn working_size(width: u32, height: u32) -> Vec<u32> {
    pixels::working_size([width, height]).to_vec()
}

#[derive(Serialize)]
struct ChangeJs {
    at: f64,
    replaced: f64,
    bytes: Vec<u8>,
}

/// What makes a PNG, JPEG or WebP file without metadata one that says that a model has edited the picture, in the order
/// of the file. `head` are its first 64 bytes, `length` is that of all of it.
#[wasm_bindgen(js_name = editMark)]
pub fn edit_mark(head: &[u8], length: f64) -> Result<FileChangesJs, JsValue> {
    let changes = pixels::mark(head, length as u64).unwrap_or_default();
    let changes = changes.into_iter().map(|change| ChangeJs {
        at: change.at as f64,
        replaced: change.replaced as f64,
        bytes: change.bytes,
    });
    Ok(plain(&changes.collect::<Vec<_>>())?.unchecked_into())
}
