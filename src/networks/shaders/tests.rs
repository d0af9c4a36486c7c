use burn::{
    backend::Wgpu,
    tensor::{DType, Device, Int, Tensor, TensorData},
};
use half::f16;

use super::{
    extended::Extended,
    halves::{Halves, halves},
    launch::{Text, dispatches},
    layer::ShaderLayer,
    planes::{Planes, gated, leaky, means},
    products::{Finish, Product, Products},
    source::{ShaderActivation, Shape, Spec, Tiling},
    tilings::{CLASSES, Class},
};
use crate::{
    kernels::Kind,
    networks::{
        Precision,
        around::{Around, LayerActivation, PRelu},
        assign, cpu_values,
        device::cpu,
    },
    testing::gpu,
};

/// Words that WGSL keeps for later; browsers refuse them as names, Naga takes some.
const RESERVED: &str = "
    NULL Self abstract active alignas alignof as asm asm_fragment async attribute auto await become
    cast catch class co_await co_return co_yield coherent column_major common compile
    compile_fragment concept const_cast consteval constexpr constinit crate debugger decltype delete
    demote demote_to_helper do dynamic_cast enum explicit export extends extern external fallthrough
    filter final finally friend from fxgroup get goto groupshared highp impl implements import
    inline instanceof interface layout lowp macro macro_rules match mediump meta mod module move mut
    mutable namespace new nil noexcept noinline nointerpolation non_coherent noncoherent
    noperspective null nullptr of operator package packoffset partial pass patch pixelfragment
    precise precision premerge priv protected pub public readonly ref regardless register
    reinterpret_cast require resource restrict self set shared sizeof smooth snorm static
    static_assert static_cast std subroutine super target template this thread_local throw trait try
    type typedef typeid typename typeof union unless unorm unsafe unsized use using varying virtual
    volatile wgsl where with writeonly yield
";

/// Numbers that look random, between -1 and 1.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

const PRECISIONS: [Precision; 2] = [Precision::Single, Precision::Half];

/// To what 16-bit floats can hold.
fn round(values: &mut [f32]) {
    for value in values {
        *value = f16::from_f32(*value).to_f32();
    }
}

const STYLE: LayerActivation = LayerActivation::Style;

fn forward(kernel: usize, stride: usize) -> Kind {
    let padding = [kernel / 2; 2];
    Kind::Forward {
        stride: [1, stride, stride],
        padding: [[0; 2], padding, padding],
    }
}

fn shape(kind: Kind, kernel: usize) -> Shape {
    match kind {
        Kind::Upsample => Shape::Upsample,
        Kind::Forward { stride, .. } => Shape::Plain {
            kernel,
            stride: stride[2],
        },
        Kind::Transposed { .. } => Shape::Double,
    }
}

/// One convolution with everything around it.
struct Case {
    kind: Kind,
    kernel: usize,
    /// Batch, input channels, output channels, height, width.
    dims: [usize; 5],
    /// Whether there are scales, noise and a style's activation, as in a generator, or a shift and slopes, as in an
    /// encoder.
    styled: bool,
    skip: bool,
}

/// A case's values.
struct Values {
    x: Vec<f32>,
    weight: Vec<f32>,
    input_scale: Vec<f32>,
    input_shift: Vec<f32>,
    output_scale: Vec<f32>,
    noise: Vec<f32>,
    bias: Vec<f32>,
    slopes: Vec<f32>,
    skip: Vec<f32>,
}

impl Case {
    fn output_sides(&self) -> [usize; 2] {
        let [_, _, _, height, width] = self.dims;
        [height, width].map(|side| match self.kind {
            Kind::Upsample => 2 * side,
            Kind::Forward { stride, .. } => {
                (side + 2 * (self.kernel / 2) - self.kernel) / stride[2] + 1
            }
            Kind::Transposed { .. } => unreachable!("tested by itself"),
        })
    }

    fn values(&self) -> Values {
        let [batch, input, output, height, width] = self.dims;
        let [out_height, out_width] = self.output_sides();
        let mut noise = Noise(self.dims.iter().sum::<usize>() as u64);
        Values {
            x: noise.values(batch * input * height * width),
            weight: noise.values(output * input * self.kernel * self.kernel),
            input_scale: noise.values(if self.styled { batch * input } else { input }),
            input_shift: noise.values(input),
            output_scale: noise.values(batch * output),
            noise: noise.values(out_height * out_width),
            bias: noise.values(output),
            slopes: noise.values(output),
            skip: noise.values(batch * output * out_height * out_width / 4),
        }
    }

