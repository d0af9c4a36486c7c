//! Products of matrices with few vectors, many in one dispatch: all styles of a generator pass.

use burn::{
    backend::Wgpu,
    tensor::{DType, Device, Shape, Tensor, TensorData},
};
use burn_cubecl::{
    cubecl::zspace::{Strides, metadata::Metadata},
    tensor::CubeTensor,
};

use super::{
    halves::halves,
    launch::{Text, buffer, launch},
};
use crate::networks::precision::Precision;

/// Rows of a matrix are filled up to so many, so that every matrix's results begin where a buffer may be bound.
const BLOCK: usize = 64;
/// Threads that share a row, and rows of a workgroup.
const SIDE: usize = 16;

/// A matrix, and which part of the input it is multiplied with.
pub struct Product {
    /// `[out, in]`.
    pub matrix: Tensor<2>,
    /// Where in the input its vector begins.
    pub start: usize,
}

/// What is made of the products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Finish {
    /// A bias is added.
    Bias {
        /// Whether the weights are halves, two in a word.
        halves: bool,
    },
    /// Of the squared input: `1 / sqrt(x + epsilon)`, of bits of an `f32`.
    InverseRoot(u32),
}

impl Text for Finish {
    fn workgroup(&self) -> [usize; 3] {
        [SIDE, SIDE, 1]
    }

    fn text(&self) -> String {
        let bias = matches!(self, Self::Bias { .. });
        let halves = matches!(self, Self::Bias { halves: true });
        let mut buffers = vec![
            ("input", "f32"),
            ("weights", if halves { "vec2<u32>" } else { "vec4<f32>" }),
            ("table", "vec4<f32>"),
        ];
        if bias {
            buffers.push(("bias", "f32"));
        }
        buffers.push(("output", "f32"));
        let mut text = String::new();
        for (index, (name, element)) in buffers.iter().enumerate() {
            text += &format!(
                "@group(0) @binding({index}) var<storage, read_write> {name}: array<{element}>;\n"
            );
        }
        let (value, finished) = match *self {
            Self::Bias { .. } => ("value", "total + bias[row]".to_owned()),
            Self::InverseRoot(epsilon) => {
                let epsilon = f32::from_bits(epsilon);
                (
                    "value * value",
                    format!("inverseSqrt(total + f32({epsilon:?}))"),
                )
            }
        };
        let weights = if halves {
            "vec4<f32>(unpack2x16float(weights[at].x), unpack2x16float(weights[at].y))"
        } else {
            "weights[at]"
        };
        text + &format!(
            "fn four(at: u32) -> vec4<f32> {{ return {weights}; }}
            struct Info {{ rows: u32, pitch: u32, }}
            @group(0) @binding({}) var<uniform> info: Info;
            var<workgroup> shares: array<f32, {}>;
            @compute @workgroup_size({SIDE}, {SIDE}, 1)
            fn main(@builtin(local_invocation_id) local: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {{
                let row = group.x * {SIDE}u + local.y;
                let entry = vec4<u32>(table[row / {BLOCK}u]);
                let fours = (entry.z + 3u) / 4u;
                let weights_at = entry.x + row % {BLOCK}u * fours;
                let input_at = group.y * info.pitch + entry.y;
                var sum = vec4<f32>();
                for (var chunk = local.x; chunk < fours; chunk += {SIDE}u) {{
                    let at = input_at + min(vec4<u32>(0u, 1u, 2u, 3u) + 4u * chunk, vec4<u32>(entry.z - 1u));
                    let value = vec4<f32>(input[at.x], input[at.y], input[at.z], input[at.w]);
                    sum += four(weights_at + chunk) * ({value});
                }}
                let lane = local.y * {SIDE}u + local.x;
                shares[lane] = dot(sum, vec4<f32>(1.0));
                workgroupBarrier();
                for (var left = {}u; left > 0u; left /= 2u) {{
                    if (local.x < left) {{ shares[lane] += shares[lane + left]; }}
                    workgroupBarrier();
                }}
                if (local.x == 0u) {{
                    let total = shares[lane];
                    output[group.y * info.rows + row] = {finished};
                }}
            }}\n",
            buffers.len(),
            SIDE * SIDE,
            SIDE / 2
        )
    }
}

/// Matrices laid out for one dispatch.
#[derive(Clone, Debug)]
pub struct Products {
    weights: CubeTensor,
    /// Per block: where its weights begin, in fours; where its vector begins; how long that is.
    table: Tensor<1>,
    bias: Option<Tensor<1>>,
    finish: Finish,
    /// Where the results of each begin, and how many there are.
    results: Vec<[usize; 2]>,
    rows: usize,
}

impl Products {
    /// `W x + bias` of each.
    pub fn with_bias(products: Vec<(Product, Tensor<1>)>, weights: Precision) -> Self {
        let (products, biases): (Vec<_>, Vec<_>) = products.into_iter().unzip();
        let padded = biases
            .into_iter()
            .map(|bias| padded(bias.unsqueeze::<2>(), 1, BLOCK));
        let bias = Tensor::cat(padded.collect(), 1).reshape([-1]);
        Self {
            bias: Some(bias),
            ..Self::new(
                products,
                Finish::Bias {
                    halves: weights == Precision::Half,
                },
            )
        }
    }

