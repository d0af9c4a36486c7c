//! Speed of the convolution kernels, in ratio to a peer: an im2col matrix multiplied by the `gemm` crate.
//!
//! ```text
//! cargo bench --bench kernels -- [FILTER]
//! taskset -c 0 cargo bench --bench kernels -- 3x3
//! ```
//!
//! Both run in turns, after a warm-up, and the fastest of several runs of each counts: the least disturbed one.

use std::time::{Duration, Instant};

use sdic::kernels::{Activation, ConvLayer, Epilogue, Isa, Kind, Prologue};

/// Time to spend on each layer and contestant.
const BUDGET: Duration = Duration::from_secs(2);

/// A layer of one of the networks.
struct Case {
    name: &'static str,
    kind: Kind,
    /// Weights.
    shape: [usize; 5],
    /// Input `[channels, depth, height, width]`.
    dims: [usize; 4],
}

/// The layers that matter, with their place in the networks for 1024-pixel faces.
fn cases() -> Vec<Case> {
    let same = |kernel: [usize; 3]| Kind::Forward {
        stride: [1; 3],
        padding: kernel.map(|size| [size / 2; 2]),
    };
    let conv = |name, [output, input]: [usize; 2], side| Case {
        name,
        kind: same([1, 3, 3]),
        shape: [output, input, 1, 3, 3],
        dims: [input, 1, side, side],
    };
    let up = |name, [output, input]: [usize; 2], side| Case {
        name,
        kind: Kind::Upsample,
        shape: [output, input, 1, 3, 3],
        dims: [input, 1, side, side],
    };
    let volume = |name, [output, input]: [usize; 2], kernel: [usize; 3], sizes: [usize; 3]| Case {
        name,
        kind: same(kernel),
        shape: [output, input, kernel[0], kernel[1], kernel[2]],
        dims: [input, sizes[0], sizes[1], sizes[2]],
    };
    let doubled = |name, [input, output]: [usize; 2], sizes: [usize; 3]| Case {
        name,
        kind: Kind::Transposed {
            stride: [2; 3],
            padding: [1; 3],
        },
        shape: [input, output, 4, 4, 4],
        dims: [input, sizes[0], sizes[1], sizes[2]],
    };
    vec![
        conv("3x3 512->512 @4", [512, 512], 4),
        conv("3x3 512->512 @16", [512, 512], 16),
        conv("3x3 512->512 @64", [512, 512], 64),
        conv("3x3 256->256 @128", [256, 256], 128),
        conv("3x3 128->128 @256", [128, 128], 256),
        conv("3x3 64->64 @512", [64, 64], 512),
        conv("3x3 32->32 @1024", [32, 32], 1024),
        conv("3x3 64->64 @256", [64, 64], 256),
        conv("3x3 3->64 @256", [64, 3], 256),
        Case {
            name: "3x3 stride 2 64->64 @256",
            kind: Kind::Forward {
                stride: [1, 2, 2],
                padding: [[0; 2], [1; 2], [1; 2]],
            },
            shape: [64, 64, 1, 3, 3],
            dims: [64, 1, 256, 256],
        },
        volume("1x1 32->3 @1024", [3, 32], [1; 3], [1, 1024, 1024]),
        volume("1x1 128->512 @64", [512, 128], [1; 3], [1, 64, 64]),
        up("upsampling 512->256 @64", [256, 512], 64),
        up("upsampling 128->64 @256", [64, 128], 256),
        up("upsampling 64->32 @512", [32, 64], 512),
        volume("3x3x3 1->8 @48x256x256", [8, 1], [3; 3], [48, 256, 256]),
        Case {
            name: "3x3x3 stride 2 8->16 @48x256x256",
            kind: Kind::Forward {
                stride: [2; 3],
                padding: [[1; 2]; 3],
            },
            shape: [16, 8, 3, 3, 3],
            dims: [8, 48, 256, 256],
        },
        volume("3x3x3 16->16 @24x128x128", [16, 16], [3; 3], [24, 128, 128]),
        volume(
            "1x5x5 16->16 @24x128x128",
            [16, 16],
            [1, 5, 5],
            [24, 128, 128],
        ),
        doubled("transposed 4x4x4 48->32 @6x32x32", [48, 32], [6, 32, 32]),
        doubled(
            "transposed 4x4x4 16->1 @24x128x128",
            [16, 1],
            [24, 128, 128],
        ),
    ]
}