    /// The convolution alone by its definition, in double precision, of an input that is `at(channel, row, column)`.
    fn convolve(
        &self,
        weight: &[f32],
        output: usize,
        at: impl Fn(usize, i64, i64) -> f64,
    ) -> Vec<f64> {
        let [_, input, _, height, width] = self.dims;
        let [out_height, out_width] = self.output_sides();
        let area = self.kernel * self.kernel;
        let element = |channel: usize, row: usize, column: usize| {
            f64::from(weight[(output * input + channel) * area + row * self.kernel + column])
        };
        if let Kind::Forward { stride, .. } = self.kind {
            let (stride, padding) = (stride[2] as i64, self.kernel as i64 / 2);
            let mut sums = Vec::new();
            for (y, x) in (0..out_height).flat_map(|y| (0..out_width).map(move |x| (y, x))) {
                let mut sum = 0.0;
                for channel in 0..input {
                    for (row, column) in (0..area).map(|tap| (tap / self.kernel, tap % self.kernel))
                    {
                        let row_at = y as i64 * stride + row as i64 - padding;
                        let column_at = x as i64 * stride + column as i64 - padding;
                        sum += element(channel, row, column) * at(channel, row_at, column_at);
                    }
                }
                sums.push(sum);
            }
            return sums;
        }
        // Each input spreads over three rows and columns of a picture, which the filter then smooths.
        let [sharp_height, sharp_width] = [2 * height + 1, 2 * width + 1];
        let mut sharp = vec![0.0; sharp_height * sharp_width];
        for (row, column) in (0..height * width).map(|i| (i / width, i % width)) {
            for channel in 0..input {
                for tap in 0..9 {
                    let place = (2 * row + tap / 3) * sharp_width + 2 * column + tap % 3;
                    sharp[place] +=
                        element(channel, tap / 3, tap % 3) * at(channel, row as i64, column as i64);
                }
            }
        }
        let filter = [1.0, 3.0, 3.0, 1.0];
        let mut sums = Vec::new();
        for (y, x) in (0..out_height).flat_map(|y| (0..out_width).map(move |x| (y, x))) {
            let mut sum = 0.0;
            for (i, j) in (0..16).map(|tap| (tap / 4, tap % 4)) {
                let (row, column) = (y + i, x + j);
                if (1..=sharp_height).contains(&row) && (1..=sharp_width).contains(&column) {
                    let value = sharp[(row - 1) * sharp_width + column - 1];
                    sum += filter[i] * filter[j] / 16.0 * value;
                }
            }
            sums.push(sum);
        }
        sums
    }

    /// All by the definition.
    fn expected(&self, values: &Values) -> Vec<f64> {
        let [batch, input, output, height, width] = self.dims;
        let [out_height, out_width] = self.output_sides();
        let mut all = Vec::new();
        for picture in 0..batch {
            let at = |channel: usize, row: i64, column: i64| {
                if !(0..height as i64).contains(&row) || !(0..width as i64).contains(&column) {
                    return 0.0;
                }
                let plane = picture * input + channel;
                let x = values.x[(plane * height + row as usize) * width + column as usize];
                let (scale, shift) = if self.styled {
                    (values.input_scale[plane], 0.0)
                } else {
                    (values.input_scale[channel], values.input_shift[channel])
                };
                f64::from(x) * f64::from(scale) + f64::from(shift)
            };
            for channel in 0..output {
                let plane = picture * output + channel;
                let sums = self.convolve(&values.weight, channel, at);
                for (place, sum) in sums.into_iter().enumerate() {
                    let bias = f64::from(values.bias[channel]);
                    let mut value = if self.styled {
                        let scale = f64::from(values.output_scale[plane]);
                        let value = sum * scale + f64::from(values.noise[place]) + bias;
                        value * if value < 0.0 { 0.2 } else { 1.0 } * 2.0_f64.sqrt()
                    } else {
                        let value = sum + bias;
                        value
                            * if value < 0.0 {
                                f64::from(values.slopes[channel])
                            } else {
                                1.0
                            }
                    };
                    if self.skip {
                        let (y, x) = ((place / out_width) as i64, (place % out_width) as i64);
                        let small = |row: i64, column: i64| {
                            let (height, width) = (out_height as i64 / 2, out_width as i64 / 2);
                            if !(0..height).contains(&row) || !(0..width).contains(&column) {
                                return 0.0;
                            }
                            f64::from(
                                values.skip
                                    [((plane as i64 * height + row) * width + column) as usize],
                            )
                        };
                        let [far_y, far_x] =
                            [y, x].map(|i| i / 2 + if i % 2 == 0 { -1 } else { 1 });
                        value += (9.0 * small(y / 2, x / 2)
                            + 3.0 * (small(far_y, x / 2) + small(y / 2, far_x))
                            + small(far_y, far_x))
                            / 16.0;
                    }
                    all.push(value);
                }
            }
        }
        all
    }

