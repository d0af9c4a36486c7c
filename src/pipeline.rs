//! Compensate and edit: aligned face -> codes -> discrepancy -> compensation -> edit.
//!
//! Zhang et al., AAAI 2024, figure 2. One definition holds for every edit strength: with G(c) the
//! generator's feature at the injection layer for codes c, and F the compensated feature, an edit of the
//! compensated codes w' to e runs the generator once on e with F - G(w') added to G(e). At e = w' this is
//! exactly the reconstruction. (The reference adds F - G(w) instead, w being the codes before
//! compensation, which makes the picture jump when a slider leaves 0; [`Inversion::reference_residual`]
//! has that value.)
//!
//! Where an edit moves the face, F moves with it: with M the motion, M(F) - G(w') is added to G(e). What then differs
//! from the picture of M(F) and w' is what the edit changed besides. A change of the features that an edit brings is
//! added on top: as it is, or as the feature editor draws it for M(F).

use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor};

use crate::{
    config::ModelConfig,
    generator::{Generator, Synthesis},
    layers::{resize_bilinear, warp},
    model::Networks,
    motion::Field,
};

/// Steps of an inversion, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Encoder: picture to codes.
    Encode,
    /// Generator: codes to the first reconstruction.
    Generate,
    /// DIPN: what the first reconstruction lost.
    Predict,
    /// DICN: compensated feature and codes.
    Compensate,
    /// Generator: the compensated picture.
    Reconstruct,
}

impl Stage {
    /// All stages in order.
    pub const ALL: [Self; 5] = [
        Self::Encode,
        Self::Generate,
        Self::Predict,
        Self::Compensate,
        Self::Reconstruct,
    ];

    /// Name for progress messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Encode => "encode",
            Self::Generate => "generate",
            Self::Predict => "predict",
            Self::Compensate => "compensate",
            Self::Reconstruct => "reconstruct",
        }
    }
}

/// The plain e4e reconstruction and the feature that DICN compensates.
#[derive(Clone, Debug)]
pub struct Initial {
    /// Generator output for the encoder's codes, `[1, 3, image_size, image_size]`, not clamped.
    pub image: Tensor<4>,
    /// G(w), `[1, channels, inject, inject]`.
    pub feature: Tensor<4>,
}

/// What DICN found.
#[derive(Clone, Debug)]
pub struct Compensation {
    /// w', `[1, styles, style_dim]`.
    pub codes: Tensor<3>,
    /// F - G(w), `[1, channels, inject, inject]`.
    pub residual: Tensor<4>,
}

/// An inverted face, ready to be edited.
#[derive(Clone, Debug)]
pub struct Inversion {
    /// w, the encoder's codes, `[1, styles, style_dim]`.
    pub initial_codes: Tensor<3>,
    /// The plain e4e reconstruction, `[1, 3, image_size, image_size]`, not clamped.
    pub initial: Tensor<4>,
    /// DIPN's map, `[1, 3, input_size, input_size]`.
    pub discrepancy: Tensor<4>,
    /// w', the compensated codes that edits start from, `[1, styles, style_dim]`.
    pub codes: Tensor<3>,
    /// The generator on w' at the injection layer, with G(w').
    pub lower: Synthesis,
    /// F - G(w'), what an edit adds at the injection layer, `[1, channels, inject, inject]`.
    pub residual: Tensor<4>,
    /// F - G(w), what the reference implementation adds instead, shaped like `residual`.
    pub reference_residual: Tensor<4>,
    /// The compensated picture, `[1, 3, image_size, image_size]`, not clamped.
    pub reconstruction: Tensor<4>,
}

impl Inversion {
    /// The generator on w' at the injection layer, compensated: F.
    pub fn compensated(&self) -> Synthesis {
        Injection::from(self.residual.clone()).added_to(self.lower.clone())
    }

    /// [`Self::compensated`], moved along a field.
    pub fn moved(&self, motion: &Field) -> Synthesis {
        let mut synthesis = self.compensated();
        synthesis.feature = warp(synthesis.feature, motion);
        synthesis.skip = warp(synthesis.skip, motion);
        synthesis
    }
}

