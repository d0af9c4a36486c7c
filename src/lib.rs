//! SDIC: a face editor that inverts a photo into a StyleGAN2 and keeps what the inversion would lose.
//!
//! Zhang et al., "Spatial-Contextual Discrepancy Information Compensation for GAN Inversion", AAAI 2024
//! (arXiv 2312.07079), on Burn. Data flows one way:
//!
//! | step | module | in | out |
//! |---|---|---|---|
//! | photo | [`pixels`] | file bytes | picture |
//! | aligned face | [`face`] | picture | face in FFHQ framing |
//! | codes | [`networks`] (encoder) | aligned face | W+ codes w |
//! | first picture | [`networks`] (generator) | w | picture, feature G(w) |
//! | discrepancy | [`networks`] (DIPN) | face, first picture | what was lost |
//! | compensation | [`networks`] (DICN) | discrepancy, G(w), w | feature F, codes w' |
//! | edit | [`editing`] | w', F, strengths | edited face, motion |
//! | picture | [`face`] | edited face, photo | edited photo |
//!
//! A [`weights::WeightsDir`] becomes an [`editing::Engine`], a loaded model. [`face::FaceFinder`] finds the face, the
//! engine inverts and edits it, and [`editing::EditedPictures::paste_into`] puts it back. This is `examples/edit.rs`:
//!
//! ```no_run
#![doc = include_str!("../examples/edit.rs")]
//! ```
//!
//! [`weights`] is the format on disk, [`import`] turns checkpoints and files of directions into it. No room imports
//! from one further down this list: `config`, `pixels`, `kernels`, `weights`, `networks`, `face`, `import`, `editing`,
//! `web`.

pub mod config;
pub mod editing;
pub mod face;
pub mod import;
#[doc(hidden)] // for this crate's own benches
pub mod kernels;
pub mod networks;
pub mod pixels;
#[cfg(test)]
mod testing;
#[cfg(target_arch = "wasm32")]
mod web;
pub mod weights;
