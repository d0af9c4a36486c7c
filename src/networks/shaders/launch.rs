//! A kernel's way into Burn's queue.

#[cfg(test)]
use std::sync::atomic::{AtomicU64, Ordering};

use burn::{
    backend::Wgpu,
    tensor::{DType, Shape, Tensor},
};
use burn_cubecl::{
    cubecl::{
        CubeKernel, PrecompiledSource,
        ir::{UIntKind, metadata::Info, settings::Dim3},
        prelude::*,
        server::{KernelArguments, MetadataBindingInfo},
    },
    kernel::into_contiguous,
    ops::numeric::empty_device_contiguous_dtype,
    tensor::CubeTensor,
};

use super::source::Spec;

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

/// Runs a kernel on `inputs`, the first of which is `x`, for a result of `shape`.
///
/// `info` is what the kernel's text calls so.
pub(super) fn launch(
    spec: Spec,
    inputs: Vec<CubeTensor>,
    info: &[u32],
    workgroups: [usize; 3],
    shape: [usize; 4],
) -> Tensor<4> {
    let x = &inputs[0];
    let client = x.client.clone();
    let output = empty_device_contiguous_dtype(
        client.clone(),
        x.device.clone(),
        Shape::from(shape),
        DType::F32,
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
    client.launch(Box::new(spec), CubeCount::Static(x, y, z), arguments);
    #[cfg(test)]
    DISPATCHES.fetch_add(1, Ordering::Relaxed);
    Tensor::from_primitive::<Wgpu>(output)
}

impl Spec {
    fn dim(&self) -> Dim3 {
        let [x, y, z] = self.workgroup().map(|side| side as u32);
        Dim3 { x, y, z }
    }
}

impl KernelMetadata for Spec {
    fn id(&self) -> KernelId {
        // The text comes from nothing but the specification.
        KernelId::new::<Self>()
            .cube_dim(self.dim())
            .mode(ExecutionMode::Unchecked)
            .info(self.clone())
    }

    fn address_type(&self) -> ElemType {
        ElemType::UInt(UIntKind::U32)
    }
}

impl CubeKernel for Spec {
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
            source: self.text(),
            entrypoint_name: "main".to_owned(),
            lang: "wgsl",
        })
    }
}
