//! The e4e encoder: an aligned face to W+ codes.
//!
//! Tov et al., "Designing an Encoder for StyleGAN Image Manipulation" (SIGGRAPH 2021), on the IR-SE-50
//! trunk with the feature pyramid and map-to-style heads of pSp (Richardson et al., CVPR 2021).

use std::sync::Arc;

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};

use super::device::cpu;
use super::layers::{
    BatchNorm, Conv, ConvGroup, EqualLinear, LayerActivation, PRelu, Precision, conv_norm, conv2d,
    resize_bilinear,
};
#[cfg(feature = "wgpu")]
use super::{device::is_cpu, shaders};
use crate::config::{EncoderSizes, Heads, ModelConfig};

/// Reduction of the squeeze-and-excitation blocks.
const SQUEEZE: usize = 16;
/// Style heads below these indices read the 1/16 and 1/8 features; the others read the 1/4 features.
const COARSE_HEADS: usize = 3;
const MIDDLE_HEADS: usize = 7;
/// Weights of all heads that a GPU has room for. In the authors' models heads have three quarters of the weights, and
/// only new photos need them: they wait in main memory, and come to the GPU layer by layer.
const MOST_ON_GPU: usize = 1 << 25;

/// Squeeze-and-excitation: channel gates from global averages.
#[derive(Module, Debug)]
struct SqueezeExcite {
    fc1: Conv<4>,
    fc2: Conv<4>,
}

impl SqueezeExcite {
    fn new(channels: usize, device: &Device) -> Self {
        let squeezed = (channels / SQUEEZE).max(1);
        Self {
            fc1: conv2d([channels, squeezed], 1, 1, false, device),
            fc2: conv2d([squeezed, channels], 1, 1, false, device),
        }
    }

    /// `[batch, channels, height, width]` to `[batch, channels, 1, 1]`.
    fn gates(&self, x: &Tensor<4>) -> Tensor<4> {
        let squeezed = (self.fc1).forward_with(None, means(x.clone()), LayerActivation::Relu);
        (self.fc2).forward_with(None, squeezed, LayerActivation::Sigmoid)
    }

    fn fuse(self, weights: Precision) -> Self {
        Self {
            fc1: self.fc1.fuse(None, weights),
            fc2: self.fc2.fuse(None, weights),
        }
    }
}

type Residual = (
    BatchNorm,
    Conv<4>,
    PRelu,
    Conv<4>,
    Option<BatchNorm>,
    Option<SqueezeExcite>,
);

/// Improved residual unit (IR), optionally with squeeze-and-excitation (IR-SE).
#[derive(Module, Debug)]
pub struct Bottleneck {
    shortcut_layer: Option<(Conv<4>, Option<BatchNorm>)>,
    res_layer: Residual,
    stride: usize,
}

impl Bottleneck {
    /// A unit from `channels[0]` to `channels[1]` channels.
    pub fn new(channels: [usize; 2], stride: usize, squeeze: bool, device: &Device) -> Self {
        let [input, output] = channels;
        Self {
            shortcut_layer: (input != output).then(|| {
                (
                    conv2d(channels, 1, stride, false, device),
                    Some(BatchNorm::new(output, device)),
                )
            }),
            res_layer: (
                BatchNorm::new(input, device),
                conv2d(channels, 3, 1, false, device),
                PRelu::new(output, device),
                conv2d([output, output], 3, stride, false, device),
                Some(BatchNorm::new(output, device)),
                squeeze.then(|| SqueezeExcite::new(output, device)),
            ),
            stride,
        }
    }

