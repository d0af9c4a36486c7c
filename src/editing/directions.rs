//! The sliders of a model: what they add to W+ codes and to style channels.
//!
//! A slider adds `strength * vector` to a range of styles: InterFaceGAN directions (Shen et al., CVPR 2020)
//! and SeFa ones (Shen and Zhou, CVPR 2021) bring the vector itself; a GANSpace component (Härkönen et al.,
//! NeurIPS 2020) brings a principal axis times its standard deviation, so that the strength counts standard
//! deviations *from where the photo is* and 0 changes nothing. The reference implementation instead moves the
//! coordinate *to* the strength; [`ganspace_offset`] computes that.
//!
//! A slider of style space (Wu et al., CVPR 2021) leaves the codes as they are and adds to the style channels that the
//! generator's layers make of them, behind their affine maps.
//!
//! A direction may bring two things besides: a motion, by which the landmarks of the face go along with the edit, and a
//! change of the features at the injection layer, laid out on one face and carried from there to any other. And it may
//! tell how much of the edit a face shows already, so that a face which smiles does not smile twice, and where it draws
//! what a photo does not show.

use std::{collections::HashMap, ops::Range};

use burn::tensor::{Tensor as BurnTensor, TensorData};

use crate::{
    face::{LANDMARKS, LEFT_EYE, Landmarks, NOSE_TIP, PasteMode, RIGHT_EYE},
    networks::{Codes, Plans, Sdic, tensor_shapes},
    pixels::Point,
    weights::{
        Cover, Direction, DirectionKind, FIT_RECORD, FIT_TENSORS, Manifest, Shown, Tensor,
        WeightsError,
    },
};

use super::{cover::layered, error::EditError};

/// Checks what a manifest says of networks and faces: that the tensor table holds exactly the tensors of the
/// configured networks and of the directions, and that those of motions and changes have the shapes that they need.
///
/// # Errors
/// [`WeightsError`] names the tensor or the field.
pub fn check_manifest(manifest: &Manifest) -> Result<(), WeightsError> {
    let shapes = manifest.shapes();
    let check_shape = |name: &str, expected: &[usize]| {
        let found = shapes.get(name).copied();
        let found = found.ok_or_else(|| format!("{name:?} is not in the tensor table"))?;
        if found == expected {
            return Ok(());
        }
        Err(format!(
            "tensor {name:?} has shape {found:?} instead of {expected:?}"
        ))
    };
    let faces = [
        ("face_shape", &manifest.face_shape),
        ("plan_shape", &manifest.plan_shape),
    ];
    for (field, name) in faces {
        let Some(name) = name else { continue };
        check_shape(name, &[LANDMARKS, 2])
            .map_err(|problem| WeightsError::manifest(field, problem))?;
    }
    let needs_face = |name: &String| format!("{name:?} needs the manifest's \"face_shape\"");
    if let (None, Some(name)) = (&manifest.face_shape, &manifest.plan_shape) {
        return Err(WeightsError::manifest("plan_shape", needs_face(name)));
    }
    let config = &manifest.config;
    let change_shape = config.change_shape();
    let cover_shape = [config.image_size; 2];
    for (index, direction) in manifest.directions.iter().enumerate() {
        let error = |problem| WeightsError::direction(index, &direction.name, problem);
        let cover = direction.cover.as_ref();
        let covered = cover.and_then(|cover| cover.shown.as_ref());
        for shown in direction.shown.iter().chain(covered) {
            check_shown(shown).map_err(error)?;
        }
        if let Some([low, high]) = direction.turned
            && !(low >= 0.0 && high.is_finite() && low < high)
        {
            let rule = "must be finite and not negative, the smaller first";
            return Err(error(format!("turned [{low}, {high}] {rule}")));
        }
        for (name, shape) in [
            (direction.displacements.as_ref(), &[LANDMARKS, 2][..]),
            (direction.change.as_ref(), &change_shape),
            (cover.map(|cover| &cover.tensor), &cover_shape),
        ] {
            let Some(name) = name else { continue };
            check_shape(name, shape).map_err(error)?;
            if manifest.face_shape.is_none() {
                return Err(error(needs_face(name)));
            }
        }
    }
    manifest.check_tensors(&tensor_shapes(config))
}

fn check_shown(shown: &Shown) -> Result<(), String> {
    let ([a, b], [low, high]) = (shown.landmarks, shown.range);
    if a == b || a.max(b) >= LANDMARKS {
        let rule = format!("must be two different ones below {LANDMARKS}");
        return Err(format!("shown.points [{a}, {b}] {rule}"));
    }
    if !(low.is_finite() && high.is_finite() && low < high) {
        let rule = "must be finite, the smaller first";
        return Err(format!("shown.range [{low}, {high}] {rule}"));
    }
    Ok(())
}

/// How edits of a model are best put into a photo: as a difference where it is known how they move a face.
pub fn paste_mode(manifest: &Manifest) -> PasteMode {
    match manifest.face_shape {
        Some(_) => PasteMode::Difference,
        None => PasteMode::Face,
    }
}

/// One slider: what strength 1 adds to some styles.
#[derive(Clone, Debug)]
struct Slider {
    styles: Range<usize>,
    /// One vector for all styles, or one per style of the model: rows of `style_dim` values. Or nothing.
    rows: Vec<f32>,
    /// For all style channels of the model, in the order of
    /// [`ModelConfig::style_channels`](crate::config::ModelConfig::style_channels).
    channels: Option<Vec<f32>>,
    /// `[68, 2]`, see [`Direction::displacements`].
    displacements: Option<Vec<f32>>,
    /// As [`change_shape`](crate::config::ModelConfig::change_shape) says, see [`Direction::change`].
    change: Option<Vec<f32>>,
    /// See [`Direction::turned`].
    turned: Option<[f32; 2]>,
    /// See [`Direction::shown`].
    shown: Option<Shown>,
    /// See [`Direction::cover`]: opacities, and how much of it a face shows.
    cover: Option<(Vec<f32>, Option<Shown>)>,
    /// Lower and upper end of the strengths offered.
    range: [f32; 2],
    /// Whether [`Self::displacements`] are the mean of faces that a fit has looked at: each face has its own.
    mean: bool,
    /// Whether it was looked at how it moves a face: without [`Self::displacements`] it does not.
    seen: bool,
}

