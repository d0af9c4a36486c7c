//! A small runner for convolutional networks: the graph comes from a manifest, the weights from safetensors.
//!
//! One picture at a time, in `f32`. Inputs and outputs are channels-last (`[height, width, channels]`), as pictures
//! are. In between, values are planes (`[channels, height, width]`), as the [`kernels`](crate::kernels) want them.
//! Shapes are inferred and checked once, when the network is built, so running it cannot fail.

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use super::error::FaceError;
use crate::kernels::{Activation, ConvLayer, DepthwiseLayer, Epilogue, Kind, Prologue};
use crate::weights::one_line;

/// Most numbers in one value: the largest here has an eighth of it.
const MAX_NUMBERS: usize = 1 << 22;

/// Height, width and channels of a value.
type ValueShape = [usize; 3];

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
    shape: ValueShape,
}

/// One operation of the graph; `input`, `other` and `output` name values, the rest name tensors.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Operation {
    /// Convolution, weight `[out, kernel height, kernel width, in]`.
    Conv2d(ConvolutionDescription),
    /// One filter per channel, weight `[1, kernel height, kernel width, channels]`.
    DepthwiseConv2d(ConvolutionDescription),
    /// Transposed convolution whose kernel is as high and wide as its stride, weight
    /// `[out, kernel height, kernel width, in]`.
    TransposedConv2d {
        input: String,
        output: String,
        weight: String,
        bias: String,
        stride: usize,
        activation: Option<ActivationKind>,
        slope: Option<String>,
    },
    /// Sum of two values of one shape.
    Add {
        input: String,
        other: String,
        output: String,
        activation: Option<ActivationKind>,
        slope: Option<String>,
    },
    /// Every channel of `input` times its number in `other`, a value of one row and column.
    Multiply {
        input: String,
        other: String,
        output: String,
    },
    /// Mean of every channel, as a value of one row and column.
    Mean { input: String, output: String },
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
struct ConvolutionDescription {
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
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `x * clamp(x + 3, 0, 6) / 6`.
    HardSwish,
}

/// The activation after an operation, with its weights.
#[derive(Clone, Debug)]
struct OutputActivation {
    /// Offset per channel; none after an addition.
    bias: Option<Vec<f32>>,
    kind: Option<ActivationKind>,
    /// Slopes of a parametric ReLU, one per channel; empty for others.
    slopes: Vec<f32>,
}

impl OutputActivation {
    /// What the kernels apply: all but what [`Self::finish`] does.
    fn activation(&self) -> Activation<'_> {
        match self.kind {
            None | Some(ActivationKind::HardSwish) => Activation::Identity,
            Some(ActivationKind::Relu) => Activation::RELU,
            Some(ActivationKind::Prelu) => Activation::PRelu(&self.slopes),
            Some(ActivationKind::Sigmoid) => Activation::Sigmoid,
        }
    }

    /// Applies what the kernels do not know.
    fn finish(&self, mut values: Vec<f32>) -> Vec<f32> {
        if let Some(ActivationKind::HardSwish) = self.kind {
            for x in &mut values {
                *x *= (*x + 3.0).clamp(0.0, 6.0) * (1.0 / 6.0);
            }
        }
        values
    }

    fn epilogue(&self) -> Epilogue<'_> {
        Epilogue {
            bias: self.bias.as_deref(),
            activation: self.activation(),
            ..Epilogue::default()
        }
    }
}

/// Zeros before and after an axis of `input` values; `None` if the kernel does not fit.
fn zeros(input: usize, kernel: usize, stride: usize, padding: Padding) -> Option<[usize; 2]> {
    if [input, kernel, stride].contains(&0) {
        return None;
    }
    match padding {
        Padding::Valid => (kernel <= input).then_some([0; 2]),
        Padding::Same => {
            let read = (input.div_ceil(stride) - 1) * stride + kernel;
            let missing = read.saturating_sub(input);
            Some([missing / 2, missing.div_ceil(2)])
        }
    }
}

#[derive(Clone, Debug)]
enum Layer {
    Conv2d(ConvLayer, OutputActivation),
    Depthwise(DepthwiseLayer, OutputActivation),
    Add {
        other: usize,
        finish: OutputActivation,
    },
    Multiply {
        other: usize,
    },
    Mean,
    MaxPool,
    PadChannels,
    Upsample,
}

