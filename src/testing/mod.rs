//! What the unit tests of several rooms share.

pub(crate) mod files;
pub(crate) mod golden;
pub(crate) mod models;