/// What an edit adds at the injection layer to what the generator makes of the edited codes.
#[derive(Clone, Debug)]
pub struct Injection {
    /// To the feature, `[1, channels, inject, inject]`.
    pub feature: Tensor<4>,
    /// To the picture so far, where the face moves; shaped like [`Synthesis::skip`].
    pub skip: Option<Tensor<4>>,
}

impl From<Tensor<4>> for Injection {
    /// Of a face that does not move.
    fn from(feature: Tensor<4>) -> Self {
        Self {
            feature,
            skip: None,
        }
    }
}

impl Injection {
    /// The synthesis, which is at the injection layer, with this in it.
    fn added_to(self, mut synthesis: Synthesis) -> Synthesis {
        synthesis.feature = synthesis.feature + self.feature;
        if let Some(skip) = self.skip {
            synthesis.skip = synthesis.skip + skip;
        }
        synthesis
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

    /// Encoder: `[1, 3, input_size, input_size]` in [-1, 1] to codes w, `[1, styles, style_dim]`.
    pub fn encode(&self, face: Tensor<4>) -> Tensor<3> {
        self.networks.encoder.forward(face) + self.networks.latent_avg.val().unsqueeze()
    }

    /// Codes w of a made-up face, from a random vector `[1, style_dim]`: the mapping network's style, moved
    /// towards the average by `truncation` (1 leaves it, 0 is the average face). `None` if the weights came
    /// without a mapping network.
    pub fn sample(&self, z: Tensor<2>, truncation: f64) -> Option<Tensor<3>> {
        let style = self.networks.generator.map(z)?.unsqueeze_dim::<3>(1);
        let average = self.networks.latent_avg.val().unsqueeze();
        Some((style - average.clone()) * truncation + average)
    }

    /// Generator without compensation.
    pub fn generate(&self, codes: &Tensor<3>) -> Initial {
        let lower = self.networks.generator.lower(codes);
        let feature = lower.feature.clone();
        let image = self
            .networks
            .generator
            .upper(lower, codes, self.config.image_size);
        Initial { image, feature }
    }

    /// DIPN: the face and its plain reconstruction to the discrepancy map, `[1, 3, input_size, input_size]`.
    pub fn predict(&self, face: Tensor<4>, image: Tensor<4>) -> Tensor<4> {
        let seen = resize_bilinear(
            image.clamp(-1.0, 1.0),
            [self.config.encoder.input_size; 2],
            false,
        );
        self.networks.dipn.forward(face, seen)
    }

    /// DICN: the map, G(w) and w to F - G(w) and w'.
    pub fn compensate(&self, map: Tensor<4>, feature: Tensor<4>, codes: Tensor<3>) -> Compensation {
        Compensation {
            residual: self.networks.dicn.residual(map.clone(), feature),
            codes: self.networks.dicn.compensate_codes(map, codes),
        }
    }

    /// Generator on w' with the compensated feature F = G(w) + (F - G(w)) in place of G(w'); completes an
    /// inversion from what the stages before have found.
    pub fn reconstruct(
        &self,
        initial_codes: Tensor<3>,
        initial: Initial,
        discrepancy: Tensor<4>,
        compensation: Compensation,
    ) -> Inversion {
        let Compensation { codes, residual } = compensation;
        let lower = self.networks.generator.lower(&codes);
        let from_compensated = initial.feature + residual.clone() - lower.feature.clone();
        // Added as an edit adds it, so that the picture of an edit by nothing is the same to the last bit.
        let upper = Injection::from(from_compensated.clone()).added_to(lower.clone());
        let size = self.config.image_size;
        let reconstruction = self.networks.generator.upper(upper, &codes, size);
        Inversion {
            initial_codes,
            initial: initial.image,
            discrepancy,
            codes,
            lower,
            residual: from_compensated,
            reference_residual: residual,
            reconstruction,
        }
    }

    /// The whole inversion of an aligned face, `[1, 3, input_size, input_size]` in [-1, 1].
    ///
    /// `stage` is called when a stage begins. A GPU only queues work, so a caller that wants to see the
    /// stages pass there calls the single steps and waits in between.
    pub fn invert(&self, face: Tensor<4>, mut stage: impl FnMut(Stage)) -> Inversion {
        stage(Stage::Encode);
        let initial_codes = self.encode(face.clone());
        stage(Stage::Generate);
        let initial = self.generate(&initial_codes);
        stage(Stage::Predict);
        let discrepancy = self.predict(face, initial.image.clone());
        stage(Stage::Compensate);
        let compensation = self.compensate(
            discrepancy.clone(),
            initial.feature.clone(),
            initial_codes.clone(),
        );
        stage(Stage::Reconstruct);
        self.reconstruct(initial_codes, initial, discrepancy, compensation)
    }

    /// One generator pass on `codes` with `residual` added at the injection layer.
    ///
    /// For an edit, `codes` is w' plus shifts and `residual` is [`Inversion::residual`]; `size` below
    /// `image_size` stops at that resolution for a preview.
    ///
    /// # Shapes
    /// `[1, styles, style_dim]` to `[1, 3, size, size]`, not clamped.
    pub fn edit(&self, codes: &Tensor<3>, residual: Tensor<4>, size: usize) -> Tensor<4> {
        let mut edit = self.begin_edit(codes.clone(), residual.into(), size);
        loop {
            match edit.advance() {
                ControlFlow::Continue(further) => edit = further,
                ControlFlow::Break(image) => return image,
            }
        }
    }

    /// [`Self::edit`] in steps, for a caller that has other things to do in between, or may lose interest.
    pub fn begin_edit(&self, codes: Tensor<3>, injection: Injection, size: usize) -> Edit<'_> {
        let generator = &self.networks.generator;
        Edit {
            synthesis: generator.begin(&codes),
            generator,
            codes,
            injection: Some(injection),
            size,
        }
    }

