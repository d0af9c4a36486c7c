//! Pictures as the networks see them: RGB in [-1, 1], `pixel / 127.5 - 1`, as `[1, 3, height, width]`.

use burn::tensor::{Device, ExecutionError, Tensor, TensorData, s};
use thiserror::Error;

#[cfg(feature = "wgpu")]
use super::{device::is_cpu, shaders};
use crate::pixels::{ExtendedPicture, Picture, Space};

/// Why values could not be read back from a device.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The device failed while computing.
    #[error("the device failed: {0}; reload and try again, or run on the CPU")]
    Device(#[from] ExecutionError),
    /// A picture with values that are no numbers or infinite.
    #[error(
        "the networks made a picture that is none: values of {count} of its pixels are no finite numbers; \
         fetch the weights again, or run on the CPU"
    )]
    NotFinite {
        /// How many pixels have such values.
        count: usize,
    },
    /// A tensor of another shape or number type than asked for.
    #[error("expected a tensor of f32 values as {expected}, got shape {found:?}")]
    Shape {
        /// What was asked for.
        expected: &'static str,
        /// The tensor's shape.
        found: Vec<usize>,
    },
}

/// Values of a tensor in row-major order.
///
/// # Errors
/// [`ReadError`].
pub async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, ReadError> {
    let data = tensor.into_data_async().await?;
    let found = data.shape().iter().copied().collect();
    let expected = "rows";
    data.try_into_vec::<f32>()
        .map_err(|_| ReadError::Shape { expected, found })
}

/// A picture, laid over white where it is transparent, as a `[1, 3, height, width]` tensor in [-1, 1].
pub fn to_tensor(picture: &Picture, device: &Device) -> Tensor<4> {
    let picture = picture.view().over_white().in_space(Space::Srgb);
    let pixels = picture.rgba();
    let values: Vec<f32> = (0..3)
        .flat_map(|channel| pixels.iter().skip(channel).step_by(4))
        .map(|&value| f32::from(value) / 127.5 - 1.0)
        .collect();
    let shape = [1, 3, picture.height(), picture.width()];
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The picture in `[1, 3, height, width]` values around [-1, 1].
///
/// # Errors
/// [`ReadError::Shape`] if the data is not of that form, [`ReadError::NotFinite`] if it is no picture.
pub fn from_data(data: &TensorData) -> Result<ExtendedPicture, ReadError> {
    let shape: Vec<usize> = data.shape().iter().copied().collect();
    let bad_shape = || ReadError::Shape {
        expected: "[1, 3, height, width]",
        found: shape.clone(),
    };
    let &[1, 3, height, width] = shape.as_slice() else {
        return Err(bad_shape());
    };
    let values = data.as_slice::<f32>().map_err(|_| bad_shape())?;
    let plane = height * width;
    let words = (0..plane).map(|at| {
        let colour = [0, 1, 2].map(|channel| values[channel * plane + at]);
        ExtendedPicture::word(colour.map(|value| (value + 1.0) * 127.5))
    });
    from_words(height, width, words.collect())
}

/// The picture of words, unless one of them is no colour.
fn from_words(height: usize, width: usize, words: Vec<u32>) -> Result<ExtendedPicture, ReadError> {
    let found = vec![words.len()];
    let picture = ExtendedPicture::new(width, height, words).ok_or(ReadError::Shape {
        expected: "a word per pixel",
        found,
    })?;
    match picture.without_colour() {
        0 => Ok(picture),
        count => Err(ReadError::NotFinite { count }),
    }
}

/// The part of a picture that is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Rows above it, and columns left of it.
    pub start: [usize; 2],
    /// Its rows and columns.
    pub size: [usize; 2],
}

