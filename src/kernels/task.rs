//! A share of a convolution as text and values, for a worker with the same build of this crate.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{
    conv::written,
    epilogue::{Activation, Epilogue},
    geometry::{Axis, Kind, Phase},
    layer::{ConvLayer, Prologue, Share, Source},
    simd::Isa,
};

/// Largest side of a kernel, longest stride and most zeros at an end that a task may have: its scratch memory grows
/// with them. Those of the networks have at most 4.
const MAX_REACH: usize = 8;
/// Most values along one axis of a task, and most channels.
const MAX_SIDE: usize = 1 << 16;

/// A task without its values.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    pub kind: Kind,
    pub kernel: [usize; 3],
    /// Input and output channels.
    pub channels: [usize; 2],
    pub block: usize,
    /// Whether it may be filtered by patches (see `winograd`).
    pub minimal: bool,
    pub dims: [usize; 4],
    pub positions: Range<usize>,
    pub window: Range<usize>,
    pub input_scale: bool,
    pub input_shift: bool,
    pub scale: bool,
    pub noise: bool,
    pub bias: bool,
    /// Slope and gain of a leaky ReLU; none for slopes per channel.
    pub leaky: Option<[f32; 2]>,
}

/// Whether tasks may have such kernels.
pub(super) fn is_possible(kind: Kind, kernel: [usize; 3]) -> bool {
    let fits = |sides: &[usize]| sides.iter().all(|&side| side <= MAX_REACH);
    let positive = |sides: [usize; 3]| fits(&sides) && !sides.contains(&0);
    positive(kernel)
        && match kind {
            Kind::Forward { stride, padding } => positive(stride) && fits(padding.as_flattened()),
            Kind::Transposed { stride, padding } => positive(stride) && fits(&padding),
            Kind::Upsample => kernel == [1, 3, 3],
        }
}

impl Order {
    /// Whether there is such a layer, and an output for such an input. All later sums of sizes are small then; products
    /// of several need not be.
    fn is_sound(&self) -> bool {
        let sides = self.dims.iter().chain(&self.channels);
        let mut sides = sides.map(|side| (1..=MAX_SIDE).contains(side));
        let has_output = |axis: usize| {
            let (input, kernel) = (self.dims[axis + 1], self.kernel[axis]);
            match self.kind {
                Kind::Forward { padding, .. } => {
                    padding[axis].iter().sum::<usize>() + input >= kernel
                }
                Kind::Transposed { stride, padding } => {
                    (input - 1) * stride[axis] + kernel > 2 * padding[axis]
                }
                Kind::Upsample => true,
            }
        };
        is_possible(self.kind, self.kernel)
            && sides.all(|fits| fits)
            && self.dims[0] == self.channels[0]
            && (0..3).all(has_output)
    }

    /// Whether the share is one of this layer, and brings the rows that it needs.
    fn is_share_of(&self, layer: &ConvLayer) -> bool {
        let Range { start, end } = self.positions;
        start < end
            && end <= layer.positions(1, self.dims)
            && self.window == layer.axes(self.dims)[1].window(&self.positions, self.dims[2])
    }
}

/// Does a task; the result is `[channels, depth, rows, width]` of the share, at most `room` values. `None` if the order
/// makes no sense, `values` are not those that belong to it, or there is no room.
pub fn perform(order: &str, values: &[f32], room: usize) -> Option<Vec<f32>> {
    let order: Order = serde_json::from_str(order).ok()?;
    let isa = Isa::best();
    if !order.is_sound() || !isa.has_block(order.block) {
        return None;
    }
    let [input, output] = order.channels;
    let [_, depth, _, width] = order.dims;
    let axes = Axis::all(order.kind, order.kernel);
    let mut layer = ConvLayer {
        isa,
        input,
        output,
        block: order.block,
        kind: order.kind,
        axes,
        minimal: order.minimal,
        phases: Vec::new(),
    };
    if order.minimal && !layer.can_be_minimal() || !order.is_share_of(&layer) {
        return None;
    }
    let mut rest = values;
    let mut take = |sides: &[usize]| {
        let (first, others) = rest.split_at_checked(product(sides)?)?;
        rest = others;
        Some(first)
    };
    let picture = take(&[input, depth, order.window.len(), width])?;
    let blocks = output.div_ceil(order.block);
    for taps in Axis::phases(&axes, order.kind) {
        let weights = take(&[blocks, input, taps.len(), order.block])?.to_vec();
        layer.phases.push(Phase { taps, weights });
    }
    let share = Share {
        positions: order.positions,
        blocks: 0..blocks,
    };
    let dims = layer.share_dims(&share, order.dims);
    if product(&dims)? > room {
        return None;
    }
    let area = dims[2] * dims[3];
    let mut given = |given: bool, count: usize| match given {
        true => take(&[count]).map(Some),
        false => Some(None),
    };
    let prologue = Prologue {
        scale: given(order.input_scale, input)?,
        shift: given(order.input_shift, input)?,
    };
    let epilogue = Epilogue {
        scale: given(order.scale, output)?,
        noise: given(order.noise, area)?,
        bias: given(order.bias, output)?,
        activation: match order.leaky {
            Some([slope, gain]) => Activation::LeakyRelu { slope, gain },
            None => Activation::PRelu(take(&[output])?),
        },
    };
    if !rest.is_empty() {
        return None;
    }
    let source = Source {
        values: picture,
        dims: order.dims,
        window: order.window,
    };
    // SAFETY: a share writes all of its planes.
    Some(unsafe {
        written(dims, |planes| {
            layer.run_share(&share, &source, &prologue, &epilogue, planes);
        })
    })
}

/// The product of some sides, if it can be counted.
fn product(sides: &[usize]) -> Option<usize> {
    let mut sides = sides.iter();
    sides.try_fold(1usize, |product, &side| product.checked_mul(side))
}
