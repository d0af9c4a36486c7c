//! Winograd's minimal filtering `F(2x2, 3x3)` for 3x3 kernels with stride 1 (Lavin and Gray, CVPR 2016).
//!
//! A patch of 2x2 outputs sees 4x4 inputs. It is a product, value by value, of 16 values made of those inputs and 16
//! made of the kernel; sums of the products make the outputs. That takes 16 products in place of 36. Patches are the
//! positions of a [`Tile`](super::tile::Tile) here: the padded input is split into its four interleaved parts, and the
//! output is put together from four phases, so that both are long rows.
//!
//! It pays where vectors are short. With 16 values in a vector products are so cheap that the transforms, which move
//! memory, cost more than they save.

use std::{array::from_fn, ops::Range};

use super::{
    geometry::{Axis, Kind},
    layer::ConvLayer,
    simd::{Sweep, Tiled},
    thread_pool::take_in_turns,
};

/// Outputs along each side of a patch.
const PATCH: usize = 2;
/// Inputs, and transformed values, along each side of a patch.
const SIDE: usize = PATCH + 2;
/// Transformed values of a patch.
const VALUES: usize = SIDE * SIDE;
/// Elements of a kernel.
const TAPS: usize = 9;
/// Longest vectors with which it pays.
const MOST_LANES: usize = 4;
/// Pixels that a picture must have: transformed kernels have to be used some times to be worth making.
const LEAST_PIXELS: usize = 256;
/// Input and output channels that a layer must have, or the transforms outweigh what they save.
const LEAST_CHANNELS: usize = 8;
/// Bytes of transformed input that are kept at once: part of a second-level cache.
const CHUNK_BYTES: usize = 3 << 18;
/// Most vectors of positions that are transformed at once.
const MOST_VECTORS: usize = 12;

/// A layer's kernels, transformed, and how much of the input is transformed at once.
pub(super) struct Transformed {
    /// `[blocks][VALUES][input][block]`.
    weights: Vec<f32>,
    /// Positions whose transformed inputs are kept at once.
    chunk: usize,
    /// Where each input channel begins among those of one of the `VALUES`.
    offsets: Vec<usize>,
}

/// Successive positions in the padded input and in the sums.
pub(super) struct TilePositions<'a> {
    /// Padded input: channels of `stride` values, in parts of `part`, in rows of `pitch`.
    pub input: &'a [f32],
    pub stride: usize,
    pub part: usize,
    pub pitch: usize,
    /// How many positions.
    pub count: usize,
    /// Sums: phases of `phase` values, in channels of `channel`.
    pub phase: usize,
    pub channel: usize,
}

impl ConvLayer {
    /// Whether inputs can be filtered so.
    pub(super) fn can_be_minimal(&self) -> bool {
        matches!(
            self.kind,
            Kind::Forward {
                stride: [1, 1, 1],
                ..
            }
        ) && self.axes.map(|axis| axis.kernel) == [1, 3, 3]
    }

    /// Whether that pays for inputs that are large enough.
    pub(super) fn should_be_minimal(&self) -> bool {
        self.can_be_minimal()
            && self.input.min(self.output) >= LEAST_CHANNELS
            && self.isa.lanes() <= MOST_LANES
    }

    /// Whether an input of `dims` is filtered so.
    pub(super) fn is_minimal(&self, dims: [usize; 4]) -> bool {
        self.minimal && dims[2] * dims[3] >= LEAST_PIXELS
    }

    /// The axes for an input of `dims`; positions are single outputs, or patches.
    pub(super) fn axes(&self, dims: [usize; 4]) -> [Axis; 3] {
        let [deep, high, wide] = self.axes;
        match self.is_minimal(dims) {
            true => [deep, high.patches(PATCH), wide.patches(PATCH)],
            false => self.axes,
        }
    }

    /// The kernels, transformed by so many threads, if an input of `dims` is filtered so.
    pub(super) fn transformed(&self, dims: [usize; 4], threads: usize) -> Option<Transformed> {
        let (lanes, at_once) = (self.isa.lanes(), self.isa.most_vectors(self.block));
        let vectors = CHUNK_BYTES / size_of::<f32>() / (VALUES * self.input) / lanes;
        let chunk = (vectors.min(MOST_VECTORS) / at_once).max(1) * at_once * lanes;
        self.is_minimal(dims).then(|| Transformed {
            weights: self.transform_kernels(threads),
            chunk,
            offsets: (0..self.input).map(|channel| channel * chunk).collect(),
        })
    }

    fn transform_kernels(&self, threads: usize) -> Vec<f32> {
        let (input, block) = (self.input, self.block);
        let mut weights = vec![0.0; self.blocks() * VALUES * input * block];
        let sources = self.phases[0].weights.chunks_exact(input * TAPS * block);
        let targets = weights.chunks_exact_mut(VALUES * input * block);
        take_in_turns(sources.zip(targets), threads, |(source, target)| {
            for (channel, source) in source.chunks_exact(TAPS * block).enumerate() {
                for lane in 0..block {
                    let element = |row, column| source[(row * 3 + column) * block + lane];
                    let rows: [_; 3] =
                        from_fn(|row| kernel(from_fn(|column| element(row, column))));
                    let column = |column: usize| kernel(from_fn(|row| rows[row][column]));
                    for (column, values) in (0..SIDE).map(column).enumerate() {
                        for (row, value) in values.into_iter().enumerate() {
                            let index = row * SIDE + column;
                            target[(index * input + channel) * block + lane] = value;
                        }
                    }
                }
            }
        });
        weights
    }
}

impl Axis {
    /// The same axis in patches of `side` outputs.
    fn patches(self, side: usize) -> Self {
        Self {
            split: side,
            steps: side,
            parts: side,
            reach: 2,
            ..self
        }
    }
}

