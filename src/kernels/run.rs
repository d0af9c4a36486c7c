//! The way in: a whole convolution.

use super::{
    conv::written,
    epilogue::Epilogue,
    layer::{ConvLayer, Prologue},
    thread_pool::threads,
};

impl ConvLayer {
    /// Convolves `input` of `dims` `[in, depth, height, width]`; returns the output and its dimensions.
    ///
    /// # Panics
    /// If a length does not fit the dimensions or the dimensions do not fit the layer.
    pub fn run(
        &self,
        input: &[f32],
        dims: [usize; 4],
        prologue: &Prologue,
        epilogue: &Epilogue,
    ) -> (Vec<f32>, [usize; 4]) {
        assert_eq!(dims[0], self.input, "input channels");
        assert_eq!(
            input.len(),
            dims.iter().product::<usize>(),
            "input of dimensions {dims:?}"
        );
        for values in [prologue.scale, prologue.shift].into_iter().flatten() {
            assert_eq!(
                values.len(),
                self.input,
                "a prologue needs one value per input channel"
            );
        }
        let outputs = self.output_dims(dims);
        epilogue.check(outputs[0], outputs[2] * outputs[3]);
        // SAFETY: all planes are written.
        let output = unsafe {
            written(outputs, |planes| {
                self.compute(threads(), input, dims, prologue, epilogue, planes);
            })
        };
        (output, outputs)
    }
}
