//! A mean image, downsampled to fit into a step: such images are smooth.

use crate::{dataset::Values, error::DataError, npy};
use kompakt_prep::{Filter, MAX_NUMBERS, Pipeline, Step};
use std::path::Path;

/// The largest root-mean-square error of the small image against the full one: a grey level of 255.
const ALLOWED: f64 = 1.0 / 255.0;
/// Iterations that refine the small image.
const ROUNDS: usize = 12;

/// `[channels, height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MeanImage {
    dims: [usize; 3],
    values: Vec<f32>,
}

impl MeanImage {
    /// Reads an `.npy` array: `[channels, height, width]`, `[height, width, channels]` or `[height, width]`,
    /// optionally with a leading 1.
    pub(crate) fn read(path: &Path) -> Result<Self, DataError> {
        let (dims, values) = npy::read_plain(path)?;
        let values = match values {
            Values::Floats(values) => values,
            Values::Bytes(bytes) | Values::Scaled { bytes, .. } => bytes.into_iter().map(f32::from).collect(),
        };
        let dims = match dims[..] {
            [1, c, h, w] => vec![c, h, w],
            _ => dims,
        };
        let (dims, values) = match dims[..] {
            [h, w] => ([1, h, w], values),
            [c @ (1 | 3), h, w] => ([c, h, w], values),
            [h, w, c @ (1 | 3)] => ([c, h, w], npy::planes_first(values, c, h * w)),
            _ => return Err(DataError::file(path, format!("{dims:?} is no image of 1 or 3 channels"))),
        };
        if let Some(value) = values.iter().find(|v| !v.is_finite()) {
            return Err(DataError::file(path, format!("holds {value}")));
        }
        Ok(Self { dims, values })
    }

    pub(crate) fn dims(&self) -> [usize; 3] {
        self.dims
    }

    /// All values times `factor`.
    pub(crate) fn scaled(mut self, factor: f32) -> Self {
        self.values.iter_mut().for_each(|v| *v *= factor);
        self
    }

    /// The step that subtracts it.
    ///
    /// Errors: an image with more detail than the values of a step hold.
    pub(crate) fn step(&self) -> Result<Step, DataError> {
        let [channels, height, width] = self.dims;
        let room = (MAX_NUMBERS - 2) / channels.max(1);
        let (mut rows, mut columns) = (height, width);
        if height * width > room {
            let side = (room as f64 / (height * width) as f64).sqrt();
            rows = ((height as f64 * side) as usize).clamp(1, room);
            columns = ((width as f64 * side) as usize).clamp(1, room / rows);
        }
        let smaller = resized(&self.dims, Filter::Area, rows, columns)?;
        let larger = resized(&[channels, rows, columns], Filter::Bilinear, height, width)?;
        let mut small = smaller.apply_to(&self.values);
        let mut error = f64::INFINITY;
        for round in 0..=ROUNDS {
            let rest: Vec<f32> =
                self.values.iter().zip(larger.apply_to(&small)).map(|(a, b)| a - b).collect();
            error =
                (rest.iter().map(|r| f64::from(*r).powi(2)).sum::<f64>() / rest.len().max(1) as f64).sqrt();
            if error == 0.0 || round == ROUNDS {
                break;
            }
            small.iter_mut().zip(smaller.apply_to(&rest)).for_each(|(s, r)| *s += r);
        }
        if error > ALLOWED {
            return Err(DataError::Steps(format!(
                "the mean image has too much detail: {rows} by {columns} numbers, which a step holds, are {:.1} grey levels off; \
                 give a mean a channel (mean=A,B,C)",
                255.0 * error
            )));
        }
        Ok(Step::Subtract { height: rows, width: columns, values: small })
    }
}

fn resized(from: &[usize], filter: Filter, height: usize, width: usize) -> Result<Pipeline, DataError> {
    Ok(Pipeline::new(from, vec![Step::Resize { height, width, filter }])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(dims: [usize; 3], value: impl Fn(f32, f32) -> f32) -> MeanImage {
        let [c, h, w] = dims;
        let at = |i: usize| value((i / w % h) as f32 / h as f32, (i % w) as f32 / w as f32);
        MeanImage { dims, values: (0..c * h * w).map(at).collect() }
    }

    #[test]
    fn a_smooth_image_fits_and_a_rough_one_is_refused() {
        let smooth = image([3, 64, 64], |y, x| 0.5 + 0.2 * (3.0 * y).sin() * (2.0 * x).cos());
        let Step::Subtract { height, width, values } = smooth.step().unwrap() else { panic!() };
        assert!(values.len() == 3 * height * width && values.len() <= 510);
        // The subtracted image is right to a grey level; at the border, with no neighbours beyond, to a few.
        let steps = Pipeline::new(&smooth.dims, vec![smooth.step().unwrap()]).unwrap();
        let rest = steps.apply_to(&smooth.values);
        let square = rest.iter().map(|v| v * v).sum::<f32>() / rest.len() as f32;
        assert!(square.sqrt() < 1.0 / 255.0 && rest.iter().all(|v| v.abs() < 8.0 / 255.0));
        let rough = image([3, 64, 64], |y, x| ((y * 97.0).sin() * (x * 89.0).cos()).abs());
        assert!(rough.step().unwrap_err().to_string().contains("grey levels"));
        // A small one is exact.
        let small = image([1, 20, 20], |y, x| (y * 97.0).sin() + x);
        let steps = Pipeline::new(&small.dims, vec![small.step().unwrap()]).unwrap();
        assert!(steps.apply_to(&small.values).iter().all(|v| *v == 0.0));
    }
}
