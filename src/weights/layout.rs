//! Names and shapes of the tensors that the networks of one configuration need.

use crate::config::{EditorSizes, ModelConfig};

/// Every tensor of the networks and `latent_avg`, by the names of the released checkpoints, with its shape. Those
/// know no feature editor; its tensors are there where `config.editor` is.
///
/// Left out of what those files carry: branches that inference never runs, batch counters, the constant blur kernels and
/// the mapping network beyond `config.mapping_layers`.
pub fn expected_tensors(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    let mut layout = Layout(Vec::new());
    layout.encoder(config);
    layout.generator(config);
    layout.dipn(config);
    layout.dicn(config);
    if let Some(sizes) = &config.editor {
        layout.feature_editor(config.channels_at(config.inject_size), sizes);
    }
    layout.add("latent_avg", &[config.styles(), config.style_dim]);
    layout.0
}

/// Style index and name of the modulation weight `[in, style_dim]` of every convolution of the generator except those to
/// RGB.
pub fn conv_modulations(config: &ModelConfig) -> Vec<(usize, String)> {
    std::iter::once((0, "decoder.conv1".to_owned()))
        .chain((0..2 * config.blocks()).map(|i| (i + 1, format!("decoder.convs.{i}"))))
        .map(|(style, conv)| (style, format!("{conv}.conv.modulation.weight")))
        .collect()
}

struct Layout(Vec<(String, Vec<usize>)>);

impl Layout {
    fn add(&mut self, name: impl Into<String>, shape: &[usize]) {
        self.0.push((name.into(), shape.to_vec()));
    }

    /// Weight and bias of a layer.
    fn biased(&mut self, name: &str, weight: &[usize], bias: usize) {
        self.add(format!("{name}.weight"), weight);
        self.add(format!("{name}.bias"), &[bias]);
    }

    fn norm(&mut self, name: &str, channels: usize) {
        for part in ["weight", "bias", "running_mean", "running_var"] {
            self.add(format!("{name}.{part}"), &[channels]);
        }
    }

    /// A convolution without bias and its batch normalisation, over as many channels as `shape[0]`.
    fn conv_norm(&mut self, name: &str, shape: &[usize]) {
        self.add(format!("{name}.conv.weight"), shape);
        self.norm(&format!("{name}.bn"), shape[0]);
    }

    /// A transposed convolution, whose weight has its inputs first, and its batch normalisation.
    fn up_conv_norm(&mut self, name: &str, shape: &[usize]) {
        self.add(format!("{name}.conv.weight"), shape);
        self.norm(&format!("{name}.bn"), shape[1]);
    }

    /// Convolution 3x3, normalisation and PReLU, numbered 0 to 2.
    fn stem(&mut self, name: &str, inputs: usize, outputs: usize) {
        self.add(format!("{name}.0.weight"), &[outputs, inputs, 3, 3]);
        self.norm(&format!("{name}.1"), outputs);
        self.add(format!("{name}.2.weight"), &[outputs]);
    }

    fn bottleneck(&mut self, name: &str, inputs: usize, outputs: usize, squeeze: bool) {
        if inputs != outputs {
            self.add(
                format!("{name}.shortcut_layer.0.weight"),
                &[outputs, inputs, 1, 1],
            );
            self.norm(&format!("{name}.shortcut_layer.1"), outputs);
        }
        self.norm(&format!("{name}.res_layer.0"), inputs);
        self.add(
            format!("{name}.res_layer.1.weight"),
            &[outputs, inputs, 3, 3],
        );
        self.add(format!("{name}.res_layer.2.weight"), &[outputs]);
        self.add(
            format!("{name}.res_layer.3.weight"),
            &[outputs, outputs, 3, 3],
        );
        self.norm(&format!("{name}.res_layer.4"), outputs);
        if squeeze {
            let reduced = (outputs / 16).max(1);
            self.add(
                format!("{name}.res_layer.5.fc1.weight"),
                &[reduced, outputs, 1, 1],
            );
            self.add(
                format!("{name}.res_layer.5.fc2.weight"),
                &[outputs, reduced, 1, 1],
            );
        }
    }