    /// # Shapes
    /// `[batch, in, height, width]` to `[batch, out, height / stride, width / stride]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let (norm, conv1, prelu, conv2, last_norm, squeeze) = &self.res_layer;
        let (residual, x) = conv1.forward_keeping(Some(norm), x, LayerActivation::PRelu(prelu));
        let residual = conv_norm(conv2, last_norm, residual, LayerActivation::Identity);
        let (shortcut, stride) = match &self.shortcut_layer {
            Some((conv, norm)) => (conv_norm(conv, norm, x, LayerActivation::Identity), 1),
            None => (x, self.stride),
        };
        match squeeze {
            Some(squeeze) => {
                let gates = squeeze.gates(&residual);
                gated(residual, gates, shortcut, stride)
            }
            None => subsample(shortcut, stride) + residual,
        }
    }

    /// Folds the normalisations that follow a convolution into it.
    pub fn fuse(self, weights: Precision) -> Self {
        let (norm, conv1, prelu, conv2, last_norm, squeeze) = self.res_layer;
        let (conv1, conv2) = (conv1.fuse(None, weights), conv2.fuse(last_norm, weights));
        let squeeze = squeeze.map(|layer| layer.fuse(weights));
        Self {
            shortcut_layer: self
                .shortcut_layer
                .map(|(conv, norm)| (conv.fuse(norm, weights), None)),
            res_layer: (norm.fuse(), conv1, prelu, conv2, None, squeeze),
            stride: self.stride,
        }
    }
}

/// The mean of every channel.
fn means(x: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "wgpu")]
    if !is_cpu(&x.device()) {
        return shaders::means(x);
    }
    x.mean_dim(2).mean_dim(3)
}

/// `x * gates + shortcut`, of which every `stride`-th row and column is taken.
fn gated(x: Tensor<4>, gates: Tensor<4>, shortcut: Tensor<4>, stride: usize) -> Tensor<4> {
    #[cfg(feature = "wgpu")]
    if !is_cpu(&x.device()) {
        return shaders::gated(x, gates, shortcut, stride);
    }
    subsample(shortcut, stride) + x * gates
}

/// Max pooling with kernel 1: every `stride`-th row and column.
fn subsample(x: Tensor<4>, stride: usize) -> Tensor<4> {
    if stride == 1 {
        return x;
    }
    let [batch, channels, height, width] = x.dims();
    let (rows, columns) = (height / stride, width / stride);
    x.reshape([batch * channels * rows, stride, columns, stride])
        .slice([0..batch * channels * rows, 0..1, 0..columns, 0..1])
        .reshape([batch, channels, rows, columns])
}

/// Map-to-style head: strided convolutions down to one pixel, then a linear layer.
#[derive(Module, Debug)]
struct StyleHead {
    convs: Vec<Conv<4>>,
    linear: EqualLinear,
}

impl StyleHead {
    /// `weights` is the device of the convolutions' weights.
    fn new(
        [input, width, style_dim]: [usize; 3],
        side: usize,
        weights: &Device,
        device: &Device,
    ) -> Self {
        let convs = (0..side.ilog2()).map(|index| {
            let from = if index == 0 { input } else { width };
            conv2d([from, width], 3, 2, true, device).with_weight_on(weights)
        });
        Self {
            convs: convs.collect(),
            linear: EqualLinear::new([width, style_dim], device),
        }
    }

    /// `[batch, in, side, side]` to `[batch, style_dim]`.
    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.convs.iter().fold(x, |x, conv| {
            conv.forward_with(None, x, LayerActivation::LeakyRelu)
        });
        self.linear.forward(x.flatten::<2>(1, 3))
    }
}

/// Heads that read one feature, side by side.
#[derive(Clone, Debug)]
struct HeadGroup {
    convs: Vec<ConvGroup>,
    linear: ConvGroup,
}

impl HeadGroup {
    /// Of heads as loaded.
    fn new(heads: Vec<StyleHead>, weights: Precision) -> Self {
        let linear: Vec<_> = heads.iter().map(|head| &head.linear).collect();
        let linear = ConvGroup::linear(&linear, weights);
        let layers = heads[0].convs.len();
        let mut convs: Vec<_> = (heads.into_iter())
            .map(|head| head.convs.into_iter())
            .collect();
        let convs = (0..layers).map(|layer| {
            let convs = convs.iter_mut().filter_map(Iterator::next).collect();
            ConvGroup::new(convs, weights, layer == 0)
        });
        Self {
            convs: convs.collect(),
            linear,
        }
    }

