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
//! `examples/edit.rs` goes the whole way in forty lines: a [`weights::WeightsDir`] becomes an [`editing::Engine`],
//! [`face::FaceFinder`] finds the face, `invert` and `edit` work on it, and [`face::paste_back`] puts it back.
//!
//! [`editing::Engine`] is a loaded model that does all of it; [`weights`] is the format on disk, [`import`] turns
//! checkpoints and files of directions into it. No room imports from one further down this list: `config`, `pixels`,
//! `kernels`, `weights`, `networks`, `face`, `import`, `editing`, `web`.

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
