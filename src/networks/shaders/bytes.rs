//! Pictures as bytes, so that a quarter of the values' size is read back.

use burn::{
    backend::Wgpu,
    tensor::{DType, Int, Tensor},
};

use super::launch::{Text, buffer, launch};
use crate::pixels::Difference;

/// Threads of a workgroup; each makes two pixels, for the differences of two fill three words.
const THREADS: usize = 256;

/// What is made of a picture, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bytes {
    /// Whether there is a second picture, and how the first differs from it: three halves of a word per pixel, in the
    /// units of [`Difference`].
    pub difference: bool,
    /// Whether the second picture comes, too.
    pub second: bool,
}

impl Text for Bytes {
    fn workgroup(&self) -> [usize; 3] {
        [THREADS, 1, 1]
    }

    fn text(&self) -> String {
        let mut buffers = vec!["picture"];
        if self.difference {
            buffers.push("other");
        }
        buffers.push("output");
        let mut text = String::new();
        for (index, name) in buffers.iter().enumerate() {
            text += &format!(
                "@group(0) @binding({index}) var<storage, read_write> {name}: array<u32>;\n"
            );
        }
        let units = Difference::UNITS;
        // As the CPU rounds: halves away from zero. What is no number is told by its bits, for compilers may take it
        // that there is none.
        text += &format!(
            "struct Info {{
                height: u32, width: u32, top: u32, left: u32, columns: u32, count: u32, pairs: u32, unused: u32,
            }}
            @group(0) @binding({}) var<uniform> info: Info;
            fn places(pixel: u32) -> vec3<u32> {{
                let place = (pixel / info.columns + info.top) * info.width + pixel % info.columns + info.left;
                return place + vec3<u32>(0u, 1u, 2u) * info.height * info.width;
            }}
            fn broken(bits: vec3<u32>) -> vec3<bool> {{
                return (bits & vec3<u32>(0x7f800000u)) == vec3<u32>(0x7f800000u);
            }}
            fn numbers(bits: vec3<u32>) -> vec3<f32> {{
                return bitcast<vec3<f32>>(select(bits, vec3<u32>(), broken(bits)));
            }}
            fn rounded(values: vec3<f32>) -> vec3<u32> {{
                let whole = floor(values);
                return vec3<u32>(whole) + select(vec3<u32>(), vec3<u32>(1u), values - whole >= vec3<f32>(0.5));
            }}
            fn bytes(bits: vec3<u32>) -> u32 {{
                let scaled = (numbers(bits) + 1.0) * 127.5;
                let rgb = rounded(clamp(scaled, vec3<f32>(), vec3<f32>(255.0)));
                let wrong = select(vec3<u32>(), vec3<u32>(1u), broken(bits));
                let alpha = 255u - wrong.x - wrong.y - wrong.z;
                return rgb.x | (rgb.y << 8u) | (rgb.z << 16u) | (alpha << 24u);
            }}
            fn halves(first: vec3<u32>, second: vec3<u32>) -> vec3<u32> {{
                let units = (numbers(first) - numbers(second)) * 127.5 * {units:?};
                let size = vec3<i32>(rounded(min(abs(units), vec3<f32>(32768.0))));
                let signed = select(min(size, vec3<i32>(32767)), -size, units < vec3<f32>());
                return bitcast<vec3<u32>>(signed) & vec3<u32>(0xffffu);
            }}
            fn read_picture(pixel: u32) -> vec3<u32> {{
                let at = places(pixel);
                return vec3<u32>(picture[at.x], picture[at.y], picture[at.z]);
            }}\n",
            buffers.len()
        );
        if self.difference {
            text += "
            fn read_other(pixel: u32) -> vec3<u32> {
                let at = places(pixel);
                return vec3<u32>(other[at.x], other[at.y], other[at.z]);
            }\n";
        }
        text += &format!(
            "@compute @workgroup_size({THREADS}, 1, 1)
            fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
                if (id.x >= info.pairs) {{ return; }}
                let near = 2u * id.x;
                let there = near + 1u < info.count;
                let far = select(near, near + 1u, there);
                let near_bits = read_picture(near);
                let far_bits = read_picture(far);
                output[near] = bytes(near_bits);
                if (there) {{ output[far] = bytes(far_bits); }}\n"
        );
        if self.difference {
            text += "
                let near_other = read_other(near);
                let far_other = read_other(far);
                let a = halves(near_bits, near_other);
                let b = halves(far_bits, far_other);
                let at = info.count + 3u * id.x;
                output[at] = a.x | (a.y << 16u);
                output[at + 1u] = a.z | (b.x << 16u);
                output[at + 2u] = b.y | (b.z << 16u);\n";
        }
        if self.second {
            text += "
                let second = info.count + 3u * info.pairs;
                output[second + near] = bytes(near_other);
                if (there) { output[second + far] = bytes(far_other); }\n";
        }
        text + "}\n"
    }
}

/// What a person sees of the rows and columns of a picture from `start` on, and of how it differs from another picture,
/// which comes, too, if it is wanted: words as [`Bytes`] says, pixels with red in the
/// lowest byte. Alpha is 255 less the colours of the pixel that are no numbers.
///
/// # Shapes
/// `[1, 3, height, width]` each.
pub fn bytes(
    picture: Tensor<4>,
    other: Option<(Tensor<4>, bool)>,
    start: [usize; 2],
    size: [usize; 2],
) -> Tensor<1, Int> {
    let [_, _, height, width] = picture.dims();
    let count = size[0] * size[1];
    let pairs = count.div_ceil(2);
    let kernel = Bytes {
        difference: other.is_some(),
        second: other.as_ref().is_some_and(|(_, wanted)| *wanted),
    };
    let mut words = count;
    words += if kernel.difference { 3 * pairs } else { 0 };
    words += if kernel.second { count } else { 0 };
    let mut inputs = vec![buffer(picture)];
    inputs.extend(other.map(|(other, _)| buffer(other)));
    let info = [height, width, start[0], start[1], size[1], count, pairs, 0];
    let info = info.map(|size| size as u32);
    let workgroups = [pairs.div_ceil(THREADS), 1, 1];
    Tensor::from_primitive::<Wgpu>(launch(
        kernel,
        inputs,
        &info,
        workgroups,
        [words],
        DType::U32,
    ))
}
