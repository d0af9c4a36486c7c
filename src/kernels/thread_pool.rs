//! Threads that work along with whoever has work to share out.
//!
//! A job is a function that several threads run at once, each of which takes pieces from a queue until none is left.
//! The caller is one of them: it is awake, and waking others takes longer than a small layer does. It waits for those
//! that have joined, never for one that has not: on a busy machine a pool costs little. One job at a time is shared
//! out; whoever comes meanwhile, from inside of that job too, works alone.
//!
//! Natively there is a thread for every further processor. In a browser they are workers whose modules have this one's
//! memory: each of them [`enter`]s and then [`take_part`]s for ever.

use std::{
    cell::Cell,
    mem::transmute,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// How often a thread looks for something before it sleeps until it comes: for some tenths of a millisecond. In browsers
/// nothing is gained by it.
const LOOKS: usize = if cfg!(target_arch = "wasm32") { 0 } else { 500 };

/// Looks whether `came`, for a while: the next layer's work mostly comes sooner than a sleeping thread wakes. Threads of
/// other programs go first.
fn soon(came: impl Fn() -> bool) -> bool {
    (0..LOOKS).any(|_| {
        came() || {
            std::thread::yield_now();
            false
        }
    })
}

/// A job, on its caller's stack. Whoever uses the cells holds the pool's lock.
struct SharedWork<'a> {
    work: &'a (dyn Fn() + Sync),
    /// How many more threads may join.
    places: Cell<usize>,
    /// How many have joined and not left. When it is 0 again the caller goes, and the job with it.
    busy: AtomicUsize,
    /// Whether one of them panicked.
    failed: Cell<bool>,
}

/// The job that threads may join, if there is one.
struct Open(Option<&'static SharedWork<'static>>);

// SAFETY: a job's work is `Sync`, and its cells are used under a lock only.
unsafe impl Send for Open {}

thread_local! {
    /// The job that this thread has joined.
    static JOINED: Cell<Option<&'static SharedWork<'static>>> = const { Cell::new(None) };
}

struct ThreadPool {
    open: Mutex<Open>,
    /// Tells threads that a job may be joined.
    opened: Condvar,
    /// Tells callers that the last thread has left a job.
    left: Condvar,
    /// Threads that work along.
    others: AtomicUsize,
    /// How many jobs have been opened.
    jobs: AtomicUsize,
}

