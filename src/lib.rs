//! SDIC.
pub mod config;
pub mod device;
pub mod dicn;
pub mod dipn;
pub mod encoder;
pub mod generator;
pub mod layers;
pub mod model;
pub mod picture;
pub mod pipeline;
