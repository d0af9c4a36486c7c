//! StyleGAN2 generator: W+ codes to a picture.
//!
//! Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (CVPR 2020), skip
//! architecture, in the layout of the common PyTorch port.
//!
//! Modulation scales the *input* of a convolution with constant weights and demodulation scales its
//! *output*, which is the same map as modulating the weights and needs no weight to be repacked per call.

use std::sync::Arc;

use burn::{
    module::{Module, Param},
    tensor::{
        Device, Tensor, TensorData,
        module::{conv_transpose2d, conv2d},
        ops::{ConvOptions, ConvTransposeOptions},
    },
};

#[cfg(feature = "wgpu")]
use super::shaders::{Product, Products};
use super::{
    around::{Around, LayerActivation, style_activation},
    convolution::Convolution,
    device::is_cpu,
    layers::{EqualLinear, Precision},
    tensors::parameter,
};
use crate::{config::ModelConfig, kernels::Kind};

/// Added to the squared norm of modulated weights before its root is taken.
const DEMODULATION_EPSILON: f64 = 1e-8;
/// Learning rate multiplier of the mapping network.
const MAPPING_MULTIPLIER: f64 = 0.01;
/// Added to the mean square of a random vector before its root is taken.
const PIXEL_NORM_EPSILON: f64 = 1e-8;
/// Side from which on features pass from one convolution to the next as 16-bit floats, where weights are such: below,
/// they take little memory.
const PASSING_SIDE: usize = 256;
/// Values in the largest buffer that every WebGPU adapter must bind: 128 MiB.
const MAX_BUFFER_VALUES: usize = (128 << 20) / size_of::<f32>();
/// Taps of the separable low-pass filter behind every resampling.
const BLUR: [f32; 4] = [1.0, 3.0, 3.0, 1.0];

/// The 4x4 low-pass kernel with gain 4, once per channel: `[channels, 1, 4, 4]`.
fn blur_kernel(channels: usize, device: &Device) -> Tensor<4> {
    let row = Tensor::<1>::from_floats(BLUR, device) / 4.0;
    let column = row.clone().reshape([4, 1]);
    (column * row.reshape([1, 4]))
        .reshape([1, 1, 4, 4])
        .repeat_dim(0, channels)
}

/// Modulated convolution.
#[derive(Module, Debug)]
struct ModulatedConv {
    weight: Option<Param<Tensor<5>>>,
    modulation: EqualLinear,
    /// Factor of the equalised learning rate.
    gain: f64,
    /// Squared weights summed over the kernel, `[in, out]`, kept between calls.
    #[module(skip)]
    energy: Option<Tensor<2>>,
    /// Takes the place of `weight` where this crate has a kernel for it.
    #[module(skip)]
    kernel: Option<Arc<Convolution>>,
}

impl ModulatedConv {
    fn new(channels: [usize; 2], kernel: usize, style_dim: usize, device: &Device) -> Self {
        let [input, output] = channels;
        let weight = parameter([1, output, input, kernel, kernel], device);
        Self {
            weight: Some(weight),
            modulation: EqualLinear::new([style_dim, input], device),
            gain: 1.0 / ((input * kernel * kernel) as f64).sqrt(),
            energy: None,
            kernel: None,
        }
    }

    /// How many style channels it has.
    fn inputs(&self) -> usize {
        self.modulation.outputs()
    }

    /// The constant weights, `[out, in, kernel, kernel]`.
    fn weight(&self) -> Tensor<4> {
        let Some(weight) = &self.weight else {
            unreachable!("a convolution has weights or a kernel");
        };
        weight.val().squeeze_dim::<4>(0)
    }

    /// Input scales from a style vector and what is added to its channels, with the equalised learning rate's factor:
    /// `[batch, style_dim]` and `[1, in]` to `[batch, in]`.
    fn modulate(&self, style: Tensor<2>, offset: Option<Tensor<2>>) -> Tensor<2> {
        let channels = self.modulation.forward(style);
        let scales = match offset {
            Some(offset) => channels + offset,
            None => channels,
        };
        if self.gain == 1.0 {
            scales
        } else {
            scales * self.gain
        }
    }

