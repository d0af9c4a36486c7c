//! Winograd's minimal filtering for 3x3 kernels with stride 1 (Lavin and Gray, CVPR 2016).
//!
//! A patch of 2x2 outputs sees 4x4 inputs, one of 4x4 outputs 6x6. As many values are made of those inputs, and as many
//! of the kernel; sums of their products, value by value, make the outputs. That takes 16 products in place of 36, or
//! 36 in place of 144. Patches are the positions of a [`Tile`](super::tile::Tile) here: the padded input is split into
//! its interleaved parts, and the output is put together from as many phases, so that both are long rows.

use std::{
    cell::Cell,
    f32::consts::{FRAC_1_SQRT_2, SQRT_2},
    marker::PhantomData,
    mem::take,
    ops::Range,
};

use super::{
    geometry::{Axis, Kind, Patches, spread},
    layer::ConvLayer,
    simd::{Job, Sweep, Tiled},
    thread_pool::take_in_turns,
};

/// Elements of a kernel along each side.
const KERNEL: usize = 3;
/// Most channels of a block.
const MOST_BLOCK: usize = 8;
/// Where patches pay, the largest ones first.
const PAYING: [Paying; 2] = [
    Paying {
        patch: 4,
        pixels: 1024,
        channels: 16,
    },
    Paying {
        patch: 2,
        pixels: 256,
        channels: 8,
    },
];
/// Bytes of transformed input that are kept at once: part of a second-level cache.
const CHUNK_BYTES: usize = 3 << 18;
/// Vectors of positions that a tile has, at least.
const LEAST_VECTORS: usize = 8;
/// Most vectors of positions that are transformed at once.
const MOST_VECTORS: usize = 32;

/// What a layer must have for patches to pay.
struct Paying {
    /// Outputs along each side of a patch.
    patch: usize,
    /// Pixels of a picture, at least: transformed kernels have to be used some times to be worth making.
    pixels: usize,
    /// Input and output channels, at least, or the transforms outweigh what they save.
    channels: usize,
}

/// A way to filter patches of `PATCH` outputs along each side, which are made of `SIDE` inputs: transforms along one
/// side.
trait Scheme<const PATCH: usize, const SIDE: usize> {
    fn kernel(taps: [f32; KERNEL]) -> [f32; SIDE];
    fn input<S: Tiled>(simd: S, values: [S::f32s; SIDE]) -> [S::f32s; SIDE];
    /// Of the products.
    fn output<S: Tiled>(simd: S, values: [S::f32s; SIDE]) -> [S::f32s; PATCH];
}

/// Patches of 2x2; the points are 0, 1, -1 and infinity.
struct F2;

impl Scheme<2, 4> for F2 {
    #[inline(always)]
    fn kernel([a, b, c]: [f32; KERNEL]) -> [f32; 4] {
        let even = 0.5 * (a + c);
        [a, even + 0.5 * b, even - 0.5 * b, c]
    }

    #[inline(always)]
    fn input<S: Tiled>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 4] {
        [
            simd.sub_f32s(a, c),
            simd.add_f32s(b, c),
            simd.sub_f32s(c, b),
            simd.sub_f32s(b, d),
        ]
    }

    #[inline(always)]
    fn output<S: Tiled>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 2] {
        [
            simd.add_f32s(a, simd.add_f32s(b, c)),
            simd.sub_f32s(simd.sub_f32s(b, c), d),
        ]
    }
}

/// Patches of 4x4; the points are 0, `NEAR`, `FAR`, those two below zero, and infinity. With 1 and 2 for `NEAR` and
/// `FAR`, as is usual, sums over 512 channels are further from the exact ones than tests allow.
struct F4;

const NEAR: f32 = FRAC_1_SQRT_2;
const FAR: f32 = SQRT_2;

