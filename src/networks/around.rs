//! What surrounds a convolution.

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, activation},
};

use super::tensors::{cpu_values, parameter};
use crate::kernels;

/// Negative slope of the leaky ReLUs in the encoder, DIPN and DICN (PyTorch's default).
pub const LEAKY_SLOPE: f64 = 0.01;
/// Negative slope of StyleGAN2's leaky ReLUs, which are followed by a gain of sqrt(2), and of the feature editor's.
pub const STYLE_SLOPE: f64 = 0.2;
/// Leaky ReLU with slope 0.2 and gain sqrt(2), StyleGAN2's activation.
pub fn style_activation<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    activation::leaky_relu(x, STYLE_SLOPE) * std::f64::consts::SQRT_2
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

    /// The slope of each channel.
    pub fn slopes(&self) -> Tensor<1> {
        self.weight.val()
    }
}

/// Activation after a convolution.
#[derive(Clone, Copy, Debug)]
pub enum LayerActivation<'a> {
    /// None.
    Identity,
    /// [`LEAKY_SLOPE`].
    LeakyRelu,
    /// This slope below zero.
    Leaky(f64),
    /// StyleGAN2's: [`STYLE_SLOPE`] and a gain of sqrt(2).
    Style,
    /// Zero below zero.
    Relu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// Learned slopes.
    PRelu(&'a PRelu),
}

impl LayerActivation<'_> {
    /// On the backend's own operations.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Identity => x,
            Self::LeakyRelu => activation::leaky_relu(x, LEAKY_SLOPE),
            Self::Leaky(slope) => activation::leaky_relu(x, slope),
            Self::Style => style_activation(x),
            Self::Relu => activation::relu(x),
            Self::Sigmoid => activation::sigmoid(x),
            Self::PRelu(prelu) => activation::prelu(x, prelu.slopes()),
        }
    }

    /// The same for the CPU kernels; `slopes` holds those of a parametric ReLU.
    pub fn kernel(self, slopes: &mut Vec<f32>) -> kernels::Activation<'_> {
        let leaky = |slope: f64, gain: f64| kernels::Activation::LeakyRelu {
            slope: slope as f32,
            gain: gain as f32,
        };
        match self {
            Self::Identity => kernels::Activation::Identity,
            Self::Sigmoid => kernels::Activation::Sigmoid,
            Self::LeakyRelu => leaky(LEAKY_SLOPE, 1.0),
            Self::Leaky(slope) => leaky(slope, 1.0),
            Self::Style => leaky(STYLE_SLOPE, std::f64::consts::SQRT_2),
            Self::Relu => kernels::Activation::RELU,
            Self::PRelu(prelu) => {
                *slopes = cpu_values(prelu.slopes());
                kernels::Activation::PRelu(slopes)
            }
        }
    }
}

/// What comes before and after a convolution; absent parts do nothing.
///
/// `activation(convolution(x * input_scale + input_shift) * output_scale + noise + bias) + doubled skip`, where zeros
/// are padded to what the convolution sees.
pub struct Around<'a> {
    /// Factor per input channel, `[batch, in]`, or one row for all.
    pub input_scale: Option<Tensor<2>>,
    /// Offset per input channel.
    pub input_shift: Option<Tensor<1>>,
    /// Factor per output channel, `[batch, out]`.
    pub output_scale: Option<Tensor<2>>,
    /// Added to every channel, `[1, 1, height, width]` of the output.
    pub noise: Option<Tensor<4>>,
    /// Offset per output channel.
    pub bias: Option<Tensor<1>>,
    /// Activation function.
    pub activation: LayerActivation<'a>,
    /// A picture of half the sides, `[batch, out, ...]`, to be doubled by StyleGAN2's low-pass filter.
    pub skip: Option<Tensor<4>>,
    /// Whether only convolutions read the result: a GPU with 16-bit weights keeps that as 16-bit floats, too.
    #[cfg_attr(
        not(feature = "wgpu"),
        expect(dead_code, reason = "only a GPU stores less")
    )]
    pub passing: bool,
}

impl Default for Around<'_> {
    fn default() -> Self {
        Self {
            input_scale: None,
            input_shift: None,
            output_scale: None,
            noise: None,
            bias: None,
            activation: LayerActivation::Identity,
            skip: None,
            passing: false,
        }
    }
}
