//! The stages of an inversion, and the one formula by which edits start from it.
//!
//! Zhang et al., AAAI 2024, figure 2. One definition holds for every edit strength: with G(c) the
//! generator's feature at the injection layer for codes c, and F the compensated feature, an edit of the
//! compensated codes w' to e runs the generator once on e with F - G(w') added to G(e). At e = w' this is
//! exactly the reconstruction. (The reference adds F - G(w) instead, w being the codes before
//! compensation, which makes the picture jump when a slider leaves 0; [`Inversion::residual`] has that value.)
//!
//! A model without DIPN and DICN has two stages: w' is w, F is G(w), and the first reconstruction is the only one. A
//! face that a model draws has one stage: its codes are known, and there is nothing to compensate.

use std::ops::ControlFlow;

use burn::tensor::Tensor;

use crate::config::ModelConfig;
use crate::networks::{
    Compensation, Compensator, Initial, Injection, Inverter, ReadError, Sdic, Synthesis, read,
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

    /// The stages of a model, in order: those of [`Self::ALL`] up to where nothing is left to do.
    pub fn of(config: &ModelConfig) -> &'static [Self] {
        match config.compensates() {
            true => &Self::ALL,
            false if config.inverts() => &Self::ALL[..2],
            false => &Self::ALL[1..2],
        }
    }

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

/// What the stages have found.
#[derive(Clone, Debug)]
pub struct Inversion {
    /// w, the encoder's codes, `[1, styles, style_dim]`.
    pub codes: Tensor<3>,
    /// The plain e4e reconstruction, `[1, 3, image_size, image_size]`, not clamped.
    pub initial: Tensor<4>,
    /// DIPN's map, `[1, 3, input_size, input_size]`; `None` in a model that compensates nothing.
    pub discrepancy: Option<Tensor<4>>,
    /// w', the compensated codes that edits start from; w where nothing is compensated, `[1, styles, style_dim]`.
    pub compensated_codes: Tensor<3>,
    /// The generator on w' at the injection layer, with G(w').
    pub lower: Synthesis,
    /// F - G(w), what DICN finds and the reference implementation adds to an edit,
    /// `[1, channels, inject, inject]`. Zero where nothing is compensated.
    pub residual: Tensor<4>,
    /// F - G(w'), what an edit adds at the injection layer, shaped like `residual`.
    pub injected_residual: Tensor<4>,
    /// The compensated picture, `[1, 3, image_size, image_size]`, not clamped.
    pub reconstruction: Tensor<4>,
}

impl Inversion {
    /// The generator on w' at the injection layer, compensated: F.
    pub fn compensated(&self) -> Synthesis {
        Injection::from(self.injected_residual.clone()).added_to(self.lower.clone())
    }
}

/// An inversion under way.
pub struct InversionRun<'a> {
    sdic: &'a Sdic,
    found: Found<'a>,
}

