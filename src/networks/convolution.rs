//! A convolution with all that surrounds it, in one pass over memory: by this crate's kernels, on the CPU and on a GPU.

use burn::tensor::{Device, Tensor, TensorData, activation};
use half::f16;

use super::{
    around::{Around, LayerActivation},
    device::is_cpu,
    precision::Precision,
    tensors::{cpu_values, volume_dims},
};
#[cfg(feature = "wgpu")]
use super::{shaders::ShaderLayer, tensors::raise};
use crate::kernels::{ConvLayer, Epilogue, Kind, Prologue, add_upsampled};

/// A convolution with its weights laid out for the device that they are on.
#[derive(Clone, Debug)]
pub enum Convolution {
    /// For the CPU.
    Cpu(Box<ConvLayer>),
    /// For the GPU.
    #[cfg(feature = "wgpu")]
    Gpu(Box<ShaderLayer>),
}

impl Convolution {
    /// Whether there is a kernel for weights of `shape`, `[out, in, ...]` or as [`Kind`] says, on `device`.
    #[cfg_attr(not(feature = "wgpu"), expect(unused_variables))]
    pub fn exists(device: &Device, shape: &[usize], kind: Kind) -> bool {
        if is_cpu(device) {
            return true;
        }
        #[cfg(feature = "wgpu")]
        return ShaderLayer::serves(volume_dims(shape), kind);
        #[cfg(not(feature = "wgpu"))]
        return false;
    }

    /// Lays out weights that a kernel [exists](Self::exists) for.
    pub fn new<const D: usize>(weight: Tensor<D>, kind: Kind, precision: Precision) -> Self {
        #[cfg(feature = "wgpu")]
        if !is_cpu(&weight.device()) {
            return Self::Gpu(Box::new(ShaderLayer::new(raise(weight), kind, precision)));
        }
        let shape = volume_dims(&weight.dims());
        let mut weight = cpu_values(weight);
        if precision == Precision::Half {
            for value in &mut weight {
                *value = f16::from_f32(*value).to_f32();
            }
        }
        Self::Cpu(Box::new(ConvLayer::new(&weight, shape, kind)))
    }

    /// Returns the result and `x`, which is not copied if nothing else holds it.
    ///
    /// # Shapes
    /// `[batch, in, ...]` to `[batch, out, ...]`.
    pub fn run<const D: usize>(&self, x: Tensor<D>, around: Around) -> (Tensor<D>, Tensor<D>) {
        match self {
            Self::Cpu(layer) => {
                let sigmoid = matches!(around.activation, LayerActivation::Sigmoid);
                let (output, x) = run_cpu(layer, x, around);
                match sigmoid {
                    true => (activation::sigmoid(output), x),
                    false => (output, x),
                }
            }
            #[cfg(feature = "wgpu")]
            Self::Gpu(layer) => {
                let output = layer.run(raise(x.clone()), around);
                let dims = output.dims();
                let mut shape = [1; D];
                shape[..2].copy_from_slice(&dims[..2]);
                shape[2..].copy_from_slice(&dims[7 - D..]);
                (output.reshape(shape), x)
            }
        }
    }
}

/// A matrix on the GPU, where a product with few vectors is worth a kernel of its own; the CPU's backend does it well.
#[derive(Clone, Debug)]
pub enum Matrix {
    /// As a convolution of pictures of one pixel.
    #[cfg(feature = "wgpu")]
    Gpu(Box<ShaderLayer>),
}

impl Matrix {
    /// Lays out `weight`, `[out, in]`; `None` on the CPU.
    #[cfg_attr(not(feature = "wgpu"), expect(unused_variables))]
    pub fn new(weight: Tensor<2>, precision: Precision) -> Option<Self> {
        #[cfg(feature = "wgpu")]
        if !is_cpu(&weight.device()) {
            let point = Kind::Forward {
                stride: [1; 3],
                padding: [[0; 2]; 3],
            };
            let [output, input] = weight.dims();
            let weight = weight.reshape([output, input, 1, 1, 1]);
            return Some(Self::Gpu(Box::new(ShaderLayer::new(
                weight, point, precision,
            ))));
        }
        None
    }

    /// `W x + bias`.
    ///
    /// # Shapes
    /// `[batch, in]` to `[batch, out]`.
    #[cfg_attr(not(feature = "wgpu"), expect(unused_variables))]
    pub fn product(&self, x: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
        match *self {
            #[cfg(feature = "wgpu")]
            Self::Gpu(ref layer) => {
                let around = Around {
                    bias: Some(bias),
                    ..Around::default()
                };
                flat(layer.run(pixels(x), around))
            }
        }
    }
}