impl Slider {
    /// Whether a face's own motion can be seen only in the model's pictures of it, see [`Directions::look_at`].
    fn hidden(&self) -> bool {
        let unknown = self.displacements.is_none() && !self.seen;
        self.change.is_none() && (unknown || self.mean)
    }

    /// How much of a plan is drawn at a strength on a head that is turned so far.
    fn faded(&self, strength: f32, turn: f32) -> f32 {
        let gone = self.turned.map_or(0.0, |range| share_of(range, turn));
        strength * (1.0 - gone)
    }

    /// By how much a strength multiplies the cover: not at all on faces that show already what is drawn there.
    fn opacity(&self, strength: f32, landmarks: Option<&Landmarks>) -> f32 {
        let shown = self.cover.as_ref().and_then(|(_, shown)| *shown);
        let share = shown.zip(landmarks);
        let share = share.map_or(0.0, |(shown, landmarks)| shown_share(&shown, landmarks));
        strength.max(0.0) * (1.0 - share)
    }

    fn take_displacements(
        &mut self,
        name: Option<&String>,
        tensors: &HashMap<String, Tensor>,
    ) -> Result<(), EditError> {
        self.displacements = values_of(name, tensors)?;
        self.mean = name.is_some_and(|name| name.starts_with(FIT_TENSORS));
        Ok(())
    }
}

/// All edits of a model.
#[derive(Clone, Debug, Default)]
pub struct Directions {
    names: Vec<String>,
    sliders: HashMap<String, Slider>,
    style_dim: usize,
    face_shape: Option<Landmarks>,
    plan_shape: Option<Landmarks>,
    /// Whether the feature editor draws under covers.
    draws_covers: bool,
}

impl Directions {
    /// Reads the directions that `manifest` lists from the tensors it names.
    ///
    /// # Errors
    /// [`EditError::Tensor`] if one is missing or too short.
    pub fn new(manifest: &Manifest, tensors: &HashMap<String, Tensor>) -> Result<Self, EditError> {
        let mut directions = Self {
            style_dim: manifest.config.style_dim,
            face_shape: landmarks_of(manifest.face_shape.as_ref(), tensors)?,
            plan_shape: landmarks_of(manifest.plan_shape.as_ref(), tensors)?,
            draws_covers: (manifest.config.editor.as_ref()).is_some_and(|sizes| sizes.covering > 0),
            ..Self::default()
        };
        for direction in &manifest.directions {
            directions.insert(direction, tensors)?;
        }
        directions.mark_seen(manifest);
        Ok(directions)
    }

    /// Takes what a fit has added to a model: sliders, motions, and the face on which they are laid out. `tensors` are
    /// those of the fit alone.
    ///
    /// # Errors
    /// [`EditError::Tensor`] if one is missing or too short.
    pub fn extend(
        &mut self,
        manifest: &Manifest,
        tensors: &HashMap<String, Tensor>,
    ) -> Result<(), EditError> {
        let new =
            |name: &Option<String>| name.as_ref().is_some_and(|name| tensors.contains_key(name));
        if new(&manifest.face_shape) {
            self.face_shape = landmarks_of(manifest.face_shape.as_ref(), tensors)?;
        }
        for direction in &manifest.directions {
            match self.sliders.get_mut(&direction.name) {
                None => self.insert(direction, tensors)?,
                Some(slider) if new(&direction.displacements) => {
                    slider.take_displacements(direction.displacements.as_ref(), tensors)?;
                }
                Some(_) => {}
            }
        }
        self.mark_seen(manifest);
        Ok(())
    }

    /// A fit looks at all directions that a model has.
    fn mark_seen(&mut self, manifest: &Manifest) {
        if manifest.extra.contains_key(FIT_RECORD) {
            for direction in &manifest.directions {
                if let Some(slider) = self.sliders.get_mut(&direction.name) {
                    slider.seen = true;
                }
            }
        }
    }

    /// Adds a direction whose tensors are in `tensors`, or replaces the one of its name.
    ///
    /// # Errors
    /// [`EditError::Tensor`] if one is missing or too short.
    pub fn insert(
        &mut self,
        direction: &Direction,
        tensors: &HashMap<String, Tensor>,
    ) -> Result<(), EditError> {
        let channels = match &direction.kind {
            DirectionKind::StyleSpace { tensor } => values_of(Some(tensor), tensors)?,
            DirectionKind::Linear { .. } | DirectionKind::Ganspace { .. } => None,
        };
        let [first, end] = direction.styles;
        let mut slider = Slider {
            styles: first..end,
            rows: slider_rows(direction, tensors, self.style_dim)?,
            channels,
            displacements: None,
            change: values_of(direction.change.as_ref(), tensors)?,
            turned: direction.turned,
            shown: direction.shown,
            cover: None,
            range: direction.range,
            mean: false,
            seen: false,
        };
        slider.take_displacements(direction.displacements.as_ref(), tensors)?;
        if let Some(Cover { tensor, shown }) = &direction.cover {
            slider.cover = values_of(Some(tensor), tensors)?.map(|opacity| (opacity, *shown));
        }
        let name = direction.name.clone();
        if self.sliders.insert(name.clone(), slider).is_none() {
            self.names.push(name);
        }
        Ok(())
    }