impl Transformed {
    /// Values of scratch memory that [`Self::filter`] needs.
    pub fn scratch(&self, layer: &ConvLayer) -> usize {
        VALUES * self.chunk * (layer.input + layer.block)
    }

    /// The sums at all positions for some of the blocks: rows of each phase, block and channel of a block.
    #[inline(always)]
    pub fn filter<S: Tiled>(
        &self,
        simd: S,
        layer: &ConvLayer,
        positions: &TilePositions,
        blocks: Range<usize>,
        scratch: &mut [f32],
        sums: &mut [f32],
    ) {
        let (block, chunk) = (layer.block, self.chunk);
        let (weight_values, input_values) = (layer.input * block, layer.input * chunk);
        let (values, products) = scratch.split_at_mut(VALUES * input_values);
        for start in (0..positions.count).step_by(chunk) {
            let vectors = (positions.count - start).min(chunk).div_ceil(S::F32_LANES);
            for channel in 0..layer.input {
                let source = &positions.input[channel * positions.stride + start..];
                let values = &mut values[channel * chunk..];
                transform_input(simd, source, positions, vectors, values, input_values);
            }
            for (local, index) in blocks.clone().enumerate() {
                let weights =
                    self.weights[index * VALUES * weight_values..].chunks_exact(weight_values);
                let factors = weights.zip(values.chunks_exact(input_values));
                for ((weights, input), sums) in factors.zip(products.chunks_mut(block * chunk)) {
                    let work = Sweep {
                        weights,
                        offsets: &self.offsets,
                        input,
                    };
                    let mut done = 0;
                    while done < vectors {
                        let count = S::vectors(block, vectors - done);
                        let position = done * S::F32_LANES;
                        let sums = &mut sums[position..];
                        simd.sweep(block, count, work, position, sums, chunk, true);
                        done += count;
                    }
                }
                for lane in 0..block {
                    let products = &products[lane * chunk..];
                    let sums = &mut sums[(local * block + lane) * positions.channel + start..];
                    transform_output(
                        simd,
                        products,
                        block * chunk,
                        vectors,
                        sums,
                        positions.phase,
                    );
                }
            }
        }
    }
}

/// A kernel's transform along one side; the points are 0, 1, -1 and infinity.
fn kernel([a, b, c]: [f32; 3]) -> [f32; SIDE] {
    let even = 0.5 * (a + c);
    [a, even + 0.5 * b, even - 0.5 * b, c]
}

/// An input's transform along one side.
#[inline(always)]
fn input<S: Tiled>(simd: S, [a, b, c, d]: [S::f32s; SIDE]) -> [S::f32s; SIDE] {
    [
        simd.sub_f32s(a, c),
        simd.add_f32s(b, c),
        simd.sub_f32s(c, b),
        simd.sub_f32s(b, d),
    ]
}

/// The products' transform along one side, to outputs.
#[inline(always)]
fn output<S: Tiled>(simd: S, [a, b, c, d]: [S::f32s; SIDE]) -> [S::f32s; PATCH] {
    [
        simd.add_f32s(a, simd.add_f32s(b, c)),
        simd.sub_f32s(simd.sub_f32s(b, c), d),
    ]
}

/// Transforms a channel's inputs at `vectors` vectors of positions, to rows of `stride` values.
#[cfg_attr(target_arch = "wasm32", inline(never))] // see `simd::accumulate`
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
fn transform_input<S: Tiled>(
    simd: S,
    source: &[f32],
    positions: &TilePositions,
    vectors: usize,
    target: &mut [f32],
    stride: usize,
) {
    let TilePositions { part, pitch, .. } = *positions;
    for at in (0..vectors).map(|vector| vector * S::F32_LANES) {
        let load = |row: usize, column: usize| {
            let part = (row % PATCH * PATCH + column % PATCH) * part;
            vector::<S>(source, part + row / PATCH * pitch + column / PATCH + at)
        };
        let rows: [_; SIDE] = from_fn(|row| input(simd, from_fn(|column| load(row, column))));
        let column = |column: usize| input(simd, from_fn(|row| rows[row][column]));
        for (column, values) in (0..SIDE).map(column).enumerate() {
            for (row, value) in values.into_iter().enumerate() {
                store::<S>(target, (row * SIDE + column) * stride + at, value);
            }
        }
    }
}

/// Transforms a channel's products, in rows of `stride` values, to its sums in each phase.
#[cfg_attr(target_arch = "wasm32", inline(never))] // see `simd::accumulate`
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
fn transform_output<S: Tiled>(
    simd: S,
    products: &[f32],
    stride: usize,
    vectors: usize,
    sums: &mut [f32],
    phase: usize,
) {
    for at in (0..vectors).map(|vector| vector * S::F32_LANES) {
        let load = |row, column| vector::<S>(products, (row * SIDE + column) * stride + at);
        let rows: [_; SIDE] = from_fn(|row| output(simd, from_fn(|column| load(row, column))));
        let column = |column: usize| output(simd, from_fn(|row| rows[row][column]));
        for (column, outputs) in (0..PATCH).map(column).enumerate() {
            for (row, value) in outputs.into_iter().enumerate() {
                store::<S>(sums, (row * PATCH + column) * phase + at, value);
            }
        }
    }
}

/// The vector that begins at `at`.
#[inline(always)]
fn vector<S: Tiled>(values: &[f32], at: usize) -> S::f32s {
    S::as_simd_f32s(&values[at..][..S::F32_LANES]).0[0]
}

/// Writes the vector that begins at `at`.
#[inline(always)]
fn store<S: Tiled>(values: &mut [f32], at: usize, vector: S::f32s) {
    S::as_mut_simd_f32s(&mut values[at..][..S::F32_LANES]).0[0] = vector;
}
