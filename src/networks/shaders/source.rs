//! The text of the kernels.
//!
//! Registers are named one by one, for compilers keep indexed arrays in memory; kernel rows are a loop, for a body
//! that is all unrolled takes long to compile and runs no faster.

use std::fmt::Write;

use super::launch::Text;

/// What a convolution reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    /// A square kernel of 1, 3 or 5 over an input that is read at every `stride`-th place.
    Plain {
        /// Side of the kernel.
        kernel: usize,
        /// Input values per output value.
        stride: usize,
    },
    /// [`crate::kernels::Kind::Upsample`].
    Upsample,
    /// A transposed convolution of kernel 4, stride 2 and padding 1. A place becomes two along each axis, a phase each,
    /// and a phase sees two of three neighbours. So it is a plain convolution of kernel 3 with a channel for each phase
    /// of an output channel: a part of its weights is zero, but it reads the input once, and in order.
    Double,
}

impl Shape {
    /// Side and stride of the kernel, if what is computed is plain.
    fn plain(self) -> Option<[usize; 2]> {
        match self {
            Self::Plain { kernel, stride } => Some([kernel, stride]),
            Self::Double => Some([3, 1]),
            Self::Upsample => None,
        }
    }
}

/// How the work is shared out among the threads of a workgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tiling {
    /// Threads along either axis of the picture.
    pub side: usize,
    /// Threads that share the input channels of one place, a power of two.
    pub slices: usize,
    /// Places per thread, `[rows, columns]`: `side` places lie between them.
    pub places: [usize; 2],
    /// Groups of four output channels per thread; an upsampling thread has one.
    pub groups: usize,
}

/// Activation function, as a shader computes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum ShaderActivation {
    /// A factor, and another one below zero, which are data: so one kernel serves layers with and without an
    /// activation.
    #[default]
    Gains,
    /// A slope below zero per channel, in a buffer.
    PRelu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
}

/// All that a kernel's text depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Spec {
    pub shape: Shape,
    pub tiling: Tiling,
    /// Whether the kernel, of 3, is as deep as it is high and wide, and the stride, too.
    pub deep: bool,
    /// Whether weights are halves, two in a word: `pack2x16float`, which every adapter can unpack.
    pub halves: bool,
    /// Whether the input is halves, those of two channels in a word.
    pub input_halves: bool,
    /// The same of the output.
    pub output_halves: bool,
    /// Buffers besides the input, the weights and the output.
    pub input_scale: bool,
    pub input_shift: bool,
    pub output_scale: bool,
    pub noise: bool,
    pub bias: bool,
    /// A picture of half the side to be doubled and added.
    pub skip: bool,
    pub activation: ShaderActivation,
}

impl Text for Spec {
    fn workgroup(&self) -> [usize; 3] {
        [self.tiling.side, self.tiling.side, self.tiling.slices]
    }

    fn text(&self) -> String {
        let mut text = String::new();
        self.declare(&mut text);
        self.read(&mut text);
        self.finish(&mut text);
        match self.shape.plain() {
            Some([kernel, stride]) => self.plain(&mut text, kernel, stride),
            None => self.upsample(&mut text),
        }
        text
    }
}

/// Places that one becomes by [`Shape::Double`].
pub(super) const fn phases(deep: bool) -> usize {
    if deep { 8 } else { 4 }
}

/// Opens a loop over the channels of a group: what a channel is finished with is too long to be written four times.
const CHANNELS: &str = "for (var part = 0u; part < 4u; part++) {";
/// The same over its pairs of channels.
const PAIRS: &str = "for (var part = 0u; part < 4u; part += 2u) {";
/// The largest 16-bit float: what is larger would become infinite.
const MOST: f32 = 65_504.0;

impl Spec {
    /// A convolution with nothing around it.
    pub fn bare(shape: Shape, tiling: Tiling) -> Self {
        Self {
            shape,
            tiling,
            deep: false,
            halves: false,
            input_halves: false,
            output_halves: false,
            input_scale: false,
            input_shift: false,
            output_scale: false,
            noise: false,
            bias: false,
            skip: false,
            activation: ShaderActivation::Gains,
        }
    }

