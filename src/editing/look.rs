//! A look: what sliders do together, under a name, as a small file to keep and pass on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

/// The version of the format that is written.
const VERSION: u32 = 1;
/// A look takes some hundred bytes; more is another file.
const MOST_BYTES: usize = 64 * 1024;
/// Largest strength that an edit may have: far beyond any slider, and far from what numbers can hold.
pub const MOST_STRENGTH: f32 = 1000.0;

/// Strengths of sliders, by the sliders' names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// Version of the format.
    #[serde(rename = "sdicLook")]
    version: u32,
    /// What people call it.
    pub name: String,
    /// Strengths in the sliders' units; 0 is at rest.
    pub strengths: BTreeMap<String, f32>,
}

/// Why a file is no look.
#[derive(Debug, Error)]
pub enum LookError {
    /// Much larger than looks are.
    #[error("{0} bytes are too many for a look; choose a file that was saved as one")]
    TooLarge(usize),
    /// No JSON of this form.
    #[error("not a look ({0}); choose a file that was saved as one")]
    Json(#[from] serde_json::Error),
    /// Of a version to come.
    #[error("a look of version {0}, but this program knows version {VERSION}; update it")]
    Version(u64),
    /// A strength that no slider can have.
    #[error("the strength of \"{0}\" is not a number from -{MOST_STRENGTH} to {MOST_STRENGTH}")]
    Strength(String),
}

impl Look {
    /// A look of these strengths.
    pub fn new(name: impl Into<String>, strengths: BTreeMap<String, f32>) -> Self {
        Self {
            version: VERSION,
            name: name.into(),
            strengths,
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`LookError`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, LookError> {
        if bytes.len() > MOST_BYTES {
            return Err(LookError::TooLarge(bytes.len()));
        }
        let file: Map<String, Value> = serde_json::from_slice(bytes)?;
        // A later version may have fields that this one does not know.
        let version = file.get("sdicLook").and_then(Value::as_u64);
        if let Some(other) = version.filter(|&version| version != u64::from(VERSION)) {
            return Err(LookError::Version(other));
        }
        let look: Self = serde_json::from_value(file.into())?;
        let wrong = |strength: &f32| !strength.is_finite() || strength.abs() > MOST_STRENGTH;
        match look.strengths.iter().find(|(_, strength)| wrong(strength)) {
            Some((name, _)) => Err(LookError::Strength(name.clone())),
            None => Ok(look),
        }
    }

    /// The file.
    ///
    /// # Errors
    /// [`LookError::Json`] for strengths that are no numbers.
    pub fn to_json(&self) -> Result<String, LookError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::{Path, PathBuf},
    };

    use super::*;

    fn refusal(text: &str) -> String {
        Look::from_json(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_look_comes_back_as_it_was() {
        let strengths = [("smile", 1.2), ("age", -0.5)].map(|(name, s)| (name.to_owned(), s));
        let look = Look::new("Warm", strengths.into());
        assert_eq!(
            Look::from_json(look.to_json().unwrap().as_bytes()).unwrap(),
            look
        );
    }

    #[test]
    fn what_is_no_look_is_refused_with_a_reason() {
        for text in [
            "",
            "[]",
            r#"[1, "x", {"smile": 2}]"#,
            "{}",
            r#"{"sdicLook": 1, "name": "x", "strengths": {"smile": "2"}}"#,
        ] {
            assert!(refusal(text).starts_with("not a look ("), "{text}");
        }
        for text in [
            r#"{"sdicLook": 2, "name": "x", "strengths": {}}"#,
            r#"{"sdicLook": 2, "name": "x", "strengths": {}, "masks": []}"#,
        ] {
            assert!(refusal(text).contains("version 2"), "{text}");
        }
        for strength in ["1001", "-1e30"] {
            let text =
                format!(r#"{{"sdicLook": 1, "name": "x", "strengths": {{"smile": {strength}}}}}"#);
            assert!(refusal(&text).contains("\"smile\""), "{strength}");
        }
        assert!(refusal(&" ".repeat(MOST_BYTES + 1)).contains("65537 bytes"));
    }

    /// Of files that the page is tested with, too.
    fn shared(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/looks")
            .join(path)
    }

    #[test]
    fn the_page_writes_the_same_files() {
        let text = fs::read_to_string(shared("warm.json")).unwrap();
        let look = Look::from_json(text.as_bytes()).unwrap();
        assert_eq!(
            (look.name.as_str(), look.strengths["smile"]),
            ("Wärmer", 1.2)
        );
        assert_eq!(look.to_json().unwrap(), text);
    }

    #[test]
    fn what_the_page_refuses_is_refused() {
        let files: Vec<_> = fs::read_dir(shared("wrong")).unwrap().collect();
        assert!(files.len() > 10);
        for file in files {
            let path = file.unwrap().path();
            let read = Look::from_json(&fs::read(&path).unwrap());
            assert!(read.is_err(), "{}", path.display());
        }
    }
}
