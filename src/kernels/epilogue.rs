//! What happens to a convolution's sums on their way to memory.

use std::mem::MaybeUninit;

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
}

impl Activation<'_> {
    /// `max(x, 0)`.
    pub const RELU: Self = Self::LeakyRelu {
        slope: 0.0,
        gain: 1.0,
    };
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
        let (gain, slope) = match self.activation {
            Activation::Identity => (1.0, 1.0),
            Activation::LeakyRelu { slope, gain } => (gain, slope * gain),
            Activation::PRelu(slopes) => (1.0, slopes[channel]),
        };
        let activate = |x: f32| x * if x < 0.0 { slope } else { gain };
        let source = &source[..target.len()];
        match self.noise {
            Some(noise) => {
                let noise = &noise[offset..][..target.len()];
                for ((target, x), noise) in target.iter_mut().zip(source).zip(noise) {
                    target.write(activate(x * scale + noise + bias));
                }
            }
            None => {
                for (target, x) in target.iter_mut().zip(source) {
                    target.write(activate(x * scale + bias));
                }
            }
        }
    }
}
