//! How an edit moves a face, seen in the model's own pictures.

use super::{error::FitError, faces::look};
use crate::{
    editing::{Engine, InvertedFace},
    face::{FaceFinder, Landmarks},
};

/// A motion smaller than this, in sides of the picture, is none: the mesh is not more exact.
const STILL: f32 = 0.004;

/// What was seen of one face, so that it is not looked at twice.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Landmarks in the picture of w'; `None` inside if that shows no face.
    still: Option<Option<Landmarks>>,
    latest: Option<Looked>,
}

/// What was found when it was looked at some strengths.
#[derive(Clone, Debug)]
struct Looked {
    strengths: Vec<(String, f32)>,
    displacements: Option<Landmarks>,
}

/// Whether an edit of a face changes codes by directions of which nobody knows how they move it.
pub fn moves_unseen(engine: &Engine, face: &InvertedFace, strengths: &[(&str, f32)]) -> bool {
    let unseen =
        |(name, strength): &(&str, f32)| *strength != 0.0 && engine.directions().unseen(name);
    face.landmarks.is_some() && strengths.iter().any(unseen)
}

/// How far an edit moves the landmarks of a face: as the directions tell that bring a motion, and for those that change
/// the codes alone as the meshes of G(w') and of G(e) differ. `None` if nothing moves. `pause` is waited for between
/// convolutions.
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
    let known = directions
        .displacements(&strengths)
        .map_err(FitError::from)?;
    if !moves_unseen(engine, face, &strengths) {
        return Ok(known);
    }
    let unseen = |(name, strength): &(&str, f32)| *strength != 0.0 && directions.unseen(name);
    let unseen: Vec<_> = strengths.into_iter().filter(unseen).collect();
    let key: Vec<_> = (unseen.iter())
        .map(|&(name, strength)| (name.to_owned(), strength))
        .collect();
    let found = match &seen.latest {
        Some(latest) if latest.strengths == key => latest.displacements,
        _ => {
            let codes = &face.compensated_codes;
            let edited_codes = directions
                .edited_codes(codes, &unseen)
                .map_err(FitError::from)?;
            let before = match seen.still {
                Some(before) => before,
                None => {
                    let codes = codes.clone().into();
                    let (_, mesh) = look(engine, finder, codes, &mut pause).await?;
                    *seen.still.insert(mesh.map(|mesh| mesh.landmarks()))
                }
            };
            let (_, after) = look(engine, finder, edited_codes, &mut pause).await?;
            let pair = before.zip(after.map(|mesh| mesh.landmarks()));
            let found = pair.and_then(|(before, after)| displacements(&before, &after));
            seen.latest = Some(Looked {
                strengths: key,
                displacements: found,
            });
            found
        }
    };
    let Some(found) = found else {
        return Ok(known);
    };
    let known = known.unwrap_or([[0.0; 2]; _]);
    Ok(Some(std::array::from_fn(|i| {
        [0, 1].map(|axis| known[i][axis] + found[i][axis])
    })))
}

/// From landmarks to others; `None` if they are the same as far as a mesh can tell.
fn displacements(before: &Landmarks, after: &Landmarks) -> Option<Landmarks> {
    let found: Landmarks =
        std::array::from_fn(|i| [0, 1].map(|axis| after[i][axis] - before[i][axis]));
    let farthest = found.iter().map(|[x, y]| x.hypot(*y)).fold(0.0, f32::max);
    (farthest >= STILL).then_some(found)
}
