//! Distributes rows over threads.
//!
//! Work is split into chunks that do not depend on the number of threads; which thread runs which chunk does
//! not matter, since chunks write different rows. So results are the same for any number of threads.
#![expect(unsafe_code, reason = "chunks write different rows of the same memory")]

#[cfg(feature = "threads")]
use super::pool::Pool;
use crate::error::RuntimeError;
use core::{marker::PhantomData, ops::Range, slice};

/// A call of `job(chunk, thread)` for every chunk.
pub(super) type Job<'a> = &'a (dyn Fn(usize, usize) + Sync + 'a);

/// Runs chunks on the caller's thread and, with the feature `threads` or in a browser's module with shared memory, on others.
#[derive(Debug)]
pub(crate) struct Threads {
    #[cfg(feature = "threads")]
    pool: Pool,
    #[cfg(all(target_arch = "wasm32", target_feature = "atomics"))]
    n: usize,
}

#[cfg(feature = "threads")]
impl Threads {
    /// That many threads, including the caller's.
    ///
    /// Errors: a thread cannot be started.
    pub(crate) fn new(n: usize) -> Result<Self, RuntimeError> {
        Ok(Self { pool: Pool::new(n)? })
    }

    /// The number of threads, including the caller's.
    pub(crate) fn len(&self) -> usize {
        self.pool.len()
    }

    fn run(&self, n_chunks: usize, job: Job<'_>) {
        self.pool.run(n_chunks, job);
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "atomics"))]
impl Threads {
    /// The caller's thread and Workers of the page, which come when they can.
    pub(crate) fn new(n: usize) -> Result<Self, RuntimeError> {
        Ok(Self { n })
    }

    /// The number of threads, including the caller's.
    pub(crate) fn len(&self) -> usize {
        self.n
    }

    fn run(&self, n_chunks: usize, job: Job<'_>) {
        if self.n <= 1 || n_chunks <= 1 {
            (0..n_chunks).for_each(|chunk| job(chunk, 0));
        } else {
            super::workers::WORKERS.run(self.n, n_chunks, job);
        }
    }
}

#[cfg(not(any(feature = "threads", all(target_arch = "wasm32", target_feature = "atomics"))))]
impl Threads {
    /// The caller's thread only, whatever number is requested.
    pub(crate) fn new(_: usize) -> Result<Self, RuntimeError> {
        Ok(Self {})
    }

    /// One.
    pub(crate) fn len(&self) -> usize {
        1
    }

    fn run(&self, n_chunks: usize, job: Job<'_>) {
        (0..n_chunks).for_each(|chunk| job(chunk, 0));
    }
}

impl Threads {
    /// Splits rows into chunks and calls `work` on each.
    ///
    /// `data` is `[images, image_len]`, the first `rows` times `row_len` of each image being its rows; a chunk is
    /// the same `chunk_rows` rows of all images. `scratch` has one entry per thread.
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

/// The layout of the rows of several images; see [`Threads::for_rows`].
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
    /// The range within each image; chunks are disjoint.
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
            slice::from_raw_parts_mut(start, self.span.len())
        }
    }
}

/// A pointer that may be sent to other threads: they access disjoint parts of its target.
struct Raw<T>(*mut T);
impl<T> Raw<T> {
    fn get(&self) -> *mut T {
        self.0
    }
}
// SAFETY: see `for_rows`, the only user: threads get different rows and different entries of the scratch.
unsafe impl<T: Send> Sync for Raw<T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

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
}
