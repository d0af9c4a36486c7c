//! Instruction sets, and the register-tiled inner loop of every convolution.

use pulp::{Simd, WithSimd};

/// A vector instruction set that this processor has.
#[derive(Clone, Copy, Debug)]
pub struct Isa(Token);

#[derive(Clone, Copy, Debug)]
enum Token {
    #[cfg(target_arch = "x86_64")]
    Avx512(pulp::x86::V4),
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    #[cfg(target_arch = "x86_64")]
    Sse4(pulp::x86::V2),
    #[cfg(target_arch = "aarch64")]
    Neon(pulp::aarch64::Neon),
    #[cfg(target_arch = "wasm32")]
    Simd128(pulp::wasm::Simd128),
    Scalar(pulp::Scalar),
}

impl Isa {
    /// The widest instruction set.
    pub fn best() -> Self {
        Self::available()[0]
    }

    /// All instruction sets, widest first; the last one needs no vector instructions.
    pub fn available() -> Vec<Self> {
        let tokens = [
            #[cfg(target_arch = "x86_64")]
            pulp::x86::V4::try_new().map(Token::Avx512),
            #[cfg(target_arch = "x86_64")]
            pulp::x86::V3::try_new().map(Token::Avx2),
            #[cfg(target_arch = "x86_64")]
            pulp::x86::V2::try_new().map(Token::Sse4),
            #[cfg(target_arch = "aarch64")]
            pulp::aarch64::Neon::try_new().map(Token::Neon),
            #[cfg(target_arch = "wasm32")]
            pulp::wasm::Simd128::try_new().map(Token::Simd128),
            Some(Token::Scalar(pulp::Scalar::new())),
        ];
        tokens.into_iter().flatten().map(Self).collect()
    }

    /// A name to show: `avx512`, `avx2`, `sse4`, `neon`, `simd128` or `scalar`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Token::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Token::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Token::Sse4(_) => "sse4",
            #[cfg(target_arch = "aarch64")]
            Token::Neon(_) => "neon",
            #[cfg(target_arch = "wasm32")]
            Token::Simd128(_) => "simd128",
            Token::Scalar(_) => "scalar",
        }
    }

    /// Runs `job` compiled for this instruction set.
    pub(super) fn run(self, job: impl Job) {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Token::Avx512(simd) => Simd::vectorize(simd, Bound(simd, job)),
            #[cfg(target_arch = "x86_64")]
            Token::Avx2(simd) => Simd::vectorize(simd, Bound(simd, job)),
            #[cfg(target_arch = "x86_64")]
            Token::Sse4(simd) => Simd::vectorize(simd, Bound(simd, job)),
            #[cfg(target_arch = "aarch64")]
            Token::Neon(simd) => Simd::vectorize(simd, Bound(simd, job)),
            #[cfg(target_arch = "wasm32")]
            Token::Simd128(simd) => Simd::vectorize(simd, Bound(simd, job)),
            Token::Scalar(simd) => Simd::vectorize(simd, Bound(simd, job)),
        }
    }

    /// Output channels to compute at once for a layer with `channels` of them.
    ///
    /// At most what the registers hold; the blocks of a layer are equal, so the last one may be padded.
    pub(super) fn block(self, channels: usize) -> usize {
        channels.div_ceil(channels.div_ceil(self.most()))
    }

    /// Values in a vector.
    pub(super) fn lanes(self) -> usize {
        self.registers(1).lanes
    }

    /// Most vectors of positions that are taken at once with blocks of `block` output channels.
    pub(super) fn most_vectors(self, block: usize) -> usize {
        self.registers(block).vectors
    }

    /// Most output channels that the registers hold.
    fn most(self) -> usize {
        self.registers(1).block
    }

    /// What the registers hold, with blocks of `block` output channels.
    fn registers(self, block: usize) -> Registers {
        fn of<S: Tiled>(_: S, block: usize) -> Registers {
            Registers {
                block: S::BLOCK,
                lanes: S::F32_LANES,
                vectors: S::vectors(block, usize::MAX),
            }
        }
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Token::Avx512(simd) => of(simd, block),
            #[cfg(target_arch = "x86_64")]
            Token::Avx2(simd) => of(simd, block),
            #[cfg(target_arch = "x86_64")]
            Token::Sse4(simd) => of(simd, block),
            #[cfg(target_arch = "aarch64")]
            Token::Neon(simd) => of(simd, block),
            #[cfg(target_arch = "wasm32")]
            Token::Simd128(simd) => of(simd, block),
            Token::Scalar(simd) => of(simd, block),
        }
    }
}

