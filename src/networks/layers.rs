//! Layers shared by the four networks.
//!
//! Field names are those of the released PyTorch checkpoints: a parameter's path in the module tree
//! is its tensor name (tuples stand for `nn.Sequential`, so positions count from 0).
//! All networks run in inference mode; batch normalisation uses its running statistics.
//!
//! Loaded layers compute with the backend's own operations. `fuse` folds normalisations into convolutions
//! and hands the weights to this crate's kernels, where there is one for them, which do a convolution and what
//! surrounds it in one pass over memory.

use std::sync::Arc;

use burn::{
    module::{Module, Param},
    tensor::{
        Device, Tensor, TensorData,
        module::{
            conv_transpose2d, conv_transpose3d, conv2d as backend_conv2d, conv3d as backend_conv3d,
            interpolate,
        },
        ops::{
            ConvOptions, ConvTransposeOptions, GridSampleOptions, GridSamplePaddingMode,
            InterpolateMode, InterpolateOptions,
        },
    },
};

#[cfg(feature = "wgpu")]
use super::shaders;
use super::{
    around::Around,
    convolution::{Convolution, Convolutions, Matrix},
    device::is_cpu,
    tensors::{cpu_values, raise},
};
pub use super::{
    around::{LayerActivation, PRelu, STYLE_SLOPE},
    precision::Precision,
    tensors::parameter,
};
use crate::{
    kernels::{self, Kind},
    pixels::Field,
};

/// Epsilon of every batch normalisation.
const NORM_EPSILON: f64 = 1e-5;

/// Reshapes per-channel values to broadcast over a `[batch, channels, ...]` tensor.
fn per_channel<const D: usize>(values: Tensor<1>) -> Tensor<D> {
    let mut shape = [1; D];
    shape[1] = values.dims()[0];
    values.reshape(shape)
}

/// Batch normalisation over dimension 1 with fixed statistics.
#[derive(Module, Debug)]
pub struct BatchNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    running_mean: Param<Tensor<1>>,
    running_var: Param<Tensor<1>>,
    /// Scale and shift, once they are known. Elsewhere in memory: a tensor takes hundreds of bytes of a struct,
    /// networks have a hundred of these, and are moved over a stack of 1 MB in a browser.
    #[module(skip)]
    fused: Option<Arc<(Tensor<1>, Tensor<1>)>>,
}

impl BatchNorm {
    /// Normalisation of `channels` channels.
    pub fn new(channels: usize, device: &Device) -> Self {
        Self {
            weight: parameter([channels], device),
            bias: parameter([channels], device),
            running_mean: parameter([channels], device),
            running_var: parameter([channels], device),
            fused: None,
        }
    }

    /// The same map as `x * scale + shift` per channel.
    fn affine(&self) -> (Tensor<1>, Tensor<1>) {
        if let Some(fused) = &self.fused {
            return (**fused).clone();
        }
        let scale = self.weight.val() / (self.running_var.val() + NORM_EPSILON).sqrt();
        let shift = self.bias.val() - self.running_mean.val() * scale.clone();
        (scale, shift)
    }

    /// Computes scale and shift once.
    pub fn fuse(self) -> Self {
        Self {
            fused: Some(Arc::new(self.affine())),
            ..self
        }
    }

    /// # Shapes
    /// `[batch, channels, ...]` to the same.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let (scale, shift) = self.affine();
        x * per_channel(scale) + per_channel(shift)
    }
}

/// A place in an `nn.Sequential` that holds a layer without parameters.
#[derive(Module, Debug)]
pub struct NoParameters;

/// Position of the weights' output and input channels, stride and padding of a [`Conv`].
#[derive(Clone, Debug)]
struct Geometry {
    stride: usize,
    /// Depth, height, width.
    padding: [usize; 3],
    transposed: bool,
    /// Factor on the weights (equalised learning rate).
    gain: f64,
}

