//! Every kernel against a plain loop, over many odd shapes and on every instruction set at hand.

use super::{
    Activation, ConvLayer, DepthwiseLayer, Epilogue, Isa, Kind, Prologue, add_upsampled,
    conv::written, geometry::Patches, warp,
};

/// Largest difference, relative to the reference's largest magnitude, that rounding may make.
const TOLERANCE: f32 = 1e-5;

/// How many random cases to try: few under Miri, which takes a second for what otherwise takes a millisecond.
const fn cases(count: u64) -> u64 {
    if cfg!(miri) { count / 50 } else { count }
}

/// A small generator of test values (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// One of `low..=high`.
    fn within(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() >> 20) as usize % (high - low + 1)
    }

    fn flip(&mut self) -> bool {
        self.within(0, 1) == 1
    }

    /// Values in [-1, 1).
    fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count)
            .map(|_| (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0)
            .collect()
    }
}

/// `conv3d` or `conv_transpose3d` by the definition.
fn convolve(
    input: &[f32],
    [channels, depth, height, width]: [usize; 4],
    weight: &[f32],
    shape: [usize; 5],
    kind: Kind,
) -> (Vec<f32>, [usize; 4]) {
    let [_, _, kd, kh, kw] = shape;
    let kernel = [kd, kh, kw];
    let sizes = [depth, height, width];
    let axes = [0, 1, 2];
    let (outputs, stride, padding, transposed) = match kind {
        Kind::Forward { stride, padding } => (shape[0], stride, padding, false),
        Kind::Transposed { stride, padding } => (shape[1], stride, padding.map(|p| [p; 2]), true),
        Kind::Upsample => (shape[0], [1, 2, 2], [[0; 2]; 3], true),
    };
    let out = axes.map(|axis| {
        if transposed {
            (sizes[axis] - 1) * stride[axis] + kernel[axis] - 2 * padding[axis][0]
        } else {
            let padded = padding[axis][0] + sizes[axis] + padding[axis][1];
            (padded - kernel[axis]) / stride[axis] + 1
        }
    });
    let mut result = vec![0.0f64; outputs * out.iter().product::<usize>()];
    let (coarse, fine) = if transposed {
        (sizes, out)
    } else {
        (out, sizes)
    };
    for o in 0..outputs {
        for i in 0..channels {
            for tap in 0..kd * kh * kw {
                let at = [tap / (kh * kw), tap / kw % kh, tap % kw];
                let (first, second) = if kind_is_in_out(kind) { (i, o) } else { (o, i) };
                let weight = f64::from(weight[(first * shape[1] + second) * kd * kh * kw + tap]);
                for place in 0..coarse.iter().product::<usize>() {
                    let place = [
                        place / (coarse[1] * coarse[2]),
                        place / coarse[2] % coarse[1],
                        place % coarse[2],
                    ];
                    let other = axes.map(|axis| {
                        (place[axis] * stride[axis] + at[axis]).wrapping_sub(padding[axis][0])
                    });
                    if axes.iter().any(|&axis| other[axis] >= fine[axis]) {
                        continue;
                    }
                    let (source, target) = if transposed {
                        (place, other)
                    } else {
                        (other, place)
                    };
                    let index = |channel: usize, at: [usize; 3], size: [usize; 3]| {
                        ((channel * size[0] + at[0]) * size[1] + at[1]) * size[2] + at[2]
                    };
                    result[index(o, target, out)] +=
                        weight * f64::from(input[index(i, source, sizes)]);
                }
            }
        }
    }
    if kind == Kind::Upsample {
        let side = [1, 2 * height, 2 * width];
        let blurred = filter(&result, outputs, [out[1], out[2]], [side[1], side[2]], 1);
        return (blurred, [outputs, side[0], side[1], side[2]]);
    }
    (
        result.into_iter().map(|x| x as f32).collect(),
        [outputs, out[0], out[1], out[2]],
    )
}

/// Whether weights begin with the input channels.
fn kind_is_in_out(kind: Kind) -> bool {
    matches!(kind, Kind::Transposed { .. })
}

