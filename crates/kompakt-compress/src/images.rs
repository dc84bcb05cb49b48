//! Prepared images, a batch at a time: however many there are, only those that are being run are in memory.

use std::{fmt, sync::Arc};

/// Writes images from number `first` on, as many as fit.
type Fill = dyn Fn(usize, &mut [f32]) + Send + Sync;

/// Prepared images, as the network's only input takes them, with their classes; for a network of several inputs those of one
/// image after the other. Cheap to clone.
#[derive(Clone)]
pub struct Images {
    /// One per image, or none at all: then the original network's answer counts as the label.
    pub labels: Vec<usize>,
    /// Number of images.
    pub n: usize,
    /// Values per image.
    len: usize,
    fill: Arc<Fill>,
}

impl Images {
    /// `n` images of `len` values each. `fill` is given the index of the first image wanted and room for one
    /// or more, one after the other, row-major; it must write the same each time.
    pub fn new(
        len: usize,
        n: usize,
        labels: Vec<usize>,
        fill: impl Fn(usize, &mut [f32]) + Send + Sync + 'static,
    ) -> Self {
        Self { labels, n, len, fill: Arc::new(fill) }
    }

    /// Images in memory: `values` is `[n, ...]`, row-major. An incomplete last image is left out.
    pub fn from_values(values: Vec<f32>, n: usize, labels: Vec<usize>) -> Self {
        let len = values.len() / n.max(1);
        Self::new(len, n, labels, move |first, to| {
            to.copy_from_slice(&values[first * len..first * len + to.len()]);
        })
    }

    /// Values per image.
    pub fn len_each(&self) -> usize {
        self.len
    }

    /// Images from number `first` on, as many as fit into `to`.
    pub(crate) fn read(&self, first: usize, to: &mut [f32]) {
        (self.fill)(first, to);
    }

    /// The first `n` images.
    pub(crate) fn first(&self, n: usize) -> Self {
        let n = n.min(self.n);
        let labels = self.labels.iter().copied().take(n).collect();
        Self { labels, n, len: self.len, fill: self.fill.clone() }
    }

    /// Every value times `scale` plus `shift`.
    pub(crate) fn moved(&self, scale: f32, shift: f32) -> Self {
        let fill = self.fill.clone();
        Self::new(self.len, self.n, self.labels.clone(), move |first, to| {
            fill(first, to);
            to.iter_mut().for_each(|v| *v = *v * scale + shift);
        })
    }
}

impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} images of {} numbers", self.n, self.len)
    }
}