/// Convolution or transposed convolution in 1, 2 or 3 dimensions (`D` counts batch and channels too).
#[derive(Module, Debug)]
pub struct Conv<const D: usize> {
    weight: Option<Param<Tensor<D>>>,
    bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    geometry: Geometry,
    /// Takes the place of `weight` where this crate has a kernel for it.
    #[module(skip)]
    kernel: Option<Arc<Convolution>>,
}

impl<const D: usize> Conv<D> {
    /// A convolution with weights `[out, in, kernel...]`, "same" padding at stride 1.
    fn new(shape: [usize; D], stride: usize, bias: bool, device: &Device) -> Self {
        let mut padding = [0; 3];
        for (padding, side) in padding.iter_mut().rev().zip(shape[2..].iter().rev()) {
            *padding = side / 2;
        }
        Self {
            weight: Some(parameter(shape, device)),
            bias: bias.then(|| parameter([shape[0]], device)),
            geometry: Geometry {
                stride,
                padding,
                transposed: false,
                gain: 1.0,
            },
            kernel: None,
        }
    }

    /// A transposed convolution that doubles every side: kernel 4, stride 2, padding 1, no bias.
    fn doubling(channels: [usize; 2], device: &Device) -> Self {
        let mut shape = [4; D];
        shape[..2].copy_from_slice(&channels);
        let mut padding = [1; 3];
        padding[..5 - D].fill(0);
        Self {
            weight: Some(parameter(shape, device)),
            bias: None,
            geometry: Geometry {
                stride: 2,
                padding,
                transposed: true,
                gain: 1.0,
            },
            kernel: None,
        }
    }

    /// With weights that stay on another device, which a kernel brings along.
    pub fn with_weight_on(mut self, device: &Device) -> Self {
        let shape = (self.weight.iter()).map(|weight| weight.lazy_shape().dims::<D>());
        self.weight = shape.map(|shape| parameter(shape, device)).next();
        self
    }

    /// With equalised learning rate: the weights are divided by the root of what one output sees.
    fn equalised(mut self) -> Self {
        let seen: usize = self
            .weight
            .iter()
            .flat_map(|weight| weight.lazy_shape()[1..].to_vec())
            .product();
        self.geometry.gain = 1.0 / (seen as f64).sqrt();
        self
    }

    /// # Shapes
    /// `[batch, channels_in, ...]` to `[batch, channels_out, ...]`.
    pub fn forward(&self, x: Tensor<D>) -> Tensor<D> {
        self.forward_with(None, x, LayerActivation::Identity)
    }

    /// Normalisation before the convolution, if any, and activation after it.
    ///
    /// # Shapes
    /// As [`Self::forward`].
    pub fn forward_with(
        &self,
        norm: Option<&BatchNorm>,
        x: Tensor<D>,
        activation: LayerActivation,
    ) -> Tensor<D> {
        match &self.kernel {
            Some(kernel) => self.run_kernel(kernel, norm, x, activation).0,
            None => self.run_backend(norm, x, activation),
        }
    }

    /// [`Self::forward_with`], and the input given back: the CPU's kernels would have to copy one that is still held
    /// elsewhere.
    ///
    /// # Shapes
    /// As [`Self::forward`].
    pub fn forward_keeping(
        &self,
        norm: Option<&BatchNorm>,
        x: Tensor<D>,
        activation: LayerActivation,
    ) -> (Tensor<D>, Tensor<D>) {
        match &self.kernel {
            Some(kernel) => self.run_kernel(kernel, norm, x, activation),
            None => (self.run_backend(norm, x.clone(), activation), x),
        }
    }

    fn run_kernel(
        &self,
        kernel: &Convolution,
        norm: Option<&BatchNorm>,
        x: Tensor<D>,
        activation: LayerActivation,
    ) -> (Tensor<D>, Tensor<D>) {
        let (scale, shift) = norm.map(BatchNorm::affine).unzip();
        let around = Around {
            input_scale: scale.map(|scale| scale.unsqueeze()),
            input_shift: shift,
            bias: self.bias.as_ref().map(Param::val),
            activation,
            ..Around::default()
        };
        kernel.run(x, around)
    }

