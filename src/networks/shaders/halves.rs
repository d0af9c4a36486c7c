//! Weights in half the memory.

use burn::{
    backend::Wgpu,
    tensor::{DType, Int, Tensor},
};

use super::launch::{Text, buffer, launch};

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

/// Values rounded to 16-bit floats, two in a word, the first in its lower half.
///
/// # Shapes
/// `[2 * words]` to `[words]`.
pub(super) fn halves(values: Tensor<1>) -> Tensor<1, Int> {
    let words = values.dims()[0] / 2;
    let workgroups = words.div_ceil(THREADS).min(WORKGROUPS);
    let info = [words, workgroups * THREADS].map(|count| count as u32);
    let inputs = vec![buffer(values)];
    let packed = launch(
        Halves,
        inputs,
        &info,
        [workgroups, 1, 1],
        [words],
        DType::U32,
    );
    Tensor::from_primitive::<Wgpu>(packed)
}
