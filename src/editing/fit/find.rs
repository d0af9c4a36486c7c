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
use crate::{editing::Engine, weights::Manifest};

/// What a fit depends on besides the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Faces to draw.
    pub samples: usize,
    /// Other faces for every seed.
    pub seed: u64,
    /// Where pictures of faces lie, if codes are taken from these.
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
        let shards = manifest.shards.iter().map(|shard| shard.sha256.as_str());
        let shards = shards.collect::<Vec<_>>().join(" ");
        // Another version may ask for other pictures.
        let version = env!("CARGO_PKG_VERSION");
        format!("{version} {samples} {seed} {pictures} {shards}")
    }
}

/// Finds the sliders of a model, and what they are added to: first makes sure that it draws faces, then computes the
/// principal components of its styles, then fits. `pause` and `journal` are those of [`fit`].
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
    let first = plan(&Installation::new(engine.manifest(), None, None)?)?;
    check_faces(faces, &first, journal, &mut pause).await?;
    if shared && journal.components.is_none() {
        let pause = async |done, total| {
            let task = Task::Components;
            pause(Progress { task, done, total }, journal).await
        };
        let components = principal_components(engine.sdic(), request.seed, pause).await?;
        journal.components = Some(components);
    }
    let mut channels = None;
    if shared {
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
    let plan = plan(&installation)?;
    let fit = fit(faces, &plan, journal, pause).await?;
    Ok((fit, installation))
}
