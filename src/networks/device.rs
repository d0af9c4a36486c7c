//! Where tensors live: the CPU, or a GPU through wgpu (WebGPU in a browser, Vulkan, Metal or DirectX natively).

use burn::tensor::Device;

pub use crate::kernels::keep_memory;

/// The CPU backend.
pub fn cpu() -> Device {
    Device::flex()
}

/// Whether the CPU's kernels can compute there.
pub(crate) fn is_cpu(device: &Device) -> bool {
    *device == cpu()
}

/// Gives memory back to the GPU that is kept for tensors to come, if that is much: loading a large model, or an
/// inversion, takes more than edits need.
#[cfg_attr(not(feature = "wgpu"), expect(unused_variables))]
pub fn give_back(device: &Device) {
    #[cfg(feature = "wgpu")]
    if !is_cpu(device) && gpu::memory(device).reserved > gpu::MOST_KEPT {
        gpu::give_back_all(device);
    }
}

/// GPU set-up, in builds with the `wgpu` feature.
#[cfg(feature = "wgpu")]
pub mod gpu {
    use burn::{
        backend::Wgpu,
        tensor::{
            Device, Tensor,
            wgpu::{MemoryConfiguration, WgpuInitError, WgpuOptions},
        },
    };
    use burn_cubecl::cubecl::{MemoryScope, client::Client};
    use thiserror::Error;

    /// Operations queued before they are submitted together.
    const TASKS_MAX: usize = 32;
    /// Bytes of memory that may be kept for tensors to come. Below it is not worth giving back: it takes with it what
    /// kernels were told of sizes.
    pub(super) const MOST_KEPT: u64 = 300_000_000;

    /// Why there is no GPU to run on.
    #[derive(Debug, Error)]
    #[error("no usable GPU: {0}; run on the CPU instead")]
    pub struct GpuError(#[from] WgpuInitError);

    /// A GPU and its name.
    pub struct Gpu {
        /// The device for tensors.
        pub device: Device,
        /// Adapter name and graphics API, for people.
        pub adapter: String,
    }

    /// Bytes of a GPU's memory.
    #[derive(Clone, Copy, Debug)]
    pub struct Memory {
        /// In tensors that are in use.
        pub in_use: u64,
        /// In all buffers, those among them that are kept for tensors to come.
        pub reserved: u64,
    }

    /// Where the GPU takes orders.
    fn client(device: &Device) -> Client {
        let tensor = Tensor::<1>::empty([1], device).try_into_primitive::<Wgpu>();
        tensor.expect("a tensor on the GPU").client
    }

    /// What this program takes of a GPU's memory.
    ///
    /// # Panics
    /// If the device is the CPU.
    pub fn memory(device: &Device) -> Memory {
        let usage = client(device).memory_report(MemoryScope::Device).usage();
        Memory {
            in_use: usage.bytes_in_use,
            reserved: usage.bytes_reserved,
        }
    }

    /// Gives back what is kept for tensors to come.
    ///
    /// # Panics
    /// As [`memory`].
    pub fn give_back_all(device: &Device) {
        // Refused only to those who record graphs; then all stays as it was.
        let _ = client(device).memory_cleanup();
    }

    /// Opens the adapter that the system prefers.
    ///
    /// # Errors
    /// [`GpuError`] if there is no adapter or it refuses a device.
    pub async fn open() -> Result<Gpu, GpuError> {
        open_with(Device::wgpu_options()).await
    }

    /// As [`open`], with a buffer for every tensor: how memory is handed out in browsers, so that what they take can be
    /// measured without one.
    ///
    /// # Errors
    /// As [`open`].
    pub async fn open_as_browsers_do() -> Result<Gpu, GpuError> {
        let memory = MemoryConfiguration::ExclusivePages;
        open_with(Device::wgpu_options().memory_config(memory)).await
    }

    async fn open_with(options: WgpuOptions) -> Result<Gpu, GpuError> {
        let options = options.tasks_max(TASKS_MAX);
        let (device, setup) = options.init_with_setup_async().await?;
        let info = setup.adapter.get_info();
        Ok(Gpu {
            device,
            adapter: format!("{} ({})", info.name, info.backend),
        })
    }
}