    /// Whether input and output of a layer are halves in pairs of channels, as they may be with 16-bit weights.
    fn storages(&self, precision: Precision) -> impl Iterator<Item = [bool; 2]> {
        let [_, input, output, ..] = self.dims;
        let may = [input, output].map(|channels| channels.is_multiple_of(2));
        let all = [[false; 2], may];
        let distinct = precision == Precision::Half && may != [false; 2];
        all.into_iter().take(if distinct { 2 } else { 1 })
    }

    /// Runs it with each of some tilings; returns the worst difference as a part of the largest value.
    fn worst(&self, tilings: &[Tiling], precision: Precision) -> f64 {
        let device = &gpu().device;
        let [batch, input, output, height, width] = self.dims;
        let [out_height, out_width] = self.output_sides();
        let mut values = self.values();
        if precision == Precision::Half {
            round(&mut values.weight);
            round(&mut values.x);
        }
        let expected = self.expected(&values);
        let weight = tensor(
            &values.weight,
            [output, input, 1, self.kernel, self.kernel],
            device,
        );
        let layer = ShaderLayer::new(weight, self.kind, precision);
        let slopes = PRelu::new(output, device);
        let named = [("weight".to_owned(), values.slopes.clone())].into();
        let (slopes, _) = assign(slopes, &[], named);
        let rows = if self.styled { batch } else { 1 };
        let mut worst = 0.0_f64;
        let storages = self.storages(precision);
        for ([halves, passing], &tiling) in
            storages.flat_map(|storage| tilings.iter().map(move |tiling| (storage, tiling)))
        {
            let plain = (!self.styled).then_some(());
            let styled = self.styled.then_some(());
            let around = Around {
                input_scale: Some(tensor(&values.input_scale, [rows, input], device)),
                input_shift: plain.map(|()| tensor(&values.input_shift, [input], device)),
                output_scale: styled
                    .map(|()| tensor(&values.output_scale, [batch, output], device)),
                noise: styled
                    .map(|()| tensor(&values.noise, [1, 1, out_height, out_width], device)),
                bias: Some(tensor(&values.bias, [output], device)),
                activation: if self.styled {
                    STYLE
                } else {
                    LayerActivation::PRelu(&slopes)
                },
                skip: self.skip.then(|| {
                    tensor(
                        &values.skip,
                        [batch, output, out_height / 2, out_width / 2],
                        device,
                    )
                }),
                passing,
            };
            let shape = [batch, input, 1, height, width];
            let x = if halves {
                let pairs = in_pairs(&values.x, height * width);
                let pairs = pairs.into_iter().map(f16::from_f32).collect::<Vec<_>>();
                Tensor::from_data(TensorData::new(pairs, shape), (device, DType::F16))
            } else {
                tensor(&values.x, shape, device)
            };
            let before = dispatches();
            let found = layer.run_tiled(x, around, tiling);
            assert!(dispatches() > before, "nothing was dispatched");
            assert_eq!(found.dims(), [batch, output, 1, out_height, out_width]);
            let found = if passing {
                let pairs = found.into_data().try_into_vec::<f16>().expect("halves");
                let pairs: Vec<_> = pairs.into_iter().map(f16::to_f32).collect();
                out_of_pairs(&pairs, out_height * out_width)
            } else {
                cpu_values(found)
            };
            let largest = expected
                .iter()
                .fold(0.0_f64, |most, value| most.max(value.abs()));
            assert_eq!(found.len(), expected.len());
            let off = found.iter().zip(&expected);
            let off = off.map(|(&found, expected)| (f64::from(found) - expected).abs());
            let off = off.fold(0.0_f64, |most, off| if off <= most { most } else { off }) / largest;
            // A half is off by a part of 2^-11 of itself, at most.
            let bound = if passing { 5e-4 } else { 1e-5 };
            assert!(
                off <= bound,
                "{:?} {:?} {tiling:?} {precision:?} {halves} {passing}: off by {off:e}",
                self.kind,
                self.dims
            );
            if !passing {
                worst = worst.max(off);
            }
        }
        worst
    }
}

/// Planes of so many values two by two: the first of both, the second of both, and so on.
fn in_pairs(planes: &[f32], area: usize) -> Vec<f32> {
    let pairs = planes.chunks(2 * area);
    pairs
        .flat_map(|pair| (0..area).flat_map(|i| [pair[i], pair[area + i]]))
        .collect()
}

