//! A small pool of threads that share out rows.
//!
//! Work is cut into chunks that do not depend on the number of threads; which thread runs which chunk does not
//! matter, for chunks write different rows. So results are the same for any number of threads.
#![expect(
    unsafe_code,
    reason = "workers borrow the caller's closure and rows for as long as it waits for them"
)]

use crate::error::RuntimeError;
use std::{
    marker::PhantomData,
    ops::Range,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

/// A call of `job(chunk, thread)` for every chunk.
type Job<'a> = &'a (dyn Fn(usize, usize) + Sync + 'a);

/// Threads that wait for work. With one thread there are none, and work is done where it is asked for.
#[derive(Debug)]
pub(crate) struct Threads {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    start: Condvar,
    done: Condvar,
    /// The next chunk that nobody has taken.
    next: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    /// Counts the jobs, so that a worker takes each once.
    round: u64,
    job: Option<Posted>,
    /// Workers that have not finished with the job.
    n_busy: usize,
    panicked: bool,
    stop: bool,
}

/// A job whose lifetime is the caller's word: it waits until `n_busy` is 0.
#[derive(Clone, Copy)]
struct Posted {
    job: *const (dyn Fn(usize, usize) + Sync + 'static),
    n_chunks: usize,
}

impl std::fmt::Debug for Posted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} chunks", self.n_chunks)
    }
}

// SAFETY: the pointer is to a `Sync` closure that outlives every use of it (see `Threads::run`).
unsafe impl Send for Posted {}

impl Threads {
    /// A pool of `n` threads, the caller's among them.
    pub(crate) fn new(n: usize) -> Result<Self, RuntimeError> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::default()),
            start: Condvar::new(),
            done: Condvar::new(),
            next: AtomicUsize::new(0),
        });
        let mut pool = Self { shared, workers: Vec::new() };
        for thread in 1..n {
            let shared = pool.shared.clone();
            let worker = std::thread::Builder::new()
                .name(format!("kompakt-{thread}"))
                .spawn(move || shared.work(thread))
                .map_err(RuntimeError::Thread)?;
            pool.workers.push(worker);
        }
        Ok(pool)
    }

    /// How many threads, the caller's among them.
    pub(crate) fn len(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `job(chunk, thread)` once for every chunk, on any thread, and returns when all are done.
    ///
    /// Panics: if a job does.
    fn run(&self, n_chunks: usize, job: Job<'_>) {
        if self.workers.is_empty() || n_chunks <= 1 {
            (0..n_chunks).for_each(|chunk| job(chunk, 0));
            return;
        }
        // SAFETY: only the lifetime changes. Workers use the pointer while `n_busy` is above 0, and `finished` does
        // not let this function return (or unwind) before it is 0.
        let job: &'static (dyn Fn(usize, usize) + Sync) = unsafe { std::mem::transmute(job) };
        {
            let mut state = self.shared.lock();
            self.shared.next.store(0, Ordering::Relaxed);
            state.round += 1;
            state.n_busy = self.workers.len();
            state.job = Some(Posted { job, n_chunks });
        }
        self.shared.start.notify_all();
        let finished = Finished(&self.shared);
        self.shared.take_chunks(job, n_chunks, 0);
        drop(finished);
        let panicked = std::mem::take(&mut self.shared.lock().panicked);
        assert!(!panicked, "a worker thread panicked");
    }

    /// Cuts rows into chunks and calls `work` on each.
    ///
    /// `data` is `[images, image_len]`, the first `rows` times `row_len` of each image being its rows; a chunk is
    /// the same `chunk_rows` rows of all images. `scratch` has one entry a thread.
    pub(crate) fn for_rows<S: Send>(
        &self,
        data: &mut [f32],
        layout: &RowLayout,
        scratch: &mut [S],
        work: impl Fn(Range<usize>, RowsMut<'_>, &mut S) + Sync,
    ) {
        let RowLayout { n_images, image_len, n_rows, row_len, chunk_rows } = *layout;
        assert!(scratch.len() >= self.len(), "scratch for every thread");
        assert!(n_rows * row_len <= image_len && n_images * image_len <= data.len(), "rows within the data");
        let (base, states) = (Raw(data.as_mut_ptr()), Raw(scratch.as_mut_ptr()));
        let chunk_rows = chunk_rows.max(1);
        self.run(n_rows.div_ceil(chunk_rows), &|chunk, thread| {
            let rows = chunk * chunk_rows..((chunk + 1) * chunk_rows).min(n_rows);
            let part = RowsMut {
                base: base.get(),
                n_images,
                image_len,
                span: rows.start * row_len..rows.end * row_len,
                lifetime: PhantomData,
            };
            // SAFETY: a thread runs one chunk at a time, so its entry is used once at a time; `thread` is below
            // `len()`, hence below the length of `scratch`.
            let scratch = unsafe { &mut *states.get().add(thread) };
            work(rows, part, scratch);
        });
    }
}

/// How the rows of several images lie; see [`Threads::for_rows`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowLayout {
    pub(crate) n_images: usize,
    pub(crate) image_len: usize,
    pub(crate) n_rows: usize,
    pub(crate) row_len: usize,
    pub(crate) chunk_rows: usize,
}