    fn energy(&self) -> Tensor<2> {
        let weight = self.weight();
        let [output, input, height, width] = weight.dims();
        weight
            .powi_scalar(2)
            .reshape([output, input, height * width])
            .sum_dim(2)
            .squeeze_dim::<2>(2)
            .transpose()
    }

    /// Output scales that undo the input scales on average: `[batch, in]` to `[batch, out]`.
    fn demodulate(&self, scales: Tensor<2>) -> Tensor<2> {
        let energy = self.energy.clone().unwrap_or_else(|| self.energy());
        let norm = scales.powi_scalar(2).matmul(energy) + DEMODULATION_EPSILON;
        norm.sqrt().recip()
    }

    /// Computes once what does not depend on the style, and hands the weights to a kernel if there is one for them.
    fn fuse(mut self, kind: Kind, weights: Precision) -> Self {
        // The factor of the equalised learning rate goes with the weights.
        self.weight = (self.weight).map(|weight| weight.map(|weight| weight * self.gain));
        self.gain = 1.0;
        if is_cpu(&self.weight().device()) {
            self.energy = Some(self.energy());
        } else {
            // What it would be needed for is the stylist's.
            self.modulation = self.modulation.emptied();
        }
        let exists = |weight: &mut Param<Tensor<5>>| {
            Convolution::exists(&weight.device(), &weight.dims()[1..], kind)
        };
        if let Some(weight) = self.weight.take_if(exists) {
            let weight = weight.into_value().squeeze_dim::<4>(0);
            self.kernel = Some(Arc::new(Convolution::new(weight, kind, weights)));
        }
        self
    }
}

/// What a style makes of a modulated convolution.
#[derive(Clone, Debug)]
enum LayerStyle {
    /// The style itself, `[batch, style_dim]`, and what is added to the layer's style channels, `[1, in]`.
    Vector(Tensor<2>, Option<Tensor<2>>),
    /// Input scales and, where there are any, output scales, `[batch, in]` and `[batch, out]`.
    #[cfg_attr(
        not(feature = "wgpu"),
        expect(dead_code, reason = "only a GPU makes them")
    )]
    Scales(Tensor<2>, Option<Tensor<2>>),
}

impl From<Tensor<2>> for LayerStyle {
    fn from(vector: Tensor<2>) -> Self {
        Self::Vector(vector, None)
    }
}

/// Scales channels: `[batch, channels, height, width]` by `[batch, channels]`.
fn scale_channels(x: Tensor<4>, scales: Tensor<2>) -> Tensor<4> {
    let [batch, channels] = scales.dims();
    x * scales.reshape([batch, channels, 1, 1])
}

/// Strength of the noise picture that a layer adds, unless the picture has been multiplied by it.
#[derive(Module, Debug)]
struct NoiseInjection {
    weight: Option<Param<Tensor<1>>>,
}

impl NoiseInjection {
    fn strengthen(&self, noise: Tensor<4>) -> Tensor<4> {
        match &self.weight {
            Some(weight) => noise * weight.val().reshape([1, 1, 1, 1]),
            None => noise,
        }
    }
}

/// Bias of the fused leaky ReLU.
#[derive(Module, Debug)]
struct ActivationBias {
    bias: Param<Tensor<1>>,
}

/// Modulated convolution, noise, bias and activation.
#[derive(Module, Debug)]
struct StyledConv {
    conv: ModulatedConv,
    noise: NoiseInjection,
    activate: ActivationBias,
    upsample: bool,
}

impl StyledConv {
    fn new(channels: [usize; 2], upsample: bool, style_dim: usize, device: &Device) -> Self {
        Self {
            conv: ModulatedConv::new(channels, 3, style_dim, device),
            noise: NoiseInjection {
                weight: Some(parameter([1], device)),
            },
            activate: ActivationBias {
                bias: parameter([channels[1]], device),
            },
            upsample,
        }
    }

