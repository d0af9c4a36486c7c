//! Which tilings are the fastest on an adapter, for the classes of convolutions where nearly all the time goes.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{
    launch::Text,
    layer::ShaderLayer,
    source::{Shape, Spec, Tiling},
    tilings::{CLASSES, choose, class_of, plain},
};
use crate::{
    kernels::Kind,
    networks::{
        around::Around,
        device::gpu::give_back_all,
        precision::Precision,
        queue::{adapt, mark},
    },
    weights::sha256,
};

/// Seconds of work that a tiling is measured by, at least: clocks of browsers are coarse.
const LEAST: f64 = 0.02;
/// Runs of a layer in a row, at most.
const MOST_RUNS: usize = 64;
/// Seconds of a run from which on a layer is large enough to be measured by.
const QUICK: f64 = 0.002;
/// Seconds after which nothing more is measured: an adapter that is so slow is none, but a program on the processor.
const ENOUGH: f64 = 3.0;
/// A tiling is taken in place of the first of its class if it takes this part of its time, at most.
const WINS: f64 = 0.95;

/// Layers that stand for a class.
struct Trial {
    name: &'static str,
    shape: Shape,
    /// A small one, and one that is measured instead where that is too quick for a clock.
    sizes: [Size; 2],
}

/// Channels of input and output, and side of the input.
#[derive(Clone, Copy)]
struct Size {
    channels: usize,
    side: usize,
}

const fn size([channels, side]: [usize; 2]) -> Size {
    Size { channels, side }
}

const fn trial(name: &'static str, shape: Shape, [small, large]: [[usize; 2]; 2]) -> Trial {
    Trial {
        name,
        shape,
        sizes: [size(small), size(large)],
    }
}

/// Nearly all small ones take 150 million multiplications, and large ones 2.4 billion.
const TRIALS: [Trial; 5] = [
    trial("plain", plain(3, 1), [[64, 64], [64, 256]]),
    trial("middle", plain(3, 1), [[128, 32], [512, 32]]),
    trial("strided", plain(3, 2), [[64, 128], [128, 256]]),
    trial("upsample", Shape::Upsample, [[32, 128], [64, 256]]),
    trial("point", plain(1, 1), [[128, 64], [384, 128]]),
];

impl Trial {
    fn kernel(&self) -> usize {
        match self.shape {
            Shape::Plain { kernel, .. } => kernel,
            Shape::Upsample | Shape::Double => 3,
        }
    }

    /// Places along a side that a kernel is laid on.
    fn places(&self, size: Size) -> usize {
        match self.shape {
            Shape::Plain { stride, .. } => size.side / stride,
            Shape::Upsample | Shape::Double => size.side,
        }
    }

    fn class(&self) -> usize {
        class_of(self.shape, self.places(self.sizes[0]))
    }

    fn tilings(&self) -> &'static [Tiling] {
        CLASSES[self.class()].tilings
    }

    /// Of one run.
    fn multiplications(&self, size: Size) -> f64 {
        (size.channels * self.kernel() * self.places(size)).pow(2) as f64
    }

    fn layer(&self, size: Size, device: &Device) -> MeasuredLayer {
        let (Size { channels, side }, kernel) = (size, self.kernel());
        let kind = match self.shape {
            Shape::Plain { kernel, stride } => Kind::Forward {
                stride: [1, stride, stride],
                padding: [[0; 2], [kernel / 2; 2], [kernel / 2; 2]],
            },
            Shape::Upsample | Shape::Double => Kind::Upsample,
        };
        let weight = Tensor::<5>::zeros([channels, channels, 1, kernel, kernel], device);
        MeasuredLayer {
            layer: ShaderLayer::new(weight, kind, Precision::Half),
            x: Tensor::zeros([1, channels, 1, side, side], device),
            multiplications: self.multiplications(size),
        }
    }
}

/// A layer with something to work on.
struct MeasuredLayer {
    layer: ShaderLayer,
    x: Tensor<5>,
    multiplications: f64,
}

impl MeasuredLayer {
    /// Runs in a row, waited for.
    async fn run(&self, tiling: Tiling, times: usize) {
        let mut last = None;
        for _ in 0..times {
            let run = (self.layer).run_tiled(self.x.clone(), Around::default(), tiling);
            last = Some(run);
        }
        if let Some(mark) = last.as_ref().and_then(mark) {
            mark.await;
        }
    }

    /// Seconds of one run. `clock` tells the seconds since some time.
    async fn seconds(&self, tiling: Tiling, clock: impl Fn() -> f64) -> f64 {
        // The first compiles.
        self.run(tiling, 1).await;
        let mut times = 1;
        loop {
            let started = clock();
            self.run(tiling, times).await;
            let taken = clock() - started;
            if taken >= LEAST || times >= MOST_RUNS {
                return taken / times as f64;
            }
            times *= 4;
        }
    }
}

/// What was measured of a class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TunedClass {
    /// Which class.
    pub name: String,
    /// Billions of multiplications per second with each of its tilings; less of them where measuring took too long.
    pub rates: Vec<f64>,
    /// The one that is taken.
    pub tiling: usize,
}

/// What was measured of an adapter, to be kept for its next use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tuning {
    /// Of the texts of the kernels: what was measured of others says nothing of these.
    pub kernels: String,
    /// All classes that have several tilings.
    pub classes: Vec<TunedClass>,
}