/// The same rows of several images, to be written.
pub(crate) struct RowsMut<'a> {
    base: *mut f32,
    n_images: usize,
    image_len: usize,
    /// Within each image; no other chunk has any of it.
    span: Range<usize>,
    lifetime: PhantomData<&'a mut [f32]>,
}

impl RowsMut<'_> {
    /// The rows of one image.
    pub(crate) fn image(&mut self, image: usize) -> &mut [f32] {
        assert!(image < self.n_images, "image {image} of {}", self.n_images);
        // SAFETY: `for_rows` checked that all images lie within the data, and gave this span to this chunk alone;
        // `&mut self` keeps a second slice from being made at the same time.
        unsafe {
            let start = self.base.add(image * self.image_len + self.span.start);
            std::slice::from_raw_parts_mut(start, self.span.len())
        }
    }
}

/// A pointer that may go to other threads: they use different parts of what it points to.
struct Raw<T>(*mut T);
impl<T> Raw<T> {
    fn get(&self) -> *mut T {
        self.0
    }
}
// SAFETY: see `for_rows`, the only user: threads get different rows and different entries of the scratch.
unsafe impl<T: Send> Sync for Raw<T> {}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// The life of a worker.
    fn work(&self, thread: usize) {
        let mut round = 0;
        loop {
            let mut state = self.lock();
            while !state.stop && state.round == round {
                state = self.start.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.stop {
                return;
            }
            round = state.round;
            let posted = state.job;
            drop(state);
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                if let Some(Posted { job, n_chunks }) = posted {
                    // SAFETY: this worker counts in `n_busy` until it says below that it is done.
                    self.take_chunks(unsafe { &*job }, n_chunks, thread);
                }
            }));
            let mut state = self.lock();
            state.panicked |= result.is_err();
            state.n_busy -= 1;
            if state.n_busy == 0 {
                self.done.notify_all();
            }
        }
    }
}

/// Waits, when dropped, until no worker is busy.
struct Finished<'a>(&'a Shared);

impl Drop for Finished<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        while state.n_busy > 0 {
            state = self.0.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.job = None;
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.start.notify_all();
        for worker in self.workers.drain(..) {
            // A worker catches panics; there is nothing to be learnt here.
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_written_once() {
        for n in [1, 2, 5] {
            let pool = Threads::new(n).unwrap();
            let mut scratch = vec![0usize; n];
            for chunk_rows in [1, 3, 100] {
                let mut data = vec![0.0; 4 * 60];
                let layout = RowLayout { n_images: 4, image_len: 60, n_rows: 11, row_len: 5, chunk_rows };
                pool.for_rows(&mut data, &layout, &mut scratch, |rows, mut out, calls| {
                    *calls += 1;
                    for image in 0..4 {
                        for (i, v) in out.image(image).iter_mut().enumerate() {
                            *v += (image * 1000 + rows.start * 5 + i) as f32;
                        }
                    }
                });
                for (i, v) in data.iter().enumerate() {
                    let (image, at) = (i / 60, i % 60);
                    assert_eq!(*v, if at < 55 { (image * 1000 + at) as f32 } else { 0.0 });
                }
            }
            assert_eq!(scratch.iter().sum::<usize>(), 11 + 4 + 1);
        }
    }

    #[test]
    fn a_panic_in_a_chunk_is_the_callers() {
        let pool = Threads::new(3).unwrap();
        for _ in 0..20 {
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                pool.run(8, &|chunk, _| assert!(chunk != 5, "chunk five"));
            }));
            assert!(caught.is_err());
        }
        pool.run(8, &|_, _| {});
    }
}
