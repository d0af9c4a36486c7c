//! Edits as shifts of W+ codes.
//!
//! A slider adds `strength * vector` to a range of styles: InterFaceGAN directions (Shen et al., CVPR 2020)
//! and SeFa ones (Shen and Zhou, CVPR 2021) bring the vector itself; a GANSpace component (Härkönen et al.,
//! NeurIPS 2020) brings a principal axis times its standard deviation, so that the strength counts standard
//! deviations *from where the photo is* and 0 changes nothing. The reference implementation instead moves the
//! coordinate *to* the strength; [`ganspace_shift`] computes that.
//!
//! A direction may bring two things besides: a motion, by which the points of the face go along with the edit, and a
//! change of the features at the injection layer, laid out on a face of average shape and carried from there to any
//! face. And it may tell how much of the edit a face shows already, so that a face which smiles does not smile twice.

use std::{collections::HashMap, ops::Range};

use thiserror::Error;

use crate::{
    face::Point,
    motion::{FacePoints, LEFT_EYE, RIGHT_EYE},
    weights::{Direction, DirectionKind, Manifest, Shown, Tensor},
};

/// Why a set of strengths cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EditError {
    /// A name that the model does not offer.
    #[error("this model has no edit called \"{name}\"; it has: {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// All names, comma-separated.
        known: String,
    },
    /// A strength that is not a finite number.
    #[error("the strength of \"{0}\" is not a finite number")]
    Strength(String),
    /// A direction whose tensor is not in the weights.
    #[error("the tensor \"{0}\" of a direction is missing; import the weights again")]
    Tensor(String),
}

/// One slider: what strength 1 adds to some styles.
#[derive(Clone, Debug)]
struct Slider {
    styles: Range<usize>,
    /// One vector for all styles, or one per style of the model: rows of `style_dim` values.
    rows: Vec<f32>,
    /// `[68, 2]`, see [`Direction::motion`].
    motion: Option<Vec<f32>>,
    /// `[channels, inject_size, inject_size]`, see [`Direction::change`].
    change: Option<Vec<f32>>,
    /// See [`Direction::shown`].
    shown: Option<Shown>,
    /// Upper end of the strengths offered.
    most: f32,
}

/// All edits of a model.
#[derive(Clone, Debug, Default)]
pub struct Directions {
    names: Vec<String>,
    sliders: HashMap<String, Slider>,
    style_dim: usize,
    face_shape: Option<FacePoints>,
}

impl Directions {
    /// Reads the directions that `manifest` lists from the tensors it names.
    ///
    /// # Errors
    /// [`EditError::Tensor`] if one is missing or too short.
    pub fn new(manifest: &Manifest, tensors: &HashMap<String, Tensor>) -> Result<Self, EditError> {
        let mut directions = Self {
            style_dim: manifest.config.style_dim,
            face_shape: values_of(manifest.face_shape.as_ref(), tensors)?
                .as_deref()
                .map(points),
            ..Self::default()
        };
        for direction in &manifest.directions {
            directions.insert(direction, tensors)?;
        }
        Ok(directions)
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
        let rows = slider_rows(direction, tensors, self.style_dim)?;
        let [first, end] = direction.styles;
        let slider = Slider {
            styles: first..end,
            rows,
            motion: values_of(direction.motion.as_ref(), tensors)?,
            change: values_of(direction.change.as_ref(), tensors)?,
            shown: direction.shown,
            most: direction.range[1],
        };
        let name = direction.name.clone();
        if self.sliders.insert(name.clone(), slider).is_none() {
            self.names.push(name);
        }
        Ok(())
    }

    /// How much a direction changes: the length of what strength 1 adds to a style, as the root mean square over the
    /// styles. `None` for a name that there is not.
    pub fn length(&self, name: &str) -> Option<f32> {
        let Slider { rows, .. } = self.sliders.get(name)?;
        let squares: f32 = rows.iter().map(|value| value * value).sum();
        Some((squares * self.style_dim as f32 / rows.len() as f32).sqrt())
    }

