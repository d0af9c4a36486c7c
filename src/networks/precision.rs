//! How exactly weights are kept.

/// How exactly convolutions and the matrices of styles keep their weights; products and sums are 32-bit floats always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// As 32-bit floats.
    Single,
    /// Rounded to 16-bit floats, which take half the memory of a GPU; a CPU widens them again.
    Half,
}
