//! The tensors in nested dictionaries, by paths such as `state_dict.encoder.input_layer.0.weight`.

use super::error::ImportError;
use super::pickle::Value;

/// Deepest dictionary that is looked into.
const MAX_DEPTH: usize = 6;
/// Most things that are looked at, since dictionaries may hold one another.
const MAX_VISITS: usize = 1 << 18;
/// Most bytes of all paths together.
const MAX_PATH_BYTES: usize = 64 << 20;

/// Everything under text keys that is not itself a dictionary, in order, by the keys to it joined with dots. What lies
/// under `opts` is one thing, whatever it is.
///
/// # Errors
/// There are more than any file of weights has.
pub(super) fn leaves(root: Value<'_>) -> Result<Vec<(String, Value<'_>)>, ImportError> {
    let mut walk = Walk {
        leaves: Vec::new(),
        visits: 0,
        path_bytes: 0,
    };
    walk.enter("", root, 0).ok_or_else(|| {
        ImportError::Content(
            "holds too many nested dictionaries to be a file of weights".to_owned(),
        )
    })?;
    Ok(walk.leaves)
}

struct Walk<'a> {
    leaves: Vec<(String, Value<'a>)>,
    visits: usize,
    path_bytes: usize,
}

impl<'a> Walk<'a> {
    /// `None` when a limit is reached.
    fn enter(&mut self, prefix: &str, dictionary: Value<'a>, depth: usize) -> Option<()> {
        for (key, value) in dictionary.entries().into_iter().flatten() {
            self.visits += 1;
            let Some(key) = key.text() else {
                continue;
            };
            self.path_bytes += prefix.len() + key.len() + 1;
            if self.visits > MAX_VISITS || self.path_bytes > MAX_PATH_BYTES {
                return None;
            }
            let path = format!("{prefix}{key}");
            if key != "opts" && depth < MAX_DEPTH && value.entries().is_some() {
                self.enter(&format!("{path}."), value, depth + 1)?;
            } else {
                self.leaves.push((path, value));
            }
        }
        Some(())
    }
}
