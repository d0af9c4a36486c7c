//! The whole way from a loaded model to the sliders found in it.

use super::{
    channels::channel_sliders,
    components::principal_components,
    error::FitError,
    faces::ModelFaces,
    install::Installation,
    journal::Journal,
    run::{Fit, Progress, Task, check_faces, fit},
};
use crate::{
    editing::Engine,
    weights::{Manifest, sha256},
};

/// What a fit depends on besides the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Faces to draw.
    pub samples: usize,
    /// Other faces for every seed.
    pub seed: u64,
    /// What tells the pictures of faces from others, if codes are taken from these; empty if they are drawn.
    pub pictures: &'a str,
}

impl Request<'_> {
    /// What tells this fit from others: all that its pictures depend on.
    pub fn key(&self, manifest: &Manifest) -> String {
        let Self {
            samples,
            seed,
            pictures,
        } = self;
        let pictures = sha256(pictures.as_bytes());
        let shards = manifest.shards.iter().map(|shard| shard.sha256.as_str());
        let shards = shards.collect::<Vec<_>>().join(" ");
        // Another version may ask for other pictures.
        let version = env!("CARGO_PKG_VERSION");
        format!("{version} {samples} {seed} {pictures} {shards}")
    }
}

/// Finds the sliders of a model of faces, and what they are added to: first makes sure that it draws faces, then
/// computes the principal components of its styles, then fits. `pause` and `journal` are those of [`fit`].
///
/// # Errors
/// As there; [`FitError::Fitted`] for a model that has found sliders.
pub async fn find_sliders<E: From<FitError>>(
    engine: &Engine,
    faces: &mut ModelFaces<'_>,
    request: &Request<'_>,
    journal: &mut Journal,
    mut pause: impl AsyncFnMut(Progress, &Journal) -> Result<(), E>,
) -> Result<(Fit, Installation), E> {
    let shared = faces.shared();
    let plan = |installation: &Installation| {
        installation.plan(engine.directions(), request.samples, shared)
    };
    // Before the long work with the styles.
    let first = Installation::new(engine.manifest(), None, None)?;
    check_faces(faces, &plan(&first)?, journal, &mut pause).await?;
    let mut channels = None;
    if shared {
        note_components(engine, request.seed, journal, &mut pause).await?;
        // They take no time worth keeping them.
        let all = Progress {
            task: Task::Components,
            done: 1,
            total: 1,
        };
        let pause = async || pause(all, journal).await;
        channels = channel_sliders(engine.sdic(), request.seed, pause).await?;
    }
    let components = journal.components.clone();
    let installation = Installation::new(engine.manifest(), components, channels)?;
    let fit = fit(faces, &plan(&installation)?, journal, pause).await?;
    Ok((fit, installation))
}

/// Computes the principal components of the styles of a model, and what they are added to. That is all that can be
/// found in a model of other things than faces, in which nothing can be measured. `pause` and `journal` are those of
/// [`fit`].
///
/// # Errors
/// [`FitError::PicturesGiven`] where codes shall come from pictures; [`FitError::Fitted`] for a model that has found
/// sliders; [`FitError::NotOfFaces`] for one of other things without a mapping network.
pub async fn find_components<E: From<FitError>>(
    engine: &Engine,
    request: &Request<'_>,
    journal: &mut Journal,
    mut pause: impl AsyncFnMut(Progress, &Journal) -> Result<(), E>,
) -> Result<Installation, E> {
    if !request.pictures.is_empty() {
        return Err(FitError::PicturesGiven.into());
    }
    Installation::new(engine.manifest(), None, None)?;
    note_components(engine, request.seed, journal, &mut pause).await?;
    let components = journal.components.clone();
    Ok(Installation::new(engine.manifest(), components, None)?)
}

