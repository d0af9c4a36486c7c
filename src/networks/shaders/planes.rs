//! Planes as wholes: their means, and their sums with factors. Squeeze-and-excitation is made of both.

use burn::{
    backend::Wgpu,
    tensor::{DType, Tensor},
};

use super::launch::{Text, buffer, launch};

/// Threads of a workgroup.
const THREADS: usize = 256;
/// The most workgroups along an axis that are asked for.
const MOST_GROUPS: usize = 1 << 15;

/// What is done with planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Planes {
    /// The mean of each.
    Means,
    /// Each times its factor, and another one added, of which every so many rows and columns are read.
    Gated,
    /// Every value times a factor, and another one below zero, as [`super::source::ShaderActivation::Gains`].
    Gains,
}

impl Text for Planes {
    fn workgroup(&self) -> [usize; 3] {
        [THREADS, 1, 1]
    }

    fn text(&self) -> String {
        match self {
            Self::Means => format!(
                "@group(0) @binding(0) var<storage, read_write> input: array<f32>;
                @group(0) @binding(1) var<storage, read_write> output: array<f32>;
                struct Info {{ area: u32, unused: u32, }}
                @group(0) @binding(2) var<uniform> info: Info;
                var<workgroup> shares: array<f32, {THREADS}>;
                @compute @workgroup_size({THREADS}, 1, 1)
                fn main(@builtin(local_invocation_id) local: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {{
                    let start = group.x * info.area;
                    var sum = 0.0;
                    for (var i = local.x; i < info.area; i += {THREADS}u) {{ sum += input[start + i]; }}
                    shares[local.x] = sum;
                    workgroupBarrier();
                    for (var left = {}u; left > 0u; left /= 2u) {{
                        if (local.x < left) {{ shares[local.x] += shares[local.x + left]; }}
                        workgroupBarrier();
                    }}
                    if (local.x == 0u) {{ output[group.x] = shares[0] / f32(info.area); }}
                }}\n",
                THREADS / 2
            ),
            Self::Gated => format!(
                "@group(0) @binding(0) var<storage, read_write> input: array<f32>;
                @group(0) @binding(1) var<storage, read_write> gates: array<f32>;
                @group(0) @binding(2) var<storage, read_write> added: array<f32>;
                @group(0) @binding(3) var<storage, read_write> output: array<f32>;
                struct Info {{
                    count: u32, width: u32, area: u32, stride: u32, added_width: u32, added_area: u32,
                }}
                @group(0) @binding(4) var<uniform> info: Info;
                @compute @workgroup_size({THREADS}, 1, 1)
                fn main(@builtin(local_invocation_id) local: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {{
                    let i = (group.y * {MOST_GROUPS}u + group.x) * {THREADS}u + local.x;
                    if (i >= info.count) {{ return; }}
                    let plane = i / info.area;
                    let place = i % info.area;
                    let row = place / info.width * info.stride;
                    let column = place % info.width * info.stride;
                    let at = plane * info.added_area + row * info.added_width + column;
                    output[i] = input[i] * gates[plane] + added[at];
                }}\n"
            ),
            Self::Gains => format!(
                "@group(0) @binding(0) var<storage, read_write> input: array<f32>;
                @group(0) @binding(1) var<storage, read_write> output: array<f32>;
                struct Info {{ count: u32, unused: u32, gain: f32, gain_below: f32, }}
                @group(0) @binding(2) var<uniform> info: Info;
                @compute @workgroup_size({THREADS}, 1, 1)
                fn main(@builtin(local_invocation_id) local: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {{
                    let i = (group.y * {MOST_GROUPS}u + group.x) * {THREADS}u + local.x;
                    if (i >= info.count) {{ return; }}
                    let value = input[i];
                    output[i] = value * select(info.gain, info.gain_below, value < 0.0);
                }}\n"
            ),
        }
    }
}

/// # Shapes
/// `[batch, channels, height, width]` to `[batch, channels, 1, 1]`.
pub fn means(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let info = [(height * width) as u32, 0];
    let workgroups = [batch * channels, 1, 1];
    let shape = [batch, channels, 1, 1];
    let inputs = vec![buffer(x)];
    let means = launch(Planes::Means, inputs, &info, workgroups, shape, DType::F32);
    Tensor::from_primitive::<Wgpu>(means)
}

/// `x * gates`, and every `stride`-th row and column of `added`.
///
/// # Shapes
/// `[batch, channels, height, width]`, `[batch, channels, 1, 1]` and `[batch, channels, ...]` to the first.
pub fn gated(x: Tensor<4>, gates: Tensor<4>, added: Tensor<4>, stride: usize) -> Tensor<4> {
    let shape = x.dims();
    let [batch, channels, height, width] = shape;
    let [_, _, added_height, added_width] = added.dims();
    let count = batch * channels * height * width;
    let info = [
        count,
        width,
        height * width,
        stride,
        added_width,
        added_height * added_width,
    ];
    let info = info.map(|size| size as u32);
    let inputs = vec![buffer(x), buffer(gates), buffer(added)];
    let groups = groups(count);
    let sums = launch(Planes::Gated, inputs, &info, groups, shape, DType::F32);
    Tensor::from_primitive::<Wgpu>(sums)
}

/// `gain * x`, and `gain * slope * x` below zero.
pub fn leaky<const D: usize>(x: Tensor<D>, slope: f32, gain: f32) -> Tensor<D> {
    let shape = x.dims();
    let count = shape.iter().product();
    let info = [count as u32, 0, gain.to_bits(), (slope * gain).to_bits()];
    let inputs = vec![buffer(x)];
    let values = launch(
        Planes::Gains,
        inputs,
        &info,
        groups(count),
        shape,
        DType::F32,
    );
    Tensor::from_primitive::<Wgpu>(values)
}

/// Workgroups with a thread for each of so many values.
fn groups(count: usize) -> [usize; 3] {
    let groups = count.div_ceil(THREADS);
    [groups.min(MOST_GROUPS), groups.div_ceil(MOST_GROUPS), 1]
}