impl Scheme<4, 6> for F4 {
    #[inline(always)]
    fn kernel([a, b, c]: [f32; KERNEL]) -> [f32; 6] {
        const SIXTH: f32 = 1.0 / 6.0;
        let (near, near_odd) = (-4.0 * SIXTH * (a + 0.5 * c), -4.0 * SIXTH * NEAR * b);
        let (far, far_odd) = (SIXTH * (a + 2.0 * c), SIXTH * FAR * b);
        [
            a,
            near + near_odd,
            near - near_odd,
            far + far_odd,
            far - far_odd,
            c,
        ]
    }

    #[inline(always)]
    fn input<S: Tiled>(simd: S, [a, b, c, d, e, f]: [S::f32s; 6]) -> [S::f32s; 6] {
        let half = simd.splat_f32s(-0.5);
        let two = simd.splat_f32s(-2.0);
        let sum = simd.splat_f32s(-2.5);
        let near = simd.multiply_add(two, c, e);
        let near_odd = simd.mul_f32s(simd.splat_f32s(NEAR), simd.multiply_add(two, b, d));
        let far = simd.multiply_add(half, c, e);
        let far_odd = simd.mul_f32s(simd.splat_f32s(FAR), simd.multiply_add(half, b, d));
        [
            simd.multiply_add(sum, c, simd.add_f32s(a, e)),
            simd.add_f32s(near, near_odd),
            simd.sub_f32s(near, near_odd),
            simd.add_f32s(far, far_odd),
            simd.sub_f32s(far, far_odd),
            simd.multiply_add(sum, d, simd.add_f32s(b, f)),
        ]
    }

    #[inline(always)]
    fn output<S: Tiled>(simd: S, [a, b, c, d, e, f]: [S::f32s; 6]) -> [S::f32s; 4] {
        let (half, two) = (simd.splat_f32s(0.5), simd.splat_f32s(2.0));
        let (near, far) = (simd.add_f32s(b, c), simd.add_f32s(d, e));
        let near_odd = simd.mul_f32s(simd.splat_f32s(NEAR), simd.sub_f32s(b, c));
        let far_odd = simd.mul_f32s(simd.splat_f32s(FAR), simd.sub_f32s(d, e));
        [
            simd.add_f32s(a, simd.add_f32s(near, far)),
            simd.add_f32s(near_odd, far_odd),
            simd.multiply_add(half, near, simd.mul_f32s(two, far)),
            simd.multiply_add(half, near_odd, simd.multiply_add(two, far_odd, f)),
        ]
    }
}

