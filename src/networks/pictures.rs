//! Pictures as the networks see them: RGB in [-1, 1], `pixel / 127.5 - 1`, as `[1, 3, height, width]`.

use burn::tensor::{Device, ExecutionError, Tensor, TensorData};
use thiserror::Error;

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

/// Height, width and values of a picture `[1, 3, height, width]`. A byte would hide what is no number: it becomes black.
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

    #[test]
    fn other_shapes_are_refused() {
        let data = TensorData::new(vec![0.0_f32; 8], [1, 2, 2, 2]);
        assert!(
            matches!(from_data(&data), Err(ReadError::Shape { found, .. }) if found == [1, 2, 2, 2])
        );
    }
}
