//! Direct convolutions, without the im2col matrix of the usual matrix-multiplication route.
//!
//! A tile of rows of all input channels is copied into a zero-padded buffer that stays in the second-level
//! cache. There, rows follow each other without gaps, so that a kernel tap is a constant offset and even
//! narrow pictures make long vectors; the few sums that straddle two rows are dropped. Strided convolutions
//! split the padded input into its interleaved parts (even and odd columns, ...), transposed ones split the
//! *output* into parts that each see only some of the taps: all of them become convolutions with stride 1.

use std::mem::MaybeUninit;
#[cfg(not(target_arch = "wasm32"))]
use std::sync::{LazyLock, Mutex, PoisonError};

use super::{
    epilogue::Epilogue,
    layer::{ConvLayer, Prologue, Share, Source},
    plan::Plan,
    tile::{Piece, Tile},
};

impl ConvLayer {
    /// Computes one share; `planes` are its rows of each of its channels and depths, all of which it writes. The
    /// epilogue's noise begins with the share's first row.
    pub(super) fn run_share(
        &self,
        share: &Share,
        source: &Source,
        prologue: &Prologue,
        epilogue: &Epilogue,
        planes: Vec<&mut [MaybeUninit<f32>]>,
    ) {
        let plan = self.plan(share, source);
        let run = |piece: Piece| {
            self.isa.run(Tile {
                layer: self,
                plan: &plan,
                input: source.values,
                prologue,
                epilogue,
                piece,
            });
        };
        share_out(self.split(&plan, planes), plan.threads, run);
    }

    /// Cuts a share into pieces.
    fn split<'a>(&self, plan: &Plan, planes: Vec<&'a mut [MaybeUninit<f32>]>) -> Vec<Piece<'a>> {
        let [_, depth, height, width] = plan.outputs;
        let all = &plan.share.blocks;
        let shares = all.len().div_ceil(plan.blocks);
        let steps = plan.axes.map(|axis| axis.steps);
        let depths = depth.div_ceil(steps[0]);
        let bands = height.div_ceil(steps[1]).div_ceil(plan.band);
        let mut pieces = Vec::with_capacity(shares * depths * bands);
        for share in 0..shares {
            let first = all.start + share * plan.blocks;
            for depth in 0..depths {
                for band in 0..bands {
                    pieces.push(Piece {
                        depth,
                        row: band * plan.band,
                        blocks: first..(first + plan.blocks).min(all.end),
                        outputs: Vec::with_capacity(plan.blocks * self.block * steps[0]),
                    });
                }
            }
        }
        for (index, plane) in planes.into_iter().enumerate() {
            let (channel, depth) = (index / depth, index % depth);
            let share = channel / (plan.blocks * self.block);
            let first = (share * depths + depth / steps[0]) * bands;
            for (band, rows) in plane.chunks_mut(plan.band * steps[1] * width).enumerate() {
                pieces[first + band].outputs.push(rows);
            }
        }
        pieces
    }
}

/// Runs all pieces: some here, the others meanwhile on other threads.
///
/// The caller works along, for it is awake. A parallel iterator would put it to sleep for as long as a pool works, which
/// costs more than a small layer does.
#[cfg(not(target_arch = "wasm32"))]
fn share_out(pieces: Vec<Piece>, threads: usize, run: impl Fn(Piece) + Sync) {
    let others = threads.min(pieces.len()).saturating_sub(1);
    let queue = Mutex::new(pieces.into_iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some(piece) = next() {
            run(piece);
        }
    };
    if others == 0 {
        return work();
    }
    let outside = rayon::current_thread_index().is_none();
    match outside.then(|| OTHERS.as_ref()).flatten() {
        Some(pool) => pool.in_place_scope(|scope| work_along(scope, others, &work)),
        None => rayon::in_place_scope(|scope| work_along(scope, others, &work)),
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn work_along<'a>(scope: &rayon::Scope<'a>, others: usize, work: &'a (impl Fn() + Sync)) {
    for _ in 0..others {
        scope.spawn(|_| work());
    }
    work();
}

/// The threads that work along with a caller from outside of all pools, where there is more than one thread.
#[cfg(not(target_arch = "wasm32"))]
static OTHERS: LazyLock<Option<rayon::ThreadPool>> = LazyLock::new(|| {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(rayon::current_num_threads() - 1);
    pool.build().ok()
});

/// Runs all pieces.
#[cfg(target_arch = "wasm32")]
fn share_out(pieces: Vec<Piece>, _threads: usize, run: impl Fn(Piece)) {
    pieces.into_iter().for_each(run);
}

/// The values of an output of `dims` whose planes, one per channel and depth, `write` writes.
///
/// # Safety
/// `write` has to write every value of every plane.
pub(super) unsafe fn written(
    dims: [usize; 4],
    write: impl FnOnce(Vec<&mut [MaybeUninit<f32>]>),
) -> Vec<f32> {
    let [_, _, height, width] = dims;
    let count = dims.iter().product();
    let mut output = Vec::with_capacity(count);
    let planes = output.spare_capacity_mut()[..count].chunks_exact_mut(height * width);
    write(planes.collect());
    // SAFETY: the planes are the first `count` values.
    unsafe { output.set_len(count) };
    output
}