    fn run_backend(
        &self,
        norm: Option<&BatchNorm>,
        x: Tensor<D>,
        activation: LayerActivation,
    ) -> Tensor<D> {
        let x = match norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        activate(self.convolve(x), activation)
    }

    /// The convolution by the backend's own operation.
    fn convolve(&self, x: Tensor<D>) -> Tensor<D> {
        let Some(weight) = &self.weight else {
            unreachable!("a convolution has weights or a kernel");
        };
        let Geometry {
            stride,
            padding,
            transposed,
            gain,
        } = self.geometry;
        let x = if gain == 1.0 { x } else { x * gain };
        let bias = self.bias.as_ref().map(Param::val);
        let weight = weight.val();
        let mut dims = x.dims();
        if D == 5 {
            let (x, weight) = (raise::<D, 5>(x), raise::<D, 5>(weight));
            let stride = [stride; 3];
            let y = if transposed {
                let options = ConvTransposeOptions::new(stride, padding, [0; 3], [1; 3], 1);
                conv_transpose3d(x, weight, bias, options)
            } else {
                backend_conv3d(
                    x,
                    weight,
                    bias,
                    ConvOptions::new(stride, padding, [1; 3], 1),
                )
            };
            dims.copy_from_slice(&y.dims());
            y.reshape(dims)
        } else {
            let (x, weight) = (raise::<D, 4>(x), raise::<D, 4>(weight));
            let (stride, padding) = ([stride; 2], [padding[1], padding[2]]);
            let y = if transposed {
                let options = ConvTransposeOptions::new(stride, padding, [0; 2], [1; 2], 1);
                conv_transpose2d(x, weight, bias, options)
            } else {
                backend_conv2d(
                    x,
                    weight,
                    bias,
                    ConvOptions::new(stride, padding, [1; 2], 1),
                )
            };
            let found = y.dims();
            dims[..2].copy_from_slice(&found[..2]);
            dims[2..].copy_from_slice(&found[6 - D..]);
            y.reshape(dims)
        }
    }

    fn kind(&self) -> Kind {
        let mut stride = [self.geometry.stride; 3];
        stride[..5 - D].fill(1);
        let padding = self.geometry.padding;
        if self.geometry.transposed {
            Kind::Transposed { stride, padding }
        } else {
            Kind::Forward {
                stride,
                padding: padding.map(|zeros| [zeros; 2]),
            }
        }
    }

    /// Folds `norm`, which follows, into the weights, and hands them to a kernel if there is one for them.
    pub fn fuse(mut self, norm: Option<BatchNorm>, weights: Precision) -> Self {
        if let Some(norm) = norm {
            let (scale, shift) = norm.affine();
            let mut shape = [1; D];
            shape[usize::from(self.geometry.transposed)] = scale.dims()[0];
            let scales = scale.clone().reshape(shape);
            self.weight = self
                .weight
                .map(|weight| weight.map(|weight| weight * scales));
            let shift = match self.bias.take() {
                Some(bias) => bias.into_value() * scale + shift,
                None => shift,
            };
            self.bias = Some(Param::from_tensor(shift));
        }
        let kind = self.kind();
        let exists = |weight: &mut Param<Tensor<D>>| {
            Convolution::exists(&weight.device(), &weight.dims(), kind)
        };
        if let Some(weight) = self.weight.take_if(exists) {
            let weight = weight.into_value() * self.geometry.gain;
            self.kernel = Some(Arc::new(Convolution::new(weight, kind, weights)));
        }
        self
    }
}

/// Convolutions of one shape, with biases, side by side.
#[derive(Clone, Debug)]
pub struct ConvGroup {
    kernels: Convolutions,
    biases: Tensor<1>,
}