/// The filter `[1, 3, 3, 1] / 4` along both axes, with `pad` zeros before.
fn filter(x: &[f64], channels: usize, size: [usize; 2], out: [usize; 2], pad: usize) -> Vec<f32> {
    const TAPS: [f64; 4] = [0.25, 0.75, 0.75, 0.25];
    let mut result = Vec::new();
    for place in 0..channels * out[0] * out[1] {
        let (channel, y, x_out) = (
            place / (out[0] * out[1]),
            place / out[1] % out[0],
            place % out[1],
        );
        let mut sum = 0.0;
        for (i, a) in TAPS.iter().enumerate() {
            for (j, b) in TAPS.iter().enumerate() {
                let (row, column) = ((y + i).wrapping_sub(pad), (x_out + j).wrapping_sub(pad));
                if row < size[0] && column < size[1] {
                    sum += a * b * x[(channel * size[0] + row) * size[1] + column];
                }
            }
        }
        result.push(sum as f32);
    }
    result
}

/// Compares, and describes the first difference.
fn compare(what: &str, found: &[f32], expected: &[f32]) -> Result<(), String> {
    if found.len() != expected.len() {
        return Err(format!(
            "{what}: {} values instead of {}",
            found.len(),
            expected.len()
        ));
    }
    let largest = expected.iter().fold(1e-3f32, |most, x| most.max(x.abs()));
    for (index, (x, y)) in found.iter().zip(expected).enumerate() {
        let close = (x - y).abs() <= TOLERANCE * largest;
        if !close {
            return Err(format!("{what}: value {index} is {x} instead of {y}"));
        }
    }
    Ok(())
}

/// A geometry that the layer accepts, with its weights' shape and the input's dimensions.
fn geometry(random: &mut Random) -> (Kind, [usize; 5], [usize; 4]) {
    let volume = random.within(0, 2) == 0;
    let (most_out, most_in) = match volume {
        _ if cfg!(miri) => (8, 2),
        true => (18, 6),
        false => (40, 70),
    };
    let [output, input] = [random.within(1, most_out), random.within(1, most_in)];
    let (high, wide) = if cfg!(miri) { (4, 11) } else { (21, 37) };
    let mut dims = [input, 1, random.within(1, high), random.within(1, wide)];
    if volume {
        dims = [
            input,
            random.within(1, if cfg!(miri) { 2 } else { 6 }),
            random.within(1, if cfg!(miri) { 3 } else { 12 }),
            random.within(1, if cfg!(miri) { 5 } else { 20 }),
        ];
    }
    let mut kernel = [1; 3];
    let mut stride = [1; 3];
    let mut padding = [[0; 2]; 3];
    let style = random.within(0, 3);
    for axis in if volume { 0 } else { 1 }..3 {
        kernel[axis] = random.within(1, if cfg!(miri) { 3 } else { 5 });
        stride[axis] = random.within(1, 3);
        if style == 0 {
            (kernel[axis], stride[axis]) = (3, 1);
        }
    }
    let size = |axis: usize, dims: &[usize; 4]| dims[axis + 1];
    match random.within(0, 4) {
        0 | 1 => {
            for axis in 0..3 {
                padding[axis] = [0; 2].map(|_| random.within(0, kernel[axis] / 2));
                let zeros = padding[axis].iter().sum();
                dims[axis + 1] = size(axis, &dims).max(kernel[axis].saturating_sub(zeros));
            }
            (
                Kind::Forward { stride, padding },
                [output, input, kernel[0], kernel[1], kernel[2]],
                dims,
            )
        }
        2 | 3 => {
            for axis in 0..3 {
                padding[axis] = [random.within(0, (kernel[axis] - 1) / 2); 2];
            }
            let padding = padding.map(|[before, _]| before);
            (
                Kind::Transposed { stride, padding },
                [input, output, kernel[0], kernel[1], kernel[2]],
                dims,
            )
        }
        _ => {
            dims[1] = 1;
            (Kind::Upsample, [output, input, 1, 3, 3], dims)
        }
    }
}