#[derive(Clone, Debug)]
struct Step {
    layer: Layer,
    input: usize,
    output: usize,
    /// Values that nothing reads after this step.
    spent: Vec<usize>,
}

/// A network ready to run.
#[derive(Clone, Debug)]
pub(super) struct Network {
    shapes: Vec<ValueShape>,
    steps: Vec<Step>,
    outputs: Vec<usize>,
}

impl Network {
    /// Builds the network `name` from its description, with its outputs in the order of `outputs`.
    ///
    /// # Errors
    /// [`FaceError::Graph`] names the first operation that does not fit, [`FaceError::Tensor`] the first tensor that
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
            left: tensors.iter().map(|(_, view)| view.data().len()).sum(),
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
            let other = match step.layer {
                Layer::Add { other, .. } | Layer::Multiply { other } => Some(other),
                _ => None,
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
    pub fn input_shape(&self) -> ValueShape {
        self.shapes[0]
    }

    /// Height, width and channels of every output.
    pub fn output_shapes(&self) -> Vec<ValueShape> {
        self.outputs
            .iter()
            .map(|&value| self.shapes[value])
            .collect()
    }

    /// Runs the network on one input of [`Network::input_shape`] and returns its outputs.
    pub fn run(&self, input: Vec<f32>) -> Vec<Vec<f32>> {
        debug_assert_eq!(input.len(), self.shapes[0].iter().product::<usize>());
        let mut values: Vec<Vec<f32>> = vec![Vec::new(); self.shapes.len()];
        values[0] = transposed(&input, self.shapes[0][2]);
        for step in &self.steps {
            values[step.output] = self.compute(step, &values);
            for &value in &step.spent {
                values[value] = Vec::new();
            }
        }
        self.outputs
            .iter()
            .map(|&value| {
                let [height, width, _] = self.shapes[value];
                transposed(&values[value], height * width)
            })
            .collect()
    }

    fn compute(&self, step: &Step, values: &[Vec<f32>]) -> Vec<f32> {
        let (from, to) = (self.shapes[step.input], self.shapes[step.output]);
        let [height, width, channels] = from;
        let input = values[step.input].as_slice();
        let dims = [channels, 1, height, width];
        match &step.layer {
            Layer::Conv2d(layer, finish) => {
                let prologue = Prologue::default();
                finish.finish(layer.run(input, dims, &prologue, &finish.epilogue()).0)
            }
            Layer::Depthwise(layer, finish) => {
                finish.finish(layer.run(input, dims, &finish.epilogue()).0)
            }
            Layer::Add { other, finish } => finish.finish(add(
                input,
                &values[*other],
                height * width,
                finish.activation(),
            )),
            Layer::Multiply { other } => {
                let planes = input.chunks_exact(height * width);
                let scaled = planes.zip(&values[*other]);
                scaled
                    .flat_map(|(plane, factor)| plane.iter().map(move |value| value * factor))
                    .collect()
            }
            Layer::Mean => {
                let area = height * width;
                let planes = input.chunks_exact(area);
                planes
                    .map(|plane| plane.iter().sum::<f32>() / area as f32)
                    .collect()
            }
            Layer::MaxPool => max_pool(input, width),
            Layer::PadChannels => {
                let mut padded = Vec::with_capacity(to.iter().product());
                padded.extend_from_slice(input);
                padded.resize(to.iter().product(), 0.0);
                padded
            }
            Layer::Upsample => upsample(input, from),
        }
    }
}

/// Turns names into indices and tensors into packed weights while a network is built.
struct Builder<'a> {
    network: &'a str,
    tensors: &'a SafeTensors<'a>,
    indices: BTreeMap<String, usize>,
    shapes: Vec<ValueShape>,
    /// Numbers that may still be read: half as many are in the file, and operations seldom share them.
    left: usize,
}

