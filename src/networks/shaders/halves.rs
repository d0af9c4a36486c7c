//! Weights in half the memory.

use burn::{
    backend::Wgpu,
    tensor::{DType, Int, Tensor},
};

use burn_cubecl::tensor::CubeTensor;

use super::launch::{Text, buffer, kept, launch, words};

/// Threads of a workgroup.
const THREADS: usize = 256;
/// Workgroups at most: adapters take 65,535 along an axis. Threads make several words where these are too few.
const WORKGROUPS: usize = 16_384;

/// Rounds pairs of values to 16-bit floats, which share a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Halves;

impl Text for Halves {
    fn workgroup(&self) -> [usize; 3] {
        [THREADS, 1, 1]
    }

    fn text(&self) -> String {
        format!(
            "@group(0) @binding(0) var<storage, read_write> input: array<vec2<f32>>;
            @group(0) @binding(1) var<storage, read_write> output: array<u32>;
            struct Info {{ words: u32, threads: u32, }}
            @group(0) @binding(2) var<uniform> info: Info;
            @compute @workgroup_size({THREADS}, 1, 1)
            fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
                for (var i = id.x; i < info.words; i += info.threads) {{ output[i] = pack2x16float(input[i]); }}
            }}\n"
        )
    }
}

/// Weights rounded to 16-bit floats, two in a word, the first in its lower half; one part after the other, in a buffer
/// that is kept.
///
/// # Shapes
/// `[2 * words]` each to `[all words]`.
///
/// # Panics
/// If there is no part.
pub(super) fn halves(mut parts: impl Iterator<Item = Tensor<1>>) -> CubeTensor {
    let first = buffer(parts.next().expect("weights"));
    let client = first.client.clone();
    let Some(second) = parts.next() else {
        return kept(&client, || packed(first));
    };
    let parts = [first, buffer(second)].into_iter().chain(parts.map(buffer));
    let parts = parts.map(|part| Tensor::from_primitive::<Wgpu>(packed(part)));
    let parts: Vec<Tensor<1, Int>> = parts.collect();
    kept(&client, || words(Tensor::cat(parts, 0)))
}

/// Pairs of values in words.
fn packed(values: CubeTensor) -> CubeTensor {
    let words = values.meta.num_elements() / 2;
    let workgroups = words.div_ceil(THREADS).min(WORKGROUPS);
    let info = [words, workgroups * THREADS].map(|count| count as u32);
    let groups = [workgroups, 1, 1];
    launch(Halves, vec![values], &info, groups, [words], DType::U32)
}
