//! A small runner for convolutional networks: the graph comes from a manifest, the weights from safetensors.
//!
//! Everything is `f32` and channels-last (`[height, width, channels]`, one picture at a time). Shapes are inferred and
//! checked once, when the network is built, so running it cannot fail. Convolutions go through one register-blocked
//! matrix kernel that compilers turn into SIMD code on every target, WebAssembly included.

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use super::error::FaceError;

/// Height, width and channels of a value.
type Shape = [usize; 3];

/// Pixels that one pass of the matrix kernel works on.
const PIXELS: usize = 4;
/// Output channels that one pass of the matrix kernel works on.
const CHANNELS: usize = 8;

/// A network as the manifest describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    input: Input,
    outputs: BTreeMap<String, String>,
    ops: Vec<Operation>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    value: String,
    shape: Shape,
}

/// One operation of the graph; `input`, `other` and `output` name values, the rest name tensors.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Operation {
    /// Convolution, weight `[out, kernel height, kernel width, in]`.
    Conv2d(Convolution),
    /// One filter per channel, weight `[1, kernel height, kernel width, channels]`.
    DepthwiseConv2d(Convolution),
    /// Sum of two values of one shape.
    Add {
        input: String,
        other: String,
        output: String,
        activation: Option<ActivationKind>,
        slope: Option<String>,
    },
    /// Maximum over 2x2 blocks.
    MaxPool { input: String, output: String },
    /// Zero channels appended up to `channels`.
    PadChannels {
        input: String,
        output: String,
        channels: usize,
    },
    /// Bilinear doubling of height and width with half-pixel centres.
    Upsample { input: String, output: String },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Convolution {
    input: String,
    output: String,
    weight: String,
    bias: String,
    stride: usize,
    padding: Padding,
    activation: Option<ActivationKind>,
    slope: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Padding {
    Same,
    Valid,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ActivationKind {
    Relu,
    Prelu,
}

/// What happens to a result before it is stored.
#[derive(Clone, Debug)]
enum Activation {
    None,
    Relu,
    /// Slope of the negative half, per channel.
    Prelu(Vec<f32>),
}

impl Activation {
    /// Applies itself to whole pixels.
    fn apply(&self, values: &mut [f32]) {
        match self {
            Activation::None => {}
            Activation::Relu => values.iter_mut().for_each(|v| *v = v.max(0.0)),
            Activation::Prelu(slope) => {
                for pixel in values.chunks_exact_mut(slope.len()) {
                    for (v, s) in pixel.iter_mut().zip(slope) {
                        *v = v.max(0.0) + s * v.min(0.0);
                    }
                }
            }
        }
    }
}

/// Where the filter of a convolution lies for each output pixel.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// Height and width of the filter.
    kernel: [usize; 2],
    stride: usize,
    /// Rows above and columns left of the input that count as zero.
    before: [usize; 2],
}

impl Window {
    /// The window and the height and width it leaves; `None` if the filter does not fit.
    fn new(
        input: Shape,
        kernel: [usize; 2],
        stride: usize,
        padding: Padding,
    ) -> Option<(Window, [usize; 2])> {
        let mut before = [0; 2];
        let mut size = [0; 2];
        for axis in 0..2 {
            if stride == 0 || kernel[axis] == 0 || input[axis] == 0 {
                return None;
            }
            match padding {
                Padding::Same => {
                    size[axis] = input[axis].div_ceil(stride);
                    before[axis] =
                        ((size[axis] - 1) * stride + kernel[axis]).saturating_sub(input[axis]) / 2;
                }
                Padding::Valid => size[axis] = input[axis].checked_sub(kernel[axis])? / stride + 1,
            }
        }
        Some((
            Window {
                kernel,
                stride,
                before,
            },
            size,
        ))
    }

    /// Input position of filter tap `tap` for output position `at`, if it lies inside an axis of `length`.
    fn tap(&self, axis: usize, at: usize, tap: usize, length: usize) -> Option<usize> {
        (at * self.stride + tap)
            .checked_sub(self.before[axis])
            .filter(|&p| p < length)
    }
}

#[derive(Clone, Debug)]
enum Kernel {
    /// Weights packed as `[blocks of CHANNELS outputs][taps * inputs][CHANNELS]`.
    Conv2d {
        window: Window,
        packed: Vec<f32>,
        bias: Vec<f32>,
        activation: Activation,
    },
    /// Weights `[taps][channels]`.
    Depthwise {
        window: Window,
        weight: Vec<f32>,
        bias: Vec<f32>,
        activation: Activation,
    },
    Add {
        other: usize,
        activation: Activation,
    },
    MaxPool,
    PadChannels,
    Upsample,
}

#[derive(Clone, Debug)]
struct Step {
    kernel: Kernel,
    input: usize,
    output: usize,
    /// Values that nothing reads after this step.
    spent: Vec<usize>,
}

/// A network ready to run.
#[derive(Clone, Debug)]
pub(super) struct Network {
    shapes: Vec<Shape>,
    steps: Vec<Step>,
    outputs: Vec<usize>,
}

impl Network {
    /// Builds the network `name` from its description, with its outputs in the order of `outputs`.
    ///
    /// # Errors
    /// [`FaceError::Graph`] names the first operation that does not fit and [`FaceError::Tensor`] the first tensor that
    /// is missing or has an unusable type.
    pub fn new(
        name: &str,
        description: &Description,
        tensors: &SafeTensors,
        outputs: &[&str],
    ) -> Result<Network, FaceError> {
        let mut builder = Builder {
            network: name,
            tensors,
            indices: BTreeMap::new(),
            shapes: Vec::new(),
        };
        builder.define(&description.input.value, description.input.shape)?;
        let mut steps = description
            .ops
            .iter()
            .map(|operation| builder.step(operation))
            .collect::<Result<Vec<_>, _>>()?;
        let outputs = outputs
            .iter()
            .map(|&role| {
                let value = description.outputs.get(role);
                let value = value
                    .ok_or_else(|| builder.fault(role, "the manifest lists no such output"))?;
                builder.value(value)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut seen = outputs.clone();
        for step in steps.iter_mut().rev() {
            let other = if let Kernel::Add { other, .. } = step.kernel {
                Some(other)
            } else {
                None
            };
            for value in other.into_iter().chain([step.input]) {
                if !seen.contains(&value) {
                    seen.push(value);
                    step.spent.push(value);
                }
            }
        }
        Ok(Network {
            shapes: builder.shapes,
            steps,
            outputs,
        })
    }

    /// Height, width and channels of the input.
    pub fn input_shape(&self) -> Shape {
        self.shapes[0]
    }

    /// Height, width and channels of every output.
    pub fn output_shapes(&self) -> Vec<Shape> {
        self.outputs
            .iter()
            .map(|&value| self.shapes[value])
            .collect()
    }

    /// Runs the network on one input of [`Network::input_shape`] and returns its outputs.
    pub fn run(&self, input: Vec<f32>) -> Vec<Vec<f32>> {
        debug_assert_eq!(input.len(), self.shapes[0].iter().product::<usize>());
        let mut values: Vec<Vec<f32>> = vec![Vec::new(); self.shapes.len()];
        let mut spare: Vec<Vec<f32>> = Vec::new();
        values[0] = input;
        for step in &self.steps {
            let mut output = spare.pop().unwrap_or_default();
            output.resize(self.shapes[step.output].iter().product(), 0.0);
            self.compute(step, &values, &mut output);
            values[step.output] = output;
            for &value in &step.spent {
                spare.push(std::mem::take(&mut values[value]));
            }
        }
        self.outputs
            .iter()
            .map(|&value| std::mem::take(&mut values[value]))
            .collect()
    }

    fn compute(&self, step: &Step, values: &[Vec<f32>], output: &mut [f32]) {
        let (from, to) = (self.shapes[step.input], self.shapes[step.output]);
        let input = values[step.input].as_slice();
        match &step.kernel {
            Kernel::Conv2d {
                window,
                packed,
                bias,
                activation,
            } => {
                if window.kernel == [1, 1] && window.stride == 1 {
                    multiply(input, packed, bias, output);
                } else {
                    multiply(&gather(input, from, to, window), packed, bias, output);
                }
                activation.apply(output);
            }
            Kernel::Depthwise {
                window,
                weight,
                bias,
                activation,
            } => {
                depthwise(input, from, to, window, weight, bias, output);
                activation.apply(output);
            }
            Kernel::Add { other, activation } => {
                for ((sum, a), b) in output.iter_mut().zip(input).zip(&values[*other]) {
                    *sum = a + b;
                }
                activation.apply(output);
            }
            Kernel::MaxPool => max_pool(input, from, output),
            Kernel::PadChannels => {
                for (wide, narrow) in output
                    .chunks_exact_mut(to[2])
                    .zip(input.chunks_exact(from[2]))
                {
                    wide[..from[2]].copy_from_slice(narrow);
                    wide[from[2]..].fill(0.0);
                }
            }
            Kernel::Upsample => upsample(input, from, output),
        }
    }
}

/// Turns names into indices and tensors into packed weights while a network is built.
struct Builder<'a> {
    network: &'a str,
    tensors: &'a SafeTensors<'a>,
    indices: BTreeMap<String, usize>,
    shapes: Vec<Shape>,
}

impl Builder<'_> {
    fn fault(&self, at: &str, problem: impl Into<String>) -> FaceError {
        FaceError::Graph {
            network: self.network.to_string(),
            at: at.to_string(),
            problem: problem.into(),
        }
    }

    fn define(&mut self, name: &str, shape: Shape) -> Result<usize, FaceError> {
        if self
            .indices
            .insert(name.to_string(), self.shapes.len())
            .is_some()
        {
            return Err(self.fault(name, "two operations write this value"));
        }
        self.shapes.push(shape);
        Ok(self.shapes.len() - 1)
    }

    fn value(&self, name: &str) -> Result<usize, FaceError> {
        self.indices
            .get(name)
            .copied()
            .ok_or_else(|| self.fault(name, "no earlier operation writes this value"))
    }

    /// Shape and values of a 16- or 32-bit tensor.
    fn tensor(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), FaceError> {
        let fault = |problem: String| FaceError::Tensor {
            name: name.to_string(),
            problem,
        };
        let view = self
            .tensors
            .tensor(name)
            .map_err(|_| fault("it is not in the file".to_string()))?;
        let values = match view.dtype() {
            Dtype::F16 => {
                let (pairs, _) = view.data().as_chunks::<2>();
                pairs
                    .iter()
                    .map(|&b| half::f16::from_le_bytes(b).to_f32())
                    .collect()
            }
            Dtype::F32 => view
                .data()
                .as_chunks::<4>()
                .0
                .iter()
                .map(|&b| f32::from_le_bytes(b))
                .collect(),
            other => return Err(fault(format!("type {other:?} is not F16 or F32"))),
        };
        Ok((view.shape().to_vec(), values))
    }

    /// A tensor that must hold one number per channel.
    fn per_channel(&self, name: &str, channels: usize) -> Result<Vec<f32>, FaceError> {
        let (shape, values) = self.tensor(name)?;
        if values.len() != channels {
            let problem =
                format!("shape {shape:?} does not hold one number for each of {channels} channels");
            return Err(FaceError::Tensor {
                name: name.to_string(),
                problem,
            });
        }
        Ok(values)
    }

    fn activation(
        &self,
        at: &str,
        kind: Option<ActivationKind>,
        slope: &Option<String>,
        channels: usize,
    ) -> Result<Activation, FaceError> {
        match (kind, slope) {
            (None, None) => Ok(Activation::None),
            (Some(ActivationKind::Relu), None) => Ok(Activation::Relu),
            (Some(ActivationKind::Prelu), Some(slope)) => {
                Ok(Activation::Prelu(self.per_channel(slope, channels)?))
            }
            _ => Err(self.fault(at, "prelu takes a slope, other activations take none")),
        }
    }

    fn step(&mut self, operation: &Operation) -> Result<Step, FaceError> {
        let (kernel, input, output, shape) = match operation {
            Operation::Conv2d(op) => {
                let input = self.value(&op.input)?;
                let from = self.shapes[input];
                let (shape, weight) = self.tensor(&op.weight)?;
                let [outputs, rows, columns, inputs] = shape[..] else {
                    return Err(self.fault(
                        &op.output,
                        format!("weight shape {shape:?} has not four axes"),
                    ));
                };
                let fits = Window::new(from, [rows, columns], op.stride, op.padding)
                    .filter(|_| inputs == from[2]);
                let (window, [height, width]) = fits.ok_or_else(|| {
                    self.fault(
                        &op.output,
                        format!("weight {shape:?} does not fit {from:?}"),
                    )
                })?;
                let kernel = Kernel::Conv2d {
                    window,
                    packed: pack(&weight, outputs),
                    bias: self.per_channel(&op.bias, outputs)?,
                    activation: self.activation(&op.output, op.activation, &op.slope, outputs)?,
                };
                (kernel, input, &op.output, [height, width, outputs])
            }
            Operation::DepthwiseConv2d(op) => {
                let input = self.value(&op.input)?;
                let from = self.shapes[input];
                let (shape, weight) = self.tensor(&op.weight)?;
                let [1, rows, columns, channels] = shape[..] else {
                    return Err(self.fault(
                        &op.output,
                        format!("weight shape {shape:?} is not [1, h, w, channels]"),
                    ));
                };
                let fits = Window::new(from, [rows, columns], op.stride, op.padding)
                    .filter(|_| channels == from[2]);
                let (window, [height, width]) = fits.ok_or_else(|| {
                    self.fault(
                        &op.output,
                        format!("weight {shape:?} does not fit {from:?}"),
                    )
                })?;
                let kernel = Kernel::Depthwise {
                    window,
                    weight,
                    bias: self.per_channel(&op.bias, channels)?,
                    activation: self.activation(&op.output, op.activation, &op.slope, channels)?,
                };
                (kernel, input, &op.output, [height, width, channels])
            }
            Operation::Add {
                input,
                other,
                output,
                activation,
                slope,
            } => {
                let (input, other) = (self.value(input)?, self.value(other)?);
                let shape = self.shapes[input];
                if shape != self.shapes[other] {
                    return Err(self.fault(
                        output,
                        format!("{shape:?} and {:?} cannot be added", self.shapes[other]),
                    ));
                }
                let activation = self.activation(output, *activation, slope, shape[2])?;
                (Kernel::Add { other, activation }, input, output, shape)
            }
            Operation::MaxPool { input, output } => {
                let input = self.value(input)?;
                let [height, width, channels] = self.shapes[input];
                if height % 2 != 0 || width % 2 != 0 {
                    return Err(self.fault(output, format!("{height} x {width} cannot be halved")));
                }
                (
                    Kernel::MaxPool,
                    input,
                    output,
                    [height / 2, width / 2, channels],
                )
            }
            Operation::PadChannels {
                input,
                output,
                channels,
            } => {
                let input = self.value(input)?;
                let [height, width, present] = self.shapes[input];
                if *channels < present {
                    return Err(self.fault(
                        output,
                        format!("{present} channels cannot be padded to {channels}"),
                    ));
                }
                (
                    Kernel::PadChannels,
                    input,
                    output,
                    [height, width, *channels],
                )
            }
            Operation::Upsample { input, output } => {
                let input = self.value(input)?;
                let [height, width, channels] = self.shapes[input];
                (
                    Kernel::Upsample,
                    input,
                    output,
                    [2 * height, 2 * width, channels],
                )
            }
        };
        if shape.contains(&0) {
            return Err(self.fault(output, format!("shape {shape:?} is empty")));
        }
        let output = self.define(output, shape)?;
        Ok(Step {
            kernel,
            input,
            output,
            spent: Vec::new(),
        })
    }
}

/// `[outputs][depth]` -> `[blocks of CHANNELS outputs][depth][CHANNELS]`, the last block filled up with zeros.
fn pack(weight: &[f32], outputs: usize) -> Vec<f32> {
    let depth = weight.len() / outputs.max(1);
    let mut packed = vec![0.0; outputs.div_ceil(CHANNELS) * depth * CHANNELS];
    for output in 0..outputs {
        let block = &mut packed[output / CHANNELS * depth * CHANNELS..];
        for k in 0..depth {
            block[k * CHANNELS + output % CHANNELS] = weight[output * depth + k];
        }
    }
    packed
}

/// The input pixels under the filter, one row of `taps * channels` for every output pixel.
fn gather(input: &[f32], from: Shape, to: Shape, window: &Window) -> Vec<f32> {
    let channels = from[2];
    let depth = window.kernel[0] * window.kernel[1] * channels;
    let mut rows = vec![0.0; to[0] * to[1] * depth];
    for (index, row) in rows.chunks_exact_mut(depth).enumerate() {
        for (tap, pixel) in row.chunks_exact_mut(channels).enumerate() {
            let y = window.tap(0, index / to[1], tap / window.kernel[1], from[0]);
            let x = window.tap(1, index % to[1], tap % window.kernel[1], from[1]);
            if let (Some(y), Some(x)) = (y, x) {
                pixel.copy_from_slice(&input[(y * from[1] + x) * channels..][..channels]);
            }
        }
    }
    rows
}

/// `output[pixel][channel] = bias[channel] + sum over k of rows[pixel][k] * weight[channel][k]`.
fn multiply(rows: &[f32], packed: &[f32], bias: &[f32], output: &mut [f32]) {
    let outputs = bias.len();
    let pixels = output.len() / outputs;
    let depth = rows.len() / pixels;
    for (block, weight) in packed.chunks_exact(depth * CHANNELS).enumerate() {
        let channel = block * CHANNELS;
        let live = CHANNELS.min(outputs - channel);
        let (weight, _) = weight.as_chunks::<CHANNELS>();
        let mut start = [0.0; CHANNELS];
        start[..live].copy_from_slice(&bias[channel..channel + live]);
        for first in (0..pixels).step_by(PIXELS) {
            // A short last group repeats its last pixel; the copies are not stored.
            let row = |i: usize| &rows[(first + i).min(pixels - 1) * depth..][..depth];
            let sums = dot_block(weight, [row(0), row(1), row(2), row(3)], start);
            for (i, sums) in sums.iter().enumerate().take(pixels - first) {
                let at = (first + i) * outputs + channel;
                output[at..at + live].copy_from_slice(&sums[..live]);
            }
        }
    }
}

/// The matrix kernel: PIXELS rows times CHANNELS outputs, all sums in registers.
#[inline(always)]
fn dot_block(
    weight: &[[f32; CHANNELS]],
    rows: [&[f32]; PIXELS],
    start: [f32; CHANNELS],
) -> [[f32; CHANNELS]; PIXELS] {
    let mut sums = [start; PIXELS];
    let [a, b, c, d] = rows;
    for ((((w, a), b), c), d) in weight.iter().zip(a).zip(b).zip(c).zip(d) {
        for (sums, x) in sums.iter_mut().zip([a, b, c, d]) {
            for (sum, w) in sums.iter_mut().zip(w) {
                *sum += x * w;
            }
        }
    }
    sums
}

/// Depthwise convolution without activation; `weight` is `[taps][channels]`.
fn depthwise(
    input: &[f32],
    from: Shape,
    to: Shape,
    window: &Window,
    weight: &[f32],
    bias: &[f32],
    output: &mut [f32],
) {
    let channels = from[2];
    for (index, pixel) in output.chunks_exact_mut(channels).enumerate() {
        let (row, column) = (index / to[1], index % to[1]);
        pixel.copy_from_slice(bias);
        for tap_row in 0..window.kernel[0] {
            let Some(y) = window.tap(0, row, tap_row, from[0]) else {
                continue;
            };
            for tap_column in 0..window.kernel[1] {
                let Some(x) = window.tap(1, column, tap_column, from[1]) else {
                    continue;
                };
                let source = &input[(y * from[1] + x) * channels..][..channels];
                let filter =
                    &weight[(tap_row * window.kernel[1] + tap_column) * channels..][..channels];
                for ((sum, value), weight) in pixel.iter_mut().zip(source).zip(filter) {
                    *sum += value * weight;
                }
            }
        }
    }
}

/// Maximum over 2x2 blocks of an input with even height and width.
fn max_pool(input: &[f32], from: Shape, output: &mut [f32]) {
    let [_, width, channels] = from;
    for (index, pixel) in output.chunks_exact_mut(channels).enumerate() {
        let (row, column) = (index / (width / 2), index % (width / 2));
        let corner = |y: usize, x: usize| {
            &input[((2 * row + y) * width + 2 * column + x) * channels..][..channels]
        };
        let [a, b, c, d] = [corner(0, 0), corner(0, 1), corner(1, 0), corner(1, 1)];
        for ((((most, a), b), c), d) in pixel.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *most = a.max(*b).max(c.max(*d));
        }
    }
}

/// Bilinear doubling with half-pixel centres: every output takes 3/4 of its own input and 1/4 of the nearest neighbour.
fn upsample(input: &[f32], from: Shape, output: &mut [f32]) {
    let [height, width, channels] = from;
    let neighbour = |at: usize, length: usize| {
        let near = at / 2;
        (
            near,
            if at.is_multiple_of(2) {
                near.saturating_sub(1)
            } else {
                (near + 1).min(length - 1)
            },
        )
    };
    for (index, pixel) in output.chunks_exact_mut(channels).enumerate() {
        let (y, far_y) = neighbour(index / (2 * width), height);
        let (x, far_x) = neighbour(index % (2 * width), width);
        let at = |y: usize, x: usize| &input[(y * width + x) * channels..][..channels];
        let [a, b, c, d] = [at(y, x), at(y, far_x), at(far_y, x), at(far_y, far_x)];
        for ((((value, a), b), c), d) in pixel.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *value = 0.5625 * a + 0.1875 * (b + c) + 0.0625 * d;
        }
    }
}
