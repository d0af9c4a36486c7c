//! Layers shared by the four networks.
//!
//! Field names are those of the released PyTorch checkpoints: a parameter's path in the module tree
//! is its tensor name (tuples stand for `nn.Sequential`, so positions count from 0).
//! All networks run in inference mode; batch normalisation uses its running statistics.

use burn::{
    module::{Initializer, Module, ModuleDisplay, Param},
    nn::{
        PaddingConfig1d, PaddingConfig2d, PaddingConfig3d,
        conv::{
            Conv1d, Conv1dConfig, Conv2d, Conv2dConfig, Conv3d, Conv3dConfig, ConvTranspose2d,
            ConvTranspose2dConfig, ConvTranspose3d, ConvTranspose3dConfig,
        },
    },
    tensor::{
        Device, Tensor, activation,
        module::interpolate,
        ops::{InterpolateMode, InterpolateOptions},
    },
};

/// Negative slope of the leaky ReLUs in the encoder, DIPN and DICN (PyTorch's default).
pub const LEAKY_SLOPE: f64 = 0.01;
/// Negative slope of StyleGAN2's leaky ReLUs, which are followed by a gain of sqrt(2).
pub const STYLE_SLOPE: f64 = 0.2;
/// Epsilon of every batch normalisation.
const NORM_EPSILON: f64 = 1e-5;

/// A lazily created parameter filled with zeros, to be overwritten by loading.
pub fn parameter<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    Initializer::Zeros.init(shape, device)
}

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
}

impl BatchNorm {
    /// Normalisation of `channels` channels.
    pub fn new(channels: usize, device: &Device) -> Self {
        Self {
            weight: parameter([channels], device),
            bias: parameter([channels], device),
            running_mean: parameter([channels], device),
            running_var: parameter([channels], device),
        }
    }

    /// The same map as `x * scale + shift` per channel.
    fn affine(&self) -> (Tensor<1>, Tensor<1>) {
        let scale = self.weight.val() / (self.running_var.val() + NORM_EPSILON).sqrt();
        let shift = self.bias.val() - self.running_mean.val() * scale.clone();
        (scale, shift)
    }

    /// # Shapes
    /// `[batch, channels, ...]` to the same.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let (scale, shift) = self.affine();
        x * per_channel(scale) + per_channel(shift)
    }
}

/// Parametric ReLU with one slope per channel.
#[derive(Module, Debug)]
pub struct PRelu {
    weight: Param<Tensor<1>>,
}

impl PRelu {
    /// Slopes for `channels` channels.
    pub fn new(channels: usize, device: &Device) -> Self {
        Self {
            weight: parameter([channels], device),
        }
    }

    /// # Shapes
    /// `[batch, channels, height, width]` to the same.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        activation::prelu(x, self.weight.val())
    }
}

/// A place in an `nn.Sequential` that holds a layer without parameters.
#[derive(Module, Debug)]
pub struct Activation;

/// A linear map over channels that a following normalisation can be folded into.
pub trait Convolution<const D: usize>: Module + ModuleDisplay {
    /// Applies the convolution.
    fn convolve(&self, x: Tensor<D>) -> Tensor<D>;
    /// The convolution followed by `y * scale + shift` per output channel, as one convolution.
    fn then_affine(self, scale: Tensor<1>, shift: Tensor<1>) -> Self;
}

macro_rules! convolution {
    ($layer:ty, $dims:literal, $output:literal) => {
        impl Convolution<$dims> for $layer {
            fn convolve(&self, x: Tensor<$dims>) -> Tensor<$dims> {
                self.forward(x)
            }

            fn then_affine(mut self, scale: Tensor<1>, shift: Tensor<1>) -> Self {
                let mut shape = [1; $dims];
                shape[$output] = scale.dims()[0];
                self.weight = self
                    .weight
                    .map(|weight| weight * scale.clone().reshape(shape));
                let shift = match self.bias.take() {
                    Some(bias) => bias.into_value() * scale + shift,
                    None => shift,
                };
                self.bias = Some(Param::from_tensor(shift));
                self
            }
        }
    };
}