/// The other way round.
fn out_of_pairs(pairs: &[f32], area: usize) -> Vec<f32> {
    let pairs = pairs.chunks(2 * area);
    pairs
        .flat_map(|pair| [0, 1].map(|of| pair.iter().skip(of).step_by(2).copied()))
        .flatten()
        .collect()
}

fn tensor<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

/// Sizes that no tile divides, and some that all do.
const DIMS: [[usize; 5]; 10] = [
    [1, 1, 1, 1, 1],
    [1, 3, 5, 4, 4],
    [2, 5, 3, 7, 5],
    [1, 8, 16, 8, 8],
    [2, 12, 9, 9, 20],
    [1, 4, 8, 16, 16],
    [1, 31, 12, 17, 18],
    [1, 32, 4, 33, 37],
    [1, 6, 20, 40, 3],
    [2, 6, 10, 9, 12],
];

/// Of all classes.
fn tilings() -> impl Iterator<Item = (Shape, Tiling)> + Clone {
    CLASSES.iter().flat_map(|class| {
        let tilings = class.tilings.iter();
        tilings.map(|&tiling| (class.shape, tiling))
    })
}

fn check(kind: Kind, kernel: usize) {
    let tilings: Vec<_> = tilings()
        .filter(|&(of, _)| of == shape(kind, kernel))
        .map(|(_, tiling)| tiling)
        .collect();
    assert!(tilings.len() > 1, "tilings for {kind:?}");
    let mut worst = 0.0_f64;
    for (index, dims) in DIMS.into_iter().enumerate() {
        let even = dims[3].is_multiple_of(2) && dims[4].is_multiple_of(2);
        let case = Case {
            kind,
            kernel,
            dims,
            styled: index % 2 == 0,
            skip: even && kind == forward(1, 1),
        };
        for precision in PRECISIONS {
            worst = worst.max(case.worst(&tilings, precision));
        }
    }
    println!("{kind:?}: at most {worst:e} off");
}

#[test]
fn plain_convolutions_match_the_definition() {
    check(forward(5, 1), 5);
    check(forward(3, 1), 3);
    check(forward(1, 1), 1);
}

#[test]
fn strided_convolutions_match_the_definition() {
    check(forward(3, 2), 3);
    check(forward(1, 2), 1);
}

#[test]
fn the_upsampling_convolution_matches_the_definition() {
    check(Kind::Upsample, 3);
}

/// What a network computes before goes through other layouts in memory.
#[test]
fn an_input_in_another_order_is_put_in_order() {
    let device = &gpu().device;
    let mut noise = Noise(7);
    let weight = tensor(&noise.values(6 * 4 * 9), [6, 4, 1, 3, 3], device);
    let layer = ShaderLayer::new(weight, forward(3, 1), Precision::Single);
    let x = tensor(&noise.values(5 * 9 * 4), [1, 1, 5, 9, 4], device).permute([0, 4, 1, 2, 3]);
    let ordered = tensor(&cpu_values(x.clone()), [1, 4, 1, 5, 9], device);
    let [found, expected] = [x, ordered].map(|x| cpu_values(layer.run(x, Around::default())));
    assert_eq!(found, expected);
}

/// Several matrices at once, with parts of the input that overlap and sizes that nothing divides.
#[test]
fn products_match_the_definition() {
    let device = &gpu().device;
    for (batch, precision) in [1, 3]
        .into_iter()
        .flat_map(|batch| PRECISIONS.map(|kept| (batch, kept)))
    {
        let mut noise = Noise(batch as u64);
        let (values, epsilon) = (70, 1e-8);
        let x = noise.values(batch * values);
        let input = || tensor(&x, [batch, values], device);
        let sizes = [[1, 1, 69], [5, 7, 0], [64, 70, 0], [100, 64, 6], [3, 2, 5]];
        let made = sizes.map(|[output, input, start]| {
            let mut matrix = noise.values(output * input);
            round(&mut matrix);
            (matrix, noise.values(output), [output, input, start])
        });
        let product = |index: usize, positive: bool| {
            let (matrix, _, [output, input, start]) = &made[index];
            let matrix: Vec<f32> = (matrix.iter())
                .map(|value| if positive { value.abs() } else { *value })
                .collect();
            Product {
                matrix: tensor(&matrix, [*output, *input], device),
                start: *start,
            }
        };
        let biases = |index: usize| tensor(&made[index].1, [made[index].1.len()], device);
        let with_bias = (0..made.len()).map(|i| (product(i, false), biases(i)));
        let with_bias = Products::with_bias(with_bias.collect(), precision);
        let roots = (0..made.len()).map(|i| product(i, true)).collect();
        let roots = Products::inverse_roots(roots, epsilon);
        for (products, root) in [(with_bias, false), (roots, true)] {
            let before = dispatches();
            let (all, parts) = products.run(input());
            assert!(dispatches() > before, "nothing was dispatched");
            let pitch = all.dims()[1];
            let all = cpu_values(all);
            for (index, part) in parts.into_iter().enumerate() {
                let (matrix, bias, [output, width, start]) = &made[index];
                assert_eq!(part.dims(), [batch, *output]);
                let found = cpu_values(part);
                let [first, _] = products.results()[index];
                for (at, found) in found.into_iter().enumerate() {
                    let (picture, row) = (at / output, at % output);
                    assert_eq!(found, all[picture * pitch + first + row], "in a row");
                    let sum: f64 = (0..*width)
                        .map(|i| {
                            let weight = f64::from(matrix[row * width + i]);
                            let value = f64::from(x[picture * values + start + i]);
                            if root {
                                weight.abs() * value.powi(2)
                            } else {
                                weight * value
                            }
                        })
                        .sum();
                    let expected = if root {
                        1.0 / (sum + epsilon).sqrt()
                    } else {
                        sum + f64::from(bias[row])
                    };
                    let off = (f64::from(found) - expected).abs() / expected.abs().max(1.0);
                    assert!(off <= 1e-5, "{index}, {row}: off by {off:e}");
                }
            }
        }
    }
}

