//! A convolution with all that surrounds it, in one pass over memory: by this crate's kernels, on the CPU and on a GPU.

use burn::tensor::{Device, Tensor, TensorData};
use half::f16;

use super::{
    around::{Around, LayerActivation},
    device::is_cpu,
    precision::Precision,
    tensors::{cpu_values, volume_dims},
};
#[cfg(feature = "wgpu")]
use super::{shaders::ShaderLayer, tensors::raise};
use crate::kernels::{self, ConvLayer, Epilogue, Kind, Prologue, add_upsampled};

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
        let weight = cpu_weights(weight, precision);
        Self::Cpu(Box::new(ConvLayer::new(&weight, shape, kind)))
    }

    /// Returns the result and `x`, which is not copied if nothing else holds it.
    ///
    /// # Shapes
    /// `[batch, in, ...]` to `[batch, out, ...]`.
    pub fn run<const D: usize>(&self, x: Tensor<D>, around: Around) -> (Tensor<D>, Tensor<D>) {
        match self {
            Self::Cpu(layer) => run_cpu(layer, x, around),
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

/// Convolutions of one shape, side by side.
#[derive(Clone, Debug)]
pub enum Convolutions {
    /// For the CPU.
    Cpu(SideBySide),
    /// For the GPU, in one dispatch.
    #[cfg(feature = "wgpu")]
    Gpu(Box<ShaderLayer>),
}

impl Convolutions {
    /// Lays out `weights` for a device, `[out, in, kernel, kernel]` each. `joined`: whether all are given the same
    /// input.
    #[cfg_attr(not(feature = "wgpu"), expect(unused_variables))]
    pub fn new(
        weights: impl Iterator<Item = Tensor<4>>,
        kind: Kind,
        precision: Precision,
        joined: bool,
        device: &Device,
    ) -> Self {
        #[cfg(feature = "wgpu")]
        if !is_cpu(device) {
            let weights = weights.map(raise).collect();
            let layer = ShaderLayer::side_by_side(weights, kind, precision);
            return Self::Gpu(Box::new(layer));
        }
        Self::Cpu(SideBySide::new(weights, kind, precision, joined))
    }

    /// # Shapes
    /// `[count, in, height, width]`, or `[1, in, ...]` if they are joined, to `[count, out, ...]`. `bias` is
    /// `[count * out]`.
    pub fn run(&self, x: Tensor<4>, bias: Tensor<1>, activation: LayerActivation) -> Tensor<4> {
        match self {
            Self::Cpu(layers) => layers.run(x, bias, activation),
            #[cfg(feature = "wgpu")]
            Self::Gpu(layer) => {
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

/// Weights of joined layers, at most: threads take whole layers.
const MOST_JOINED: usize = 1 << 20;

/// The CPU's [`Convolutions`].
#[derive(Clone, Debug)]
pub struct SideBySide {
    layers: Vec<ConvLayer>,
    /// Convolutions with one input are few layers with all their outputs: the input is prepared once for each.
    joined: bool,
    /// Outputs of one convolution.
    output: usize,
}

impl SideBySide {
    /// Takes one weight after another: large models have no room for all of them twice.
    fn new(
        weights: impl Iterator<Item = Tensor<4>>,
        kind: Kind,
        precision: Precision,
        joined: bool,
    ) -> Self {
        let mut weights = weights.peekable();
        let dims @ [output, ..] = weights.peek().map_or([1; 4], |weight| weight.dims());
        let together = match joined {
            true => (MOST_JOINED / dims.iter().product::<usize>()).max(1),
            false => 1,
        };
        let layers = std::iter::from_fn(|| {
            let mut taken =
                (weights.by_ref().take(together)).map(|weight| cpu_weights(weight, precision));
            let mut weight = taken.next()?;
            let size = weight.len();
            taken.for_each(|other| weight.extend(other));
            let mut shape = volume_dims(&dims);
            shape[0] *= weight.len() / size;
            Some(ConvLayer::new(&weight, shape, kind))
        });
        Self {
            layers: layers.collect(),
            joined,
            output,
        }
    }

    fn run(&self, x: Tensor<4>, bias: Tensor<1>, activation: LayerActivation) -> Tensor<4> {
        let device = x.device();
        let [_, dims @ ..] = volume_dims(&x.dims());
        let [_, _, height, width] = self.layers[0].output_dims(dims);
        let (values, bias) = (cpu_values(x), cpu_values(bias));
        let count = bias.len() / self.output;
        let mut slopes = Vec::new();
        let activation = activation.kernel(&mut slopes);
        let size: usize = dims.iter().product();
        let pitch = if self.joined { 0 } else { size };
        let mut rest = &bias[..];
        let jobs = self.layers.iter().enumerate().map(|(index, layer)| {
            let (bias, others) = rest.split_at(layer.output_dims(dims)[0]);
            rest = others;
            (index, layer, bias)
        });
        let jobs: Vec<_> = jobs.collect();
        let outputs = kernels::each(&jobs, |&(index, layer, bias)| {
            let epilogue = Epilogue {
                bias: Some(bias),
                activation,
                ..Epilogue::default()
            };
            let input = &values[index * pitch..][..size];
            layer.run(input, dims, &Prologue::default(), &epilogue).0
        });
        let shape = [count, self.output, height, width];
        Tensor::from_data(TensorData::new(outputs.concat(), shape), &device)
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

/// Weights for the CPU's kernels, as exact as they are asked to be.
fn cpu_weights<const D: usize>(weight: Tensor<D>, precision: Precision) -> Vec<f32> {
    let mut weight = cpu_values(weight);
    if precision == Precision::Half {
        for value in &mut weight {
            *value = f16::from_f32(*value).to_f32();
        }
    }
    weight
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

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;

    use super::*;
    use crate::networks::device::cpu;

    #[test]
    fn side_by_side_is_as_one_after_another() {
        let device = cpu();
        let random = |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Default, &device);
        let kind = Kind::Forward {
            stride: [1, 2, 2],
            padding: [[0; 2], [1; 2], [1; 2]],
        };
        // Of the larger ones no more than two are joined, so that one is left over.
        for (count, output, input, joined) in
            [(5, 128, 320, true), (3, 8, 6, true), (3, 8, 6, false)]
        {
            let weights: Vec<_> = (0..count).map(|_| random([output, input, 3, 3])).collect();
            let bias = random([1, 1, count, output]).reshape([count * output]);
            let x = random([if joined { 1 } else { count }, input, 6, 10]);
            let each = weights.clone().into_iter();
            let all = Convolutions::new(each, kind, Precision::Single, joined, &device);
            let all = all.run(x.clone(), bias.clone(), LayerActivation::LeakyRelu);
            assert_eq!(all.dims(), [count, output, 3, 5]);
            for (index, weight) in weights.into_iter().enumerate() {
                let around = Around {
                    bias: Some(bias.clone().narrow(0, index * output, output)),
                    activation: LayerActivation::LeakyRelu,
                    ..Around::default()
                };
                let x = x.clone().narrow(0, if joined { 0 } else { index }, 1);
                let (one, _) = Convolution::new(weight, kind, Precision::Single).run(x, around);
                let same = all.clone().narrow(0, index, 1);
                assert_eq!(
                    cpu_values(same),
                    cpu_values(one),
                    "number {index} of {count}"
                );
            }
        }
    }
}