impl ThreadPool {
    const fn new() -> Self {
        Self {
            open: Mutex::new(Open(None)),
            opened: Condvar::new(),
            left: Condvar::new(),
            others: AtomicUsize::new(0),
            jobs: AtomicUsize::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn threads(&self) -> usize {
        1 + self.others.load(Ordering::Relaxed)
    }

    /// Runs `work` here, and meanwhile on at most `others` further threads; returns when all of them are done.
    ///
    /// # Panics
    /// If `work` does, on whatever thread.
    fn share_out(&self, others: usize, work: &(dyn Fn() + Sync)) {
        if others == 0 || self.threads() == 1 {
            return work();
        }
        let job = SharedWork {
            work,
            places: Cell::new(others),
            busy: AtomicUsize::new(0),
            failed: Cell::new(false),
        };
        // SAFETY: threads use a job between joining and leaving it only, none can join a closed one, and `Closing`
        // waits until all have left.
        let shared = unsafe { transmute::<&SharedWork<'_>, &'static SharedWork<'static>>(&job) };
        let mut open = self.lock();
        if open.0.is_some() {
            drop(open);
            return work();
        }
        open.0 = Some(shared);
        self.jobs.fetch_add(1, Ordering::Relaxed);
        drop(open);
        let closing = Closing(self, shared);
        match others {
            1 => self.opened.notify_one(),
            _ => self.opened.notify_all(),
        }
        work();
        drop(closing);
        assert!(
            !job.failed.get(),
            "another thread failed at its part of the work"
        );
    }

    /// Waits for a job, and takes part in it.
    fn take_part(&self) {
        let before = self.jobs.load(Ordering::Relaxed);
        soon(|| self.jobs.load(Ordering::Relaxed) != before);
        let mut open = self.lock();
        let job = loop {
            match open.0.filter(|job| job.places.get() > 0) {
                Some(job) => break job,
                None => {
                    open = self
                        .opened
                        .wait(open)
                        .unwrap_or_else(PoisonError::into_inner)
                }
            }
        };
        job.places.update(|places| places - 1);
        job.busy.fetch_add(1, Ordering::Relaxed);
        JOINED.set(Some(job));
        drop(open);
        let result = catch_unwind(AssertUnwindSafe(job.work));
        self.leave(result.is_err());
    }

    /// One more thread will take part.
    fn enter(&self) {
        self.others.fetch_add(1, Ordering::Relaxed);
    }

    fn leave(&self, failed: bool) {
        let open = self.lock();
        if let Some(job) = JOINED.take() {
            job.failed.update(|before| before | failed);
            if job.busy.fetch_sub(1, Ordering::Release) == 1 {
                self.left.notify_all();
            }
        }
        drop(open);
    }

    /// Has at most `threads` threads `run` the items, each of them the next that is left.
    fn take_in_turns<T: Send>(
        &self,
        items: impl ExactSizeIterator<Item = T> + Send,
        threads: usize,
        run: impl Fn(T) + Sync,
    ) {
        let others = threads.min(items.len()).saturating_sub(1);
        let queue = Mutex::new(items);
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        self.share_out(others, &|| {
            while let Some(item) = next() {
                run(item);
            }
        });
    }
}

/// Closes a job when it is dropped, be it by a panic, and waits until no thread is at it.
struct Closing<'a>(&'a ThreadPool, &'static SharedWork<'static>);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let Self(pool, job) = *self;
        let alone = || job.busy.load(Ordering::Acquire) == 0;
        pool.lock().0 = None;
        if soon(alone) {
            return;
        }
        let mut open = pool.lock();
        while !alone() {
            open = pool.left.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The threads of this program.
static POOL: ThreadPool = ThreadPool::new();

/// Starts them, once.
#[cfg(not(target_arch = "wasm32"))]
fn start() {
    static STARTED: std::sync::Once = std::sync::Once::new();
    STARTED.call_once(|| {
        let processors = std::thread::available_parallelism().map_or(1, Into::into);
        for _ in 1..processors {
            let started = std::thread::Builder::new().spawn(|| {
                POOL.enter();
                loop {
                    POOL.take_part();
                }
            });
            drop(started); // without it there are fewer
        }
    });
}

/// How many threads share work, the caller included.
pub fn threads() -> usize {
    #[cfg(not(target_arch = "wasm32"))]
    start();
    POOL.threads()
}

/// Has at most `threads` threads `run` the items, each of them the next that is left.
///
/// # Panics
/// If `run` does, on whatever thread.
pub(super) fn take_in_turns<T: Send>(
    items: impl ExactSizeIterator<Item = T> + Send,
    threads: usize,
    run: impl Fn(T) + Sync,
) {
    POOL.take_in_turns(items, threads, run);
}

/// What `run` makes of each item, in order; of several at once where there are threads.
///
/// # Panics
/// If `run` does, on whatever thread.
pub fn each<T: Sync, R: Send + Sync>(items: &[T], run: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let results: Vec<OnceLock<R>> = items.iter().map(|_| OnceLock::new()).collect();
    take_in_turns(items.iter().zip(&results), threads(), |(item, result)| {
        result.get_or_init(|| run(item));
    });
    results
        .into_iter()
        .filter_map(OnceLock::into_inner)
        .collect()
}

/// This thread enters the pool: from now on it is to [`take_part`] all the time.
pub fn enter() {
    POOL.enter();
}

/// Waits for a job, and takes part in it.
pub fn take_part() {
    POOL.take_part();
}

/// Leaves the job that this thread has joined, if any: it failed, and cannot say so itself.
pub fn leave() {
    POOL.leave(true);
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;

    /// A pool with so many threads beside the caller's.
    fn pool(others: usize) -> &'static ThreadPool {
        let pool: &ThreadPool = Box::leak(Box::new(ThreadPool::new()));
        for _ in 0..others {
            pool.enter();
            thread::spawn(|| {
                loop {
                    pool.take_part();
                }
            });
        }
        pool
    }

    /// Has each of 100 items done, and looks whether each was once.
    fn check(pool: &ThreadPool) {
        let done: [AtomicUsize; 100] = [const { AtomicUsize::new(0) }; 100];
        pool.take_in_turns(done.iter(), usize::MAX, |count| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert!(done.into_iter().all(|count| count.into_inner() == 1));
    }

    #[test]
    fn items_are_done_at_the_same_time() {
        for others in [1, 3] {
            let pool = pool(others);
            let met = Barrier::new(1 + others);
            pool.take_in_turns(0..1 + others, usize::MAX, |_| {
                met.wait();
            });
            check(pool);
        }
    }

    #[test]
    fn no_more_threads_join_than_may() {
        let pool = pool(3);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        pool.take_in_turns(0..50, 2, |_| {
            most.fetch_max(1 + now.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
            thread::yield_now();
            now.fetch_sub(1, Ordering::SeqCst);
        });
        assert!(most.into_inner() <= 2);
    }

    #[test]
    fn work_may_share_out_work_and_callers_may_meet() {
        let pool = pool(2);
        pool.take_in_turns(0..8, usize::MAX, |_| check(pool));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| check(pool));
            }
        });
    }

    #[test]
    fn a_thread_that_does_not_come_is_not_waited_for() {
        let pool = ThreadPool::new();
        pool.enter();
        check(&pool);
    }

    #[test]
    fn whoever_fails_the_caller_does_and_the_pool_lasts() {
        let pool = pool(1);
        for caller_fails in [true, false] {
            let caller = thread::current().id();
            let met = Barrier::new(2);
            let result = catch_unwind(AssertUnwindSafe(|| {
                pool.take_in_turns(0..2, usize::MAX, |_| {
                    met.wait();
                    let is_caller = thread::current().id() == caller;
                    assert!(is_caller != caller_fails, "on purpose");
                });
            }));
            assert!(result.is_err());
            check(pool);
        }
    }
}
