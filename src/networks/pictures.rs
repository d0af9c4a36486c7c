//! Pictures as the networks see them: RGB in [-1, 1], `pixel / 127.5 - 1`, as `[1, 3, height, width]`.

use burn::tensor::{Device, ExecutionError, Tensor, TensorData};
use thiserror::Error;

#[cfg(feature = "wgpu")]
use super::{device::is_cpu, shaders};
use crate::pixels::{Difference, Picture, Space};

/// Why values could not be read back from a device.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The device failed while computing.
    #[error("the device failed: {0}; reload and try again, or run on the CPU")]
    Device(#[from] ExecutionError),
    /// A picture with values that are no numbers or infinite.
    #[error(
        "the networks made a picture that is none: {count} of its values are no finite numbers; \
         fetch the weights again, or run on the CPU"
    )]
    NotFinite {
        /// How many.
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

/// Height, width and values of a picture `[1, 3, height, width]`. A byte would hide what is no number: it becomes
/// black.
fn planes(data: &TensorData) -> Result<([usize; 2], &[f32]), ReadError> {
    let shape: Vec<usize> = data.shape().iter().copied().collect();
    let bad_shape = || ReadError::Shape {
        expected: "[1, 3, height, width]",
        found: shape.clone(),
    };
    let &[1, 3, height, width] = shape.as_slice() else {
        return Err(bad_shape());
    };
    let values = data.as_slice::<f32>().map_err(|_| bad_shape())?;
    match values.iter().filter(|value| !value.is_finite()).count() {
        0 => {}
        count => return Err(ReadError::NotFinite { count }),
    }
    Ok(([height, width], values))
}

/// The picture in `[1, 3, height, width]` values around [-1, 1], clamped and rounded.
///
/// # Errors
/// [`ReadError::Shape`] if the data is not of that form, [`ReadError::NotFinite`] if it is no picture.
pub fn from_data(data: &TensorData) -> Result<Picture<'static>, ReadError> {
    let ([height, width], values) = planes(data)?;
    let plane = height * width;
    let byte = |value: f32| ((value + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8;
    Ok(Picture::from_rgb(width, height, |x, y| {
        let at = y * width + x;
        [0, 1, 2].map(|channel| byte(values[channel * plane + at]))
    }))
}

/// How two pictures of one size differ, not clamped.
///
/// # Errors
/// [`ReadError::Shape`] if the data are not of one such form, [`ReadError::NotFinite`] if one is no picture.
pub fn difference(edited: &TensorData, unedited: &TensorData) -> Result<Difference, ReadError> {
    let ([height, width], edited) = planes(edited)?;
    let (size, unedited) = planes(unedited)?;
    let plane = height * width;
    let steps = (0..3 * plane).map(|at| {
        let at = at % 3 * plane + at / 3;
        (edited[at] - unedited[at]) * 127.5
    });
    let fits = size == [height, width];
    let made = fits
        .then(|| Difference::from_steps(width, height, steps))
        .flatten();
    made.ok_or_else(|| ReadError::Shape {
        expected: "the size of the other picture",
        found: size.to_vec(),
    })
}

/// The part of a picture that is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Rows above it, and columns left of it.
    pub start: [usize; 2],
    /// Its rows and columns.
    pub size: [usize; 2],
}

impl Window {
    /// Its values.
    async fn read(self, image: Tensor<4>) -> Result<TensorData, ReadError> {
        let Self { start, size } = self;
        let image = image
            .narrow(2, start[0], size[0])
            .narrow(3, start[1], size[1]);
        Ok(image.into_data_async().await?)
    }
}

/// A picture as a person sees it: [`from_data`] of what `window` shows of `image`, `[1, 3, height, width]`. A GPU hands
/// over bytes.
///
/// # Errors
/// As there, or a failing device.
pub async fn shown(image: Tensor<4>, window: Window) -> Result<Picture<'static>, ReadError> {
    #[cfg(feature = "wgpu")]
    if !is_cpu(&image.device()) {
        return Words::read(shaders::bytes(image, None, window.start, window.size))
            .await?
            .picture(window);
    }
    from_data(&window.read(image).await?)
}

/// An edit's picture as [`shown`], what it is compared with, if that is `wanted`, and the [`difference`], all in one
/// read.
///
/// # Errors
/// As there.
pub async fn shown_edit(
    edited: Tensor<4>,
    unedited: Tensor<4>,
    wanted: bool,
    window: Window,
) -> Result<(Picture<'static>, Option<Picture<'static>>, Difference), ReadError> {
    #[cfg(feature = "wgpu")]
    if !is_cpu(&edited.device()) {
        let words = shaders::bytes(edited, Some((unedited, wanted)), window.start, window.size);
        let mut words = Words::read(words).await?;
        let picture = words.picture(window)?;
        let difference = words.difference(window)?;
        let unedited = wanted.then(|| words.picture(window)).transpose()?;
        return Ok((picture, unedited, difference));
    }
    let (edited, unedited) = (window.read(edited).await?, window.read(unedited).await?);
    let shown = wanted.then(|| from_data(&unedited)).transpose()?;
    Ok((from_data(&edited)?, shown, difference(&edited, &unedited)?))
}