    /// Places `[rows, columns]` that a workgroup computes sums for.
    fn area(&self) -> [usize; 2] {
        self.tiling.places.map(|places| places * self.tiling.side)
    }

    /// Places `[rows, columns]` that a workgroup finishes; an upsampling one needs a border of one for the filter.
    pub fn finished(&self) -> [usize; 2] {
        match self.shape {
            Shape::Plain { .. } | Shape::Double => self.area(),
            Shape::Upsample => self.area().map(|places| places - 2),
        }
    }

    /// Rows and columns of the input that a workgroup stages.
    fn staged(&self) -> [usize; 2] {
        match self.shape.plain() {
            Some([kernel, stride]) => self.area().map(|places| (places - 1) * stride + kernel),
            None => self.area().map(|places| places + 1),
        }
    }

    /// Whether inputs go through workgroup memory: a kernel of one element reads each only once per thread.
    fn stages(&self) -> bool {
        !matches!(self.shape, Shape::Plain { kernel: 1, .. })
    }

    /// How many fours of numbers are staged in workgroup memory. The sums of an upsampling one lie there later.
    fn fours(&self) -> usize {
        let [rows, columns] = self.staged();
        let staged = rows * columns * self.tiling.slices;
        match self.shape {
            Shape::Plain { .. } | Shape::Double => staged,
            Shape::Upsample => staged.max(2 * self.area().iter().product::<usize>()),
        }
    }

    /// Bytes of workgroup memory.
    #[cfg(test)]
    pub fn memory(&self) -> usize {
        let Tiling { slices, groups, .. } = self.tiling;
        let staged = if self.stages() { self.fours() } else { 0 };
        let shared = match self.shape {
            Shape::Plain { .. } | Shape::Double if slices > 1 => {
                self.area().iter().product::<usize>() * groups * slices / 2
            }
            _ => 0,
        };
        16 * (staged + shared)
    }

    /// The buffers in the order of their bindings.
    pub fn buffers(&self) -> Vec<(&'static str, &'static str)> {
        [
            ("input", words(self.input_halves), true),
            ("weights", self.weights(), true),
            ("input_scale", "f32", self.input_scale),
            ("input_shift", "f32", self.input_shift),
            ("output_scale", "f32", self.output_scale),
            ("noise", "f32", self.noise),
            ("bias", "f32", self.bias),
            ("slopes", "f32", self.activation == ShaderActivation::PRelu),
            ("skip", "f32", self.skip),
            ("output", words(self.output_halves), true),
        ]
        .into_iter()
        .filter_map(|(name, element, there)| there.then_some((name, element)))
        .collect()
    }

