//! Networks packed in memory and run.

use crate::{error::CompressError, images::Images};
use kompakt_format::Tier;
use kompakt_format::ValueRange;
use kompakt_graph::Graph;
use kompakt_model::{Model, Parameter};
use kompakt_pack::{InMemory, Options, write_to};
use kompakt_runtime::{Activations, Model as Packed, Session, SessionOptions};

/// Batch size for answers, unless images are large.
const AT_ONCE: usize = 16;
/// The most bytes that the values of one batch may take.
const VALUES_BYTES: usize = 48 << 20;

/// The bytes of a packed model that is run and thrown away: nothing ancillary, dense weights uncompressed.
pub(crate) fn pack(model: Model, tier: Tier) -> Result<Vec<u8>, CompressError> {
    let n_dense: usize = model.parameters.values().map(dense_numbers).sum();
    let mut bytes = Vec::with_capacity(4 * n_dense);
    write_to(&mut InMemory::new(model)?, &Options::new(tier).minimal().unpacked(), &mut bytes, &|_, _| ())?;
    Ok(bytes)
}

/// Upper bound of the values of a parameter that take four bytes each.
fn dense_numbers(parameter: &Parameter) -> usize {
    match parameter {
        Parameter::Dense { values, .. } => values.len(),
        _ => 0,
    }
}

/// Any model as bytes that the loader runs: a container of the same content, without ancillary sections.
///
/// Errors: a model that cannot be packed.
pub fn runnable(model: &Model) -> Result<Vec<u8>, CompressError> {
    model.check()?;
    pack(model.clone(), Tier::Direct)
}

/// The file that `kompakt pack` makes of a model, history and all; it is not read back.
///
/// Errors: a model that cannot be packed.
pub fn packed(model: &Model, tier: Tier) -> Result<Vec<u8>, CompressError> {
    let mut bytes = Vec::new();
    write_to(&mut InMemory::ordered(model.clone())?, &Options::new(tier), &mut bytes, &|_, _| ())?;
    Ok(bytes)
}

/// The same with ranges of the values that layers read.
pub(crate) fn packed_with(
    model: &Model,
    tier: Tier,
    ranges: Vec<ValueRange>,
) -> Result<Vec<u8>, CompressError> {
    let mut source = InMemory::ordered(model.clone())?;
    source.set_ranges(ranges)?;
    let mut bytes = Vec::new();
    write_to(&mut source, &Options::new(tier), &mut bytes, &|_, _| ())?;
    Ok(bytes)
}

/// Shape of the first output, without the batch; empty where there is none.
pub fn output_shape(model: &Model) -> &[usize] {
    model.graph.outputs().first().map_or(&[], |&output| model.graph.shape(output))
}

/// How many classes the network's first output distinguishes, if it is a list of classes: at most one
/// dimension is above 1.
pub fn n_classes(model: &Model) -> Option<usize> {
    let shape = model.graph.shape(*model.graph.outputs().first()?);
    let n = shape.iter().product();
    (n > 1 && shape.iter().filter(|&&d| d > 1).count() == 1).then_some(n)
}

/// The batch size: `most`, or fewer where that many images of `numbers` values each would take much memory,
/// but at least two, because sums run in another order for one image than for several.
pub(crate) fn at_once(most: usize, numbers: usize) -> usize {
    observed_at_once(most, numbers).max(2.min(most))
}

/// As [`at_once`], or one, for values that are looked at and not compared with those of another run.
pub(crate) fn observed_at_once(most: usize, numbers: usize) -> usize {
    (VALUES_BYTES / (4 * numbers).max(1)).clamp(1, most.max(1))
}

/// The batch size for answers.
pub(crate) fn at_once_for(graph: &Graph) -> usize {
    at_once(AT_ONCE, held(graph))
}

/// Values that the pass of one image holds at a time, about: those of the largest values.
fn held(graph: &Graph) -> usize {
    let sizes = (0..graph.inputs().len() + graph.nodes().len()).map(|v| graph.shape(v).iter().product());
    3 * sizes.max().unwrap_or(0_usize)
}

/// Runs a packed model over all images, a batch at a time; `visit` gets the index of the first, the images (`[n, ...]` for each
/// input), their number, and the session.
pub(crate) fn each_batch(
    packed: &[u8],
    images: &Images,
    batch: usize,
    visit: impl FnMut(usize, &[&[f32]], usize, &Session<'_>),
) -> Result<(), CompressError> {
    each_batch_with(Activations::F32, packed, images, batch, visit)
}

/// The same with layers that read such numbers.
pub(crate) fn each_batch_with(
    activations: Activations,
    packed: &[u8],
    images: &Images,
    batch: usize,
    mut visit: impl FnMut(usize, &[&[f32]], usize, &Session<'_>),
) -> Result<(), CompressError> {
    let model = Packed::from_bytes(packed)?;
    let mut options = SessionOptions::default();
    options.activations = activations;
    options.max_batch = batch;
    options.threads = rayon::current_num_threads().min(images.n.max(1));
    let mut session = Session::new(&model, &options)?;
    let lens: Vec<usize> = session.inputs().iter().map(|port| port.len).collect();
    let len: usize = lens.iter().sum();
    if images.len_each() != len && images.n > 0 {
        return Err(CompressError::Data(format!(
            "{} numbers in an image, where the network takes shape {:?}",
            images.len_each(),
            session.input_shape()
        )));
    }
    let mut x = vec![0.0; len * batch.min(images.n)];
    let mut parts: Vec<Vec<f32>> = vec![Vec::new(); lens.len()];
    for first in (0..images.n).step_by(batch.max(1)) {
        let n = batch.min(images.n - first);
        let x = &mut x[..n * len];
        images.read(first, x);
        if let [_] = lens[..] {
            session.run_all(&[x], n)?;
            visit(first, &[x], n, &session);
            continue;
        }
        let mut start = 0;
        for (part, &own) in parts.iter_mut().zip(&lens) {
            part.clear();
            x.chunks_exact(len).for_each(|x| part.extend_from_slice(&x[start..start + own]));
            start += own;
        }
        let inputs: Vec<&[f32]> = parts.iter().map(Vec::as_slice).collect();
        session.run_all(&inputs, n)?;
        visit(first, &inputs, n, &session);
    }
    Ok(())
}

/// The first output of a model for every image, by the loader: `[n, ...]`, row-major. The model is packed once.
///
/// Errors: a model that cannot be run, images that do not fit it.
pub fn answers(model: &Model, images: &Images) -> Result<Vec<f32>, CompressError> {
    let batch = at_once_for(&model.graph);
    let packed = pack(model.clone(), Tier::Direct)?;
    let mut all = Vec::new();
    each_batch(&packed, images, batch, |_, _, _, session| all.extend_from_slice(session.output(0)))?;
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

/// Squared difference relative to the energy of `a` around its mean image.
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