    /// Changes the strengths that a direction offers.
    pub fn set_range(&mut self, name: &str, range: [f32; 2]) {
        if let Some(slider) = self.sliders.get_mut(name) {
            slider.range = range;
        }
    }

    /// What strength 1 of a direction adds. `None` for a name that there is not.
    pub fn offset(&self, name: &str) -> Option<Offset> {
        let slider = self.sliders.get(name)?;
        Some(Offset {
            rows: slider.rows.clone(),
            styles: slider.styles.clone(),
            channels: slider.channels.clone(),
        })
    }

    /// The strength at which to look how a direction moves a face, for a direction whose motion can be seen only in the
    /// model's own pictures of that face: it changes the codes alone, and nobody has looked how it moves faces, or only
    /// the mean of some is known. That strength is the end of the range on the side of `strength`: looks lie between 0
    /// and there. `None` for any other direction, and for strength 0.
    pub fn look_at(&self, name: &str, strength: f32) -> Option<f32> {
        let slider = self.sliders.get(name).filter(|slider| slider.hidden())?;
        let [low, high] = slider.range.map(f32::abs);
        let (near, far) = match strength {
            _ if strength > 0.0 => (high, low),
            _ if strength < 0.0 => (low, high),
            _ => return None,
        };
        let end = if near > 0.0 { near } else { far };
        Some(end.copysign(strength))
    }

    /// How much a direction changes the codes: the length of what strength 1 adds to a style, as the root mean square
    /// over the styles. `None` for one that does not, and for a name that there is not.
    pub fn length(&self, name: &str) -> Option<f32> {
        let Slider { rows, .. } = self.sliders.get(name).filter(|own| !own.rows.is_empty())?;
        let squares: f32 = rows.iter().map(|value| value * value).sum();
        Some((squares * self.style_dim as f32 / rows.len() as f32).sqrt())
    }

    /// The strengths that take a face with the given landmarks where the given ones would take a face that shows
    /// nothing of the edits yet: strengths of the same name added up, and from those above 0 what the face shows
    /// already taken away, as far as 0. Without landmarks, and for edits that do not tell, strengths stay as they are.
    ///
    /// # Errors
    /// [`EditError`] names the edit.
    pub fn effective<'a>(
        &self,
        strengths: impl IntoIterator<Item = (&'a str, f32)>,
        landmarks: Option<&Landmarks>,
    ) -> Result<Vec<(&'a str, f32)>, EditError> {
        let mut effective: Vec<(&str, f32)> = Vec::new();
        for (name, strength) in strengths {
            self.slider(name, strength)?;
            match effective.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += strength,
                None => effective.push((name, strength)),
            }
        }
        for (name, strength) in &mut effective {
            let Slider { shown, range, .. } = self.slider(name, *strength)?;
            if let (Some(shown), Some(landmarks)) = (shown, landmarks) {
                *strength = beyond_shown(*strength, shown_share(shown, landmarks), range[1]);
            }
        }
        Ok(effective)
    }

    /// `codes`, rows of `style_dim` values, with what the given edits add to them, and to the style channels.
    ///
    /// # Errors
    /// [`EditError`] names the edit.
    pub fn edited_codes(
        &self,
        codes: &[f32],
        strengths: &[(&str, f32)],
    ) -> Result<EditedCodes, EditError> {
        let mut rows = codes.to_vec();
        for &(name, strength) in strengths {
            let Slider {
                rows: offset,
                styles,
                ..
            } = self.slider(name, strength)?;
            add_rows(&mut rows, offset, styles, strength, self.style_dim);
        }
        let channel_offsets =
            self.total(strengths, |slider| slider.channels.as_deref(), as_asked)?;
        Ok(EditedCodes {
            rows,
            channel_offsets,
        })
    }

    /// The average face, if this model knows one.
    pub fn face_shape(&self) -> Option<&Landmarks> {
        self.face_shape.as_ref()
    }

    /// How the spots of a face are laid out: its landmarks, or average ones where they are unknown, and those of the
    /// face on which changes and covers lie. A model that knows no average face has neither; then it is the face itself.
    pub fn layout<'a>(
        &'a self,
        landmarks: Option<&'a Landmarks>,
    ) -> Option<(&'a Landmarks, &'a Landmarks)> {
        let average = self.face_shape();
        let own = landmarks.or(average)?;
        Some((own, self.plan_shape.as_ref().or(average).unwrap_or(own)))
    }

    /// How far the given edits move the landmarks of a face together. `None` if nothing moves.
    ///
    /// # Errors
    /// [`EditError`] names the edit.
    pub fn displacements(&self, strengths: &[(&str, f32)]) -> Result<Option<Landmarks>, EditError> {
        let total = self.total(
            strengths,
            |slider| slider.displacements.as_deref(),
            as_asked,
        )?;
        Ok(total.as_deref().map(landmarks))
    }

    /// What the given edits add together to the features of a face with these landmarks, on the face that
    /// [`Self::layout`] says second, shaped as [`change_shape`](crate::config::ModelConfig::change_shape) says. `None` for
    /// nothing.
    ///
    /// Into the finished picture goes only what edits add that are moved up: the opposite of a fine line is a line, too.
    /// Under its cover, each of them draws alone: lips of another edit would tint the teeth. Where covers meet, that of
    /// the direction which the manifest lists first lies on top.
    ///
    /// # Errors
    /// [`EditError`] names the edit.
    pub fn changes(
        &self,
        strengths: &[(&str, f32)],
        landmarks: Option<&Landmarks>,
    ) -> Result<Option<Plans<Vec<f32>>>, EditError> {
        let turn = landmarks.map_or(0.0, turn).abs();
        let sum = |least: f32| {
            let faded = |slider: &Slider, strength: f32| slider.faded(strength.max(least), turn);
            self.total(strengths, |slider| slider.change.as_deref(), faded)
        };
        let Some(feature) = sum(f32::NEG_INFINITY)? else {
            return Ok(None);
        };
        let covering = self.draws_covers.then(|| {
            let layers = self.names.iter().filter_map(|name| {
                let slider = self.sliders.get(name)?;
                let (plan, (cover, _)) = slider.change.as_ref().zip(slider.cover.as_ref())?;
                let own = strengths.iter().filter(|(known, _)| known == name);
                let strength: f32 = own.map(|(_, strength)| strength).sum();
                let amount = slider.faded(strength.max(0.0), turn);
                let opacity = slider.opacity(strength, landmarks);
                (amount > 0.0).then(|| (scaled(plan, amount), scaled(cover, opacity)))
            });
            layered(&layers.collect::<Vec<_>>())
        });
        Ok(Some(Plans::new(feature, sum(0.0)?, covering.flatten())))
    }

    /// How opaque what the given edits draw over a face with these landmarks is, laid out like changes:
    /// values row by row, 1 and above for wholly. `None` where they keep all pixels of a photo.
    ///
    /// # Errors
    /// [`EditError`] names the edit.
    pub fn cover(
        &self,
        strengths: &[(&str, f32)],
        landmarks: Option<&Landmarks>,
    ) -> Result<Option<Vec<f32>>, EditError> {
        self.total(
            strengths,
            |slider| slider.cover.as_ref().map(|(cover, _)| &cover[..]),
            |slider, strength| slider.opacity(strength, landmarks),
        )
    }

    /// The sum of what the sliders bring of one kind, each as often as `amount` makes of its strength.
    fn total(
        &self,
        strengths: &[(&str, f32)],
        part: impl Fn(&Slider) -> Option<&[f32]>,
        amount: impl Fn(&Slider, f32) -> f32,
    ) -> Result<Option<Vec<f32>>, EditError> {
        let mut total: Option<Vec<f32>> = None;
        for &(name, strength) in strengths {
            let slider = self.slider(name, strength)?;
            let amount = amount(slider, strength);
            let Some(part) = part(slider).filter(|_| amount != 0.0) else {
                continue;
            };
            let total = total.get_or_insert_with(|| vec![0.0; part.len()]);
            for (sum, value) in total.iter_mut().zip(part) {
                *sum += amount * value;
            }
        }
        Ok(total)
    }

    fn slider(&self, name: &str, strength: f32) -> Result<&Slider, EditError> {
        let slider = self.sliders.get(name).ok_or_else(|| EditError::Unknown {
            name: name.to_owned(),
            known: self.names.join(", "),
        })?;
        if !strength.is_finite() {
            return Err(EditError::Strength(name.to_owned()));
        }
        Ok(slider)
    }
}

