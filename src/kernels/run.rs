//! The way in: a whole convolution, shared out if there is a thread pool.

use super::{
    conv::written,
    epilogue::Epilogue,
    layer::{ConvLayer, Prologue, Source},
    thread_pool,
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
        let source = Source {
            values: input,
            dims,
            window: 0..dims[2],
        };
        // SAFETY: all planes are written.
        let output = unsafe {
            written(outputs, |planes| {
                thread_pool::run(self, &source, prologue, epilogue, planes);
            })
        };
        (output, outputs)
    }
}

/// What `run` makes of each item, in order; where there are threads, of several at once.
#[cfg(not(target_arch = "wasm32"))]
pub fn each<T: Sync, R: Send>(items: &[T], run: impl Fn(&T) -> R + Sync) -> Vec<R> {
    use rayon::prelude::*;
    items.par_iter().map(&run).collect()
}

/// What `run` makes of each item, in order.
#[cfg(target_arch = "wasm32")]
pub fn each<T, R>(items: &[T], run: impl Fn(&T) -> R) -> Vec<R> {
    items.iter().map(run).collect()
}
