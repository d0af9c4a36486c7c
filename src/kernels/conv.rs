//! Direct convolutions, without the im2col matrix of the usual matrix-multiplication route.
//!
//! A tile of rows of all input channels is copied into a zero-padded buffer that stays in the second-level
//! cache. There, rows follow each other without gaps, so that a kernel tap is a constant offset and even
//! narrow pictures make long vectors; the few sums that straddle two rows are dropped. Strided convolutions
//! split the padded input into its interleaved parts (even and odd columns, ...), transposed ones split the
//! *output* into parts that each see only some of the taps: all of them become convolutions with stride 1.

use std::{cell::Cell, ops::Range};

use super::{
    epilogue::Epilogue,
    resample::blur_rows,
    simd::{Isa, Job, Sweep, Tiled},
};

/// Bytes of padded input and sums that a tile may take: about half a second-level cache.
const TILE_BYTES: usize = 1 << 20;
/// Bytes of sums kept before they are written out.
const SUMS_BYTES: usize = 1 << 18;
/// Bytes of padded input that one position of the inner loop may touch: half a first-level cache.
const INNER_BYTES: usize = 24 << 10;
/// Values in a cache line.
const LINE: usize = 16;

/// The geometry of a convolution; per axis `[depth, height, width]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Convolution as in PyTorch's `conv3d`, weights `[out, in, depth, height, width]`.
    Forward {
        /// Input values per output value.
        stride: [usize; 3],
        /// Zeros on either side of the input.
        padding: [usize; 3],
    },
    /// Transposed convolution as in PyTorch's `conv_transpose3d`, weights `[in, out, depth, height, width]`.
    Transposed {
        /// Output values per input value.
        stride: [usize; 3],
        /// Values cut from either side of the output.
        padding: [usize; 3],
    },
    /// StyleGAN2's upsampling convolution: transposed with stride 2 in height and width, then the low-pass
    /// filter `[1, 3, 3, 1] / 4` along both, which doubles height and width. Weights `[out, in, 1, 3, 3]`.
    Upsample,
}

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
    isa: Isa,
    input: usize,
    output: usize,
    /// Output channels that are computed at once.
    block: usize,
    kind: Kind,
    axes: [Axis; 3],
    /// The parts of the output, `steps` along each axis.
    phases: Vec<Phase>,
}

/// How positions, inputs and outputs relate along one axis.
///
/// Position `t` reads the inputs `(t + shift) * split + part - lead` and makes the outputs
/// `t * steps ..  (t + 1) * steps`.
#[derive(Clone, Copy, Debug)]
struct Axis {
    kernel: usize,
    split: usize,
    steps: usize,
    lead: usize,
    /// Interleaved parts that are read.
    parts: usize,
    /// One more than the largest shift.
    reach: usize,
    /// Successive inputs that a position reads from.
    span: usize,
    /// Positions computed beyond either end, for the filter.
    halo: usize,
}

/// One kernel element along one axis.
#[derive(Clone, Copy, Debug)]
struct Tap {
    index: usize,
    part: usize,
    shift: usize,
}

/// One part of the output: every `steps`-th value along each axis.
#[derive(Clone, Debug)]
struct Phase {
    /// `[depth, height, width]` of each kernel element that takes part.
    taps: Vec<[Tap; 3]>,
    /// `[blocks][input][taps][block]`.
    weights: Vec<f32>,
}

impl Axis {
    fn new(kind: Kind, axis: usize, kernel: usize) -> Self {
        let (split, steps, lead, reach, halo) = match kind {
            Kind::Forward { stride, padding } => {
                let split = stride[axis];
                (split, 1, padding[axis], kernel.div_ceil(split), 0)
            }
            Kind::Transposed { stride, padding } => {
                let (steps, padding) = (stride[axis], padding[axis]);
                // Inputs before and after position t that some output of t sees.
                let before = (kernel - 1).saturating_sub(padding) / steps;
                let after = (steps - 1 + padding) / steps;
                (1, steps, before, before + after + 1, 0)
            }
            Kind::Upsample if axis == 0 => (1, 1, 0, 1, 0),
            Kind::Upsample => (1, 2, 2, 2, 1),
        };
        Self {
            kernel,
            split,
            steps,
            lead,
            parts: split.min(kernel),
            reach,
            span: if split == 1 { reach } else { kernel },
            halo,
        }
    }

