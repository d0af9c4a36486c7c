//! What a fit has found, as part of a model.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    channels::{ChannelSliders, REFUSAL, judge},
    error::FitError,
    measures::Measure,
    run::{Dropped, Fit, FitPlan, Followed, FoundSlider, Probe},
};
use crate::{
    editing::{Directions, check_manifest},
    face::Landmarks,
    import::{DirectionFile, ImportError, Naming},
    weights::{
        Depicts, Direction, DirectionKind, Dtype, FIT_RECORD, FIT_TENSORS, Manifest, ShardPacker,
        Tensor, WeightsFile,
    },
};

/// Name of the basis of principal components.
const BASIS: &str = "ganspace";
/// Effect, in standard deviations of a measure at the end of a slider, from which it settles the slider's sign.
const TELLING: f64 = 0.3;

/// Published edits on principal components whose sign a measure settles.
const SIGNED: [(&str, Measure); 2] = [("eyes", Measure::EyeOpening), ("lip", Measure::LipColour)];

/// A model to which sliders are to be added.
#[derive(Clone, Debug)]
pub struct Installation {
    manifest: Manifest,
    /// Tensors and sliders of the principal components, and of published channels.
    tensors: Vec<Tensor>,
    directions: Vec<Direction>,
}

impl Installation {
    /// Into the model of `manifest`, with the principal components of its styles and the published ones of its style
    /// channels, if they are known.
    ///
    /// # Errors
    /// [`FitError::Fitted`] for a model that has found sliders; [`FitError::NotOfFaces`] for one of other things whose
    /// components cannot be computed; components of another model.
    pub fn new(
        manifest: &Manifest,
        components: Option<DirectionFile>,
        channels: Option<ChannelSliders>,
    ) -> Result<Self, FitError> {
        if manifest.depicts() != Depicts::Faces && manifest.config.mapping_layers == 0 {
            return Err(FitError::NotOfFaces);
        }
        if manifest.extra.contains_key(FIT_RECORD) {
            return Err(FitError::Fitted);
        }
        let is_basis = |direction: &Direction| match &direction.kind {
            DirectionKind::Ganspace { basis, .. } => basis == BASIS,
            DirectionKind::Linear { .. } | DirectionKind::StyleSpace { .. } => false,
        };
        let known = manifest.directions.iter().any(is_basis);
        let found = components.filter(|_| !known);
        let (tensors, mut directions) = found
            .map(|file| file.into_directions(&manifest.config, &Naming::new(BASIS)))
            .transpose()?
            .unwrap_or_default();
        let taken = |name: &str| manifest.directions.iter().any(|old| old.name == name);
        directions.retain(|direction| !taken(&direction.name));
        let mut tensors = match directions.is_empty() {
            true => Vec::new(),
            false => tensors,
        };
        if let Some(mut sliders) = channels {
            sliders.retain(|direction| !taken(&direction.name));
            tensors.extend(sliders.tensors);
            directions.extend(sliders.directions);
        }
        Ok(Self {
            manifest: manifest.clone(),
            tensors,
            directions,
        })
    }

    /// What a fit is to do for this model: `known` are the directions that it has.
    ///
    /// # Errors
    /// A component whose tensor is missing.
    pub fn plan(
        &self,
        known: &Directions,
        samples: usize,
        shared: bool,
    ) -> Result<FitPlan, FitError> {
        let mut all = known.clone();
        let tensors: HashMap<_, _> = (self.tensors.iter())
            .map(|tensor| (tensor.name.clone(), tensor.clone()))
            .collect();
        for direction in &self.directions {
            (all.insert(direction, &tensors))
                .map_err(|error| ImportError::Content(error.to_string()))?;
        }
        let config = &self.manifest.config;
        let still = |direction: &&Direction| {
            direction.displacements.is_none() && direction.change.is_none()
        };
        let directions = self.manifest.directions.iter().chain(&self.directions);
        let probe = |direction: &Direction| {
            let [low, high] = direction.range;
            Some(Probe {
                name: direction.name.clone(),
                offset: all.offset(&direction.name)?,
                strength: high.max(-low) / 2.0,
            })
        };
        Ok(FitPlan {
            samples,
            styles: config.styles(),
            style_dim: config.style_dim,
            shared,
            probes: directions.filter(still).filter_map(probe).collect(),
        })
    }