    /// The generator from the injection layer on, in steps; `synthesis` is compensated already.
    pub fn resume(&self, codes: Tensor<3>, synthesis: Synthesis, size: usize) -> Edit<'_> {
        Edit {
            synthesis,
            generator: &self.networks.generator,
            codes,
            injection: None,
            size,
        }
    }

    /// What a change, in the place of the face, adds to its compensated features, moved if the face moves: what the
    /// feature editor draws, or the change itself where the model has none.
    ///
    /// # Shapes
    /// `[1, change_channels, inject, inject]` (see [`ModelConfig::change_channels`]) and
    /// `[1, channels, inject, inject]` to the latter.
    pub fn draw(&self, change: Tensor<4>, compensated: impl FnOnce() -> Tensor<4>) -> Tensor<4> {
        match &self.networks.feature_editor {
            Some(editor) => editor.forward(compensated(), change),
            None => change,
        }
    }

    /// Keeps the rows and columns of a generator output that are picture.
    ///
    /// # Shapes
    /// `[1, 3, size, size]`, `size` at most `image_size`, to `[1, 3, rows, columns]` in proportion.
    pub fn crop(&self, image: Tensor<4>) -> Tensor<4> {
        let [_, _, size, _] = image.dims();
        let [rows, columns] = self
            .config
            .output_size()
            .map(|side| side * size / self.config.image_size);
        image
            .narrow(2, (size - rows) / 2, rows)
            .narrow(3, (size - columns) / 2, columns)
    }
}

/// An edit under way.
pub struct Edit<'a> {
    generator: &'a Generator,
    codes: Tensor<3>,
    injection: Option<Injection>,
    size: usize,
    synthesis: Synthesis,
}

impl Edit<'_> {
    /// Goes on by one convolution; breaks with the picture, `[1, 3, size, size]`, not clamped.
    pub fn advance(mut self) -> ControlFlow<Tensor<4>, Self> {
        if let Some(picture) = self.generator.picture(&self.synthesis, self.size) {
            return ControlFlow::Break(picture);
        }
        if self.generator.at_injection(&self.synthesis)
            && let Some(injection) = self.injection.take()
        {
            self.synthesis = injection.added_to(self.synthesis);
        }
        self.synthesis = self.generator.advance(self.synthesis, &self.codes);
        ControlFlow::Continue(self)
    }
}
