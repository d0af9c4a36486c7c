//! Which model a checkpoint is: by its options, and by the networks that it has.
//!
//! SDIC took encoder, generator and the layout of its files over from e4e, and e4e from pSp. So the same names are
//! found in all of them, and a file without `DIP.*` and `SAF.*` is an inversion without compensation.

use std::collections::HashMap;
use std::fmt;

use super::error::ImportError;
use super::pickle::Value;
use crate::config::{Heads, ModelConfig};
use crate::weights::Depicts;

/// What the names of a generator begin with in the checkpoints of models.
pub(super) const DECODER: &str = "decoder.";
/// First layer of the mapping network.
const MAPPED: &str = "style.1.weight";
/// Most resolutions above the first, and most layers of a mapping network, that are looked for.
const MAX_BLOCKS: usize = 9;
const MAX_LAYERS: usize = 16;
/// Values of `opts["encoder_type"]` that are known.
const E4E: &str = "Encoder4Editing";
const PSP: &str = "GradualStyleEncoder";
/// What the names of DIPN and DICN begin with.
const COMPENSATION: [&str; 2] = ["DIP.", "SAF."];
/// Words in the names of data sets without faces that e4e and its successors were trained on.
const NO_FACES: [&str; 6] = ["horse", "church", "cats", "dogs", "wild", "bedroom"];
/// Fewest and most style heads of models that are not SDIC's: 128 to 1024 pixels.
const HEADS: std::ops::RangeInclusive<usize> = 12..=18;

/// Which model a checkpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CheckpointKind {
    Face,
    Cars,
    Other,
    E4e,
    Psp,
    Generator,
}

impl CheckpointKind {
    /// Name and title for a manifest.
    pub fn names(self) -> [&'static str; 2] {
        match self {
            Self::Face => ["sdic-face", "SDIC face model, imported"],
            Self::Cars => ["sdic-cars", "SDIC car model, imported"],
            Self::Other => ["sdic-custom", "SDIC model, imported"],
            Self::E4e => ["e4e", "e4e model, imported, without compensation"],
            Self::Psp => ["psp", "pSp model, imported, without compensation"],
            Self::Generator => ["stylegan2", "StyleGAN2 generator, imported"],
        }
    }
}

/// Which model has these options and tensors, and its sizes.
pub(super) fn recognise(
    opts: Option<Value<'_>>,
    tensors: &HashMap<&str, Value<'_>>,
) -> Result<(CheckpointKind, ModelConfig), ImportError> {
    let options = Options(opts);
    if let Some(json) = options.text("config") {
        let config: ModelConfig = serde_json::from_str(json).map_err(|error| {
            ImportError::Content(format!(
                "opts: \"config\" is not a model configuration: {error}"
            ))
        })?;
        config.validate()?;
        let kind = match config.encoder.as_ref().map(|encoder| encoder.heads) {
            _ if config.compensates() => CheckpointKind::Other,
            Some(Heads::Offsets) => CheckpointKind::E4e,
            Some(Heads::Codes) => CheckpointKind::Psp,
            None => CheckpointKind::Generator,
        };
        return Ok((kind, config));
    }
    let head = |style| format!("encoder.styles.{style}.linear.weight");
    let heads = (0..)
        .take_while(|style| tensors.contains_key(head(*style).as_str()))
        .count();
    if heads == 0 && is_generator(|name| tensors.contains_key(format!("{DECODER}{name}").as_str()))
    {
        return Ok((CheckpointKind::Generator, generator(tensors)?));
    }
    if heads == 0 {
        return Err(ImportError::Content(
            "state_dict: no style heads \"encoder.styles.*\": not an SDIC checkpoint".to_owned(),
        ));
    }
    let compensates = (tensors.keys()).any(|name| COMPENSATION.iter().any(|p| name.starts_with(p)));
    let (kind, config) = match compensates {
        true => sdic(&options, heads)?,
        false => uncompensated(&options, heads)?,
    };
    for name in ["stylegan_size", "output_size"] {
        if let Some(size) = options.get(name).and_then(Value::int)
            && size != config.image_size as i64
        {
            return Err(contradiction(name, &size, heads, &config));
        }
    }
    if options.is_car() && config.crop.is_none() {
        return Err(contradiction(DATA_SET, &options.data_set(), heads, &config));
    }
    Ok((kind, config))
}

/// What a model's pictures show, if its options name a data set that tells.
pub(super) fn depicts(opts: Option<Value<'_>>) -> Option<Depicts> {
    let options = Options(opts);
    let known = |words: &[&str]| words.iter().any(|word| options.data_set().contains(word));
    match options.data_set() {
        _ if options.is_car() => Some(Depicts::Cars),
        _ if known(&NO_FACES) => Some(Depicts::Other),
        _ if known(&["ffhq", "celeb"]) => Some(Depicts::Faces),
        _ => None,
    }
}

/// Why a file without any style heads is none of these models, if its options or other tensors tell.
pub(super) fn other_model(root: Value<'_>) -> Option<ImportError> {
    let opts = root.get("opts");
    if let Some(found) = Options(opts).text(ENCODER)
        && ![E4E, PSP].contains(&found)
    {
        return Some(unknown_encoder(found));
    }
    None
}

