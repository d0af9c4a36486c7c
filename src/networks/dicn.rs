//! DICN, the discrepancy information compensation network: puts the discrepancy back into the
//! generator's features and into the latent code.
//!
//! Zhang et al., "Spatial-Contextual Discrepancy Information Compensation for GAN Inversion"
//! (AAAI 2024), section 3.3.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};

use super::layers::{
    BasicConv, BatchNorm, Conv, LayerActivation, NoParameters, PRelu, Precision, conv_norm, conv1d,
    conv2d, equal_conv2d, resize_bilinear,
};
use crate::config::{DicnSizes, ModelConfig};

/// Convolution, normalisation, leaky ReLU, convolution over rows of style vectors.
type RowLayers = (Conv<3>, Option<BatchNorm>, NoParameters, Conv<3>);

fn row_layers(channels: [usize; 3], kernel: usize, last_bias: bool, device: &Device) -> RowLayers {
    let [input, middle, output] = channels;
    (
        conv1d([input, middle], kernel, true, device),
        Some(BatchNorm::new(middle, device)),
        NoParameters,
        conv1d([middle, output], 1, last_bias, device),
    )
}

fn apply_rows(layers: &RowLayers, x: Tensor<3>) -> Tensor<3> {
    let (first, norm, _, last) = layers;
    last.forward(conv_norm(first, norm, x, LayerActivation::LeakyRelu))
}

fn fuse_rows(layers: RowLayers, weights: Precision) -> RowLayers {
    let (first, norm, between, last) = layers;
    (
        first.fuse(norm, weights),
        None,
        between,
        last.fuse(None, weights),
    )
}

/// Gains and offsets of the latent code.
#[derive(Module, Debug)]
struct LatentFusion {
    sen: RowLayers,
    att: RowLayers,
    att2: RowLayers,
}

impl LatentFusion {
    fn new(rows: usize, styles: usize, device: &Device) -> Self {
        Self {
            sen: row_layers([rows, rows / 2, styles], 1, true, device),
            att: row_layers([styles, styles, styles], 3, false, device),
            att2: row_layers([styles, styles, styles], 3, false, device),
        }
    }

    /// Rows `[batch, rows, style_dim]` and codes `[batch, styles, style_dim]` to new codes.
    fn forward(&self, rows: Tensor<3>, codes: Tensor<3>) -> Tensor<3> {
        let context = apply_rows(&self.sen, rows);
        let gain = apply_rows(&self.att, context.clone());
        let offset = apply_rows(&self.att2, context);
        gain * codes.clone() + codes + offset
    }

    fn fuse(self, weights: Precision) -> Self {
        Self {
            sen: fuse_rows(self.sen, weights),
            att: fuse_rows(self.att, weights),
            att2: fuse_rows(self.att2, weights),
        }
    }
}

/// The discrepancy information compensation network (`SAF.` in checkpoints).
#[derive(Module, Debug)]
pub struct Dicn {
    conv_layer1: (Conv<4>, Option<BatchNorm>, PRelu),
    semantic: (BasicConv<4>, Conv<4>, BasicConv<4>, Conv<4>),
    att: (BasicConv<4>, Conv<4>),
    condition_shift3: (Conv<4>, NoParameters, Conv<4>),
    aff1d: LatentFusion,
    latent_map: usize,
    rows: usize,
}

impl Dicn {
    /// Builds the network with parameters still to be loaded.
    pub fn new(config: &ModelConfig, sizes: &DicnSizes, device: &Device) -> Self {
        let styles = config.styles();
        let condition = config.condition_channels(sizes);
        let rows = config.latent_rows(sizes);
        let feature = config.channels_at(config.inject_size);
        let ratio = config.input_size() / config.inject_size;
        let stride = |at_least| if ratio >= at_least { 2 } else { 1 };
        let basic = |channels: [usize; 2], stride| {
            let conv = conv2d(channels, 3, stride, false, device);
            BasicConv::new(conv, channels[1], device)
        };
        let square = |channels| conv2d([channels, channels], 3, 1, false, device);
        Self {
            conv_layer1: (
                conv2d([3, sizes.stem], 3, 1, false, device),
                Some(BatchNorm::new(sizes.stem, device)),
                PRelu::new(sizes.stem, device),
            ),
            semantic: (
                basic([sizes.stem, sizes.middle], stride(2)),
                square(sizes.middle),
                basic([sizes.middle, feature], stride(4)),
                square(feature),
            ),
            att: (basic([feature, feature], 1), square(feature)),
            condition_shift3: (
                equal_conv2d([3, condition], device),
                NoParameters,
                equal_conv2d([condition, condition], device),
            ),
            aff1d: LatentFusion::new(rows, styles, device),
            latent_map: sizes.latent_map,
            rows,
        }
    }

    /// What the map adds to the generator's feature G at the injection layer: F - G.
    ///
    /// # Shapes
    /// Map `[batch, 3, side, side]`, G `[batch, channels, inject, inject]`, residual like G.
    pub fn residual(&self, map: Tensor<4>, feature: Tensor<4>) -> Tensor<4> {
        let (conv, norm, prelu) = &self.conv_layer1;
        let x = conv_norm(conv, norm, map, LayerActivation::PRelu(prelu));
        let (first, second, third, fourth) = &self.semantic;
        let x = second.forward(first.forward(x));
        let semantic = fourth.forward(third.forward(x));
        let attention = self.att.0.forward(semantic.clone() + feature);
        (self.att.1).forward_with(None, attention, LayerActivation::Sigmoid) * semantic
    }

    /// The compensated latent code w'.
    ///
    /// # Shapes
    /// Map `[batch, 3, side, side]`, codes `[batch, styles, style_dim]`, result like the codes.
    pub fn compensate_codes(&self, map: Tensor<4>, codes: Tensor<3>) -> Tensor<3> {
        let [batch, _, style_dim] = codes.dims();
        let (first, _, second) = &self.condition_shift3;
        let x = second.forward(first.forward_with(None, map, LayerActivation::Style));
        let x = resize_bilinear(x, [self.latent_map; 2], false);
        let rows = x.reshape([batch, self.rows, style_dim]);
        self.aff1d.forward(rows, codes)
    }

    /// Folds every normalisation that follows a convolution into it.
    pub fn fuse(self, weights: Precision) -> Self {
        let (conv, norm, prelu) = self.conv_layer1;
        let (first, second, third, fourth) = self.semantic;
        let (before, between, after) = self.condition_shift3;
        Self {
            conv_layer1: (conv.fuse(norm, weights), None, prelu),
            semantic: (
                first.fuse(weights),
                second.fuse(None, weights),
                third.fuse(weights),
                fourth.fuse(None, weights),
            ),
            att: (self.att.0.fuse(weights), self.att.1.fuse(None, weights)),
            condition_shift3: (
                before.fuse(None, weights),
                between,
                after.fuse(None, weights),
            ),
            aff1d: self.aff1d.fuse(weights),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::golden::Case;

    #[test]
    fn latent_fusion_matches_pytorch() {
        let case = Case::open("latent_fusion");
        let layer = case.load(LatentFusion::new(12, 6, case.device()), &[]);
        case.check(layer.forward(case.input(0), case.input(1)));
        case.check(
            layer
                .fuse(Precision::Single)
                .forward(case.input(0), case.input(1)),
        );
    }
}