/// What strength 1 of a direction adds.
#[derive(Clone, Debug, PartialEq)]
pub struct Offset {
    /// To the codes: one row for all styles, one for every style of the model, or none.
    pub rows: Vec<f32>,
    /// The styles that these change.
    pub styles: Range<usize>,
    /// To all style channels.
    pub channels: Option<Vec<f32>>,
}

impl Offset {
    /// `codes`, rows of `style_dim` values, with `strength` times this added.
    pub fn added(&self, codes: &[f32], strength: f32, style_dim: usize) -> EditedCodes {
        let mut rows = codes.to_vec();
        add_rows(&mut rows, &self.rows, &self.styles, strength, style_dim);
        let channels = self.channels.as_ref();
        EditedCodes {
            rows,
            channel_offsets: channels.map(|channels| scaled(channels, strength)),
        }
    }
}

/// The codes of a face, as sliders leave them.
#[derive(Clone, Debug, PartialEq)]
pub struct EditedCodes {
    /// W+ codes, rows of `style_dim` values.
    pub rows: Vec<f32>,
    /// What is added to the style channels; see [`Codes::channel_offsets`].
    pub channel_offsets: Option<Vec<f32>>,
}

impl EditedCodes {
    /// For the networks of a model.
    pub fn on(self, sdic: &Sdic) -> Codes {
        let config = sdic.config();
        let shape = [1, config.styles(), config.style_dim];
        Codes {
            plus: BurnTensor::from_data(TensorData::new(self.rows, shape), &sdic.device()),
            channel_offsets: self.channel_offsets,
        }
    }
}

impl From<Vec<f32>> for EditedCodes {
    /// Of codes that no slider has changed.
    fn from(rows: Vec<f32>) -> Self {
        Self {
            rows,
            channel_offsets: None,
        }
    }
}

fn scaled(values: &[f32], factor: f32) -> Vec<f32> {
    values.iter().map(|value| factor * value).collect()
}

/// The amount of what a slider brings whole on every face.
fn as_asked(_: &Slider, strength: f32) -> f32 {
    strength
}

/// How much of an edit a face shows, 0..=1; 0 where its landmarks do not tell.
fn shown_share(shown: &Shown, landmarks: &Landmarks) -> f32 {
    let [a, b] = shown.landmarks;
    let between_eyes = distance(middle(landmarks, LEFT_EYE), middle(landmarks, RIGHT_EYE));
    share_of(
        shown.range,
        distance(landmarks[a], landmarks[b]) / between_eyes,
    )
}

/// How far a head is turned, see [`Direction::turned`]: above 0 to the right of the picture.
fn turn(landmarks: &Landmarks) -> f32 {
    let [left, right] = [LEFT_EYE, RIGHT_EYE].map(|eye| middle(landmarks, eye));
    let aside = landmarks[NOSE_TIP][0] - (left[0] + right[0]) / 2.0;
    aside / distance(left, right)
}

/// Where a value lies between two, 0..=1; 0 for what is no number.
fn share_of([low, high]: [f32; 2], value: f32) -> f32 {
    let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
    if share.is_finite() { share } else { 0.0 }
}

