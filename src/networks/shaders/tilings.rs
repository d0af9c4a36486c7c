//! How the work of a convolution is shared out, by its class: what it computes, and how large its pictures are.
//!
//! A class may have several tilings. The first is what is known to be good; which one is the fastest depends on the
//! adapter, and is measured there (`tuner.rs`).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::source::{Shape, Tiling};
use crate::networks::queue::adapt;

const fn tiling(side: usize, slices: usize, places: [usize; 2], groups: usize) -> Tiling {
    Tiling {
        side,
        slices,
        places,
        groups,
    }
}

/// A plain convolution.
pub(super) const fn plain(kernel: usize, stride: usize) -> Shape {
    Shape::Plain { kernel, stride }
}

const PLAIN: Shape = plain(3, 1);
const STRIDED: Shape = plain(3, 2);
const WIDE: Shape = plain(5, 1);
const POINT: Shape = plain(1, 1);
const STRIDED_POINT: Shape = plain(1, 2);
const ANY: usize = usize::MAX;

/// Convolutions whose work can be shared out alike.
pub(super) struct Class {
    pub shape: Shape,
    /// The longest side of an output that this is meant for, or of an input that is doubled.
    pub most: usize,
    /// The first is taken where nothing was measured.
    pub tilings: &'static [Tiling],
}

const fn class(shape: Shape, most: usize, tilings: &'static [Tiling]) -> Class {
    Class {
        shape,
        most,
        tilings,
    }
}

/// Of one shape the smallest first.
pub(super) static CLASSES: [Class; 23] = [
    class(PLAIN, 4, &[tiling(4, 8, [1, 1], 1)]),
    class(PLAIN, 16, &[tiling(8, 4, [1, 1], 2)]),
    class(
        PLAIN,
        32,
        &[
            tiling(8, 2, [1, 2], 2),
            tiling(8, 4, [1, 1], 2),
            tiling(8, 1, [1, 2], 2),
        ],
    ),
    class(
        PLAIN,
        ANY,
        &[
            tiling(8, 1, [2, 2], 2),
            tiling(8, 1, [2, 2], 4),
            tiling(8, 1, [1, 4], 2),
        ],
    ),
    class(STRIDED, 4, &[tiling(4, 8, [1, 1], 1)]),
    class(STRIDED, 16, &[tiling(8, 2, [1, 1], 2)]),
    class(
        STRIDED,
        ANY,
        &[
            tiling(8, 1, [1, 2], 2),
            tiling(8, 1, [1, 1], 2),
            tiling(8, 1, [1, 2], 4),
        ],
    ),
    class(WIDE, 4, &[tiling(4, 8, [1, 1], 1)]),
    class(WIDE, 16, &[tiling(8, 4, [1, 1], 2)]),
    class(WIDE, 32, &[tiling(8, 2, [1, 2], 2)]),
    class(WIDE, ANY, &[tiling(8, 1, [2, 2], 2)]),
    class(POINT, 1, &[tiling(1, 64, [1, 1], 1)]),
    class(POINT, 4, &[tiling(4, 8, [1, 1], 1)]),
    class(POINT, 32, &[tiling(8, 4, [1, 1], 2)]),
    class(
        POINT,
        ANY,
        &[tiling(8, 1, [2, 2], 2), tiling(8, 1, [2, 2], 4)],
    ),
    class(STRIDED_POINT, 16, &[tiling(4, 8, [1, 1], 1)]),
    class(STRIDED_POINT, ANY, &[tiling(8, 1, [1, 2], 2)]),
    class(Shape::Upsample, 64, &[tiling(8, 4, [1, 1], 1)]),
    class(
        Shape::Upsample,
        ANY,
        &[
            tiling(8, 1, [2, 2], 1),
            tiling(16, 1, [1, 1], 1),
            tiling(8, 1, [1, 2], 1),
        ],
    ),
    class(Shape::Double, 4, &[tiling(4, 8, [1, 1], 1)]),
    class(Shape::Double, 16, &[tiling(8, 4, [1, 1], 2)]),
    class(Shape::Double, 32, &[tiling(8, 2, [1, 2], 2)]),
    class(Shape::Double, ANY, &[tiling(8, 1, [2, 2], 2)]),
];

/// Which tiling of each class is taken. A program opens one adapter, so there is one choice.
static CHOSEN: [AtomicUsize; CLASSES.len()] = [const { AtomicUsize::new(0) }; CLASSES.len()];

/// Whether the adapter is a program on the processor.
static EMULATED: AtomicBool = AtomicBool::new(false);
/// The longest side of a picture that would be a small part of a tile of the largest.
const TINY: usize = 4;

/// The class of a convolution whose longest side is this.
pub(super) fn class_of(shape: Shape, longest: usize) -> usize {
    let fits = |class: &Class| class.shape == shape && longest <= class.most;
    CLASSES
        .iter()
        .position(fits)
        .expect("a class for every size")
}

/// How the work of such a convolution is shared out.
pub(super) fn chosen(shape: Shape, longest: usize) -> Tiling {
    tiling_of(shape, longest, EMULATED.load(Ordering::Relaxed))
}

/// Threads that share one place are for processors that have more threads than the picture has places. Where threads are
/// emulated, such threads only wait for each other, and pictures that are not tiny are tiled as the largest are.
fn tiling_of(shape: Shape, longest: usize, emulated: bool) -> Tiling {
    let longest = if emulated && longest > TINY {
        ANY
    } else {
        longest
    };
    let class = class_of(shape, longest);
    CLASSES[class].tilings[CHOSEN[class].load(Ordering::Relaxed)]
}

/// From now on, convolutions are shared out as suits an adapter that is a program on the processor, and so slow that
/// little of them is queued.
pub fn emulate() {
    EMULATED.store(true, Ordering::Relaxed);
    adapt(Some(0.0));
}

/// From now on, a class takes this one of its tilings.
///
/// # Panics
/// If it has no such tiling.
pub(super) fn choose(class: usize, tiling: usize) {
    assert!(tiling < CLASSES[class].tilings.len(), "a tiling of {class}");
    CHOSEN[class].store(tiling, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emulated_threads_share_no_place_but_of_tiny_pictures() {
        for shape in CLASSES.iter().map(|class| class.shape) {
            for longest in [1, 2, 4, 5, 16, 32, 64, 200] {
                let tiling = tiling_of(shape, longest, true);
                if longest > TINY {
                    assert_eq!(tiling.slices, 1, "{shape:?} of {longest}");
                } else {
                    assert_eq!(tiling, tiling_of(shape, longest, false));
                }
            }
        }
    }
}
