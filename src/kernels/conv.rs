//! Direct convolutions, without the im2col matrix of the usual matrix-multiplication route.
//!
//! A tile of rows of all input channels is copied into a zero-padded buffer that stays in the second-level
//! cache. There, rows follow each other without gaps, so that a kernel tap is a constant offset and even
//! narrow pictures make long vectors; the few sums that straddle two rows are dropped. Strided convolutions
//! split the padded input into its interleaved parts (even and odd columns, ...), transposed ones split the
//! *output* into parts that each see only some of the taps: all of them become convolutions with stride 1.

use std::{mem::MaybeUninit, ops::Range};

use super::{
    crew,
    epilogue::Epilogue,
    geometry::{Axis, Kind, Phase, Tap},
    simd::Isa,
    tile::{Task, Tile},
};

/// Bytes of padded input and sums that a tile may take: most of a second-level cache.
const TILE_BYTES: usize = 3 << 19;
/// Bytes of sums kept before they are written out.
const SUMS_BYTES: usize = 1 << 19;
/// Bytes of padded input that one position of the inner loop may touch: half a first-level cache.
const INNER_BYTES: usize = 24 << 10;
/// Rows of positions in a task, at least, where every task repeats some of its neighbour's work.
const BAND_ROWS: usize = 32;
/// Bytes of a row of input that one such position may touch.
const SWEEP_BYTES: usize = 5 * 64;
/// Values in a cache line.
const LINE: usize = 16;

/// `x * scale + shift` per input channel, applied before zero padding; absent parts do nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prologue<'a> {
    /// Factor per input channel.
    pub scale: Option<&'a [f32]>,
    /// Offset per input channel.
    pub shift: Option<&'a [f32]>,
}

/// A convolution with its weights laid out for this processor.
#[derive(Clone, Debug)]
pub struct ConvLayer {
    pub(super) isa: Isa,
    pub(super) input: usize,
    pub(super) output: usize,
    /// Output channels that are computed at once.
    pub(super) block: usize,
    pub(super) kind: Kind,
    pub(super) axes: [Axis; 3],
    /// The parts of the output, `steps` along each axis.
    pub(super) phases: Vec<Phase>,
}

/// A layer's input, or some rows of it.
pub(super) struct Source<'a> {
    /// `[channels, depth, rows of the window, width]`.
    pub values: &'a [f32],
    /// Dimensions of the whole input.
    pub dims: [usize; 4],
    /// Rows that are there.
    pub window: Range<usize>,
}

/// A part of a layer's output: all columns and depths of some rows and some channels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Share {
    /// Rows of positions.
    pub positions: Range<usize>,
    /// Blocks of output channels.
    pub blocks: Range<usize>,
}

/// Sizes that depend on the input's.
pub(super) struct Plan {
    pub inputs: [usize; 4],
    /// Rows of the input that are there.
    pub window: Range<usize>,
    pub share: Share,
    /// Dimensions of the share's output.
    pub outputs: [usize; 4],
    /// Rows of positions in a tile, without the halo.
    pub rows: usize,
    /// Rows of positions in a task, which goes through them tile by tile.
    pub band: usize,
    /// Columns of positions, with the halo.
    pub columns: usize,
    /// Distance of rows in the padded input and in the sums.
    pub pitch: usize,
    /// Parts of one channel of the padded input: `[depths][row parts][column parts]`.
    pub parts: usize,
    /// Values of one part.
    pub part: usize,
    /// Values of one channel of the padded input.
    pub stride: usize,
    /// Offsets in the padded input of each phase's kernel elements, for `depth` channels.
    pub offsets: Vec<Vec<usize>>,
    /// Values of one row of sums.
    pub sums: usize,
    /// Blocks of output channels that a task takes.
    pub blocks: usize,
    /// Blocks whose sums are kept at once.
    pub group: usize,
    /// Input channels that the inner loop takes at once.
    pub depth: usize,
}

impl ConvLayer {
    /// Lays out `weight`, whose `shape` is `[out, in, depth, height, width]`, or `[in, out, ...]` where
    /// [`Kind`] says so; a 2-d kernel has depth 1.
    ///
    /// # Panics
    /// If the shape and the weights or the kind do not agree.
    pub fn new(weight: &[f32], shape: [usize; 5], kind: Kind) -> Self {
        Self::with_isa(weight, shape, kind, Isa::best())
    }

