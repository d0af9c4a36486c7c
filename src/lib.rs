//! SDIC.
pub mod config;
pub mod dicn;
pub mod dipn;
pub mod encoder;
pub mod generator;
pub mod layers;
