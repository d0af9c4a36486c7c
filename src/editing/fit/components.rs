//! Principal components of the styles that a mapping network makes (GANSpace; Härkönen et al., NeurIPS 2020).

use burn::tensor::{Tensor, TensorData};

use super::error::FitError;
use crate::{
    import::{DirectionFile, sefa::Gram},
    networks::{Sdic, normals, read},
    weights,
};

/// Styles that are drawn, and how many at once.
const DRAWS: usize = 100_000;
const BATCH: usize = 1_000;
/// Components that are found; the published edits use the first sixty.
const COUNT: usize = 80;
/// The first draw: others than those that sliders are fitted to.
const FIRST_DRAW: u64 = 1 << 32;

/// Mean and covariance of styles, batch by batch.
struct Moments {
    count: f64,
    /// Taken away from all styles, so that products keep their digits.
    origin: Vec<f32>,
    sum: Vec<f64>,
    products: Vec<f64>,
}

impl Moments {
    fn new(origin: Vec<f32>) -> Self {
        let width = origin.len();
        Self {
            count: 0.0,
            origin,
            sum: vec![0.0; width],
            products: vec![0.0; width * width],
        }
    }

    /// Adds styles `[batch, style_dim]`; their products are computed where they are.
    async fn add(&mut self, styles: Tensor<2>) -> Result<(), FitError> {
        let [batch, width] = styles.dims();
        let origin = TensorData::new(self.origin.clone(), [1, width]);
        let styles = styles.clone() - Tensor::from_data(origin, &styles.device());
        let sum = read(styles.clone().sum_dim(0)).await?;
        let products = read(styles.clone().transpose().matmul(styles)).await?;
        let added = |sums: &mut [f64], values: Vec<f32>| {
            let pairs = sums.iter_mut().zip(values);
            pairs.for_each(|(sum, value)| *sum += f64::from(value));
        };
        added(&mut self.sum, sum);
        added(&mut self.products, products);
        self.count += batch as f64;
        Ok(())
    }

    /// Mean, the first components, and standard deviations along them.
    fn components(self, count: usize) -> (Vec<f32>, Vec<(f64, Vec<f32>)>) {
        let width = self.sum.len();
        let mean: Vec<_> = self.sum.iter().map(|sum| sum / self.count).collect();
        let covariance = self.products.iter().enumerate().map(|(at, product)| {
            let between = mean[at / width] * mean[at % width];
            (product / self.count - between) * self.count / (self.count - 1.0)
        });
        let pairs = Gram::from_sums(width, covariance.collect()).top_eigenpairs(count);
        let mean = mean.iter().zip(&self.origin);
        let mean = mean.map(|(mean, origin)| *mean as f32 + origin);
        let deviation = |(variance, axis): (f64, Vec<f32>)| (variance.max(0.0).sqrt(), axis);
        (mean.collect(), pairs.into_iter().map(deviation).collect())
    }
}

