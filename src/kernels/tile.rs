//! The work of one piece of a convolution: padding, sums, epilogue.

use std::{cell::Cell, mem::MaybeUninit, ops::Range};

use super::{
    epilogue::Epilogue,
    geometry::Kind,
    layer::{ConvLayer, Prologue},
    plan::Plan,
    resample::blur_rows,
    simd::{Job, Sweep, Tiled},
    winograd::TilePositions,
};

/// Some rows of some output channels at one depth.
pub(super) struct Piece<'a> {
    pub depth: usize,
    /// First row of positions; there are `plan.band` of them, fewer at the end.
    pub row: usize,
    pub blocks: Range<usize>,
    /// Those rows of each output channel and each depth that the position makes.
    pub outputs: Vec<&'a mut [MaybeUninit<f32>]>,
}

/// A piece with all that it needs.
pub(super) struct Tile<'a> {
    pub layer: &'a ConvLayer,
    pub plan: &'a Plan,
    pub input: &'a [f32],
    pub prologue: &'a Prologue<'a>,
    pub epilogue: &'a Epilogue<'a>,
    pub piece: Piece<'a>,
}

/// Consecutive rows of positions: a tile's part of a piece.
#[derive(Clone, Copy)]
struct Rows {
    /// The first one.
    first: usize,
    /// How many, without the halo.
    count: usize,
    /// Rows, with the halo, whose sums the tile before has left.
    carried: usize,
}

thread_local! {
    /// Buffers for padded input and sums, kept between calls.
    static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

impl Job for Tile<'_> {
    #[inline(always)]
    fn run<S: Tiled>(mut self, simd: S) {
        let (layer, plan) = (self.layer, self.plan);
        let [deep, high, _] = plan.axes;
        let (blocks, phases) = (self.piece.blocks.clone(), plan.phases);
        // Vectors may reach beyond the last channel's last position.
        let padded = layer.input * plan.stride + S::F32_LANES;
        let phase_sums = plan.group * layer.block * plan.sums;
        let overlap = 2 * high.halo * plan.pitch;
        let sizes = [
            padded,
            phases * phase_sums,
            blocks.len() * layer.block * phases * overlap,
            plan.outputs[3] + 2 * plan.pitch,
            (plan.minimal.as_ref())
                .map_or(0, |minimal| minimal.scratch(blocks.len() * layer.block)),
        ];
        let mut scratch = SCRATCH.take();
        let wanted = sizes.iter().sum();
        if scratch.len() < wanted {
            scratch.resize(wanted, 0.0);
        }
        let mut rest = &mut scratch[..];
        let [input, sums, kept, lines, values] = sizes.map(|size| {
            let (first, others) = std::mem::take(&mut rest).split_at_mut(size);
            rest = others;
            first
        });
        let last = (self.piece.row + plan.band).min(plan.outputs[2].div_ceil(high.steps));
        for first in (self.piece.row..last).step_by(plan.rows) {
            let rows = Rows {
                first,
                count: plan.rows.min(last - first),
                carried: if first == self.piece.row {
                    0
                } else {
                    2 * high.halo
                },
            };
            self.pack(rows, input);
            for first in blocks.clone().step_by(plan.group) {
                let group = first..(first + plan.group).min(blocks.end);
                let channels =
                    group.start * layer.block..(group.end * layer.block).min(layer.output);
                let kept = &mut kept[(first - blocks.start) * layer.block * phases * overlap..];
                if rows.carried > 0 {
                    for index in 0..channels.len() * phases {
                        let start = index % phases * phase_sums + index / phases * plan.sums;
                        sums[start..][..overlap]
                            .copy_from_slice(&kept[index * overlap..][..overlap]);
                    }
                }
                match &plan.minimal {
                    Some(minimal) => {
                        let positions = TilePositions {
                            input,
                            stride: plan.stride,
                            depths: deep.kernel,
                            part: plan.part,
                            pitch: plan.pitch,
                            count: (rows.count - 1) * plan.pitch + plan.columns,
                            phase: phase_sums,
                            channel: plan.sums,
                        };
                        minimal.filter(simd, layer, &positions, group.clone(), values, sums);
                    }
                    None => {
                        for (phase, sums) in sums.chunks_mut(phase_sums).enumerate() {
                            self.convolve(simd, phase, rows, group.clone(), input, sums);
                        }
                    }
                }
                for index in 0..channels.len() * phases {
                    let start = index % phases * phase_sums + index / phases * plan.sums;
                    let start = start + rows.count * plan.pitch;
                    kept[index * overlap..][..overlap].copy_from_slice(&sums[start..][..overlap]);
                }
                self.store(rows, channels, sums, phase_sums, lines);
            }
        }
        SCRATCH.set(scratch);
    }
}

