//! How an edit moves a face, seen in the model's own pictures.

use std::collections::HashMap;

use super::{error::FitError, faces::look};
use crate::{
    editing::{EditRun, Engine, InvertedFace},
    face::{FaceFinder, LANDMARKS, Landmarks},
};

/// A motion smaller than this, in sides of the picture, is none: the mesh is not more exact.
const STILL: f32 = 0.004;

/// Strengths between 0 and the end of a slider's range at which a face is looked at, that end included.
const LOOKS: usize = 2;

/// What was seen of one face, so that it is not looked at twice.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Landmarks in the picture of w'; `None` inside if that shows no face.
    still: Option<Option<Landmarks>>,
    /// How far a slider moves the landmarks, by its name, the end of its range and the number of the look; `None` if
    /// no face is to be seen there.
    motions: HashMap<(String, bool, usize), Option<Landmarks>>,
}

/// [`Engine::edit`], in which a face moves as the model's own pictures show it on that face where the directions do not
/// tell ([`found_displacements`]).
///
/// # Errors
/// Those of `pause`, and [`FitError`] for an unknown edit, an impossible size or a failing device.
pub async fn edit_as_seen<'e, E: From<FitError>>(
    engine: &'e Engine,
    finder: &FaceFinder,
    face: &InvertedFace,
    strengths: &[(&str, f32)],
    size: Option<usize>,
    seen: &mut Seen,
    pause: impl AsyncFnMut() -> Result<(), E>,
) -> Result<EditRun<'e>, E> {
    let named = strengths.iter().copied();
    let run = if moves_unseen(engine, face, strengths) {
        let displacements = found_displacements(engine, finder, face, strengths, seen, pause);
        engine.edit_moving(face, named, size, displacements.await?.as_ref())
    } else {
        engine.edit(face, named, size)
    };
    Ok(run.map_err(FitError::from)?)
}

/// Whether how an edit moves a face is to be seen in the model's own pictures of it.
fn moves_unseen(engine: &Engine, face: &InvertedFace, strengths: &[(&str, f32)]) -> bool {
    let directions = engine.directions();
    let mut strengths = strengths.iter();
    face.landmarks.is_some()
        && strengths.any(|&(name, strength)| directions.look_at(name, strength).is_some())
}

/// How far an edit moves the landmarks of a face: as the directions tell that were made with a motion, and for those
/// that change the codes alone as the meshes of G(w') and of G(e) differ. These are looked at in the middle and at the
/// end of a slider's range; between looks the motion is linear, so that a slider on its way costs no look. Where such a
/// picture shows no face, the motion is the mean that a fit has found. `None` if nothing moves. `pause` is waited for
/// between convolutions.
///
/// A face whose landmarks are not known moves only as the directions tell.
///
/// # Errors
/// Those of `pause`, and [`FitError`] for an unknown edit or a failing device.
pub async fn found_displacements<E: From<FitError>>(
    engine: &Engine,
    finder: &FaceFinder,
    face: &InvertedFace,
    strengths: &[(&str, f32)],
    seen: &mut Seen,
    mut pause: impl AsyncFnMut() -> Result<(), E>,
) -> Result<Option<Landmarks>, E> {
    let directions = engine.directions();
    let strengths = directions
        .effective(strengths.iter().copied(), face.landmarks.as_ref())
        .map_err(FitError::from)?;
    let mut total = [[0.0; 2]; LANDMARKS];
    for strength in strengths {
        let end = directions.look_at(strength.0, strength.1);
        let own = match end.filter(|_| face.landmarks.is_some()) {
            Some(end) => {
                let looks = Looks {
                    engine,
                    finder,
                    face,
                    slider: strength.0,
                    end,
                };
                looks.motion(strength.1, seen, &mut pause).await?
            }
            None => None,
        };
        let told = || directions.displacements(&[strength]);
        let motion = match own {
            Some(motion) => Some(motion),
            None => told().map_err(FitError::from)?,
        };
        if let Some(motion) = motion {
            total = combined(&total, 1.0, &motion, 1.0);
        }
    }
    Ok((total != [[0.0; 2]; _]).then_some(total))
}

/// How one slider moves one face, to one side.
struct Looks<'a> {
    engine: &'a Engine,
    finder: &'a FaceFinder,
    face: &'a InvertedFace,
    slider: &'a str,
    end: f32,
}

impl Looks<'_> {
    /// The motion at a strength. `None` if no face is to be seen near it.
    async fn motion<E: From<FitError>>(
        &self,
        strength: f32,
        seen: &mut Seen,
        pause: &mut impl AsyncFnMut() -> Result<(), E>,
    ) -> Result<Option<Landmarks>, E> {
        let place = LOOKS as f32 * strength / self.end;
        let above = (place.ceil() as usize).clamp(1, LOOKS);
        let below = match above - 1 {
            0 => Some([[0.0; 2]; _]),
            number => self.look(number, seen, pause).await?,
        };
        let rest = place - (above - 1) as f32;
        Ok(match (below, self.look(above, seen, pause).await?) {
            (Some(below), Some(above)) => Some(combined(&below, 1.0 - rest, &above, rest)),
            (Some(below), None) if above > 1 => {
                let share = place / (above - 1) as f32;
                Some(below.map(|shift| shift.map(|value| share * value)))
            }
            _ => None,
        })
    }

    /// The motion at one of [`LOOKS`].
    async fn look<E: From<FitError>>(
        &self,
        number: usize,
        seen: &mut Seen,
        pause: &mut impl AsyncFnMut() -> Result<(), E>,
    ) -> Result<Option<Landmarks>, E> {
        let key = (self.slider.to_owned(), self.end > 0.0, number);
        if let Some(&motion) = seen.motions.get(&key) {
            return Ok(motion);
        }
        let (engine, codes) = (self.engine, &self.face.compensated_codes);
        let strength = self.end * number as f32 / LOOKS as f32;
        let edited_codes = (engine.directions())
            .edited_codes(codes, &[(self.slider, strength)])
            .map_err(FitError::from)?;
        let before = match seen.still {
            Some(before) => before,
            None => {
                let codes = codes.clone().into();
                let (_, mesh) = look(engine, self.finder, codes, &mut *pause).await?;
                *seen.still.insert(mesh.map(|mesh| mesh.landmarks()))
            }
        };
        let (_, after) = look(engine, self.finder, edited_codes, pause).await?;
        let pair = before.zip(after.map(|mesh| mesh.landmarks()));
        let motion = pair.map(|(before, after)| displacements(&before, &after));
        Ok(*seen.motions.entry(key).or_insert(motion))
    }
}

/// The sum of two motions, each times its share.
fn combined(a: &Landmarks, of_a: f32, b: &Landmarks, of_b: f32) -> Landmarks {
    std::array::from_fn(|i| [0, 1].map(|axis| of_a * a[i][axis] + of_b * b[i][axis]))
}

/// From landmarks to others; 0 if they are the same as far as a mesh can tell.
fn displacements(before: &Landmarks, after: &Landmarks) -> Landmarks {
    let found = combined(after, 1.0, before, -1.0);
    let farthest = found.iter().map(|[x, y]| x.hypot(*y)).fold(0.0, f32::max);
    match farthest >= STILL {
        true => found,
        false => [[0.0; 2]; _],
    }
}