/// What the registers of an instruction set hold.
struct Registers {
    /// Most output channels.
    block: usize,
    /// Values in a vector.
    lanes: usize,
    /// Most vectors of positions.
    vectors: usize,
}

/// Work that is compiled once per instruction set.
///
/// Everything it calls has to be `#[inline(always)]`: only code inlined into `run` gets the instructions. Closures
/// do not get them for sure: none may hold an operation on vectors.
pub(super) trait Job {
    fn run<S: Tiled>(self, simd: S);
}

struct Bound<S, J>(S, J);

impl<T: Tiled, J: Job> WithSimd for Bound<T, J> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.1.run(self.0);
    }
}

/// Products to sum for one block of output channels.
#[derive(Clone, Copy)]
pub(super) struct Sweep<'a> {
    /// `[offsets][block]`.
    pub weights: &'a [f32],
    /// Where the input for each weight begins, relative to the position.
    pub offsets: &'a [usize],
    /// Padded input.
    pub input: &'a [f32],
}

/// An instruction set and the tile sizes that suit its registers.
pub(super) trait Tiled: Simd {
    /// Most output channels in a block.
    const BLOCK: usize;

    /// `a * b + c`, fused where that is fast.
    fn multiply_add(self, a: Self::f32s, b: Self::f32s, c: Self::f32s) -> Self::f32s;

    /// Vectors of positions to take at once with blocks of `block` output channels, at most `most` if that
    /// is positive.
    fn vectors(block: usize, most: usize) -> usize;

    /// Adds the products at `vectors` vectors of positions from `position` on to `sums`, which are `[block]`
    /// rows of `stride` values; `fresh` starts from zero.
    #[expect(clippy::too_many_arguments)]
    fn sweep(
        self,
        block: usize,
        vectors: usize,
        work: Sweep,
        position: usize,
        sums: &mut [f32],
        stride: usize,
        fresh: bool,
    );
}

macro_rules! tiled {
    ($simd:ty, $multiply_add:path, $most:literal, $($block:literal => $($vectors:literal)+),+) => {
        impl Tiled for $simd {
            const BLOCK: usize = $most;

            #[inline(always)]
            fn multiply_add(self, a: Self::f32s, b: Self::f32s, c: Self::f32s) -> Self::f32s {
                $multiply_add(self, a, b, c)
            }

            #[inline(always)]
            fn vectors(block: usize, most: usize) -> usize {
                match block {
                    $($block => [$($vectors),+].into_iter().find(|&vectors| vectors <= most),)+
                    _ => None,
                }
                .unwrap_or(1)
            }

            #[inline(always)]
            fn sweep(
                self,
                block: usize,
                vectors: usize,
                work: Sweep,
                position: usize,
                sums: &mut [f32],
                stride: usize,
                fresh: bool,
            ) {
                match (block, vectors) {
                    $($(($block, $vectors) => {
                        accumulate::<Self, $block, $vectors>(self, work, position, sums, stride, fresh);
                    })+)+
                    _ => unreachable!("no tile of {block} channels by {vectors} vectors"),
                }
            }
        }
    };
}