/// Kernels of 3x3x3, and of one place, which leaves every slab where it is.
#[test]
fn volumes_match_the_definition() {
    let device = &gpu().device;
    let cases = [
        (3, 1, [1, 1, 2, 1, 1, 1]),
        (3, 1, [2, 5, 3, 4, 7, 5]),
        (3, 1, [1, 8, 12, 3, 18, 20]),
        (3, 2, [1, 4, 8, 8, 16, 16]),
        (3, 2, [2, 3, 5, 5, 9, 37]),
        (1, 1, [1, 6, 9, 3, 7, 10]),
        (1, 1, [1, 4, 4, 5, 1, 40]),
    ];
    for ((kernel, stride, dims), precision) in cases
        .into_iter()
        .flat_map(|case| PRECISIONS.map(|kept| (case, kept)))
    {
        let [batch, input, output, depth, height, width] = dims;
        let mut noise = Noise(dims.iter().sum::<usize>() as u64);
        let (volume, taps) = (depth * height * width, kernel * kernel * kernel);
        let x = noise.values(batch * input * volume);
        let mut weight = noise.values(output * input * taps);
        round(&mut weight);
        let bias = noise.values(output);
        let padding = [[kernel / 2; 2]; 3];
        let kind = Kind::Forward {
            stride: [stride; 3],
            padding,
        };
        let around = Around {
            bias: Some(tensor(&bias, [output], device)),
            activation: LayerActivation::Sigmoid,
            ..Around::default()
        };
        let shape = [output, input, kernel, kernel, kernel];
        let layer = ShaderLayer::new(tensor(&weight, shape, device), kind, precision);
        let sides = [depth, height, width];
        let found = layer.run(
            tensor(&x, [batch, input, depth, height, width], device),
            around,
        );
        let [out_depth, out_height, out_width] =
            sides.map(|side| (side + 2 * (kernel / 2) - kernel) / stride + 1);
        assert_eq!(
            found.dims(),
            [batch, output, out_depth, out_height, out_width]
        );
        for (at, found) in cpu_values(found).into_iter().enumerate() {
            let (plane, place) = (
                at / (out_depth * out_height * out_width),
                at % (out_depth * out_height * out_width),
            );
            let (picture, channel) = (plane / output, plane % output);
            let corner = [
                place / (out_height * out_width),
                place / out_width % out_height,
                place % out_width,
            ];
            let mut sum = f64::from(bias[channel]);
            for (from, tap) in (0..input).flat_map(|from| (0..taps).map(move |tap| (from, tap))) {
                let offset = [tap / (kernel * kernel), tap / kernel % kernel, tap % kernel];
                let spot =
                    [0, 1, 2].map(|i| (corner[i] * stride + offset[i]).wrapping_sub(kernel / 2));
                if spot.iter().zip(sides).all(|(&spot, side)| spot < side) {
                    let value = x[(picture * input + from) * volume
                        + (spot[0] * height + spot[1]) * width
                        + spot[2]];
                    sum +=
                        f64::from(value) * f64::from(weight[(channel * input + from) * taps + tap]);
                }
            }
            let off = (1.0 / (1.0 + (-sum).exp()) - f64::from(found)).abs();
            assert!(off <= 1e-5, "{dims:?} at {at}: off by {off:e}");
        }
    }
}