    /// The kernel elements that part `phase` of the output sees.
    fn taps(&self, kind: Kind, axis: usize, phase: usize) -> Vec<Tap> {
        let padding = match kind {
            Kind::Forward { .. } => {
                let tap = |index| Tap {
                    index,
                    part: index % self.split,
                    shift: index / self.split,
                };
                return (0..self.kernel).map(tap).collect();
            }
            Kind::Transposed { padding, .. } => padding[axis],
            Kind::Upsample => 0,
        };
        // Output t * steps + phase gets input i through element t * steps + phase + padding - i * steps.
        let base = (self.lead - self.halo) * self.steps + phase + padding;
        (0..self.kernel)
            .filter(|index| index <= &base && (base - index).is_multiple_of(self.steps))
            .map(|index| Tap {
                index,
                part: 0,
                shift: (base - index) / self.steps,
            })
            .collect()
    }

    /// Output size for `input` values.
    fn output(&self, kind: Kind, axis: usize, input: usize) -> usize {
        match kind {
            Kind::Forward { stride, padding } => {
                (input + 2 * padding[axis] - self.kernel) / stride[axis] + 1
            }
            Kind::Transposed { stride, padding } => {
                (input - 1) * stride[axis] + self.kernel - 2 * padding[axis]
            }
            Kind::Upsample => input * self.steps,
        }
    }
}

impl Phase {
    /// Offsets of the kernel elements in a channel of the padded input.
    fn offsets(&self, axes: &[Axis; 3], pitch: usize, part: usize) -> Vec<usize> {
        let [deep, high, wide] = axes;
        let offset = |[depth, row, column]: &[Tap; 3]| {
            let slot = depth.shift * deep.split + depth.part;
            let index = (slot * high.parts + row.part) * wide.parts + column.part;
            index * part + row.shift * pitch + column.shift
        };
        self.taps.iter().map(offset).collect()
    }
}

/// Sizes that depend on the input's.
struct Plan {
    inputs: [usize; 4],
    outputs: [usize; 4],
    /// Rows of positions in a tile, without the halo.
    rows: usize,
    /// Columns of positions, with the halo.
    columns: usize,
    /// Distance of rows in the padded input and in the sums.
    pitch: usize,
    /// Parts of one channel of the padded input: `[depths][row parts][column parts]`.
    parts: usize,
    /// Values of one part.
    part: usize,
    /// Values of one channel of the padded input.
    stride: usize,
    /// Offsets of each phase's kernel elements in a channel of the padded input.
    taps: Vec<Vec<usize>>,
    /// Values of one row of sums.
    sums: usize,
    /// Blocks of output channels that a task takes.
    blocks: usize,
    /// Blocks whose sums are kept at once.
    group: usize,
    /// Input channels that the inner loop takes at once.
    depth: usize,
}

/// Some rows of some output channels at one depth.
struct Task<'a> {
    depth: usize,
    row: usize,
    blocks: Range<usize>,
    /// Rows `row * steps ..` of each output channel and each depth that the position makes.
    outputs: Vec<&'a mut [f32]>,
}

