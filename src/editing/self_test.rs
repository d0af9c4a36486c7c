//! A tiny network run on two devices, to find out whether a GPU computes what it should.
//!
//! Browsers may skip a shader that fails validation and leave stale data in its place, so an adapter is
//! only trusted after the whole pipeline agreed with the CPU on every kind of layer at small sizes.

use burn::tensor::{Device, Tensor, TensorData};

use super::{
    engine::EngineError,
    inversion::{InversionRun, invert},
};
use crate::{
    config::{DicnSizes, DipnSizes, EncoderSizes, Heads, ModelConfig},
    networks::{Loader, Precision, Sdic, device, read},
    weights::Tensor as NamedTensor,
};

/// Largest difference from the CPU, on pictures in [-1, 1], at which a device is trusted.
pub const TOLERANCE: f32 = 1e-3;

/// A model small enough to run in a moment, with every kind of layer.
fn tiny_config() -> ModelConfig {
    ModelConfig {
        image_size: 32,
        crop: None,
        style_dim: 16,
        channels: vec![12, 12, 8, 8],
        mapping_layers: 0,
        inject_size: 16,
        encoder: Some(EncoderSizes {
            input_size: 32,
            units: [1, 2, 1, 1],
            widths: [8, 12, 16, 16],
            head_width: 8,
            heads: Heads::Offsets,
        }),
        dipn: Some(DipnSizes {
            features: [4, 4, 6, 8, 12],
            descriptor: 4,
            volume: 2,
        }),
        dicn: Some(DicnSizes {
            stem: 4,
            middle: 8,
            latent_map: 16,
            condition: None,
        }),
        editor: None,
    }
}

/// Repeatable values in [-1, 1) (a linear congruential generator).
pub(super) fn noise(seed: u32) -> impl Iterator<Item = f32> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    std::iter::from_fn(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some((state >> 8) as f32 / (1 << 23) as f32 - 1.0)
    })
}

/// Made-up values of the `index`-th parameter, which keep activations near unit scale through every branch.
pub fn parameter_values(index: usize, name: &str, shape: &[usize]) -> Vec<f32> {
    let count = shape.iter().product();
    let fan_in: usize = shape.iter().skip(1).product();
    let equalised = name.starts_with("decoder.") || name.contains("condition_shift3");
    let gain = if equalised || shape.len() < 2 {
        1.0
    } else {
        (3.0 / fan_in as f32).sqrt()
    };
    let offset = if name.ends_with("running_var") || name.ends_with("modulation.bias") {
        2.0
    } else {
        0.0
    };
    noise(index as u32 + 1)
        .map(|value| gain * value + offset)
        .take(count)
        .collect()
}

async fn run(device: &Device) -> Result<Vec<f32>, EngineError> {
    let config = tiny_config();
    // As nearly all models keep theirs, which so find their kernels compiled.
    let loader = Loader::new(&config, Precision::Half, device)?;
    let tensors = loader
        .expected()
        .iter()
        .enumerate()
        .map(|(index, (name, shape))| NamedTensor {
            name: name.clone(),
            shape: shape.clone(),
            values: parameter_values(index, name, shape),
        })
        .collect();
    let networks = loader.load(tensors)?.finish()?;
    let side = config.input_size();
    let face: Vec<f32> = noise(0).take(3 * side * side).collect();
    let sdic = Sdic::new(config, networks);
    let face = Tensor::from_data(TensorData::new(face, [1, 3, side, side]), device);
    let run = InversionRun::new(&sdic, face).ok_or(EngineError::NoEncoder)?;
    let inversion = invert::<EngineError>(run, async |_| Ok(())).await?;
    let mut values = read(inversion.compensated_codes).await?;
    values.extend(read(inversion.reconstruction).await?);
    if let Some(discrepancy) = inversion.discrepancy {
        values.extend(read(discrepancy).await?);
    }
    Ok(values)
}

/// Runs the tiny model on `device` and on the CPU.
///
/// Returns the largest absolute difference over discrepancy map, codes and reconstruction, relative to the
/// largest value; infinite when the device produced something that is not a number.
///
/// # Errors
/// [`EngineError`] if the device fails outright.
pub async fn largest_difference(device: &Device) -> Result<f32, EngineError> {
    let reference = run(&device::cpu()).await?;
    Ok(largest_of(&reference, &run(device).await?))
}

/// The largest difference between the values of two devices, relative to the largest value; infinite where one is
/// not a number.
pub(super) fn largest_of(reference: &[f32], found: &[f32]) -> f32 {
    let scale = reference
        .iter()
        .fold(1.0_f32, |scale, value| scale.max(value.abs()));
    let worst = reference
        .iter()
        .zip(found)
        .map(|(expected, found)| (expected - found).abs())
        .try_fold(0.0_f32, |worst, difference| {
            difference.is_finite().then(|| worst.max(difference))
        });
    worst.map_or(f32::INFINITY, |worst| worst / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_agrees_with_itself_and_produces_a_picture() {
        let device = device::cpu();
        let values = pollster::block_on(run(&device)).unwrap();
        assert!(values.iter().all(|value| value.is_finite()));
        let spread = values.iter().map(|value| value * value).sum::<f32>() / values.len() as f32;
        assert!((0.01..100.0).contains(&spread), "mean square {spread}");
        let difference = pollster::block_on(largest_difference(&device)).unwrap();
        assert_eq!(difference, 0.0);
    }

    #[cfg(feature = "wgpu")]
    #[test]
    fn a_gpu_agrees_with_the_cpu() {
        let gpu = crate::testing::gpu();
        let difference = pollster::block_on(largest_difference(&gpu.device)).unwrap();
        assert!(difference <= TOLERANCE, "{}: {difference}", gpu.adapter);
    }
}