convolution!(Conv1d, 3, 0);
convolution!(Conv2d, 4, 0);
convolution!(Conv3d, 5, 0);
convolution!(ConvTranspose2d, 4, 1);
convolution!(ConvTranspose3d, 5, 1);

/// Folds `norm` into the convolution before it, so that one pass does both.
pub fn fuse<const D: usize, C: Convolution<D>>(
    conv: C,
    norm: Option<BatchNorm>,
) -> (C, Option<BatchNorm>) {
    match norm {
        Some(norm) => {
            let (scale, shift) = norm.affine();
            (conv.then_affine(scale, shift), None)
        }
        None => (conv, None),
    }
}

/// Applies a normalisation that may have been folded away.
pub fn normalise<const D: usize>(norm: &Option<BatchNorm>, x: Tensor<D>) -> Tensor<D> {
    match norm {
        Some(norm) => norm.forward(x),
        None => x,
    }
}

/// Convolution, batch normalisation and leaky ReLU.
#[derive(Module, Debug)]
pub struct BasicConv<C: Module> {
    conv: C,
    bn: Option<BatchNorm>,
}

impl<C: Module> BasicConv<C> {
    /// Normalises the `channels` outputs of `conv`.
    pub fn new(conv: C, channels: usize, device: &Device) -> Self {
        Self {
            conv,
            bn: Some(BatchNorm::new(channels, device)),
        }
    }

    /// Without normalisation.
    pub fn plain(conv: C) -> Self {
        Self { conv, bn: None }
    }

    /// Convolution and normalisation, without the activation.
    pub fn linear<const D: usize>(&self, x: Tensor<D>) -> Tensor<D>
    where
        C: Convolution<D>,
    {
        normalise(&self.bn, self.conv.convolve(x))
    }

    /// # Shapes
    /// `[batch, channels_in, ...]` to `[batch, channels_out, ...]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D>
    where
        C: Convolution<D>,
    {
        activation::leaky_relu(self.linear(x), LEAKY_SLOPE)
    }

    /// Folds the normalisation into the convolution.
    pub fn fuse<const D: usize>(self) -> Self
    where
        C: Convolution<D>,
    {
        let (conv, bn) = fuse(self.conv, self.bn);
        Self { conv, bn }
    }
}

/// 2-d convolution with an odd square kernel and "same" padding at stride 1.
pub fn conv2d(
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
    bias: bool,
    device: &Device,
) -> Conv2d {
    let padding = kernel / 2;
    Conv2dConfig::new(channels, [kernel; 2])
        .with_stride([stride; 2])
        .with_padding(PaddingConfig2d::Explicit(
            padding, padding, padding, padding,
        ))
        .with_bias(bias)
        .with_initializer(Initializer::Zeros)
        .init(device)
}

/// 1-d convolution with an odd kernel and "same" padding.
pub fn conv1d(channels: [usize; 2], kernel: usize, bias: bool, device: &Device) -> Conv1d {
    Conv1dConfig::new(channels[0], channels[1], kernel)
        .with_padding(PaddingConfig1d::Explicit(kernel / 2, kernel / 2))
        .with_bias(bias)
        .with_initializer(Initializer::Zeros)
        .init(device)
}

/// 3-d convolution without bias; the kernel `[depth, height, width]` is odd, with "same" padding at stride 1.
pub fn conv3d(channels: [usize; 2], kernel: [usize; 3], stride: usize, device: &Device) -> Conv3d {
    let [depth, height, width] = kernel.map(|side| side / 2);
    Conv3dConfig::new(channels, kernel)
        .with_stride([stride; 3])
        .with_padding(PaddingConfig3d::Explicit(depth, height, width))
        .with_bias(false)
        .with_initializer(Initializer::Zeros)
        .init(device)
}