    /// The new shards and the new manifest, which the caller writes in this order. Without a fit, what the components
    /// bring is kept as it is: no measure tells which end is which.
    ///
    /// # Errors
    /// Tensors that cannot be stored.
    pub fn finish(
        mut self,
        fit: Option<&Fit>,
        seed: u64,
    ) -> Result<(Vec<WeightsFile>, Manifest), FitError> {
        let record = match fit {
            Some(fit) => {
                let refused = self.take(fit);
                record(fit, &refused, seed)
            }
            None => json!({"seed": seed, "pictures": 0, "faces": 0, "sliders": [], "dropped": []}),
        };
        let Self {
            mut manifest,
            tensors,
            directions,
        } = self;
        let mut packer = ShardPacker::extending("fit", manifest.shards.len());
        let mut files = Vec::new();
        for tensor in &tensors {
            files.extend(packer.push(tensor, Dtype::F32).map_err(ImportError::from)?);
        }
        let packed = packer.finish().map_err(ImportError::from)?;
        files.extend(packed.last_shard);
        manifest.tensors.extend(packed.tensors);
        manifest.shards.extend(packed.shards);
        // What has a name comes before what is only numbered.
        let (folded, named): (Vec<_>, Vec<_>) = directions
            .into_iter()
            .partition(|direction| direction.folded);
        let place = manifest
            .directions
            .iter()
            .position(|direction| direction.folded);
        let place = place.unwrap_or(manifest.directions.len());
        manifest.directions.splice(place..place, named);
        manifest.directions.extend(folded);
        manifest.extra.insert(FIT_RECORD.to_owned(), record);
        check_manifest(&manifest).map_err(ImportError::from)?;
        Ok((files, manifest))
    }

    /// Takes the sliders of a fit, and what it has seen of all others. Returns those that it refuses.
    fn take(&mut self, fit: &Fit) -> Vec<Direction> {
        let verdict = judge(&fit.followed);
        let refused = self.refuse(&verdict.refused);
        for followed in &fit.followed {
            self.settle(followed, verdict.turned.contains(&followed.name));
        }
        if self.manifest.face_shape.is_none() {
            let tensor = landmarks("face", &fit.face_shape);
            self.manifest.face_shape = Some(tensor.name.clone());
            self.tensors.push(tensor);
        }
        for slider in &fit.sliders {
            self.add(slider);
        }
        refused
    }

    /// Leaves out the sliders of these names, which are of published channels. Returns them.
    fn refuse(&mut self, names: &[String]) -> Vec<Direction> {
        let is_refused = |direction: &mut Direction| names.contains(&direction.name);
        let refused: Vec<_> = self.directions.extract_if(.., is_refused).collect();
        let of_refused = |name: &str| {
            refused.iter().any(|direction| {
                matches!(&direction.kind, DirectionKind::StyleSpace { tensor } if tensor == name)
            })
        };
        self.tensors.retain(|tensor| !of_refused(&tensor.name));
        refused
    }

    /// Gives a direction its motion; turns a published edit the way its name says.
    fn settle(&mut self, followed: &Followed, turned: bool) {
        let own = self
            .directions
            .iter_mut()
            .chain(&mut self.manifest.directions);
        let Some(direction) = own.into_iter().find(|own| own.name == followed.name) else {
            return;
        };
        let measure = SIGNED.iter().find(|(name, _)| *name == direction.name);
        let mut sign = 1.0;
        if let (Some((_, measure)), DirectionKind::Ganspace { basis, component }) =
            (measure, &direction.kind)
        {
            let effect = followed.effects[*measure as usize] * f64::from(direction.range[1]);
            let name = format!("{basis}.comp");
            let comp = self.tensors.iter_mut().find(|tensor| tensor.name == name);
            if let Some(comp) = comp.filter(|_| effect < -TELLING) {
                let width = comp.values.len() / comp.shape[0];
                let axis = &mut comp.values[component * width..][..width];
                axis.iter_mut().for_each(|value| *value = -*value);
                sign = -1.0;
            }
        }
        if let (DirectionKind::StyleSpace { tensor }, true) = (&direction.kind, turned) {
            let mut own = self.tensors.iter_mut();
            if let Some(shifts) = own.find(|own| own.name == *tensor) {
                (shifts.values.iter_mut()).for_each(|value| *value = -*value);
                sign = -1.0;
            }
        }
        if let Some(shifts) = &followed.displacements {
            let shifts = shifts.map(|shift| shift.map(|value| sign * value));
            let tensor = landmarks(&format!("motion.{}", direction.name), &shifts);
            direction.displacements = Some(tensor.name.clone());
            self.tensors.push(tensor);
        }
    }