/// Convolutions of one shape that a GPU computes side by side, in one dispatch. On the CPU they gain nothing by it.
#[derive(Clone, Debug)]
pub enum Convolutions {
    /// For the GPU.
    #[cfg(feature = "wgpu")]
    Gpu(Box<ShaderLayer>),
}

impl Convolutions {
    /// Lays out `weights`, `[out, in, kernel, kernel]` each; `None` on the CPU.
    #[cfg_attr(not(feature = "wgpu"), expect(unused_variables))]
    pub fn new(weights: Vec<Tensor<4>>, kind: Kind, precision: Precision) -> Option<Self> {
        #[cfg(feature = "wgpu")]
        if !is_cpu(&weights[0].device()) {
            let weights = weights.into_iter().map(raise).collect();
            let layer = ShaderLayer::side_by_side(weights, kind, precision);
            return Some(Self::Gpu(Box::new(layer)));
        }
        None
    }

    /// # Shapes
    /// `[count, in, height, width]`, or `[1, in, ...]` for all of them, to `[count, out, ...]`. `bias` is
    /// `[count * out]`.
    #[cfg_attr(not(feature = "wgpu"), expect(unused_variables))]
    pub fn run(&self, x: Tensor<4>, bias: Tensor<1>, activation: LayerActivation) -> Tensor<4> {
        match *self {
            #[cfg(feature = "wgpu")]
            Self::Gpu(ref layer) => {
                let around = Around {
                    bias: Some(bias),
                    activation,
                    ..Around::default()
                };
                let output = layer.run(raise(x), around);
                output.squeeze_dim::<4>(2)
            }
        }
    }
}

/// Vectors as pictures of one pixel.
#[cfg(feature = "wgpu")]
fn pixels(x: Tensor<2>) -> Tensor<5> {
    let [batch, channels] = x.dims();
    x.reshape([batch, channels, 1, 1, 1])
}

/// Pictures of one pixel as vectors.
#[cfg(feature = "wgpu")]
fn flat(x: Tensor<5>) -> Tensor<2> {
    let [batch, channels, ..] = x.dims();
    x.reshape([batch, channels])
}

/// Runs a CPU kernel on each picture of a batch.
fn run_cpu<const D: usize>(
    layer: &ConvLayer,
    x: Tensor<D>,
    around: Around,
) -> (Tensor<D>, Tensor<D>) {
    let device = x.device();
    let input_shape = x.dims();
    let mut shape = input_shape;
    let [batch, dims @ ..] = volume_dims(&shape);
    let output_dims = layer.output_dims(dims);
    shape[1] = output_dims[0];
    shape[2..].copy_from_slice(&output_dims[6 - D..]);
    let (channels, outputs) = (dims[0], output_dims[0]);

    let scale_pitch = match &around.input_scale {
        Some(scale) if scale.dims()[0] > 1 => channels,
        _ => 0,
    };
    let input_scale = around.input_scale.map(cpu_values);
    let input_shift = around.input_shift.map(cpu_values);
    let output_scale = around.output_scale.map(cpu_values);
    let noise = around.noise.map(cpu_values);
    let bias = around.bias.map(cpu_values);
    let skip = around.skip.map(|skip| (skip.dims(), cpu_values(skip)));
    let mut slopes = Vec::new();
    let activation = around.activation.kernel(&mut slopes);

    let values = cpu_values(x);
    let run = |(index, picture): (usize, &[f32])| {
        let prologue = Prologue {
            scale: (input_scale.as_ref()).map(|scale| &scale[index * scale_pitch..][..channels]),
            shift: input_shift.as_deref(),
        };
        let epilogue = Epilogue {
            scale: (output_scale.as_ref()).map(|scale| &scale[index * outputs..][..outputs]),
            noise: noise.as_deref(),
            bias: bias.as_deref(),
            activation,
        };
        let (mut output, _) = layer.run(picture, dims, &prologue, &epilogue);
        if let Some(([_, channels, height, width], skip)) = &skip {
            let small = channels * height * width;
            let small = &skip[index * small..][..small];
            add_upsampled(&mut output, small, [*channels, *height, *width]);
        }
        output
    };
    let pictures = values.chunks_exact(values.len() / batch);
    let mut pictures = pictures.enumerate().map(run);
    let mut output = pictures.next().unwrap_or_default();
    for picture in pictures {
        output.extend(picture);
    }
    let tensor = |values, shape| Tensor::from_data(TensorData::new(values, shape), &device);
    (tensor(output, shape), tensor(values, input_shape))
}