    /// `[1, in, side, side]` to `[heads, style_dim]`.
    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x =
            (self.convs.iter()).fold(x, |x, convs| convs.forward(x, LayerActivation::LeakyRelu));
        let codes = self.linear.forward(x, LayerActivation::Identity);
        codes.flatten::<2>(1, 3)
    }
}

/// Side of the feature that a style head reads.
fn head_side(sizes: &EncoderSizes, index: usize) -> usize {
    let divisor = match index {
        _ if index < COARSE_HEADS => 16,
        _ if index < MIDDLE_HEADS => 8,
        _ => 4,
    };
    sizes.input_size / divisor
}

/// The encoder of e4e or of pSp (`encoder.` in checkpoints).
#[derive(Module, Debug)]
pub struct Encoder {
    input_layer: (Conv<4>, Option<BatchNorm>, PRelu),
    body: Vec<Bottleneck>,
    styles: Vec<StyleHead>,
    /// Takes the place of `styles` once they are fused: the heads of each feature, from the coarsest.
    #[module(skip)]
    groups: Option<Arc<Vec<HeadGroup>>>,
    latlayer1: Conv<4>,
    latlayer2: Conv<4>,
    taps: [usize; 3],
    first_is_base: bool,
}

impl Encoder {
    /// Builds the encoder with parameters still to be loaded. The heads of a large one stay in main memory.
    pub fn new(config: &ModelConfig, sizes: &EncoderSizes, device: &Device) -> Self {
        let convs = |index| head_side(sizes, index).ilog2() as usize;
        let convs: usize = (0..config.styles()).map(convs).sum();
        let large = convs * 9 * sizes.head_width.pow(2) > MOST_ON_GPU;
        let heads = if large { cpu() } else { device.clone() };
        let [first, second, third, pyramid] = sizes.widths;
        let mut body = Vec::new();
        let mut ends = Vec::new();
        let mut channels = first;
        for (&width, &units) in sizes.widths.iter().zip(&sizes.units) {
            for unit in 0..units {
                let stride = if unit == 0 { 2 } else { 1 };
                body.push(Bottleneck::new([channels, width], stride, true, device));
                channels = width;
            }
            ends.push(body.len() - 1);
        }
        let styles = (0..config.styles()).map(|index| {
            let channels = [pyramid, sizes.head_width, config.style_dim];
            StyleHead::new(channels, head_side(sizes, index), &heads, device)
        });
        Self {
            input_layer: (
                conv2d([3, first], 3, 1, false, device),
                Some(BatchNorm::new(first, device)),
                PRelu::new(first, device),
            ),
            body,
            styles: styles.collect(),
            groups: None,
            latlayer1: conv2d([third, pyramid], 1, 1, true, device),
            latlayer2: conv2d([second, pyramid], 1, 1, true, device),
            taps: [ends[1], ends[2], ends[3]],
            first_is_base: sizes.heads == Heads::Offsets,
        }
    }