    fn add(&mut self, slider: &FoundSlider) {
        let [name, label, group] = slider.measure.names();
        let mut known = self.manifest.directions.iter().chain(&self.directions);
        let name = match known.any(|known| known.name == name) {
            true => format!("found-{name}"),
            false => name.to_owned(),
        };
        let width = self.manifest.config.style_dim;
        let offset = Tensor {
            name: format!("{FIT_TENSORS}{name}"),
            shape: vec![slider.rows.len() / width, width],
            values: slider.rows.clone(),
        };
        let motion = landmarks(&format!("{name}.motion"), &slider.displacements);
        // Rounded, so that people can read it.
        let reach = (10.0 * slider.reach).floor() / 10.0;
        self.directions.push(Direction {
            name,
            label: label.to_owned(),
            group: group.to_owned(),
            folded: false,
            kind: DirectionKind::Linear {
                tensor: offset.name.clone(),
            },
            displacements: Some(motion.name.clone()),
            change: None,
            turned: None,
            shown: None,
            cover: None,
            range: [-reach, reach],
            styles: [slider.styles.start, slider.styles.end],
        });
        self.tensors.extend([offset, motion]);
    }
}

fn landmarks(name: &str, landmarks: &Landmarks) -> Tensor {
    Tensor {
        name: format!("{FIT_TENSORS}{name}"),
        shape: vec![landmarks.len(), 2],
        values: landmarks.as_flattened().to_vec(),
    }
}

/// What the manifest tells of a fit, and of the published channels that were refused.
fn record(fit: &Fit, refused: &[Direction], seed: u64) -> Value {
    let name = |measure: Measure| measure.names()[0];
    let slider = |slider: &FoundSlider| {
        let (spill, share) = slider.spill;
        json!({
            "measure": name(slider.measure), "deviation": slider.deviation,
            "spill": {"measure": name(spill), "share": share},
        })
    };
    let dropped = fit.dropped.iter().map(|(measure, reason)| {
        let (why, value, other) = match *reason {
            Dropped::Constant => ("constant", None, None),
            Dropped::Weak(effect) => ("weak", Some(effect), None),
            Dropped::Unsteady(share) => ("unsteady", Some(share), None),
            Dropped::Spills(other, share) => ("spills", Some(share), Some(name(other))),
            Dropped::LosesFaces(share) => ("loses-faces", Some(share), None),
        };
        json!({
            "measure": name(*measure), "reason": reason.to_string(),
            "why": why, "value": value.filter(|value| value.is_finite()), "other": other,
        })
    });
    let refused = refused.iter().map(|direction| {
        json!({
            "measure": direction.name, "label": direction.label, "reason": REFUSAL, "why": "other-meaning",
            "value": null, "other": null,
        })
    });
    let dropped = dropped.chain(refused);
    json!({
        "seed": seed,
        "pictures": fit.drawn[0],
        "faces": fit.drawn[1],
        "sliders": fit.sliders.iter().map(slider).collect::<Vec<_>>(),
        "dropped": dropped.collect::<Vec<_>>(),
    })
}

/// What a manifest tells of the fit that has added sliders, for people.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct FitRecord {
    /// Pictures drawn.
    pub pictures: usize,
    /// Pictures of them that show a face.
    pub faces: usize,
    /// What got no slider.
    pub dropped: Vec<DroppedRecord>,
}

/// A measure without a slider, or a published channel that got none.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DroppedRecord {
    /// Its name, or that of the slider of a published channel.
    pub measure: String,
    /// The slider's label; empty for a measure.
    pub label: String,
    /// Why, in words.
    pub reason: String,
    /// Why, for programs; empty in models of programs that did not tell.
    pub why: String,
    /// Effect or share, where there is one.
    pub value: Option<f64>,
    /// Name of the other measure that it moves.
    pub other: Option<String>,
}

