//! Direct convolutions, without the im2col matrix of the usual matrix-multiplication route.
//!
//! A tile of rows of all input channels is copied into a zero-padded buffer that stays in the second-level
//! cache. There, rows follow each other without gaps, so that a kernel tap is a constant offset and even
//! narrow pictures make long vectors; the few sums that straddle two rows are dropped. Strided convolutions
//! split the padded input into its interleaved parts (even and odd columns, ...), transposed ones split the
//! *output* into parts that each see only some of the taps: all of them become convolutions with stride 1.

use std::mem::MaybeUninit;

use super::{
    epilogue::Epilogue,
    layer::{ConvLayer, Prologue},
    plan::Plan,
    thread_pool::take_in_turns,
    tile::{Piece, Tile},
};

impl ConvLayer {
    /// Computes the output on at most so many threads; `planes` are its planes, one per channel and depth, all of which
    /// it writes.
    pub(super) fn compute(
        &self,
        threads: usize,
        input: &[f32],
        dims: [usize; 4],
        prologue: &Prologue,
        epilogue: &Epilogue,
        planes: Vec<&mut [MaybeUninit<f32>]>,
    ) {
        let plan = self.plan(dims, threads);
        let pieces = self.split(&plan, planes);
        take_in_turns(pieces.into_iter(), plan.threads, |piece| {
            self.isa.run(Tile {
                layer: self,
                plan: &plan,
                input,
                prologue,
                epilogue,
                piece,
            });
        });
    }

    /// Cuts the output into pieces.
    fn split<'a>(&self, plan: &Plan, planes: Vec<&'a mut [MaybeUninit<f32>]>) -> Vec<Piece<'a>> {
        let [_, depth, height, width] = plan.outputs;
        let all = self.blocks();
        let shares = all.div_ceil(plan.blocks);
        let steps = plan.axes.map(|axis| axis.steps);
        let depths = depth.div_ceil(steps[0]);
        let bands = height.div_ceil(steps[1]).div_ceil(plan.band);
        let mut pieces = Vec::with_capacity(shares * depths * bands);
        for share in 0..shares {
            let first = share * plan.blocks;
            for depth in 0..depths {
                for band in 0..bands {
                    pieces.push(Piece {
                        depth,
                        row: band * plan.band,
                        blocks: first..(first + plan.blocks).min(all),
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