impl ConvGroup {
    /// Of convolutions as loaded. `joined`: whether all are given the same input.
    pub fn new(convs: Vec<Conv<4>>, precision: Precision, joined: bool) -> Self {
        let kind = convs[0].kind();
        let biases = convs
            .iter()
            .filter_map(|conv| Some(conv.bias.as_ref()?.val()));
        let biases = Tensor::cat(biases.collect(), 0);
        let weights = convs
            .into_iter()
            .filter_map(|conv| Some(conv.weight?.into_value() * conv.geometry.gain));
        Self {
            kernels: Convolutions::new(weights, kind, precision, joined, &biases.device()),
            biases,
        }
    }

    /// Of linear layers as loaded, which see pictures of one pixel each.
    pub fn linear(layers: &[&EqualLinear], precision: Precision) -> Self {
        let point = Kind::Forward {
            stride: [1; 3],
            padding: [[0; 2]; 3],
        };
        let (weights, biases): (Vec<_>, Vec<_>) = (layers.iter())
            .filter_map(|layer| layer.scaled())
            .map(|(weight, bias)| {
                let [output, input] = weight.dims();
                (weight.reshape([output, input, 1, 1]), bias)
            })
            .unzip();
        let biases = Tensor::cat(biases, 0);
        let weights = weights.into_iter();
        Self {
            kernels: Convolutions::new(weights, point, precision, false, &biases.device()),
            biases,
        }
    }

    /// # Shapes
    /// `[count, in, height, width]`, or `[1, in, ...]` if they are joined, to `[count, out, ...]`.
    pub fn forward(&self, x: Tensor<4>, activation: LayerActivation) -> Tensor<4> {
        self.kernels.run(x, self.biases.clone(), activation)
    }
}

/// Convolution, batch normalisation and leaky ReLU.
#[derive(Module, Debug)]
pub struct BasicConv<const D: usize> {
    conv: Conv<D>,
    bn: Option<BatchNorm>,
}

impl<const D: usize> BasicConv<D> {
    /// Normalises the `channels` outputs of `conv`.
    pub fn new(conv: Conv<D>, channels: usize, device: &Device) -> Self {
        Self {
            conv,
            bn: Some(BatchNorm::new(channels, device)),
        }
    }

    /// Without normalisation.
    pub fn plain(conv: Conv<D>) -> Self {
        Self { conv, bn: None }
    }

    /// Convolution and normalisation, without the activation.
    pub fn linear(&self, x: Tensor<D>) -> Tensor<D> {
        conv_norm(&self.conv, &self.bn, x, LayerActivation::Identity)
    }

    /// # Shapes
    /// `[batch, channels_in, ...]` to `[batch, channels_out, ...]`.
    pub fn forward(&self, x: Tensor<D>) -> Tensor<D> {
        conv_norm(&self.conv, &self.bn, x, LayerActivation::LeakyRelu)
    }

    /// Folds the normalisation into the convolution.
    pub fn fuse(self, weights: Precision) -> Self {
        Self {
            conv: self.conv.fuse(self.bn, weights),
            bn: None,
        }
    }
}

/// An activation that no convolution could do along the way. On a GPU those that are straight on both sides of zero
/// take one dispatch.
fn activate<const D: usize>(x: Tensor<D>, activation: LayerActivation) -> Tensor<D> {
    #[cfg(feature = "wgpu")]
    if !is_cpu(&x.device())
        && !matches!(activation, LayerActivation::PRelu(_))
        && let kernels::Activation::LeakyRelu { slope, gain } = activation.kernel(&mut Vec::new())
    {
        return shaders::leaky(x, slope, gain);
    }
    activation.forward(x)
}

/// Convolution, a normalisation unless it has been folded away, and an activation.
pub fn conv_norm<const D: usize>(
    conv: &Conv<D>,
    norm: &Option<BatchNorm>,
    x: Tensor<D>,
    activation: LayerActivation,
) -> Tensor<D> {
    match norm {
        Some(norm) => activate(norm.forward(conv.forward(x)), activation),
        None => conv.forward_with(None, x, activation),
    }
}

