//! The arithmetic of a compressed network compared with the original, and its time on this machine.
//!
//! Multiplications are counted: a weight of a convolution is used once per position. Time is from the
//! loader's table of costs for the instruction set of this machine: all layers with weights, for one image,
//! on one thread.

use crate::network::failed;
use anyhow::Result;
use kompakt_compress::CompressError;
use kompakt_graph::Graph;
use kompakt_runtime::{Activations, Model, Plan, RuntimeError, Session, SessionOptions};

/// One line about a packed network, compared with the same network unpruned.
pub(crate) fn line(packed: &[u8], activations: Activations) -> Result<String> {
    let broken = |error: RuntimeError| failed(CompressError::Run(error));
    let model = Model::from_bytes(packed).map_err(broken)?;
    let mut options = SessionOptions::default();
    (options.threads, options.activations) = (1, activations);
    let session = Session::new(&model, &options).map_err(broken)?;
    let container = model.container().map_err(broken)?;
    Ok(text(container.graph(), session.plan()))
}

fn text(graph: &Graph, plan: &Plan) -> String {
    let (mut n_kept, mut n_all) = (0.0, 0.0);
    for layer in &plan.layers {
        let value =
            graph.nodes().iter().position(|node| node.name == layer.name).map(|i| graph.inputs().len() + i);
        // `[channels, height, width]` of a convolution, `[n]` of a linear layer.
        let positions = value.map_or(1, |value| graph.shape(value).iter().skip(1).product::<usize>());
        n_kept += (layer.n_kept * positions) as f64;
        n_all += (layer.n_weights * positions) as f64;
    }
    let mut text = format!(
        "one image: {} of {} multiplications are left ({:.1} %)",
        count(n_kept),
        count(n_all),
        100.0 * n_kept / n_all.max(1.0)
    );
    let (ns, dense_ns) = (plan.ns(), plan.dense_ns());
    if ns > 0.0 && dense_ns > 0.0 {
        text += &format!(
            "; its layers take {} here, the original's dense arithmetic {} ({:.1} times as fast, by the table of costs of {}, one \
             thread)",
            time(ns),
            time(dense_ns),
            dense_ns / ns,
            plan.isa
        );
    }
    text
}

/// `41.2 million`.
fn count(n: f64) -> String {
    match n {
        1e9.. => format!("{:.1} billion", n / 1e9),
        1e6.. => format!("{:.1} million", n / 1e6),
        _ => format!("{n:.0}"),
    }
}

/// `3.41 ms`, `12.4 us`.
fn time(ns: f64) -> String {
    if ns < 1e6 { format!("{:.1} us", ns / 1e3) } else { format!("{:.2} ms", ns / 1e6) }
}
