//! What was done to a photo on opening it.

use std::fmt;

use serde::Serialize;

/// What was done to a photo on opening it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "camelCase")]
pub enum Note {
    /// It had more pixels than are worked on.
    Reduced {
        /// Width and height before.
        from: [u32; 2],
        /// Width and height after.
        to: [u32; 2],
    },
    /// It moves; the first frame is used.
    FirstFrame,
    /// Its colours were converted from a profile that is not worked in.
    ProfileConverted {
        /// What the profile calls itself.
        name: String,
    },
    /// It has a profile that cannot be read, and was taken for sRGB.
    ProfileUnreadable,
    /// It has a second picture that brightens it on some screens, which is not kept.
    GainMapDropped,
    /// It has more bits per channel than the 8 that are worked on.
    DepthReduced {
        /// Bits per channel in the file.
        bits: u8,
    },
    /// It is meant for printing inks, and was brought to colours of light by the plain formula.
    InksConverted,
}

impl Note {
    /// A short name that does not change.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Reduced { .. } => "reduced",
            Self::FirstFrame => "firstFrame",
            Self::ProfileConverted { .. } => "profileConverted",
            Self::ProfileUnreadable => "profileUnreadable",
            Self::GainMapDropped => "gainMapDropped",
            Self::DepthReduced { .. } => "depthReduced",
            Self::InksConverted => "inksConverted",
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Reduced {
                from: [a, b],
                to: [c, d],
            } => write!(
                f,
                "the photo has {a} x {b} pixels and was reduced to {c} x {d}"
            ),
            Self::FirstFrame => write!(f, "of a moving picture the first frame is used"),
            Self::ProfileConverted { name } => {
                write!(f, "its colours were converted from the profile \"{name}\"")
            }
            Self::ProfileUnreadable => {
                write!(
                    f,
                    "its colour profile cannot be read; the colours were taken for sRGB"
                )
            }
            Self::GainMapDropped => {
                write!(
                    f,
                    "only the base picture of an HDR photo is used; its gain map is not kept"
                )
            }
            Self::DepthReduced { bits } => {
                write!(f, "of {bits} bits per channel, 8 are kept, dithered")
            }
            Self::InksConverted => {
                write!(
                    f,
                    "the picture is made for printing; its inks were converted roughly"
                )
            }
        }
    }
}