fn distance([ax, ay]: Point, [bx, by]: Point) -> f32 {
    (ax - bx).hypot(ay - by)
}

fn middle(landmarks: &Landmarks, part: Range<usize>) -> Point {
    let count = part.len() as f32;
    [0, 1].map(|axis| {
        let values = landmarks[part.clone()].iter().map(|point| point[axis]);
        values.sum::<f32>() / count
    })
}

/// A strength for a face that shows `share` of the strength `most` already.
fn beyond_shown(strength: f32, share: f32, most: f32) -> f32 {
    if strength > 0.0 {
        (strength - share * most).max(0.0)
    } else {
        strength
    }
}

/// The values of a tensor that a manifest names.
fn values_of(
    name: Option<&String>,
    tensors: &HashMap<String, Tensor>,
) -> Result<Option<Vec<f32>>, EditError> {
    let values = |name: &String| tensors.get(name).map(|tensor| tensor.values.clone());
    name.map(|name| values(name).ok_or_else(|| EditError::Tensor(name.clone())))
        .transpose()
}

fn landmarks_of(
    name: Option<&String>,
    tensors: &HashMap<String, Tensor>,
) -> Result<Option<Landmarks>, EditError> {
    Ok(values_of(name, tensors)?.as_deref().map(landmarks))
}

/// Rows of a `[68, 2]` tensor; [`check_manifest`] has seen to its shape.
fn landmarks(values: &[f32]) -> Landmarks {
    let mut rows = values.as_chunks::<2>().0.iter().copied();
    std::array::from_fn(|_| rows.next().unwrap_or_default())
}

/// What strength 1 of a direction adds to codes.
fn slider_rows(
    direction: &Direction,
    tensors: &HashMap<String, Tensor>,
    style_dim: usize,
) -> Result<Vec<f32>, EditError> {
    let values = |name: String| {
        tensors
            .get(&name)
            .map(|tensor| tensor.values.as_slice())
            .ok_or(EditError::Tensor(name))
    };
    match &direction.kind {
        DirectionKind::Linear { tensor } => Ok(values(tensor.clone())?.to_vec()),
        DirectionKind::StyleSpace { .. } => Ok(Vec::new()),
        DirectionKind::Ganspace { basis, component } => {
            let name = format!("{basis}.comp");
            let axis = values(name.clone())?
                .chunks_exact(style_dim)
                .nth(*component)
                .ok_or(EditError::Tensor(name))?;
            let name = format!("{basis}.std");
            let deviation = *values(name.clone())?
                .get(*component)
                .ok_or(EditError::Tensor(name))?;
            Ok(axis.iter().map(|value| value * deviation).collect())
        }
    }
}

fn add_rows(
    codes: &mut [f32],
    rows: &[f32],
    styles: &Range<usize>,
    strength: f32,
    style_dim: usize,
) {
    if rows.is_empty() {
        return;
    }
    let shared = rows.len() == style_dim;
    for (style, code) in codes.chunks_exact_mut(style_dim).enumerate() {
        if !styles.contains(&style) {
            continue;
        }
        let from = if shared { 0 } else { style * style_dim };
        for (value, offset) in code.iter_mut().zip(&rows[from..]) {
            *value += strength * offset;
        }
    }
}