    /// Computes once what no style changes, and the noise picture as it is added.
    fn fuse(self, noise: Tensor<4>, weights: Precision) -> (Self, Tensor<4>) {
        let kind = if self.upsample {
            Kind::Upsample
        } else {
            Kind::Forward {
                stride: [1; 3],
                padding: [[0; 2], [1; 2], [1; 2]],
            }
        };
        let noise = self.noise.strengthen(noise);
        let fused = Self {
            conv: self.conv.fuse(kind, weights),
            noise: NoiseInjection { weight: None },
            ..self
        };
        (fused, noise)
    }

    /// `[batch, in, side, side]` to `[batch, out, side, side]`, or twice the side when upsampling. `passing` is
    /// [`Around::passing`].
    fn forward(
        &self,
        x: Tensor<4>,
        style: LayerStyle,
        noise: Tensor<4>,
        passing: bool,
    ) -> Tensor<4> {
        let (scales, demodulation) = match style {
            LayerStyle::Scales(scales, demodulation) => (scales, demodulation),
            LayerStyle::Vector(style, offset) => (self.conv.modulate(style, offset), None),
        };
        let demodulation = demodulation.unwrap_or_else(|| self.conv.demodulate(scales.clone()));
        let noise = self.noise.strengthen(noise);
        let bias = self.activate.bias.val();
        if let Some(kernel) = &self.conv.kernel {
            let around = Around {
                input_scale: Some(scales),
                output_scale: Some(demodulation),
                noise: Some(noise),
                bias: Some(bias),
                activation: LayerActivation::Style,
                passing,
                ..Around::default()
            };
            return kernel.run(x, around).0;
        }
        let weight = self.conv.weight();
        let output = weight.dims()[0];
        let x = scale_channels(x, scales);
        let x = if self.upsample {
            upsample_conv(x, weight, MAX_BUFFER_VALUES)
        } else {
            let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
            conv2d(x, weight, None, options)
        };
        let bias = bias.reshape([1, output, 1, 1]);
        style_activation(scale_channels(x, demodulation) + noise + bias)
    }
}

/// The upsampling convolution: transposed with stride 2, then the low-pass filter.
///
/// The transposed convolution's result is a little larger than the picture, [2h + 1, 2w + 1]; as many output
/// channels are computed at once as keep it within `most` values.
///
/// `[batch, in, h, w]` with weights `[out, in, 3, 3]` to `[batch, out, 2h, 2w]`.
fn upsample_conv(x: Tensor<4>, weight: Tensor<4>, most: usize) -> Tensor<4> {
    let [batch, _, height, width] = x.dims();
    let [output, _, _, _] = weight.dims();
    let plane = batch * (2 * height + 1) * (2 * width + 1);
    let at_once = (most / plane).clamp(1, output);
    let device = x.device();
    let parts = (0..output).step_by(at_once).map(|first| {
        let count = at_once.min(output - first);
        let weight = weight.clone().narrow(0, first, count).swap_dims(0, 1);
        let options = ConvTransposeOptions::new([2, 2], [0, 0], [0, 0], [1, 1], 1);
        let y = conv_transpose2d(x.clone(), weight, None, options);
        let options = ConvOptions::new([1, 1], [1, 1], [1, 1], count);
        conv2d(y, blur_kernel(count, &device), None, options)
    });
    let mut parts: Vec<_> = parts.collect();
    if parts.len() == 1 {
        return parts.remove(0);
    }
    Tensor::cat(parts, 1)
}

/// Modulated 1x1 convolution to RGB, added to the upsampled picture of the resolution below.
#[derive(Module, Debug)]
struct ToRgb {
    conv: ModulatedConv,
    bias: Param<Tensor<4>>,
}

impl ToRgb {
    fn new(input: usize, style_dim: usize, device: &Device) -> Self {
        Self {
            conv: ModulatedConv::new([input, 3], 1, style_dim, device),
            bias: parameter([1, 3, 1, 1], device),
        }
    }