/// The principal components of a model's styles, from 100,000 draws of a seed. `pause` hears of every thousand how many
/// of how many are done; its error stops the work.
///
/// # Errors
/// Those of `pause`, [`FitError::NoMapping`], or a failing device.
pub async fn principal_components<E: From<FitError>>(
    sdic: &Sdic,
    seed: u64,
    mut pause: impl AsyncFnMut(usize, usize) -> Result<(), E>,
) -> Result<DirectionFile, E> {
    let width = sdic.config().style_dim;
    let styles = |first: usize| {
        let z = (first..first + BATCH).flat_map(|i| normals(seed, FIRST_DRAW + i as u64, width));
        let z = TensorData::new(z.collect::<Vec<_>>(), [BATCH, width]);
        let styles = sdic.map(Tensor::from_data(z, &sdic.device()));
        styles.ok_or(FitError::NoMapping)
    };
    let some = styles(0)?;
    let mut moments = Moments::new(read(some.mean_dim(0)).await.map_err(FitError::from)?);
    for first in (0..DRAWS).step_by(BATCH) {
        pause(first, DRAWS).await?;
        moments.add(styles(first)?).await?;
    }
    let (mean, components) = moments.components(COUNT.min(width));
    // Directions in which nothing varies are none.
    let varying = components.iter().filter(|(deviation, _)| *deviation > 0.0);
    let (deviations, axes): (Vec<_>, Vec<_>) = varying
        .map(|(deviation, axis)| (*deviation as f32, axis.as_slice()))
        .unzip();
    let tensor = |name: &str, shape: &[usize], values: Vec<f32>| weights::Tensor {
        name: name.to_owned(),
        shape: shape.to_vec(),
        values,
    };
    Ok(DirectionFile::Basis {
        comp: tensor("comp", &[axes.len(), 1, width], axes.concat()),
        mean: tensor("mean", &[1, width], mean),
        std: tensor("std", &[deviations.len()], deviations),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::ModelConfig,
        editing::fit::golden::table,
        networks::{Loader, Precision, device},
        testing::models::{sample_tensor, tiny_config},
    };

    #[test]
    fn components_match_numpy() {
        let (width, styles) = table("components.styles");
        let styles: Vec<f32> = styles.iter().map(|&value| value as f32).collect();
        let mut moments = Moments::new(styles[..width].to_vec());
        for batch in styles.chunks(37 * width) {
            let data = TensorData::new(batch.to_vec(), [batch.len() / width, width]);
            let batch = Tensor::from_data(data, &device::cpu());
            pollster::block_on(moments.add(batch)).unwrap();
        }
        let (mean, components) = moments.components(8);
        let near = |found: f64, expected: f64| {
            assert!(
                (found - expected).abs() < 1e-4,
                "{found}, expected {expected}"
            );
        };
        for (found, expected) in mean.iter().zip(table("components.mean").1) {
            near(f64::from(*found), expected);
        }
        let (_, axes) = table("components.axes");
        let (_, deviations) = table("components.deviations");
        assert_eq!(components.len(), 8);
        for (index, (deviation, axis)) in components.iter().enumerate() {
            near(*deviation, deviations[index]);
            for (found, expected) in axis.iter().zip(&axes[index * width..]) {
                near(f64::from(*found), *expected);
            }
        }
    }

    fn tiny(mapping_layers: usize) -> Sdic {
        let config = ModelConfig {
            mapping_layers,
            ..tiny_config()
        };
        let loader = Loader::new(&config, Precision::Single, &device::cpu()).unwrap();
        let shapes = loader.expected().clone();
        let tensors = shapes.iter().map(|(name, shape)| {
            let mut tensor = sample_tensor(name, shape);
            if name.starts_with("decoder.style") {
                tensor.values.iter_mut().for_each(|value| *value *= 100.0);
            }
            tensor
        });
        let loader = loader.load(tensors.collect()).unwrap();
        Sdic::new(config, loader.finish().unwrap())
    }

    #[test]
    fn a_model_tells_its_components_and_the_work_can_be_stopped() {
        let sdic = tiny(2);
        let mut heard = 0;
        let found = pollster::block_on(principal_components(&sdic, 3, async |_, total| {
            assert_eq!(total, DRAWS);
            heard += 1;
            Ok::<_, FitError>(())
        }));
        assert_eq!(heard, DRAWS / BATCH);
        let DirectionFile::Basis { comp, mean, std } = found.unwrap() else {
            panic!("a basis");
        };
        assert_eq!(
            (comp.shape[1..].to_vec(), mean.shape),
            (vec![1, 4], vec![1, 4])
        );
        assert!(std.values.windows(2).all(|pair| pair[0] >= pair[1]) && std.values[0] > 0.0);
        let stopped =
            pollster::block_on(principal_components(&sdic, 3, async |done, _| match done {
                2000 => Err(FitError::Given("stopped".to_owned())),
                _ => Ok(()),
            }));
        assert_eq!(stopped.unwrap_err().to_string(), "stopped");
        let none = pollster::block_on(principal_components(&tiny(0), 3, async |_, _| {
            Ok::<_, FitError>(())
        }));
        assert!(matches!(none, Err(FitError::NoMapping)));
    }
}
