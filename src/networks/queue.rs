//! How much a GPU is given in advance. It takes whatever is queued, and cannot be told to leave it: work that may be
//! cancelled must not be queued yet. So work goes to it in groups, and the third waits until the first is done.

use std::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
};

use burn::tensor::Tensor;

/// Multiplications of a group, at most. By their data sheets, cards of portables do as many within a tenth of a second;
/// browsers take a card away after about two.
const MOST: u64 = 15_000_000_000;
/// Seconds that a group is to take on what is slower: that long, a newer wish waits for an older one.
#[cfg(feature = "wgpu")]
const SECONDS: f64 = 0.1;
/// Multiplications of a group, at least: waiting for a group has its price, too.
#[cfg(feature = "wgpu")]
const LEAST: u64 = 200_000_000;

/// Multiplications of a group. A program opens one adapter, so there is one size.
static GROUP: AtomicU64 = AtomicU64::new(MOST);

/// Makes groups as large as suits a device, by its billions of multiplications per second if they are known.
#[cfg(feature = "wgpu")]
pub fn adapt(rate: Option<f64>) {
    let group = rate.map_or(MOST, |rate| (1e9 * rate * SECONDS) as u64);
    GROUP.store(group.clamp(LEAST, MOST), Ordering::Relaxed);
}

/// Waits until the device has done all that was queued before.
pub type Mark = Pin<Box<dyn Future<Output = ()>>>;

/// Work that is queued in groups, of which at most two are not done.
pub struct Groups {
    /// Multiplications of a group, at least.
    least: u64,
    /// Those queued when the latest group ended.
    ended: u64,
    /// When that group is done.
    latest: Option<Mark>,
}

impl Groups {
    /// Nothing is queued yet; groups are as large as suits the device.
    pub fn new() -> Self {
        Self::of(GROUP.load(Ordering::Relaxed))
    }

    /// In groups of `least` multiplications.
    fn of(least: u64) -> Self {
        let (ended, latest) = (0, None);
        Self {
            least,
            ended,
            latest,
        }
    }

    /// Has to hear after every dispatch or few how many multiplications have been queued since the beginning. When they
    /// make a group, it ends with a `mark`, and the group before it is waited for. Without a mark all is done already.
    pub async fn queued(&mut self, multiplications: u64, mark: impl FnOnce() -> Option<Mark>) {
        if multiplications < self.ended + self.least {
            return;
        }
        self.ended = multiplications;
        if let Some(before) = std::mem::replace(&mut self.latest, mark()) {
            before.await;
        }
    }
}

/// A mark behind what has been queued on the tensor's device; `None` on the CPU, which queues nothing.
#[cfg_attr(not(feature = "wgpu"), expect(unused_variables))]
pub fn mark<const D: usize>(tensor: &Tensor<D>) -> Option<Mark> {
    #[cfg(feature = "wgpu")]
    {
        use burn::backend::Wgpu;
        use std::task::{Context, Waker};

        if super::device::is_cpu(&tensor.device()) {
            return None;
        }
        let tensor = tensor.clone().try_into_primitive::<Wgpu>().ok()?;
        // A device that failed says so when values are read back.
        let mut mark: Mark = Box::pin(async move { drop(tensor.client.sync().await) });
        // The mark is set when it is first asked for.
        let asked = mark.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        asked.is_pending().then_some(mark)
    }
    #[cfg(not(feature = "wgpu"))]
    None
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, rc::Rc};

    use super::*;

    /// A device that does nothing until it is waited for, which is the worst case.
    #[test]
    fn at_most_two_groups_are_queued_and_not_done() {
        for least in [1, 7, 40, 1000] {
            let (queued, done) = (Rc::new(Cell::new(0_u64)), Rc::new(Cell::new(0_u64)));
            let mut groups = Groups::of(least);
            let mut multiplications = 0;
            let mut most = 0;
            for step in 0..200 {
                let work = 1 + step * step % 13;
                multiplications += work;
                queued.set(queued.get() + work);
                let (marked, done_by) = (queued.get(), Rc::clone(&done));
                let mark =
                    || -> Option<Mark> { Some(Box::pin(async move { done_by.set(marked) })) };
                pollster::block_on(groups.queued(multiplications, mark));
                most = most.max(queued.get() - done.get());
            }
            // A group ends with the step that fills it, which may be larger than what was missing.
            assert!(most <= 2 * (least + 13), "{most} of groups of {least}");
            let all = multiplications;
            assert!(most >= all.min(least), "{most} of groups of {least}");
        }
    }

    /// By the sizes of the convolutions, as a pass counts them: each mark is a submit.
    #[test]
    fn an_edit_of_the_largest_model_ends_three_groups() {
        let channels = crate::config::ModelConfig::face().channels;
        let mut groups = Groups::of(MOST);
        let (mut multiplications, marks) = (0, Cell::new(0));
        for (block, pair) in channels.windows(2).enumerate() {
            let side = 4 << block;
            for [input, output, side] in [[pair[0], pair[1], side], [pair[1], pair[1], 2 * side]] {
                multiplications += (9 * input * output * side * side) as u64;
                let mark = || -> Option<Mark> {
                    marks.set(marks.get() + 1);
                    None
                };
                pollster::block_on(groups.queued(multiplications, mark));
            }
        }
        assert_eq!(marks.get(), 3, "of {multiplications} multiplications");
    }

    #[cfg(feature = "wgpu")]
    #[test]
    fn groups_are_smaller_on_slower_devices() {
        let least = |rate| {
            adapt(rate);
            Groups::new().least
        };
        assert_eq!(least(Some(0.1)), LEAST);
        assert_eq!(least(Some(50.0)), 5_000_000_000);
        assert_eq!(least(Some(9_000.0)), MOST);
        assert_eq!(least(Some(f64::NAN)), LEAST);
        assert_eq!(least(None), MOST);
    }

    #[cfg(feature = "wgpu")]
    #[test]
    fn a_mark_is_reached_and_the_cpu_needs_none() {
        use burn::tensor::{Device, Tensor};

        let made = |device: &Device| Tensor::<1>::ones([1 << 16], device) * 2.0;
        let gpu = &crate::testing::gpu().device;
        if let Some(mark) = mark(&made(gpu)) {
            pollster::block_on(mark);
        }
        assert!(mark(&made(&crate::networks::device::cpu())).is_none());
    }
}
