//! The error of a network on a data set.

use super::{coded, coded_data, wrong_input};
use crate::progress::tell;
use anyhow::Result;
use kompakt_data::{Dataset, Reconciled, Split, load_in_parts, reconcile};
use kompakt_prep::Pipeline;
use kompakt_runtime::{RuntimeError, Session};
use std::io::Write;

/// Images in memory at a time, where the data set can be read in parts.
const PART: usize = 1024;
/// Batch size.
const BATCH: usize = 64;

/// Counts the images whose likeliest class is not their label; labels are matched with the network's outputs
/// as `kompakt eval` does. Images are decoded a batch at a time.
pub(super) fn evaluate(
    session: &mut Session<'_>,
    source: &str,
    split: Split,
    json: bool,
    out: &mut dyn Write,
) -> Result<()> {
    if !session.is_classifier() {
        let all = session.outputs().iter().map(|o| format!("{:?} {:?}", o.name, o.shape)).collect();
        return Err(coded(RuntimeError::NotAClassifier(all)));
    }
    let raw_shape = session.raw_shape();
    let dims = <[usize; 3]>::try_from(raw_shape.as_slice()).ok().filter(|d| d[0] == 1 || d[0] == 3);
    let steps = match session.pipeline() {
        Some(steps) => steps.clone(),
        None => Pipeline::new(&raw_shape, Vec::new())
            .map_err(|e| wrong_input(format!("the network's input {raw_shape:?} is no image: {e}")))?,
    };
    let n_classes: usize = session.output_shape().iter().product();
    let (mut n, mut n_wrong) = (0, 0);
    tell("reading images", f64::NAN);
    for data in load_in_parts(source, split, dims, PART).map_err(coded_data)? {
        let data = data.map_err(coded_data)?;
        let is_raw = reconcile(&data, &steps).map_err(coded_data)? == Reconciled::Apply;
        let (labels, _) = data.network_labels(session.model().labels(), n_classes).map_err(coded_data)?;
        n += data.len();
        n_wrong += count_wrong(session, &data, &labels, is_raw, n_classes)?;
    }
    let error = n_wrong as f64 / n as f64;
    if json {
        let object = serde_json::json!({
            "data": source, "split": split.name(), "n": n, "wrong": n_wrong, "error": error,
        });
        writeln!(out, "{object}")?;
    } else {
        writeln!(out, "{source} {}: error {:.2} % ({n_wrong} of {n})", split.name(), 100.0 * error)?;
    }
    Ok(())
}

fn count_wrong(
    session: &mut Session<'_>,
    data: &Dataset,
    labels: &[usize],
    is_raw: bool,
    n_classes: usize,
) -> Result<usize> {
    let len = data.shape().len();
    let mut batch = vec![0.0; len * BATCH.min(data.len())];
    let mut n_wrong = 0;
    for (i, labels) in labels.chunks(BATCH).enumerate() {
        tell("evaluating", (i * BATCH) as f64 / data.len() as f64);
        let images = &mut batch[..len * labels.len()];
        for (j, image) in images.chunks_exact_mut(len).enumerate() {
            data.image(i * BATCH + j, image);
        }
        let logits =
            if is_raw { session.run_raw(images, labels.len()) } else { session.run(images, labels.len()) };
        for (logits, &label) in logits.map_err(coded)?.chunks_exact(n_classes).zip(labels) {
            n_wrong += usize::from(likeliest(logits) != label);
        }
    }
    Ok(n_wrong)
}

/// The first of the largest.
fn likeliest(logits: &[f32]) -> usize {
    let mut best = 0;
    for (i, v) in logits.iter().enumerate() {
        if *v > logits[best] || logits[best].is_nan() {
            best = i;
        }
    }
    best
}