    fn encoder(&mut self, config: &ModelConfig) {
        let sizes = &config.encoder;
        let mut inputs = sizes.widths[0];
        self.stem("encoder.input_layer", 3, inputs);
        let stages = sizes.units.iter().zip(sizes.widths);
        let widths = stages.flat_map(|(&units, width)| std::iter::repeat_n(width, units));
        for (unit, width) in widths.enumerate() {
            self.bottleneck(&format!("encoder.body.{unit}"), inputs, width, true);
            inputs = width;
        }
        let [_, c1, c2, pyramid] = sizes.widths;
        for style in 0..config.styles() {
            let side = sizes.input_size
                / match style {
                    0..3 => 16,
                    3..7 => 8,
                    _ => 4,
                };
            let mut inputs = pyramid;
            for conv in 0..side.ilog2() {
                let name = format!("encoder.styles.{style}.convs.{}", 2 * conv);
                self.biased(&name, &[sizes.head_width, inputs, 3, 3], sizes.head_width);
                inputs = sizes.head_width;
            }
            let name = format!("encoder.styles.{style}.linear");
            self.biased(
                &name,
                &[config.style_dim, sizes.head_width],
                config.style_dim,
            );
        }
        self.biased("encoder.latlayer1", &[pyramid, c2, 1, 1], pyramid);
        self.biased("encoder.latlayer2", &[pyramid, c1, 1, 1], pyramid);
    }

    fn modulated(
        &mut self,
        name: &str,
        inputs: usize,
        outputs: usize,
        kernel: usize,
        style_dim: usize,
    ) {
        self.add(
            format!("{name}.weight"),
            &[1, outputs, inputs, kernel, kernel],
        );
        self.biased(&format!("{name}.modulation"), &[inputs, style_dim], inputs);
    }

    fn styled_conv(&mut self, name: &str, inputs: usize, outputs: usize, style_dim: usize) {
        self.modulated(&format!("{name}.conv"), inputs, outputs, 3, style_dim);
        self.add(format!("{name}.noise.weight"), &[1]);
        self.add(format!("{name}.activate.bias"), &[outputs]);
    }

    fn rgb_layer(&mut self, name: &str, inputs: usize, style_dim: usize) {
        self.add(format!("{name}.bias"), &[1, 3, 1, 1]);
        self.modulated(&format!("{name}.conv"), inputs, 3, 1, style_dim);
    }

    fn generator(&mut self, config: &ModelConfig) {
        let width = config.style_dim;
        for layer in 1..=config.mapping_layers {
            self.biased(&format!("decoder.style.{layer}"), &[width, width], width);
        }
        let constant = config.channels[0];
        self.add("decoder.input.input", &[1, constant, 4, 4]);
        self.styled_conv("decoder.conv1", constant, constant, width);
        self.rgb_layer("decoder.to_rgb1", constant, width);
        self.add("decoder.noises.noise_0", &[1, 1, 4, 4]);
        for block in 0..config.blocks() {
            let (inputs, outputs) = (config.channels[block], config.channels[block + 1]);
            self.styled_conv(
                &format!("decoder.convs.{}", 2 * block),
                inputs,
                outputs,
                width,
            );
            self.styled_conv(
                &format!("decoder.convs.{}", 2 * block + 1),
                outputs,
                outputs,
                width,
            );
            self.rgb_layer(&format!("decoder.to_rgbs.{block}"), outputs, width);
            let side = 8 << block;
            for noise in [2 * block + 1, 2 * block + 2] {
                self.add(format!("decoder.noises.noise_{noise}"), &[1, 1, side, side]);
            }
        }
    }

    fn dipn(&mut self, config: &ModelConfig) {
        let [fe1, _, fe3, fe4, fe5] = config.dipn.features;
        for branch in ["DIP.feature1", "DIP.feature2"] {
            let mut inputs = 3;
            for (layer, outputs) in config.dipn.features.into_iter().enumerate() {
                self.conv_norm(
                    &format!("{branch}.fe{}", layer + 1),
                    &[outputs, inputs, 3, 3],
                );
                inputs = outputs;
            }
        }
        for (name, inputs, half) in [
            ("deconv8_4", fe5, fe4),
            ("deconv4_2", 2 * fe4, fe3),
            ("deconv2_1", 2 * fe3, fe1),
        ] {
            self.up_conv_norm(
                &format!("DIP.feature_up.{name}.conv1"),
                &[inputs, half, 4, 4],
            );
            self.conv_norm(
                &format!("DIP.feature_up.{name}.conv2"),
                &[2 * half, 2 * half, 3, 3],
            );
        }
        self.conv_norm("DIP.feature_up.conv4", &[2 * fe1, 2 * fe1, 3, 3]);
        let descriptor = config.dipn.descriptor;
        let depth = 2 * descriptor;
        self.conv_norm("DIP.conv", &[depth, 2 * fe1, 3, 3]);
        self.biased("DIP.desc", &[descriptor, depth, 1, 1], descriptor);
        self.conv_norm("DIP.corr_stem", &[config.dipn.volume, 1, 3, 3, 3]);
        self.hourglass(config.dipn.volume, [2 * fe3, 2 * fe4, fe5]);
        self.conv_norm("DIP.rgb1.0", &[16, depth, 3, 3]);
        self.add("DIP.rgb1.1.weight", &[16, 16, 3, 3]);
        self.norm("DIP.rgb1.2", 16);
        for (unit, inputs) in [16, 3, 3].into_iter().enumerate() {
            self.bottleneck(&format!("DIP.rgb.{unit}"), inputs, 3, false);
        }
    }