/// Transposed convolutions of pictures and of volumes, each with all tilings.
#[test]
fn doubling_matches_the_definition() {
    let device = &gpu().device;
    let cases = [
        [1, 1, 1, 0, 1, 1],
        [2, 5, 3, 0, 7, 5],
        [1, 8, 6, 0, 16, 17],
        [1, 3, 9, 0, 33, 40],
        [1, 1, 1, 1, 1, 1],
        [2, 5, 3, 3, 4, 5],
        [1, 6, 1, 2, 9, 18],
        [1, 4, 5, 4, 20, 34],
    ];
    let tilings = tilings().filter(|(of, _)| *of == Shape::Double);
    for ((dims, precision), (_, tiling)) in cases
        .into_iter()
        .flat_map(|case| PRECISIONS.map(|kept| (case, kept)))
        .flat_map(|case| tilings.clone().map(move |tiling| (case, tiling)))
    {
        // A depth of 0 stands for none.
        let [batch, input, output, depth, height, width] = dims;
        let deep = usize::from(depth > 0);
        let sides = [depth.max(1), height, width];
        let (strides, kernel) = ([1 + deep, 2, 2], [1 + 3 * deep, 4, 4]);
        let doubled = [0, 1, 2].map(|axis| sides[axis] * strides[axis]);
        let count = |sides: [usize; 3]| sides.iter().product::<usize>();
        let (from, to, taps) = (count(sides), count(doubled), count(kernel));
        let corner = |at: usize, [_, high, wide]: [usize; 3]| {
            [at / (high * wide), at / wide % high, at % wide]
        };
        let mut noise = Noise(dims.iter().sum::<usize>() as u64);
        let x = noise.values(batch * input * from);
        let mut weight = noise.values(input * output * taps);
        round(&mut weight);
        let bias = noise.values(output);
        let mut expected: Vec<f64> = (0..batch * output * to)
            .map(|at| f64::from(bias[at / to % output]))
            .collect();
        for (plane, channel) in
            (0..batch * input).flat_map(|plane| (0..output).map(move |to| (plane, to)))
        {
            for (place, tap) in (0..from).flat_map(|place| (0..taps).map(move |tap| (place, tap))) {
                let (place_at, tap_at) = (corner(place, sides), corner(tap, kernel));
                // Every place spreads over the kernel, whose first row and column fall outside: the padding.
                let spot = [0, 1, 2].map(|axis| {
                    let before = if axis > 0 { 1 } else { deep };
                    (place_at[axis] * strides[axis] + tap_at[axis]).wrapping_sub(before)
                });
                if (0..3).any(|axis| spot[axis] >= doubled[axis]) {
                    continue;
                }
                let spot = (spot[0] * doubled[1] + spot[1]) * doubled[2] + spot[2];
                let weight = weight[(plane % input * output + channel) * taps + tap];
                expected[(plane / input * output + channel) * to + spot] +=
                    f64::from(x[plane * from + place]) * f64::from(weight);
            }
        }
        let kind = Kind::Transposed {
            stride: strides,
            padding: [deep, 1, 1],
        };
        let [k0, k1, k2] = kernel;
        let shape = [input, output, k0, k1, k2];
        let layer = ShaderLayer::new(tensor(&weight, shape, device), kind, precision);
        let around = Around {
            bias: Some(tensor(&bias, [output], device)),
            activation: LayerActivation::LeakyRelu,
            ..Around::default()
        };
        let [depth, height, width] = sides;
        let x = tensor(&x, [batch, input, depth, height, width], device);
        let found = layer.run_tiled(x, around, tiling);
        let [depth, height, width] = doubled;
        assert_eq!(found.dims(), [batch, output, depth, height, width]);
        for (at, (found, sum)) in cpu_values(found).into_iter().zip(&expected).enumerate() {
            let value = sum * if *sum < 0.0 { 0.01 } else { 1.0 };
            let off = (f64::from(found) - value).abs() / sum.abs().max(1.0);
            assert!(off <= 1e-5, "{dims:?} {tiling:?} at {at}: off by {off:e}");
        }
    }
}

