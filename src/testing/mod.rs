//! What the unit tests of several rooms share.

pub(crate) mod files;
pub(crate) mod golden;
pub(crate) mod models;

/// The GPU that all tests of a process share: it can be opened only once.
#[cfg(feature = "wgpu")]
pub(crate) fn gpu() -> &'static crate::networks::device::gpu::Gpu {
    use std::sync::OnceLock;

    use crate::networks::device::gpu::{Gpu, open};

    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| pollster::block_on(open()).expect("a Vulkan driver, such as lavapipe"))
}
