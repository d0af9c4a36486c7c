//! Holds back what would tear a face: of a head that is turned away, a further turn would show what the photo lacks.

use super::{directions::Directions, error::EditError, motion::Fields};
use crate::face::Landmarks;

/// How finely shares are told apart: halvings of the whole.
const HALVINGS: u32 = 6;

/// What is left of an edit's motion.
#[derive(Default)]
pub struct Held {
    /// How the face moves; `None` if it does not.
    pub fields: Option<Fields>,
    /// What was reduced, and the share that is left of it.
    pub shares: Vec<(String, f32)>,
}

/// Reduces the strengths that move a face to what it takes. Each is reduced as if it were alone, and where they are too
/// much together, all are.
///
/// # Errors
/// [`EditError`] for an unknown edit or unusable landmarks.
pub fn hold_back(
    directions: &Directions,
    landmarks: Option<&Landmarks>,
    strengths: &mut [(&str, f32)],
) -> Result<Held, EditError> {
    let fields = |strengths: &[(&str, f32)]| fields_of(directions, landmarks, strengths);
    let takes = |strengths: &[(&str, f32)]| Ok(fields(strengths)?.is_none_or(|f| f.hold()));
    let asked = fields(strengths)?;
    if asked.as_ref().is_none_or(Fields::hold) {
        return Ok(Held {
            fields: asked,
            ..Held::default()
        });
    }
    let mut alone = Vec::new();
    for slider in strengths.iter_mut() {
        let share = largest_share(|share| takes(&scaled(&[*slider], share)))?;
        slider.1 *= share;
        alone.push(share);
    }
    let together = largest_share(|share| takes(&scaled(strengths, share)))?;
    let mut shares = Vec::new();
    for ((name, strength), share) in strengths.iter_mut().zip(alone) {
        let moves = directions.displacements(&[(name, 1.0)])?.is_some();
        if moves {
            *strength *= together;
        }
        if moves && share * together < 1.0 {
            shares.push(((*name).to_owned(), share * together));
        }
    }
    Ok(Held {
        fields: fields(strengths)?,
        shares,
    })
}

/// The share of some displacements that a face with these landmarks takes, and how it moves then.
///
/// # Errors
/// [`EditError::Landmarks`] for unusable ones.
pub fn share_that_holds(
    landmarks: &Landmarks,
    displacements: &Landmarks,
    shape: &Landmarks,
) -> Result<(f32, Fields), EditError> {
    let fields = |share: f32| {
        let displacements =
            displacements.map(|displacement| displacement.map(|value| share * value));
        Fields::new(landmarks, Some(&displacements), shape).ok_or(EditError::Landmarks)
    };
    let asked = fields(1.0)?;
    if asked.hold() {
        return Ok((1.0, asked));
    }
    let share = largest_share(|share| Ok(fields(share)?.hold()))?;
    Ok((share, fields(share)?))
}

/// How the strengths move a face, if they do.
fn fields_of(
    directions: &Directions,
    landmarks: Option<&Landmarks>,
    strengths: &[(&str, f32)],
) -> Result<Option<Fields>, EditError> {
    let displacements = directions.displacements(strengths)?;
    let Some(((face, layout), displacements)) = directions.layout(landmarks).zip(displacements)
    else {
        return Ok(None);
    };
    let fields = Fields::new(face, Some(&displacements), layout);
    fields.ok_or(EditError::Landmarks).map(Some)
}