#[test]
fn planes_match_the_definition() {
    let device = &gpu().device;
    for [batch, channels, height, width, stride] in [
        [1, 1, 1, 1, 1],
        [2, 3, 5, 7, 2],
        [1, 9, 16, 20, 1],
        [1, 2, 40, 33, 2],
    ] {
        let mut noise = Noise(width as u64);
        let planes = batch * channels;
        let [added_height, added_width] = [height, width].map(|side| side * stride);
        let x = noise.values(planes * height * width);
        let gates = noise.values(planes);
        let added = noise.values(planes * added_height * added_width);
        let shape = [batch, channels, height, width];
        let activated = leaky(tensor(&x, shape, device), 0.25, 2.0);
        assert_eq!(activated.dims(), shape);
        for (value, found) in x.iter().zip(cpu_values(activated)) {
            assert_eq!(found, if *value < 0.0 { 0.5 } else { 2.0 } * value);
        }
        let found = cpu_values(means(tensor(&x, shape, device)));
        for (plane, found) in x.chunks(height * width).zip(found) {
            let sum: f64 = plane.iter().map(|&value| f64::from(value)).sum();
            let off = (f64::from(found) - sum / plane.len() as f64).abs();
            assert!(off <= 1e-6, "the mean is off by {off:e}");
        }
        let found = gated(
            tensor(&x, shape, device),
            tensor(&gates, [batch, channels, 1, 1], device),
            tensor(&added, [batch, channels, added_height, added_width], device),
            stride,
        );
        assert_eq!(found.dims(), shape);
        for (at, found) in cpu_values(found).into_iter().enumerate() {
            let (plane, place) = (at / (height * width), at % (height * width));
            let (row, column) = (place / width * stride, place % width * stride);
            let added = added[(plane * added_height + row) * added_width + column];
            let off = (x[at] * gates[plane] + added - found).abs();
            assert!(off <= 1e-6, "{plane}, {place}: off by {off:e}");
        }
    }
}

/// Each as if it were alone, of one picture and of one for each.
#[test]
fn convolutions_side_by_side_are_those_alone() {
    let device = &gpu().device;
    let cases = [
        (3, 2, [5, 7, 9]),
        (3, 1, [8, 8, 6]),
        (1, 1, [9, 3, 1]),
        (3, 2, [4, 6, 2]),
    ];
    for ((kernel, stride, [input, output, side]), precision) in cases
        .into_iter()
        .flat_map(|case| PRECISIONS.map(|kept| (case, kept)))
    {
        let mut noise = Noise(side as u64);
        let kind = forward(kernel, stride);
        let shape = [output, input, 1, kernel, kernel];
        let weights: Vec<Tensor<5>> = (0..3)
            .map(|_| tensor(&noise.values(shape.iter().product()), shape, device))
            .collect();
        let biases = noise.values(3 * output);
        let several = ShaderLayer::side_by_side(weights.clone(), kind, precision);
        for pictures in [1, 3] {
            let area = input * side * side;
            let x = noise.values(pictures * area);
            let around = |bias: &[f32]| Around {
                bias: Some(tensor(bias, [bias.len()], device)),
                activation: LayerActivation::LeakyRelu,
                ..Around::default()
            };
            let all = tensor(&x, [pictures, input, 1, side, side], device);
            let found = cpu_values(several.run(all, around(&biases)));
            let alone = weights.iter().enumerate().flat_map(|(index, weight)| {
                let x = &x[index % pictures * area..][..area];
                let x = tensor(x, [1, input, 1, side, side], device);
                let bias = &biases[index * output..][..output];
                cpu_values(ShaderLayer::new(weight.clone(), kind, precision).run(x, around(bias)))
            });
            assert_eq!(found, alone.collect::<Vec<_>>(), "{kind:?} of {pictures}");
        }
    }
}

/// The same to the last bit, wherever weights wait for a run. (Here they are halves already: adapters round halfway
/// cases as they like.)
#[test]
fn weights_in_main_memory_are_as_good_as_on_the_gpu() {
    let device = &gpu().device;
    let kind = forward(3, 2);
    for precision in PRECISIONS {
        for [input, output, side] in [[5, 7, 9], [8, 8, 6]] {
            let mut noise = Noise(side as u64);
            let shape = [output, input, 1, 3, 3];
            let values: Vec<Vec<f32>> = (0..3)
                .map(|_| {
                    let values = noise.values(shape.iter().product()).into_iter();
                    values.map(|value| f16::from_f32(value).to_f32()).collect()
                })
                .collect();
            let x = tensor(
                &noise.values(input * side * side),
                [1, input, 1, side, side],
                device,
            );
            let run = |kept: fn(Tensor<5>) -> Tensor<5>, memory: &Device| {
                let weights = values
                    .iter()
                    .map(|values| kept(tensor(values, shape, memory)));
                let layer = ShaderLayer::side_by_side(weights.collect(), kind, precision);
                // Twice, for a run must not use them up.
                let [first, second] = [0; 2].map(|_| layer.run(x.clone(), Around::default()));
                assert_eq!(cpu_values(first.clone()), cpu_values(second));
                cpu_values(first)
            };
            let expected = run(|weight| weight, device);
            assert_eq!(run(|weight| weight, &cpu()), expected, "{precision:?}");
            let halves = |weight: Tensor<5>| weight.cast(DType::F16);
            assert_eq!(run(halves, &cpu()), expected, "{precision:?}, from halves");
        }
    }
}