thread_local! {
    static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
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
        let axes = [0, 1, 2].map(|axis| Axis::new(kind, axis, kernel[axis]));
        let mut phases = Vec::new();
        for depth in 0..axes[0].steps {
            for row in 0..axes[1].steps {
                for column in 0..axes[2].steps {
                    let mut taps = Vec::new();
                    for depth in axes[0].taps(kind, 0, depth) {
                        for row in axes[1].taps(kind, 1, row) {
                            for column in axes[2].taps(kind, 2, column) {
                                taps.push([depth, row, column]);
                            }
                        }
                    }
                    let blocks = output.div_ceil(block);
                    let mut weights = Vec::with_capacity(blocks * block * input * taps.len());
                    for first in (0..output).step_by(block) {
                        for input in 0..input {
                            for [depth, row, column] in &taps {
                                let tap = (depth.index * kernel[1] + row.index) * kernel[2]
                                    + column.index;
                                weights.extend((first..first + block).map(|channel| {
                                    if channel < output {
                                        weight[source(channel, input) + tap]
                                    } else {
                                        0.0
                                    }
                                }));
                            }
                        }
                    }
                    phases.push(Phase { taps, weights });
                }
            }
        }
        Self {
            isa,
            input,
            output,
            block,
            kind,
            axes,
            phases,
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
        let plan = self.plan(dims);
        let [channels, depth, height, width] = plan.outputs;
        epilogue.check(channels, height * width);
        let mut output = vec![0.0; channels * depth * height * width];
        let tasks = self.split(&plan, &mut output);
        let run = |task: Task| {
            self.isa.run(Tile {
                layer: self,
                plan: &plan,
                input,
                prologue,
                epilogue,
                task,
            });
        };
        #[cfg(not(target_arch = "wasm32"))]
        {
            use rayon::prelude::*;
            tasks.into_par_iter().for_each(run);
        }
        #[cfg(target_arch = "wasm32")]
        tasks.into_iter().for_each(run);
        (output, plan.outputs)
    }

    fn plan(&self, inputs: [usize; 4]) -> Plan {
        let outputs = self.output_dims(inputs);
        let [deep, high, wide] = self.axes;
        let positions = |axis: usize| outputs[axis + 1].div_ceil(self.axes[axis].steps);
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
        let blocks = self.output.div_ceil(self.block);
        let block_sums = |sums: usize| self.phases.len() * self.block * sums * bytes;
        let fits = |rows: &usize| {
            let (_, stride, sums) = sizes(*rows);
            self.input * stride * bytes + block_sums(sums) <= TILE_BYTES
        };
        let total = positions(1);
        let most = (1..=total).rev().find(fits).unwrap_or(1);
        let tiles = total.div_ceil(most);
        let rows = total.div_ceil(tiles);
        let (part, stride, sums) = sizes(rows);
        let shares = (2 * threads()).div_ceil(tiles * positions(0)).min(blocks);
        let task_blocks = blocks.div_ceil(shares);
        let touched = parts * high.reach * (self.isa.width(self.block) + 2 * LINE) * bytes;
        Plan {
            inputs,
            outputs,
            rows,
            columns,
            pitch,
            parts,
            part,
            stride,
            taps: self
                .phases
                .iter()
                .map(|phase| phase.offsets(&self.axes, pitch, part))
                .collect(),
            sums,
            blocks: task_blocks,
            group: (SUMS_BYTES / block_sums(sums)).clamp(1, task_blocks),
            depth: (INNER_BYTES / touched).max(1),
        }
    }

    /// Cuts the output into tasks.
    fn split<'a>(&self, plan: &Plan, output: &'a mut [f32]) -> Vec<Task<'a>> {
        let [_, depth, height, width] = plan.outputs;
        let blocks = self.output.div_ceil(self.block);
        let shares = blocks.div_ceil(plan.blocks);
        let steps = self.axes.map(|axis| axis.steps);
        let depths = depth.div_ceil(steps[0]);
        let tiles = height.div_ceil(steps[1]).div_ceil(plan.rows);
        let mut tasks = Vec::with_capacity(shares * depths * tiles);
        for share in 0..shares {
            let first = share * plan.blocks;
            for depth in 0..depths {
                for tile in 0..tiles {
                    tasks.push(Task {
                        depth,
                        row: tile * plan.rows,
                        blocks: first..(first + plan.blocks).min(blocks),
                        outputs: Vec::with_capacity(plan.blocks * self.block * steps[0]),
                    });
                }
            }
        }
        for (index, plane) in output.chunks_mut(height * width).enumerate() {
            let (channel, depth) = (index / depth, index % depth);
            let share = channel / (plan.blocks * self.block);
            let first = (share * depths + depth / steps[0]) * tiles;
            for (tile, rows) in plane.chunks_mut(plan.rows * steps[1] * width).enumerate() {
                tasks[first + tile].outputs.push(rows);
            }
        }
        tasks
    }
}

/// Threads that share the work.
fn threads() -> usize {
    #[cfg(not(target_arch = "wasm32"))]
    return rayon::current_num_threads();
    #[cfg(target_arch = "wasm32")]
    return 1;
}

/// A task with all that it needs.
struct Tile<'a> {
    layer: &'a ConvLayer,
    plan: &'a Plan,
    input: &'a [f32],
    prologue: &'a Prologue<'a>,
    epilogue: &'a Epilogue<'a>,
    task: Task<'a>,
}