/// Whether these are the names of a StyleGAN2 generator with its mapping network.
pub(super) fn is_generator(has: impl Fn(&str) -> bool) -> bool {
    [MAPPED, "input.input", "conv1.conv.weight"]
        .iter()
        .all(|name| has(name))
}

/// Sizes of a generator alone, by its tensors.
fn generator(tensors: &HashMap<&str, Value<'_>>) -> Result<ModelConfig, ImportError> {
    let shape = |name: String| {
        let value = tensors.get(format!("{DECODER}{name}").as_str())?;
        Some(&value.tensor()?.shape[..])
    };
    let sides = |name: String, axis: usize| shape(name)?.get(axis).copied();
    let missing = |name: &str| ImportError::Missing(vec![format!("{DECODER}{name}")]);
    let first = sides("input.input".to_owned(), 1).ok_or_else(|| missing("input.input"))?;
    // Of each resolution above, the convolution that keeps its side.
    let above = (0..).map_while(|block| sides(format!("convs.{}.conv.weight", 2 * block + 1), 1));
    let channels = std::iter::once(first)
        .chain(above.take(MAX_BLOCKS))
        .collect();
    let style_dim = sides(MAPPED.to_owned(), 0).ok_or_else(|| missing(MAPPED))?;
    let layers =
        (1..=MAX_LAYERS).take_while(|layer| shape(format!("style.{layer}.weight")).is_some());
    let config = ModelConfig::generator(channels, style_dim, layers.count());
    config.validate()?;
    Ok(config)
}

const ENCODER: &str = "encoder_type";
const DATA_SET: &str = "dataset_type";

struct Options<'a>(Option<Value<'a>>);

impl<'a> Options<'a> {
    fn get(&self, name: &str) -> Option<Value<'a>> {
        self.0.and_then(|opts| opts.get(name))
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(Value::text)
    }

    fn data_set(&self) -> &'a str {
        self.text(DATA_SET).unwrap_or_default()
    }

    fn is_car(&self) -> bool {
        self.data_set().replace("cartoon", "").contains("car")
    }
}

fn contradiction(
    name: &str,
    value: &dyn fmt::Display,
    heads: usize,
    config: &ModelConfig,
) -> ImportError {
    ImportError::Content(format!(
        "opts: {name} = {value} contradicts the {heads} style heads of a {} px model",
        config.image_size
    ))
}

fn unknown_encoder(found: &str) -> ImportError {
    let found = found.escape_debug();
    ImportError::Content(format!(
        "opts: {ENCODER} = {found}: an encoder without a head per style; only {E4E} (e4e) and {PSP} (pSp) can be used"
    ))
}

/// A model of SDIC: by its style heads the face or the car model, or one of the latter's size.
fn sdic(options: &Options<'_>, heads: usize) -> Result<(CheckpointKind, ModelConfig), ImportError> {
    Ok(match heads {
        18 => (CheckpointKind::Face, ModelConfig::face()),
        16 if options.is_car() || options.data_set().is_empty() => {
            (CheckpointKind::Cars, ModelConfig::cars())
        }
        16 => {
            let cars = ModelConfig::cars();
            (CheckpointKind::Other, ModelConfig { crop: None, ..cars })
        }
        _ => {
            return Err(ImportError::Content(format!(
                "state_dict: {heads} style heads; the face model has 18 and the car model 16, others need \
                 their configuration in opts[\"config\"]"
            )));
        }
    })
}

/// A model of e4e or pSp, of the size that its style heads tell. Which of them it is cannot be seen in the tensors.
fn uncompensated(
    options: &Options<'_>,
    heads: usize,
) -> Result<(CheckpointKind, ModelConfig), ImportError> {
    let (kind, outputs) = match options.text(ENCODER) {
        Some(E4E) => (CheckpointKind::E4e, Heads::Offsets),
        Some(PSP) => (CheckpointKind::Psp, Heads::Codes),
        Some(other) => return Err(unknown_encoder(other)),
        None => {
            return Err(ImportError::Content(format!(
                "has no DIP and SAF, and does not tell whether it is of e4e or of pSp; save it with \
                 opts[\"{ENCODER}\"] = \"{E4E}\" or \"{PSP}\""
            )));
        }
    };
    if options.get("start_from_latent_avg").and_then(Value::bool) == Some(false) {
        return Err(ImportError::Content(
            "opts: start_from_latent_avg = False: its codes do not count from latent_avg; only models whose codes do \
             can be used"
                .to_owned(),
        ));
    }
    if !HEADS.contains(&heads) || !heads.is_multiple_of(2) {
        return Err(ImportError::Content(format!(
            "state_dict: {heads} style heads; generators of 128 to 1024 px have 12, 14, 16 or 18"
        )));
    }
    let image_size = 1 << (heads / 2 + 1);
    // The car data set's pictures are wide, and stand in the middle rows of the square.
    let crop = (options.is_car() && heads == 16).then_some([384, 512]);
    Ok((kind, ModelConfig::uncompensated(image_size, crop, outputs)))
}