/// The reference's GANSpace edit: moves the coordinate along `axis` of style 0 to `strength` standard
/// deviations from `mean` and adds that step to every style in `styles`.
///
/// `codes` are rows of `axis.len()` values.
pub fn ganspace_offset(
    codes: &mut [f32],
    axis: &[f32],
    mean: &[f32],
    deviation: f32,
    styles: Range<usize>,
    strength: f32,
) {
    let coordinate: f32 = codes
        .iter()
        .zip(mean)
        .zip(axis)
        .map(|((code, mean), axis)| (code - mean) * axis)
        .sum();
    let step = (strength - coordinate / deviation) * deviation;
    for (style, code) in codes.chunks_exact_mut(axis.len()).enumerate() {
        if styles.contains(&style) {
            for (value, axis) in code.iter_mut().zip(axis) {
                *value += step * axis;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{config::EditorSizes, testing::models::tiny_with_directions, weights::TensorEntry};

    fn directions() -> Directions {
        let slider = |styles, rows: &[f32], shifts: Option<&[f32]>| Slider {
            styles,
            rows: rows.to_vec(),
            channels: None,
            displacements: shifts.map(|shift| shift.repeat(68)),
            change: shifts.map(<[f32]>::to_vec),
            turned: None,
            shown: None,
            cover: None,
            range: [-4.0, 4.0],
            mean: false,
            seen: false,
        };
        Directions {
            names: vec!["smile".into(), "age".into()],
            sliders: HashMap::from([
                (
                    "smile".into(),
                    slider(1..2, &[1.0, 2.0], Some(&[0.5, -1.0])),
                ),
                (
                    "age".into(),
                    slider(0..3, &[1.0, 0.0, 2.0, 0.0, 3.0, 0.0], None),
                ),
            ]),
            style_dim: 2,
            draws_covers: true,
            ..Directions::default()
        }
    }

    #[test]
    fn shared_and_per_style_vectors_combine() {
        let codes = [0.0; 6];
        let edited = directions().edited_codes(&codes, &[("smile", 2.0), ("age", -1.0)]);
        assert_eq!(edited.unwrap(), vec![-1.0, 0.0, 0.0, 4.0, -3.0, 0.0].into());
    }

    #[test]
    fn shifts_of_style_channels_add_up_beside_the_codes() {
        let mut directions = directions();
        for (name, channels) in [("lips", [1.0, 0.0, 2.0]), ("hair", [0.0, 1.0, 0.5])] {
            let mut slider = directions.sliders["age"].clone();
            slider.rows = Vec::new();
            slider.channels = Some(channels.to_vec());
            directions.sliders.insert(name.into(), slider);
        }
        let edited = |strengths| directions.edited_codes(&[0.0; 6], strengths).unwrap();
        let both = edited(&[("lips", 2.0), ("smile", 1.0), ("hair", -1.0)]);
        assert_eq!(both.rows, [0.0, 0.0, 1.0, 2.0, 0.0, 0.0]);
        assert_eq!(both.channel_offsets, Some(vec![2.0, -1.0, 3.5]));
        assert_eq!(edited(&[("lips", 0.0)]).channel_offsets, None);
        // Their reach is not told by what codes do.
        assert_eq!(directions.length("lips"), None);
        assert!(directions.length("age").is_some());
    }

    #[test]
    fn only_what_nobody_knows_of_a_face_is_looked_at_at_the_end_of_the_range() {
        let mut directions = directions();
        // It brings a change of the features, so it was made together with its motion.
        assert_eq!(directions.look_at("smile", 1.0), None);
        assert_eq!(directions.look_at("age", 0.0), None);
        assert_eq!(directions.look_at("nobody", 1.0), None);
        let mut look_at = |range, strength| {
            directions.sliders.get_mut("age").unwrap().range = range;
            directions.look_at("age", strength)
        };
        assert_eq!(look_at([-2.0, 3.0], 0.1), Some(3.0));
        assert_eq!(look_at([-2.0, 3.0], -0.1), Some(-2.0));
        assert_eq!(look_at([0.0, 3.0], -0.1), Some(-3.0));
        // The mean of a fit is not the motion of a face.
        let age = directions.sliders.get_mut("age").unwrap();
        age.seen = true;
        assert_eq!(directions.look_at("age", 0.1), None);
        let age = directions.sliders.get_mut("age").unwrap();
        (age.displacements, age.mean) = (Some(vec![0.1; 136]), true);
        assert_eq!(directions.look_at("age", 0.1), Some(3.0));
    }

    #[test]
    fn strength_zero_changes_nothing() {
        let codes = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6];
        let edited = directions().edited_codes(&codes, &[("smile", 0.0), ("age", 0.0)]);
        assert_eq!(edited.unwrap(), codes.to_vec().into());
    }

    #[test]
    fn motions_and_changes_add_up_and_rest_without_strength() {
        let total = |strengths: &[(&'static str, f32)]| {
            let directions = directions();
            let displacements = directions.displacements(strengths).unwrap();
            let changes = directions.changes(strengths, None).unwrap();
            (
                displacements,
                changes.map(|changes| changes.feature().clone()),
            )
        };
        assert_eq!(total(&[]), (None, None));
        assert_eq!(total(&[("age", 1.0), ("smile", 0.0)]), (None, None));
        assert_eq!(
            total(&[("smile", 3.0), ("smile", -1.0)]),
            (Some([[1.0, -2.0]; 68]), Some(vec![1.0, -2.0]))
        );
        assert!(directions().changes(&[("simle", 1.0)], None).is_err());
    }

    #[test]
    fn changes_fade_on_turned_heads() {
        let mut directions = directions();
        directions.sliders.get_mut("smile").unwrap().turned = Some([0.2, 0.6]);
        let change = |directions: &Directions, landmarks: Option<&Landmarks>| {
            let changes = directions.changes(&[("smile", 3.0)], landmarks).unwrap();
            changes.map(|changes| changes.feature().clone())
        };
        let plain = change(&directions, None).unwrap();
        for (turn, left) in [
            (0.0, 1.0),
            (0.2, 1.0),
            (0.3, 0.75),
            (0.5, 0.25),
            (-0.5, 0.25),
        ] {
            let mut landmarks = face(1.0);
            landmarks[NOSE_TIP][0] = 0.5 + 0.25 * turn;
            let found = change(&directions, Some(&landmarks)).unwrap();
            for (value, plain) in found.iter().zip(&plain) {
                assert!((value - left * plain).abs() < 1e-5, "{turn}: {value}");
            }
        }
        let mut profile = face(1.0);
        profile[NOSE_TIP][0] = 0.7;
        assert_eq!(change(&directions, Some(&profile)), None);
        // What brings no such turns stays whole, and points that are no face tell nothing.
        directions.sliders.get_mut("smile").unwrap().turned = None;
        let faces = [Some(&profile), Some(&[[0.5; 2]; LANDMARKS])];
        for landmarks in faces {
            assert_eq!(change(&directions, landmarks).as_ref(), Some(&plain));
        }
    }

    /// By what multiples of the plan of "smile", which "age" has as well, each place is drawn.
    #[test]
    fn lines_are_drawn_of_what_goes_up_and_teeth_of_what_brings_a_cover() {
        let mut directions = directions();
        let plan = directions.sliders["smile"].change.clone().unwrap();
        directions.sliders.get_mut("age").unwrap().change = Some(plan.clone());
        directions.sliders.get_mut("smile").unwrap().cover = Some((vec![1.0; 2], None));
        let multiples = |smile, age| {
            let changes = directions.changes(&[("smile", smile), ("age", age)], None);
            let changes = changes.unwrap().unwrap();
            let multiple = |sum: &Vec<f32>| sum[0] / plan[0];
            let places = [
                Some(changes.feature()),
                changes.detail(),
                changes.covering(),
            ];
            places.map(|sum| sum.map(multiple))
        };
        assert_eq!(multiples(2.0, 1.0), [Some(3.0), Some(3.0), Some(2.0)]);
        assert_eq!(multiples(2.0, -1.0), [Some(1.0), Some(2.0), Some(2.0)]);
        assert_eq!(multiples(-2.0, 1.0), [Some(-1.0), Some(1.0), None]);
        assert_eq!(multiples(-2.0, -1.0), [Some(-3.0), None, None]);
        assert_eq!(multiples(0.0, 1.0), [Some(1.0), Some(1.0), None]);
        directions.draws_covers = false;
        let changes = directions.changes(&[("smile", 2.0)], None).unwrap();
        assert!(changes.unwrap().covering().is_none());
    }

    /// Whatever the order in which strengths are given.
    #[test]
    fn where_covers_meet_the_first_slider_of_the_manifest_is_on_top() {
        let mut directions = directions();
        directions.sliders.get_mut("smile").unwrap().cover = Some((vec![0.5, 0.0], None));
        let age = directions.sliders.get_mut("age").unwrap();
        (age.change, age.cover) = (Some(vec![8.0, 8.0]), Some((vec![1.0, 1.0], None)));
        for strengths in [
            [("smile", 1.0), ("age", 1.0)],
            [("age", 1.0), ("smile", 1.0)],
        ] {
            let changes = directions.changes(&strengths, None).unwrap().unwrap();
            let [half, age] = changes.covering().unwrap()[..] else {
                panic!()
            };
            // Half of 0.5 and half of 8, and where the smile has no cover, 8 alone.
            assert!(
                (half - 4.25).abs() < 1e-4 && (age - 8.0).abs() < 1e-4,
                "{half} {age}"
            );
        }
    }

    #[test]
    fn faces_keep_what_they_show_of_a_cover() {
        let mut directions = directions();
        let shown = Shown {
            landmarks: [48, 54],
            range: [0.5, 1.5],
        };
        directions.sliders.get_mut("smile").unwrap().cover = Some((vec![1.0, 0.5], Some(shown)));
        let cover = |strength, wide: Option<f32>| {
            let strengths = [("smile", strength), ("age", 2.0)];
            let landmarks = wide.map(face);
            directions.cover(&strengths, landmarks.as_ref()).unwrap()
        };
        assert_eq!(cover(3.0, None), Some(vec![3.0, 1.5]));
        assert_eq!(cover(3.0, Some(0.5)), Some(vec![3.0, 1.5]));
        let half = cover(3.0, Some(1.0)).unwrap();
        assert!(
            (half[0] - 1.5).abs() < 1e-5 && (half[1] - 0.75).abs() < 1e-5,
            "{half:?}"
        );
        for (strength, wide) in [(3.0, Some(1.75)), (-1.0, None), (0.0, None)] {
            assert_eq!(cover(strength, wide), None);
        }
    }

    /// A face with eyes 0.25 apart and the corners of its mouth, landmarks 48 and 54, `wide` such distances.
    fn face(wide: f32) -> Landmarks {
        std::array::from_fn(|i| match i {
            36..42 => [0.375, 0.4],
            42..48 => [0.625, 0.4],
            54 => [0.4 + 0.25 * wide, 0.7],
            _ => [0.4, 0.7],
        })
    }

    #[test]
    fn what_a_face_shows_already_is_not_added_again() {
        let mut directions = directions();
        directions.sliders.get_mut("smile").unwrap().shown = Some(Shown {
            landmarks: [48, 54],
            range: [0.75, 1.25],
        });
        let effective = |wide: Option<f32>, strengths: &[(&'static str, f32)]| {
            let landmarks = wide.map(face);
            let found = directions.effective(strengths.iter().copied(), landmarks.as_ref());
            found.unwrap()
        };
        // The slider goes up to 4; half the way from 0.75 to 1.25 is worth 2.
        for (wide, strength, expected) in [
            (0.5, 3.0, 3.0),
            (0.75, 3.0, 3.0),
            (1.0, 3.0, 1.0),
            (1.0, 4.0, 2.0),
            (1.0, 1.5, 0.0),
            (1.25, 4.0, 0.0),
            (2.0, 5.0, 1.0),
            (1.25, 0.0, 0.0),
            (1.25, -3.0, -3.0),
        ] {
            let found = effective(Some(wide), &[("smile", strength), ("age", strength)]);
            assert_eq!(found.len(), 2);
            assert!(
                (found[0].1 - expected).abs() < 1e-5,
                "{wide} {strength} {found:?}"
            );
            assert_eq!(found[1], ("age", strength));
        }
        assert_eq!(effective(None, &[("smile", 3.0)]), [("smile", 3.0)]);
        // Strengths of one name count together.
        let twice = effective(Some(1.0), &[("smile", 1.5), ("age", 1.0), ("smile", 1.5)]);
        assert!((twice[0].1 - 1.0).abs() < 1e-5);
        assert_eq!(twice[1..], [("age", 1.0)]);
        // Points that are no face tell nothing.
        let point = [[0.5; 2]; 68];
        let found = directions.effective([("smile", 3.0)], Some(&point));
        assert_eq!(found.unwrap(), [("smile", 3.0)]);
        assert!(directions.effective([("simle", 1.0)], None).is_err());
        assert!(directions.effective([("smile", f32::NAN)], None).is_err());
    }

    #[test]
    fn unknown_names_and_bad_numbers_are_named() {
        let codes = [0.0; 6];
        let error = directions()
            .edited_codes(&codes, &[("simle", 1.0)])
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "this model has no edit called \"simle\"; it has: smile, age"
        );
        let error = directions()
            .edited_codes(&codes, &[("age", f32::NAN)])
            .unwrap_err();
        assert_eq!(error, EditError::Strength("age".into()));
    }

    #[test]
    fn the_reference_edit_moves_the_coordinate_to_the_strength() {
        let (axis, mean, deviation) = ([0.6, 0.8], [0.5, -0.5], 2.0);
        let mut codes = vec![1.0, 3.0, 1.0, 3.0];
        ganspace_offset(&mut codes, &axis, &mean, deviation, 0..1, 5.0);
        let coordinate: f32 = (0..2).map(|i| (codes[i] - mean[i]) * axis[i]).sum();
        assert!((coordinate / deviation - 5.0).abs() < 1e-5);
        assert_eq!(codes[2..], [1.0, 3.0]);
    }

    /// Why a manifest is refused.
    fn refusal(json: &Value) -> String {
        let manifest = Manifest::parse(&serde_json::to_vec(json).unwrap()).unwrap();
        check_manifest(&manifest).unwrap_err().to_string()
    }

    #[test]
    fn the_tensor_table_is_that_of_the_networks() {
        let (manifest, _) = tiny_with_directions();
        type Case = (fn(&mut Value), &'static str);
        let cases: [Case; 2] = [
            (
                |j| j["tensors"][3]["shape"] = json!([3]),
                "\"encoder.input_layer.1.running_mean\" has shape [3] instead of [2]",
            ),
            (
                |j| j["tensors"][3]["name"] = json!("encoder.new"),
                "missing: encoder.input_layer.1.running_mean; used by no network or direction: encoder.new",
            ),
        ];
        for (change, part) in cases {
            let mut json = serde_json::to_value(&manifest).unwrap();
            change(&mut json);
            let error = refusal(&json);
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn what_directions_ask_of_faces_is_checked() {
        let (manifest, _) = tiny_with_directions();
        check_manifest(&manifest).unwrap();
        type Case = (fn(&mut Value), &'static str);
        let cases: [Case; 10] = [
            (
                |d| d[0]["shown"] = json!({"points": [48, 48], "range": [0.5, 1]}),
                "shown.points [48, 48] must be two different ones below 68",
            ),
            (
                |d| d[0]["shown"] = json!({"points": [48, 68], "range": [0.5, 1]}),
                "shown.points [48, 68] must be two different ones below 68",
            ),
            (
                |d| d[0]["shown"] = json!({"points": [48, 54], "range": [1, 1]}),
                "shown.range [1, 1] must be finite, the smaller first",
            ),
            (
                |d| d[0]["motion"] = json!("directions.frown"),
                "\"directions.frown\" is not in the tensor table",
            ),
            (
                |d| d[0]["motion"] = json!("ganspace.std"),
                "has shape [3] instead of [68, 2]",
            ),
            (
                |d| d[0]["change"] = json!("directions.smile.motion"),
                "has shape [68, 2] instead of [4, 8, 8]",
            ),
            (
                |d| d[0]["turned"] = json!([-0.1, 0.5]),
                "turned [-0.1, 0.5] must be finite and not negative, the smaller first",
            ),
            (
                |d| d[0]["turned"] = json!([0.5, 0.5]),
                "turned [0.5, 0.5] must be finite and not negative, the smaller first",
            ),
            (
                |d| d[0]["cover"] = json!({"tensor": "directions.smile.motion"}),
                "has shape [68, 2] instead of [16, 16]",
            ),
            (
                |d| {
                    let shown = json!({"points": [62, 66], "range": [1, 0]});
                    d[0]["cover"] = json!({"tensor": "directions.smile.motion", "shown": shown});
                },
                "shown.range [1, 0] must be finite, the smaller first",
            ),
        ];
        for (change, part) in cases {
            let mut json = serde_json::to_value(&manifest).unwrap();
            change(&mut json["directions"]);
            let error = refusal(&json);
            assert!(error.contains(part), "{error}");
        }
        let mean = manifest.face_shape.as_deref();
        for (face, plan, part) in [
            (None, None, "needs the manifest's \"face_shape\""),
            (None, mean, "needs the manifest's \"face_shape\""),
            (
                Some("nowhere"),
                None,
                "face_shape: \"nowhere\" is not in the tensor table",
            ),
            (
                mean,
                Some("nowhere"),
                "plan_shape: \"nowhere\" is not in the tensor table",
            ),
            (
                Some("ganspace.std"),
                None,
                "has shape [3] instead of [68, 2]",
            ),
        ] {
            let mut changed = manifest.clone();
            (changed.face_shape, changed.plan_shape) =
                (face.map(str::to_owned), plan.map(str::to_owned));
            let error = check_manifest(&changed).expect_err(part).to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_feature_editor_takes_plans_and_needs_its_tensors() {
        let (mut manifest, _) = tiny_with_directions();
        manifest.directions[0].shown = Some(Shown {
            landmarks: [48, 54],
            range: [0.8, 1.2],
        });
        let parsed = Manifest::parse(&manifest.to_json().unwrap()).unwrap();
        assert_eq!(parsed, manifest);

        for (fold, side) in [(2, 16), (1, 8)] {
            let (width, plan) = (3, 2);
            manifest.config.editor = Some(EditorSizes {
                width,
                plan,
                fold,
                detail: 0,
                covering: 0,
            });
            let error = check_manifest(&manifest).unwrap_err().to_string();
            let expected = format!(
                "\"directions.smile.change\" has shape [4, 8, 8] instead of [2, {side}, {side}]"
            );
            assert!(error.contains(&expected), "{error}");
        }
        let change = |tensor: &&mut TensorEntry| tensor.name == "directions.smile.change";
        manifest.tensors.iter_mut().find(change).unwrap().shape = vec![2, 8, 8];
        let error = check_manifest(&manifest).unwrap_err();
        let WeightsError::Layout { missing, unused } = &error else {
            panic!("{error}");
        };
        let names =
            ["context", "gate1", "gate2"].map(|layer| format!("feature_editor.{layer}.bias"));
        assert!(names.iter().all(|name| missing.contains(name)));
        assert_eq!((missing.len(), unused.len()), (9, 0));
        // The weights of a model that has one are of no use to a model without.
        let (mut manifest, _) = tiny_with_directions();
        manifest.tensors[0].name = "feature_editor.mix.weight".to_owned();
        let error = check_manifest(&manifest).unwrap_err().to_string();
        assert!(error.contains("feature_editor.mix.weight"), "{error}");
    }
}
