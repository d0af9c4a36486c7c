//! Sizes of the four networks: one [`ModelConfig`] per model, with presets for the authors' releases.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Sizes of one SDIC model. Every network in this crate is built from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Side of the generator's square output in pixels, a power of two.
    pub image_size: usize,
    /// Rows and columns kept of the output, centred; `None` keeps the whole square. The encoder's input has as much
    /// picture, between bars.
    #[serde(default)]
    pub crop: Option<[usize; 2]>,
    /// Width of one style vector.
    pub style_dim: usize,
    /// Generator channels at 4, 8, 16, ... `image_size` pixels.
    pub channels: Vec<usize>,
    /// Layers of the mapping network that the weights carry; 0 when it is not shipped.
    #[serde(default)]
    pub mapping_layers: usize,
    /// Resolution of the generator feature that the compensation is injected into.
    pub inject_size: usize,
    /// e4e or pSp encoder; `None` for a generator alone, which takes no photo and shows what its mapping network draws.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<EncoderSizes>,
    /// Discrepancy information prediction network; `None` with `dicn` for an encoder and a generator that nothing
    /// compensates, as e4e and pSp are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dipn: Option<DipnSizes>,
    /// Discrepancy information compensation network; `None` with `dipn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dicn: Option<DicnSizes>,
    /// Feature editor, which draws the changes that directions bring; `None` adds them to the features as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub editor: Option<EditorSizes>,
}

/// Sizes of the encoder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderSizes {
    /// Side of the square input picture, shared by encoder, DIPN and DICN.
    pub input_size: usize,
    /// Bottleneck units in each of the four stages.
    pub units: [usize; 4],
    /// Channels of each stage; the last is also the width of the feature pyramid.
    pub widths: [usize; 4],
    /// Channels inside the style heads.
    pub head_width: usize,
    /// How the heads' outputs become codes.
    #[serde(default, skip_serializing_if = "Heads::is_usual")]
    pub heads: Heads,
}

/// How the outputs of an encoder's style heads become codes, besides the average that is added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Heads {
    /// The first is a code, the others say how theirs differ from it (e4e).
    #[default]
    Offsets,
    /// Each is a code by itself (pSp).
    Codes,
}

impl Heads {
    /// Left out where it is so, so that models without it stay as they were.
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl EncoderSizes {
    /// Those of the authors' models.
    fn released(heads: Heads) -> Self {
        Self {
            input_size: INPUT_SIZE,
            units: [3, 4, 14, 3],
            widths: [64, 128, 256, 512],
            head_width: 512,
            heads,
        }
    }
}

/// Sizes of the DIPN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DipnSizes {
    /// Channels of the five feature layers `fe1`..`fe5`.
    pub features: [usize; 5],
    /// Channels of one picture's descriptor; the volume is twice as deep.
    pub descriptor: usize,
    /// Channels of the volume after its stem; the hourglass has 2, 4 and 6 times as many.
    pub volume: usize,
}

/// Sizes of the DICN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DicnSizes {
    /// Channels after the first convolution.
    pub stem: usize,
    /// Channels between the two strided convolutions.
    pub middle: usize,
    /// Side of the map that the latent branch reads as rows of style vectors.
    pub latent_map: usize,
    /// Channels of that map; `None` is as many as styles. The released car model has 18 for its 16 styles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<usize>,
}

/// Sizes of the feature editor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EditorSizes {
    /// Channels inside.
    pub width: usize,
    /// Channels of the plans that directions bring.
    pub plan: usize,
    /// Cells of a plan, per side, for each cell of the features: more hold lines that the features' grid cannot.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub fold: usize,
    /// Channels in which plans, which are as fine as the picture then, are drawn into it, besides; 0 for not.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub detail: usize,
    /// Channels in which such plans are drawn under covers; 0 for models that draw nothing else there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub covering: usize,
}

fn one() -> usize {
    1
}

/// Left out where it is 1, so that models without it stay as they were.
fn is_one(value: &usize) -> bool {
    *value == 1
}

fn is_zero(value: &usize) -> bool {
    *value == 0
}

/// A configuration that no network can be built from.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A value is outside what the architecture allows.
    #[error("model config: {field} = {value}: {rule}")]
    Invalid {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// A preset name that is not known.
    #[error("model config: unknown preset \"{0}\"; known presets: face, cars")]
    UnknownPreset(String),
}

