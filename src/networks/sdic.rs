//! A loaded model, and the steps of the pipeline on it; what follows what is for [`editing`](crate::editing).

use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor, module::adaptive_avg_pool2d};

use super::{
    dicn::Dicn,
    dipn::Dipn,
    encoder::Encoder,
    feature_editor::{DrawnPlan, Plans},
    generator::{Codes, Generator, Styles, Synthesis},
    layers::{Warp, resize_bilinear},
    model::Networks,
    pictures::Window,
    queue::{Mark, mark},
};
use crate::{config::ModelConfig, pixels::Field};

/// The generator's first picture and the feature that DICN compensates.
#[derive(Clone, Debug)]
pub struct Initial {
    /// Generator output for the encoder's codes, `[1, 3, image_size, image_size]`, not clamped.
    pub image: Tensor<4>,
    /// The generator on w at the injection layer, with G(w).
    pub lower: Synthesis,
}

/// What DICN found.
#[derive(Clone, Debug)]
pub struct Compensation {
    /// w', `[1, styles, style_dim]`.
    pub codes: Tensor<3>,
    /// F - G(w), `[1, channels, inject, inject]`.
    pub residual: Tensor<4>,
}

/// What is added, mostly at the injection layer, to what the generator makes of some codes.
#[derive(Clone, Debug)]
pub struct Injection {
    /// To the feature, `[1, channels, inject, inject]`.
    pub feature: Tensor<4>,
    /// To the picture so far, where the face moves; shaped like [`Synthesis::skip`].
    pub skip: Option<Tensor<4>>,
    /// To the finished picture.
    pub overlay: Overlay,
}

/// What is drawn into a finished picture.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    /// Added, `[1, 3, image_size, image_size]`; previews go without.
    pub detail: Option<Tensor<4>>,
    /// Then laid over it: a picture of that size, and how opaque it is, `[1, 1, image_size, image_size]`, 0 to 1.
    pub covering: Option<[Tensor<4>; 2]>,
}

impl Overlay {
    /// The picture with that.
    fn drawn_into(self, picture: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = picture.dims();
        let detail = (self.detail).filter(|detail| detail.dims() == picture.dims());
        let picture = match detail {
            Some(detail) => picture + detail,
            None => picture,
        };
        let Some(covering) = self.covering else {
            return picture;
        };
        let [drawn, opacity] = covering.map(|layer| reduced(layer, [height, width]));
        picture.clone() + opacity * (drawn - picture)
    }
}

/// A layer `[1, channels, ...]` at the size of a preview, or as it is: means of pixels.
fn reduced(layer: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [_, _, height, width] = layer.dims();
    if [height, width] == size {
        return layer;
    }
    adaptive_avg_pool2d(layer, size)
}

impl From<Tensor<4>> for Injection {
    /// Of a face that does not move.
    fn from(feature: Tensor<4>) -> Self {
        Self {
            feature,
            skip: None,
            overlay: Overlay::default(),
        }
    }
}

impl Injection {
    /// The synthesis, which is at the injection layer, with this in it, but for what goes into the finished picture.
    pub fn added_to(self, mut synthesis: Synthesis) -> Synthesis {
        synthesis.feature = synthesis.feature + self.feature;
        if let Some(skip) = self.skip {
            synthesis.skip = synthesis.skip + skip;
        }
        synthesis
    }
}

impl Synthesis {
    /// Feature and picture so far, moved along a field.
    pub fn moved(mut self, motion: &Field) -> Self {
        let device = self.feature.device();
        let [feature, skip] =
            [&self.feature, &self.skip].map(|moved| Warp::new(motion, moved.dims()[3], &device));
        self.feature = feature.forward(self.feature);
        self.skip = skip.forward(self.skip);
        self
    }
}

/// A loaded SDIC model.
#[derive(Debug, Clone)]
pub struct Sdic {
    config: ModelConfig,
    networks: Networks,
}

impl Sdic {
    /// Wraps networks that were loaded for `config`.
    pub fn new(config: ModelConfig, networks: Networks) -> Self {
        Self { config, networks }
    }

    /// Sizes of the model.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Where the networks' parameters live.
    pub fn device(&self) -> Device {
        self.networks.latent_avg.device()
    }

