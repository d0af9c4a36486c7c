//! A convolution with its weights laid out for the GPU.

use burn::{
    backend::Wgpu,
    tensor::{Bytes, DType, Device, Int, Tensor, TensorData},
};
use burn_cubecl::tensor::CubeTensor;

use super::{
    halves::halves,
    launch::{buffer, launch, submit, words},
    source::{ShaderActivation, Shape, Spec, Tiling, phases},
    tilings::chosen,
};
use crate::{
    kernels::{self, Kind},
    networks::{
        around::{Around, LayerActivation},
        device::is_cpu,
        precision::Precision,
    },
};

/// Weights that are laid out, in the memory where their parameters were.
#[derive(Clone, Debug)]
enum Weights {
    /// On the GPU.
    Gpu(Box<CubeTensor>),
    /// In main memory: every run takes them along, and they leave the GPU after it.
    Main(TensorData),
}

impl Weights {
    /// For a run on a device.
    fn on(&self, device: &Device) -> CubeTensor {
        match self {
            Self::Gpu(weights) => (**weights).clone(),
            Self::Main(data) if data.dtype() == DType::U32 => {
                words(Tensor::from_data(data.clone(), (device, DType::U32)))
            }
            Self::Main(data) => buffer(Tensor::<1>::from_data(data.clone(), device)),
        }
    }
}

/// A convolution with its weights laid out for the GPU.
#[derive(Clone, Debug)]
pub struct ShaderLayer {
    /// `[groups of four out][groups of four in][kernel elements][in][out]`.
    weights: Weights,
    precision: Precision,
    shape: Shape,
    /// Whether the kernel has a depth, too.
    deep: bool,
    padding: usize,
    input: usize,
    output: usize,
    /// How many convolutions of one shape these are: each makes a picture of its own.
    count: usize,
}

impl ShaderLayer {
    /// What there is a kernel for: `shape` is `[out, in, depth, height, width]`, or as [`Kind`] says.
    fn shape(shape: [usize; 5], kind: Kind) -> Option<(Shape, usize)> {
        let [_, _, depth, kernel, width] = shape;
        match kind {
            Kind::Upsample => (depth == 1).then_some((Shape::Upsample, 0)),
            Kind::Forward { stride, padding } => {
                let flat = depth == 1 && stride[0] == 1 && padding[0] == [0; 2];
                let cube = [depth, kernel] == [3; 2]
                    && stride == [stride[0]; 3]
                    && padding[0] == padding[1];
                let (stride, [_, [before, after], beside]) = (stride[2], padding);
                let fits = (flat || cube)
                    && kernel == width
                    && [[1, 1], [1, 2], [3, 1], [3, 2], [5, 1]].contains(&[kernel, stride])
                    && before == kernel / 2
                    && [before, after] == beside
                    && before == after;
                fits.then_some((Shape::Plain { kernel, stride }, before))
            }
            Kind::Transposed { stride, padding } => {
                let flat = depth == 1 && stride == [1, 2, 2] && padding == [0, 1, 1];
                let cube = depth == 4 && stride == [2; 3] && padding == [1; 3];
                let fits = (flat || cube) && [kernel, width] == [4; 2];
                fits.then_some((Shape::Double, 1))
            }
        }
    }

    /// Whether there is a kernel for weights of `shape`, `[out, in, depth, height, width]`, or as [`Kind`] says.
    pub fn serves(shape: [usize; 5], kind: Kind) -> bool {
        Self::shape(shape, kind).is_some()
    }

    /// Lays out `weight`, `[out, in, depth, height, width]`, or as [`Kind`] says, in the memory where it is: on a GPU,
    /// or in main memory.
    ///
    /// # Panics
    /// If there is no kernel for it.
    pub fn new(weight: Tensor<5>, kind: Kind, precision: Precision) -> Self {
        Self::side_by_side(vec![weight], kind, precision)
    }

    /// Several convolutions of one shape in one dispatch.
    ///
    /// # Panics
    /// As [`Self::new`], and if their shapes differ.
    pub fn side_by_side(weights: Vec<Tensor<5>>, kind: Kind, precision: Precision) -> Self {
        let count = weights.len();
        let (dims, main) = (weights[0].dims(), is_cpu(&weights[0].device()));
        let (shape, padding) = Self::shape(dims, kind).expect("a kernel for this kind");
        let [first, second, depth, ..] = dims;
        let [output, input] = match shape {
            Shape::Double => [second, first],
            Shape::Plain { .. } | Shape::Upsample => [first, second],
        };
        let laid_out = weights.into_iter().map(|weight| {
            let weight = match shape {
                Shape::Double => by_phases(weight),
                Shape::Plain { .. } | Shape::Upsample => weight,
            };
            let weight = pad(weight.flatten::<3>(2, 4), 0);
            let weight = pad(weight, 1);
            let [outputs, inputs, area] = weight.dims();
            let weight = weight
                .reshape([outputs / 4, 4, inputs / 4, 4, area])
                .permute([0, 2, 4, 3, 1]);
            weight.reshape([outputs * inputs * area])
        });
        let on_gpu = |weights| Weights::Gpu(Box::new(weights));
        let weights = match precision {
            _ if main => Weights::Main(in_main_memory(laid_out, precision)),
            Precision::Single => on_gpu(buffer(Tensor::cat(laid_out.collect(), 0))),
            Precision::Half => on_gpu(halves(laid_out)),
        };
        Self {
            weights,
            precision,
            shape,
            deep: depth > 1,
            padding,
            input,
            output,
            count,
        }
    }