thread_local! {
    /// Room for transformed kernels, kept between calls.
    static WEIGHTS: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// A layer's kernels, transformed, and how much of the input is transformed at once.
pub(super) struct Transformed {
    /// Outputs along each side of a patch.
    patch: usize,
    /// `[blocks][values of a patch][slabs][block]`.
    weights: Vec<f32>,
    /// Positions whose transformed inputs are kept at once.
    chunk: usize,
    /// Where each slab begins among those of one value of a patch.
    offsets: Vec<usize>,
}

/// Successive positions in the padded input and in the sums.
pub(super) struct TilePositions<'a> {
    /// Padded input: channels of `stride` values, in `depths` times the parts of a picture, of `part` values, in rows
    /// of `pitch`.
    pub input: &'a [f32],
    pub stride: usize,
    pub depths: usize,
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
        ) && self.axes[1..].iter().all(|axis| axis.kernel == KERNEL)
    }

    /// Pictures that an output is made of: those of each input channel at each depth that the kernel covers.
    fn slabs(&self) -> usize {
        self.input * self.axes[0].kernel
    }

    /// Positions that are filtered at once, at least, if there are as many: all transformed weights are read for them.
    fn least_positions(&self) -> usize {
        self.output / 4
    }

    /// Positions that a tile has, at least, if there are as many: with fewer vectors than that, a last one that is not
    /// full costs much.
    pub(super) fn tile_positions(&self) -> usize {
        self.least_positions().max(LEAST_VECTORS * self.isa.lanes())
    }

    /// Outputs along each side of the patches that an input of `dims` is filtered in, if it is.
    pub(super) fn patch(&self, dims: [usize; 4]) -> Option<usize> {
        let (pixels, channels) = (dims[2] * dims[3], self.input.min(self.output));
        match self.patches {
            Patches::Never => None,
            Patches::WhereTheyPay => PAYING
                .into_iter()
                .find(|paying| pixels >= paying.pixels && channels >= paying.channels)
                .map(|paying| paying.patch),
            #[cfg(test)]
            Patches::Always(patch) => Some(patch),
        }
    }

    /// The axes for an input of `dims`; positions are single outputs, or patches.
    pub(super) fn axes(&self, dims: [usize; 4]) -> [Axis; 3] {
        let [deep, high, wide] = self.axes;
        match self.patch(dims) {
            Some(patch) => [deep, high.patches(patch), wide.patches(patch)],
            None => self.axes,
        }
    }

    /// The kernels, transformed by so many threads, if an input of `dims` is filtered so.
    pub(super) fn transformed(&self, dims: [usize; 4], threads: usize) -> Option<Transformed> {
        let patch = self.patch(dims)?;
        let side = patch + KERNEL - 1;
        let (lanes, at_once) = (self.isa.lanes(), self.isa.most_vectors(self.block));
        let fitting = CHUNK_BYTES / size_of::<f32>() / (side * side * self.slabs());
        let vectors = fitting.max(self.least_positions()) / lanes;
        let chunk = (vectors.min(MOST_VECTORS) / at_once).max(1) * at_once * lanes;
        Some(Transformed {
            patch,
            weights: match patch {
                2 => self.transform_kernels::<F2, 2, 4>(threads),
                _ => self.transform_kernels::<F4, 4, 6>(threads),
            },
            chunk,
            offsets: (0..self.slabs()).map(|slab| slab * chunk).collect(),
        })
    }

    fn transform_kernels<F: Scheme<PATCH, SIDE>, const PATCH: usize, const SIDE: usize>(
        &self,
        threads: usize,
    ) -> Vec<f32> {
        let (slabs, block) = (self.slabs(), self.block);
        let values = SIDE * SIDE * slabs * block;
        let mut weights = WEIGHTS.take();
        weights.resize(self.blocks() * values, 0.0);
        let sources = self.phases[0]
            .weights
            .chunks_exact(slabs * KERNEL * KERNEL * block);
        let targets = weights.chunks_exact_mut(values);
        take_in_turns(sources.zip(targets), threads, |(source, target)| {
            self.isa.run(KernelTransform::<F, PATCH, SIDE> {
                block,
                source,
                target,
                scheme: PhantomData,
            });
        });
        weights
    }
}

/// The kernels of a block, to be transformed.
struct KernelTransform<'a, F, const PATCH: usize, const SIDE: usize> {
    block: usize,
    /// `[slabs][KERNEL][KERNEL][block]`.
    source: &'a [f32],
    /// `[values of a patch][slabs][block]`.
    target: &'a mut [f32],
    scheme: PhantomData<F>,
}