    /// `1 / sqrt(W x^2 + epsilon)` of each.
    pub fn inverse_roots(products: Vec<Product>, epsilon: f64) -> Self {
        Self::new(products, Finish::InverseRoot((epsilon as f32).to_bits()))
    }

    fn new(products: Vec<Product>, finish: Finish) -> Self {
        let device = products[0].matrix.device();
        let (mut weights, mut table, mut results) = (Vec::new(), Vec::new(), Vec::new());
        let (mut rows, mut at) = (0, 0);
        for Product { matrix, start } in products {
            let [output, input] = matrix.dims();
            results.push([rows, output]);
            let matrix = padded(matrix, BLOCK, 4);
            let [height, width] = matrix.dims();
            for block in 0..height / BLOCK {
                let entry = [at + block * BLOCK * width / 4, start, input, 0];
                table.extend(entry.map(|number| number as f32));
            }
            rows += height;
            at += height * width / 4;
            weights.push(matrix.reshape([height * width]));
        }
        let weights = match finish {
            Finish::Bias { halves: true } => halves(weights.into_iter()),
            _ => buffer(Tensor::cat(weights, 0)),
        };
        Self {
            weights,
            table: vector(table, &device),
            bias: None,
            finish,
            results,
            rows,
        }
    }

    /// Where the results of each product begin, and how many there are.
    pub fn results(&self) -> &[[usize; 2]] {
        &self.results
    }

    /// With more added to each result: values for every row of all, [`Self::results`] and what fills them up.
    pub fn shifted(&self, shifts: Vec<f32>) -> Self {
        assert_eq!(shifts.len(), self.rows, "a value for every row");
        let shifts = vector(shifts, &self.table.device());
        let bias = self.bias.clone().expect("products with a bias");
        Self {
            bias: Some(bias + shifts),
            ..self.clone()
        }
    }

    /// Rows of all, those that fill up among them.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// All results in a row, and those of each product, `[batch, out]`, for vectors that lie in the rows of `x`.
    ///
    /// # Shapes
    /// `[batch, values]` to `[batch, results]`.
    pub fn run(&self, x: Tensor<2>) -> (Tensor<2>, Vec<Tensor<2>>) {
        let [batch, pitch] = x.dims();
        let mut inputs = vec![buffer(x), self.weights.clone(), buffer(self.table.clone())];
        inputs.extend(self.bias.clone().map(buffer));
        let info = [self.rows, pitch].map(|size| size as u32);
        let workgroups = [self.rows / SIDE, batch, 1];
        let shape = [batch, self.rows];
        let all = launch(self.finish, inputs, &info, workgroups, shape, DType::F32);
        let parts = self.results.iter();
        let parts = parts.map(|&[start, count]| part(&all, [batch, self.rows], start, count));
        let parts = parts.collect();
        (Tensor::from_primitive::<Wgpu>(all), parts)
    }
}

/// Columns of a tensor, without a copy.
fn part(all: &CubeTensor, dims: [usize; 2], start: usize, count: usize) -> Tensor<2> {
    let [batch, rows] = dims;
    let bytes = |values: usize| (values * size_of::<f32>()) as u64;
    let handle = (all.handle.clone()).offset_start(bytes(start));
    let handle = handle.offset_end(bytes(rows - start - count));
    let pitch = if batch == 1 { count } else { rows };
    let metadata = Metadata::new(Shape::from([batch, count]), Strides::new(&[pitch, 1]));
    Tensor::from_primitive::<Wgpu>(CubeTensor::new(
        all.client.clone(),
        handle,
        metadata,
        all.device.clone(),
        DType::F32,
    ))
}

/// Fills rows and columns up with zeros to multiples of these.
fn padded(matrix: Tensor<2>, rows: usize, columns: usize) -> Tensor<2> {
    let [height, width] = matrix.dims();
    let missing = [(height, rows), (width, columns)];
    let [below, beside] = missing.map(|(side, of)| side.next_multiple_of(of) - side);
    let mut matrix = matrix;
    for (axis, more) in [(0, below), (1, beside)] {
        if more > 0 {
            let mut dims = matrix.dims();
            dims[axis] = more;
            let zeros = Tensor::zeros(dims, &matrix.device());
            matrix = Tensor::cat(vec![matrix, zeros], axis);
        }
    }
    matrix
}

fn vector(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}