/// 2-d convolution with an odd square kernel and "same" padding at stride 1.
pub fn conv2d(
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
    bias: bool,
    device: &Device,
) -> Conv<4> {
    let [input, output] = channels;
    Conv::new([output, input, kernel, kernel], stride, bias, device)
}

/// 1-d convolution with an odd kernel and "same" padding.
pub fn conv1d(channels: [usize; 2], kernel: usize, bias: bool, device: &Device) -> Conv<3> {
    let [input, output] = channels;
    Conv::new([output, input, kernel], 1, bias, device)
}

/// 3-d convolution without bias; the kernel `[depth, height, width]` is odd, with "same" padding at stride 1.
pub fn conv3d(channels: [usize; 2], kernel: [usize; 3], stride: usize, device: &Device) -> Conv<5> {
    let ([input, output], [depth, height, width]) = (channels, kernel);
    Conv::new([output, input, depth, height, width], stride, false, device)
}

/// 3x3 convolution with bias and equalised learning rate: weights are divided by sqrt(in * 9).
pub fn equal_conv2d(channels: [usize; 2], device: &Device) -> Conv<4> {
    conv2d(channels, 3, 1, true, device).equalised()
}

/// Transposed 2-d convolution that doubles height and width: kernel 4, stride 2, padding 1, no bias.
pub fn deconv2d(channels: [usize; 2], device: &Device) -> Conv<4> {
    Conv::doubling(channels, device)
}

/// Transposed 3-d convolution that doubles depth, height and width: kernel 4, stride 2, padding 1, no bias.
pub fn deconv3d(channels: [usize; 2], device: &Device) -> Conv<5> {
    Conv::doubling(channels, device)
}

/// Bilinear resize without antialiasing.
///
/// `align_corners` as in PyTorch: `false` maps half-pixel centres, `true` maps corner to corner.
///
/// # Shapes
/// `[batch, channels, height, width]` to `[batch, channels, size[0], size[1]]`.
pub fn resize_bilinear(x: Tensor<4>, size: [usize; 2], align_corners: bool) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    if [height, width] == size {
        return x;
    }
    interpolate(
        x,
        InterpolateOptions::new(InterpolateMode::Bilinear)
            .with_align_corners(align_corners)
            .with_output_size(size),
    )
}

/// Reads features along the arrows of a field, bilinearly. The border goes on outside.
pub struct Warp {
    /// Where every cell reads, `[1, side, side, 2]`: from -1 to 1 across the features.
    spots: Tensor<4>,
}

impl Warp {
    /// For features of this side. A GPU is sent what was queued before each upload, so this comes before anything is
    /// computed.
    pub fn new(field: &Field, side: usize, device: &Device) -> Self {
        let spots = (0..side * side).flat_map(|i| {
            let middle = [i % side, i / side].map(|i| (i as f32 + 0.5) / side as f32);
            let arrow = field.at(middle);
            [0, 1].map(|axis| 2.0 * (middle[axis] + arrow[axis]) - 1.0)
        });
        let spots = TensorData::new(spots.collect::<Vec<f32>>(), [1, side, side, 2]);
        Self {
            spots: Tensor::from_data(spots, device),
        }
    }

    /// # Shapes
    /// `[1, channels, side, side]` to the same.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let (shape, device) = (x.dims(), x.device());
        let spots = self.spots.clone();
        if is_cpu(&device) {
            let half = shape[3] as f32 / 2.0;
            let spots = cpu_values(spots);
            let spots = spots.as_chunks::<2>().0.iter();
            let spots = spots.map(|spot| spot.map(|at| (at + 1.0) * half - 0.5));
            let warped = kernels::warp(&cpu_values(x), shape[3], &spots.collect::<Vec<_>>());
            return Tensor::from_data(TensorData::new(warped, shape), &device);
        }
        let options = GridSampleOptions::new(InterpolateMode::Bilinear)
            .with_padding_mode(GridSamplePaddingMode::Border);
        x.grid_sample_2d(spots, options)
    }
}