    /// `[batch, in, side, side]` to `[batch, 3, side, side]`; `skip` has half the side. Gives `x` back, which the
    /// next block needs: the CPU's kernels would have to copy one that is still held elsewhere.
    fn forward(
        &self,
        x: Tensor<4>,
        style: LayerStyle,
        skip: Option<Tensor<4>>,
    ) -> (Tensor<4>, Tensor<4>) {
        let scales = match style {
            LayerStyle::Scales(scales, _) => scales,
            LayerStyle::Vector(style, offset) => self.conv.modulate(style, offset),
        };
        if let Some(kernel) = &self.conv.kernel {
            let around = Around {
                input_scale: Some(scales),
                bias: Some(self.bias.val().flatten::<1>(0, 3)),
                skip,
                ..Around::default()
            };
            return kernel.run(x, around);
        }
        let scaled = scale_channels(x.clone(), scales);
        let options = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        let rgb = conv2d(scaled, self.conv.weight(), None, options) + self.bias.val();
        match skip {
            Some(skip) => (rgb + upsample_rgb(skip), x),
            None => (rgb, x),
        }
    }

    fn fuse(self, weights: Precision) -> Self {
        let kind = Kind::Forward {
            stride: [1; 3],
            padding: [[0; 2]; 3],
        };
        Self {
            conv: self.conv.fuse(kind, weights),
            bias: self.bias,
        }
    }
}

/// Doubles a picture: zeros between the pixels, then the low-pass filter.
///
/// `[batch, 3, side, side]` to `[batch, 3, 2 * side, 2 * side]`.
fn upsample_rgb(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let device = x.device();
    let options = ConvTransposeOptions::new([2, 2], [1, 1], [0, 0], [1, 1], 1);
    conv_transpose2d(
        x.reshape([batch * channels, 1, height, width]),
        blur_kernel(1, &device),
        None,
        options,
    )
    .reshape([batch, channels, 2 * height, 2 * width])
}

/// The learned 4x4 input.
#[derive(Module, Debug)]
struct ConstantInput {
    input: Param<Tensor<4>>,
}

/// What the generator has computed after some of its convolutions.
#[derive(Debug, Clone)]
pub struct Synthesis {
    /// Output of the latest convolution, `[batch, channels, side, side]`. At the injection layer, that of the
    /// injection block's upsampling convolution: G in the paper. Behind that layer only convolutions can read it.
    pub feature: Tensor<4>,
    /// Picture so far, `[batch, 3, side, side]`, or half the side in the middle of a block.
    pub skip: Tensor<4>,
    /// Convolutions done after the first one.
    done: usize,
}

/// What a pass is made from.
#[derive(Clone, Debug)]
pub struct Codes {
    /// W+ codes, `[batch, styles, style_dim]`.
    pub plus: Tensor<3>,
    /// What is added to the style channels that the layers make of them, in the order of
    /// [`ModelConfig::style_channels`].
    pub channel_offsets: Option<Vec<f32>>,
}

impl From<Tensor<3>> for Codes {
    fn from(plus: Tensor<3>) -> Self {
        Self {
            plus,
            channel_offsets: None,
        }
    }
}

/// What the layers of a pass need of its codes.
#[derive(Clone, Debug)]
pub struct Styles {
    /// Of the convolutions that have a noise picture.
    convs: Vec<LayerStyle>,
    /// Of those to RGB.
    to_rgbs: Vec<LayerStyle>,
}

impl Styles {
    fn batch(&self) -> usize {
        match &self.convs[0] {
            LayerStyle::Vector(values, _) | LayerStyle::Scales(values, _) => values.dims()[0],
        }
    }
}

/// Computes the scales of all layers of a pass in two dispatches.
#[cfg(feature = "wgpu")]
#[derive(Clone, Debug)]
struct Stylist {
    /// Input scales: of the convolutions, then of those to RGB.
    modulations: Products,
    /// Output scales of the convolutions, from the input scales.
    demodulations: Products,
}

/// Only a GPU has one.
#[cfg(not(feature = "wgpu"))]
#[derive(Clone, Debug)]
enum Stylist {}