/// Channels of the authors' generators at 4, 8, ... 1024 pixels (channel multiplier 2).
const STYLEGAN2_CHANNELS: [usize; 9] = [512, 512, 512, 512, 512, 256, 128, 64, 32];

/// Side of what the authors' encoder sees.
const INPUT_SIZE: usize = 256;

impl ModelConfig {
    /// The authors' face model: 1024 px, 18 styles.
    pub fn face() -> Self {
        Self::released(1024, None, None)
    }

    /// The authors' car model: 512 px, 16 styles, of which the middle 384 rows are the picture.
    pub fn cars() -> Self {
        Self::released(512, Some([384, 512]), Some(18))
    }

    fn released(image_size: usize, crop: Option<[usize; 2]>, condition: Option<usize>) -> Self {
        Self {
            image_size,
            crop,
            style_dim: 512,
            channels: STYLEGAN2_CHANNELS[..image_size.ilog2() as usize - 1].to_vec(),
            mapping_layers: 0,
            inject_size: 64,
            encoder: Some(EncoderSizes::released(Heads::Offsets)),
            dipn: Some(DipnSizes {
                features: [16, 24, 32, 96, 160],
                descriptor: 24,
                volume: 8,
            }),
            dicn: Some(DicnSizes {
                stem: 32,
                middle: 64,
                latent_map: 64,
                condition,
            }),
            editor: None,
        }
    }

    /// An encoder of the authors' sizes and a generator of `image_size` pixels, which nothing compensates.
    pub fn uncompensated(image_size: usize, crop: Option<[usize; 2]>, heads: Heads) -> Self {
        Self {
            encoder: Some(EncoderSizes::released(heads)),
            dipn: None,
            dicn: None,
            ..Self::released(image_size, crop, None)
        }
    }

    /// A generator alone, with these channels at 4, 8, ... pixels and so many layers of its mapping network.
    pub fn generator(channels: Vec<usize>, style_dim: usize, mapping_layers: usize) -> Self {
        let image_size = 4 << (channels.len().max(1) - 1);
        Self {
            image_size,
            crop: None,
            style_dim,
            channels,
            mapping_layers,
            inject_size: 64.min(image_size / 2),
            encoder: None,
            dipn: None,
            dicn: None,
            editor: None,
        }
    }

    /// Whether a photo can be turned into codes.
    pub fn inverts(&self) -> bool {
        self.encoder.is_some()
    }

    /// Whether faces can be drawn from random vectors.
    pub fn draws(&self) -> bool {
        self.mapping_layers > 0
    }

    /// Side of the square picture that encoder, DIPN and DICN see; of a generator alone, of one that shows as much.
    pub fn input_size(&self) -> usize {
        let seen = || self.image_size.min(INPUT_SIZE);
        self.encoder
            .as_ref()
            .map_or_else(seen, |encoder| encoder.input_size)
    }

    /// Whether what the first reconstruction lost is predicted and put back.
    pub fn compensates(&self) -> bool {
        self.dipn.is_some() && self.dicn.is_some()
    }

    /// Looks a preset up by the name that manifests use.
    ///
    /// # Errors
    /// [`ConfigError::UnknownPreset`] lists the known names.
    pub fn preset(name: &str) -> Result<Self, ConfigError> {
        match name {
            "face" => Ok(Self::face()),
            "cars" => Ok(Self::cars()),
            other => Err(ConfigError::UnknownPreset(other.to_owned())),
        }
    }

    /// Number of style vectors in W+: two per resolution, two fewer for the constant input.
    pub fn styles(&self) -> usize {
        2 * self.image_size.ilog2() as usize - 2
    }

    /// Number of resolutions above 4x4, each with an upsampling and a plain convolution.
    pub fn blocks(&self) -> usize {
        self.image_size.ilog2() as usize - 2
    }

    /// Channels of the generator at `resolution` pixels.
    pub fn channels_at(&self, resolution: usize) -> usize {
        self.channels[resolution.ilog2() as usize - 2]
    }

    /// Style channels of every modulated layer of the generator, which are its inputs: of the convolution and the RGB
    /// layer at 4x4, then of both convolutions and the RGB layer of every resolution above. This is the order in which
    /// single channels are published (StyleSpace; Wu, Lischinski and Shechtman, CVPR 2021): 26 layers and 9088 channels
    /// in all for the face model.
    pub fn style_channels(&self) -> Vec<usize> {
        let first = self.channels[0];
        let blocks = self.channels.windows(2);
        let above = blocks.flat_map(|pair| [pair[0], pair[1], pair[1]]);
        [first, first].into_iter().chain(above).collect()
    }

