//! Networks packed and run.

use crate::{calibrate::Images, error::CompressError};
use kompakt_format::Tier;
use kompakt_model::Model;
use kompakt_pack::{InMemory, Options, order_units, write};
use kompakt_runtime::{Model as Packed, Session, SessionOptions};

/// The bytes of a packed model, without what is ancillary.
pub(crate) fn pack(model: &Model, tier: Tier) -> Result<Vec<u8>, CompressError> {
    let mut source = InMemory::new(model.clone())?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model.kompakt");
    write(&mut source, &Options::new(tier).minimal().unchecked(), &path, &|_, _| ())?;
    Ok(std::fs::read(&path)?)
}

/// Any model as bytes that the loader runs: a container of the same content, without what is ancillary.
///
/// Errors: a model that cannot be packed.
pub fn runnable(model: &Model) -> Result<Vec<u8>, CompressError> {
    model.check()?;
    pack(model, Tier::Direct)
}

/// The file that `kompakt pack` makes of a model, history and all; it is not read back.
///
/// Errors: a model that cannot be packed.
pub fn packed(model: &Model, tier: Tier) -> Result<Vec<u8>, CompressError> {
    let mut model = model.clone();
    order_units(&mut model);
    let mut source = InMemory::new(model)?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model.kompakt");
    write(&mut source, &Options::new(tier).unchecked(), &path, &|_, _| ())?;
    Ok(std::fs::read(&path)?)
}

/// Runs a packed model over all images, some at a time; `visit` gets the number of the first, how many, and the session.
pub(crate) fn each_batch(
    packed: &[u8],
    images: &Images,
    batch: usize,
    mut visit: impl FnMut(usize, usize, &Session<'_>),
) -> Result<(), CompressError> {
    let model = Packed::from_bytes(packed)?;
    let mut options = SessionOptions::default();
    options.max_batch = batch;
    options.threads = rayon::current_num_threads().min(images.n.max(1));
    let mut session = Session::new(&model, &options)?;
    let len: usize = session.input_shape().iter().product();
    if images.values.len() != len * images.n {
        return Err(CompressError::Data(format!(
            "{} numbers for {} images of shape {:?}",
            images.values.len(),
            images.n,
            session.input_shape()
        )));
    }
    for first in (0..images.n).step_by(batch.max(1)) {
        let n = batch.min(images.n - first);
        session.run_all(&[&images.values[first * len..(first + n) * len]], n)?;
        visit(first, n, &session);
    }
    Ok(())
}

/// The first output of a model for every image, by the loader: `[n, ...]`, row-major.
///
/// Errors: a model that cannot be run, images that do not fit it.
pub fn answers(model: &Model, images: &Images) -> Result<Vec<f32>, CompressError> {
    let packed = pack(model, Tier::Direct)?;
    let mut all = Vec::new();
    each_batch(&packed, images, 16, |_, _, session| all.extend_from_slice(session.output(0)))?;
    Ok(all)
}

/// The likeliest class of each of `n` images.
pub(crate) fn classes(answers: &[f32], n: usize) -> Vec<usize> {
    let each = answers.len() / n.max(1);
    let best = |logits: &[f32]| {
        logits.iter().enumerate().fold(0, |best, (i, v)| if *v > logits[best] { i } else { best })
    };
    answers.chunks_exact(each.max(1)).map(best).collect()
}

/// Squared difference as a part of the energy of `a` around its mean image.
pub(crate) fn difference(a: &[f32], b: &[f32], n: usize) -> f64 {
    let each = a.len() / n.max(1);
    let mut mean = vec![0.0; each];
    for row in a.chunks_exact(each.max(1)) {
        mean.iter_mut().zip(row).for_each(|(m, v)| *m += f64::from(*v) / n as f64);
    }
    let energy: f64 = a.iter().enumerate().map(|(i, v)| (f64::from(*v) - mean[i % each]).powi(2)).sum();
    let error: f64 = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    error / energy.max(1e-30)
}