/// The strengths at a share of what they are.
fn scaled<'s>(strengths: &[(&'s str, f32)], share: f32) -> Vec<(&'s str, f32)> {
    let scale = |&(name, strength): &(&'s str, f32)| (name, share * strength);
    strengths.iter().map(scale).collect()
}

/// The largest share at which something holds that holds at 0.
fn largest_share<E>(mut holds: impl FnMut(f32) -> Result<bool, E>) -> Result<f32, E> {
    if holds(1.0)? {
        return Ok(1.0);
    }
    let (mut known, mut step) = (0.0, 0.5);
    for _ in 0..HALVINGS {
        if holds(known + step)? {
            known += step;
        }
        step /= 2.0;
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        face::LANDMARKS,
        weights::{Manifest, WeightsDir},
    };

    /// The bundled model's sliders.
    fn bundled() -> (Manifest, Directions) {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights");
        let dir = WeightsDir::open(dir).unwrap();
        let manifest = dir.manifest();
        let tensors = (0..manifest.shards.len()).flat_map(|i| dir.read_shard(i).unwrap());
        let tensors = tensors
            .map(|tensor| (tensor.name.clone(), tensor))
            .collect();
        (
            manifest.clone(),
            Directions::new(manifest, &tensors).unwrap(),
        )
    }

    /// The average face turned to its right: its right half is narrow, and its nose stands out over it.
    fn turned_away(directions: &Directions) -> Landmarks {
        let face = directions.face_shape().unwrap();
        let middle = face[33][0];
        std::array::from_fn(|i| {
            let [x, y] = face[i];
            let depth = if (27..36).contains(&i) { 0.06 } else { 0.0 };
            let across = if x < middle { 0.35 } else { 1.0 };
            [middle + across * (x - middle) - depth, y]
        })
    }

    fn takes(directions: &Directions, face: &Landmarks, strengths: &[(&str, f32)]) -> bool {
        let fields = fields_of(directions, Some(face), strengths).unwrap();
        fields.is_none_or(|fields| fields.hold())
    }

    #[test]
    fn a_face_from_the_front_takes_every_slider() {
        let (manifest, directions) = bundled();
        for direction in &manifest.directions {
            for end in direction.range {
                let mut strengths = [(direction.name.as_str(), end)];
                let held = hold_back(&directions, None, &mut strengths).unwrap().shares;
                assert_eq!(held, [], "{} {end}", direction.name);
                assert_eq!(strengths[0].1, end);
            }
        }
    }

    #[test]
    fn a_head_that_is_turned_away_is_not_torn() {
        let (manifest, directions) = bundled();
        let face = turned_away(&directions);
        let range = |name: &str| {
            manifest
                .directions
                .iter()
                .find(|d| d.name == name)
                .unwrap()
                .range
        };
        for turn in range("yaw") {
            let asked = [("smile", 1.0), ("yaw", turn), ("light-hair", 1.0)];
            assert!(!takes(&directions, &face, &asked));
            let mut strengths = asked;
            let held = hold_back(&directions, Some(&face), &mut strengths)
                .unwrap()
                .shares;
            assert!(takes(&directions, &face, &strengths));
            let [(_, share)] = held
                .iter()
                .filter(|(name, _)| name == "yaw")
                .collect::<Vec<_>>()[..]
            else {
                panic!("yaw is not held: {held:?}");
            };
            assert!((0.05..0.95).contains(share), "{share}");
            assert_eq!(strengths[1], ("yaw", share * turn));
            assert_eq!(strengths[2].1, 1.0, "what moves nothing stays");
            let more = [strengths[0], ("yaw", 1.1 * strengths[1].1), strengths[2]];
            assert!(!takes(&directions, &face, &more), "held back too much");
        }
    }

    #[test]
    fn what_is_far_too_much_is_left_out_and_told() {
        let (_, directions) = bundled();
        let mut strengths = [("yaw", 500.0), ("smile", 1.0)];
        let held = hold_back(&directions, None, &mut strengths).unwrap().shares;
        assert_eq!(held, [("yaw".to_owned(), 0.0)]);
        assert_eq!(strengths, [("yaw", 0.0), ("smile", 1.0)]);
    }

    #[test]
    fn landmarks_that_are_no_face_are_refused() {
        let (_, directions) = bundled();
        let nowhere = [[f32::NAN; 2]; LANDMARKS];
        let held = hold_back(&directions, Some(&nowhere), &mut [("yaw", 1.0)]);
        let held = held.map(|held| held.shares);
        assert!(matches!(held, Err(EditError::Landmarks)), "{held:?}");
    }
}