    /// How the work on an output of these sides is shared out.
    fn tiling(&self, height: usize, width: usize) -> Tiling {
        let tiling = chosen(self.shape, height.max(width));
        // Four output channels have no use for threads with eight.
        Tiling {
            groups: tiling.groups.min(self.computed().div_ceil(4)),
            ..tiling
        }
    }

    /// Channels that sums are computed for.
    fn computed(&self) -> usize {
        match self.shape {
            Shape::Double => self.output * phases(self.deep),
            Shape::Plain { .. } | Shape::Upsample => self.output,
        }
    }

    /// Whether the output can be 16-bit floats: pairs of channels, by the kernels that take weights so.
    fn passes(&self) -> bool {
        self.precision == Precision::Half
            && self.output.is_multiple_of(2)
            && self.shape != Shape::Double
    }

    /// Output sides for input sides.
    fn output_side(&self, side: usize) -> usize {
        match self.shape {
            Shape::Upsample | Shape::Double => 2 * side,
            Shape::Plain { kernel, stride } => (side + 2 * self.padding - kernel) / stride + 1,
        }
    }

    /// The convolution and what surrounds it in one dispatch. What is [passing](Around::passing) comes as 16-bit floats,
    /// in an order that only another run understands: those of two channels lie side by side.
    ///
    /// # Shapes
    /// `[batch, in, depth, height, width]` to `[batch, out, ...]`. Where there are several convolutions,
    /// `[count, in, ...]`, or `[1, in, ...]` for all of them, to `[count, out, ...]`; then the bias is `[count * out]`.
    pub fn run(&self, x: Tensor<5>, around: Around) -> Tensor<5> {
        let [_, _, _, height, width] = x.dims();
        let [height, width] = match self.shape {
            Shape::Double => [height, width],
            Shape::Plain { .. } | Shape::Upsample => {
                [height, width].map(|side| self.output_side(side))
            }
        };
        let tiling = self.tiling(height, width);
        self.run_tiled(x, around, tiling)
    }

    /// [`Self::run`] with the work shared out in a certain way.
    pub(super) fn run_tiled(&self, x: Tensor<5>, around: Around, tiling: Tiling) -> Tensor<5> {
        let (activation, gains, slopes) = activation(around.activation);
        let halves = self.precision == Precision::Half;
        let spec = Spec {
            input_scale: around.input_scale.is_some(),
            input_shift: around.input_shift.is_some(),
            output_scale: around.output_scale.is_some(),
            noise: around.noise.is_some(),
            bias: around.bias.is_some(),
            skip: around.skip.is_some(),
            deep: self.deep,
            halves,
            input_halves: x.dtype() == DType::F16,
            output_halves: around.passing && self.passes(),
            activation,
            ..Spec::bare(self.shape, tiling)
        };
        let scale_pitch = match &around.input_scale {
            Some(scale) if scale.dims()[0] > 1 => self.input,
            _ => 0,
        };
        let mut others = Vec::new();
        others.extend(around.input_scale.map(buffer));
        others.extend(around.input_shift.map(buffer));
        others.extend(around.output_scale.map(buffer));
        others.extend(around.noise.map(buffer));
        others.extend(around.bias.map(buffer));
        others.extend(slopes.map(buffer));
        others.extend(around.skip.map(buffer));
        self.dispatch(spec, x, scale_pitch, gains, others)
    }