/// Makes channels of the cells of every `factor` x `factor` square, row by row, as PyTorch's function of this name.
///
/// # Shapes
/// `[batch, channels, factor * height, factor * width]` to `[batch, channels * factor^2, height, width]`.
pub fn pixel_unshuffle(x: Tensor<4>, factor: usize) -> Tensor<4> {
    if factor == 1 {
        return x;
    }
    let [batch, channels, height, width] = x.dims();
    let [height, width] = [height, width].map(|side| side / factor);
    x.reshape([batch, channels, height, factor, width, factor])
        .permute([0, 1, 3, 5, 2, 4])
        .reshape([batch, channels * factor.pow(2), height, width])
}

/// Fully connected layer with equalised learning rate: `(x W^T / sqrt(in) + b) * multiplier`.
#[derive(Module, Debug)]
pub struct EqualLinear {
    weight: Option<Param<Tensor<2>>>,
    bias: Param<Tensor<1>>,
    multiplier: f64,
    /// Takes the place of `weight` on the GPU, and holds the factors on it and on the bias.
    #[module(skip)]
    kernel: Option<Arc<Matrix>>,
}

impl EqualLinear {
    /// From `channels[0]` to `channels[1]` values, with learning rate multiplier 1.
    pub fn new(channels: [usize; 2], device: &Device) -> Self {
        Self::with_multiplier(channels, 1.0, device)
    }

    /// With another learning rate multiplier.
    pub fn with_multiplier(channels: [usize; 2], multiplier: f64, device: &Device) -> Self {
        let [input, output] = channels;
        Self {
            weight: Some(parameter([output, input], device)),
            bias: parameter([output], device),
            multiplier,
            kernel: None,
        }
    }

    /// Values that it makes.
    pub fn outputs(&self) -> usize {
        self.bias.dims()[0]
    }