/// What the stages before the next one have found.
#[expect(clippy::large_enum_variant, reason = "there is one, and it only moves")]
enum Found<'a> {
    Face(Inverter<'a>, Tensor<4>),
    Drawn(Tensor<3>),
    Codes(Tensor<4>, Tensor<3>),
    Initial(Compensator<'a>, Tensor<4>, Tensor<3>, Initial),
    Discrepancy(Compensator<'a>, Tensor<3>, Initial, Tensor<4>),
    Compensation(Tensor<3>, Initial, Tensor<4>, Compensation),
}

impl<'a> InversionRun<'a> {
    /// Of an aligned face, `[1, 3, input_size, input_size]` in [-1, 1]; nothing is computed yet.
    /// `None` if the model is a generator alone.
    pub fn new(sdic: &'a Sdic, face: Tensor<4>) -> Option<Self> {
        let found = Found::Face(sdic.inverter()?, face);
        Some(Self { sdic, found })
    }

    /// Of a face that the model draws from codes, `[1, styles, style_dim]`; nothing is computed yet.
    pub fn drawn(sdic: &'a Sdic, codes: Tensor<3>) -> Self {
        let found = Found::Drawn(codes);
        Self { sdic, found }
    }

    /// The stage that [`Self::advance`] computes.
    pub fn stage(&self) -> Stage {
        match self.found {
            Found::Face(..) => Stage::Encode,
            Found::Drawn(..) | Found::Codes(..) => Stage::Generate,
            Found::Initial(..) => Stage::Predict,
            Found::Discrepancy(..) => Stage::Compensate,
            Found::Compensation(..) => Stage::Reconstruct,
        }
    }

    /// Computes a stage, or on a GPU queues it; breaks with the inversion after the last one.
    pub fn advance(self) -> ControlFlow<Inversion, Self> {
        let sdic = self.sdic;
        let found = match self.found {
            Found::Face(inverter, face) => {
                let codes = inverter.encode(face.clone());
                Found::Codes(face, codes)
            }
            Found::Drawn(codes) => {
                let initial = sdic.generate(codes.clone());
                return ControlFlow::Break(uncompensated(codes, initial));
            }
            Found::Codes(face, codes) => {
                let initial = sdic.generate(codes.clone());
                match sdic.compensator() {
                    Some(networks) => Found::Initial(networks, face, codes, initial),
                    None => return ControlFlow::Break(uncompensated(codes, initial)),
                }
            }
            Found::Initial(networks, face, codes, initial) => {
                let discrepancy = networks.predict(face, initial.image.clone());
                Found::Discrepancy(networks, codes, initial, discrepancy)
            }
            Found::Discrepancy(networks, codes, initial, discrepancy) => {
                let initial_feature = initial.lower.feature.clone();
                let found =
                    networks.compensate(discrepancy.clone(), initial_feature, codes.clone());
                Found::Compensation(codes, initial, discrepancy, found)
            }
            Found::Compensation(codes, initial, discrepancy, compensation) => {
                return ControlFlow::Break(reconstruct(
                    sdic,
                    codes,
                    initial,
                    discrepancy,
                    compensation,
                ));
            }
        };
        ControlFlow::Continue(Self { sdic, found })
    }

    /// Waits until the stage before has been computed.
    async fn settle(&self) -> Result<(), ReadError> {
        match &self.found {
            Found::Face(..) | Found::Drawn(_) => Ok(()),
            Found::Codes(_, codes) => settle(codes).await,
            Found::Initial(_, _, _, initial) => settle(&initial.image).await,
            Found::Discrepancy(_, _, _, discrepancy) => settle(discrepancy).await,
            Found::Compensation(_, _, _, found) => settle(&found.residual).await,
        }
    }
}

/// The generator on w' with the compensated feature F = G(w) + (F - G(w)) in place of G(w').
fn reconstruct(
    sdic: &Sdic,
    codes: Tensor<3>,
    initial: Initial,
    discrepancy: Tensor<4>,
    compensation: Compensation,
) -> Inversion {
    let Compensation {
        codes: compensated_codes,
        residual,
    } = compensation;
    let lower = sdic.lower(compensated_codes.clone());
    let injected_residual = initial.lower.feature + residual.clone() - lower.feature.clone();
    // Added as an edit adds it, so that the picture of an edit by nothing is the same to the last bit.
    let upper = Injection::from(injected_residual.clone()).added_to(lower.clone());
    let size = sdic.config().image_size;
    let reconstruction = sdic.resume(compensated_codes.clone(), upper, size).finish();
    Inversion {
        codes,
        initial: initial.image,
        discrepancy: Some(discrepancy),
        compensated_codes,
        lower,
        residual,
        injected_residual,
        reconstruction,
    }
}

/// What an inversion finds where nothing is compensated: all of it from the first reconstruction.
fn uncompensated(codes: Tensor<3>, initial: Initial) -> Inversion {
    let Initial { image, lower } = initial;
    let nothing = lower.feature.zeros_like();
    Inversion {
        compensated_codes: codes.clone(),
        codes,
        reconstruction: image.clone(),
        initial: image,
        discrepancy: None,
        lower,
        residual: nothing.clone(),
        injected_residual: nothing,
    }
}

/// A whole inversion. `begin` hears of every stage as it begins, when those before have been computed; its error stops
/// the inversion.
///
/// # Errors
/// Those of `begin`, or a failing device.
pub async fn invert<E: From<ReadError>>(
    mut run: InversionRun<'_>,
    mut begin: impl AsyncFnMut(Stage) -> Result<(), E>,
) -> Result<Inversion, E> {
    loop {
        begin(run.stage()).await?;
        match run.advance() {
            ControlFlow::Continue(further) => run = further,
            ControlFlow::Break(inversion) => {
                settle(&inversion.reconstruction).await?;
                return Ok(inversion);
            }
        }
        run.settle().await?;
    }
}

/// Waits until everything that `tensor` depends on has been computed.
async fn settle<const D: usize>(tensor: &Tensor<D>) -> Result<(), ReadError> {
    let first = std::array::from_fn::<_, D, _>(|_| 0..1);
    read(tensor.clone().slice(first)).await.map(drop)
}