    /// Index of the block whose upsampling convolution (`convs.{2 * index}`) is compensated: 3 for 64 px.
    pub fn inject_block(&self) -> usize {
        self.inject_size.ilog2() as usize - 3
    }

    /// Shape of what a direction brings to the injection layer, `[channels, side, side]`: a plan for the feature
    /// editor, whose side is `fold` times `inject_size`, or features.
    pub fn change_shape(&self) -> [usize; 3] {
        let (channels, side) = match &self.editor {
            Some(editor) => (editor.plan, editor.fold * self.inject_size),
            None => (self.channels_at(self.inject_size), self.inject_size),
        };
        [channels, side, side]
    }

    /// Height and width of the finished picture.
    pub fn output_size(&self) -> [usize; 2] {
        self.crop.unwrap_or([self.image_size; 2])
    }

    /// Whether a picture of these sides, width and height, has the shape of the finished one: to within a pixel, for
    /// sides are whole ones.
    pub fn is_shape_of(&self, [width, height]: [usize; 2]) -> bool {
        let [high, wide] = self.output_size();
        (width * high).abs_diff(height * wide) <= high.max(wide)
    }

    /// Rows and columns that are picture of a square of `side` pixels, in the middle of it: of what the generator has
    /// made so far, and of what the encoder sees. The rest is black.
    pub fn picture_in(&self, side: usize) -> [usize; 2] {
        self.output_size()
            .map(|kept| (kept * side / self.image_size).max(1))
    }

    /// Channels of the map that the DICN's latent branch reads.
    pub fn condition_channels(&self, dicn: &DicnSizes) -> usize {
        dicn.condition.unwrap_or_else(|| self.styles())
    }

    /// Rows of `style_dim` values that the DICN's latent branch reads its map as: 144 for the face model.
    pub fn latent_rows(&self, dicn: &DicnSizes) -> usize {
        self.condition_channels(dicn) * dicn.latent_map.pow(2) / self.style_dim
    }

