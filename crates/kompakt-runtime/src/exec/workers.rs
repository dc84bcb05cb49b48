//! Threads that somebody else starts, for a browser's page: its Workers call [`Workers::work`] and take chunks of jobs.
//!
//! ```text
//! the page      post a job, open the gate ─► take chunks ─► close the gate ─► look until nobody is inside ─► done
//! a Worker      sleep ─► in, if the gate is open ─► take chunks ─► out ─► look for a new job for a while ─► sleep
//! ```
//!
//! As [`pool`](super::pool), but a page's thread may not sleep: it looks until the last chunk is done. That is all it waits for; a Worker
//! that comes late finds the gate closed. Nothing here allocates or locks.
#![expect(unsafe_code, reason = "workers borrow the caller's closure for as long as it waits for them")]

use super::threads::Job;
use core::{
    cell::UnsafeCell,
    hint, mem,
    sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
};

/// How often a Worker looks for a new job before it sleeps: some 0.1 ms.
const LOOKS: u32 = 1 << 16;
/// The bit of an open gate. The others count who is inside.
const OPEN: u32 = 1 << 31;

/// All Workers that share this module's memory.
#[cfg(target_arch = "wasm32")]
pub static WORKERS: Workers = Workers::new();

/// See the [module page](self).
#[derive(Debug)]
pub struct Workers {
    /// Counts jobs and epochs. Workers sleep until it changes.
    round: AtomicU32,
    /// Counts how often Workers were sent away. One that was started in an earlier epoch takes no part.
    epoch: AtomicU32,
    gate: AtomicU32,
    n_asleep: AtomicU32,
    /// The next unclaimed chunk.
    next: AtomicUsize,
    has_failed: AtomicBool,
    /// Written while the gate is closed and nobody is inside; read inside.
    job: UnsafeCell<Option<Posted>>,
}

/// A job with its lifetime erased: the caller waits until nobody is inside.
#[derive(Debug, Clone, Copy)]
struct Posted {
    job: *const (dyn Fn(usize, usize) + Sync + 'static),
    n_chunks: usize,
    /// Threads that may take part, with the caller's.
    n_threads: usize,
}

// SAFETY: the only field that is not atomic is `job`, which is not read while it is written, and points to a `Sync` closure that
// outlives every use of it (see `run`).
unsafe impl Sync for Workers {}

impl Workers {
    const fn new() -> Self {
        Self {
            round: AtomicU32::new(0),
            epoch: AtomicU32::new(0),
            gate: AtomicU32::new(0),
            n_asleep: AtomicU32::new(0),
            next: AtomicUsize::new(0),
            has_failed: AtomicBool::new(false),
            job: UnsafeCell::new(None),
        }
    }

    /// Calls `job(chunk, thread)` once for every chunk, on this thread (0) or a Worker below `n_threads`, and returns when all are done.
    ///
    /// To be called by one thread at a time. Panics: if a Worker did.
    pub(super) fn run(&self, n_threads: usize, n_chunks: usize, job: Job<'_>) {
        // A job that panicked on the caller's thread in WebAssembly, where nothing unwinds, left the gate open.
        self.close();
        // SAFETY: only the lifetime changes. Workers read the pointer inside alone, and `Closing` lets this function neither return nor
        // unwind before all have left.
        let job: &'static (dyn Fn(usize, usize) + Sync) = unsafe { mem::transmute(job) };
        // SAFETY: the gate is closed and nobody is inside.
        unsafe { *self.job.get() = Some(Posted { job, n_chunks, n_threads }) };
        self.next.store(0, Ordering::Relaxed);
        self.gate.store(OPEN, Ordering::Release);
        let closing = Closing(self);
        self.announce();
        self.take_chunks(job, n_chunks, 0);
        drop(closing);
        assert!(!self.has_failed.swap(false, Ordering::Relaxed), "a Worker panicked");
    }

    /// The main loop of a Worker, which is thread `thread`, from 1: until its epoch ends.
    ///
    /// A thread's number is that of one Worker of the epoch alone.
    pub fn work(&self, thread: usize, epoch: u32) {
        // Whatever is going on, it looks into it first.
        let mut round = self.round.load(Ordering::SeqCst).wrapping_sub(1);
        loop {
            self.sleep_until_after(round);
            round = self.round.load(Ordering::SeqCst);
            if self.enter() {
                // Inside, the epoch is at least that of the job.
                let is_ours = self.epoch.load(Ordering::SeqCst) == epoch;
                // SAFETY: inside, nobody writes.
                if let (true, Some(posted)) = (is_ours, unsafe { *self.job.get() })
                    && thread < posted.n_threads
                {
                    // SAFETY: the caller keeps the closure until this Worker has left.
                    self.take_chunks(unsafe { &*posted.job }, posted.n_chunks, thread);
                }
                self.leave();
            }
            if self.epoch.load(Ordering::SeqCst) != epoch {
                return;
            }
        }
    }

    /// Ends the epoch, so that all Workers return from [`work`](Self::work); returns the next one.
    ///
    /// Not to be called during a run.
    pub fn send_away(&self) -> u32 {
        let epoch = self.epoch.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
        self.announce();
        epoch
    }

    /// Says that this Worker's job panicked, where nothing unwinds: the caller does not wait for it, and panics as well.
    ///
    /// To be called by a Worker whose [`work`](Self::work) did not return.
    pub fn fail(&self) {
        self.has_failed.store(true, Ordering::Relaxed);
        self.leave();
    }

    /// Changes the round and wakes all who sleep.
    fn announce(&self) {
        self.round.fetch_add(1, Ordering::SeqCst);
        // Who falls asleep after this sees the new round first.
        if self.n_asleep.load(Ordering::SeqCst) > 0 {
            sleep::wake(&self.round);
        }
    }