    /// The strengths that take a face with the given points where the given ones would take a face that shows nothing
    /// of the edits yet: strengths of the same name added up, and from those above 0 what the face shows already
    /// taken away, as far as 0. Without points, and for edits that do not tell, strengths stay as they are.
    ///
    /// # Errors
    /// [`EditError`] names the edit.
    pub fn effective<'a>(
        &self,
        strengths: impl IntoIterator<Item = (&'a str, f32)>,
        points: Option<&FacePoints>,
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
            let Slider { shown, most, .. } = self.slider(name, *strength)?;
            if let (Some(shown), Some(points)) = (shown, points) {
                *strength = beyond_shown(*strength, shown_share(shown, points), *most);
            }
        }
        Ok(effective)
    }

    /// Adds the given edits to `codes`, rows of `style_dim` values; strengths of the same name add up.
    ///
    /// # Errors
    /// [`EditError`] names the edit.
    pub fn apply<'a>(
        &self,
        codes: &[f32],
        strengths: impl IntoIterator<Item = (&'a str, f32)>,
    ) -> Result<Vec<f32>, EditError> {
        let mut codes = codes.to_vec();
        for (name, strength) in strengths {
            add_rows(
                &mut codes,
                self.slider(name, strength)?,
                strength,
                self.style_dim,
            );
        }
        Ok(codes)
    }

    /// The face on which changes are laid out, if this model has any.
    pub fn face_shape(&self) -> Option<&FacePoints> {
        self.face_shape.as_ref()
    }

    /// How far the given edits move the points of a face together. `None` if nothing moves.
    ///
    /// # Errors
    /// [`EditError`] names the edit.
    pub fn motion<'a>(
        &self,
        strengths: impl IntoIterator<Item = (&'a str, f32)>,
    ) -> Result<Option<FacePoints>, EditError> {
        let total = self.total(strengths, |slider| slider.motion.as_deref())?;
        Ok(total.as_deref().map(points))
    }

    /// What the given edits add together to the features of the face of [`Self::face_shape`],
    /// `[channels, inject_size, inject_size]`. `None` for nothing.
    ///
    /// # Errors
    /// [`EditError`] names the edit.
    pub fn change<'a>(
        &self,
        strengths: impl IntoIterator<Item = (&'a str, f32)>,
    ) -> Result<Option<Vec<f32>>, EditError> {
        self.total(strengths, |slider| slider.change.as_deref())
    }

    /// The sum of what the sliders bring of one kind, by strength.
    fn total<'a>(
        &self,
        strengths: impl IntoIterator<Item = (&'a str, f32)>,
        part: impl Fn(&Slider) -> Option<&[f32]>,
    ) -> Result<Option<Vec<f32>>, EditError> {
        let mut total: Option<Vec<f32>> = None;
        for (name, strength) in strengths {
            let slider = self.slider(name, strength)?;
            let Some(part) = part(slider).filter(|_| strength != 0.0) else {
                continue;
            };
            let total = total.get_or_insert_with(|| vec![0.0; part.len()]);
            for (sum, value) in total.iter_mut().zip(part) {
                *sum += strength * value;
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

/// How much of an edit a face shows, 0..=1; 0 where its points do not tell.
fn shown_share(shown: &Shown, points: &FacePoints) -> f32 {
    let distance = |[ax, ay]: Point, [bx, by]: Point| (ax - bx).hypot(ay - by);
    let middle = |eye: Range<usize>| {
        let count = eye.len() as f32;
        [0, 1].map(|axis| points[eye.clone()].iter().map(|p| p[axis]).sum::<f32>() / count)
    };
    let ([a, b], [low, high]) = (shown.points, shown.range);
    let between_eyes = distance(middle(LEFT_EYE), middle(RIGHT_EYE));
    let distance = distance(points[a], points[b]) / between_eyes;
    let share = ((distance - low) / (high - low)).clamp(0.0, 1.0);
    if share.is_finite() { share } else { 0.0 }
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

/// Rows of a `[68, 2]` tensor; the manifest's checks have seen to its shape.
fn points(values: &[f32]) -> FacePoints {
    let mut rows = values.as_chunks::<2>().0.iter().copied();
    std::array::from_fn(|_| rows.next().unwrap_or_default())
}

/// What strength 1 of a direction adds.
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

fn add_rows(codes: &mut [f32], slider: &Slider, strength: f32, style_dim: usize) {
    let Slider { styles, rows, .. } = slider;
    let shared = rows.len() == style_dim;
    for (style, code) in codes.chunks_exact_mut(style_dim).enumerate() {
        if !styles.contains(&style) {
            continue;
        }
        let from = if shared { 0 } else { style * style_dim };
        for (value, shift) in code.iter_mut().zip(&rows[from..]) {
            *value += strength * shift;
        }
    }
}

/// The reference's GANSpace edit: moves the coordinate along `axis` of style 0 to `strength` standard
/// deviations from `mean` and adds that step to every style in `styles`.
///
/// `codes` are rows of `axis.len()` values.
pub fn ganspace_shift(
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
    use super::*;

    fn directions() -> Directions {
        let slider = |styles, rows: &[f32], motion: Option<&[f32]>| Slider {
            styles,
            rows: rows.to_vec(),
            motion: motion.map(|shift| shift.repeat(68)),
            change: motion.map(<[f32]>::to_vec),
            shown: None,
            most: 4.0,
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
            face_shape: None,
        }
    }

    #[test]
    fn shared_and_per_style_vectors_combine() {
        let codes = [0.0; 6];
        let edited = directions().apply(&codes, [("smile", 2.0), ("age", -1.0)]);
        assert_eq!(edited.unwrap(), [-1.0, 0.0, 0.0, 4.0, -3.0, 0.0]);
    }

    #[test]
    fn strength_zero_changes_nothing() {
        let codes = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6];
        let edited = directions().apply(&codes, [("smile", 0.0), ("age", 0.0)]);
        assert_eq!(edited.unwrap(), codes);
    }

    #[test]
    fn motions_and_changes_add_up_and_rest_without_strength() {
        let total = |strengths: &[(&'static str, f32)]| {
            let directions = directions();
            let motion = directions.motion(strengths.iter().copied()).unwrap();
            (
                motion,
                directions.change(strengths.iter().copied()).unwrap(),
            )
        };
        assert_eq!(total(&[]), (None, None));
        assert_eq!(total(&[("age", 1.0), ("smile", 0.0)]), (None, None));
        assert_eq!(
            total(&[("smile", 3.0), ("smile", -1.0)]),
            (Some([[1.0, -2.0]; 68]), Some(vec![1.0, -2.0]))
        );
        assert!(directions().change([("simle", 1.0)]).is_err());
    }

    /// A face with eyes 0.25 apart and the corners of its mouth, points 48 and 54, `wide` such distances.
    fn face(wide: f32) -> FacePoints {
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
            points: [48, 54],
            range: [0.75, 1.25],
        });
        let effective = |wide: Option<f32>, strengths: &[(&'static str, f32)]| {
            let points = wide.map(face);
            let found = directions.effective(strengths.iter().copied(), points.as_ref());
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
        let error = directions().apply(&codes, [("simle", 1.0)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "this model has no edit called \"simle\"; it has: smile, age"
        );
        let error = directions().apply(&codes, [("age", f32::NAN)]).unwrap_err();
        assert_eq!(error, EditError::Strength("age".into()));
    }

    #[test]
    fn the_reference_edit_moves_the_coordinate_to_the_strength() {
        let (axis, mean, deviation) = ([0.6, 0.8], [0.5, -0.5], 2.0);
        let mut codes = vec![1.0, 3.0, 1.0, 3.0];
        ganspace_shift(&mut codes, &axis, &mean, deviation, 0..1, 5.0);
        let coordinate: f32 = (0..2).map(|i| (codes[i] - mean[i]) * axis[i]).sum();
        assert!((coordinate / deviation - 5.0).abs() < 1e-5);
        assert_eq!(codes[2..], [1.0, 3.0]);
    }
}
