//! Pictures as words, so that a third of the values' size is read back.

use burn::{
    backend::Wgpu,
    tensor::{DType, Int, Tensor},
};

use super::launch::{Text, buffer, launch};
use crate::pixels::ExtendedPicture;

/// Threads of a workgroup, of a pixel each.
const THREADS: usize = 256;

/// Pictures of one size, as [`ExtendedPicture`] keeps them, one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Extended {
    /// How many.
    pub pictures: usize,
}

impl Text for Extended {
    fn workgroup(&self) -> [usize; 3] {
        [THREADS, 1, 1]
    }

    fn text(&self) -> String {
        let pictures = 0..self.pictures;
        let mut text: String = pictures
            .clone()
            .map(|index| {
                format!("@group(0) @binding({index}) var<storage, read_write> picture{index}: array<u32>;\n")
            })
            .collect();
        let [darkest, lightest] = ExtendedPicture::RANGE;
        let [first, second, third] = ExtendedPicture::BETWEEN;
        // What is no number is told by its bits, for compilers may take it that there is none.
        text += &format!(
            "struct Info {{
                height: u32, width: u32, top: u32, left: u32, columns: u32, count: u32,
            }}
            @group(0) @binding({output}) var<storage, read_write> output: array<u32>;
            @group(0) @binding({info}) var<uniform> info: Info;
            fn levels(bits: vec3<u32>) -> vec3<u32> {{
                let steps = (bitcast<vec3<f32>>(bits) + 1.0) * 127.5;
                let kept = clamp(steps, vec3<f32>({darkest}.0), vec3<f32>({lightest}.0));
                let whole = floor(kept);
                let part = kept - whole;
                let none = vec3<u32>();
                let one = vec3<u32>(1u);
                return 3u * vec3<u32>(vec3<i32>(whole) - {darkest})
                    + select(none, one, part >= vec3<f32>({first:?}))
                    + select(none, one, part >= vec3<f32>({second:?}))
                    + select(none, one, part >= vec3<f32>({third:?}));
            }}
            fn word(bits: vec3<u32>) -> u32 {{
                let broken = (bits & vec3<u32>(0x7f800000u)) == vec3<u32>(0x7f800000u);
                let level = levels(select(bits, vec3<u32>(), broken));
                let packed = level.x + {base}u * (level.y + {base}u * level.z);
                return select(packed, {none}u, any(broken));
            }}
            @compute @workgroup_size({THREADS}, 1, 1)
            fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
                if (id.x >= info.count) {{ return; }}
                let first = (id.x / info.columns + info.top) * info.width + id.x % info.columns + info.left;
                let at = first + vec3<u32>(0u, 1u, 2u) * info.height * info.width;\n",
            output = self.pictures,
            info = self.pictures + 1,
            base = ExtendedPicture::LEVELS,
            none = ExtendedPicture::NO_COLOUR,
        );
        for index in pictures {
            let name = format!("picture{index}");
            text += &format!(
                "output[{index}u * info.count + id.x] = word(vec3<u32>({name}[at.x], {name}[at.y], {name}[at.z]));\n"
            );
        }
        text + "}\n"
    }
}

/// The rows and columns from `start` on of pictures of one size, of which there is at least one, as
/// [`ExtendedPicture`] keeps them, one after another.
///
/// # Shapes
/// `[1, 3, height, width]` each.
pub fn extended(pictures: Vec<Tensor<4>>, start: [usize; 2], size: [usize; 2]) -> Tensor<1, Int> {
    let [_, _, height, width] = pictures[0].dims();
    let count = size[0] * size[1];
    let kernel = Extended {
        pictures: pictures.len(),
    };
    let words = [kernel.pictures * count];
    let info = [height, width, start[0], start[1], size[1], count].map(|size| size as u32);
    let workgroups = [count.div_ceil(THREADS), 1, 1];
    let inputs = pictures.into_iter().map(buffer).collect();
    let output = launch(kernel, inputs, &info, workgroups, words, DType::U32);
    Tensor::from_primitive::<Wgpu>(output)
}