/// A convolution with everything that can be fused into it.
struct Case {
    kind: Kind,
    shape: [usize; 5],
    dims: [usize; 4],
    weight: Vec<f32>,
    input: Vec<f32>,
    scale_in: Option<Vec<f32>>,
    shift_in: Option<Vec<f32>>,
    scale: Option<Vec<f32>>,
    noise: Option<Vec<f32>>,
    bias: Option<Vec<f32>>,
    slopes: Vec<f32>,
    activation: usize,
    /// Whether Winograd's filtering is used where it can be, and with which patches.
    patches: Patches,
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        random.next();
        let (kind, shape, dims) = geometry(&mut random);
        Self::of(random, kind, shape, dims)
    }

    fn of(mut random: Random, kind: Kind, shape: [usize; 5], dims: [usize; 4]) -> Self {
        let weight = random.values(shape.iter().product());
        let [channels, _, height, width] = ConvLayer::new(&weight, shape, kind).output_dims(dims);
        let mut some = |count| {
            let values = random.values(count);
            random.flip().then_some(values)
        };
        Self {
            kind,
            shape,
            dims,
            weight,
            scale_in: some(dims[0]),
            shift_in: some(dims[0]),
            scale: some(channels),
            noise: some(height * width),
            bias: some(channels),
            input: random.values(dims.iter().product()),
            slopes: random.values(channels),
            activation: random.within(0, 4),
            patches: [Patches::Never, Patches::Always(2), Patches::Always(4)][random.within(0, 2)],
        }
    }

    fn layer(&self, isa: Isa) -> ConvLayer {
        let mut layer = ConvLayer::with_isa(&self.weight, self.shape, self.kind, isa);
        if layer.can_be_minimal() {
            layer.patches = self.patches;
        }
        layer
    }

    fn prologue(&self) -> Prologue<'_> {
        Prologue {
            scale: self.scale_in.as_deref(),
            shift: self.shift_in.as_deref(),
        }
    }

    fn epilogue(&self) -> Epilogue<'_> {
        Epilogue {
            scale: self.scale.as_deref(),
            noise: self.noise.as_deref(),
            bias: self.bias.as_deref(),
            activation: match self.activation {
                0 => Activation::Identity,
                1 => Activation::RELU,
                2 => Activation::PRelu(&self.slopes),
                3 => Activation::Sigmoid,
                _ => Activation::LeakyRelu {
                    slope: 0.2,
                    gain: std::f32::consts::SQRT_2,
                },
            },
        }
    }
}

/// One random convolution.
pub fn check_convolution(seed: u64) -> Result<(), String> {
    check(seed, &Case::new(seed))
}

/// One random convolution that Winograd's filtering is made for.
pub fn check_filtered(seed: u64) -> Result<(), String> {
    check(seed, &filtered(seed))
}

fn filtered(seed: u64) -> Case {
    let mut random = Random(seed + 1);
    let (most_channels, deepest, longest) = if cfg!(miri) { (2, 1, 16) } else { (40, 2, 37) };
    let [output, input] = [0; 2].map(|_| random.within(1, most_channels));
    let [high, wide] = [0; 2].map(|_| [0; 2].map(|_| random.within(0, 2)));
    let deep = random.within(1, 3);
    let kind = Kind::Forward {
        stride: [1; 3],
        padding: [[deep / 2; 2], high, wide],
    };
    let depth = random.within(1, deepest);
    let [height, width] = [0; 2].map(|_| random.within(16, longest));
    let shape = [output, input, deep, 3, 3];
    Case {
        patches: Patches::Always([2, 4][random.within(0, 1)]),
        ..Case::of(random, kind, shape, [input, depth, height, width])
    }
}

/// A convolution on every instruction set.
fn check(seed: u64, case: &Case) -> Result<(), String> {
    let (kind, shape, dims) = (case.kind, case.shape, case.dims);
    let (weight, input) = (&case.weight, &case.input);
    let (prologue, epilogue) = (case.prologue(), case.epilogue());
    let area = dims[1] * dims[2] * dims[3];
    let changed: Vec<f32> = input
        .iter()
        .enumerate()
        .map(|(index, x)| {
            let channel = index / area;
            x * prologue.scale.map_or(1.0, |s| s[channel])
                + prologue.shift.map_or(0.0, |s| s[channel])
        })
        .collect();
    let (sums, out) = convolve(&changed, dims, weight, shape, kind);
    let plane = out[2] * out[3];
    let expected: Vec<f32> = sums
        .iter()
        .enumerate()
        .map(|(index, sum)| {
            let channel = index / (plane * out[1]);
            let x = sum * epilogue.scale.map_or(1.0, |s| s[channel])
                + epilogue.noise.map_or(0.0, |n| n[index % plane])
                + epilogue.bias.map_or(0.0, |b| b[channel]);
            match epilogue.activation {
                Activation::Identity => x,
                Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
                Activation::LeakyRelu { slope, gain } => gain * if x < 0.0 { slope * x } else { x },
                Activation::PRelu(slopes) => {
                    if x < 0.0 {
                        slopes[channel] * x
                    } else {
                        x
                    }
                }
            }
        })
        .collect();
    for isa in Isa::available() {
        let layer = case.layer(isa);
        let what = format!(
            "seed {seed}, {kind:?}, weights {shape:?}, input {dims:?}, {}",
            isa.name()
        );
        if layer.output_dims(dims) != out {
            return Err(format!(
                "{what}: output {:?} instead of {out:?}",
                layer.output_dims(dims)
            ));
        }
        // Twice: buffers are reused.
        for _ in 0..2 {
            let (found, found_dims) = layer.run(input, dims, &prologue, &epilogue);
            if found_dims != out {
                return Err(format!("{what}: output {found_dims:?} instead of {out:?}"));
            }
            compare(&what, &found, &expected)?;
        }
    }
    Ok(())
}