/// What `window` shows of `pictures`, one or more `[1, 3, height, width]` of one size, in one read.
///
/// # Errors
/// As [`from_data`], or a failing device.
pub async fn extended(
    pictures: Vec<Tensor<4>>,
    window: Window,
) -> Result<Vec<ExtendedPicture>, ReadError> {
    let Window { start, size } = window;
    #[cfg(feature = "wgpu")]
    if !is_cpu(&pictures[0].device()) {
        let words = shaders::extended(pictures, start, size);
        let data = words.into_data_async().await?;
        let found = data.shape().iter().copied().collect();
        let expected = "words";
        let words = data.try_into_vec::<u32>();
        let mut words = words.map_err(|_| ReadError::Shape { expected, found })?;
        let mut found = Vec::new();
        while !words.is_empty() {
            let rest = words.split_off(words.len().min(size[0] * size[1]));
            found.push(from_words(size[0], size[1], words)?);
            words = rest;
        }
        return Ok(found);
    }
    let mut found = Vec::with_capacity(pictures.len());
    for picture in pictures {
        let [rows, columns] = [0, 1].map(|axis| start[axis]..start[axis] + size[axis]);
        let seen = picture.slice(s![.., .., rows, columns]);
        found.push(from_data(&seen.into_data_async().await?)?);
    }
    Ok(found)
}

/// What `window` shows of `picture`, `[1, 3, height, width]`, as a person sees it.
///
/// # Errors
/// As [`extended`].
pub async fn shown(picture: Tensor<4>, window: Window) -> Result<Picture<'static>, ReadError> {
    let found = extended(vec![picture], window).await?;
    Ok(found[0].picture())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_come_back_from_tensors() {
        let picture = Picture::from_rgb(37, 19, |x, y| [x as u8, y as u8, (x ^ y) as u8]);
        let tensor = to_tensor(&picture, &Device::flex());
        assert_eq!(tensor.dims(), [1, 3, 19, 37]);
        assert_eq!(from_data(&tensor.into_data()).unwrap().picture(), picture);
    }

    #[test]
    fn values_that_are_no_numbers_are_no_picture() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut values = vec![0.5; 6];
            values[4] = bad;
            let data = TensorData::new(values, [1, 3, 1, 2]);
            let refused = |error| matches!(error, ReadError::NotFinite { count: 1 });
            assert!(from_data(&data).is_err_and(refused), "{bad}");
        }
    }

    /// Values on and between the steps of bytes, far beyond them, and what is no number, in odd windows.
    #[cfg(feature = "wgpu")]
    #[test]
    fn a_gpu_makes_the_words_that_the_cpu_makes() {
        let gpu = &crate::testing::gpu().device;
        let cpu = &crate::networks::device::cpu();
        let mut state = 1_u32;
        let mut value = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match state >> 30 {
                // Halves of steps, which are rounded away from zero.
                0 => (state >> 8 & 0x3ff) as f32 / 255.0 - 1.5,
                1 => ((state >> 8) as f32 / (1 << 24) as f32 - 0.5) * 20.0,
                _ => ((state >> 8) as f32 / (1 << 24) as f32 - 0.5) * 2.5,
            }
        };
        for (start, size) in [
            ([0, 0], [33, 40]),
            ([3, 5], [7, 9]),
            ([1, 0], [1, 1]),
            ([0, 39], [33, 1]),
        ] {
            let window = Window { start, size };
            let [one, other] = [(); 2].map(|()| {
                let values: Vec<f32> = (0..3 * 33 * 40).map(|_| value()).collect();
                TensorData::new(values, [1, 3, 33, 40])
            });
            let tensors = |device: &Device| {
                [&one, &other].map(|data| Tensor::<4>::from_data(data.clone(), device))
            };
            for count in [1, 2] {
                let read = |device: &Device| {
                    let pictures = tensors(device).into_iter().take(count).collect();
                    pollster::block_on(extended(pictures, window)).unwrap()
                };
                assert_eq!(read(gpu), read(cpu), "{window:?}");
            }
        }
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let values = vec![0.5, bad, bad, 0.0, bad, 0.0];
            let picture = TensorData::new(values, [1, 3, 1, 2]);
            let window = Window {
                start: [0, 0],
                size: [1, 2],
            };
            for device in [gpu, cpu] {
                let picture = Tensor::from_data(picture.clone(), device);
                let refused = pollster::block_on(shown(picture, window)).unwrap_err();
                assert!(
                    matches!(refused, ReadError::NotFinite { count: 2 }),
                    "{bad}"
                );
            }
        }
    }

    #[test]
    fn other_shapes_are_refused() {
        let data = TensorData::new(vec![0.0_f32; 8], [1, 2, 2, 2]);
        assert!(
            matches!(from_data(&data), Err(ReadError::Shape { found, .. }) if found == [1, 2, 2, 2])
        );
    }
}
