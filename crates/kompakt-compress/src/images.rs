//! Prepared images, a few at a time: however many there are, only those that are being run lie in memory.

use std::{fmt, sync::Arc};

/// Writes images from number `first` on, as many as fit.
type Fill = dyn Fn(usize, &mut [f32]) + Send + Sync;

/// Prepared images, as the network's only input takes them, with their classes. Cheap to clone.
#[derive(Clone)]
pub struct Images {
    /// One an image, or none at all: then what the original network says counts as true.
    pub labels: Vec<usize>,
    /// How many there are.
    pub n: usize,
    /// Numbers in an image.
    len: usize,
    fill: Arc<Fill>,
}

impl Images {
    /// `n` images of `len` numbers each. `fill` is given the number of the first image wanted and room for one or more, one
    /// after the other, row-major; it must write the same each time.
    pub fn new(
        len: usize,
        n: usize,
        labels: Vec<usize>,
        fill: impl Fn(usize, &mut [f32]) + Send + Sync + 'static,
    ) -> Self {
        Self { labels, n, len, fill: Arc::new(fill) }
    }

    /// Images that lie in memory: `values` is `[n, ...]`, row-major. What does not fill an image is left out.
    pub fn from_values(values: Vec<f32>, n: usize, labels: Vec<usize>) -> Self {
        let len = values.len() / n.max(1);
        Self::new(len, n, labels, move |first, to| {
            to.copy_from_slice(&values[first * len..first * len + to.len()]);
        })
    }

    /// Numbers in an image.
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

    /// Every number times `scale` plus `shift`.
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