    /// What turns a photo into codes; `None` if the model is a generator alone.
    pub fn inverter(&self) -> Option<Inverter<'_>> {
        let encoder = self.networks.encoder.as_ref()?;
        let sdic = self;
        Some(Inverter { sdic, encoder })
    }

    /// Codes w of a made-up face, `[1, styles, style_dim]`, from a random vector `[1, style_dim]`: the mapping network's
    /// style, moved towards the average by `truncation` (1 leaves it, 0 is the average face). `None` if the weights
    /// came without a mapping network.
    pub fn sample(&self, z: Tensor<2>, truncation: f64) -> Option<Tensor<3>> {
        let style = self.map(z)?.unsqueeze_dim::<3>(1);
        let average = self.networks.latent_avg.val().unsqueeze();
        Some((style - average.clone()) * truncation + average)
    }

    /// The mapping network alone: random vectors `[batch, style_dim]` to styles. `None` if the weights came without it.
    pub fn map(&self, z: Tensor<2>) -> Option<Tensor<2>> {
        self.networks.generator.map(z)
    }

    /// Generator without compensation.
    pub fn generate(&self, codes: impl Into<Codes>) -> Initial {
        let styles = self.networks.generator.styles(&codes.into());
        let lower = self.networks.generator.lower(&styles);
        let pass = self.resume_with(styles, lower.clone(), self.config.image_size);
        Initial {
            image: pass.finish(),
            lower,
        }
    }

    /// A picture as DIPN compares it with the face: `[1, 3, size, size]` to `[1, 3, input_size, input_size]`.
    pub fn seen(&self, image: Tensor<4>) -> Tensor<4> {
        let side = self.config.input_size();
        resize_bilinear(image.clamp(-1.0, 1.0), [side; 2], false)
    }

    /// What puts back what a first reconstruction lost; `None` if the model has nothing that does.
    pub fn compensator(&self) -> Option<Compensator<'_>> {
        let (dipn, dicn) = (self.networks.dipn.as_ref()?, self.networks.dicn.as_ref()?);
        let sdic = self;
        Some(Compensator { sdic, dipn, dicn })
    }

    /// The style channels of codes, in the order of [`ModelConfig::style_channels`].
    ///
    /// # Shapes
    /// `[batch, styles, style_dim]` to `[batch, channels]`.
    pub fn style_channels(&self, codes: &Tensor<3>) -> Tensor<2> {
        self.networks.generator.channels(codes)
    }

    /// The generator on `codes` up to the injection layer.
    pub fn lower(&self, codes: impl Into<Codes>) -> Synthesis {
        let generator = &self.networks.generator;
        generator.lower(&generator.styles(&codes.into()))
    }

    /// A generator pass on `codes` with `injection` added at the injection layer; `size` below `image_size` stops at
    /// that resolution for a preview.
    pub fn pass(
        &self,
        codes: impl Into<Codes>,
        mut injection: Injection,
        size: usize,
    ) -> GeneratorPass<'_> {
        let generator = &self.networks.generator;
        let styles = generator.styles(&codes.into());
        GeneratorPass {
            synthesis: generator.begin(&styles),
            generator,
            styles,
            overlay: std::mem::take(&mut injection.overlay),
            injection: Some(injection),
            size,
            multiplications: 0,
        }
    }

    /// The rest of a pass from the injection layer on; `synthesis` is compensated already.
    pub fn resume(
        &self,
        codes: impl Into<Codes>,
        synthesis: Synthesis,
        size: usize,
    ) -> GeneratorPass<'_> {
        let styles = self.networks.generator.styles(&codes.into());
        self.resume_with(styles, synthesis, size)
    }

    fn resume_with(&self, styles: Styles, synthesis: Synthesis, size: usize) -> GeneratorPass<'_> {
        GeneratorPass {
            synthesis,
            generator: &self.networks.generator,
            styles,
            injection: None,
            overlay: Overlay::default(),
            size,
            multiplications: 0,
        }
    }

    /// What changes, in the place of the face, add to its compensated feature, moved if the face moves: what the
    /// feature editor draws of them, or the change of the features itself where the model has none.
    ///
    /// # Shapes
    /// `[1, ...]` of [`ModelConfig::change_shape`], and features `[1, channels, inject, inject]`.
    pub fn draw(
        &self,
        changes: &Plans<Tensor<4>>,
        compensated: impl FnOnce() -> Tensor<4>,
    ) -> DrawnPlan {
        match &self.networks.feature_editor {
            Some(editor) => editor.forward(compensated(), changes),
            None => DrawnPlan {
                feature: changes.feature().clone(),
                detail: None,
                covering: None,
            },
        }
    }

    /// The rows and columns of a square picture of this side that are seen: as many in proportion as of a generator
    /// output.
    pub fn window(&self, side: usize) -> Window {
        let size = self.config.picture_in(side);
        Window {
            start: size.map(|seen| (side - seen) / 2),
            size,
        }
    }
}

