//! Depthwise convolutions: every channel of a picture has a filter of its own.
//!
//! A channel is copied between zeros and convolved like a block of one output channel (see `conv`). There is no reuse
//! across channels, so one channel at a time, which stays in the first-level cache, is all the tiling there is.
//! The work is too small to share out.

use std::mem::MaybeUninit;

use super::{
    conv::written,
    epilogue::Epilogue,
    geometry::{Axis, Kind, Phase},
    simd::{Isa, Job, Sweep, Tiled},
    tile::copy_row,
};

/// A depthwise convolution of pictures with its weights.
#[derive(Clone, Debug)]
pub struct DepthwiseLayer {
    isa: Isa,
    channels: usize,
    kind: Kind,
    axes: [Axis; 3],
    /// The only part of the output; its weights are `[channels][taps]`.
    phase: Phase,
}

impl DepthwiseLayer {
    /// `weight` is `[channels, height, width]`; `stride` and the zeros before and after the input go along height and
    /// width.
    ///
    /// # Panics
    /// If the shape and the weights do not agree.
    pub fn new(
        weight: &[f32],
        shape: [usize; 3],
        stride: [usize; 2],
        padding: [[usize; 2]; 2],
    ) -> Self {
        Self::with_isa(weight, shape, stride, padding, Isa::best())
    }

    /// [`DepthwiseLayer::new`] for a chosen instruction set.
    pub fn with_isa(
        weight: &[f32],
        [channels, height, width]: [usize; 3],
        stride: [usize; 2],
        padding: [[usize; 2]; 2],
        isa: Isa,
    ) -> Self {
        assert_eq!(
            weight.len(),
            channels * height * width,
            "weights of shape [{channels}, {height}, {width}]"
        );
        assert!(!weight.is_empty(), "a convolution has at least one weight");
        let kind = Kind::Forward {
            stride: [1, stride[0], stride[1]],
            padding: [[0; 2], padding[0], padding[1]],
        };
        let axes = Axis::all(kind, [1, height, width]);
        let phase = Phase {
            taps: Axis::phases(&axes, kind).concat(),
            weights: weight.to_vec(),
        };
        Self {
            isa,
            channels,
            kind,
            axes,
            phase,
        }
    }

    /// Output dimensions `[channels, 1, height, width]` for an input of `dims`.
    pub fn output_dims(&self, dims: [usize; 4]) -> [usize; 4] {
        let size = |axis: usize| self.axes[axis].output(self.kind, axis, dims[axis + 1]);
        [self.channels, 1, size(1), size(2)]
    }

    /// Convolves `input` of `dims` `[channels, 1, height, width]`; returns the output and its dimensions.
    ///
    /// # Panics
    /// If a length does not fit the dimensions or the dimensions do not fit the layer.
    pub fn run(
        &self,
        input: &[f32],
        dims: [usize; 4],
        epilogue: &Epilogue,
    ) -> (Vec<f32>, [usize; 4]) {
        assert_eq!(dims[..2], [self.channels, 1], "input channels and depth");
        assert_eq!(
            input.len(),
            dims.iter().product::<usize>(),
            "input of dimensions {dims:?}"
        );
        let outputs = self.output_dims(dims);
        epilogue.check(outputs[0], outputs[2] * outputs[3]);
        // SAFETY: all planes are written.
        let output = unsafe {
            written(outputs, |planes| {
                self.isa.run(DepthwisePass {
                    layer: self,
                    input,
                    size: [dims[2], dims[3]],
                    epilogue,
                    output_width: outputs[3],
                    planes,
                });
            })
        };
        (output, outputs)
    }
}

/// A whole layer with all that it needs.
struct DepthwisePass<'a> {
    layer: &'a DepthwiseLayer,
    input: &'a [f32],
    /// Height and width of the input.
    size: [usize; 2],
    epilogue: &'a Epilogue<'a>,
    output_width: usize,
    planes: Vec<&'a mut [MaybeUninit<f32>]>,
}

impl Job for DepthwisePass<'_> {
    #[inline(always)]
    fn run<S: Tiled>(self, simd: S) {
        let DepthwiseLayer { axes, phase, .. } = self.layer;
        let [_, high, wide] = axes;
        let ([height, width], columns) = (self.size, self.output_width);
        let rows = self.planes.first().map_or(0, |plane| plane.len() / columns);
        let pitch = columns + wide.reach - 1;
        let part = (rows + high.reach - 1) * pitch;
        let parts = high.parts * wide.parts;
        let offsets = phase.offsets(axes, pitch, part);
        // Vectors may reach beyond the last position.
        let mut padded = vec![0.0; parts * part + S::F32_LANES];
        let mut sums = vec![0.0; rows * pitch + S::F32_LANES];
        let vectors = ((rows - 1) * pitch + columns).div_ceil(S::F32_LANES);
        let weights = phase.weights.chunks_exact(offsets.len());
        let inputs = self.input.chunks_exact(height * width);
        for (channel, ((plane, weights), input)) in
            self.planes.into_iter().zip(weights).zip(inputs).enumerate()
        {
            for (index, part) in padded.chunks_exact_mut(part).take(parts).enumerate() {
                let (row_part, column_part) = (index / wide.parts, index % wide.parts);
                for (line, target) in part.chunks_exact_mut(pitch).enumerate() {
                    let row = (line * high.split + row_part).checked_sub(high.lead);
                    match row.filter(|&row| row < height) {
                        Some(row) => {
                            let source = &input[row * width..][..width];
                            copy_row(target, source, wide.split, column_part, wide.lead, 1.0, 0.0);
                        }
                        None => target.fill(0.0),
                    }
                }
            }
            let work = Sweep {
                weights,
                offsets: &offsets,
                input: &padded,
            };
            let mut done = 0;
            while done < vectors {
                let count = S::vectors(1, vectors - done);
                let start = done * S::F32_LANES;
                simd.sweep(1, count, work, start, &mut sums[start..], 0, true);
                done += count;
            }
            for (row, target) in plane.chunks_exact_mut(columns).enumerate() {
                let source = &sums[row * pitch..][..columns];
                self.epilogue.finish(target, source, channel, row * columns);
            }
        }
    }
}