impl<F: Scheme<PATCH, SIDE>, const PATCH: usize, const SIDE: usize> Job
    for KernelTransform<'_, F, PATCH, SIDE>
{
    #[inline(always)]
    fn run<S: Tiled>(self, _: S) {
        let stride = self.target.len() / (SIDE * SIDE);
        let kernels = self.source.chunks_exact(KERNEL * KERNEL * self.block);
        for (kernel, start) in kernels.zip((0..).step_by(self.block)) {
            let mut taps = [[0.0; MOST_BLOCK]; KERNEL * KERNEL];
            for (tap, source) in taps.iter_mut().zip(kernel.chunks_exact(self.block)) {
                copy_lanes(tap, source, self.block);
            }
            let mut rows = [[[0.0; MOST_BLOCK]; SIDE]; KERNEL];
            for (row, taps) in rows.iter_mut().zip(taps.chunks_exact(KERNEL)) {
                along::<F, PATCH, SIDE>([&taps[0], &taps[1], &taps[2]], row);
            }
            let [top, middle, bottom] = &rows;
            let columns = top.iter().zip(middle).zip(bottom);
            for (column, ((top, middle), bottom)) in columns.enumerate() {
                let mut values = [[0.0; MOST_BLOCK]; SIDE];
                along::<F, PATCH, SIDE>([top, middle, bottom], &mut values);
                for (row, value) in values.iter().enumerate() {
                    let target = &mut self.target[(row * SIDE + column) * stride + start..];
                    copy_lanes(target, value, self.block);
                }
            }
        }
    }
}

/// Transforms kernels along one side, those of a block at once.
#[inline(always)]
fn along<F: Scheme<PATCH, SIDE>, const PATCH: usize, const SIDE: usize>(
    taps: [&[f32; MOST_BLOCK]; KERNEL],
    values: &mut [[f32; MOST_BLOCK]; SIDE],
) {
    for lane in 0..MOST_BLOCK {
        let transformed = F::kernel([taps[0][lane], taps[1][lane], taps[2][lane]]);
        for (value, transformed) in values.iter_mut().zip(transformed) {
            value[lane] = transformed;
        }
    }
}

/// Copies `block` values; copies of a length that is known take a single instruction.
#[inline(always)]
fn copy_lanes(target: &mut [f32], source: &[f32], block: usize) {
    match block {
        8 => target[..8].copy_from_slice(&source[..8]),
        4 => target[..4].copy_from_slice(&source[..4]),
        _ => target[..block].copy_from_slice(&source[..block]),
    }
}

impl Drop for Transformed {
    fn drop(&mut self) {
        WEIGHTS.set(take(&mut self.weights));
    }
}

impl Transformed {
    /// Values of a patch.
    fn values(&self) -> usize {
        (self.patch + KERNEL - 1).pow(2)
    }

    /// Values of scratch memory that [`Self::filter`] needs for so many channels of output.
    pub fn scratch(&self, outputs: usize) -> usize {
        self.values() * (spread(self.offsets.len() * self.chunk) + spread(outputs * self.chunk))
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
        match self.patch {
            2 => self.filter_by::<S, F2, 2, 4>(simd, layer, positions, blocks, scratch, sums),
            _ => self.filter_by::<S, F4, 4, 6>(simd, layer, positions, blocks, scratch, sums),
        }
    }

    #[inline(always)]
    fn filter_by<S: Tiled, F: Scheme<PATCH, SIDE>, const PATCH: usize, const SIDE: usize>(
        &self,
        simd: S,
        layer: &ConvLayer,
        positions: &TilePositions,
        blocks: Range<usize>,
        scratch: &mut [f32],
        sums: &mut [f32],
    ) {
        let (block, chunk) = (layer.block, self.chunk);
        let channels = blocks.len() * block;
        let slabs = self.offsets.len();
        let weight_values = slabs * block;
        let (input_values, product_values) = (spread(slabs * chunk), spread(channels * chunk));
        let (values, products) = scratch.split_at_mut(self.values() * input_values);
        for start in (0..positions.count).step_by(chunk) {
            let vectors = (positions.count - start).min(chunk).div_ceil(S::F32_LANES);
            for (slab, &offset) in self.offsets.iter().enumerate() {
                let (channel, depth) = (slab / positions.depths, slab % positions.depths);
                let source = channel * positions.stride + depth * PATCH * PATCH * positions.part;
                transform_input::<S, F, PATCH, SIDE>(
                    simd,
                    &positions.input[source + start..],
                    positions,
                    vectors,
                    &mut values[offset..],
                    input_values,
                );
            }
            // One value of the patches after the other: the inputs of all channels stay in the second-level cache.
            let factors = values.chunks_exact(input_values).enumerate();
            for ((value, input), products) in factors.zip(products.chunks_mut(product_values)) {
                for (local, index) in blocks.clone().enumerate() {
                    let weights = (index * self.values() + value) * weight_values;
                    let work = Sweep {
                        weights: &self.weights[weights..][..weight_values],
                        offsets: &self.offsets,
                        input,
                    };
                    let products = &mut products[local * block * chunk..];
                    let mut done = 0;
                    while done < vectors {
                        let count = S::vectors(block, vectors - done);
                        let position = done * S::F32_LANES;
                        let products = &mut products[position..];
                        simd.sweep(block, count, work, position, products, chunk, true);
                        done += count;
                    }
                }
            }
            for channel in 0..channels {
                let products = &products[channel * chunk..];
                let sums = &mut sums[channel * positions.channel + start..];
                transform_output::<S, F, PATCH, SIDE>(
                    simd,
                    products,
                    product_values,
                    vectors,
                    sums,
                    positions.phase,
                );
            }
        }
    }
}

