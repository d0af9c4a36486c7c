//! Convolutions shared out among workers that have no memory in common.
//!
//! A browser runs this crate in WebAssembly modules of one thread each. A [`ThreadPool`] stands for other such
//! modules. Each is sent a share of a large convolution as a [`ConvolutionTask`], [`perform`](super::perform)s it, and
//! sends the values back. A share is a band of rows where the picture is the larger part of what has to be sent, else
//! some output channels. Every output value is computed by the same sums in the same order as without a pool, so
//! results are equal to the last bit.
//!
//! The caller does its own share first. A task that its thread has not begun by then is withdrawn and done by the
//! caller: on a busy machine a pool costs little.
//!
//! Threads keep nothing between tasks. A task brings its share of the weights along: copying costs far less than using
//! them once, and a thread needs no more memory than the largest layer's share, however large the model.

use std::{cell::RefCell, mem::MaybeUninit, ops::Range, rc::Rc};

use super::{
    epilogue::{Activation, Epilogue},
    layer::{ConvLayer, Prologue, Share, Source},
    task::{Order, is_possible},
};

/// Multiply-adds that a share must have to be worth sending.
const LEAST_WORK: u64 = 1 << 20;
/// Rows of positions that a band must have: neighbouring bands repeat up to two rows of each other's work.
const LEAST_ROWS: usize = 8;

/// Other workers that take shares of convolutions.
pub trait ThreadPool {
    /// How many they are, the caller not counted.
    fn threads(&self) -> usize;

    /// Sends a task to `thread`; false if that is impossible. Each gets one at a time.
    fn send(&self, thread: usize, task: &ConvolutionTask) -> bool;

    /// Waits for what [`perform`](super::perform) made of the task that `thread` was sent, if it has begun.
    fn collect(&self, thread: usize) -> Answer;

    /// Ends all threads: one failed, and the pool is not asked again.
    fn stop(&self);
}

/// What became of a task.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// The result.
    Done(Vec<f32>),
    /// The thread had not begun, and now will not.
    Withdrawn,
    /// The thread cannot be relied on.
    Failed,
}

/// A share of a convolution, to be [`perform`](super::perform)ed by a worker with the same build of this crate.
pub struct ConvolutionTask<'a> {
    /// What is to be done.
    pub order: String,
    /// What it is to be done with: these values one after another.
    pub values: Vec<&'a [f32]>,
    /// How many values come back.
    pub result: usize,
}

thread_local! {
    static POOL: RefCell<Option<Rc<dyn ThreadPool>>> = const { RefCell::new(None) };
}

/// From now on shares out this thread's large convolutions; `None` computes alone again.
pub fn set_thread_pool(pool: Option<Rc<dyn ThreadPool>>) {
    POOL.set(pool);
}

/// Computes a whole layer; `planes` is its output, one per channel and depth, all of which is written.
pub(super) fn run(
    layer: &ConvLayer,
    source: &Source,
    prologue: &Prologue,
    epilogue: &Epilogue,
    planes: Vec<&mut [MaybeUninit<f32>]>,
) {
    if let Some(pool) = POOL.with_borrow(Clone::clone) {
        let shares = shares(layer, source.dims, pool.threads() + 1);
        if !shares.is_empty() {
            let work = Work {
                layer,
                source,
                prologue,
                epilogue,
            };
            if !work.share_out(&*pool, &shares, planes) {
                pool.stop();
                set_thread_pool(None);
            }
            return;
        }
    }
    let whole = layer.whole(source.dims);
    layer.run_share(&whole, source, prologue, epilogue, planes);
}

/// A layer with all that it is given.
pub(super) struct Work<'a> {
    pub layer: &'a ConvLayer,
    pub source: &'a Source<'a>,
    pub prologue: &'a Prologue<'a>,
    pub epilogue: &'a Epilogue<'a>,
}

impl<'a> Work<'a> {
    /// Computes the first share here and has the pool compute the others; says whether no thread failed. What
    /// none has computed is computed here, so that all of `planes` is written in any case.
    pub fn share_out(
        &self,
        pool: &dyn ThreadPool,
        shares: &[Share],
        planes: Vec<&mut [MaybeUninit<f32>]>,
    ) -> bool {
        let mut parts = self.cut(shares, planes);
        let others = parts.split_off(1);
        let sent: Vec<bool> = (0..others.len())
            .map(|thread| pool.send(thread, &self.task(&shares[thread + 1])))
            .collect();
        for (share, planes) in shares.iter().zip(parts) {
            self.compute(share, planes);
        }
        let mut complete = true;
        for (thread, planes) in others.into_iter().enumerate() {
            let count: usize = planes.iter().map(|plane| plane.len()).sum();
            let answer = match sent[thread] {
                true => pool.collect(thread),
                false => Answer::Failed,
            };
            match answer {
                Answer::Done(values) if values.len() == count => {
                    let mut rest = &values[..];
                    for plane in planes {
                        let (first, others) = rest.split_at(plane.len());
                        plane.write_copy_of_slice(first);
                        rest = others;
                    }
                }
                answer => {
                    complete &= answer == Answer::Withdrawn;
                    self.compute(&shares[thread + 1], planes);
                }
            }
        }
        complete
    }