/// Transposed 2-d convolution that doubles height and width: kernel 4, stride 2, padding 1, no bias.
pub fn deconv2d(channels: [usize; 2], device: &Device) -> ConvTranspose2d {
    ConvTranspose2dConfig::new(channels, [4; 2])
        .with_stride([2; 2])
        .with_padding([1; 2])
        .with_bias(false)
        .with_initializer(Initializer::Zeros)
        .init(device)
}

/// Transposed 3-d convolution that doubles depth, height and width: kernel 4, stride 2, padding 1, no bias.
pub fn deconv3d(channels: [usize; 2], device: &Device) -> ConvTranspose3d {
    ConvTranspose3dConfig::new(channels, [4; 3])
        .with_stride([2; 3])
        .with_padding([1; 3])
        .with_bias(false)
        .with_initializer(Initializer::Zeros)
        .init(device)
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

/// Leaky ReLU with slope 0.2 and gain sqrt(2), StyleGAN2's activation.
pub fn style_activation<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    activation::leaky_relu(x, STYLE_SLOPE) * std::f64::consts::SQRT_2
}

/// Fully connected layer with equalised learning rate: `(x W^T / sqrt(in) + b) * multiplier`.
#[derive(Module, Debug)]
pub struct EqualLinear {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
    multiplier: f64,
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
            weight: parameter([output, input], device),
            bias: parameter([output], device),
            multiplier,
        }
    }

    /// # Shapes
    /// `[batch, in]` to `[batch, out]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let weight = self.weight.val();
        let scale = self.multiplier / (weight.dims()[1] as f64).sqrt();
        let bias = self.bias.val() * self.multiplier;
        (x * scale).matmul(weight.transpose()) + bias.unsqueeze()
    }
}

/// 3x3 convolution with equalised learning rate: weights are divided by sqrt(in * 9).
#[derive(Module, Debug)]
pub struct EqualConv2d {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
}

impl EqualConv2d {
    /// From `channels[0]` to `channels[1]` channels.
    pub fn new(channels: [usize; 2], device: &Device) -> Self {
        let [input, output] = channels;
        Self {
            weight: parameter([output, input, 3, 3], device),
            bias: parameter([output], device),
        }
    }

    /// # Shapes
    /// `[batch, in, height, width]` to `[batch, out, height, width]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let weight = self.weight.val();
        let scale = 1.0 / ((weight.dims()[1] * 9) as f64).sqrt();
        burn::tensor::module::conv2d(
            x * scale,
            weight,
            Some(self.bias.val()),
            burn::tensor::ops::ConvOptions::new([1, 1], [1, 1], [1, 1], 1),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::Case;

    /// Checks a layer as loaded and with its normalisation folded in.
    fn check<const D: usize, C: Convolution<D>>(name: &'static str, conv: C, channels: usize) {
        let case = Case::open(name);
        let layer = case.load(BasicConv::new(conv, channels, case.device()), &[]);
        case.check(layer.forward::<D>(case.input(None)));
        case.check(layer.fuse::<D>().forward::<D>(case.input(None)));
    }

    #[test]
    fn basic_convs_match_pytorch() {
        let device = &crate::device::cpu();
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
        case.check(layer.linear::<5>(case.input(None)));
    }

    #[test]
    fn equalised_layers_match_pytorch() {
        let case = Case::open("equal_linear");
        let layer = case.load(EqualLinear::new([10, 7], case.device()), &[]);
        case.check(layer.forward(case.input(None)));
        let case = Case::open("equal_conv");
        let layer = case.load(EqualConv2d::new([6, 4], case.device()), &[]);
        case.check(layer.forward(case.input(None)));
    }

    #[test]
    fn resizing_matches_pytorch() {
        for (name, side) in [("resize_down", 5), ("resize_up", 13), ("resize_half", 4)] {
            let case = Case::open(name);
            case.check(resize_bilinear(case.input(None), [side; 2], false));
        }
    }
}