/// One random doubling of a picture.
pub fn check_upsampling(seed: u64) -> Result<(), String> {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    random.next();
    let dims = [
        random.within(1, 4),
        random.within(1, 9),
        random.within(1, 19),
    ];
    let [channels, height, width] = dims;
    let small = random.values(channels * height * width);
    let picture = random.values(4 * small.len());
    let mut sparse = vec![0.0; 4 * small.len()];
    for (index, x) in small.iter().enumerate() {
        let (line, column) = (index / width, index % width);
        sparse[2 * line * 2 * width + 2 * column] = f64::from(*x);
    }
    let size = [2 * height, 2 * width];
    let expected: Vec<f32> = filter(&sparse, channels, size, size, 2)
        .iter()
        .zip(&picture)
        .map(|(x, y)| x + y)
        .collect();
    let mut found = picture;
    add_upsampled(&mut found, &small, dims);
    compare(
        &format!("seed {seed}, upsampling of {dims:?}"),
        &found,
        &expected,
    )
}

/// One random warp, by the definition: every pixel counts by how near it is, and those beyond the border are the
/// border's.
pub fn check_warp(seed: u64) -> Result<(), String> {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    random.next();
    let (channels, side) = (random.within(1, 4), random.within(1, 13));
    let planes = random.values(channels * side * side);
    let count = random.within(0, 30);
    let spots: Vec<[f32; 2]> = (0..count)
        .map(|_| [0; 2].map(|_| (random.values(1)[0] + 0.5) * 1.5 * side as f32))
        .collect();
    let expected = planes.chunks_exact(side * side).flat_map(|plane| {
        spots.iter().map(move |spot| {
            let [x, y] = spot.map(|at| f64::from(at).clamp(0.0, side as f64 - 1.0));
            let near = |at: f64, pixel: usize| (1.0 - (at - pixel as f64).abs()).max(0.0);
            let parts = (0..side * side).map(|pixel| {
                let (row, column) = (pixel / side, pixel % side);
                near(x, column) * near(y, row) * f64::from(plane[pixel])
            });
            parts.sum::<f64>() as f32
        })
    });
    let expected: Vec<f32> = expected.collect();
    let found = warp(&planes, side, &spots);
    compare(
        &format!("seed {seed}, warp of {channels} x {side} x {side}"),
        &found,
        &expected,
    )
}

/// One random depthwise convolution on every instruction set: its channels are convolutions of one channel each.
pub fn check_depthwise(seed: u64) -> Result<(), String> {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    random.next();
    let (most, longest) = if cfg!(miri) { (2, 12) } else { (9, 40) };
    let channels = random.within(1, most);
    let kernel = [0; 2].map(|_| random.within(1, 5));
    let stride = [0; 2].map(|_| random.within(1, 3));
    let padding = kernel.map(|size| [0; 2].map(|_| random.within(0, size / 2)));
    let least = [0, 1].map(|axis| kernel[axis].saturating_sub(padding[axis].iter().sum()));
    let [height, width] = least.map(|least| random.within(1, longest).max(least));
    let (dims, shape) = (
        [channels, 1, height, width],
        [channels, kernel[0], kernel[1]],
    );
    let (input, weight) = (
        random.values(dims.iter().product()),
        random.values(shape.iter().product()),
    );
    let [bias, slopes] = [0; 2].map(|_| random.values(channels));
    let kind = Kind::Forward {
        stride: [1, stride[0], stride[1]],
        padding: [[0; 2], padding[0], padding[1]],
    };
    let mut expected = Vec::new();
    let planes = input.chunks_exact(height * width);
    let filters = weight.chunks_exact(kernel[0] * kernel[1]);
    for (channel, (plane, filter)) in planes.zip(filters).enumerate() {
        let shape = [1, 1, 1, kernel[0], kernel[1]];
        let (sums, _) = convolve(plane, [1, 1, height, width], filter, shape, kind);
        expected.extend(sums.iter().map(|sum| {
            let x = sum + bias[channel];
            if x < 0.0 { slopes[channel] * x } else { x }
        }));
    }
    let epilogue = Epilogue {
        bias: Some(&bias),
        activation: Activation::PRelu(&slopes),
        ..Epilogue::default()
    };
    for isa in Isa::available() {
        let layer = DepthwiseLayer::with_isa(&weight, shape, stride, padding, isa);
        let (found, out) = layer.run(&input, dims, &epilogue);
        let what = format!(
            "seed {seed}, {kind:?}, weights {shape:?}, input {dims:?}, output {out:?}, {}",
            isa.name()
        );
        compare(&what, &found, &expected)?;
    }
    Ok(())
}