    /// [`ConvLayer::new`] for a chosen instruction set.
    pub fn with_isa(weight: &[f32], shape: [usize; 5], kind: Kind, isa: Isa) -> Self {
        let [first, second, kernel @ ..] = shape;
        assert_eq!(
            weight.len(),
            shape.iter().product::<usize>(),
            "weights of shape {shape:?}"
        );
        assert!(!weight.is_empty(), "a convolution has at least one weight");
        let (output, input) = match kind {
            Kind::Transposed { .. } => (second, first),
            Kind::Forward { .. } => (first, second),
            Kind::Upsample => {
                assert_eq!(kernel, [1, 3, 3], "kernel of an upsampling convolution");
                (first, second)
            }
        };
        let area = kernel.iter().product::<usize>();
        let source = |output: usize, input: usize| match kind {
            Kind::Transposed { .. } => (input * second + output) * area,
            _ => (output * second + input) * area,
        };
        let block = isa.block(output);
        let axes = Axis::all(kind, kernel);
        let phases = Axis::phases(&axes, kind).into_iter().map(|taps| {
            let element = |[depth, row, column]: &[Tap; 3]| {
                (depth.index * kernel[1] + row.index) * kernel[2] + column.index
            };
            let elements: Vec<usize> = taps.iter().map(element).collect();
            let stretch = taps.len() * block;
            let mut weights = vec![0.0; output.div_ceil(block) * input * stretch];
            for (index, target) in weights.chunks_mut(stretch.max(1)).enumerate() {
                let (first, input) = (index / input * block, index % input);
                for channel in first..output.min(first + block) {
                    let source = &weight[source(channel, input)..][..area];
                    let target = target[channel - first..].iter_mut().step_by(block);
                    for (target, &element) in target.zip(&elements) {
                        *target = source[element];
                    }
                }
            }
            Phase { taps, weights }
        });
        Self {
            isa,
            input,
            output,
            block,
            kind,
            axes,
            phases: phases.collect(),
        }
    }

    /// Output dimensions `[out, depth, height, width]` for an input `[in, depth, height, width]`.
    pub fn output_dims(&self, dims: [usize; 4]) -> [usize; 4] {
        let size = |axis: usize| self.axes[axis].output(self.kind, axis, dims[axis + 1]);
        [self.output, size(0), size(1), size(2)]
    }

    /// Convolves `input` of `dims` `[in, depth, height, width]`; returns the output and its dimensions.
    ///
    /// # Panics
    /// If a length does not fit the dimensions or the dimensions do not fit the layer.
    pub fn run(
        &self,
        input: &[f32],
        dims: [usize; 4],
        prologue: &Prologue,
        epilogue: &Epilogue,
    ) -> (Vec<f32>, [usize; 4]) {
        assert_eq!(dims[0], self.input, "input channels");
        assert_eq!(
            input.len(),
            dims.iter().product::<usize>(),
            "input of dimensions {dims:?}"
        );
        for values in [prologue.scale, prologue.shift].into_iter().flatten() {
            assert_eq!(
                values.len(),
                self.input,
                "a prologue needs one value per input channel"
            );
        }
        let outputs = self.output_dims(dims);
        epilogue.check(outputs[0], outputs[2] * outputs[3]);
        let source = Source {
            values: input,
            dims,
            window: 0..dims[2],
        };
        // SAFETY: all planes are written.
        let output = unsafe {
            written(outputs, |planes| {
                crew::run(self, &source, prologue, epilogue, planes);
            })
        };
        (output, outputs)
    }

    /// All of the output for an input of `dims`.
    pub(super) fn whole(&self, dims: [usize; 4]) -> Share {
        Share {
            positions: 0..self.positions(1, dims),
            blocks: 0..self.output.div_ceil(self.block),
        }
    }

    /// Positions along an axis for an input of `dims`.
    pub(super) fn positions(&self, axis: usize, dims: [usize; 4]) -> usize {
        self.output_dims(dims)[axis + 1].div_ceil(self.axes[axis].steps)
    }

    /// The rows of an output for an input of `dims` that belong to a share.
    pub(super) fn output_rows(&self, share: &Share, dims: [usize; 4]) -> Range<usize> {
        let row = |position: usize| (position * self.axes[1].steps).min(self.output_dims(dims)[2]);
        row(share.positions.start)..row(share.positions.end)
    }

    /// The output channels that belong to a share.
    pub(super) fn output_channels(&self, share: &Share) -> Range<usize> {
        let channel = |block: usize| (block * self.block).min(self.output);
        channel(share.blocks.start)..channel(share.blocks.end)
    }

