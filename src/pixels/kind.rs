//! Formats of files.

/// What a file is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// Read everywhere.
    Jpeg,
    /// Read everywhere.
    Png,
    /// Read everywhere.
    WebP,
    /// Read by browsers.
    Gif,
    /// Read by browsers.
    Bmp,
    /// Read by browsers.
    Avif,
    /// Read by some browsers.
    Heic,
    /// Read by some browsers; also what many cameras' raw files are.
    Tiff,
    /// A picture in a format that is not read.
    Other(&'static str),
    /// No byte.
    Empty,
    /// A document.
    Pdf,
    /// A drawing.
    Svg,
    /// Moving pictures with sound.
    Film,
    /// What a server sends instead of a picture.
    WebPage,
    /// Several files in one.
    Archive,
    /// None of these.
    Unknown,
}

impl MediaKind {
    /// The format's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
            Self::Avif => "AVIF",
            Self::Heic => "HEIC",
            Self::Tiff => "TIFF",
            Self::Other(name) => name,
            Self::Empty => "empty",
            Self::Pdf => "pdf",
            Self::Svg => "svg",
            Self::Film => "film",
            Self::WebPage => "webPage",
            Self::Archive => "archive",
            Self::Unknown => "unknown",
        }
    }

    /// Pictures of this format, as a sentence calls them.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Gif => "GIF pictures",
            Self::Bmp => "BMP pictures",
            Self::Avif => "AVIF pictures",
            Self::Heic => "HEIC photos",
            Self::Tiff => "TIFF pictures and raw files of cameras",
            Self::Other(name) => name,
            _ => "such files",
        }
    }
}