#[cfg(not(feature = "wgpu"))]
impl Stylist {
    fn styles(&self, _codes: &Codes) -> Styles {
        match *self {}
    }

    fn channels(&self, _codes: &Tensor<3>) -> Vec<Tensor<2>> {
        match *self {}
    }
}

#[cfg(feature = "wgpu")]
impl Stylist {
    /// Of layers as loaded.
    fn new(convs: &[&ModulatedConv], to_rgbs: &[&ModulatedConv], weights: Precision) -> Self {
        let styles = styles_of_layers(convs.len() + 1);
        let layers = convs.iter().chain(to_rgbs);
        let modulations = layers.zip(styles).map(|(layer, style)| {
            let (matrix, bias) = layer.modulation.scaled().expect("a layer as loaded");
            let start = style * matrix.dims()[1];
            (Product { matrix, start }, bias)
        });
        let modulations = Products::with_bias(modulations.collect(), weights);
        let starts = modulations.results().iter();
        let energies = convs
            .iter()
            .zip(starts)
            .map(|(layer, &[start, _])| Product {
                matrix: layer.energy().transpose() * layer.gain.powi(2),
                start,
            });
        Self {
            demodulations: Products::inverse_roots(energies.collect(), DEMODULATION_EPSILON),
            modulations,
        }
    }

    fn styles(&self, codes: &Codes) -> Styles {
        let vectors = codes.plus.clone().flatten::<2>(1, 2);
        let (scales, parts) = match &codes.channel_offsets {
            Some(offsets) => (self.modulations.shifted(self.laid_out(offsets))).run(vectors),
            None => self.modulations.run(vectors),
        };
        let (_, demodulations) = self.demodulations.run(scales);
        let mut parts = parts.into_iter();
        let convs = demodulations.into_iter().zip(parts.by_ref());
        let convs = convs.map(|(out, scales)| LayerStyle::Scales(scales, Some(out)));
        Styles {
            convs: convs.collect(),
            to_rgbs: parts
                .map(|scales| LayerStyle::Scales(scales, None))
                .collect(),
        }
    }

    /// Offsets of the style channels, where the results of the layers are.
    fn laid_out(&self, offsets: &[f32]) -> Vec<f32> {
        let results = self.modulations.results();
        let mut laid_out = vec![0.0; self.modulations.rows()];
        let mut offsets = offsets.iter();
        for place in places(results.len() / 3) {
            let [start, count] = results[place];
            let layer = laid_out[start..start + count].iter_mut();
            layer
                .zip(&mut offsets)
                .for_each(|(to, offset)| *to = *offset);
        }
        laid_out
    }

    /// The style channels of all layers: the convolutions, then those to RGB.
    fn channels(&self, codes: &Tensor<3>) -> Vec<Tensor<2>> {
        self.modulations.run(codes.clone().flatten::<2>(1, 2)).1
    }
}

/// The StyleGAN2 synthesis network (`decoder.` in checkpoints), in two halves around the injection layer.
#[derive(Module, Debug)]
pub struct Generator {
    style: Vec<EqualLinear>,
    input: ConstantInput,
    conv1: StyledConv,
    to_rgb1: ToRgb,
    convs: Vec<StyledConv>,
    to_rgbs: Vec<ToRgb>,
    noises: Vec<Param<Tensor<4>>>,
    inject_block: usize,
    /// Computes what all layers need of the styles, on the GPU.
    #[module(skip)]
    stylist: Option<Arc<Stylist>>,
}

