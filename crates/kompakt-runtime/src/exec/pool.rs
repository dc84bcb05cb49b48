//! A small pool of threads that take the chunks of a job.
//!
//! A layer of a small network takes some 30 us, which is what it takes to put a thread to sleep and to wake it. So whoever waits looks
//! for [`SPIN`] first whether there is something to do, and sleeps after that; where there are more threads than processors, it sleeps
//! at once. A worker that comes when all chunks are taken has missed the job, and nobody waits for it: another program may have its
//! processor for milliseconds.
#![expect(unsafe_code, reason = "workers borrow the caller's closure for as long as it waits for them")]

use super::threads::Job;
use crate::error::RuntimeError;
use alloc::{format, sync::Arc, vec::Vec};
use core::{
    fmt, hint, mem,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread::{Builder, JoinHandle, available_parallelism},
    time::Instant,
};

/// How long a thread looks for work before it sleeps.
const SPIN: Duration = Duration::from_micros(100);

/// Threads that wait for work. With one thread there are none, and work is done on the caller's thread.
#[derive(Debug)]
pub(super) struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    start: Condvar,
    done: Condvar,
    /// The next unclaimed chunk.
    next: AtomicUsize,
    /// [`State::round`] and [`State::n_busy`], to be looked at without the lock.
    round: AtomicU64,
    n_busy: AtomicUsize,
    /// Whether there is a processor for each thread, so that one that looks for work is in no other's way.
    spins: bool,
}

#[derive(Debug, Default)]
struct State {
    /// Counts the jobs, and the end, so that a worker runs each once.
    round: u64,
    /// What workers may begin with; none once the caller has found all chunks taken.
    job: Option<Posted>,
    /// Workers that have begun with the job and not finished.
    n_busy: usize,
    /// Workers that sleep until there is a job.
    n_asleep: usize,
    /// Whether the caller sleeps until no worker is busy.
    is_awaited: bool,
    panicked: bool,
    stop: bool,
}

/// A job with its lifetime erased: the caller takes it back, and waits until `n_busy` is 0.
#[derive(Clone, Copy)]
struct Posted {
    job: *const (dyn Fn(usize, usize) + Sync + 'static),
    n_chunks: usize,
}

impl fmt::Debug for Posted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} chunks", self.n_chunks)
    }
}

// SAFETY: the pointer is to a `Sync` closure that outlives every use of it (see `Threads::run`).
unsafe impl Send for Posted {}