/// Encoder of a model that has one.
#[derive(Clone, Copy)]
pub struct Inverter<'a> {
    sdic: &'a Sdic,
    encoder: &'a Encoder,
}

impl Inverter<'_> {
    /// `[1, 3, input_size, input_size]` in [-1, 1] to codes w, `[1, styles, style_dim]`.
    pub fn encode(&self, face: Tensor<4>) -> Tensor<3> {
        self.encoder.forward(face) + self.sdic.networks.latent_avg.val().unsqueeze()
    }
}

/// DIPN and DICN of a model that has them.
#[derive(Clone, Copy)]
pub struct Compensator<'a> {
    sdic: &'a Sdic,
    dipn: &'a Dipn,
    dicn: &'a Dicn,
}

impl Compensator<'_> {
    /// DIPN: the face and its plain reconstruction to the discrepancy map, `[1, 3, input_size, input_size]`.
    pub fn predict(&self, face: Tensor<4>, image: Tensor<4>) -> Tensor<4> {
        self.dipn.forward(face, self.sdic.seen(image))
    }

    /// DICN: the discrepancy map, G(w) and w to F - G(w) and w'.
    pub fn compensate(
        &self,
        discrepancy: Tensor<4>,
        initial_feature: Tensor<4>,
        codes: Tensor<3>,
    ) -> Compensation {
        Compensation {
            residual: self.dicn.residual(discrepancy.clone(), initial_feature),
            codes: self.dicn.compensate_codes(discrepancy, codes),
        }
    }
}

/// A generator pass under way, for a caller that has other things to do in between, or may lose interest.
pub struct GeneratorPass<'a> {
    generator: &'a Generator,
    styles: Styles,
    injection: Option<Injection>,
    overlay: Overlay,
    size: usize,
    synthesis: Synthesis,
    multiplications: u64,
}

impl GeneratorPass<'_> {
    /// Those of the convolutions so far.
    pub fn multiplications(&self) -> u64 {
        self.multiplications
    }

    /// A mark behind what has been queued of the pass.
    pub fn mark(&self) -> Option<Mark> {
        mark(&self.synthesis.feature)
    }

    /// Goes on by one convolution; breaks with the picture, `[1, 3, size, size]`, not clamped.
    pub fn advance(mut self) -> ControlFlow<Tensor<4>, Self> {
        if let Some(picture) = self.generator.picture(&self.synthesis, self.size) {
            return ControlFlow::Break(self.overlay.drawn_into(picture));
        }
        if self.generator.at_injection(&self.synthesis)
            && let Some(injection) = self.injection.take()
        {
            self.synthesis = injection.added_to(self.synthesis);
        }
        let [_, input, height, width] = self.synthesis.feature.dims();
        self.synthesis = self.generator.advance(self.synthesis, &self.styles);
        let [_, output, _, _] = self.synthesis.feature.dims();
        // All convolutions have kernels of 3x3, and so many products per place of their input.
        self.multiplications += (9 * input * output * height * width) as u64;
        ControlFlow::Continue(self)
    }

    /// The picture, without a pause.
    pub fn finish(self) -> Tensor<4> {
        let mut pass = self;
        loop {
            match pass.advance() {
                ControlFlow::Continue(further) => pass = further,
                ControlFlow::Break(picture) => return picture,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::cpu_values;

    /// `[1, 3, side, side]` of consecutive numbers.
    fn numbers(side: usize) -> Tensor<4> {
        let count = (3 * side * side) as i64;
        let numbers = Tensor::<1, burn::tensor::Int>::arange(0..count, &Device::default());
        numbers.float().reshape([1, 3, side, side])
    }

    #[test]
    fn what_covers_draw_hides_the_picture_and_is_in_previews_too() {
        let opaque = Tensor::ones([1, 1, 4, 4], &Device::default());
        let overlay = |opacity: f32| Overlay {
            detail: Some(numbers(4)),
            covering: Some([numbers(4), opaque.clone() * opacity]),
        };
        let drawn = |opacity, side| cpu_values(overlay(opacity).drawn_into(numbers(side) * 7.0));
        assert_eq!(drawn(1.0, 4), cpu_values(numbers(4)));
        assert_eq!(
            drawn(0.0, 4),
            cpu_values(numbers(4) * 8.0),
            "with the detail"
        );
        assert_eq!(
            drawn(0.0, 2),
            cpu_values(numbers(2) * 7.0),
            "a preview has none"
        );
        let means = [0.0, 2.0, 8.0, 10.0].map(|first| first + 2.5);
        assert_eq!(drawn(1.0, 2)[..4], means);
    }
}