    /// Offsets from the average latent code.
    ///
    /// # Shapes
    /// `[batch, 3, input_size, input_size]` in [-1, 1] to `[batch, styles, style_dim]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<3> {
        let (conv, norm, prelu) = &self.input_layer;
        let mut x = conv_norm(conv, norm, x, LayerActivation::PRelu(prelu));
        let mut taps = Vec::with_capacity(self.taps.len());
        for (index, unit) in self.body.iter().enumerate() {
            x = unit.forward(x);
            if self.taps.contains(&index) {
                taps.push(x.clone());
            }
        }
        let [c1, c2, c3]: [Tensor<4>; 3] = taps.try_into().expect("one feature per tap");
        let p2 = upsample_add(c3.clone(), self.latlayer1.forward(c2));
        let p1 = upsample_add(p2.clone(), self.latlayer2.forward(c1));
        if let Some(groups) = &self.groups {
            let features = [c3, p2, p1];
            let [batch, ..] = features[0].dims();
            let codes = (0..batch).map(|picture| {
                let codes = groups
                    .iter()
                    .zip(&features)
                    .map(|(group, feature)| group.forward(feature.clone().narrow(0, picture, 1)));
                Tensor::cat(codes.collect(), 0).unsqueeze::<3>()
            });
            return self.codes(Tensor::cat(codes.collect(), 0));
        }
        let heads = self.styles.iter().enumerate().map(|(index, head)| {
            head.forward(match index {
                _ if index < COARSE_HEADS => c3.clone(),
                _ if index < MIDDLE_HEADS => p2.clone(),
                _ => p1.clone(),
            })
        });
        self.codes(Tensor::stack(heads.collect(), 1))
    }

    /// What the heads say as offsets from the average latent code, `[batch, styles, style_dim]` both.
    fn codes(&self, heads: Tensor<3>) -> Tensor<3> {
        if !self.first_is_base {
            return heads;
        }
        // The first head gives the base code, the others what each style adds to it.
        let [_, styles, _] = heads.dims();
        let base = heads.clone().narrow(1, 0, 1);
        let others = heads.narrow(1, 1, styles - 1) + base.clone();
        Tensor::cat(vec![base, others], 1)
    }

    /// Folds every normalisation that follows a convolution into it.
    pub fn fuse(self, weights: Precision) -> Self {
        let (conv, norm, prelu) = self.input_layer;
        let mut heads = self.styles.into_iter();
        let levels = [COARSE_HEADS, MIDDLE_HEADS - COARSE_HEADS, usize::MAX];
        let levels = levels.map(|count| heads.by_ref().take(count).collect::<Vec<_>>());
        let groups = (levels.into_iter())
            .filter(|heads| !heads.is_empty())
            .map(|heads| HeadGroup::new(heads, weights));
        let groups = Some(Arc::new(groups.collect()));
        Self {
            input_layer: (conv.fuse(norm, weights), None, prelu),
            body: self
                .body
                .into_iter()
                .map(|layer| layer.fuse(weights))
                .collect(),
            styles: Vec::new(),
            groups,
            latlayer1: self.latlayer1.fuse(None, weights),
            latlayer2: self.latlayer2.fuse(None, weights),
            taps: self.taps,
            first_is_base: self.first_is_base,
        }
    }
}

/// Feature pyramid step: the coarser feature, resized corner to corner, plus the lateral one.
fn upsample_add(coarse: Tensor<4>, lateral: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = lateral.dims();
    resize_bilinear(coarse, [height, width], true) + lateral
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::golden::Case;

    #[test]
    fn bottlenecks_match_pytorch() {
        for (name, channels, stride, squeeze) in [
            ("bottleneck_subsampled", [6, 6], 2, true),
            ("bottleneck_projected", [6, 20], 2, true),
            ("bottleneck_plain", [6, 6], 1, false),
        ] {
            let case = Case::open(name);
            let unit = Bottleneck::new(channels, stride, squeeze, case.device());
            let unit = case.load(unit, &[]);
            case.check(unit.forward(case.input(None)));
            case.check(unit.fuse(Precision::Single).forward(case.input(None)));
        }
    }

    #[test]
    fn squeeze_excite_matches_pytorch() {
        let case = Case::open("squeeze_excite");
        let layer = case.load(SqueezeExcite::new(20, case.device()), &[]);
        let x: Tensor<4> = case.input(None);
        case.check(layer.gates(&x) * x);
    }

    #[test]
    fn a_style_head_matches_pytorch() {
        let case = Case::open("style_head");
        let head = StyleHead::new([6, 5, 10], 8, case.device(), case.device());
        let head = case.load(head, &["encoder", "styles", "0"]);
        case.check(head.forward(case.input(None)));
    }

    #[test]
    fn the_pyramid_step_matches_pytorch() {
        let case = Case::open("upsample_add");
        case.check(upsample_add(case.input(0), case.input(1)));
    }
}