impl Job for Tile<'_> {
    #[inline(always)]
    fn run<S: Tiled>(mut self, simd: S) {
        let (layer, plan) = (self.layer, self.plan);
        let [_, high, _] = layer.axes;
        let positions = plan.outputs[2].div_ceil(high.steps);
        let rows = plan.rows.min(positions - self.task.row) + 2 * high.halo;
        let length = ((rows - 1) * plan.pitch + plan.columns).next_multiple_of(S::F32_LANES);
        // Vectors may reach beyond the last channel's last position.
        let padded = layer.input * plan.stride + S::F32_LANES;
        let phase_sums = plan.group * layer.block * plan.sums;
        let mut scratch = SCRATCH.take();
        let wanted = padded + layer.phases.len() * phase_sums + 2 * plan.pitch;
        if scratch.len() < wanted {
            scratch.resize(wanted, 0.0);
        }
        let (input, rest) = scratch.split_at_mut(padded);
        let (sums, rest) = rest.split_at_mut(layer.phases.len() * phase_sums);
        self.pack(input);
        let blocks = self.task.blocks.clone();
        for first in blocks.clone().step_by(plan.group) {
            let group = first..(first + plan.group).min(blocks.end);
            let phases = layer.phases.iter().zip(&plan.taps);
            for ((phase, taps), sums) in phases.zip(sums.chunks_mut(phase_sums)) {
                self.convolve(
                    simd,
                    &phase.weights,
                    taps,
                    group.clone(),
                    input,
                    sums,
                    length,
                );
            }
            let channels = group.start * layer.block..(group.end * layer.block).min(layer.output);
            match layer.kind {
                Kind::Upsample => self.blur(channels, sums, phase_sums, rest),
                _ => self.store(channels, sums, phase_sums),
            }
        }
        SCRATCH.set(scratch);
    }
}

impl Tile<'_> {
    /// Copies the tile's input between zeros, each interleaved part on its own.
    #[inline(always)]
    fn pack(&self, padded: &mut [f32]) {
        let plan = self.plan;
        let [channels, depth, height, width] = plan.inputs;
        let [deep, high, wide] = self.layer.axes;
        for channel in 0..channels {
            let scale = self.prologue.scale.map_or(1.0, |scale| scale[channel]);
            let shift = self.prologue.shift.map_or(0.0, |shift| shift[channel]);
            let parts = padded[channel * plan.stride..][..plan.stride].chunks_exact_mut(plan.part);
            for (index, part) in parts.take(plan.parts).enumerate() {
                let (column_part, row_part) = (index % wide.parts, index / wide.parts % high.parts);
                let slot = index / (wide.parts * high.parts);
                let source = (self.task.depth * deep.split + slot).checked_sub(deep.lead);
                let source = source.filter(|&source| source < depth);
                for (row, target) in part.chunks_exact_mut(plan.pitch).enumerate() {
                    let row =
                        ((self.task.row + row) * high.split + row_part).checked_sub(high.lead);
                    match (source, row.filter(|&row| row < height)) {
                        (Some(depth_index), Some(row)) => {
                            let start = ((channel * depth + depth_index) * height + row) * width;
                            let source = &self.input[start..][..width];
                            copy_row(
                                target,
                                source,
                                wide.split,
                                column_part,
                                wide.lead,
                                scale,
                                shift,
                            );
                        }
                        _ => target.fill(0.0),
                    }
                }
            }
        }
    }

    /// Sums of one phase for the output blocks `group`: `[group][block]` rows of `plan.sums` values.
    #[inline(always)]
    fn convolve<S: Tiled>(
        &self,
        simd: S,
        weights: &[f32],
        taps: &[usize],
        group: Range<usize>,
        input: &[f32],
        sums: &mut [f32],
        length: usize,
    ) {
        let (layer, plan) = (self.layer, self.plan);
        let rows = layer.block * plan.sums;
        if taps.is_empty() {
            sums[..group.len() * rows].fill(0.0);
            return;
        }
        let width = S::width(layer.block);
        let channel_weights = taps.len() * layer.block;
        for first in (0..layer.input).step_by(plan.depth) {
            let last = (first + plan.depth).min(layer.input);
            for start in (0..length).step_by(width) {
                for (block, sums) in group.clone().zip(sums.chunks_mut(rows)) {
                    let base = block * layer.input * channel_weights;
                    let work = Sweep {
                        weights: &weights
                            [base + first * channel_weights..base + last * channel_weights],
                        taps,
                        input: &input[first * plan.stride..],
                        stride: plan.stride,
                    };
                    let count = width.min(length - start);
                    simd.sweep(
                        layer.block,
                        work,
                        start,
                        &mut sums[start..],
                        plan.sums,
                        count,
                        first == 0,
                    );
                }
            }
        }
    }

    /// Writes finished sums out, the phases interleaved.
    #[inline(always)]
    fn store(&mut self, channels: Range<usize>, sums: &[f32], phase_sums: usize) {
        let (layer, plan) = (self.layer, self.plan);
        let [_, depth, _, width] = plan.outputs;
        let [deep, high, wide] = layer.axes;
        let base = self.task.blocks.start * layer.block;
        let depths = deep.steps.min(depth - self.task.depth * deep.steps);
        for (local, channel) in channels.enumerate() {
            for depth_phase in 0..depths {
                let target = &mut self.task.outputs[(channel - base) * depths + depth_phase];
                for (row, target) in target.chunks_exact_mut(width).enumerate() {
                    let phase = (depth_phase * high.steps + row % high.steps) * wide.steps;
                    let start = local * plan.sums + row / high.steps * plan.pitch;
                    for column in 0..wide.steps {
                        let source = &sums[(phase + column) * phase_sums + start..];
                        interleave(target, source, wide.steps, column);
                    }
                    let offset = (self.task.row * high.steps + row) * width;
                    self.epilogue.finish(target, channel, offset);
                }
            }
        }
    }

    /// Filters the four phases of an upsampling convolution and writes the result out.
    #[inline(always)]
    fn blur(
        &mut self,
        channels: Range<usize>,
        sums: &[f32],
        phase_sums: usize,
        scratch: &mut [f32],
    ) {
        let (layer, plan) = (self.layer, self.plan);
        let [_, _, _, width] = plan.outputs;
        let base = self.task.blocks.start * layer.block;
        for (local, channel) in channels.enumerate() {
            let target = &mut self.task.outputs[channel - base];
            for (row, target) in target.chunks_exact_mut(width).enumerate() {
                let phase = |row_phase: usize, column_phase: usize, row: usize| {
                    let start = (2 * row_phase + column_phase) * phase_sums
                        + local * plan.sums
                        + row * plan.pitch;
                    &sums[start..][..plan.columns]
                };
                blur_rows(target, row, phase, scratch);
                let offset = (2 * self.task.row + row) * width;
                self.epilogue.finish(target, channel, offset);
            }
        }
    }
}

