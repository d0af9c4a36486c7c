//! What a model tells of itself, as JavaScript spells it.

use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::{
    editing::{
        fit::{FitRecord, Measure},
        paste_mode,
    },
    face::PasteMode,
    weights::{Depicts, Direction, Manifest},
};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(typescript_type = "ModelInfo")]
    pub type ModelInfoJs;
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ModelInfo<'a> {
    name: &'a str,
    title: &'a str,
    provenance: &'a str,
    licence: &'a str,
    model_card: Option<&'a str>,
    image_size: usize,
    output_width: usize,
    output_height: usize,
    input_size: usize,
    inject_size: usize,
    styles: usize,
    depicts: Depicts,
    paste_mode: PasteMode,
    directions: Vec<DirectionInfo<'a>>,
    shards: &'a [crate::weights::ShardEntry],
    samples: &'a [crate::weights::Sample],
    inverts: bool,
    draws: bool,
    compensates: bool,
    fit: Option<FitInfo>,
}

#[derive(Serialize)]
pub(super) struct DirectionInfo<'a> {
    name: &'a str,
    label: &'a str,
    group: &'a str,
    folded: bool,
    range: [f32; 2],
}

impl<'a> From<&'a Direction> for DirectionInfo<'a> {
    fn from(direction: &'a Direction) -> Self {
        Self {
            name: &direction.name,
            label: &direction.label,
            group: &direction.group,
            folded: direction.folded,
            range: direction.range,
        }
    }
}

pub(super) fn model_info(manifest: &Manifest) -> ModelInfo<'_> {
    let config = &manifest.config;
    let [output_height, output_width] = config.output_size();
    ModelInfo {
        name: &manifest.name,
        title: &manifest.title,
        provenance: &manifest.provenance,
        licence: &manifest.licence,
        model_card: manifest.model_card.as_deref(),
        image_size: config.image_size,
        output_width,
        output_height,
        input_size: config.picture_in(config.input_size())[1],
        inject_size: config.inject_size,
        styles: config.styles(),
        depicts: manifest.depicts(),
        paste_mode: paste_mode(manifest),
        directions: manifest.directions.iter().map(Into::into).collect(),
        shards: &manifest.shards,
        samples: &manifest.samples,
        inverts: config.inverts(),
        draws: config.draws(),
        compensates: config.compensates(),
        fit: FitInfo::of(manifest),
    }
}

/// What a model tells of its fit.
#[derive(Serialize)]
pub(super) struct FitInfo {
    pictures: usize,
    faces: usize,
    dropped: Vec<DroppedInfo>,
}

#[derive(Serialize)]
struct DroppedInfo {
    label: String,
    why: String,
    value: Option<f64>,
    other: Option<String>,
    reason: String,
}

impl FitInfo {
    /// Of a model in which sliders were looked for.
    pub fn of(manifest: &Manifest) -> Option<Self> {
        let FitRecord {
            pictures,
            faces,
            dropped,
        } = FitRecord::of(manifest)?;
        // What is no measure here has no other name.
        let label = |name: String| match Measure::named(&name) {
            Some(measure) => measure.names()[1].to_owned(),
            None => name,
        };
        let dropped = dropped.into_iter().map(|dropped| DroppedInfo {
            label: match dropped.label.is_empty() {
                true => label(dropped.measure),
                false => dropped.label,
            },
            why: dropped.why,
            value: dropped.value,
            other: dropped.other.map(label),
            reason: dropped.reason,
        });
        Some(Self {
            pictures,
            faces,
            dropped: dropped.collect(),
        })
    }
}