impl Generator {
    /// Builds the generator with parameters still to be loaded.
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        let style_dim = config.style_dim;
        let first = config.channels[0];
        let mut convs = Vec::new();
        let mut to_rgbs = Vec::new();
        let mut noises = vec![parameter([1, 1, 4, 4], device)];
        for (block, pair) in config.channels.windows(2).enumerate() {
            let (input, output) = (pair[0], pair[1]);
            let side = 8 << block;
            convs.push(StyledConv::new([input, output], true, style_dim, device));
            convs.push(StyledConv::new([output, output], false, style_dim, device));
            to_rgbs.push(ToRgb::new(output, style_dim, device));
            noises.extend((0..2).map(|_| parameter([1, 1, side, side], device)));
        }
        Self {
            style: mapping(config.mapping_layers, style_dim, device),
            input: ConstantInput {
                input: parameter([1, first, 4, 4], device),
            },
            conv1: StyledConv::new([first, first], false, style_dim, device),
            to_rgb1: ToRgb::new(first, style_dim, device),
            convs,
            to_rgbs,
            noises,
            inject_block: config.inject_block(),
            stylist: None,
        }
    }

    /// Computes once what no style changes.
    pub fn fuse(self, weights: Precision) -> Self {
        let stylist = self.stylist(weights);
        let convs = std::iter::once(self.conv1).chain(self.convs);
        let fused =
            (convs.zip(self.noises)).map(|(conv, noise)| conv.fuse(noise.into_value(), weights));
        let (mut convs, noises): (Vec<_>, Vec<_>) = fused.unzip();
        Self {
            conv1: convs.remove(0),
            to_rgb1: self.to_rgb1.fuse(weights),
            convs,
            to_rgbs: self
                .to_rgbs
                .into_iter()
                .map(|layer| layer.fuse(weights))
                .collect(),
            noises: noises.into_iter().map(Param::from_tensor).collect(),
            style: self
                .style
                .into_iter()
                .map(|layer| layer.fuse(weights))
                .collect(),
            stylist,
            ..self
        }
    }

    /// On the GPU, of a generator as loaded.
    #[cfg(feature = "wgpu")]
    fn stylist(&self, weights: Precision) -> Option<Arc<Stylist>> {
        if is_cpu(&self.input.input.val().device()) {
            return None;
        }
        let layers: Vec<_> = self.layers().collect();
        let (convs, to_rgbs) = layers.split_at(self.convs.len() + 1);
        Some(Arc::new(Stylist::new(convs, to_rgbs, weights)))
    }

    #[cfg(not(feature = "wgpu"))]
    fn stylist(&self, _weights: Precision) -> Option<Arc<Stylist>> {
        None
    }

    /// What a pass on these codes needs of them.
    pub fn styles(&self, codes: &Codes) -> Styles {
        if let Some(stylist) = &self.stylist {
            return stylist.styles(codes);
        }
        let [_, styles, _] = codes.plus.dims();
        let mut offsets = match &codes.channel_offsets {
            Some(offsets) => self.offsets_of_layers(offsets),
            None => Vec::new(),
        };
        let layer = |(place, index): (usize, usize)| {
            let offset = offsets.get_mut(place).and_then(Option::take);
            LayerStyle::Vector(style(&codes.plus, index), offset)
        };
        let mut convs: Vec<_> = styles_of_layers(styles).enumerate().map(layer).collect();
        let to_rgbs = convs.split_off(self.convs.len() + 1);
        Styles { convs, to_rgbs }
    }

    /// Offsets of the style channels, `[1, in]`, of the convolutions, then of the layers to RGB.
    fn offsets_of_layers(&self, offsets: &[f32]) -> Vec<Option<Tensor<2>>> {
        let mut of_layers = vec![None; self.layers().count()];
        let device = self.input.input.val().device();
        let widths: Vec<_> = self.layers().map(ModulatedConv::inputs).collect();
        let mut rest = offsets;
        for place in places(self.to_rgbs.len()) {
            let layer;
            (layer, rest) = rest.split_at(widths[place]);
            // Most edits move a channel of one layer alone.
            if layer.iter().any(|offset| *offset != 0.0) {
                let values = TensorData::new(layer.to_vec(), [1, widths[place]]);
                of_layers[place] = Some(Tensor::from_data(values, &device));
            }
        }
        of_layers
    }

    /// The convolutions, then the layers to RGB.
    fn layers(&self) -> impl Iterator<Item = &ModulatedConv> {
        let convs = std::iter::once(&self.conv1).chain(&self.convs);
        let to_rgbs = std::iter::once(&self.to_rgb1).chain(&self.to_rgbs);
        let convs = convs.map(|layer| &layer.conv);
        convs.chain(to_rgbs.map(|layer| &layer.conv))
    }

    /// The style channels that codes have, in the order of [`ModelConfig::style_channels`].
    ///
    /// # Shapes
    /// `[batch, styles, style_dim]` to `[batch, channels]`.
    pub fn channels(&self, codes: &Tensor<3>) -> Tensor<2> {
        let layers = match &self.stylist {
            Some(stylist) => stylist.channels(codes),
            None => {
                let [_, styles, _] = codes.dims();
                let layers = self.layers().zip(styles_of_layers(styles));
                let channels = |(layer, index): (&ModulatedConv, _)| {
                    layer.modulation.forward(style(codes, index))
                };
                layers.map(channels).collect()
            }
        };
        let in_order = places(self.to_rgbs.len()).map(|place| layers[place].clone());
        Tensor::cat(in_order.collect(), 1)
    }

    /// Convolution `index` of `convs`.
    fn conv(&self, index: usize, x: Tensor<4>, styles: &Styles) -> Tensor<4> {
        let noise = self.noises[index + 1].val();
        let [_, _, _, side] = noise.dims();
        let passing = side >= PASSING_SIDE && index > 2 * self.inject_block;
        self.convs[index].forward(x, styles.convs[index + 1].clone(), noise, passing)
    }

    /// The mapping network: random vectors from a normal distribution to style vectors w. `None` if the
    /// weights came without one.
    ///
    /// # Shapes
    /// `[batch, style_dim]` to the same.
    pub fn map(&self, z: Tensor<2>) -> Option<Tensor<2>> {
        (!self.style.is_empty()).then(|| map(&self.style, z))
    }

    /// The constant input and what has its resolution.
    pub fn begin(&self, styles: &Styles) -> Synthesis {
        let x = (self.input.input.val()).repeat_dim(0, styles.batch());
        let x = (self.conv1).forward(x, styles.convs[0].clone(), self.noises[0].val(), false);
        let (skip, feature) = self.to_rgb1.forward(x, styles.to_rgbs[0].clone(), None);
        Synthesis {
            feature,
            skip,
            done: 0,
        }
    }

    /// The next convolution, and after the second one of a block its RGB layer. Not to be called on a finished
    /// synthesis.
    pub fn advance(&self, synthesis: Synthesis, styles: &Styles) -> Synthesis {
        let Synthesis {
            feature,
            skip,
            done,
        } = synthesis;
        let x = self.conv(done, feature, styles);
        let (skip, feature) = match done % 2 {
            0 => (skip, x),
            _ => {
                let style = styles.to_rgbs[done / 2 + 1].clone();
                self.to_rgbs[done / 2].forward(x, style, Some(skip))
            }
        };
        Synthesis {
            feature,
            skip,
            done: done + 1,
        }
    }

    /// Whether [`Synthesis::feature`] is that of the injection layer, which may be compensated.
    pub fn at_injection(&self, synthesis: &Synthesis) -> bool {
        synthesis.done == 2 * self.inject_block + 1
    }

    /// The picture `[batch, 3, size, size]`, or the full one if that is smaller, once the synthesis has come so far.
    pub fn picture(&self, synthesis: &Synthesis, size: usize) -> Option<Tensor<4>> {
        let Synthesis { skip, done, .. } = synthesis;
        let whole = done.is_multiple_of(2) && skip.dims()[2] >= size;
        (whole || *done == self.convs.len()).then(|| skip.clone())
    }

    /// From the constant input up to the injection layer.
    pub fn lower(&self, styles: &Styles) -> Synthesis {
        let mut synthesis = self.begin(styles);
        while !self.at_injection(&synthesis) {
            synthesis = self.advance(synthesis, styles);
        }
        synthesis
    }
}