impl Builder<'_> {
    fn fault(&self, at: &str, problem: impl Into<String>) -> FaceError {
        FaceError::Graph {
            network: self.network.to_string(),
            at: one_line(at),
            problem: problem.into(),
        }
    }

    fn define(&mut self, name: &str, shape: ValueShape) -> Result<usize, FaceError> {
        let numbers = shape
            .iter()
            .try_fold(1usize, |product, &side| product.checked_mul(side));
        if !numbers.is_some_and(|numbers| (1..=MAX_NUMBERS).contains(&numbers)) {
            let problem = format!("shape {shape:?} is empty or has over {MAX_NUMBERS} numbers");
            return Err(self.fault(name, problem));
        }
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

    /// Dimensions of a value as planes.
    fn dims(&self, value: usize) -> [usize; 4] {
        let [height, width, channels] = self.shapes[value];
        [channels, 1, height, width]
    }

    fn value(&self, name: &str) -> Result<usize, FaceError> {
        self.indices
            .get(name)
            .copied()
            .ok_or_else(|| self.fault(name, "no earlier operation writes this value"))
    }

    /// Shape and values of a 16- or 32-bit tensor.
    fn tensor(&mut self, name: &str) -> Result<(Vec<usize>, Vec<f32>), FaceError> {
        let fault = |problem: String| FaceError::Tensor {
            name: one_line(name),
            problem,
        };
        let view = self
            .tensors
            .tensor(name)
            .map_err(|_| fault("it is not in the file".to_string()))?;
        let left = self.left.checked_sub(view.shape().iter().product());
        self.left = left.ok_or_else(|| fault("tensors are used again and again".to_string()))?;
        let values: Vec<f32> = match view.dtype() {
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
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let value = values[index];
            return Err(fault(format!(
                "value {index} is {value}, which is not a finite number"
            )));
        }
        Ok((view.shape().to_vec(), values))
    }

    /// A tensor that must hold one number per channel.
    fn per_channel(&mut self, name: &str, channels: usize) -> Result<Vec<f32>, FaceError> {
        let (shape, values) = self.tensor(name)?;
        if values.len() != channels {
            let problem =
                format!("shape {shape:?} does not hold one number for each of {channels} channels");
            return Err(FaceError::Tensor {
                name: one_line(name),
                problem,
            });
        }
        Ok(values)
    }

    fn finish(
        &mut self,
        at: &str,
        bias: Option<&str>,
        kind: Option<ActivationKind>,
        slope: &Option<String>,
        channels: usize,
    ) -> Result<OutputActivation, FaceError> {
        let slopes = match (kind, slope) {
            (Some(ActivationKind::Prelu), Some(slope)) => self.per_channel(slope, channels)?,
            (None, None) => Vec::new(),
            (Some(kind), None) if !matches!(kind, ActivationKind::Prelu) => Vec::new(),
            _ => return Err(self.fault(at, "prelu takes a slope, other activations take none")),
        };
        let bias = bias.map(|bias| self.per_channel(bias, channels));
        Ok(OutputActivation {
            bias: bias.transpose()?,
            kind,
            slopes,
        })
    }

    /// The weights of a convolution as planes `[outputs][inputs][rows][columns]`, their shape, and the zeros around
    /// an input of `from`.
    fn convolution(
        &mut self,
        op: &ConvolutionDescription,
        from: ValueShape,
    ) -> Result<Filters, FaceError> {
        let (shape, weight) = self.tensor(&op.weight)?;
        let [outputs, rows, columns, inputs] = shape[..] else {
            let problem = format!("weight shape {shape:?} has not four axes");
            return Err(self.fault(&op.output, problem));
        };
        let padding = zeros(from[0], rows, op.stride, op.padding)
            .zip(zeros(from[1], columns, op.stride, op.padding))
            .filter(|_| inputs == from[2] && outputs > 0)
            .ok_or_else(|| {
                let problem = format!("weight {shape:?} does not fit {from:?}");
                self.fault(&op.output, problem)
            })?;
        let filters = weight.chunks_exact(rows * columns * inputs);
        Ok(Filters {
            weight: filters
                .flat_map(|filter| transposed(filter, inputs))
                .collect(),
            outputs,
            inputs,
            kernel: [rows, columns],
            padding: padding.into(),
        })
    }

    /// A transposed convolution of an input of `from`, whose kernel is as high and wide as its stride, and how many
    /// channels it makes.
    fn transposed_convolution(
        &mut self,
        output: &str,
        weight: &str,
        stride: usize,
        from: ValueShape,
    ) -> Result<(ConvLayer, usize), FaceError> {
        let (shape, weight) = self.tensor(weight)?;
        let fits = match shape[..] {
            [outputs, rows, columns, inputs] => {
                outputs > 0 && stride > 0 && [rows, columns, inputs] == [stride, stride, from[2]]
            }
            _ => false,
        };
        if !fits {
            let problem =
                format!("weight {shape:?} does not fit {from:?} with a stride of {stride}");
            return Err(self.fault(output, problem));
        }
        let (outputs, inputs) = (shape[0], shape[3]);
        // `[out][rows, columns][in]` becomes `[in][out][rows, columns]`.
        let planes = transposed(&weight, inputs);
        let kind = Kind::Transposed {
            stride: [1, stride, stride],
            padding: [0; 3],
        };
        let layer = ConvLayer::new(&planes, [inputs, outputs, 1, stride, stride], kind);
        Ok((layer, outputs))
    }

    fn step(&mut self, operation: &Operation) -> Result<Step, FaceError> {
        let (layer, input, output, shape) = match operation {
            Operation::Conv2d(op) => {
                let input = self.value(&op.input)?;
                let filters = self.convolution(op, self.shapes[input])?;
                let Filters {
                    weight,
                    outputs,
                    inputs,
                    kernel: [rows, columns],
                    padding: [vertical, horizontal],
                } = filters;
                let kind = Kind::Forward {
                    stride: [1, op.stride, op.stride],
                    padding: [[0; 2], vertical, horizontal],
                };
                let layer = ConvLayer::new(&weight, [outputs, inputs, 1, rows, columns], kind);
                let finish = self.finish(
                    &op.output,
                    Some(&op.bias),
                    op.activation,
                    &op.slope,
                    outputs,
                )?;
                let shape = shape_of(layer.output_dims(self.dims(input)));
                (Layer::Conv2d(layer, finish), input, &op.output, shape)
            }
            Operation::DepthwiseConv2d(op) => {
                let input = self.value(&op.input)?;
                let filters = self.convolution(op, self.shapes[input])?;
                let Filters {
                    weight,
                    outputs: 1,
                    inputs: channels,
                    kernel: [rows, columns],
                    padding,
                } = filters
                else {
                    let problem = format!("its weight has {} filters, not one", filters.outputs);
                    return Err(self.fault(&op.output, problem));
                };
                let shape = [channels, rows, columns];
                let layer = DepthwiseLayer::new(&weight, shape, [op.stride; 2], padding);
                let finish = self.finish(
                    &op.output,
                    Some(&op.bias),
                    op.activation,
                    &op.slope,
                    channels,
                )?;
                let shape = shape_of(layer.output_dims(self.dims(input)));
                (Layer::Depthwise(layer, finish), input, &op.output, shape)
            }
            Operation::TransposedConv2d {
                input,
                output,
                weight,
                bias,
                stride,
                activation,
                slope,
            } => {
                let input = self.value(input)?;
                let (layer, outputs) =
                    self.transposed_convolution(output, weight, *stride, self.shapes[input])?;
                let finish = self.finish(output, Some(bias), *activation, slope, outputs)?;
                let [height, width, _] = self.shapes[input];
                let sides = [height, width].map(|side| side.saturating_mul(*stride));
                let shape = [sides[0], sides[1], outputs];
                (Layer::Conv2d(layer, finish), input, output, shape)
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
                let finish = self.finish(output, None, *activation, slope, shape[2])?;
                (Layer::Add { other, finish }, input, output, shape)
            }
            Operation::Multiply {
                input,
                other,
                output,
            } => {
                let (input, other) = (self.value(input)?, self.value(other)?);
                let shape = self.shapes[input];
                if self.shapes[other] != [1, 1, shape[2]] {
                    let problem = format!(
                        "{:?} are not factors for the channels of {shape:?}",
                        self.shapes[other]
                    );
                    return Err(self.fault(output, problem));
                }
                (Layer::Multiply { other }, input, output, shape)
            }
            Operation::Mean { input, output } => {
                let input = self.value(input)?;
                let [_, _, channels] = self.shapes[input];
                (Layer::Mean, input, output, [1, 1, channels])
            }
            Operation::MaxPool { input, output } => {
                let input = self.value(input)?;
                let [height, width, channels] = self.shapes[input];
                if height % 2 != 0 || width % 2 != 0 {
                    return Err(self.fault(output, format!("{height} x {width} cannot be halved")));
                }
                (
                    Layer::MaxPool,
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
                    Layer::PadChannels,
                    input,
                    output,
                    [height, width, *channels],
                )
            }
            Operation::Upsample { input, output } => {
                let input = self.value(input)?;
                let [height, width, channels] = self.shapes[input];
                (
                    Layer::Upsample,
                    input,
                    output,
                    [2 * height, 2 * width, channels],
                )
            }
        };
        let output = self.define(output, shape)?;
        Ok(Step {
            layer,
            input,
            output,
            spent: Vec::new(),
        })
    }
}