/// Rounded as the CPU rounds them, to within one step of an f16: WGSL leaves halfway cases to the adapter.
#[test]
fn weights_are_rounded_to_halves() {
    let device = &gpu().device;
    // More words than there are threads; in parts, too.
    for (count, parts) in [(2, 1), (30, 1), (30, 3), (1 << 24, 1)] {
        let values = Noise(count as u64).values(count);
        let values_of = values.chunks(count / parts);
        let packed = halves(values_of.map(|part| tensor(part, [part.len()], device)));
        let packed = Tensor::<1, Int>::from_primitive::<Wgpu>(packed);
        let packed = packed.into_data().try_into_vec::<u32>().expect("words");
        assert_eq!(packed.len(), count / 2);
        for (word, pair) in packed.iter().zip(values.chunks(2)) {
            for (bits, &value) in [word & 0xffff, word >> 16].into_iter().zip(pair) {
                let off = (f16::from_bits(bits as u16).to_f32() - value).abs();
                assert!(
                    off <= value.abs() / 1024.0 + 1e-7,
                    "{value} is off by {off:e}"
                );
            }
        }
    }
}

/// Everything that a generator or an encoder puts around a convolution.
fn specs() -> impl Iterator<Item = Spec> {
    tilings().flat_map(|(shape, tiling)| {
        let passing = shape != Shape::Double;
        [(true, false), (false, false), (true, true)].map(|(styled, skip)| Spec {
            shape,
            tiling,
            deep: false,
            halves: styled,
            input_halves: styled && passing,
            output_halves: styled && passing && !skip,
            input_scale: true,
            input_shift: !styled,
            output_scale: styled && !skip,
            noise: styled && !skip,
            bias: true,
            skip,
            activation: match (styled, skip) {
                (false, false) => ShaderActivation::PRelu,
                _ => ShaderActivation::Gains,
            },
        })
    })
}

/// Fails if a kernel asks for more than every adapter has, or uses a word that WGSL reserves.
fn check_text(kernel: &impl Text, buffers: usize) {
    let threads: usize = kernel.workgroup().iter().product();
    assert!(threads <= 256, "{kernel:?}: {threads} threads");
    assert!(buffers <= 8, "{kernel:?}: {buffers} buffers");
    let text = kernel.text();
    assert_eq!(text.matches("var<storage").count(), buffers, "{kernel:?}");
    assert!(
        !text.contains("enable "),
        "{kernel:?} asks for an extension"
    );
    let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    let reserved = words.find(|word| {
        RESERVED
            .split_whitespace()
            .any(|reserved| reserved == *word)
    });
    assert_eq!(reserved, None, "{kernel:?} uses a word that WGSL reserves");
    // Browsers refuse a shift beside another operator of bits, unless it stands in parentheses; Naga takes it.
    for (at, _) in text.match_indices("<<") {
        let before = text[..at].trim_end_matches(|c: char| !"(|&=;".contains(c));
        assert!(
            !before.ends_with(['|', '&']),
            "{kernel:?}: a shift needs parentheses: {}",
            &text[before.len()..at]
        );
    }
}

#[test]
fn every_kernel_keeps_to_what_every_adapter_has() {
    for spec in specs() {
        let memory = spec.memory();
        assert!(memory <= 16 << 10, "{spec:?}: {memory} bytes");
        check_text(&spec, spec.buffers().len());
    }
    for pictures in [1, 2] {
        check_text(&Extended { pictures }, pictures + 1);
    }
    check_text(&Planes::Means, 2);
    check_text(&Planes::Gated, 4);
    check_text(&Planes::Gains, 2);
    let Class {
        shape,
        tilings: [tiling, ..],
        ..
    } = CLASSES[0]
    else {
        panic!("a tiling");
    };
    let sigmoid = Spec {
        activation: ShaderActivation::Sigmoid,
        ..Spec::bare(shape, *tiling)
    };
    check_text(&sigmoid, 3);
    for (of, tiling) in tilings() {
        if matches!(of, Shape::Plain { kernel: 3, .. } | Shape::Double) {
            let deep = Spec {
                deep: true,
                ..Spec::bare(of, tiling)
            };
            check_text(&deep, 3);
        }
    }
    check_text(&Finish::Bias { halves: false }, 5);
    check_text(&Finish::Bias { halves: true }, 5);
    check_text(&Halves, 2);
    check_text(&Finish::InverseRoot(0), 4);
}