    /// Dimensions of a share's output for an input of `dims`.
    pub(super) fn share_dims(&self, share: &Share, dims: [usize; 4]) -> [usize; 4] {
        let [_, depth, _, width] = self.output_dims(dims);
        let (channels, rows) = (self.output_channels(share), self.output_rows(share, dims));
        [channels.len(), depth, rows.len(), width]
    }

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
        let run = |task: Task| {
            self.isa.run(Tile {
                layer: self,
                plan: &plan,
                input: source.values,
                prologue,
                epilogue,
                task,
            });
        };
        let tasks = self.split(&plan, planes);
        #[cfg(not(target_arch = "wasm32"))]
        {
            use rayon::prelude::*;
            tasks.into_par_iter().for_each(run);
        }
        #[cfg(target_arch = "wasm32")]
        tasks.into_iter().for_each(run);
    }

    fn plan(&self, share: &Share, source: &Source) -> Plan {
        let inputs = source.dims;
        let outputs = self.share_dims(share, inputs);
        let [deep, high, wide] = self.axes;
        let positions = |axis: usize| self.positions(axis, inputs);
        let columns = positions(2) + 2 * wide.halo;
        let pitch = columns + wide.reach - 1;
        let parts = deep.span * high.parts * wide.parts;
        // An odd number of lines spreads the channels over all sets of the caches.
        let spread = |values: usize| (values.div_ceil(LINE) | 1) * LINE;
        let sizes = |rows: usize| {
            let rows = rows + 2 * high.halo;
            let part = (rows + high.reach - 1) * pitch;
            let stride = spread(parts * part);
            (part, stride, spread(rows * pitch + LINE))
        };
        let bytes = size_of::<f32>();
        let blocks = share.blocks.len();
        let block_sums = |sums: usize| self.phases.len() * self.block * sums * bytes;
        let fits = |rows: &usize| {
            let (_, stride, sums) = sizes(*rows);
            self.input * stride * bytes + block_sums(sums) <= TILE_BYTES
        };
        let total = share.positions.len();
        let most = (1..=total).rev().find(fits).unwrap_or(1);
        let rows = total.div_ceil(total.div_ceil(most));
        let (part, stride, sums) = sizes(rows);
        let tasks = match threads() {
            1 => 1,
            threads => 2 * threads,
        };
        let band = match high.halo {
            0 => rows,
            _ => total.div_ceil((total / BAND_ROWS).clamp(1, tasks)),
        };
        let shares = tasks
            .div_ceil(total.div_ceil(band) * positions(0))
            .min(blocks);
        let task_blocks = blocks.div_ceil(shares);
        let touched = parts * high.reach * SWEEP_BYTES;
        let depth = (INNER_BYTES / touched).clamp(1, self.input);
        let offsets = |phase: &Phase| {
            let taps = phase.offsets(&self.axes, pitch, part);
            let channel = |channel: usize| taps.iter().map(move |tap| channel * stride + tap);
            (0..depth).flat_map(channel).collect()
        };
        Plan {
            inputs,
            window: source.window.clone(),
            share: share.clone(),
            outputs,
            rows,
            band,
            columns,
            pitch,
            parts,
            part,
            stride,
            offsets: self.phases.iter().map(offsets).collect(),
            sums,
            blocks: task_blocks,
            group: (SUMS_BYTES / block_sums(sums)).clamp(1, task_blocks),
            depth,
        }
    }

    /// Cuts a share into tasks.
    fn split<'a>(&self, plan: &Plan, planes: Vec<&'a mut [MaybeUninit<f32>]>) -> Vec<Task<'a>> {
        let [_, depth, height, width] = plan.outputs;
        let all = &plan.share.blocks;
        let shares = all.len().div_ceil(plan.blocks);
        let steps = self.axes.map(|axis| axis.steps);
        let depths = depth.div_ceil(steps[0]);
        let bands = height.div_ceil(steps[1]).div_ceil(plan.band);
        let mut tasks = Vec::with_capacity(shares * depths * bands);
        for share in 0..shares {
            let first = all.start + share * plan.blocks;
            for depth in 0..depths {
                for band in 0..bands {
                    tasks.push(Task {
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
                tasks[first + band].outputs.push(rows);
            }
        }
        tasks
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

/// Threads that share the work.
fn threads() -> usize {
    #[cfg(not(target_arch = "wasm32"))]
    return rayon::current_num_threads();
    #[cfg(target_arch = "wasm32")]
    return 1;
}