impl FitRecord {
    /// That of a manifest, if it has one.
    pub fn of(manifest: &Manifest) -> Option<Self> {
        let record = manifest.extra.get(FIT_RECORD)?;
        Some(Self::deserialize(record).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::ModelConfig,
        editing::fit::{Dropped, MEASURES},
        editing::{Engine, EngineLoader},
        networks::device,
        testing::models::{tiny_model, tiny_with_directions},
    };

    const SHIFTS: Landmarks = [[0.01, -0.02]; 68];

    fn fit(followed: Vec<Followed>) -> Fit {
        let slider = |measure, styles, rows: &[f32]| FoundSlider {
            measure,
            styles,
            rows: rows.to_vec(),
            displacements: SHIFTS,
            reach: 2.57,
            deviation: 0.3,
            spill: (Measure::Yaw, 0.1),
        };
        Fit {
            sliders: vec![
                slider(Measure::Smile, 2..4, &[1.0, 2.0, 3.0, 4.0]),
                slider(Measure::Yaw, 0..6, &[0.5; 24]),
            ],
            dropped: vec![(Measure::Roll, Dropped::Weak(0.1))],
            face_shape: [[0.4, 0.6]; 68],
            followed,
            drawn: [100, 99],
        }
    }

    fn followed(name: &str, effects: [f64; MEASURES]) -> Followed {
        Followed {
            name: name.to_owned(),
            displacements: Some(SHIFTS),
            effects,
        }
    }

    #[test]
    fn found_sliders_become_part_of_a_model() {
        let (plain, mut shards) = tiny_model(Dtype::F32);
        let old = shards.len();
        let installation = Installation::new(&plain, None, None).unwrap();
        let (files, manifest) = installation.finish(Some(&fit(Vec::new())), 7).unwrap();
        let manifest = Manifest::parse(&manifest.to_json().unwrap()).unwrap();
        shards.extend(files);
        let mut loader = EngineLoader::with_manifest(manifest.clone(), &device::cpu()).unwrap();
        for (index, shard) in shards.iter().enumerate() {
            loader = loader.push_shard(index, &shard.bytes).unwrap();
        }
        let loaded = loader.finish().unwrap();
        // The same model without them, which takes them while it is loaded.
        let mut loader = EngineLoader::with_manifest(plain, &device::cpu()).unwrap();
        for (index, shard) in shards[..old].iter().enumerate() {
            loader = loader.push_shard(index, &shard.bytes).unwrap();
        }
        let mut extended = loader.finish().unwrap();
        let new = shards[old..].iter().map(|shard| &shard.bytes[..]);
        extended.extend(manifest.clone(), new).unwrap();
        for engine in [loaded, extended] {
            assert_eq!(engine.manifest(), &manifest);
            let directions = engine.directions();
            // What was found is a mean; each face has its own.
            let [low, _] = manifest.directions.last().unwrap().range;
            assert_eq!(directions.look_at("smile", -0.1), Some(low));
            let edited = directions
                .edited_codes(&[0.0; 24], &[("smile", 2.0)])
                .unwrap()
                .rows;
            let row = [2.0, 4.0, 6.0, 8.0];
            assert_eq!(edited, [vec![0.0; 8], row.repeat(2), vec![0.0; 8]].concat());
            let shifts = directions.displacements(&[("yaw", 2.0)]).unwrap().unwrap();
            assert_eq!(shifts, SHIFTS.map(|shift| shift.map(|value| 2.0 * value)));
            assert_eq!(directions.face_shape(), Some(&[[0.4, 0.6]; 68]));
        }
        assert_eq!(manifest.directions[0].range, [-2.5, 2.5]);
        let record = &manifest.extra[FIT_RECORD];
        assert_eq!(
            (record["seed"].as_u64(), record["faces"].as_u64()),
            (Some(7), Some(99))
        );
        assert!(
            record["dropped"][0]["reason"]
                .as_str()
                .unwrap()
                .contains("hardly move it")
        );
        let told = FitRecord::of(&manifest).unwrap();
        let [dropped] = &told.dropped[..] else {
            panic!("one measure")
        };
        assert_eq!((told.pictures, told.faces), (100, 99));
        assert_eq!(
            (dropped.measure.as_str(), dropped.why.as_str()),
            ("roll", "weak")
        );
        assert_eq!((dropped.value, &dropped.other), (Some(0.1), &None));
        let again = Installation::new(&manifest, None, None).unwrap_err();
        assert!(matches!(again, FitError::Fitted));
    }

    #[test]
    fn what_a_model_has_keeps_its_name_and_gains_a_motion() {
        let (manifest, _) = tiny_with_directions();
        let engine = Directions::default();
        let installation = Installation::new(&manifest, None, None).unwrap();
        // Only the beard changes the codes alone.
        let plan = installation.plan(&engine, 5, true).unwrap();
        assert_eq!(
            (plan.samples, plan.styles, plan.style_dim, plan.shared),
            (5, 6, 4, true)
        );
        let beard = vec![followed("beard", [0.0; MEASURES])];
        let (files, changed) = installation.finish(Some(&fit(beard)), 1).unwrap();
        assert_eq!(files.len(), 1);
        let names: Vec<_> = changed.directions.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, ["smile", "beard", "found-smile", "yaw"]);
        assert_eq!(changed.directions[0], manifest.directions[0]);
        let motion = changed.directions[1].displacements.as_deref();
        assert_eq!(motion, Some("fit.motion.beard"));
        assert_eq!(changed.face_shape, manifest.face_shape);
    }