// 32 registers of 16 lanes.
#[cfg(target_arch = "x86_64")]
tiled!(
    pulp::x86::V4, fused, 8,
    8 => 3 2 1, 7 => 3 2 1, 6 => 4 2 1, 5 => 4 2 1, 4 => 6 3 1, 3 => 7 3 1, 2 => 8 3 1, 1 => 8 3 1
);
// 16 registers of 8 lanes.
#[cfg(target_arch = "x86_64")]
tiled!(
    pulp::x86::V3, fused, 6,
    6 => 2 1, 5 => 2 1, 4 => 2 1, 3 => 3 2 1, 2 => 4 2 1, 1 => 8 3 1
);
// 16 registers of 4 lanes, one of them for products.
#[cfg(target_arch = "x86_64")]
tiled!(pulp::x86::V2, separate, 4, 4 => 2 1, 3 => 3 1, 2 => 4 2 1, 1 => 6 2 1);
// 32 registers of 4 lanes.
#[cfg(target_arch = "aarch64")]
tiled!(
    pulp::aarch64::Neon, fused, 8,
    8 => 3 2 1, 7 => 3 2 1, 6 => 4 2 1, 5 => 4 2 1, 4 => 6 3 1, 3 => 7 3 1, 2 => 8 3 1, 1 => 8 3 1
);
// Browsers map these to 16 registers, and keep some of them for themselves.
#[cfg(all(target_arch = "wasm32", not(target_feature = "relaxed-simd")))]
tiled!(pulp::wasm::Simd128, separate, 4, 4 => 2 1, 3 => 3 2 1, 2 => 5 2 1, 1 => 8 3 1);
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
tiled!(pulp::wasm::Simd128, relaxed, 4, 4 => 2 1, 3 => 3 2 1, 2 => 5 2 1, 1 => 8 3 1);
tiled!(pulp::Scalar, separate, 4, 4 => 2 1, 3 => 3 1, 2 => 4 2 1, 1 => 6 2 1);

/// `a * b + c` in one instruction.
#[cfg(not(target_arch = "wasm32"))]
#[inline(always)]
fn fused<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(a, b, c)
}

/// `a * b + c` where there is no such instruction.
#[inline(always)]
fn separate<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    simd.add_f32s(simd.mul_f32s(a, b), c)
}

/// `a * b + c` in one instruction where the processor has it, and else in two.
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
#[inline(always)]
fn relaxed(_: pulp::wasm::Simd128, a: pulp::f32x4, b: pulp::f32x4, c: pulp::f32x4) -> pulp::f32x4 {
    use std::{
        arch::wasm32::{f32x4_relaxed_madd, v128},
        mem::transmute,
    };
    // SAFETY: these are four plain values each, of which all bits are allowed.
    let [a, b, c] = [a, b, c].map(|vector| unsafe { transmute::<pulp::f32x4, v128>(vector) });
    unsafe { transmute::<v128, pulp::f32x4>(f32x4_relaxed_madd(a, b, c)) }
}

/// The inner loop: `BLOCK` output channels by `VECTORS` vectors of positions stay in registers.
///
/// Browsers manage that in small functions only; elsewhere only what is inlined gets the vector instructions.
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
fn accumulate<S: Tiled, const BLOCK: usize, const VECTORS: usize>(
    simd: S,
    work: Sweep,
    position: usize,
    sums: &mut [f32],
    stride: usize,
    fresh: bool,
) {
    let width = VECTORS * S::F32_LANES;
    let mut registers = [[simd.splat_f32s(0.0); VECTORS]; BLOCK];
    if !fresh {
        for (row, registers) in registers.iter_mut().enumerate() {
            let sums = S::as_simd_f32s(&sums[row * stride..][..width]).0;
            registers.copy_from_slice(sums);
        }
    }
    let input = &work.input[position..];
    let (weights, _) = work.weights.as_chunks::<BLOCK>();
    for (weights, &offset) in weights.iter().zip(work.offsets) {
        let vectors = S::as_simd_f32s(&input[offset..][..width]).0;
        for (registers, &weight) in registers.iter_mut().zip(weights) {
            let weight = simd.splat_f32s(weight);
            for (register, &vector) in registers.iter_mut().zip(vectors) {
                *register = simd.multiply_add(weight, vector, *register);
            }
        }
    }
    for (row, registers) in registers.iter().enumerate() {
        let sums = S::as_mut_simd_f32s(&mut sums[row * stride..][..width]).0;
        sums.copy_from_slice(registers);
    }
}
