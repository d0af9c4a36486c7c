//! The tensors in nested dictionaries, by paths such as `state_dict.encoder.input_layer.0.weight`.

use super::error::ImportError;
use super::pickle::Value;

/// Deepest dictionary that is looked into.
const MAX_DEPTH: usize = 6;
/// Bytes that paths, and what is known of the things at their ends, may take for each byte of the pickle. They lie
/// there once, unless dictionaries hold one another.
pub(super) const BYTES_PER_BYTE: usize = 16;
/// Bytes that they may take in any case.
pub(super) const FREE_BYTES: usize = 1 << 20;
/// What one thing takes beside its path.
const LEAF_BYTES: usize = 256;

/// Bytes that may still be used for paths and for what lies at their ends.
pub(super) struct Budget(usize);

impl Budget {
    /// For what lies in one pickle.
    pub fn of(root: Value<'_>) -> Self {
        let bytes = root.pickle_length().saturating_mul(BYTES_PER_BYTE);
        Self(bytes.saturating_add(FREE_BYTES))
    }

    /// Takes what a thing with a path of this length needs.
    ///
    /// # Errors
    /// It is not there: the file has more than any file of weights.
    pub fn take(&mut self, path: usize) -> Result<(), ImportError> {
        let left = self.0.checked_sub(path + LEAF_BYTES);
        self.0 = left.ok_or_else(|| {
            ImportError::Content(
                "holds too many nested dictionaries to be a file of weights".to_owned(),
            )
        })?;
        Ok(())
    }
}

/// Everything under text keys that is not itself a dictionary, in order, by the keys to it joined with dots. What lies
/// under `opts` is one thing, whatever it is.
///
/// # Errors
/// There are more than any file of weights has.
pub(super) fn leaves(root: Value<'_>) -> Result<Vec<(String, Value<'_>)>, ImportError> {
    let mut walk = Walk {
        leaves: Vec::new(),
        budget: Budget::of(root),
    };
    walk.enter("", root, 0)?;
    Ok(walk.leaves)
}

struct Walk<'a> {
    leaves: Vec<(String, Value<'a>)>,
    budget: Budget,
}

impl<'a> Walk<'a> {
    fn enter(
        &mut self,
        prefix: &str,
        dictionary: Value<'a>,
        depth: usize,
    ) -> Result<(), ImportError> {
        for (key, value) in dictionary.entries().into_iter().flatten() {
            let Some(key) = key.text() else {
                self.budget.take(0)?;
                continue;
            };
            self.budget.take(prefix.len() + key.len())?;
            let path = format!("{prefix}{key}");
            if key != "opts" && depth < MAX_DEPTH && value.entries().is_some() {
                self.enter(&format!("{path}."), value, depth + 1)?;
            } else {
                self.leaves.push((path, value));
            }
        }
        Ok(())
    }
}