    #[test]
    fn published_channels_are_judged_by_what_they_move() {
        let (mut manifest, _) = tiny_model(Dtype::F32);
        manifest.config = ModelConfig::face();
        let channels: usize = manifest.config.style_channels().iter().sum();
        let slider = |name: &str| Direction {
            name: format!("stylespace-{name}"),
            label: "Channel".to_owned(),
            group: "StyleSpace".to_owned(),
            folded: true,
            kind: DirectionKind::StyleSpace {
                tensor: format!("stylespace.{name}"),
            },
            displacements: None,
            change: None,
            turned: None,
            shown: None,
            cover: None,
            range: [-10.0, 10.0],
            styles: [0, 18],
        };
        let names = ["smile", "lips", "gaze"];
        let tensor = |name: &str| Tensor {
            name: format!("stylespace.{name}"),
            shape: vec![channels],
            values: vec![1.0; channels],
        };
        let sliders = ChannelSliders {
            tensors: names.map(tensor).to_vec(),
            directions: names.map(slider).to_vec(),
        };
        let mut installation = Installation::new(&manifest, None, Some(sliders)).unwrap();
        let none = Directions::new(&manifest, &HashMap::new()).unwrap();
        let probes = installation.plan(&none, 9, true).unwrap().probes;
        assert_eq!(probes.len(), 3);
        assert!(probes[0].offset.rows.is_empty() && probes[0].strength == 5.0);
        let codes = probes[0].offset.added(&[0.5; 18 * 512], 2.0, 512);
        assert_eq!(
            (codes.rows, codes.channel_offsets),
            (vec![0.5; 18 * 512], Some(vec![2.0; channels]))
        );

        let effect = |measure: Measure, value: f64| {
            let mut effects = [0.0; MEASURES];
            effects[measure as usize] = value;
            effects
        };
        let seen = [
            followed("stylespace-smile", effect(Measure::Smile, -0.2)),
            followed("stylespace-lips", effect(Measure::Yaw, 0.2)),
            followed("stylespace-gaze", [0.0; MEASURES]),
        ];
        let verdict = judge(&seen);
        let refused = installation.refuse(&verdict.refused);
        assert_eq!(
            refused
                .iter()
                .map(|own| own.name.as_str())
                .collect::<Vec<_>>(),
            ["stylespace-lips"]
        );
        for followed in &seen {
            installation.settle(followed, verdict.turned.contains(&followed.name));
        }
        let found: Vec<_> = (installation.tensors.iter())
            .map(|tensor| (tensor.name.as_str(), tensor.values[0]))
            .collect();
        let expected = [
            ("stylespace.smile", -1.0),
            ("stylespace.gaze", 1.0),
            ("fit.motion.stylespace-smile", -0.01),
            ("fit.motion.stylespace-gaze", 0.01),
        ];
        assert_eq!(found, expected);
        let record = record(&fit(Vec::new()), &refused, 7);
        let told: FitRecord = serde_json::from_value(record).unwrap();
        let last = told.dropped.last().unwrap();
        assert_eq!(
            (last.label.as_str(), last.why.as_str()),
            ("Channel", "other-meaning")
        );
    }