    /// The output cut up: for each share its rows of each of its planes.
    fn cut<'b>(
        &self,
        shares: &[Share],
        planes: Vec<&'b mut [MaybeUninit<f32>]>,
    ) -> Vec<Vec<&'b mut [MaybeUninit<f32>]>> {
        let [_, depth, _, width] = self.layer.output_dims(self.source.dims);
        let mut parts: Vec<Vec<_>> = shares.iter().map(|_| Vec::new()).collect();
        for (index, mut plane) in planes.into_iter().enumerate() {
            for (share, part) in shares.iter().zip(&mut parts) {
                if self.layer.output_channels(share).contains(&(index / depth)) {
                    let rows = self.layer.output_rows(share, self.source.dims).len();
                    let (first, rest) = plane.split_at_mut(rows * width);
                    part.push(first);
                    plane = rest;
                }
            }
        }
        parts
    }

    fn compute(&self, share: &Share, planes: Vec<&mut [MaybeUninit<f32>]>) {
        let epilogue = self.epilogue_of(share, 0..self.layer.output);
        self.layer
            .run_share(share, self.source, self.prologue, &epilogue, planes);
    }

    /// The epilogue for these channels and a share's rows.
    fn epilogue_of(&self, share: &Share, channels: Range<usize>) -> Epilogue<'a> {
        let [_, _, _, width] = self.layer.output_dims(self.source.dims);
        let rows = self.layer.output_rows(share, self.source.dims);
        self.epilogue
            .part(channels, rows.start * width..rows.end * width)
    }

    /// A share as a task.
    pub fn task(&self, share: &Share) -> ConvolutionTask<'a> {
        let Self { layer, source, .. } = self;
        let [_, _, height, width] = source.dims;
        let window = layer.axes(source.dims)[1].window(&share.positions, height);
        let channels = layer.output_channels(share);
        let epilogue = self.epilogue_of(share, channels.clone());
        let prologue = self.prologue;
        let planes = source.values.chunks_exact(height * width);
        let rows = window.start * width..window.end * width;
        let mut values: Vec<&[f32]> = planes.map(|plane| &plane[rows.clone()]).collect();
        for phase in &layer.phases {
            let block = layer.input * phase.taps.len() * layer.block;
            values.push(&phase.weights[share.blocks.start * block..share.blocks.end * block]);
        }
        let (leaky, slopes) = match epilogue.activation {
            Activation::Identity => (Some([1.0, 1.0]), None),
            Activation::LeakyRelu { slope, gain } => (Some([slope, gain]), None),
            Activation::PRelu(slopes) => (None, Some(slopes)),
        };
        let factors = [prologue.scale, prologue.shift, epilogue.scale];
        let others = [epilogue.noise, epilogue.bias, slopes];
        values.extend(factors.into_iter().chain(others).flatten());
        let order = Order {
            kind: layer.kind,
            kernel: layer.axes.map(|axis| axis.kernel),
            channels: [layer.input, channels.len()],
            block: layer.block,
            minimal: layer.minimal,
            dims: source.dims,
            positions: share.positions.clone(),
            window,
            input_scale: prologue.scale.is_some(),
            input_shift: prologue.shift.is_some(),
            scale: epilogue.scale.is_some(),
            noise: epilogue.noise.is_some(),
            bias: epilogue.bias.is_some(),
            leaky,
        };
        ConvolutionTask {
            order: serde_json::to_string(&order).unwrap_or_default(),
            values,
            result: layer.share_dims(share, source.dims).iter().product(),
        }
    }
}

/// Cuts a layer's work on an input of `dims` into equal shares, at most `most`; empty if it is not worth it.
pub(super) fn shares(layer: &ConvLayer, dims: [usize; 4], most: usize) -> Vec<Share> {
    let places: usize = (0..3).map(|axis| layer.positions(axis, dims)).product();
    let weights = layer.weights();
    let worth = weights as u64 * places as u64 / LEAST_WORK;
    let count = most.min(usize::try_from(worth).unwrap_or(most));
    if count < 2 || !is_possible(layer.kind, layer.axes.map(|axis| axis.kernel)) {
        return Vec::new();
    }
    let whole = layer.whole(dims);
    let (rows, blocks) = (whole.positions.len(), whole.blocks.len());
    let parts = |all: usize| {
        let count = count.min(all);
        (0..count).map(move |index| index * all / count..(index + 1) * all / count)
    };
    let input: usize = dims.iter().product();
    if rows >= count * LEAST_ROWS && (input > weights || blocks < count) {
        let share = |positions| Share {
            positions,
            ..whole.clone()
        };
        return parts(rows).map(share).collect();
    }
    let share = |blocks| Share {
        blocks,
        ..whole.clone()
    };
    parts(blocks).map(share).collect()
}
