//! DIPN, the discrepancy information prediction network: what the first reconstruction lost.
//!
//! Zhang et al., "Spatial-Contextual Discrepancy Information Compensation for GAN Inversion"
//! (AAAI 2024), section 3.2: descriptors of the original and of the reconstruction form a volume
//! that a 3-d hourglass, guided by the original's features, turns into the discrepancy map.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};

use super::{
    encoder::Bottleneck,
    layers::{
        BasicConv, BatchNorm, Conv, LayerActivation, Precision, conv_norm, conv2d, conv3d,
        deconv2d, deconv3d,
    },
};
use crate::config::DipnSizes;

/// Channels of the map before the last three bottlenecks.
const RGB_WIDTH: usize = 16;

/// A 3x3 [`BasicConv`].
fn basic2d(channels: [usize; 2], stride: usize, device: &Device) -> BasicConv<4> {
    BasicConv::new(
        conv2d(channels, 3, stride, false, device),
        channels[1],
        device,
    )
}

/// A 3-d [`BasicConv`].
fn basic3d(
    channels: [usize; 2],
    kernel: [usize; 3],
    stride: usize,
    device: &Device,
) -> BasicConv<5> {
    BasicConv::new(
        conv3d(channels, kernel, stride, device),
        channels[1],
        device,
    )
}

/// Five convolutions down to an eighth of the side.
#[derive(Module, Debug)]
struct Features {
    fe1: BasicConv<4>,
    fe2: BasicConv<4>,
    fe3: BasicConv<4>,
    fe4: BasicConv<4>,
    fe5: BasicConv<4>,
}

/// Features at 1, 1/2, 1/4 and 1/8 of the side, `[batch, channels, side, side]` each.
#[derive(Clone)]
struct FeaturePyramid {
    x1: Tensor<4>,
    x2: Tensor<4>,
    x4: Tensor<4>,
    x8: Tensor<4>,
}