/// What a GPU has made of pictures, see [`shaders::bytes`].
#[cfg(feature = "wgpu")]
struct Words(std::vec::IntoIter<u32>);

#[cfg(feature = "wgpu")]
impl Words {
    async fn read(words: Tensor<1, burn::tensor::Int>) -> Result<Self, ReadError> {
        let data = words.into_data_async().await?;
        let found = data.shape().iter().copied().collect();
        let expected = "words";
        let words = data.try_into_vec::<u32>();
        let words = words.map_err(|_| ReadError::Shape { expected, found })?;
        Ok(Self(words.into_iter()))
    }

    /// The pixels that come next.
    fn picture(&mut self, window: Window) -> Result<Picture<'static>, ReadError> {
        let [height, width] = window.size;
        let words = self.0.by_ref().take(height * width);
        let rgba: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        let alpha = rgba.iter().skip(3).step_by(4);
        match alpha.map(|&alpha| usize::from(255 - alpha)).sum() {
            0 => {}
            count => return Err(ReadError::NotFinite { count }),
        }
        Picture::new(width, height, rgba).map_err(|_| ReadError::Shape {
            expected: "a picture",
            found: vec![height, width],
        })
    }

    /// The differences that come next.
    fn difference(&mut self, window: Window) -> Result<Difference, ReadError> {
        let [height, width] = window.size;
        let count = 3 * height * width;
        // All of them: of the last ones, not every half is a value.
        let words = self.0.by_ref().take(3 * (height * width).div_ceil(2));
        let words: Vec<u32> = words.collect();
        let values = words
            .iter()
            .flat_map(|&word| [word as i16, (word >> 16) as i16]);
        let values = values.take(count).collect();
        Difference::new(width, height, values).ok_or_else(|| ReadError::Shape {
            expected: "three differences per pixel",
            found: vec![height, width],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_go_beyond_white() {
        let data = |values: [f32; 6]| TensorData::new(values.to_vec(), [1, 3, 1, 2]);
        let light = data([1.2, 0.0, 3.0, 0.0, -1.5, 0.0]);
        let lighter = data([1.4, 0.5, 1.0, 0.0, -1.0, 0.0]);
        let difference = difference(&lighter, &light).unwrap();
        // Two pixels of red, green and blue in sixty-fourths of a step; 0.2 is 25.5 steps.
        assert_eq!(difference.values(), [1632, -16320, 4080, 4080, 0, 0]);
    }

    #[test]
    fn pictures_come_back_from_tensors() {
        let picture = Picture::from_rgb(37, 19, |x, y| [x as u8, y as u8, (x ^ y) as u8]);
        let tensor = to_tensor(&picture, &Device::flex());
        assert_eq!(tensor.dims(), [1, 3, 19, 37]);
        assert_eq!(from_data(&tensor.into_data()).unwrap(), picture);
    }

    #[test]
    fn values_that_are_no_numbers_are_no_picture() {
        let good = TensorData::new(vec![0.5_f32; 6], [1, 3, 1, 2]);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut values = vec![0.5; 6];
            values[4] = bad;
            let data = TensorData::new(values, [1, 3, 1, 2]);
            let refused = |error| matches!(error, ReadError::NotFinite { count: 1 });
            assert!(from_data(&data).is_err_and(refused), "{bad}");
            assert!(difference(&data, &good).is_err_and(refused), "{bad}");
            assert!(difference(&good, &data).is_err_and(refused), "{bad}");
        }
    }

    /// Values on and between the steps of bytes, far beyond them, and what is no number, in odd windows.
    #[cfg(feature = "wgpu")]
    #[test]
    fn a_gpu_makes_the_bytes_that_the_cpu_makes() {
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
            let edit = |device: &Device, wanted| {
                let [edited, unedited] = tensors(device);
                pollster::block_on(shown_edit(edited, unedited, wanted, window)).unwrap()
            };
            for wanted in [false, true] {
                assert_eq!(edit(gpu, wanted), edit(cpu, wanted), "{window:?}");
            }
            let picture = |device: &Device| {
                let [image, _] = tensors(device);
                pollster::block_on(shown(image, window)).unwrap()
            };
            assert_eq!(picture(gpu), picture(cpu), "{window:?}");
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