/// Which style the convolutions and, after these, the layers to RGB have. A block's RGB layer has that of the next
/// block's first convolution.
fn styles_of_layers(styles: usize) -> impl Iterator<Item = usize> {
    (0..styles - 1).chain((1..styles).step_by(2))
}

/// Where the layers of [`ModelConfig::style_channels`] lie among the convolutions and, after these, the layers to RGB
/// of a generator with so many blocks.
fn places(blocks: usize) -> impl Iterator<Item = usize> {
    let to_rgbs = 2 * blocks + 1;
    let block = move |block| [2 * block + 1, 2 * block + 2, to_rgbs + block + 1];
    [0, to_rgbs].into_iter().chain((0..blocks).flat_map(block))
}

/// Style vector `index`: `[batch, styles, style_dim]` to `[batch, style_dim]`.
fn style(codes: &Tensor<3>, index: usize) -> Tensor<2> {
    codes.clone().narrow(1, index, 1).squeeze_dim::<2>(1)
}

/// Layers of a mapping network, to be loaded.
pub(super) fn mapping(count: usize, style_dim: usize, device: &Device) -> Vec<EqualLinear> {
    let layer = |_| EqualLinear::with_multiplier([style_dim; 2], MAPPING_MULTIPLIER, device);
    (0..count).map(layer).collect()
}