    /// `contexts` are the channels of the picture features fused at a half, a quarter and an eighth of the volume.
    fn hourglass(&mut self, volume: usize, contexts: [usize; 3]) {
        let name = |part: &str| format!("DIP.hourglass_fusion.{part}");
        let widths = [volume, 2 * volume, 4 * volume, 6 * volume];
        for level in 1..4 {
            let (inputs, outputs) = (widths[level - 1], widths[level]);
            self.conv_norm(
                &name(&format!("conv{level}.0")),
                &[outputs, inputs, 3, 3, 3],
            );
            self.conv_norm(
                &name(&format!("conv{level}.1")),
                &[outputs, outputs, 3, 3, 3],
            );
        }
        for (agg, width) in [("agg_0", widths[2]), ("agg_1", widths[1])] {
            self.conv_norm(&name(&format!("{agg}.0")), &[width, 2 * width, 1, 1, 1]);
            for layer in 1..3 {
                self.conv_norm(&name(&format!("{agg}.{layer}")), &[width, width, 3, 3, 3]);
            }
        }
        self.up_conv_norm(&name("conv3_up"), &[widths[3], widths[2], 4, 4, 4]);
        self.up_conv_norm(&name("conv2_up"), &[widths[2], widths[1], 4, 4, 4]);
        self.add(name("conv1_up.conv.weight"), &[widths[1], 1, 4, 4, 4]);
        for (level, fusion) in ["CGF_8", "CGF_16", "CGF_32"].into_iter().enumerate() {
            let (context, width) = (contexts[level], widths[level + 1]);
            self.conv_norm(
                &name(&format!("{fusion}.semantic.0")),
                &[context / 2, context, 1, 1],
            );
            self.biased(
                &name(&format!("{fusion}.semantic.1")),
                &[width, context / 2, 1, 1],
                width,
            );
            self.conv_norm(&name(&format!("{fusion}.att.0")), &[width, width, 1, 5, 5]);
            self.add(
                name(&format!("{fusion}.att.1.weight")),
                &[width, width, 1, 1, 1],
            );
            self.conv_norm(&name(&format!("{fusion}.agg")), &[width, width, 1, 5, 5]);
        }
    }

    fn dicn(&mut self, config: &ModelConfig) {
        let (stem, middle) = (config.dicn.stem, config.dicn.middle);
        let width = config.channels_at(config.inject_size);
        self.stem("SAF.conv_layer1", 3, stem);
        self.conv_norm("SAF.semantic.0", &[middle, stem, 3, 3]);
        self.add("SAF.semantic.1.weight", &[middle, middle, 3, 3]);
        self.conv_norm("SAF.semantic.2", &[width, middle, 3, 3]);
        self.add("SAF.semantic.3.weight", &[width, width, 3, 3]);
        self.conv_norm("SAF.att.0", &[width, width, 3, 3]);
        self.add("SAF.att.1.weight", &[width, width, 3, 3]);
        let (rows, styles) = (config.latent_rows(), config.styles());
        self.biased("SAF.aff1d.sen.0", &[rows / 2, rows, 1], rows / 2);
        self.norm("SAF.aff1d.sen.1", rows / 2);
        self.biased("SAF.aff1d.sen.3", &[styles, rows / 2, 1], styles);
        for branch in ["SAF.aff1d.att", "SAF.aff1d.att2"] {
            self.biased(&format!("{branch}.0"), &[styles, styles, 3], styles);
            self.norm(&format!("{branch}.1"), styles);
            self.add(format!("{branch}.3.weight"), &[styles, styles, 1]);
        }
        let condition = config.condition_channels();
        for (layer, inputs) in [(0, 3), (2, condition)] {
            let name = format!("SAF.condition_shift3.{layer}");
            self.biased(&name, &[condition, inputs, 3, 3], condition);
        }
    }
    fn feature_editor(&mut self, channels: usize, sizes: &EditorSizes) {
        let &EditorSizes { width, plan } = sizes;
        for (layer, inputs) in [("context", channels), ("gate1", width), ("gate2", width)] {
            let name = format!("feature_editor.{layer}");
            self.biased(&name, &[width, inputs, 3, 3], width);
        }
        for (layer, inputs, outputs) in [
            ("plan", plan, width),
            ("mix", width, width),
            ("out", width, channels),
        ] {
            let name = format!("feature_editor.{layer}.weight");
            self.add(name, &[outputs, inputs, 3, 3]);
        }
    }
}
