//! What happens to a convolution's sums on their way to memory.

use std::{
    f32::consts::{LN_2, LOG2_E},
    mem::MaybeUninit,
};

/// Activation function.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Activation<'a> {
    /// None.
    #[default]
    Identity,
    /// `gain * x`, and `gain * slope * x` below zero.
    LeakyRelu {
        /// Slope below zero.
        slope: f32,
        /// Factor on everything.
        gain: f32,
    },
    /// A slope below zero per channel.
    PRelu(&'a [f32]),
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
}

impl Activation<'_> {
    /// `max(x, 0)`.
    pub const RELU: Self = Self::LeakyRelu {
        slope: 0.0,
        gain: 1.0,
    };

    /// Factors above and below zero in a channel; `None` for what is not straight there.
    #[inline(always)]
    fn factors(self, channel: usize) -> Option<(f32, f32)> {
        match self {
            Self::Identity => Some((1.0, 1.0)),
            Self::LeakyRelu { slope, gain } => Some((gain, slope * gain)),
            Self::PRelu(slopes) => Some((1.0, slopes[channel])),
            Self::Sigmoid => None,
        }
    }

    /// Activates values of a channel.
    pub fn apply(self, channel: usize, values: &mut [f32]) {
        match self.factors(channel) {
            Some((above, below)) => {
                for x in values {
                    *x *= if *x < 0.0 { below } else { above };
                }
            }
            None => {
                for x in values {
                    *x = sigmoid(*x);
                }
            }
        }
    }
}

/// `1 / (1 + exp(-x))`, in steps that compilers make vectors of.
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    /// Added to a number below 2^22, it leaves the nearest whole number in the last bits.
    const ROUNDING: f32 = 12_582_912.0;
    /// Taylor's series of 2^t, which for halves is off by 1.2e-7 at most.
    const TERMS: [f32; 7] = [
        1.0,
        LN_2,
        LN_2 * LN_2 / 2.0,
        LN_2 * LN_2 * LN_2 / 6.0,
        LN_2 * LN_2 * LN_2 * LN_2 / 24.0,
        LN_2 * LN_2 * LN_2 * LN_2 * LN_2 / 120.0,
        LN_2 * LN_2 * LN_2 * LN_2 * LN_2 * LN_2 / 720.0,
    ];
    let power = x.clamp(-87.0, 87.0) * -LOG2_E;
    let rounded = power + ROUNDING;
    let rest = power - (rounded - ROUNDING);
    let near_one = TERMS.iter().rev().fold(0.0, |sum, term| sum * rest + term);
    let whole = f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    1.0 / (1.0 + near_one * whole)
}

/// `activation(sum * scale + noise + bias)`, fused into a convolution; absent parts do nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue<'a> {
    /// Factor per output channel.
    pub scale: Option<&'a [f32]>,
    /// `[height * width]` of the output, added to every channel and depth.
    pub noise: Option<&'a [f32]>,
    /// Offset per output channel.
    pub bias: Option<&'a [f32]>,
    /// Activation function.
    pub activation: Activation<'a>,
}

impl<'a> Epilogue<'a> {
    /// Checks the lengths for an output of `channels` times `area` values per depth.
    pub(super) fn check(&self, channels: usize, area: usize) {
        let slopes = match self.activation {
            Activation::PRelu(slopes) => Some(slopes),
            _ => None,
        };
        for values in [self.scale, self.bias, slopes].into_iter().flatten() {
            assert_eq!(
                values.len(),
                channels,
                "an epilogue needs one value per output channel"
            );
        }
        if let Some(noise) = self.noise {
            assert_eq!(
                noise.len(),
                area,
                "a noise plane has the output's height and width"
            );
        }
    }

    /// Finishes a row of `channel` that starts at `offset` of its plane.
    #[inline(always)]
    pub(super) fn finish(
        &self,
        target: &mut [MaybeUninit<f32>],
        source: &[f32],
        channel: usize,
        offset: usize,
    ) {
        let scale = self.scale.map_or(1.0, |scale| scale[channel]);
        let bias = self.bias.map_or(0.0, |bias| bias[channel]);
        let finished = |x: f32, noise: f32| x * scale + noise + bias;
        let noise = (self.noise).map(|noise| &noise[offset..][..target.len()]);
        match self.activation.factors(channel) {
            Some((above, below)) => write(target, source, noise, |x, noise| {
                let x = finished(x, noise);
                x * if x < 0.0 { below } else { above }
            }),
            None => write(target, source, noise, |x, noise| {
                sigmoid(finished(x, noise))
            }),
        }
    }
}

/// Writes what `finished` makes of each sum and its noise, which is zero where there is none.
#[inline(always)]
fn write(
    target: &mut [MaybeUninit<f32>],
    sums: &[f32],
    noise: Option<&[f32]>,
    finished: impl Fn(f32, f32) -> f32,
) {
    let sums = &sums[..target.len()];
    match noise {
        Some(noise) => {
            for ((target, sum), noise) in target.iter_mut().zip(sums).zip(noise) {
                target.write(finished(*sum, *noise));
            }
        }
        None => {
            for (target, sum) in target.iter_mut().zip(sums) {
                target.write(finished(*sum, -0.0)); // adds nothing, not even for compilers
            }
        }
    }
}