impl Pool {
    /// A pool of `n` threads, including the caller's.
    pub(super) fn new(n: usize) -> Result<Self, RuntimeError> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::default()),
            start: Condvar::new(),
            done: Condvar::new(),
            next: AtomicUsize::new(0),
            round: AtomicU64::new(0),
            n_busy: AtomicUsize::new(0),
            spins: available_parallelism().is_ok_and(|processors| n <= processors.get()),
        });
        let mut pool = Self { shared, workers: Vec::new() };
        for thread in 1..n {
            let shared = pool.shared.clone();
            let worker = Builder::new()
                .name(format!("kompakt-{thread}"))
                .spawn(move || shared.work(thread))
                .map_err(RuntimeError::Thread)?;
            pool.workers.push(worker);
        }
        Ok(pool)
    }

    /// The number of threads, including the caller's.
    pub(super) fn len(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `job(chunk, thread)` once for every chunk, on any thread, and returns when all are done.
    ///
    /// Panics: if a job does.
    pub(super) fn run(&self, n_chunks: usize, job: Job<'_>) {
        if self.workers.is_empty() || n_chunks <= 1 {
            (0..n_chunks).for_each(|chunk| job(chunk, 0));
            return;
        }
        // SAFETY: only the lifetime changes. Workers take the pointer from the state and count in `n_busy` under one lock; `finished`
        // removes it from there, and does not let this function return (or unwind) before `n_busy` is 0.
        let job: &'static (dyn Fn(usize, usize) + Sync) = unsafe { mem::transmute(job) };
        self.shared.next.store(0, Ordering::Relaxed);
        self.shared.post(|state| state.job = Some(Posted { job, n_chunks }));
        let finished = Finished(&self.shared);
        self.shared.take_chunks(job, n_chunks, 0);
        drop(finished);
        let panicked = mem::take(&mut self.shared.lock().panicked);
        assert!(!panicked, "a worker thread panicked");
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and has all workers look at it.
    fn post(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        state.round += 1;
        self.round.store(state.round, Ordering::Release);
        let somebody_sleeps = state.n_asleep > 0;
        drop(state);
        if somebody_sleeps {
            self.start.notify_all();
        }
    }

    /// Returns when it is so, or after [`SPIN`].
    fn spin_until(&self, is_so: impl Fn() -> bool) {
        if !self.spins {
            return;
        }
        let start = Instant::now();
        loop {
            for _ in 0..64 {
                if is_so() {
                    return;
                }
                hint::spin_loop();
            }
            if start.elapsed() >= SPIN {
                return;
            }
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

    /// The main loop of a worker.
    fn work(&self, thread: usize) {
        let mut round = 0;
        loop {
            self.spin_until(|| self.round.load(Ordering::Acquire) != round);
            let mut state = self.lock();
            while !state.stop && state.round == round {
                state.n_asleep += 1;
                state = self.start.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.n_asleep -= 1;
            }
            if state.stop {
                return;
            }
            round = state.round;
            let Some(Posted { job, n_chunks }) = state.job else {
                continue;
            };
            state.n_busy += 1;
            self.n_busy.store(state.n_busy, Ordering::Relaxed);
            drop(state);
            let result = catch_unwind(AssertUnwindSafe(|| {
                // SAFETY: this worker counts in `n_busy` until it says below that it is done.
                self.take_chunks(unsafe { &*job }, n_chunks, thread);
            }));
            let mut state = self.lock();
            state.panicked |= result.is_err();
            state.n_busy -= 1;
            self.n_busy.store(state.n_busy, Ordering::Release);
            if state.n_busy == 0 && state.is_awaited {
                self.done.notify_all();
            }
        }
    }
}

/// Takes the job back when dropped, and waits until no worker is busy with it.
struct Finished<'a>(&'a Shared);

impl Drop for Finished<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.job = None;
        if state.n_busy == 0 {
            return;
        }
        drop(state);
        self.0.spin_until(|| self.0.n_busy.load(Ordering::Acquire) == 0);
        let mut state = self.0.lock();
        state.is_awaited = true;
        while state.n_busy > 0 {
            state = self.0.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.is_awaited = false;
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.post(|state| state.stop = true);
        for worker in self.workers.drain(..) {
            // Workers catch panics, so the result carries no information.
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chunk_runs_once_whether_threads_spin_or_sleep() {
        let more = available_parallelism().map_or(1, usize::from) + 1;
        for n in [1, 2, more] {
            let pool = Pool::new(n).unwrap();
            for round in 0..200 {
                let counts = [const { AtomicUsize::new(0) }; 7];
                pool.run(7, &|chunk, thread| {
                    assert!(thread < n);
                    counts[chunk].fetch_add(1, Ordering::Relaxed);
                });
                assert!(
                    counts.iter().all(|count| count.load(Ordering::Relaxed) == 1),
                    "round {round} of {n} threads"
                );
                if round % 50 == 0 {
                    std::thread::sleep(3 * SPIN); // All workers sleep.
                }
            }
        }
    }

    #[test]
    fn a_panic_in_a_chunk_is_the_callers() {
        let pool = Pool::new(3).unwrap();
        for _ in 0..20 {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                pool.run(8, &|chunk, _| assert!(chunk != 5, "chunk five"));
            }));
            assert!(caught.is_err());
        }
        pool.run(8, &|_, _| {});
    }
}