    fn weights(&self) -> &'static str {
        if self.halves {
            "vec4<u32>"
        } else {
            "mat4x4<f32>"
        }
    }

    /// Buffers and sizes. Burn's tensors share buffers, which none may then bind for reading only.
    fn declare(&self, text: &mut String) {
        let buffers = self.buffers();
        for (index, (name, element)) in buffers.iter().enumerate() {
            push(
                text,
                &format!(
                    "@group(0) @binding({index}) var<storage, read_write> {name}: array<{element}>;"
                ),
            );
        }
        push(
            text,
            &format!(
                "struct Info {{
                channels: u32, height: u32, width: u32, chunks: u32,
                out_channels: u32, out_height: u32, out_width: u32, out_chunks: u32,
                blocks: u32, padding: u32, scale_pitch: u32, input_pitch: u32,
                weights_pitch: u32, bias_pitch: u32, depth: u32, out_depth: u32,
                gain: f32, gain_below: f32,
            }}
            @group(0) @binding({}) var<uniform> info: Info;",
                buffers.len()
            ),
        );
    }

    /// Reading four channels of the input, of which those beyond the last have weights of zero, and weights.
    fn read(&self, text: &mut String) {
        push(text, "fn matrix(at: u32) -> mat4x4<f32> {");
        push(
            text,
            if self.halves {
                "let first = weights[2u * at];
                let second = weights[2u * at + 1u];
                return mat4x4<f32>(
                    vec4<f32>(unpack2x16float(first.x), unpack2x16float(first.y)),
                    vec4<f32>(unpack2x16float(first.z), unpack2x16float(first.w)),
                    vec4<f32>(unpack2x16float(second.x), unpack2x16float(second.y)),
                    vec4<f32>(unpack2x16float(second.z), unpack2x16float(second.w)));
                }"
            } else {
                "return weights[at]; }"
            },
        );
        push(
            text,
            "
            fn four(chunk: u32) -> vec4<u32> {
                return min(vec4<u32>(0u, 1u, 2u, 3u) + 4u * chunk, vec4<u32>(info.channels - 1u));
            }
            fn read(picture: u32, channels: vec4<u32>, place: u32) -> vec4<f32> {
                let area = info.depth * info.height * info.width;
                let planes = picture * info.input_pitch + channels;",
        );
        push(
            text,
            if self.input_halves {
                "let at = planes.xz / 2u * area + place;
                return vec4<f32>(unpack2x16float(input[at.x]), unpack2x16float(input[at.y]));
                }"
            } else {
                "let at = planes * area + place;
                return vec4<f32>(input[at.x], input[at.y], input[at.z], input[at.w]);
                }"
            },
        );
    }

    /// The prologue's values for the channels in sight, and how they apply to `value`.
    fn prologue(&self) -> (String, String) {
        let (mut values, mut applied) = (String::new(), "value".to_owned());
        if self.input_scale {
            values += "
                let scales_at = picture * info.scale_pitch + channels;
                let scales = vec4<f32>(input_scale[scales_at.x], input_scale[scales_at.y],
                    input_scale[scales_at.z], input_scale[scales_at.w]);";
            applied += " * scales";
        }
        if self.input_shift {
            values += "
                let shifts = vec4<f32>(input_shift[channels.x], input_shift[channels.y],
                    input_shift[channels.z], input_shift[channels.w]);";
            applied += " + shifts";
        }
        (values, applied)
    }

    /// The epilogue of one value.
    fn finish(&self, text: &mut String) {
        if self.skip {
            push(text, "
                fn skipped(plane: u32, row: i32, column: i32) -> f32 {
                    let height = i32(info.out_height / 2u);
                    let width = i32(info.out_width / 2u);
                    if (row < 0 || row >= height || column < 0 || column >= width) { return 0.0; }
                    return skip[(i32(plane) * height + row) * width + column];
                }
                fn doubled(plane: u32, y: u32, x: u32) -> f32 {
                    let row = i32(y / 2u);
                    let column = i32(x / 2u);
                    let far_row = row + 2 * i32(y % 2u) - 1;
                    let far_column = column + 2 * i32(x % 2u) - 1;
                    let near = 3.0 * skipped(plane, row, column) + skipped(plane, row, far_column);
                    let far = 3.0 * skipped(plane, far_row, column) + skipped(plane, far_row, far_column);
                    return (3.0 * near + far) / 16.0;
                }");
        }
        push(
            text,
            "
            var<private> finished_slab: u32;
            fn part_of(four: vec4<f32>, part: u32) -> f32 {
                return select(select(four.x, four.y, part == 1u), select(four.z, four.w, part == 3u), part > 1u);
            }
            fn pair_of(four: vec4<f32>, part: u32) -> vec2<f32> {
                return select(four.xy, four.zw, part == 2u);
            }
            fn finished(picture: u32, channel: u32, y: u32, x: u32, sum: f32) -> f32 {
                let plane = picture * info.out_channels + channel;
                let place = y * info.out_width + x;
                var value = sum;",
        );
        for (there, line) in [
            (self.output_scale, "value *= output_scale[plane];"),
            (self.noise, "value += noise[place];"),
            (
                self.bias,
                "value += bias[picture * info.bias_pitch + channel];",
            ),
        ] {
            if there {
                push(text, line);
            }
        }
        match self.activation {
            ShaderActivation::Gains => {
                push(
                    text,
                    "value *= select(info.gain, info.gain_below, value < 0.0);",
                );
            }
            ShaderActivation::Sigmoid => push(text, "value = 1.0 / (1.0 + exp(-value));"),
            ShaderActivation::PRelu => {
                push(text, "value *= select(1.0, slopes[channel], value < 0.0);");
            }
        }
        if self.skip {
            push(text, "value += doubled(plane, y, x);");
        }
        push(
            text,
            "
                return value;
            }
            fn index(planes: u32, y: u32, x: u32) -> u32 {
                let slab = planes * info.out_depth + finished_slab;
                return (slab * info.out_height + y) * info.out_width + x;
            }",
        );
        if self.output_halves {
            push(text, &format!("
            fn finish_pair(picture: u32, channel: u32, y: u32, x: u32, sums: vec2<f32>) {{
                if (channel >= info.out_channels) {{ return; }}
                let pair = vec2<f32>(finished(picture, channel, y, x, sums.x),
                    finished(picture, channel + 1u, y, x, sums.y));
                let planes = (picture * info.out_channels + channel) / 2u;
                output[index(planes, y, x)] = pack2x16float(clamp(pair, vec2<f32>(-{MOST:.1}), vec2<f32>({MOST:.1})));
            }}"));
            return;
        }
        push(
            text,
            "
            fn finish(picture: u32, channel: u32, y: u32, x: u32, sum: f32) {
                if (channel >= info.out_channels) { return; }
                let plane = picture * info.out_channels + channel;
                output[index(plane, y, x)] = finished(picture, channel, y, x, sum);
            }
            fn finish_pair(picture: u32, channel: u32, y: u32, x: u32, sums: vec2<f32>) {
                finish(picture, channel, y, x, sums.x);
                finish(picture, channel + 1u, y, x, sums.y);
            }",
        );
        if self.shape == Shape::Double {
            let level = if self.deep {
                "2u * level + phase / 4u"
            } else {
                "level"
            };
            push(
                text,
                &format!(
                    "
            fn finish_phase(picture: u32, channel: u32, y: u32, x: u32, sum: f32) {{
                let phase = channel % {phases}u;
                let level = finished_slab;
                finished_slab = {level};
                finish(picture, channel / {phases}u, 2u * y + phase / 2u % 2u, 2u * x + phase % 2u, sum);
                finished_slab = level;
            }}",
                    phases = phases(self.deep)
                ),
            );
        }
    }

    /// What the places are counted by that sums are computed for: depth, height, width.
    fn positions(&self) -> [&'static str; 3] {
        match self.shape {
            Shape::Double => ["depth", "height", "width"],
            Shape::Plain { .. } | Shape::Upsample => ["out_depth", "out_height", "out_width"],
        }
    }

    /// The beginning of the entry point, up to the sums.
    fn begin(&self, text: &mut String, sums: &[String]) {
        let [x, y, z] = self.workgroup();
        let [levels, _, _] = self.positions();
        push(text, &format!("
            @compute @workgroup_size({x}, {y}, {z})
            fn main(@builtin(local_invocation_id) local: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {{
                let slabs = group.z / info.blocks;
                let picture = slabs / info.{levels};
                let slab = slabs % info.{levels};
                finished_slab = slab;
                let first = (group.z % info.blocks) * {}u;
                let lane = local.y * {x}u + local.x;
                let rounds = (info.chunks + {}u) / {z}u;", self.tiling.groups, z - 1));
        for sum in sums {
            push(text, &format!("var {sum} = vec4<f32>();"));
        }
    }

    /// A loop over the input's chunks that stages each and adds its products.
    fn accumulate(&self, text: &mut String, products: &str) {
        let [rows, columns] = self.staged();
        let Tiling { side, slices, .. } = self.tiling;
        let (values, applied) = self.prologue();
        if self.deep {
            let Some([_, stride]) = self.shape.plain() else {
                unreachable!("only plain kernels are deep")
            };
            push(
                text,
                &format!(
                    "
            for (var level = 0u; level < 3u; level++) {{
                let seen = i32(slab * {stride}u + level) - 1;
                if (seen < 0 || seen >= i32(info.depth)) {{ continue; }}
                let base = u32(seen) * info.height * info.width;"
                ),
            );
        } else {
            push(text, "let base = slab * info.height * info.width;");
        }
        push(
            text,
            &format!(
                "
            for (var round = 0u; round < rounds; round++) {{
                let chunk = round * {slices}u + local.z;
                if (chunk < info.chunks) {{
                    let channels = four(chunk);
                    {values}
                    for (var i = lane; i < {size}u; i += {threads}u) {{
                        let y = top + i32(i / {columns}u);
                        let x = left + i32(i % {columns}u);
                        var value = vec4<f32>();
                        if (y >= 0 && y < i32(info.height) && x >= 0 && x < i32(info.width)) {{
                            value = read(picture, channels, base + u32(y) * info.width + u32(x));
                            value = {applied};
                        }}
                        staged[local.z * {size}u + i] = value;
                    }}
                }}
                workgroupBarrier();
                if (chunk < info.chunks) {{
                    {products}
                }}
                workgroupBarrier();
            }}",
                size = rows * columns,
                threads = side * side
            ),
        );
        if self.deep {
            push(text, "}");
        }
    }

    fn plain(&self, text: &mut String, kernel: usize, stride: usize) {
        let Tiling {
            side,
            slices,
            places,
            groups,
        } = self.tiling;
        let [rows, columns] = places;
        let sum = |row: usize, column: usize, group: usize| format!("sum_{row}_{column}_{group}");
        let mut sums = Vec::new();
        for row in 0..rows {
            for column in 0..columns {
                sums.extend((0..groups).map(|group| sum(row, column, group)));
            }
        }
        let [staged_rows, staged_columns] = self.staged();
        let size = staged_rows * staged_columns;
        if self.stages() {
            push(
                text,
                &format!(
                    "var<workgroup> staged: array<vec4<f32>, {}>;",
                    size * slices
                ),
            );
        }
        if slices > 1 {
            let count = side * side * sums.len() * slices / 2;
            push(
                text,
                &format!("var<workgroup> shares: array<vec4<f32>, {count}>;"),
            );
        }
        self.begin(text, &sums);
        let [high, wide] = self.area();
        push(
            text,
            &format!(
                "
            let y0 = group.y * {high}u + local.y;
            let x0 = group.x * {wide}u + local.x;
            let top = i32(group.y * {}u) - i32(info.padding);
            let left = i32(group.x * {}u) - i32(info.padding);",
                high * stride,
                wide * stride
            ),
        );
        for group in 0..groups {
            push(
                text,
                &format!(
                    "let weights_{group} = picture * info.weights_pitch
                        + min(first + {group}u, info.out_chunks - 1u) * info.chunks;"
                ),
            );
        }
        let mut products = String::new();
        let area = kernel * kernel * if self.deep { kernel } else { 1 };
        let matrices = |products: &mut String, tap: &str| {
            for group in 0..groups {
                push(
                    products,
                    &format!(
                        "let matrix_{group} = matrix((weights_{group} + chunk) * {area}u + {tap});"
                    ),
                );
            }
        };
        let multiply = |products: &mut String, row: usize, column: usize| {
            for group in 0..groups {
                let sum = sum(row, column, group);
                push(
                    products,
                    &format!("{sum} += matrix_{group} * value_{row}_{column};"),
                );
            }
        };
        if self.stages() {
            push(
                &mut products,
                &format!("for (var row = 0u; row < {kernel}u; row++) {{"),
            );
            for row in 0..rows {
                push(&mut products, &format!(
                    "let line_{row} = local.z * {size}u + ((local.y + {}u) * {stride}u + row) * {staged_columns}u
                        + local.x * {stride}u;", row * side
                ));
            }
            for tap in 0..kernel {
                push(&mut products, "{");
                let level = if self.deep { "level * 9u + " } else { "" };
                matrices(&mut products, &format!("{level}row * {kernel}u + {tap}u"));
                for row in 0..rows {
                    for column in 0..columns {
                        push(
                            &mut products,
                            &format!(
                                "let value_{row}_{column} = staged[line_{row} + {}u];",
                                column * side * stride + tap
                            ),
                        );
                        multiply(&mut products, row, column);
                    }
                }
                push(&mut products, "}");
            }
            push(&mut products, "}");
            self.accumulate(text, &products);
        } else {
            let (values, applied) = self.prologue();
            matrices(&mut products, "0u");
            for row in 0..rows {
                for column in 0..columns {
                    // Places outside read inside, and are not written.
                    push(
                        &mut products,
                        &format!(
                            "
                        var value_{row}_{column} = vec4<f32>();
                        {{
                            let y = min((y0 + {}u) * {stride}u, info.height - 1u);
                            let x = min((x0 + {}u) * {stride}u, info.width - 1u);
                            let value = read(picture, channels, (slab * info.height + y) * info.width + x);
                            value_{row}_{column} = {applied};
                        }}",
                            row * side,
                            column * side
                        ),
                    );
                    multiply(&mut products, row, column);
                }
            }
            push(
                text,
                &format!(
                    "
                for (var chunk = local.z; chunk < info.chunks; chunk += {slices}u) {{
                    let channels = four(chunk);
                    {values}
                    {products}
                }}"
                ),
            );
        }
        // Half of the slices that are left hand their sums to the other half.
        let mut left = slices;
        while left > 1 {
            left /= 2;
            let at = |index: usize| {
                let pitch = side * side;
                let first = index * slices / 2;
                format!("shares[({first}u + local.z % {left}u) * {pitch}u + lane]")
            };
            push(
                text,
                &format!("if (local.z >= {left}u && local.z < {}u) {{", 2 * left),
            );
            for (index, sum) in sums.iter().enumerate() {
                push(text, &format!("{} = {sum};", at(index)));
            }
            push(
                text,
                &format!("}} workgroupBarrier(); if (local.z < {left}u) {{"),
            );
            for (index, sum) in sums.iter().enumerate() {
                push(text, &format!("{sum} += {};", at(index)));
            }
            push(text, "} workgroupBarrier();");
        }
        if slices > 1 {
            push(text, "if (local.z != 0u) { return; }");
        }
        let [_, height, width] = self.positions();
        let (channels, finish, part) = match self.shape {
            Shape::Double => (CHANNELS, "finish_phase", "part_of"),
            _ if self.output_halves => (PAIRS, "finish_pair", "pair_of"),
            Shape::Plain { .. } | Shape::Upsample => (CHANNELS, "finish", "part_of"),
        };
        push(text, channels);
        for row in 0..rows {
            for column in 0..columns {
                push(
                    text,
                    &format!(
                        "if (y0 + {}u < info.{height} && x0 + {}u < info.{width}) {{",
                        row * side,
                        column * side
                    ),
                );
                for group in 0..groups {
                    push(
                        text,
                        &format!(
                            "{finish}(picture, 4u * first + {}u + part, y0 + {}u, x0 + {}u, {part}({}, part));",
                            4 * group,
                            row * side,
                            column * side,
                            sum(row, column, group)
                        ),
                    );
                }
                push(text, "}");
            }
        }
        push(text, "} }");
    }

    /// The transposed convolution in four phases, two channels at a time into workgroup memory, where the input was
    /// before, and the filter from there. Four numbers there are two channels of two neighbours.
    fn upsample(&self, text: &mut String) {
        let Tiling {
            side,
            slices,
            places,
            ..
        } = self.tiling;
        let [rows, columns] = places;
        let sum = |row: usize, column: usize, phase: [usize; 2]| {
            format!("sum_{row}_{column}_{}{}", phase[0], phase[1])
        };
        let phases = [[0, 0], [0, 1], [1, 0], [1, 1]];
        let mut sums = Vec::new();
        for row in 0..rows {
            for column in 0..columns {
                sums.extend(phases.map(|phase| sum(row, column, phase)));
            }
        }
        let [staged_rows, staged_columns] = self.staged();
        let size = staged_rows * staged_columns;
        let ([_, wide], [finished_rows, finished_columns]) = (self.area(), self.finished());
        push(
            text,
            &format!(
                "
            var<workgroup> staged: array<vec4<f32>, {}>;
            fn mixed(at: u32) -> vec4<f32> {{
                let first = staged[at];
                let second = staged[at + 1u];
                let third = staged[at + 2u];
                let outer = vec4<f32>(first.zw, second.xy) + third;
                return outer + 3.0 * (second + vec4<f32>(second.zw, third.xy));
            }}",
                self.fours()
            ),
        );
        self.begin(text, &sums);
        // One position for the filter, and one that position 0 sees before it.
        push(
            text,
            &format!(
                "
            let top = i32(group.y * {finished_rows}u) - 2;
            let left = i32(group.x * {finished_columns}u) - 2;
            let weights_0 = picture * info.weights_pitch + min(first, info.out_chunks - 1u) * info.chunks;"
            ),
        );
        let mut products = String::new();
        for row in 0..rows {
            for column in 0..columns {
                let at = format!(
                    "local.z * {size}u + (local.y + {}u) * {staged_columns}u + local.x + {}u",
                    row * side,
                    column * side
                );
                for (name, offset) in [
                    ("before_before", 0),
                    ("before_at", 1),
                    ("at_before", staged_columns),
                    ("at_at", staged_columns + 1),
                ] {
                    push(
                        &mut products,
                        &format!("let {name}_{row}_{column} = staged[{at} + {offset}u];"),
                    );
                }
            }
        }
        for tap in 0..9 {
            let (tap_row, tap_column) = (tap / 3, tap % 3);
            let name = |tap: usize| if tap == 2 { "before" } else { "at" };
            push(
                &mut products,
                &format!("let matrix_{tap} = matrix((weights_0 + chunk) * 9u + {tap}u);"),
            );
            for row in 0..rows {
                for column in 0..columns {
                    push(
                        &mut products,
                        &format!(
                            "{} += matrix_{tap} * {}_{}_{row}_{column};",
                            sum(row, column, [tap_row % 2, tap_column % 2]),
                            name(tap_row),
                            name(tap_column)
                        ),
                    );
                }
            }
        }
        self.accumulate(text, &products);
        push(text, PAIRS);
        for slice in 0..slices {
            push(text, &format!("if (local.z == {slice}u) {{"));
            let assignment = if slice == 0 { "=" } else { "+=" };
            for row in 0..rows {
                for column in 0..columns {
                    for below in 0..2 {
                        let [here, beside] = [0, 1].map(|beside| sum(row, column, [below, beside]));
                        push(
                            text,
                            &format!(
                                "staged[(2u * (local.y + {}u) + {below}u) * {wide}u + local.x + {}u]
                                {assignment} vec4<f32>(pair_of({here}, part), pair_of({beside}, part));",
                                row * side,
                                column * side
                            ),
                        );
                    }
                }
            }
            push(
                text,
                "}
                workgroupBarrier();",
            );
        }
        push(
            text,
            &format!(
                "
            for (var i = local.z * {threads}u + lane; i < {count}u; i += {all}u) {{
                let row = i / {finished_columns}u;
                let column = i % {finished_columns}u;
                let y = group.y * {finished_rows}u + row;
                let x = group.x * {finished_columns}u + column;
                if (y < info.height && x < info.width) {{
                    let at = (2u * row + 1u) * {wide}u + column;
                    let a = mixed(at);
                    let b = mixed(at + {wide}u);
                    let c = mixed(at + {wide}u * 2u);
                    let d = mixed(at + {wide}u * 3u);
                    let e = mixed(at + {wide}u * 4u);
                    let even = ((a + d) + 3.0 * (b + c)) / 16.0;
                    let odd = ((b + e) + 3.0 * (c + d)) / 16.0;
                    let channel = 4u * first + part;
                    finish_pair(picture, channel, 2u * y, 2u * x, even.xy);
                    finish_pair(picture, channel, 2u * y, 2u * x + 1u, even.zw);
                    finish_pair(picture, channel, 2u * y + 1u, 2u * x, odd.xy);
                    finish_pair(picture, channel, 2u * y + 1u, 2u * x + 1u, odd.zw);
                }}
            }}
            workgroupBarrier();",
                threads = side * side,
                all = side * side * slices,
                count = finished_rows * finished_columns
            ),
        );
        push(text, "} }");
    }
}

/// The elements of a buffer of numbers, or of halves in pairs.
const fn words(halves: bool) -> &'static str {
    if halves { "u32" } else { "f32" }
}

/// Adds lines.
fn push(text: &mut String, lines: &str) {
    writeln!(text, "{lines}").expect("a string takes all text");
}