/// Random vectors to styles by the layers of a mapping network.
///
/// # Shapes
/// `[batch, style_dim]` to the same.
pub(super) fn map(layers: &[EqualLinear], z: Tensor<2>) -> Tensor<2> {
    let norm = (z.clone().powi_scalar(2).mean_dim(1) + PIXEL_NORM_EPSILON).sqrt();
    let layers = layers.iter();
    layers.fold(z / norm, |x, layer| style_activation(layer.forward(x)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{networks::cpu_values, testing::golden::Case};

    #[test]
    fn a_styled_convolution_matches_pytorch() {
        let case = Case::open("styled_up");
        let layer = StyledConv::new([6, 5], true, 10, case.device());
        let layer = case.load(layer, &[]);
        let style = || case.input::<2>(1).into();
        case.check(layer.forward(case.input(0), style(), case.input(2), false));
        let (layer, noise) = layer.fuse(case.input(2), Precision::Single);
        case.check(layer.forward(case.input(0), style(), noise, false));
    }

    #[test]
    fn channels_can_be_upsampled_in_parts() {
        let case = Case::open("styled_up");
        let x: Tensor<4> = case.input(0);
        let weight = Tensor::random(
            [5, 6, 3, 3],
            burn::tensor::Distribution::Normal(0.0, 1.0),
            case.device(),
        );
        let whole = cpu_values(upsample_conv(x.clone(), weight.clone(), usize::MAX));
        for most in [1, 2 * 2 * 17 * 17, 3 * 2 * 17 * 17] {
            let parts = cpu_values(upsample_conv(x.clone(), weight.clone(), most));
            let pairs = whole.iter().zip(&parts);
            let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max);
            assert!(whole.len() == parts.len() && worst < 1e-4, "{worst}");
        }
    }

    #[test]
    fn the_rgb_layer_matches_pytorch() {
        let case = Case::open("to_rgb");
        let layer = case.load(ToRgb::new(6, 10, case.device()), &[]);
        let forward = |layer: &ToRgb| {
            let x: Tensor<4> = case.input(0);
            let style = case.input::<2>(1).into();
            let (picture, kept) = layer.forward(x.clone(), style, Some(case.input(2)));
            case.check(picture);
            assert_eq!(cpu_values(kept), cpu_values(x));
        };
        forward(&layer);
        forward(&layer.fuse(Precision::Single));
    }

    #[test]
    fn a_mapping_layer_matches_pytorch() {
        let case = Case::open("mapping_layer");
        let layer = EqualLinear::with_multiplier([10, 10], MAPPING_MULTIPLIER, case.device());
        let layer = case.load(layer, &[]);
        case.check(style_activation(layer.forward(case.input(None))));
    }

    #[test]
    fn the_skip_upsampling_matches_pytorch() {
        let case = Case::open("upsample");
        case.check(upsample_rgb(case.input(None)));
    }
}