    /// # Shapes
    /// `[batch, in]` to `[batch, out]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        if let Some(kernel) = &self.kernel {
            return kernel.product(x, self.bias.val());
        }
        let Some(weight) = &self.weight else {
            unreachable!("a layer has weights or a kernel");
        };
        let weight = weight.val();
        let bias = self.bias.val() * self.multiplier;
        (x * self.scale(&weight)).matmul(weight.transpose()) + bias.unsqueeze()
    }

    fn scale(&self, weight: &Tensor<2>) -> f64 {
        self.multiplier / (weight.dims()[1] as f64).sqrt()
    }

    /// The weights and the bias, if it has them still, with the factors on them.
    pub fn scaled(&self) -> Option<(Tensor<2>, Tensor<1>)> {
        let weight = self.weight.as_ref()?.val();
        let scale = self.scale(&weight);
        Some((weight * scale, self.bias.val() * self.multiplier))
    }

    /// Without weights, for they are elsewhere.
    pub fn emptied(self) -> Self {
        Self {
            weight: None,
            ..self
        }
    }

    /// On the GPU, hands the weights to a kernel.
    pub fn fuse(mut self, weights: Precision) -> Self {
        let scaled = self.scaled();
        let kernel = scaled.and_then(|(weight, bias)| Some((Matrix::new(weight, weights)?, bias)));
        if let Some((kernel, bias)) = kernel {
            self.bias = Param::from_tensor(bias);
            self.weight = None;
            self.kernel = Some(Arc::new(kernel));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{networks::cpu_values, pixels::GRID, testing::golden::Case};

    /// Checks a layer as loaded and with its normalisation folded in.
    fn check<const D: usize>(name: &'static str, conv: Conv<D>, channels: usize) {
        let case = Case::open(name);
        let layer = case.load(BasicConv::new(conv, channels, case.device()), &[]);
        case.check(layer.forward(case.input(None)));
        case.check(layer.fuse(Precision::Single).forward(case.input(None)));
    }

    #[test]
    fn basic_convs_match_pytorch() {
        let device = &crate::networks::device::cpu();
        check("basic_conv", conv2d([6, 5], 3, 2, false, device), 5);
        check("basic_conv_transposed", deconv2d([6, 5], device), 5);
        check("basic_conv3d", conv3d([4, 5], [3, 3, 3], 2, device), 5);
        check("basic_conv3d_flat", conv3d([4, 5], [1, 5, 5], 1, device), 5);
        check("basic_conv3d_transposed", deconv3d([4, 3], device), 3);
    }

    #[test]
    fn a_plain_transposed_convolution_matches_pytorch() {
        let case = Case::open("conv3d_transposed_plain");
        let layer = BasicConv::plain(deconv3d([4, 1], case.device()));
        let layer = case.load(layer, &[]);
        case.check(layer.linear(case.input(None)));
        case.check(layer.fuse(Precision::Single).linear(case.input(None)));
    }

    #[test]
    fn equalised_layers_match_pytorch() {
        let case = Case::open("equal_linear");
        let layer = case.load(EqualLinear::new([10, 7], case.device()), &[]);
        case.check(layer.forward(case.input(None)));
        let case = Case::open("equal_conv");
        let layer = case.load(equal_conv2d([6, 4], case.device()), &[]);
        case.check(layer.forward(case.input(None)));
        case.check(
            layer
                .fuse(None, Precision::Single)
                .forward(case.input(None)),
        );
    }

    #[test]
    fn warping_matches_pytorch() {
        let case = Case::open("warp");
        let planes = cpu_values(case.input::<4>(1));
        let (right, down) = planes.split_at(GRID * GRID);
        let arrows = right.iter().zip(down).map(|(&x, &y)| [x, y]);
        let field = Field::new(arrows.collect()).unwrap();
        let warped: Tensor<4> = case.input(0);
        let warp = Warp::new(&field, warped.dims()[3], case.device());
        case.check(warp.forward(warped));
    }

    /// Against the definition, with values that name their places.
    fn unshuffling_gives_every_cell_its_channel(device: &Device) {
        for (batch, channels, height, width, factor) in [
            (1, 1, 1, 1, 1),
            (2, 3, 4, 5, 1),
            (1, 1, 1, 1, 2),
            (1, 3, 8, 8, 2),
            (2, 3, 2, 5, 2),
            (3, 2, 7, 1, 4),
            (1, 5, 3, 4, 3),
        ] {
            let [fine_height, fine_width] = [factor * height, factor * width];
            let count = batch * channels * fine_height * fine_width;
            let values: Vec<f32> = (0..count).map(|at| at as f32).collect();
            let mut expected = Vec::with_capacity(count);
            for plane in 0..batch * channels {
                for (dy, dx) in (0..factor * factor).map(|i| (i / factor, i % factor)) {
                    for (y, x) in (0..height * width).map(|i| (i / width, i % width)) {
                        let row = plane * fine_height + y * factor + dy;
                        expected.push(values[row * fine_width + x * factor + dx]);
                    }
                }
            }
            let shape = [batch, channels, fine_height, fine_width];
            let fine = Tensor::from_data(TensorData::new(values, shape), device);
            let found = pixel_unshuffle(fine, factor);
            let shape = [batch, channels * factor * factor, height, width];
            assert_eq!(found.dims(), shape);
            assert_eq!(cpu_values(found), expected, "{shape:?} by {factor}");
        }
    }

    #[test]
    fn unshuffling_gives_every_cell_its_channel_on_the_cpu() {
        unshuffling_gives_every_cell_its_channel(&crate::networks::device::cpu());
    }

    #[cfg(feature = "wgpu")]
    #[test]
    fn unshuffling_gives_every_cell_its_channel_on_wgpu() {
        unshuffling_gives_every_cell_its_channel(&crate::testing::gpu().device);
    }

    #[test]
    fn resizing_matches_pytorch() {
        for (name, side) in [("resize_down", 5), ("resize_up", 13), ("resize_half", 4)] {
            let case = Case::open(name);
            case.check(resize_bilinear(case.input(None), [side; 2], false));
        }
    }
}
