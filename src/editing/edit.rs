//! An inverted face, and what sliders make of it.
//!
//! The formula is that of [`inversion`](super::inversion). Where an edit moves the face, F moves with it: with M the
//! motion, M(F) - G(w') is added to G(e). What then differs from the picture of M(F) and w' is what the edit changed
//! besides. Where the model compensates nothing, nothing has to follow the face, and G(e) stays as it is. A change of
//! the features that an edit brings is added on top: as it is, or as the feature editor draws it for M(F).

use std::{
    ops::ControlFlow,
    sync::{Arc, OnceLock},
};

use burn::tensor::{Tensor, TensorData};

use super::{
    cover::CoveredPhoto,
    directions::{Directions, paste_mode},
    error::EditError,
    holding::{Held, hold_back, share_that_holds},
    inversion::Inversion,
    motion::Fields,
};
use crate::{
    face::{Backdrop, FaceError, Landmarks, PasteMode, Rendered, paste_before},
    networks::{GeneratorPass, Groups, Injection, Overlay, ReadError, Sdic, Synthesis, Warp, read},
    pixels::{Difference, ExtendedPicture, Field, Picture, Point, Quad},
    weights::Manifest,
};

/// A face ready to be edited.
#[derive(Clone, Debug)]
pub struct InvertedFace {
    /// What the stages have found.
    pub inversion: Inversion,
    /// w' as rows of `style_dim` values.
    pub compensated_codes: Vec<f32>,
    /// The face's landmarks, in sides of the aligned picture. Without them it moves as an average one would, and
    /// strengths count as if it showed nothing of the edits yet (see [`Directions::effective`]).
    pub landmarks: Option<Landmarks>,
    /// The aligned picture as the model saw it; `None` of a face that was drawn, or of which only the stages are known.
    /// Without it an edit keeps all pixels of a photo.
    pub face: Option<Arc<Picture<'static>>>,
    /// The reconstruction, once it was read back. Copies of the face share it.
    pub shown: SharedPicture,
}

/// A picture that several edits have in common, once it was read back.
pub type SharedPicture = Arc<OnceLock<ExtendedPicture>>;