    /// Returns when there is another round than this one: it looks for some time, then sleeps.
    fn sleep_until_after(&self, round: u32) {
        for _ in 0..LOOKS {
            if self.round.load(Ordering::Relaxed) != round {
                return;
            }
            hint::spin_loop();
        }
        self.n_asleep.fetch_add(1, Ordering::SeqCst);
        while self.round.load(Ordering::SeqCst) == round {
            sleep::while_it_is(&self.round, round);
        }
        self.n_asleep.fetch_sub(1, Ordering::SeqCst);
    }

    /// Goes in, if the gate is open.
    fn enter(&self) -> bool {
        let one_more = |gate| (gate & OPEN != 0).then_some(gate + 1);
        self.gate.fetch_update(Ordering::SeqCst, Ordering::Relaxed, one_more).is_ok()
    }

    fn leave(&self) {
        self.gate.fetch_sub(1, Ordering::Release);
    }

    /// Closes the gate and looks until nobody is inside.
    fn close(&self) {
        self.gate.fetch_and(!OPEN, Ordering::Relaxed);
        while self.gate.load(Ordering::Acquire) != 0 {
            hint::spin_loop();
        }
    }

    fn take_chunks(&self, job: Job<'_>, n_chunks: usize, thread: usize) {
        loop {
            let chunk = self.next.fetch_add(1, Ordering::Relaxed);
            if chunk >= n_chunks {
                return;
            }
            job(chunk, thread);
        }
    }
}

/// Closes the gate when dropped.
struct Closing<'a>(&'a Workers);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Sleeping, which JavaScript does for the module: `Atomics.wait` and `Atomics.notify` on its memory.
#[cfg(target_arch = "wasm32")]
mod sleep {
    use core::sync::atomic::AtomicU32;

    #[link(wasm_import_module = "workers")]
    unsafe extern "C" {
        safe fn wait(at: *const AtomicU32, value: u32);
        safe fn notify(at: *const AtomicU32);
    }

    /// Returns when woken, at once if there is another value, or for no reason.
    pub(super) fn while_it_is(at: &AtomicU32, value: u32) {
        wait(at, value);
    }

    pub(super) fn wake(at: &AtomicU32) {
        notify(at);
    }
}

/// In tests: short sleeps.
#[cfg(not(target_arch = "wasm32"))]
mod sleep {
    use core::{sync::atomic::AtomicU32, time::Duration};

    pub(super) fn while_it_is(_: &AtomicU32, _: u32) {
        std::thread::sleep(Duration::from_micros(10));
    }

    pub(super) fn wake(_: &AtomicU32) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        thread::scope,
        time::Duration,
    };

    /// Runs with Workers beside it, which are sent away at the end.
    fn with_workers(workers: &Workers, n_threads: usize, run: impl FnOnce()) {
        let epoch = workers.epoch.load(Ordering::SeqCst);
        scope(|scope| {
            for thread in 1..n_threads {
                scope.spawn(move || workers.work(thread, epoch));
            }
            let result = catch_unwind(AssertUnwindSafe(run));
            assert_eq!(workers.send_away(), epoch + 1);
            result.unwrap();
        });
    }

    #[test]
    fn every_chunk_runs_once_on_one_of_the_threads_that_may_take_part() {
        let workers = Workers::new();
        for n in [1, 2, 4] {
            with_workers(&workers, n, || {
                for round in 0..500 {
                    let n_threads = 1 + round % n;
                    let counts = [const { AtomicUsize::new(0) }; 7];
                    let inside = [const { AtomicBool::new(false) }; 4];
                    workers.run(n_threads, 7, &|chunk, thread| {
                        assert!(thread < n_threads);
                        assert!(!inside[thread].swap(true, Ordering::SeqCst), "two are thread {thread}");
                        counts[chunk].fetch_add(1, Ordering::Relaxed);
                        inside[thread].store(false, Ordering::SeqCst);
                    });
                    assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1), "round {round}");
                    if round % 100 == 0 {
                        std::thread::sleep(Duration::from_millis(2)); // All Workers sleep.
                    }
                }
            });
        }
    }

    #[test]
    fn workers_take_chunks() {
        let workers = Workers::new();
        with_workers(&workers, 2, || {
            let by_worker = AtomicBool::new(false);
            // The caller's chunk ends when a Worker has taken the other.
            workers.run(2, 2, &|_, thread| match thread {
                0 => {
                    while !by_worker.load(Ordering::SeqCst) {
                        std::thread::yield_now();
                    }
                }
                _ => by_worker.store(true, Ordering::SeqCst),
            });
        });
    }

    #[test]
    fn nobody_waits_for_workers_that_do_not_come() {
        Workers::new().run(4, 9, &|_, thread| assert_eq!(thread, 0));
    }

    #[test]
    fn a_failed_worker_is_the_callers_panic() {
        let workers = Workers::new();
        let failed = AtomicBool::new(false);
        scope(|scope| {
            scope.spawn(|| {
                // As in WebAssembly: what fails does not return, and `fail` is called instead.
                if catch_unwind(AssertUnwindSafe(|| workers.work(1, 0))).is_err() {
                    failed.store(true, Ordering::SeqCst);
                    workers.fail();
                }
            });
            let caught = catch_unwind(AssertUnwindSafe(|| {
                workers.run(2, 2, &|_, thread| {
                    assert_eq!(thread, 0, "on a Worker");
                    while !failed.load(Ordering::SeqCst) {
                        std::thread::yield_now();
                    }
                });
            }));
            assert!(caught.is_err());
            workers.run(2, 3, &|_, thread| assert_eq!(thread, 0));
        });
    }
}
