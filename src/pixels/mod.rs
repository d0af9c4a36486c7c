//! Pictures and squares in them; knows neither faces nor networks.
//!
//! [`inspect`] says what a file is before anything is decoded, [`decode`] makes a [`Picture`] of its bytes, and
//! [`encode`] a file of a picture. A [`Quad`] is a rotated square in a picture, a [`Field`] a dense warp of one.

mod blur;
mod colour;
mod decode;
mod difference;
mod encode;
mod error;
mod extended;
mod field;
mod header;
mod kind;
mod mark;
mod note;
mod picture;
mod quad;
mod space;
mod tone;

pub(crate) use blur::{blur, blurred, mirrored};
pub use decode::{DecodePlan, Decoded, WORKING_PIXELS, WORKING_SIDE, decode, resize, working_size};
pub use difference::Difference;
pub use encode::{Format, encode, encode_png};
pub use error::{MAX_PIXELS, PictureError};
pub use extended::ExtendedPicture;
pub use field::{Field, GRID};
pub(crate) use field::{between_cells, middle_of_cell};
pub use header::{Header, Patch, inspect};
pub use kind::MediaKind;
pub use mark::{Change, HEAD, mark, marked};
pub use note::Note;
pub use picture::Picture;
pub(crate) use picture::{Pyramid, to_byte};
pub use quad::{Point, Quad, QuadError, QuadPoints};
pub(crate) use quad::{length, sub};
pub use space::Space;
pub(crate) use tone::{Tone, luma};