    /// `others` are the buffers that `spec` wants between the weights and the output; `scale_pitch` is how many input
    /// scales there are per picture, or 0 if all share them; `gains` are [`ShaderActivation::Gains`].
    fn dispatch(
        &self,
        spec: Spec,
        x: Tensor<5>,
        scale_pitch: usize,
        gains: [f32; 2],
        others: Vec<CubeTensor>,
    ) -> Tensor<5> {
        let [pictures, channels, depth, height, width] = x.dims();
        assert_eq!(channels, self.input, "input channels");
        let several = self.count > 1;
        let batch = if several { self.count } else { pictures };
        assert!(pictures == batch || pictures == 1, "{pictures} pictures");
        let [out_height, out_width] = [height, width].map(|side| self.output_side(side));
        let out_depth = if self.deep {
            self.output_side(depth)
        } else {
            depth
        };
        let out_chunks = self.computed().div_ceil(4);
        let blocks = out_chunks.div_ceil(spec.tiling.groups);
        let sizes = [
            channels,
            height,
            width,
            channels.div_ceil(4),
            self.output,
            out_height,
            out_width,
            out_chunks,
            blocks,
            self.padding,
            scale_pitch,
            if pictures == 1 { 0 } else { channels },
            if several {
                out_chunks * channels.div_ceil(4)
            } else {
                0
            },
            if several { self.output } else { 0 },
            depth,
            out_depth,
        ];
        let element = if spec.output_halves {
            DType::F16
        } else {
            DType::F32
        };
        let weights = self.weights.on(&x.device());
        let mut inputs = vec![buffer(x), weights];
        inputs.extend(others);
        // Positions of what makes a picture larger are those of its input.
        let (positions, levels) = match self.shape {
            Shape::Upsample | Shape::Double => ([height, width], depth),
            Shape::Plain { .. } => ([out_height, out_width], out_depth),
        };
        let [rows, columns] = spec.finished();
        let workgroups = [
            positions[1].div_ceil(columns),
            positions[0].div_ceil(rows),
            batch * levels * blocks,
        ];
        let shape = [batch, self.output, out_depth, out_height, out_width];
        let mut info = sizes.map(|size| size as u32).to_vec();
        info.extend(gains.map(f32::to_bits));
        let output = launch(spec, inputs, &info, workgroups, shape, element);
        if matches!(self.weights, Weights::Main(_)) {
            // The next weights that come from main memory take the place of these.
            submit(&output);
        }
        Tensor::from_primitive::<Wgpu>(output)
    }
}

/// What is laid out, one after the other, in words as kernels read them. Copies share the memory.
fn in_main_memory(laid_out: impl Iterator<Item = Tensor<1>>, precision: Precision) -> TensorData {
    // Of two halves in a word the first is the lower one, as in memory.
    let (value, word) = match precision {
        Precision::Single => (DType::F32, DType::F32),
        Precision::Half => (DType::F16, DType::U32),
    };
    let mut bytes = Vec::new();
    for weights in laid_out {
        bytes.extend_from_slice(weights.into_data().convert_dtype(value).as_bytes());
    }
    let words = bytes.len() / word.size();
    TensorData::from_bytes(Bytes::from_bytes_vec(bytes).shared(), [words], word)
}

/// An activation as kernels know it, its factors from zero on and below, and the slopes of a parametric one.
fn activation(activation: LayerActivation) -> (ShaderActivation, [f32; 2], Option<Tensor<1>>) {
    let kept = [1.0; 2];
    match activation {
        LayerActivation::PRelu(prelu) => (ShaderActivation::PRelu, kept, Some(prelu.slopes())),
        LayerActivation::Sigmoid => (ShaderActivation::Sigmoid, kept, None),
        other => {
            let gains = match other.kernel(&mut Vec::new()) {
                kernels::Activation::LeakyRelu { slope, gain } => [gain, slope * gain],
                _ => kept,
            };
            (ShaderActivation::Gains, gains, None)
        }
    }
}

/// Weights of a transposed convolution, `[in, out, 4, 4, 4]`, as those of [`Shape::Double`], `[out * 8, in, 3, 3, 3]`;
/// of a flat one, `[in, out, 1, 4, 4]`, as `[out * 4, in, 1, 3, 3]`.
fn by_phases(weight: Tensor<5>) -> Tensor<5> {
    // Which element of the kernel each of three neighbours has its part by, in an even place, then in an odd one. The
    // fifth is zero.
    let seen = Tensor::<1, Int>::from_data([3, 1, 4, 4, 2, 0], &weight.device());
    let [input, output, depth, ..] = weight.dims();
    let mut weight = weight;
    for axis in (2..5).filter(|&axis| axis > 2 || depth > 1) {
        let mut zero = weight.dims();
        zero[axis] = 1;
        let zero = Tensor::zeros(zero, &weight.device());
        weight = Tensor::cat(vec![weight, zero], axis).select(axis, seen.clone());
    }
    let [halves, levels] = if depth > 1 { [2, 3] } else { [1, 1] };
    weight
        .reshape([input, output, halves, levels, 2, 3, 2, 3])
        .permute([1, 2, 4, 6, 0, 3, 5, 7])
        .reshape([output * halves * 4, input, levels, 3, 3])
}

/// Zeros behind dimension `axis` up to a multiple of four.
fn pad(weight: Tensor<3>, axis: usize) -> Tensor<3> {
    let mut dims = weight.dims();
    let missing = dims[axis].next_multiple_of(4) - dims[axis];
    if missing == 0 {
        return weight;
    }
    dims[axis] = missing;
    let zeros = Tensor::zeros(dims, (&weight.device(), weight.dtype()));
    Tensor::cat(vec![weight, zeros], axis)
}
