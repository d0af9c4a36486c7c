//! A convolution with its weights, and how large its output is.

use super::{
    geometry::{Axis, Kind, Patches, Phase, Tap},
    simd::Isa,
};

/// `x * scale + shift` per input channel, applied before zero padding; absent parts do nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prologue<'a> {
    /// Factor per input channel.
    pub scale: Option<&'a [f32]>,
    /// Offset per input channel.
    pub shift: Option<&'a [f32]>,
}

/// A convolution with its weights laid out for this processor.
#[derive(Clone, Debug)]
pub struct ConvLayer {
    pub(super) isa: Isa,
    pub(super) input: usize,
    pub(super) output: usize,
    /// Output channels that are computed at once.
    pub(super) block: usize,
    pub(super) kind: Kind,
    pub(super) axes: [Axis; 3],
    /// Whether Winograd's filtering is used.
    pub(super) patches: Patches,
    /// The parts of the output, `steps` along each axis.
    pub(super) phases: Vec<Phase>,
}

impl ConvLayer {
    /// Lays out `weight`, whose `shape` is `[out, in, depth, height, width]`, or `[in, out, ...]` where
    /// [`Kind`] says so; a 2-d kernel has depth 1.
    ///
    /// # Panics
    /// If the shape and the weights or the kind do not agree.
    pub fn new(weight: &[f32], shape: [usize; 5], kind: Kind) -> Self {
        Self::with_isa(weight, shape, kind, Isa::best())
    }

    /// [`ConvLayer::new`] for a chosen instruction set.
    pub fn with_isa(weight: &[f32], shape: [usize; 5], kind: Kind, isa: Isa) -> Self {
        let [first, second, kernel @ ..] = shape;
        assert_eq!(
            weight.len(),
            shape.iter().product::<usize>(),
            "weights of shape {shape:?}"
        );
        assert!(!weight.is_empty(), "a convolution has at least one weight");
        let (output, input) = match kind {
            Kind::Transposed { .. } => (second, first),
            Kind::Forward { .. } => (first, second),
            Kind::Upsample => {
                assert_eq!(kernel, [1, 3, 3], "kernel of an upsampling convolution");
                (first, second)
            }
        };
        let area = kernel.iter().product::<usize>();
        let source = |output: usize, input: usize| match kind {
            Kind::Transposed { .. } => (input * second + output) * area,
            _ => (output * second + input) * area,
        };
        let block = isa.block(output);
        let axes = Axis::all(kind, kernel);
        let phases = Axis::phases(&axes, kind).into_iter().map(|taps| {
            let element = |[depth, row, column]: &[Tap; 3]| {
                (depth.index * kernel[1] + row.index) * kernel[2] + column.index
            };
            let elements: Vec<usize> = taps.iter().map(element).collect();
            let stretch = taps.len() * block;
            let mut weights = vec![0.0; output.div_ceil(block) * input * stretch];
            for (index, target) in weights.chunks_mut(stretch.max(1)).enumerate() {
                let (first, input) = (index / input * block, index % input);
                for channel in first..output.min(first + block) {
                    let source = &weight[source(channel, input)..][..area];
                    let target = target[channel - first..].iter_mut().step_by(block);
                    for (target, &element) in target.zip(&elements) {
                        *target = source[element];
                    }
                }
            }
            Phase { taps, weights }
        });
        let mut layer = Self {
            isa,
            input,
            output,
            block,
            kind,
            axes,
            patches: Patches::Never,
            phases: phases.collect(),
        };
        if layer.can_be_minimal() {
            layer.patches = Patches::WhereTheyPay;
        }
        layer
    }

    /// Output dimensions `[out, depth, height, width]` for an input `[in, depth, height, width]`.
    pub fn output_dims(&self, dims: [usize; 4]) -> [usize; 4] {
        let size = |axis: usize| self.axes[axis].output(self.kind, axis, dims[axis + 1]);
        [self.output, size(0), size(1), size(2)]
    }

    /// Weights, those that fill up the last block of output channels included.
    pub(super) fn weights(&self) -> usize {
        self.phases.iter().map(|phase| phase.weights.len()).sum()
    }

    /// Blocks of output channels.
    pub(super) fn blocks(&self) -> usize {
        self.output.div_ceil(self.block)
    }

    /// Positions along an axis for an input of `dims`.
    pub(super) fn positions(&self, axis: usize, dims: [usize; 4]) -> usize {
        self.output_dims(dims)[axis + 1].div_ceil(self.axes(dims)[axis].steps)
    }
}