/// Transforms a channel's inputs at `vectors` vectors of positions, to rows of `stride` values.
///
/// Without closures: they would be compiled without the instruction set, each addition as a call.
#[cfg_attr(target_arch = "wasm32", inline(never))] // see `simd::accumulate`
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
fn transform_input<S: Tiled, F: Scheme<PATCH, SIDE>, const PATCH: usize, const SIDE: usize>(
    simd: S,
    source: &[f32],
    positions: &TilePositions,
    vectors: usize,
    target: &mut [f32],
    stride: usize,
) {
    let TilePositions { part, pitch, .. } = *positions;
    for at in (0..vectors).map(|vector| vector * S::F32_LANES) {
        let mut rows = [[simd.splat_f32s(0.0); SIDE]; SIDE];
        for (row, values) in rows.iter_mut().enumerate() {
            let mut line = [simd.splat_f32s(0.0); SIDE];
            for (column, value) in line.iter_mut().enumerate() {
                let part = (row % PATCH * PATCH + column % PATCH) * part;
                *value = vector::<S>(source, part + row / PATCH * pitch + column / PATCH + at);
            }
            *values = F::input(simd, line);
        }
        for column in 0..SIDE {
            let mut line = [simd.splat_f32s(0.0); SIDE];
            for (value, row) in line.iter_mut().zip(&rows) {
                *value = row[column];
            }
            for (row, value) in F::input(simd, line).into_iter().enumerate() {
                store::<S>(target, (row * SIDE + column) * stride + at, value);
            }
        }
    }
}

/// Transforms a channel's products, in rows of `stride` values, to its sums in each phase.
#[cfg_attr(target_arch = "wasm32", inline(never))] // see `simd::accumulate`
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
fn transform_output<S: Tiled, F: Scheme<PATCH, SIDE>, const PATCH: usize, const SIDE: usize>(
    simd: S,
    products: &[f32],
    stride: usize,
    vectors: usize,
    sums: &mut [f32],
    phase: usize,
) {
    for at in (0..vectors).map(|vector| vector * S::F32_LANES) {
        let mut rows = [[simd.splat_f32s(0.0); PATCH]; SIDE];
        for (row, values) in rows.iter_mut().enumerate() {
            let mut line = [simd.splat_f32s(0.0); SIDE];
            for (column, value) in line.iter_mut().enumerate() {
                *value = vector::<S>(products, (row * SIDE + column) * stride + at);
            }
            *values = F::output(simd, line);
        }
        for column in 0..PATCH {
            let mut line = [simd.splat_f32s(0.0); SIDE];
            for (value, row) in line.iter_mut().zip(&rows) {
                *value = row[column];
            }
            for (row, value) in F::output(simd, line).into_iter().enumerate() {
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
