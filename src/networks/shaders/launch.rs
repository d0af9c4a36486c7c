//! A kernel's way into Burn's queue.

#[cfg(test)]
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fmt::Debug, hash::Hash};

use burn::{
    backend::Wgpu,
    tensor::{DType, Int, Shape, Tensor},
};
use burn_cubecl::{
    cubecl::{
        CubeKernel, PrecompiledSource,
        client::Client,
        ir::{UIntKind, metadata::Info, settings::Dim3},
        prelude::*,
        server::{KernelArguments, MetadataBindingInfo},
    },
    kernel::into_contiguous,
    ops::numeric::empty_device_contiguous_dtype,
    tensor::CubeTensor,
};

/// Dispatches since the program began.
#[cfg(test)]
static DISPATCHES: AtomicU64 = AtomicU64::new(0);

/// How many kernels of this module have been dispatched since the program began.
#[cfg(test)]
pub(super) fn dispatches() -> u64 {
    DISPATCHES.load(Ordering::Relaxed)
}

/// A tensor on the GPU, in row-major order.
pub(super) fn buffer<const D: usize>(tensor: Tensor<D>) -> CubeTensor {
    let tensor = tensor.try_into_primitive::<Wgpu>();
    into_contiguous(tensor.expect("a tensor on the GPU"))
}

/// Words on the GPU.
pub(super) fn words(tensor: Tensor<1, Int>) -> CubeTensor {
    let tensor = tensor.try_into_primitive::<Wgpu>();
    into_contiguous(tensor.expect("a tensor on the GPU"))
}

/// Submits what is queued with this tensor: until then the queue holds on to all that it reads.
pub(super) fn submit(tensor: &CubeTensor) {
    // What cannot be submitted is told when values are read back.
    let _ = tensor.client.flush();
}

/// What `task` makes of memory, in a buffer of exactly its size. Memory for a short while comes from what others left,
/// which may be twice as large: nobody could use the rest as long as weights are kept there.
pub(super) fn kept<T: Send>(client: &Client, task: impl FnOnce() -> T + Send) -> T {
    client.memory_dedicated_allocation((), |()| task())
}

/// A kernel by its text.
pub(super) trait Text: Clone + Debug + Eq + Hash + Send + Sync + 'static {
    /// Threads of a workgroup along each axis.
    fn workgroup(&self) -> [usize; 3];

    /// In WGSL, with an entry point `main`. It comes from nothing but `self`.
    fn text(&self) -> String;
}

/// Runs a kernel on `inputs`, of which there is at least one, for a result of `shape` and `element`s.
///
/// `info` is what the kernel's text calls so: an even number of words.
pub(super) fn launch<const D: usize>(
    kernel: impl Text,
    inputs: Vec<CubeTensor>,
    info: &[u32],
    workgroups: [usize; 3],
    shape: [usize; D],
    element: DType,
) -> CubeTensor {
    let x = &inputs[0];
    let client = x.client.clone();
    let output = empty_device_contiguous_dtype(
        client.clone(),
        x.device.clone(),
        Shape::from(shape),
        element,
    );
    let words = info.as_chunks::<2>().0.iter();
    let words = words.map(|&[low, high]| u64::from(low) | u64::from(high) << 32);
    let mut arguments = KernelArguments::new();
    for tensor in inputs {
        arguments = arguments.with_buffer_io(tensor.handle.binding(), BufferIOAttr::ReadOnly);
    }
    arguments = arguments
        .with_buffer_io(output.handle.clone().binding(), BufferIOAttr::WriteOnly)
        .with_info(MetadataBindingInfo::custom(words.collect()));
    let [x, y, z] = workgroups.map(|count| count as u32);
    let kernel = Box::new(Kernel(kernel));
    client.launch(kernel, CubeCount::Static(x, y, z), arguments);
    #[cfg(test)]
    DISPATCHES.fetch_add(1, Ordering::Relaxed);
    output
}

/// What Burn's queue takes for a kernel.
struct Kernel<T>(T);

impl<T: Text> Kernel<T> {
    fn dim(&self) -> Dim3 {
        let [x, y, z] = self.0.workgroup().map(|side| side as u32);
        Dim3 { x, y, z }
    }
}

impl<T: Text> KernelMetadata for Kernel<T> {
    fn id(&self) -> KernelId {
        KernelId::new::<Self>()
            .cube_dim(self.dim())
            .mode(ExecutionMode::Unchecked)
            .info(self.0.clone())
    }

    fn address_type(&self) -> ElemType {
        ElemType::UInt(UIntKind::U32)
    }
}

impl<T: Text> CubeKernel for Kernel<T> {
    fn define(&self) -> KernelDefinition {
        let settings = KernelSettings::new(self.dim(), ExecutionMode::Unchecked, AddressType::U32);
        KernelDefinition {
            body: Scope::root(settings.clone()),
            settings,
            info: Info::default(),
        }
    }

    fn source(&self) -> Option<PrecompiledSource> {
        Some(PrecompiledSource {
            source: self.0.text(),
            entrypoint_name: "main".to_owned(),
            lang: "wgsl",
        })
    }
}