    #[test]
    fn what_was_seen_to_move_nothing_is_not_looked_at_again() {
        let (manifest, last) = tiny_with_directions();
        let (_, mut shards) = tiny_model(Dtype::F32);
        shards.push(last);
        let load = |manifest: &Manifest, more: &[WeightsFile]| {
            let mut loader = EngineLoader::with_manifest(manifest.clone(), &device::cpu()).unwrap();
            for (index, shard) in shards.iter().chain(more).enumerate() {
                loader = loader.push_shard(index, &shard.bytes).unwrap();
            }
            loader.finish().unwrap()
        };
        // Only the beard changes the codes alone.
        let mut before = load(&manifest, &[]);
        let looked_at =
            |engine: &Engine, name: &str| engine.directions().look_at(name, 1.0).is_some();
        assert!(looked_at(&before, "beard") && !looked_at(&before, "smile"));
        let still = Followed {
            displacements: None,
            ..followed("beard", [0.0; MEASURES])
        };
        let installation = Installation::new(&manifest, None, None).unwrap();
        let (files, fitted) = installation.finish(Some(&fit(vec![still])), 1).unwrap();
        let after = load(&fitted, &files);
        before
            .extend(fitted, files.iter().map(|file| &file.bytes[..]))
            .unwrap();
        for engine in [before, after] {
            assert!(!looked_at(&engine, "beard"));
            assert_eq!(
                engine
                    .directions()
                    .displacements(&[("beard", 1.0)])
                    .unwrap(),
                None
            );
        }
    }

    #[test]
    fn sliders_of_another_model_are_not_taken() {
        let (manifest, shards) = tiny_model(Dtype::F32);
        let mut loader = EngineLoader::with_manifest(manifest.clone(), &device::cpu()).unwrap();
        for (index, shard) in shards.iter().enumerate() {
            loader = loader.push_shard(index, &shard.bytes).unwrap();
        }
        let mut engine = loader.finish().unwrap();
        let installation = Installation::new(&manifest, None, None).unwrap();
        let (files, mut other) = installation.finish(Some(&fit(Vec::new())), 7).unwrap();
        other.shards[0].sha256 = "0".repeat(64);
        let files = files.iter().map(|file| &file.bytes[..]);
        let refusal = engine.extend(other, files).unwrap_err().to_string();
        assert!(
            refusal.contains("are not those of the loaded model"),
            "{refusal}"
        );
        assert_eq!(engine.manifest(), &manifest);
    }

    #[test]
    fn measures_settle_the_sign_of_published_edits() {
        let config = ModelConfig::face();
        let width = config.style_dim;
        let tensor = |shape: &[usize]| Tensor {
            name: String::new(),
            shape: shape.to_vec(),
            values: vec![1.0; shape.iter().product()],
        };
        let basis = DirectionFile::Basis {
            comp: tensor(&[60, 1, width]),
            mean: tensor(&[1, width]),
            std: tensor(&[60]),
        };
        let (mut manifest, _) = tiny_model(Dtype::F32);
        manifest.config = config;
        let mut installation = Installation::new(&manifest, Some(basis), None).unwrap();
        let plan = installation.plan(
            &Directions::new(&manifest, &HashMap::new()).unwrap(),
            9,
            true,
        );
        let probes: Vec<_> = plan
            .unwrap()
            .probes
            .into_iter()
            .map(|probe| probe.name)
            .collect();
        assert_eq!(probes[..3], ["eyes", "beard", "lip"]);
        assert_eq!(probes.len(), 3 + 8);
        let effect = |measure: Measure, value: f64| {
            let mut effects = [0.0; MEASURES];
            effects[measure as usize] = value;
            effects
        };
        // A tenth of a deviation for strength 1 is two at the end, which is 20.
        for (name, measure, value) in [
            ("eyes", Measure::EyeOpening, -0.1),
            ("beard", Measure::LipColour, -0.1),
            ("lip", Measure::LipColour, -0.001),
        ] {
            installation.settle(&followed(name, effect(measure, value)), false);
        }
        let values = |name: &str| {
            let mut tensors = installation.tensors.iter();
            tensors
                .find(|tensor| tensor.name == name)
                .unwrap()
                .values
                .clone()
        };
        let comp = values("ganspace.comp");
        for (component, expected) in [(54, -1.0), (58, 1.0), (34, 1.0), (0, 1.0)] {
            assert_eq!(comp[component * width], expected, "{component}");
        }
        assert_eq!(values("fit.motion.eyes")[..2], [-0.01, 0.02]);
        assert_eq!(values("fit.motion.beard")[..2], [0.01, -0.02]);
    }
}
