//! SDIC: a face editor that inverts a photo into a StyleGAN2 and keeps what the inversion would lose.
//!
//! Zhang et al., "Spatial-Contextual Discrepancy Information Compensation for GAN Inversion", AAAI 2024
//! (arXiv 2312.07079), on Burn. Data flows one way:
//!
//! | stage | module | in | out |
//! |---|---|---|---|
//! | photo | [`picture`] | file bytes | pixels |
//! | aligned face | [`face`] | pixels | face in FFHQ framing |
//! | codes | [`encoder`] | aligned face | W+ codes w |
//! | first picture | [`generator`] | w | picture, feature G(w) |
//! | discrepancy | [`dipn`] | face, first picture | what was lost |
//! | compensation | [`dicn`] | discrepancy, G(w), w | feature F, codes w' |
//! | edit | [`directions`], [`motion`], [`feature_editor`], [`generator`] | w', F, strengths | edited face, motion |
//! | picture | [`face`] | edited face, photo | edited photo |
//!
//! [`pipeline`] connects the networks, [`model`] loads them, [`engine`] adds weights and edits;
//! [`import`] turns the authors' checkpoints into [`weights`].

pub mod config;
pub mod device;
pub mod dicn;
pub mod dipn;
pub mod directions;
pub mod encoder;
pub mod engine;
pub mod face;
pub mod feature_editor;
pub mod generator;
#[cfg(test)]
mod golden;
pub mod import;
pub mod kernels;
pub mod layers;
pub mod model;
pub mod motion;
pub mod picture;
pub mod pipeline;
pub mod selftest;
#[cfg(target_arch = "wasm32")]
pub mod wasm;
pub mod weights;
