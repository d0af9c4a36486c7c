//! Convolutions of all kinds as stride-1 convolutions over positions.
//!
//! A strided convolution reads the interleaved parts of its padded input (even and odd columns, ...), a
//! transposed one makes the interleaved parts of its output, each from only some of the kernel's elements.

/// Values in a cache line.
pub(super) const LINE: usize = 16;

/// The least stride for rows of so many values that spreads them over all sets of the caches: an odd number of lines.
pub(super) fn spread(values: usize) -> usize {
    (values.div_ceil(LINE) | 1) * LINE
}

/// The geometry of a convolution; per axis `[depth, height, width]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Convolution as in PyTorch's `conv3d`, weights `[out, in, depth, height, width]`.
    Forward {
        /// Input values per output value.
        stride: [usize; 3],
        /// Zeros before and after the input.
        padding: [[usize; 2]; 3],
    },
    /// Transposed convolution as in PyTorch's `conv_transpose3d`, weights `[in, out, depth, height, width]`.
    Transposed {
        /// Output values per input value.
        stride: [usize; 3],
        /// Values cut from either side of the output.
        padding: [usize; 3],
    },
    /// StyleGAN2's upsampling convolution: transposed with stride 2 in height and width, then the low-pass
    /// filter `[1, 3, 3, 1] / 4` along both, which doubles height and width. Weights `[out, in, 1, 3, 3]`.
    Upsample,
}

/// Whether a layer is filtered in patches.
#[derive(Clone, Copy, Debug)]
pub(super) enum Patches {
    Never,
    WhereTheyPay,
    /// Of so many outputs along each side.
    #[cfg(test)]
    Always(usize),
}

/// How positions, inputs and outputs relate along one axis.
///
/// Position `t` reads the inputs `(t + shift) * split + part - lead` and makes the outputs
/// `t * steps ..  (t + 1) * steps`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub kernel: usize,
    pub split: usize,
    pub steps: usize,
    pub lead: usize,
    /// Interleaved parts that are read.
    pub parts: usize,
    /// One more than the largest shift.
    pub reach: usize,
    /// Successive inputs that a position reads from.
    pub span: usize,
    /// Positions computed beyond either end, for the filter.
    pub halo: usize,
}

/// One kernel element along one axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tap {
    pub index: usize,
    pub part: usize,
    pub shift: usize,
}

/// One part of the output: every `steps`-th value along each axis.
#[derive(Clone, Debug)]
pub(super) struct Phase {
    /// `[depth, height, width]` of each kernel element that takes part.
    pub taps: Vec<[Tap; 3]>,
    /// `[blocks][input][taps][block]`.
    pub weights: Vec<f32>,
}

impl Axis {
    /// The three axes of a kernel of that size.
    pub fn all(kind: Kind, kernel: [usize; 3]) -> [Self; 3] {
        [0, 1, 2].map(|axis| Self::new(kind, axis, kernel[axis]))
    }

    /// The kernel elements that each part of the output sees.
    pub fn phases([deep, high, wide]: &[Self; 3], kind: Kind) -> Vec<Vec<[Tap; 3]>> {
        let mut phases = Vec::new();
        for depth in 0..deep.steps {
            for row in 0..high.steps {
                for column in 0..wide.steps {
                    let mut taps = Vec::new();
                    for depth in deep.taps(kind, 0, depth) {
                        for row in high.taps(kind, 1, row) {
                            for column in wide.taps(kind, 2, column) {
                                taps.push([depth, row, column]);
                            }
                        }
                    }
                    phases.push(taps);
                }
            }
        }
        phases
    }

    fn new(kind: Kind, axis: usize, kernel: usize) -> Self {
        let (split, steps, lead, reach, halo) = match kind {
            Kind::Forward { stride, padding } => {
                let split = stride[axis];
                (split, 1, padding[axis][0], kernel.div_ceil(split), 0)
            }
            Kind::Transposed { stride, padding } => {
                let (steps, padding) = (stride[axis], padding[axis]);
                // Inputs before and after position t that some output of t sees.
                let before = (kernel - 1).saturating_sub(padding) / steps;
                let after = padding.div_ceil(steps);
                (1, steps, before, before + after + 1, 0)
            }
            Kind::Upsample if axis == 0 => (1, 1, 0, 1, 0),
            Kind::Upsample => (1, 2, 2, 2, 1),
        };
        Self {
            kernel,
            split,
            steps,
            lead,
            parts: split.min(kernel),
            reach,
            span: if split == 1 { reach } else { kernel },
            halo,
        }
    }

    /// The kernel elements that part `phase` of the output sees.
    fn taps(&self, kind: Kind, axis: usize, phase: usize) -> Vec<Tap> {
        let padding = match kind {
            Kind::Forward { .. } => {
                let tap = |index| Tap {
                    index,
                    part: index % self.split,
                    shift: index / self.split,
                };
                return (0..self.kernel).map(tap).collect();
            }
            Kind::Transposed { padding, .. } => padding[axis],
            Kind::Upsample => 0,
        };
        // Output t * steps + phase gets input i through element t * steps + phase + padding - i * steps.
        let base = (self.lead - self.halo) * self.steps + phase + padding;
        (0..self.kernel)
            .filter(|index| index <= &base && (base - index).is_multiple_of(self.steps))
            .map(|index| Tap {
                index,
                part: 0,
                shift: (base - index) / self.steps,
            })
            .collect()
    }

    /// The same axis in patches of `side` outputs.
    pub fn patches(self, side: usize) -> Self {
        Self {
            split: side,
            steps: side,
            parts: side,
            reach: 2,
            ..self
        }
    }

    /// Output size for `input` values.
    pub fn output(&self, kind: Kind, axis: usize, input: usize) -> usize {
        match kind {
            Kind::Forward { stride, padding } => {
                let [before, after] = padding[axis];
                (before + input + after - self.kernel) / stride[axis] + 1
            }
            Kind::Transposed { stride, padding } => {
                (input - 1) * stride[axis] + self.kernel - 2 * padding[axis]
            }
            Kind::Upsample => input * self.steps,
        }
    }
}

impl Phase {
    /// Offsets of the kernel elements in a channel of the padded input.
    pub fn offsets(&self, axes: &[Axis; 3], pitch: usize, part: usize) -> Vec<usize> {
        let [deep, high, wide] = axes;
        let offset = |[depth, row, column]: &[Tap; 3]| {
            let slot = depth.shift * deep.split + depth.part;
            let index = (slot * high.parts + row.part) * wide.parts + column.part;
            index * part + row.shift * pitch + column.shift
        };
        self.taps.iter().map(offset).collect()
    }
}