/// Fills a row of a part of the padded input: value `q` is source `q * split + part - lead`, or zero.
#[inline(always)]
fn copy_row(
    target: &mut [f32],
    source: &[f32],
    split: usize,
    part: usize,
    lead: usize,
    scale: f32,
    shift: f32,
) {
    let first = lead.saturating_sub(part).div_ceil(split).min(target.len());
    let source = source
        .get((first * split + part).saturating_sub(lead)..)
        .unwrap_or_default();
    let count = source.len().div_ceil(split).min(target.len() - first);
    let (before, rest) = target.split_at_mut(first);
    let (inside, after) = rest.split_at_mut(count);
    before.fill(0.0);
    after.fill(0.0);
    match split {
        1 => {
            for (target, source) in inside.iter_mut().zip(source) {
                *target = source * scale + shift;
            }
        }
        2 => {
            let (pairs, last) = source.as_chunks::<2>();
            let (inside, end) = inside.split_at_mut(pairs.len().min(count));
            for (target, pair) in inside.iter_mut().zip(pairs) {
                *target = pair[0] * scale + shift;
            }
            for (target, source) in end.iter_mut().zip(last) {
                *target = source * scale + shift;
            }
        }
        _ => {
            let source = source.iter().step_by(split);
            for (target, source) in inside.iter_mut().zip(source) {
                *target = source * scale + shift;
            }
        }
    }
}

/// `target[i * steps + phase] = source[i]`.
#[inline(always)]
fn interleave(target: &mut [f32], source: &[f32], steps: usize, phase: usize) {
    if steps == 1 {
        target.copy_from_slice(&source[..target.len()]);
    } else {
        for (target, source) in target.iter_mut().skip(phase).step_by(steps).zip(source) {
            *target = *source;
        }
    }
}