/// Values in [-1, 1).
fn values(count: usize) -> Vec<f32> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// The usual route for a stride-1 convolution: every kernel element's shifted copy of the input, then one
/// matrix product, then bias and activation.
fn im2col(
    case: &Case,
    padding: [[usize; 2]; 3],
    weight: &[f32],
    input: &[f32],
    bias: &[f32],
) -> Vec<f32> {
    let [output, channels, kernel @ ..] = case.shape;
    let [_, depth, height, width] = case.dims;
    let places = depth * height * width;
    let rows = channels * kernel.iter().product::<usize>();
    let mut columns = vec![0.0f32; rows * places];
    let fill = |(row, target): (usize, &mut [f32])| {
        let element = row % (rows / channels);
        let source = &input[row / (rows / channels) * places..][..places];
        let [d, h, w] = [
            element / (kernel[1] * kernel[2]),
            element / kernel[2] % kernel[1],
            element % kernel[2],
        ];
        for (line, target) in target.chunks_exact_mut(width).enumerate() {
            let source_depth = (line / height + d).wrapping_sub(padding[0][0]);
            let source_row = (line % height + h).wrapping_sub(padding[1][0]);
            if source_depth < depth && source_row < height {
                let source = &source[(source_depth * height + source_row) * width..][..width];
                let first = padding[2][0].saturating_sub(w);
                let skip = w.saturating_sub(padding[2][0]);
                let count = width - first - skip;
                target[first..first + count].copy_from_slice(&source[skip..skip + count]);
            }
        }
    };
    {
        use rayon::prelude::*;
        columns
            .par_chunks_exact_mut(places)
            .enumerate()
            .for_each(fill);
    }
    let mut result = vec![0.0f32; output * places];
    let parallelism = match rayon::current_num_threads() {
        1 => gemm::Parallelism::None,
        threads => gemm::Parallelism::Rayon(threads),
    };
    // SAFETY: the three matrices are `[output, rows]`, `[rows, places]` and `[output, places]`, row-major.
    unsafe {
        gemm::gemm(
            output,
            places,
            rows,
            result.as_mut_ptr(),
            1,
            places as isize,
            false,
            weight.as_ptr(),
            1,
            rows as isize,
            columns.as_ptr(),
            1,
            places as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
    for (plane, bias) in result.chunks_exact_mut(places).zip(bias) {
        for x in plane {
            *x += bias;
            *x *= if *x < 0.0 { 0.2 } else { 1.0 };
        }
    }
    result
}

/// Fastest run in seconds of each contestant, in turns; the first run only warms up.
fn race(contestants: &mut [Box<dyn FnMut() + '_>]) -> Vec<f64> {
    let mut best = vec![f64::INFINITY; contestants.len()];
    let start = Instant::now();
    let mut warm = false;
    while !warm || start.elapsed() < BUDGET * contestants.len() as u32 {
        for (run, best) in contestants.iter_mut().zip(&mut best) {
            let start = Instant::now();
            run();
            if warm {
                *best = best.min(start.elapsed().as_secs_f64());
            }
        }
        if warm && start.elapsed() >= BUDGET * contestants.len() as u32 {
            break;
        }
        warm = true;
    }
    best
}

fn main() {
    // Cargo passes `--bench`.
    let filter = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    println!(
        "{} on {} threads",
        Isa::best().name(),
        sdic::kernels::threads()
    );
    println!(
        "{:36} {:>7} {:>12} {:>12} {:>6}",
        "layer", "GMAC", "GMAC/s", "im2col", "ratio"
    );
    for case in cases() {
        if filter
            .as_ref()
            .is_some_and(|filter| !case.name.contains(filter.as_str()))
        {
            continue;
        }
        let weight = values(case.shape.iter().product());
        let input = values(case.dims.iter().product());
        let layer = ConvLayer::new(&weight, case.shape, case.kind);
        let [output, depth, height, width] = layer.output_dims(case.dims);
        let places = match case.kind {
            Kind::Forward { .. } => depth * height * width,
            _ => case.dims[1..].iter().product(),
        };
        let work = (weight.len() * places) as f64 / 1e9;
        let bias = values(output);
        let epilogue = Epilogue {
            bias: Some(&bias),
            activation: Activation::LeakyRelu {
                slope: 0.2,
                gain: 1.0,
            },
            ..Epilogue::default()
        };
        let mut contestants: Vec<Box<dyn FnMut() + '_>> = vec![Box::new(|| {
            std::hint::black_box(layer.run(&input, case.dims, &Prologue::default(), &epilogue));
        })];
        if let Kind::Forward {
            stride: [1, 1, 1],
            padding,
        } = case.kind
        {
            let (case, weight, input, bias) = (&case, &weight, &input, &bias);
            contestants.push(Box::new(move || {
                std::hint::black_box(im2col(case, padding, weight, input, bias));
            }));
        }
        let speeds: Vec<f64> = race(&mut contestants)
            .iter()
            .map(|seconds| work / seconds)
            .collect();
        print!("{:36} {work:7.3} {:12.1}", case.name, speeds[0]);
        match speeds.get(1) {
            Some(peer) => println!(" {peer:12.1} {:6.2}", speeds[0] / peer),
            None => println!(" {:>12} {:>6}", "-", "-"),
        }
    }
}
