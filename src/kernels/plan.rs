//! How a convolution is cut into pieces and tiles that fit the caches.

use super::{
    geometry::{Axis, LINE, Phase, spread},
    layer::ConvLayer,
    winograd::Transformed,
};

/// Bytes of padded input and sums that a tile may take: most of a second-level cache.
const TILE_BYTES: usize = 3 << 19;
/// Bytes of sums kept before they are written out.
const SUMS_BYTES: usize = 1 << 19;
/// Bytes of padded input that one position of the inner loop may touch: half a first-level cache.
const INNER_BYTES: usize = 24 << 10;
/// Rows of positions in a piece, at least, where every piece repeats some of its neighbour's sums.
const BAND_ROWS: usize = 32;
/// The same where it only copies some of its neighbour's input.
const COPIED_ROWS: usize = 8;
/// Multiply-adds in a layer, at least, to wake other threads for: they take a browser four times as long. Tests are to
/// cut up small layers, too.
const LEAST_WORK: usize = match (cfg!(test), cfg!(target_arch = "wasm32")) {
    (true, _) => 1,
    (_, true) => 1 << 19,
    _ => 2 << 20,
};
/// Bytes of a row of input that one such position may touch.
const SWEEP_BYTES: usize = 5 * 64;

/// Sizes that depend on the input's.
pub(super) struct Plan {
    pub axes: [Axis; 3],
    /// Parts of the output.
    pub phases: usize,
    /// What Winograd's filtering needs, if it is used.
    pub minimal: Option<Transformed>,
    pub inputs: [usize; 4],
    pub outputs: [usize; 4],
    /// Threads that take pieces.
    pub threads: usize,
    /// Rows of positions in a tile, without the halo.
    pub rows: usize,
    /// Rows of positions in a piece, which is gone through tile by tile.
    pub band: usize,
    /// Columns of positions, with the halo.
    pub columns: usize,
    /// Distance of rows in the padded input and in the sums.
    pub pitch: usize,
    /// Parts of one channel of the padded input: `[depths][row parts][column parts]`.
    pub parts: usize,
    /// Values of one part.
    pub part: usize,
    /// Values of one channel of the padded input.
    pub stride: usize,
    /// Offsets in the padded input of each phase's kernel elements, for `depth` channels.
    pub offsets: Vec<Vec<usize>>,
    /// Values of one row of sums.
    pub sums: usize,
    /// Blocks of output channels that a piece takes.
    pub blocks: usize,
    /// Blocks whose sums are kept at once.
    pub group: usize,
    /// Input channels that the inner loop takes at once.
    pub depth: usize,
}

impl ConvLayer {
    /// For an input of dimensions `inputs`, and for so many threads.
    pub(super) fn plan(&self, inputs: [usize; 4], threads: usize) -> Plan {
        let outputs = self.output_dims(inputs);
        let (axes, patch) = (self.axes(inputs), self.patch(inputs));
        let [deep, high, wide] = axes;
        let phases = axes.iter().map(|axis| axis.steps).product::<usize>();
        let positions = |axis: usize| self.positions(axis, inputs);
        let columns = positions(2) + 2 * wide.halo;
        let pitch = columns + wide.reach - 1;
        let parts = deep.span * high.parts * wide.parts;
        let sizes = |rows: usize| {
            let rows = rows + 2 * high.halo;
            let part = (rows + high.reach - 1) * pitch;
            let stride = spread(parts * part);
            (part, stride, spread(rows * pitch + LINE))
        };
        let bytes = size_of::<f32>();
        let blocks = self.blocks();
        let block_sums = |sums: usize| phases * self.block * sums * bytes;
        let fits = |rows: &usize| {
            let (_, stride, sums) = sizes(*rows);
            match patch {
                Some(_) => {
                    let needed = self.input * stride * bytes + blocks * block_sums(sums);
                    needed <= TILE_BYTES / 2 || (rows - 1) * pitch < self.tile_positions()
                }
                None => self.input * stride * bytes + block_sums(sums) <= TILE_BYTES,
            }
        };
        let total = positions(1);
        let weights = self.weights();
        let directly = |axis: usize| outputs[axis + 1].div_ceil(self.axes[axis].steps);
        let threads = match weights * (0..3).map(directly).product::<usize>() < LEAST_WORK {
            true => 1,
            false => threads,
        };
        let pieces = match threads {
            1 => 1,
            threads => 2 * threads,
        };
        let most = (1..=total).rev().find(fits).unwrap_or(1);
        // Pieces of some rows copy the input once between them; each of them goes through all weights.
        let copied = COPIED_ROWS / patch.unwrap_or(1);
        let most = match inputs.iter().product::<usize>() > weights {
            true => most.min(total.div_ceil(pieces).max(copied)),
            false => most,
        };
        let rows = total.div_ceil(total.div_ceil(most));
        let (part, stride, sums) = sizes(rows);
        let band = match high.halo {
            0 => rows,
            _ => total.div_ceil((total / BAND_ROWS).clamp(1, pieces)),
        };
        // Where inputs are transformed, each share of the output channels does that again.
        let wanted = if patch.is_some() { threads } else { pieces };
        let shares = wanted
            .div_ceil(total.div_ceil(band) * positions(0))
            .min(blocks);
        let piece_blocks = blocks.div_ceil(shares);
        let minimal = self.transformed(inputs, threads);
        let touched = parts * high.reach * SWEEP_BYTES;
        let depth = (INNER_BYTES / touched).clamp(1, self.input);
        let offsets = |phase: &Phase| {
            let taps = phase.offsets(&axes, pitch, part);
            let channel = |channel: usize| taps.iter().map(move |tap| channel * stride + tap);
            (0..depth).flat_map(channel).collect()
        };
        Plan {
            axes,
            phases,
            inputs,
            outputs,
            threads,
            rows,
            band,
            columns,
            pitch,
            parts,
            part,
            stride,
            offsets: match minimal {
                Some(_) => Vec::new(),
                None => self.phases.iter().map(offsets).collect(),
            },
            sums,
            blocks: piece_blocks,
            group: match minimal {
                Some(_) => piece_blocks,
                None => (SUMS_BYTES / block_sums(sums)).clamp(1, piece_blocks),
            },
            depth,
            minimal,
        }
    }
}