impl InvertedFace {
    /// Reads the codes back.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn new(
        inversion: Inversion,
        landmarks: Option<Landmarks>,
    ) -> Result<Self, ReadError> {
        Ok(Self {
            compensated_codes: read(inversion.compensated_codes.clone()).await?,
            inversion,
            landmarks,
            face: None,
            shown: SharedPicture::default(),
        })
    }

    /// An edit by strengths of the model's sliders: one generator pass, and half a pass more where the face moves.
    /// What would tear this face is held back, see [`EditRun::held`].
    /// `size` below the model's `image_size` gives a preview at that resolution. Nothing is computed yet.
    ///
    /// # Errors
    /// [`EditError`] for an unknown edit, unusable landmarks or an impossible size.
    pub fn edit<'s, 'a>(
        &self,
        sdic: &'a Sdic,
        directions: &Directions,
        strengths: impl IntoIterator<Item = (&'s str, f32)>,
        size: Option<usize>,
    ) -> Result<EditRun<'a>, EditError> {
        let mut strengths = directions.effective(strengths, self.landmarks.as_ref())?;
        let held = hold_back(directions, self.landmarks.as_ref(), &mut strengths)?;
        self.edit_effective(sdic, directions, &strengths, size, held)
    }

    /// [`Self::edit`] that moves the landmarks as `displacements` say, whatever motion the directions bring. `None`
    /// moves nothing. Where the displacements would tear the face, they and all strengths are held back alike.
    ///
    /// # Errors
    /// As there.
    pub fn edit_moving<'s, 'a>(
        &self,
        sdic: &'a Sdic,
        directions: &Directions,
        strengths: impl IntoIterator<Item = (&'s str, f32)>,
        size: Option<usize>,
        displacements: Option<&Landmarks>,
    ) -> Result<EditRun<'a>, EditError> {
        let mut strengths = directions.effective(strengths, self.landmarks.as_ref())?;
        let landmarks = self.landmarks.as_ref();
        let mut held = Held::default();
        if let Some(((face, layout), displacements)) =
            directions.layout(landmarks).zip(displacements)
        {
            let (share, fields) = share_that_holds(face, displacements, layout)?;
            held.fields = Some(fields);
            if share < 1.0 {
                for (name, strength) in &mut strengths {
                    *strength *= share;
                    held.shares.push(((*name).to_owned(), share));
                }
            }
        }
        self.edit_effective(sdic, directions, &strengths, size, held)
    }

    fn edit_effective<'a>(
        &self,
        sdic: &'a Sdic,
        directions: &Directions,
        strengths: &[(&str, f32)],
        size: Option<usize>,
        held: Held,
    ) -> Result<EditRun<'a>, EditError> {
        let config = sdic.config();
        let (least, most) = (config.inject_size, config.image_size);
        let size = size.unwrap_or(most);
        if !size.is_power_of_two() || !(least..=most).contains(&size) {
            return Err(EditError::PreviewSize { size, least, most });
        }
        // Uploads come first of all: a GPU is sent what was queued before each.
        let edited_codes = directions.edited_codes(&self.compensated_codes, strengths)?;
        let edited_codes = edited_codes.on(sdic);
        let changes = directions.changes(strengths, self.landmarks.as_ref())?;
        let fields = match held.fields {
            None if changes.is_some() => self.unmoved_fields(directions)?,
            fields => fields,
        };
        let (motion, place) = fields.map_or((None, None), |f| (f.motion, Some(f.place)));
        let opacity = directions.cover(strengths, self.landmarks.as_ref())?;
        let drawn_over = opacity.as_ref().zip(self.face.as_ref()).zip(place.as_ref());
        let cover = drawn_over.map(|((opacity, face), place)| CoveredPhoto {
            opacity: opacity.iter().map(|&value| [value]).collect(),
            side: config.image_size,
            place: place.clone(),
            motion: motion.clone(),
            face: Arc::clone(face),
        });
        let device = sdic.device();
        let upload = |values, [channels, height, width]: [usize; 3]| {
            let data = TensorData::new(values, [1, channels, height, width]);
            Tensor::from_data(data, &device)
        };
        let shape @ [.., side] = config.change_shape();
        let drawing = changes.zip(place.as_ref()).map(|(changes, place)| {
            let opacity = opacity.filter(|_| changes.covering().is_some());
            (
                changes.map(|change| upload(change, shape)),
                opacity.map(|opacity| upload(opacity, [1, most, most])),
                Warp::new(place, side, &device),
            )
        });
        let moved = (motion.as_ref()).map(|motion| self.inversion.compensated().moved(motion));
        let follows = moved.as_ref().filter(|_| config.compensates());
        let mut injection = self.injection(follows);
        let unedited = self.unedited(sdic, moved.as_ref(), size);
        let shown = unedited.is_break().then(|| Arc::clone(&self.shown));
        if let Some((changes, opacity, place)) = drawing {
            let changes = changes.map(|change| place.forward(change));
            let compensated = || {
                moved
                    .unwrap_or_else(|| self.inversion.compensated())
                    .feature
            };
            let drawn = sdic.draw(&changes, compensated);
            injection.feature = injection.feature + drawn.feature;
            injection.overlay.detail = drawn.detail;
            let covering = drawn.covering.zip(opacity);
            injection.overlay.covering =
                covering.map(|(drawn, opacity)| [drawn, place.forward(opacity).clamp(0.0, 1.0)]);
        }
        Ok(EditRun {
            edited: sdic.pass(edited_codes, injection, size),
            unedited,
            shown,
            motion,
            cover,
            held: held.shares,
            multiplications: 0,
        })
    }

    /// Where the face's spots lie on the face on which changes are laid out, when it does not move.
    fn unmoved_fields(&self, directions: &Directions) -> Result<Option<Fields>, EditError> {
        let layout = directions.layout(self.landmarks.as_ref());
        let fields = layout.map(|(face, layout)| Fields::new(face, None, layout));
        fields
            .map(|fields| fields.ok_or(EditError::Landmarks))
            .transpose()
    }

    /// What is added to G(e): M(F) - G(w') where the compensation moves with the face, else F - G(w').
    fn injection(&self, moved: Option<&Synthesis>) -> Injection {
        let lower = &self.inversion.lower;
        match moved {
            Some(moved) => Injection {
                feature: moved.feature.clone() - lower.feature.clone(),
                skip: Some(moved.skip.clone() - lower.skip.clone()),
                overlay: Overlay::default(),
            },
            None => self.inversion.injected_residual.clone().into(),
        }
    }

    /// The picture of w' with M(F), or F. The full one of F is the reconstruction.
    fn unedited<'a>(
        &self,
        sdic: &'a Sdic,
        moved: Option<&Synthesis>,
        size: usize,
    ) -> ControlFlow<Tensor<4>, GeneratorPass<'a>> {
        let from = match moved {
            Some(moved) => moved.clone(),
            None if size == sdic.config().image_size => {
                return ControlFlow::Break(self.inversion.reconstruction.clone());
            }
            None => self.inversion.compensated(),
        };
        let codes = self.inversion.compensated_codes.clone();
        ControlFlow::Continue(sdic.resume(codes, from, size))
    }
}

/// What comes of an edit.
#[derive(Clone, Debug)]
pub struct Edited<P> {
    /// The edited face.
    pub picture: P,
    /// What to compare it with: the compensated face, moved as the edit moves it but not otherwise changed.
    pub unedited: P,
    /// Where the unedited picture is kept once it was read back, if other edits have the same one.
    pub shown: Option<SharedPicture>,
    /// How the edit moves the face, if it does: from a spot of both pictures to where it is in the photo.
    pub motion: Option<Field>,
    /// Where it draws what the photo does not show, if it does.
    pub cover: Option<CoveredPhoto>,
}