/// Tells kernels apart that are not the same.
fn fingerprint() -> String {
    let texts = TRIALS.iter().flat_map(|trial| {
        let texts = trial.tilings().iter();
        texts.map(|&tiling| Spec::bare(trial.shape, tiling).text())
    });
    let mut digest = sha256(texts.collect::<String>().as_bytes());
    digest.truncate(16);
    digest
}

/// The tiling to take, by the rates of all.
fn fastest(rates: &[f64]) -> usize {
    let mut best = 0;
    for (tiling, &rate) in rates.iter().enumerate() {
        let least = if best == 0 {
            rates[0] / WINS
        } else {
            rates[best]
        };
        if rate > least {
            best = tiling;
        }
    }
    best
}

impl Tuning {
    /// Measures every tiling of the classes that have several. `clock` tells the seconds since some time.
    pub async fn measure(device: &Device, clock: impl Fn() -> f64) -> Self {
        let begun = clock();
        let mut classes = Vec::new();
        for trial in &TRIALS {
            let mut layer = trial.layer(trial.sizes[0], device);
            let mut rates = Vec::new();
            for (index, &tiling) in trial.tilings().iter().enumerate() {
                if clock() - begun > ENOUGH {
                    break;
                }
                let mut seconds = layer.seconds(tiling, &clock).await;
                if index == 0 && seconds < QUICK {
                    layer = trial.layer(trial.sizes[1], device);
                    seconds = layer.seconds(tiling, &clock).await;
                }
                rates.push(layer.multiplications / seconds / 1e9);
            }
            classes.push(TunedClass {
                name: trial.name.to_owned(),
                tiling: fastest(&rates),
                rates,
            });
        }
        // No model has layers of these sizes to use the memory for.
        give_back_all(device);
        Self {
            kernels: fingerprint(),
            classes,
        }
    }

    /// Billions of multiplications per second with what is taken of the first class.
    fn rate(&self) -> Option<f64> {
        let class = self.classes.first()?;
        class.rates.get(class.tiling).copied()
    }

    /// Has convolutions take these tilings from now on, and groups of work be as large as suits their speed; `false`,
    /// and nothing changes, if they were measured with other kernels than these.
    pub fn apply(&self) -> bool {
        let named = |(trial, class): (&Trial, &TunedClass)| {
            trial.name == class.name && class.tiling < trial.tilings().len()
        };
        let fits = self.kernels == fingerprint()
            && self.classes.len() == TRIALS.len()
            && TRIALS.iter().zip(&self.classes).all(named);
        if fits {
            for (trial, class) in TRIALS.iter().zip(&self.classes) {
                choose(trial.class(), class.tiling);
            }
            adapt(self.rate());
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{super::tilings::chosen, *};
    use crate::testing::gpu;

    #[test]
    fn only_what_is_clearly_faster_is_taken() {
        for (rates, expected) in [
            (&[10.0][..], 0),
            (&[10.0, 10.2, 9.0], 0),
            (&[10.0, 11.0, 12.0], 2),
            (&[10.0, 12.0, 11.0], 1),
            (&[10.0, f64::NAN, 20.0], 2),
            (&[f64::NAN, 20.0], 0),
            (&[], 0),
        ] {
            assert_eq!(fastest(rates), expected, "{rates:?}");
        }
    }

    #[test]
    fn every_class_with_a_choice_is_tried_once() {
        let mut tried: Vec<_> = TRIALS.iter().map(Trial::class).collect();
        let large = TRIALS.iter().map(|trial| {
            let places = trial.places(trial.sizes[1]);
            class_of(trial.shape, places)
        });
        assert_eq!(tried, large.collect::<Vec<_>>(), "small and large");
        tried.sort_unstable();
        let choices = (0..CLASSES.len()).filter(|&class| CLASSES[class].tilings.len() > 1);
        assert_eq!(tried, choices.collect::<Vec<_>>());
    }

    #[test]
    fn an_adapter_is_measured_and_remembered() {
        let started = Instant::now();
        let clock = || started.elapsed().as_secs_f64();
        let measured = pollster::block_on(Tuning::measure(&gpu().device, clock));
        for (trial, class) in TRIALS.iter().zip(&measured.classes) {
            assert!(class.rates.len() <= trial.tilings().len());
            assert!(class.tiling < class.rates.len().max(1), "{class:?}");
            assert!(class.rates.iter().all(|rate| *rate > 0.0), "{class:?}");
        }
        assert!(!measured.classes[0].rates.is_empty());
        let kept = serde_json::to_string(&measured).unwrap();
        let mut kept: Tuning = serde_json::from_str(&kept).unwrap();
        // Other tests of this process run with the first tilings, and groups of any size.
        kept.classes.iter_mut().for_each(|class| class.tiling = 0);
        let point = &TRIALS[4];
        let taken = || chosen(point.shape, point.places(point.sizes[0]));
        kept.classes[4].tiling = 1;
        assert!(kept.apply());
        assert_eq!(taken(), point.tilings()[1]);
        kept.classes[4].tiling = 0;
        assert!(kept.apply());
        assert_eq!(taken(), point.tilings()[0]);
        let wrong = |change: fn(&mut Tuning)| {
            let mut wrong = kept.clone();
            change(&mut wrong);
            assert!(!wrong.apply(), "{wrong:?}");
        };
        wrong(|tuning| tuning.kernels = "others".to_owned());
        wrong(|tuning| tuning.classes[0].tiling = 9);
        wrong(|tuning| tuning.classes.swap(0, 1));
        wrong(|tuning| drop(tuning.classes.pop()));
    }
}