/// The weights of a convolution.
struct Filters {
    /// `[outputs][inputs][rows][columns]`.
    weight: Vec<f32>,
    outputs: usize,
    inputs: usize,
    /// Rows and columns.
    kernel: [usize; 2],
    /// Zeros before and after the input's rows and columns.
    padding: [[usize; 2]; 2],
}

/// The shape of what a layer makes.
fn shape_of([channels, _, height, width]: [usize; 4]) -> ValueShape {
    [height, width, channels]
}

/// Rows of `columns` values as columns.
fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    let mut result = Vec::with_capacity(values.len());
    for column in 0..columns {
        result.extend(values[column..].iter().step_by(columns));
    }
    result
}

/// The sum of two values of planes with `area` values, activated.
fn add(a: &[f32], b: &[f32], area: usize, activation: Activation) -> Vec<f32> {
    let mut sums = vec![0.0; a.len()];
    let planes = a.chunks_exact(area).zip(b.chunks_exact(area));
    for (channel, (sums, (a, b))) in sums.chunks_exact_mut(area).zip(planes).enumerate() {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum = a + b;
        }
        activation.apply(channel, sums);
    }
    sums
}

/// Maximum over 2x2 blocks of planes with even height and width.
fn max_pool(input: &[f32], width: usize) -> Vec<f32> {
    // Unlike `f32::max`, which has to look for NaN, this is one vector instruction everywhere.
    let most = |a: f32, b: f32| if a > b { a } else { b };
    let mut output = vec![0.0; input.len() / 4];
    let mut tallest = vec![0.0; width];
    let lines = output.chunks_exact_mut(width / 2);
    for (line, rows) in lines.zip(input.chunks_exact(2 * width)) {
        let (upper, lower) = rows.split_at(width);
        for ((tallest, a), b) in tallest.iter_mut().zip(upper).zip(lower) {
            *tallest = most(*a, *b);
        }
        for (value, [a, b]) in line.iter_mut().zip(tallest.as_chunks::<2>().0) {
            *value = most(*a, *b);
        }
    }
    output
}

