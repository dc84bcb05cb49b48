//! What preprocessing does to a data set: bytes, and how well the classes separate.

use crate::{
    dataset::{Dataset, Values},
    error::DataError,
};
use flate2::{Compression, write::ZlibEncoder};
use serde::Serialize;
use std::io::{self, Write};

/// One data set in figures.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Shape of one image.
    pub dims: Vec<usize>,
    /// Bytes of all images, as they are stored.
    pub n_bytes: u64,
    /// The same bytes after zlib's level 6.
    pub deflated_bytes: u64,
    /// Validation error of a nearest-mean classifier, in percent: images closest to the mean of another class;
    /// means are over the training images.
    pub nearest_mean_error: f64,
}

impl Figures {
    /// The figures of a data set, from two of its splits; bytes are of `splits` together.
    ///
    /// Errors: only those of an encoder that cannot write to memory.
    pub fn of(train: &Dataset, validation: &Dataset, splits: &[&Dataset]) -> Result<Self, DataError> {
        let mut deflated_bytes = 0;
        for data in splits {
            deflated_bytes += deflated(data.values()).map_err(|e| DataError::Inconsistent(e.to_string()))?;
        }
        Ok(Self {
            dims: train.dims(),
            n_bytes: splits.iter().map(|data| data.values().n_bytes() as u64).sum(),
            deflated_bytes,
            nearest_mean_error: nearest_mean_error(train, validation),
        })
    }
}

/// Counts what is written.
struct Count(u64);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn deflated(values: &Values) -> io::Result<u64> {
    let mut encoder = ZlibEncoder::new(Count(0), Compression::new(6));
    match values {
        Values::Bytes(bytes) | Values::Scaled { bytes, .. } => encoder.write_all(bytes)?,
        Values::Floats(floats) => {
            for piece in floats.chunks(1 << 14) {
                encoder.write_all(&piece.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())?;
            }
        }
    }
    Ok(encoder.finish()?.0)
}

fn nearest_mean_error(train: &Dataset, validation: &Dataset) -> f64 {
    let means = class_means(train);
    let mut image = vec![0.0f32; validation.shape().len()];
    let mut n_wrong = 0;
    for (i, label) in validation.labels().iter().enumerate() {
        validation.image(i, &mut image);
        let distance = |mean: &[f32]| image.iter().zip(mean).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        let distances: Vec<f32> = means.iter().map(|mean| distance(mean)).collect();
        let nearest = (0..means.len()).min_by(|a, b| distances[*a].total_cmp(&distances[*b]));
        n_wrong += usize::from(nearest != Some(usize::from(*label)));
    }
    100.0 * n_wrong as f64 / validation.len().max(1) as f64
}

fn class_means(data: &Dataset) -> Vec<Vec<f32>> {
    let size = data.shape().len();
    let mut sums = vec![vec![0.0f64; size]; data.n_classes()];
    let mut counts = vec![0usize; data.n_classes()];
    let mut image = vec![0.0f32; size];
    for (i, label) in data.labels().iter().enumerate() {
        data.image(i, &mut image);
        counts[usize::from(*label)] += 1;
        for (sum, value) in sums[usize::from(*label)].iter_mut().zip(&image) {
            *sum += f64::from(*value);
        }
    }
    let mean = |(sum, n): (Vec<f64>, usize)| sum.iter().map(|s| (s / n.max(1) as f64) as f32).collect();
    sums.into_iter().zip(counts).map(mean).collect()
}