/// A layer large enough for several tiles, channel blocks and groups of input channels.
pub fn check_tiling() -> Result<(), String> {
    let cases: [(Kind, [usize; 5], [usize; 4]); 4] = [
        (
            Kind::Forward {
                stride: [1; 3],
                padding: [[0; 2], [1; 2], [1; 2]],
            },
            [70, 150, 1, 3, 3],
            [150, 1, 41, 53],
        ),
        (
            Kind::Forward {
                stride: [1, 2, 2],
                padding: [[0; 2], [1; 2], [1; 2]],
            },
            [33, 90, 1, 3, 3],
            [90, 1, 67, 90],
        ),
        (
            Kind::Transposed {
                stride: [1, 2, 2],
                padding: [0, 1, 1],
            },
            [90, 33, 1, 4, 4],
            [90, 1, 40, 63],
        ),
        (Kind::Upsample, [20, 64, 1, 3, 3], [64, 1, 43, 75]),
    ];
    for (index, (kind, shape, dims)) in cases.into_iter().enumerate() {
        let mut random = Random(index as u64 + 77);
        let weight = random.values(shape.iter().product());
        let input = random.values(dims.iter().product());
        let (expected, _) = convolve(&input, dims, &weight, shape, kind);
        for isa in Isa::available() {
            let layer = ConvLayer::with_isa(&weight, shape, kind, isa);
            let (found, _) = layer.run(&input, dims, &Prologue::default(), &Epilogue::default());
            compare(&format!("{kind:?} on {}", isa.name()), &found, &expected)?;
        }
    }
    Ok(())
}

#[test]
fn convolutions_match_the_definition() -> Result<(), String> {
    (0..cases(400)).try_for_each(check_convolution)
}

#[test]
fn filtered_convolutions_match_the_definition() -> Result<(), String> {
    (0..cases(100)).try_for_each(check_filtered)
}

#[test]
fn depthwise_convolutions_match_the_definition() -> Result<(), String> {
    (0..cases(300)).try_for_each(check_depthwise)
}

#[test]
fn upsampling_matches_the_definition() -> Result<(), String> {
    (0..cases(100)).try_for_each(check_upsampling)
}

#[test]
fn warps_agree_with_their_definition() -> Result<(), String> {
    (0..cases(300)).try_for_each(check_warp)
}

#[test]
#[cfg_attr(miri, ignore = "large on purpose")]
fn large_layers_match_the_definition() -> Result<(), String> {
    check_tiling()
}

#[test]
fn any_number_of_threads_computes_the_same_to_the_last_bit() {
    for seed in 0..cases(300) {
        let case = match seed % 3 {
            0 => filtered(seed),
            _ => Case::new(seed),
        };
        let layer = case.layer(Isa::best());
        let (prologue, epilogue) = (case.prologue(), case.epilogue());
        let bits = |threads| {
            // SAFETY: all planes are written.
            let values = unsafe {
                written(layer.output_dims(case.dims), |planes| {
                    layer.compute(
                        threads,
                        &case.input,
                        case.dims,
                        &prologue,
                        &epilogue,
                        planes,
                    );
                })
            };
            values.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        let alone = bits(1);
        for threads in [2, 3, 8] {
            assert!(
                bits(threads) == alone,
                "{:?}, weights {:?}, input {:?}, {threads} threads",
                case.kind,
                case.shape,
                case.dims
            );
        }
    }
}

/// `./build.sh check miri` says that it checks these.
#[test]
#[cfg(all(miri, target_feature = "avx2"))]
fn miri_has_three_instruction_sets() {
    let names: Vec<_> = Isa::available().into_iter().map(Isa::name).collect();
    assert_eq!(names, ["avx2", "sse4", "scalar"]);
}