impl Features {
    fn new(widths: [usize; 5], device: &Device) -> Self {
        let [w1, w2, w3, w4, w5] = widths;
        Self {
            fe1: basic2d([3, w1], 1, device),
            fe2: basic2d([w1, w2], 2, device),
            fe3: basic2d([w2, w3], 1, device),
            fe4: basic2d([w3, w4], 2, device),
            fe5: basic2d([w4, w5], 2, device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> FeaturePyramid {
        let x1 = self.fe1.forward(x);
        let x2 = self.fe3.forward(self.fe2.forward(x1.clone()));
        let x4 = self.fe4.forward(x2.clone());
        let x8 = self.fe5.forward(x4.clone());
        FeaturePyramid { x1, x2, x4, x8 }
    }

    fn fuse(self, weights: Precision) -> Self {
        Self {
            fe1: self.fe1.fuse(weights),
            fe2: self.fe2.fuse(weights),
            fe3: self.fe3.fuse(weights),
            fe4: self.fe4.fuse(weights),
            fe5: self.fe5.fuse(weights),
        }
    }
}

/// Doubles a feature, appends the finer one and mixes both.
#[derive(Module, Debug)]
struct UpsampleConcat {
    conv1: BasicConv<4>,
    conv2: BasicConv<4>,
}

impl UpsampleConcat {
    /// The finer feature has `output` channels too; the result has both: `2 * output`.
    fn new(input: usize, output: usize, device: &Device) -> Self {
        Self {
            conv1: BasicConv::new(deconv2d([input, output], device), output, device),
            conv2: basic2d([2 * output, 2 * output], 1, device),
        }
    }

    fn forward(&self, coarse: Tensor<4>, fine: Tensor<4>) -> Tensor<4> {
        let x = Tensor::cat(vec![self.conv1.forward(coarse), fine], 1);
        self.conv2.forward(x)
    }

    fn fuse(self, weights: Precision) -> Self {
        Self {
            conv1: self.conv1.fuse(weights),
            conv2: self.conv2.fuse(weights),
        }
    }
}

/// Brings the coarse features back up, shared by both pictures.
#[derive(Module, Debug)]
struct FeatureUp {
    deconv8_4: UpsampleConcat,
    deconv4_2: UpsampleConcat,
    deconv2_1: UpsampleConcat,
    conv4: BasicConv<4>,
}

impl FeatureUp {
    fn new(widths: [usize; 5], device: &Device) -> Self {
        let [w1, _, w3, w4, w5] = widths;
        Self {
            deconv8_4: UpsampleConcat::new(w5, w4, device),
            deconv4_2: UpsampleConcat::new(2 * w4, w3, device),
            deconv2_1: UpsampleConcat::new(2 * w3, w1, device),
            conv4: basic2d([2 * w1, 2 * w1], 1, device),
        }
    }

    fn forward(&self, features: FeaturePyramid) -> FeaturePyramid {
        let FeaturePyramid { x1, x2, x4, x8 } = features;
        let x4 = self.deconv8_4.forward(x8.clone(), x4);
        let x2 = self.deconv4_2.forward(x4.clone(), x2);
        let x1 = self.conv4.forward(self.deconv2_1.forward(x2.clone(), x1));
        FeaturePyramid { x1, x2, x4, x8 }
    }

    fn fuse(self, weights: Precision) -> Self {
        Self {
            deconv8_4: self.deconv8_4.fuse(weights),
            deconv4_2: self.deconv4_2.fuse(weights),
            deconv2_1: self.deconv2_1.fuse(weights),
            conv4: self.conv4.fuse(weights),
        }
    }
}

/// Context-guided fusion of the volume with a feature of the original.
#[derive(Module, Debug)]
struct ContextFusion {
    semantic: (BasicConv<4>, Conv<4>),
    att: (BasicConv<5>, Conv<5>),
    agg: BasicConv<5>,
}

impl ContextFusion {
    fn new(volume: usize, feature: usize, device: &Device) -> Self {
        let middle = feature / 2;
        let flat = [1, 5, 5];
        Self {
            semantic: (
                BasicConv::new(
                    conv2d([feature, middle], 1, 1, false, device),
                    middle,
                    device,
                ),
                conv2d([middle, volume], 1, 1, true, device),
            ),
            att: (
                basic3d([volume, volume], flat, 1, device),
                conv3d([volume, volume], [1, 1, 1], 1, device),
            ),
            agg: basic3d([volume, volume], flat, 1, device),
        }
    }

    /// Volume `[batch, channels, depth, side, side]`, feature `[batch, features, side, side]`.
    fn forward(&self, volume: Tensor<5>, feature: Tensor<4>) -> Tensor<5> {
        let semantic = self.semantic.1.forward(self.semantic.0.forward(feature));
        let semantic = semantic.unsqueeze_dim::<5>(2);
        let attention = self.att.0.forward(semantic.clone() + volume.clone());
        let attention = (self.att.1).forward_with(None, attention, LayerActivation::Sigmoid);
        self.agg.forward(attention * semantic + volume)
    }

    fn fuse(self, weights: Precision) -> Self {
        Self {
            semantic: (
                self.semantic.0.fuse(weights),
                self.semantic.1.fuse(None, weights),
            ),
            att: (self.att.0.fuse(weights), self.att.1.fuse(None, weights)),
            agg: self.agg.fuse(weights),
        }
    }
}

type Pair = (BasicConv<5>, BasicConv<5>);
type Triple = (BasicConv<5>, BasicConv<5>, BasicConv<5>);

/// 3-d hourglass over the descriptor volume.
#[derive(Module, Debug)]
struct Hourglass {
    conv1: Pair,
    conv2: Pair,
    conv3: Pair,
    conv3_up: BasicConv<5>,
    conv2_up: BasicConv<5>,
    conv1_up: BasicConv<5>,
    agg_0: Triple,
    agg_1: Triple,
    cgf_32: ContextFusion,
    cgf_16: ContextFusion,
    cgf_8: ContextFusion,
}

impl Hourglass {
    fn new(volume: usize, features: [usize; 5], device: &Device) -> Self {
        let [v1, v2, v4, v6] = [1, 2, 4, 6].map(|factor| factor * volume);
        let [_, _, w3, w4, w5] = features;
        let cube = [3, 3, 3];
        let down = |channels: [usize; 2]| {
            let [_, output] = channels;
            (
                basic3d(channels, cube, 2, device),
                basic3d([output, output], cube, 1, device),
            )
        };
        let merge = |output: usize| {
            (
                basic3d([2 * output, output], [1, 1, 1], 1, device),
                basic3d([output, output], cube, 1, device),
                basic3d([output, output], cube, 1, device),
            )
        };
        let up = |input: usize, output: usize| {
            BasicConv::new(deconv3d([input, output], device), output, device)
        };
        Self {
            conv1: down([v1, v2]),
            conv2: down([v2, v4]),
            conv3: down([v4, v6]),
            conv3_up: up(v6, v4),
            conv2_up: up(v4, v2),
            conv1_up: BasicConv::plain(deconv3d([v2, 1], device)),
            agg_0: merge(v4),
            agg_1: merge(v2),
            cgf_32: ContextFusion::new(v6, w5, device),
            cgf_16: ContextFusion::new(v4, 2 * w4, device),
            cgf_8: ContextFusion::new(v2, 2 * w3, device),
        }
    }

    /// `[batch, volume, depth, side, side]` to `[batch, 1, depth, side, side]`.
    fn forward(&self, x: Tensor<5>, guide: &FeaturePyramid) -> Tensor<5> {
        let pair = |layers: &Pair, x| layers.1.forward(layers.0.forward(x));
        let triple = |layers: &Triple, x| layers.2.forward(layers.1.forward(layers.0.forward(x)));
        let conv1 = pair(&self.conv1, x);
        let conv2 = pair(&self.conv2, conv1.clone());
        let conv3 = pair(&self.conv3, conv2.clone());
        let conv3 = self.cgf_32.forward(conv3, guide.x8.clone());
        let conv2 = Tensor::cat(vec![self.conv3_up.forward(conv3), conv2], 1);
        let conv2 = triple(&self.agg_0, conv2);
        let conv2 = self.cgf_16.forward(conv2, guide.x4.clone());
        let conv1 = Tensor::cat(vec![self.conv2_up.forward(conv2), conv1], 1);
        let conv1 = triple(&self.agg_1, conv1);
        let conv1 = self.cgf_8.forward(conv1, guide.x2.clone());
        self.conv1_up.linear(conv1)
    }

    fn fuse(self, weights: Precision) -> Self {
        let pair = |layers: Pair| (layers.0.fuse(weights), layers.1.fuse(weights));
        let triple = |layers: Triple| {
            (
                layers.0.fuse(weights),
                layers.1.fuse(weights),
                layers.2.fuse(weights),
            )
        };
        Self {
            conv1: pair(self.conv1),
            conv2: pair(self.conv2),
            conv3: pair(self.conv3),
            conv3_up: self.conv3_up.fuse(weights),
            conv2_up: self.conv2_up.fuse(weights),
            conv1_up: self.conv1_up.fuse(weights),
            agg_0: triple(self.agg_0),
            agg_1: triple(self.agg_1),
            cgf_32: self.cgf_32.fuse(weights),
            cgf_16: self.cgf_16.fuse(weights),
            cgf_8: self.cgf_8.fuse(weights),
        }
    }
}

/// The discrepancy information prediction network (`DIP.` in checkpoints).
#[derive(Module, Debug)]
pub struct Dipn {
    feature1: Features,
    feature2: Features,
    feature_up: FeatureUp,
    conv: BasicConv<4>,
    desc: Conv<4>,
    corr_stem: BasicConv<5>,
    hourglass_fusion: Hourglass,
    rgb1: (BasicConv<4>, Conv<4>, Option<BatchNorm>),
    rgb: Vec<Bottleneck>,
}

impl Dipn {
    /// Builds the network with parameters still to be loaded.
    pub fn new(sizes: &DipnSizes, device: &Device) -> Self {
        let features = sizes.features;
        let depth = 2 * sizes.descriptor;
        Self {
            feature1: Features::new(features, device),
            feature2: Features::new(features, device),
            feature_up: FeatureUp::new(features, device),
            conv: basic2d([2 * features[0], depth], 1, device),
            desc: conv2d([depth, sizes.descriptor], 1, 1, true, device),
            corr_stem: basic3d([1, sizes.volume], [3, 3, 3], 1, device),
            hourglass_fusion: Hourglass::new(sizes.volume, features, device),
            rgb1: (
                basic2d([depth, RGB_WIDTH], 1, device),
                conv2d([RGB_WIDTH, RGB_WIDTH], 3, 1, false, device),
                Some(BatchNorm::new(RGB_WIDTH, device)),
            ),
            rgb: [[RGB_WIDTH, 3], [3, 3], [3, 3]]
                .map(|channels| Bottleneck::new(channels, 1, false, device))
                .into(),
        }
    }

    /// Predicts the discrepancy map of an original and its first reconstruction.
    ///
    /// # Shapes
    /// Two pictures `[batch, 3, side, side]` in [-1, 1] to `[batch, 3, side, side]`.
    pub fn forward(&self, original: Tensor<4>, reconstruction: Tensor<4>) -> Tensor<4> {
        let guide = self.feature_up.forward(self.feature1.forward(original));
        let other = self
            .feature_up
            .forward(self.feature2.forward(reconstruction));
        let describe = |x| self.desc.forward(self.conv.forward(x));
        let volume = Tensor::cat(vec![describe(guide.x1.clone()), describe(other.x1)], 1);
        let volume = self.corr_stem.forward(volume.unsqueeze_dim::<5>(1));
        let volume = self.hourglass_fusion.forward(volume, &guide);
        let (first, second, norm) = &self.rgb1;
        let x = first.forward(volume.squeeze_dim::<4>(1));
        let x = conv_norm(second, norm, x, LayerActivation::Relu);
        self.rgb.iter().fold(x, |x, unit| unit.forward(x))
    }

    /// Folds every normalisation that follows a convolution into it.
    pub fn fuse(self, weights: Precision) -> Self {
        let (first, second, norm) = self.rgb1;
        Self {
            feature1: self.feature1.fuse(weights),
            feature2: self.feature2.fuse(weights),
            feature_up: self.feature_up.fuse(weights),
            conv: self.conv.fuse(weights),
            desc: self.desc.fuse(None, weights),
            corr_stem: self.corr_stem.fuse(weights),
            hourglass_fusion: self.hourglass_fusion.fuse(weights),
            rgb1: (first.fuse(weights), second.fuse(norm, weights), None),
            rgb: self
                .rgb
                .into_iter()
                .map(|layer| layer.fuse(weights))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::golden::Case;

    #[test]
    fn context_fusion_matches_pytorch() {
        let case = Case::open("context_fusion");
        let layer = case.load(ContextFusion::new(4, 6, case.device()), &[]);
        case.check(layer.forward(case.input(0), case.input(1)));
        case.check(
            layer
                .fuse(Precision::Single)
                .forward(case.input(0), case.input(1)),
        );
    }
}