/// Bilinear doubling with half-pixel centres: along both axes, every output takes 3/4 of its own input and 1/4 of the
/// nearest neighbour.
fn upsample(input: &[f32], [height, width, _]: ValueShape) -> Vec<f32> {
    let mut output = vec![0.0; 4 * input.len()];
    // A row between its neighbours, with the first and last value repeated.
    let mut mixed = vec![0.0; width + 2];
    for (index, line) in output.chunks_exact_mut(2 * width).enumerate() {
        let (plane, row) = (index / (2 * height), index % (2 * height));
        let near = row / 2;
        let far = match row % 2 {
            0 => near.saturating_sub(1),
            _ => (near + 1).min(height - 1),
        };
        let [near, far] = [near, far].map(|row| &input[(plane * height + row) * width..][..width]);
        for ((mixed, near), far) in mixed[1..].iter_mut().zip(near).zip(far) {
            *mixed = 0.75 * near + 0.25 * far;
        }
        mixed[0] = mixed[1];
        mixed[width + 1] = mixed[width];
        let (pairs, _) = line.as_chunks_mut::<2>();
        for (pair, values) in pairs.iter_mut().zip(mixed.windows(3)) {
            let near = 0.75 * values[1];
            *pair = [near + 0.25 * values[0], near + 0.25 * values[2]];
        }
    }
    output
}