    /// Checks every rule that the networks rely on.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] names the first field that breaks one.
    pub fn validate(&self) -> Result<(), ConfigError> {
        fn check(
            ok: bool,
            field: &'static str,
            value: impl std::fmt::Debug,
            rule: &'static str,
        ) -> Result<(), ConfigError> {
            if ok {
                return Ok(());
            }
            Err(ConfigError::Invalid {
                field,
                value: format!("{value:?}"),
                rule,
            })
        }
        let size = self.image_size;
        check(
            size.is_power_of_two() && (16..=2048).contains(&size),
            "image_size",
            size,
            "must be a power of two from 16 to 2048",
        )?;
        check(
            self.channels.len() == self.blocks() + 1,
            "channels",
            &self.channels,
            "needs one entry per resolution from 4 to image_size",
        )?;
        let widths = self
            .channels
            .iter()
            .chain([&self.style_dim])
            .chain(self.encoder.iter().flat_map(|encoder| &encoder.widths))
            .chain(self.encoder.iter().map(|encoder| &encoder.head_width))
            .chain(self.dipn.iter().flat_map(|dipn| &dipn.features))
            .chain(self.dipn.iter().map(|dipn| &dipn.volume))
            .chain(self.dicn.iter().flat_map(|d| [&d.stem, &d.middle]));
        for &width in widths {
            check(
                (1..=4096).contains(&width),
                "channel width",
                width,
                "must be from 1 to 4096",
            )?;
        }
        check(
            self.crop
                .is_none_or(|crop| crop.iter().all(|&side| (1..=size).contains(&side))),
            "crop",
            self.crop,
            "must fit inside image_size",
        )?;
        check(
            self.mapping_layers <= 16,
            "mapping_layers",
            self.mapping_layers,
            "must be at most 16",
        )?;
        let inject = self.inject_size;
        check(
            inject.is_power_of_two() && (8..size).contains(&inject),
            "inject_size",
            inject,
            "must be a power of two from 8 to below image_size",
        )?;
        if let Some(encoder) = &self.encoder {
            let input = encoder.input_size;
            check(
                input.is_power_of_two() && (32..=1024).contains(&input),
                "encoder.input_size",
                input,
                "must be a power of two from 32 to 1024",
            )?;
            check(
                encoder.units.iter().all(|units| (1..=64).contains(units)),
                "encoder.units",
                encoder.units,
                "must be from 1 to 64 in each stage",
            )?;
            check(
                [1, 2, 4].iter().any(|ratio| input == inject * ratio),
                "inject_size",
                inject,
                "must be encoder.input_size, its half or its quarter",
            )?;
        }
        check(
            self.inverts() || self.draws(),
            "mapping_layers",
            self.mapping_layers,
            "must be above 0 without an encoder: nothing else makes codes then",
        )?;
        check(
            self.inverts() || !self.compensates(),
            "encoder",
            &self.encoder,
            "must be there if dipn and dicn are",
        )?;
        check(
            self.dipn.is_some() == self.dicn.is_some(),
            "dicn",
            &self.dicn,
            "must be there if dipn is, and only then",
        )?;
        if let Some(dipn) = &self.dipn {
            check(
                dipn.features[4] >= 2,
                "dipn.features",
                dipn.features,
                "must end in at least 2: half of the last is the width of a layer",
            )?;
            check(
                (4..=128).contains(&dipn.descriptor) && dipn.descriptor.is_multiple_of(4),
                "dipn.descriptor",
                dipn.descriptor,
                "must be a multiple of 4 up to 128",
            )?;
        }
        if let Some(dicn) = &self.dicn {
            let condition = self.condition_channels(dicn);
            check(
                (1..=1024).contains(&condition),
                "dicn.condition",
                condition,
                "must be from 1 to 1024",
            )?;
            let map = dicn.latent_map;
            check(
                (1..=1024).contains(&map)
                    && (condition * map * map).is_multiple_of(self.style_dim)
                    && self.latent_rows(dicn) >= 2,
                "dicn.latent_map",
                map,
                "condition channels * latent_map^2 must be a multiple of style_dim, at least twice it",
            )?;
        }
        let editor = self.editor.iter();
        let widths = editor.flat_map(|e| [("editor.width", e.width), ("editor.plan", e.plan)]);
        for (field, width) in widths {
            check(
                (1..=4096).contains(&width),
                field,
                width,
                "must be from 1 to 4096",
            )?;
        }
        if let Some(&EditorSizes {
            plan,
            fold,
            detail,
            covering,
            ..
        }) = self.editor.as_ref()
        {
            check(
                fold.is_power_of_two() && fold <= size / inject,
                "editor.fold",
                fold,
                "must be a power of two, and fold * inject_size at most image_size",
            )?;
            check(
                plan * fold.pow(2) <= 4096,
                "editor.fold",
                fold,
                "must make at most 4096 channels of a plan, fold^2 of each",
            )?;
            for (field, channels) in [("editor.detail", detail), ("editor.covering", covering)] {
                check(
                    channels == 0 || (channels <= 256 && fold * inject == size),
                    field,
                    channels,
                    "must be at most 256, and 0 unless fold * inject_size is image_size",
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_have_the_released_sizes() {
        let face = ModelConfig::face();
        assert_eq!(face.validate(), Ok(()));
        assert_eq!((face.styles(), face.blocks()), (18, 8));
        let layers = face.style_channels();
        assert_eq!((layers.len(), layers.iter().sum()), (26, 9088));
        assert_eq!(
            [9, 11, 14, 15, 23, 24, 25].map(|layer| layers[layer]),
            [512, 512, 512, 256, 64, 32, 32]
        );
        let rows = |config: &ModelConfig| config.dicn.as_ref().map(|dicn| config.latent_rows(dicn));
        assert_eq!(rows(&face), Some(144));
        assert_eq!(face.channels_at(64), 512);
        assert_eq!(face.channels_at(1024), 32);
        let cars = ModelConfig::cars();
        assert_eq!(cars.validate(), Ok(()));
        assert_eq!((cars.styles(), rows(&cars)), (16, Some(144)));
        assert_eq!(cars.output_size(), [384, 512]);
        assert_eq!(cars.picture_in(256), [192, 256]);
    }

    fn dipn(config: &mut ModelConfig) -> &mut DipnSizes {
        config.dipn.as_mut().unwrap()
    }

    fn dicn(config: &mut ModelConfig) -> &mut DicnSizes {
        config.dicn.as_mut().unwrap()
    }

    #[test]
    fn broken_rules_are_named() {
        let broken = |change: fn(&mut ModelConfig)| {
            let mut config = ModelConfig::face();
            change(&mut config);
            config.validate().expect_err("must be refused").to_string()
        };
        assert!(broken(|c| c.image_size = 1000).contains("image_size = 1000"));
        assert!(broken(|c| c.inject_size = 16).contains("inject_size = 16"));
        assert!(broken(|c| dipn(c).descriptor = 6).contains("dipn.descriptor = 6"));
        assert!(broken(|c| dipn(c).features[4] = 1).contains("dipn.features = ["));
        assert!(broken(|c| dicn(c).latent_map = 5).contains("dicn.latent_map = 5"));
        assert!(broken(|c| c.dicn = None).contains("dicn = None: must be there if dipn is"));
        assert!(broken(|c| c.dipn = None).contains("must be there if dipn is, and only then"));
        assert!(broken(|c| c.encoder = None).contains("mapping_layers = 0: must be above 0"));
        let lonely = broken(|c| (c.encoder, c.mapping_layers) = (None, 8));
        assert!(lonely.contains("encoder = None: must be there if dipn and dicn are"));
        assert!(broken(|c| c.crop = Some([2000, 10])).contains("crop"));
        assert!(broken(|c| c.channels.truncate(3)).contains("channels"));
        let sizes = |width, plan, fold| EditorSizes {
            width,
            plan,
            fold,
            detail: 0,
            covering: 0,
        };
        let (detail, covering) = (4, 257);
        for (editor, part) in [
            (sizes(0, 3, 1), "editor.width = 0"),
            (sizes(8, 0, 1), "editor.plan = 0"),
            (sizes(8, 3, 0), "editor.fold = 0: must be a power of two"),
            (sizes(8, 3, 3), "editor.fold = 3: must be a power of two"),
            (sizes(8, 3, 32), "editor.fold = 32: must be a power of two"),
            (sizes(8, 17, 16), "editor.fold = 16: must make at most 4096"),
            (
                EditorSizes {
                    detail,
                    ..sizes(8, 3, 8)
                },
                "editor.detail = 4: must be at most 256, and 0",
            ),
            (
                EditorSizes {
                    covering,
                    ..sizes(8, 3, 16)
                },
                "editor.covering = 257: must be at most 256",
            ),
        ] {
            let mut config = ModelConfig::face();
            config.editor = Some(editor);
            let error = config.validate().expect_err(part).to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(ModelConfig::preset("dogs").is_err());
    }

    #[test]
    fn what_a_model_lacks_is_left_out_of_its_manifest() {
        let plain = ModelConfig::uncompensated(256, None, Heads::Codes);
        assert_eq!(plain.validate(), Ok(()));
        assert!(!plain.compensates());
        let json = serde_json::to_string(&plain).unwrap();
        assert!(!json.contains("dipn") && !json.contains("dicn"), "{json}");
        assert!(json.contains(r#""heads":"codes""#), "{json}");
        assert_eq!(serde_json::from_str::<ModelConfig>(&json).unwrap(), plain);
        let face = serde_json::to_string(&ModelConfig::face()).unwrap();
        assert!(!face.contains("heads"), "{face}");
        let generator = ModelConfig::generator(vec![512, 512, 512, 256], 512, 8);
        assert_eq!(generator.validate(), Ok(()));
        assert_eq!((generator.image_size, generator.inject_size), (32, 16));
        let json = serde_json::to_string(&generator).unwrap();
        assert!(!json.contains("encoder"), "{json}");
        assert_eq!(
            serde_json::from_str::<ModelConfig>(&json).unwrap(),
            generator
        );
    }

    #[test]
    fn plans_are_as_fine_as_the_features_unless_a_manifest_says_otherwise() {
        let mut config = ModelConfig::face();
        assert_eq!(config.change_shape(), [512, 64, 64]);
        for (json, fold, side) in [
            (r#"{"width":8,"plan":3}"#, 1, 64),
            (r#"{"width":8,"plan":3,"fold":16}"#, 16, 1024),
            (
                r#"{"width":8,"plan":3,"fold":16,"detail":4,"covering":2}"#,
                16,
                1024,
            ),
        ] {
            let sizes: EditorSizes = serde_json::from_str(json).unwrap();
            assert_eq!(sizes.fold, fold);
            assert_eq!(serde_json::to_string(&sizes).unwrap(), json);
            config.editor = Some(sizes);
            assert_eq!(config.validate(), Ok(()));
            assert_eq!(config.change_shape(), [3, side, side]);
        }
    }
}