impl Rows {
    /// These rows of a piece's output, which begins with row `first` and has `values` per row of positions.
    #[inline(always)]
    fn of<T>(self, output: &mut [T], first: usize, values: usize) -> &mut [T] {
        let rest = &mut output[(self.first - first) * values..];
        let end = rest.len().min(self.count * values);
        &mut rest[..end]
    }
}

impl Tile<'_> {
    /// Copies the tile's input between zeros, each interleaved part on its own.
    #[cfg_attr(target_arch = "wasm32", inline(never))] // see `simd::accumulate`
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    fn pack(&self, rows: Rows, padded: &mut [f32]) {
        let plan = self.plan;
        let [channels, depth, height, width] = plan.inputs;
        let [deep, high, wide] = plan.axes;
        // The last tile may have fewer rows.
        let needed = rows.count + 2 * high.halo + high.reach - 1;
        for channel in 0..channels {
            let scale = self.prologue.scale.map_or(1.0, |scale| scale[channel]);
            let shift = self.prologue.shift.map_or(0.0, |shift| shift[channel]);
            let parts = padded[channel * plan.stride..][..plan.stride].chunks_exact_mut(plan.part);
            for (index, part) in parts.take(plan.parts).enumerate() {
                let (column_part, row_part) = (index % wide.parts, index / wide.parts % high.parts);
                let slot = index / (wide.parts * high.parts);
                let source = (self.piece.depth * deep.split + slot).checked_sub(deep.lead);
                let source = source.filter(|&source| source < depth);
                let lines = part.chunks_exact_mut(plan.pitch).enumerate();
                for (line, target) in lines.take(needed).skip(rows.carried) {
                    let row = (rows.first + line) * high.split + row_part;
                    let row = row.checked_sub(high.lead);
                    match (source, row.filter(|&row| row < height)) {
                        (Some(depth_index), Some(row)) => {
                            let line = (channel * depth + depth_index) * height;
                            let start = (line + row) * width;
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
    #[cfg_attr(target_arch = "wasm32", inline(never))] // see `simd::accumulate`
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    fn convolve<S: Tiled>(
        &self,
        simd: S,
        phase: usize,
        rows: Rows,
        group: Range<usize>,
        input: &[f32],
        sums: &mut [f32],
    ) {
        let (layer, plan) = (self.layer, self.plan);
        let (weights, offsets) = (&layer.phases[phase].weights, &plan.offsets[phase]);
        let taps = layer.phases[phase].taps.len();
        let lines = rows.count + 2 * plan.axes[1].halo;
        let begin = rows.carried * plan.pitch;
        let end = (lines - 1) * plan.pitch + plan.columns;
        let vectors = (end - begin).div_ceil(S::F32_LANES);
        let block_sums = layer.block * plan.sums;
        if taps == 0 {
            sums[..group.len() * block_sums].fill(0.0);
            return;
        }
        let channel_weights = taps * layer.block;
        for first in (0..layer.input).step_by(plan.depth) {
            let last = (first + plan.depth).min(layer.input);
            let input = &input[first * plan.stride..];
            let mut done = 0;
            while done < vectors {
                let count = S::vectors(layer.block, vectors - done);
                let start = begin + done * S::F32_LANES;
                for (block, sums) in group.clone().zip(sums.chunks_mut(block_sums)) {
                    let base = block * layer.input * channel_weights;
                    let range = base + first * channel_weights..base + last * channel_weights;
                    let work = Sweep {
                        weights: &weights[range],
                        offsets,
                        input,
                    };
                    let sums = &mut sums[start..];
                    simd.sweep(layer.block, count, work, start, sums, plan.sums, first == 0);
                }
                done += count;
            }
        }
    }

    /// Writes finished sums out, the phases interleaved or filtered; `lines` is room for that.
    #[inline(always)]
    fn store(
        &mut self,
        rows: Rows,
        channels: Range<usize>,
        sums: &[f32],
        phase_sums: usize,
        lines: &mut [f32],
    ) {
        let (layer, plan) = (self.layer, self.plan);
        let [_, depth, _, width] = plan.outputs;
        let [deep, high, wide] = plan.axes;
        let base = self.piece.blocks.start * layer.block;
        let depths = deep.steps.min(depth - self.piece.depth * deep.steps);
        let (line, lines) = lines.split_at_mut(width);
        for (local, channel) in channels.enumerate() {
            for depth_phase in 0..depths {
                let target = &mut self.piece.outputs[(channel - base) * depths + depth_phase];
                let target = rows.of(target, self.piece.row, high.steps * width);
                for (row, target) in target.chunks_exact_mut(width).enumerate() {
                    let values = |row_phase: usize, column_phase: usize, row: usize| {
                        let phase =
                            (depth_phase * high.steps + row_phase) * wide.steps + column_phase;
                        let start = phase * phase_sums + local * plan.sums + row * plan.pitch;
                        &sums[start..][..plan.columns]
                    };
                    let (row_phase, position) = (row % high.steps, row / high.steps);
                    let source = match (layer.kind, wide.steps) {
                        (Kind::Upsample, _) => {
                            blur_rows(line, row, values, lines);
                            &*line
                        }
                        (_, 1) => values(row_phase, 0, position),
                        (_, 2) => {
                            interleave(
                                line,
                                [0, 1].map(|column| values(row_phase, column, position)),
                            );
                            &*line
                        }
                        (_, 4) => {
                            interleave(
                                line,
                                [0, 1, 2, 3].map(|column| values(row_phase, column, position)),
                            );
                            &*line
                        }
                        (_, steps) => {
                            for column in 0..steps {
                                let source = values(row_phase, column, position);
                                let target = line.iter_mut().skip(column).step_by(steps);
                                for (target, source) in target.zip(source) {
                                    *target = *source;
                                }
                            }
                            &*line
                        }
                    };
                    let offset = (rows.first * high.steps + row) * width;
                    self.epilogue.finish(target, source, channel, offset);
                }
            }
        }
    }
}

/// Fills a row of a part of the padded input: value `q` is source `q * split + part - lead`, or zero.
#[cfg_attr(target_arch = "wasm32", inline(never))] // see `simd::accumulate`
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
pub(super) fn copy_row(
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
        2 => copy_every::<2>(inside, source, scale, shift),
        4 => copy_every::<4>(inside, source, scale, shift),
        _ => {
            let source = source.iter().step_by(split);
            for (target, source) in inside.iter_mut().zip(source) {
                *target = source * scale + shift;
            }
        }
    }
}

/// Takes every `SPLIT`-th value from the first one on.
#[inline(always)]
fn copy_every<const SPLIT: usize>(target: &mut [f32], source: &[f32], scale: f32, shift: f32) {
    let (groups, last) = source.as_chunks::<SPLIT>();
    let (inside, end) = target.split_at_mut(groups.len().min(target.len()));
    for (target, group) in inside.iter_mut().zip(groups) {
        *target = group[0] * scale + shift;
    }
    for (target, source) in end.iter_mut().zip(last) {
        *target = source * scale + shift;
    }
}

/// `target[i * STEPS + phase] = sources[phase][i]`.
#[cfg_attr(target_arch = "wasm32", inline(never))] // see `simd::accumulate`
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
fn interleave<const STEPS: usize>(target: &mut [f32], sources: [&[f32]; STEPS]) {
    let (whole, last) = target.as_chunks_mut::<STEPS>();
    let count = whole.len();
    let sources = sources.map(|source| &source[..count + usize::from(source.len() > count)]);
    for (index, group) in whole.iter_mut().enumerate() {
        for (target, source) in group.iter_mut().zip(&sources) {
            *target = source[index];
        }
    }
    for (target, source) in last.iter_mut().zip(&sources) {
        *target = source[count];
    }
}
