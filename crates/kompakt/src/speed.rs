//! How much arithmetic a compressed network needs beside the original, and what its linear layers cost here.
//!
//! Multiplications are counted: a weight of a convolution is used once a position. What linear layers cost with one image
//! is in the loader's table for the instruction set of this machine; for convolutions there is no such table.

use crate::network::failed;
use anyhow::Result;
use kompakt_compress::{CompressError, runnable};
use kompakt_graph::Graph;
use kompakt_model::Model;
use kompakt_runtime::{Model as Packed, Plan, RuntimeError, Session, SessionOptions};

/// Arithmetic of one image.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Work {
    /// Multiplications by weights that are kept.
    n_kept: f64,
    /// By all weights.
    n_all: f64,
    /// Nanoseconds of the linear layers that the table knows, in the form they are run.
    linear_ns: f64,
}

/// One line about the result, beside the original.
pub(crate) fn line(original: &Model, packed: &[u8]) -> Result<String> {
    let (before, isa) = work(&original.graph, &runnable(original).map_err(failed)?)?;
    let (after, _) = work(&original.graph, packed)?;
    let mut text = format!(
        "one image: {} of {} multiplications are left ({:.1} %)",
        count(after.n_kept),
        count(before.n_all),
        100.0 * after.n_kept / before.n_all.max(1.0)
    );
    if before.linear_ns > 0.0 && after.linear_ns > 0.0 {
        text += &format!(
            "; linear layers by the table of costs ({isa}, one thread): {:.2} us, the original's dense {:.2} us ({:.1} times as fast)",
            after.linear_ns / 1e3,
            before.linear_ns / 1e3,
            before.linear_ns / after.linear_ns
        );
    }
    Ok(text)
}

fn work(graph: &Graph, packed: &[u8]) -> Result<(Work, &'static str)> {
    let broken = |error: RuntimeError| failed(CompressError::Run(error));
    let model = Packed::from_bytes(packed).map_err(broken)?;
    let mut options = SessionOptions::default();
    options.threads = 1;
    let session = Session::new(&model, &options).map_err(broken)?;
    let plan = session.plan();
    Ok((sum(graph, plan), plan.isa))
}

fn sum(graph: &Graph, plan: &Plan) -> Work {
    let mut work = Work { n_kept: 0.0, n_all: 0.0, linear_ns: 0.0 };
    for layer in &plan.layers {
        let value =
            graph.nodes().iter().position(|node| node.name == layer.name).map(|i| graph.inputs().len() + i);
        // `[channels, height, width]` of a convolution, `[n]` of a linear layer.
        let positions = value.map_or(1, |value| graph.shape(value).iter().skip(1).product::<usize>());
        work.n_kept += (layer.n_kept * positions) as f64;
        work.n_all += (layer.n_weights * positions) as f64;
        let chosen = layer.costs.iter().find(|(form, _)| *form == layer.form);
        work.linear_ns += chosen.map_or(0.0, |(_, ns)| *ns);
    }
    work
}

/// `41.2 million`.
fn count(n: f64) -> String {
    match n {
        1e9.. => format!("{:.1} billion", n / 1e9),
        1e6.. => format!("{:.1} million", n / 1e6),
        _ => format!("{n:.0}"),
    }
}
