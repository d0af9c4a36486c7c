//! Pictures and squares in them; knows neither faces nor networks.
//!
//! [`decode`] makes a [`Picture`] of a file's bytes, [`encode_png`] a file of a picture. A [`Quad`] is a rotated
//! square in a picture, a [`Field`] a dense warp of one.

mod blur;
mod error;
mod field;
mod file;
mod picture;
mod quad;

pub(crate) use blur::{blur, blurred, mirrored};
pub use error::{MAX_SIDE, PictureError};
pub(crate) use field::between_cells;
pub use field::{Field, GRID};
pub use file::{decode, encode_png, resize_square};
pub use picture::Picture;
pub(crate) use picture::{Pyramid, to_byte};
pub use quad::{Point, Quad, QuadError, QuadPoints};
pub(crate) use quad::{length, sub};
