//! How an edit moves a face, seen in the model's own pictures.

use super::{error::FitError, faces::look};
use crate::{
    editing::{Engine, InvertedFace},
    face::{FaceFinder, Landmarks},
};

/// A motion smaller than this, in sides of the picture, is none: the mesh is not more exact.
const STILL: f32 = 0.004;

/// How far an edit moves the landmarks of a face: as the directions tell that bring a motion, and for those that change
/// the codes alone as the meshes of G(w') and of G(e) differ. `None` if nothing moves.
///
/// A face whose landmarks are not known moves only as the directions tell.
///
/// # Errors
/// [`FitError`] for an unknown edit or a failing device.
pub async fn found_shifts(
    engine: &Engine,
    finder: &FaceFinder,
    face: &InvertedFace,
    strengths: &[(&str, f32)],
) -> Result<Option<Landmarks>, FitError> {
    let directions = engine.directions();
    let strengths = directions.effective(strengths.iter().copied(), face.landmarks.as_ref())?;
    let known = directions.landmark_shifts(&strengths)?;
    let silent =
        |(name, strength): &(&str, f32)| *strength != 0.0 && directions.changes_codes_alone(name);
    let silent: Vec<_> = strengths.into_iter().filter(silent).collect();
    if silent.is_empty() || face.landmarks.is_none() {
        return Ok(known);
    }
    let codes = &face.compensated_codes;
    let edited_codes = directions.edited_codes(codes, &silent)?;
    let (_, before) = look(engine, finder, codes).await?;
    let (_, after) = look(engine, finder, &edited_codes).await?;
    let (Some(before), Some(after)) = (before, after) else {
        return Ok(known);
    };
    let (before, after) = (before.landmarks(), after.landmarks());
    let found: Landmarks =
        std::array::from_fn(|i| [0, 1].map(|axis| after[i][axis] - before[i][axis]));
    let farthest = found.iter().map(|[x, y]| x.hypot(*y)).fold(0.0, f32::max);
    if farthest < STILL {
        return Ok(known);
    }
    let known = known.unwrap_or([[0.0; 2]; _]);
    Ok(Some(std::array::from_fn(|i| {
        [0, 1].map(|axis| known[i][axis] + found[i][axis])
    })))
}