/// What comes of an edit, as a person sees it.
#[derive(Clone, Debug)]
pub struct EditedPictures {
    /// The edited face.
    pub picture: Picture<'static>,
    /// What to compare it with.
    pub unedited: Picture<'static>,
    /// What to add to the photo: how they differ, also beyond what pictures can show. Where the edit draws what the
    /// photo does not show, how the edited face differs from the photo, as fine as the model saw it.
    pub difference: Option<Difference>,
    /// How the edit moves the face, if it does.
    pub motion: Option<Field>,
}

impl EditedPictures {
    /// How the edit of a model is best put into the photo: as a difference where it is known how it moves the face.
    pub fn paste_mode(&self, manifest: &Manifest) -> PasteMode {
        match self.motion {
            Some(_) => PasteMode::Difference,
            None => paste_mode(manifest),
        }
    }

    /// The photo with the edit in the place of `quad`, see [`paste_back`](crate::face::paste_back).
    ///
    /// # Errors
    /// As there.
    pub fn paste_into(
        &self,
        photo: &Picture,
        quad: &Quad,
        mesh: Option<&[Point]>,
        mode: PasteMode,
    ) -> Result<Picture<'static>, FaceError> {
        self.paste_before(photo, quad, mesh, mode, None)
    }

    /// The photo with the edit in the place of `quad`, in front of what is behind the person, see [`paste_before`].
    ///
    /// # Errors
    /// As there.
    pub fn paste_before(
        &self,
        photo: &Picture,
        quad: &Quad,
        mesh: Option<&[Point]>,
        mode: PasteMode,
        backdrop: Option<&Backdrop>,
    ) -> Result<Picture<'static>, FaceError> {
        let rendered = Rendered {
            edited: &self.picture,
            unedited: &self.unedited,
            difference: self.difference.as_ref(),
            motion: self.motion.as_ref(),
        };
        paste_before(photo, quad, mesh, rendered, mode, backdrop)
    }
}

/// An edit under way.
pub struct EditRun<'a> {
    edited: GeneratorPass<'a>,
    unedited: ControlFlow<Tensor<4>, GeneratorPass<'a>>,
    shown: Option<SharedPicture>,
    motion: Option<Field>,
    cover: Option<CoveredPhoto>,
    held: Vec<(String, f32)>,
    /// Those of the unedited picture so far.
    multiplications: u64,
}

impl EditRun<'_> {
    /// The sliders that would tear this face, and the share of their strength, 0 to 1, that it takes.
    pub fn held(&self) -> &[(String, f32)] {
        &self.held
    }

    /// Goes on by one convolution; breaks with both pictures, not clamped.
    pub fn advance(self) -> ControlFlow<Edited<Tensor<4>>, Self> {
        let (shown, motion, cover, held) = (self.shown, self.motion, self.cover, self.held);
        let mut multiplications = self.multiplications;
        let (edited, unedited) = match self.unedited {
            ControlFlow::Continue(unedited) => {
                multiplications = unedited.multiplications();
                (self.edited, unedited.advance())
            }
            ControlFlow::Break(unedited) => match self.edited.advance() {
                ControlFlow::Continue(edited) => (edited, ControlFlow::Break(unedited)),
                ControlFlow::Break(picture) => {
                    return ControlFlow::Break(Edited {
                        picture,
                        unedited,
                        shown,
                        motion,
                        cover,
                    });
                }
            },
        };
        ControlFlow::Continue(Self {
            edited,
            unedited,
            shown,
            motion,
            cover,
            held,
            multiplications,
        })
    }

    /// Multiplications so far, and the pass that did the latest of them.
    fn queued(&self) -> (u64, &GeneratorPass<'_>) {
        match &self.unedited {
            ControlFlow::Continue(unedited) => (unedited.multiplications(), unedited),
            ControlFlow::Break(_) => (
                self.multiplications + self.edited.multiplications(),
                &self.edited,
            ),
        }
    }

    /// Both pictures. `pause` is waited for before every convolution; its error stops the edit. A GPU never has more
    /// than two groups of convolutions to do then.
    ///
    /// # Errors
    /// Those of `pause`.
    pub async fn finish<E>(
        self,
        mut pause: impl AsyncFnMut() -> Result<(), E>,
    ) -> Result<Edited<Tensor<4>>, E> {
        let mut run = self;
        let mut groups = Groups::new();
        loop {
            pause().await?;
            match run.advance() {
                ControlFlow::Continue(further) => {
                    let (multiplications, latest) = further.queued();
                    groups.queued(multiplications, || latest.mark()).await;
                    run = further;
                }
                ControlFlow::Break(edited) => return Ok(edited),
            }
        }
    }
}