/// Computes the components, if the journal has none.
async fn note_components<E: From<FitError>>(
    engine: &Engine,
    seed: u64,
    journal: &mut Journal,
    pause: &mut impl AsyncFnMut(Progress, &Journal) -> Result<(), E>,
) -> Result<(), E> {
    if journal.components.is_some() {
        return Ok(());
    }
    let pause = async |done, total| {
        let task = Task::Components;
        pause(Progress { task, done, total }, journal).await
    };
    journal.components = Some(principal_components(engine.sdic(), seed, pause).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::ModelConfig,
        editing::{EngineLoader, fit::FitRecord},
        networks::device,
        testing::models::{model_of, tiny_config},
        weights::{Depicts, Dtype},
    };

    /// Of the shape and the styles of the authors' car model, with few channels.
    fn car(mapping_layers: usize) -> ModelConfig {
        ModelConfig {
            image_size: 512,
            crop: Some([384, 512]),
            style_dim: 64,
            channels: vec![2; 8],
            mapping_layers,
            dipn: None,
            dicn: None,
            ..tiny_config()
        }
    }

    /// Nothing of a car can be measured, so all stays as it was published, and both ways.
    #[test]
    fn a_model_of_cars_gets_its_components_and_published_edits() {
        let (manifest, shards) = model_of(car(2), Dtype::F32);
        let mut loader = EngineLoader::with_manifest(manifest.clone(), &device::cpu()).unwrap();
        for (index, shard) in shards.iter().enumerate() {
            loader = loader.push_shard(index, &shard.bytes).unwrap();
        }
        let mut engine = loader.finish().unwrap();
        let request = Request {
            samples: 100,
            seed: 3,
            pictures: "",
        };
        let find = |request: &Request<'_>, stop: usize, journal: &mut Journal| {
            pollster::block_on(find_components(
                &engine,
                request,
                journal,
                async |Progress { task, done, .. }, _: &Journal| {
                    assert_eq!(task, Task::Components);
                    match done >= stop {
                        true => Err(FitError::Given("stopped".to_owned())),
                        false => Ok(()),
                    }
                },
            ))
        };
        let pictures = Request {
            pictures: "folder",
            ..request
        };
        let refused = find(&pictures, usize::MAX, &mut Journal::new("k")).map(drop);
        assert!(matches!(refused, Err(FitError::PicturesGiven)));
        let mut journal = Journal::new("k");
        let stopped = find(&request, 5000, &mut journal).map(drop);
        assert_eq!(stopped.unwrap_err().to_string(), "stopped");
        let installation = find(&request, usize::MAX, &mut journal).unwrap();
        assert_eq!(journal.pictures(), 0);
        let (files, fitted) = installation.finish(None, 3).unwrap();
        // Once they are computed, they are in the journal.
        let again = find(&request, 0, &mut journal).unwrap();
        assert_eq!(again.finish(None, 3).unwrap().1, fitted);

        let names: Vec<_> = fitted.directions.iter().map(|d| &d.name[..]).collect();
        assert_eq!(names[..4], ["turn", "cube", "colour", "grass"]);
        assert_eq!(
            (names.len(), names[4], names[11]),
            (12, "ganspace-0", "ganspace-7")
        );
        for direction in &fitted.directions {
            let [low, high] = direction.range;
            assert!(low == -high && direction.displacements.is_none());
        }
        assert_eq!(
            (&fitted.face_shape, fitted.depicts()),
            (&None, Depicts::Cars)
        );
        let record = FitRecord::of(&fitted).unwrap();
        assert_eq!((record.pictures, record.dropped), (0, Vec::new()));
        let refused = Installation::new(&fitted, None, None).unwrap_err();
        assert!(matches!(refused, FitError::Fitted));
        let shards = files.iter().map(|file| &file.bytes[..]);
        engine.extend(fitted, shards).unwrap();
        let codes = engine
            .directions()
            .edited_codes(&[0.0; 16 * 64], &[("turn", 1.0)]);
        let moved = codes.unwrap().rows;
        assert!(moved[..5 * 64].iter().any(|value| *value != 0.0));
        assert!(moved[5 * 64..].iter().all(|value| *value == 0.0));
    }

    #[test]
    fn a_model_of_cars_without_a_mapping_network_is_told_before_it_is_loaded() {
        let (manifest, _) = model_of(car(0), Dtype::F32);
        let refused = Installation::new(&manifest, None, None).unwrap_err();
        assert!(matches!(refused, FitError::NotOfFaces));
        let text = refused.to_string();
        assert!(
            text.contains("no mapping network") && text.contains("import"),
            "{text}"
        );
    }
}
