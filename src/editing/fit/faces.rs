//! The faces that a loaded model draws.

use std::{future::Future, ops::ControlFlow, pin::Pin};

use burn::tensor::{Tensor, TensorData};

use super::{error::FitError, measures::Reading, run::Faces};
use crate::{
    editing::{Engine, EngineError, directions::EditedCodes},
    face::{AlignedMesh, FaceFinder},
    networks::{Window, normals, read, shown},
    pixels::Picture,
};

/// Side of the pictures that are read; the mesh looks at 192 pixels.
const SIDE: usize = 256;
/// How far from the average face codes are drawn: faces come out well, and still differ.
const TRUNCATION: f64 = 0.8;

/// Where the codes of a fit come from.
pub enum CodeSource<'a> {
    /// The mapping network, by a seed.
    Mapping(u64),
    /// The encoder, from pictures of aligned faces: a picture by its index, `None` behind the last one.
    Pictures(Box<dyn FnMut(usize) -> Option<Result<Picture<'static>, String>> + 'a>),
}

/// What is waited for between two convolutions.
pub type Rest<'a> = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + 'a>> + 'a>;

/// A loaded model, read with the bundled face mesh.
pub struct ModelFaces<'a> {
    engine: &'a Engine,
    finder: &'a FaceFinder,
    source: CodeSource<'a>,
    rest: Option<Rest<'a>>,
}

impl<'a> ModelFaces<'a> {
    /// Reads the faces of `engine` with `finder`.
    ///
    /// # Errors
    /// [`FitError::NoMapping`] if codes shall come from a mapping network that the weights do not have.
    pub fn new(
        engine: &'a Engine,
        finder: &'a FaceFinder,
        source: CodeSource<'a>,
    ) -> Result<Self, FitError> {
        if matches!(source, CodeSource::Mapping(_)) && engine.config().mapping_layers == 0 {
            return Err(FitError::NoMapping);
        }
        Ok(Self {
            engine,
            finder,
            source,
            rest: None,
        })
    }

    /// Lets others work between two convolutions of a picture.
    #[must_use]
    pub fn resting(self, rest: Rest<'a>) -> Self {
        Self {
            rest: Some(rest),
            ..self
        }
    }

    /// Whether all styles of a draw are the same.
    pub fn shared(&self) -> bool {
        matches!(self.source, CodeSource::Mapping(_))
    }
}

impl Faces for ModelFaces<'_> {
    async fn draw(&mut self, index: usize) -> Result<Option<Vec<f32>>, FitError> {
        let sdic = self.engine.sdic();
        let codes = match &mut self.source {
            CodeSource::Mapping(seed) => {
                let width = sdic.config().style_dim;
                let z = normals(*seed, index as u64, width);
                let z = Tensor::from_data(TensorData::new(z, [1, width]), &sdic.device());
                sdic.sample(z, TRUNCATION).ok_or(FitError::NoMapping)?
            }
            CodeSource::Pictures(picture) => {
                let Some(picture) = picture(index) else {
                    return Ok(None);
                };
                let picture = picture.map_err(FitError::Given)?;
                let given = |error: EngineError| FitError::Given(error.to_string());
                let inverter = self.engine.inverter().map_err(given)?;
                inverter.encode(self.engine.face_tensor(&picture).map_err(given)?)
            }
        };
        Ok(Some(read(codes).await?))
    }

    async fn read(&mut self, codes: EditedCodes) -> Result<Option<Reading>, FitError> {
        let pause = async || {
            if let Some(rest) = &self.rest {
                rest().await;
            }
            Ok::<_, FitError>(())
        };
        let (picture, mesh) = look(self.engine, self.finder, codes, pause).await?;
        Ok(mesh.and_then(|mesh| Reading::new(&picture, &mesh)))
    }
}

/// The model's picture of codes, without compensation and no larger than needed, and the face in it. `pause` is waited
/// for between convolutions; its error stops the work.
pub(super) async fn look<E: From<FitError>>(
    engine: &Engine,
    finder: &FaceFinder,
    codes: EditedCodes,
    mut pause: impl AsyncFnMut() -> Result<(), E>,
) -> Result<(Picture<'static>, Option<AlignedMesh>), E> {
    let sdic = engine.sdic();
    let codes = codes.on(sdic);
    let size = SIDE.min(sdic.config().image_size);
    pause().await?;
    let lower = sdic.lower(codes.clone());
    let mut pass = sdic.resume(codes, lower, size);
    let image = loop {
        pause().await?;
        match pass.advance() {
            ControlFlow::Continue(further) => pass = further,
            ControlFlow::Break(image) => break image,
        }
    };
    let [_, _, side, _] = image.dims();
    let whole = Window {
        start: [0; 2],
        size: [side; 2],
    };
    let picture = shown(image, whole).await.map_err(FitError::from)?;
    let mesh = finder.mesh_of_aligned(&picture).map_err(FitError::from)?;
    Ok((picture, mesh))
}
