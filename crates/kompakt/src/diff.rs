//! `kompakt diff`: compares two packed files, or writes the patch between them.

use crate::{
    failure::IntoAnyhow,
    input::present,
    output::Output,
    packed,
    process::{Failure, exit},
    progress::{Steps, begin, tell},
};
use anyhow::{Result, bail};
use kompakt_format::{Container, Decoded, FormatError};
use kompakt_graph::Graph;
use std::path::{Path, PathBuf};

/// Compare two packed files: is it the same network, and if not, where do they differ
///
/// Exit code 0: the same content, whatever the tiers; 1: other content.
///
/// With --patch a patch is written: the second file in the bytes by which it differs from the first, for `kompakt patch`. The
/// second file is of tier smallest, the first of any.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The first .kompakt file
    a: PathBuf,
    /// The second
    b: PathBuf,
    /// Write a patch that makes the second file of the first
    #[arg(long)]
    patch: bool,
    #[command(flatten)]
    output: Output,
}

const STEPS: Steps = &[(packed::CHECKING, 1.0), ("comparing", 1.0)];

#[expect(clippy::print_stdout, reason = "data of a binary")]
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.patch {
        return patch(arguments);
    }
    if arguments.output.output != Path::new("-") {
        bail!(Failure::usage("-o is where a patch goes: add --patch"));
    }
    present(&[&arguments.a, &arguments.b])?;
    let shown = begin(false, STEPS);
    let (a_bytes, b_bytes) = (packed::read(&arguments.a)?, packed::read(&arguments.b)?);
    let (a, b) = (packed::parse(&arguments.a, &a_bytes)?, packed::parse(&arguments.b, &b_bytes)?);
    let share = a_bytes.len() as f64 / (a_bytes.len() + b_bytes.len()).max(1) as f64;
    packed::checked(&arguments.a, &a, 0.0..share)?;
    packed::checked(&arguments.b, &b, share..1.0)?;
    tell("comparing", f64::NAN);
    let differences = differences(&a, &b).map_err(|e| packed::broken(&arguments.b, &e))?;
    drop(shown);
    println!("bytes    {} and {}", a_bytes.len(), b_bytes.len());
    println!("tier     {} and {}", a.tier().name(), b.tier().name());
    println!("content  {} and {}", packed::hex(&a.content_hash()), packed::hex(&b.content_hash()));
    differences.iter().for_each(|line| println!("{line}"));
    if a.content_hash() == b.content_hash() {
        return Ok(());
    }
    bail!(Failure { code: exit::FAILURE, message: "the files hold different content".to_string() })
}

const PATCH_STEPS: Steps = &[(packed::CHECKING, 1.0), ("comparing", 4.0)];

fn patch(arguments: &Arguments) -> Result<()> {
    arguments.output.check(&[&arguments.a, &arguments.b])?;
    present(&[&arguments.a, &arguments.b])?;
    let _shown = begin(false, PATCH_STEPS);
    let (old, new) = (packed::read(&arguments.a)?, packed::read(&arguments.b)?);
    let share = old.len() as f64 / (old.len() + new.len()).max(1) as f64;
    packed::checked(&arguments.a, &packed::parse(&arguments.a, &old)?, 0.0..share)?;
    packed::checked(&arguments.b, &packed::parse(&arguments.b, &new)?, share..1.0)?;
    tell("comparing", f64::NAN);
    let patch = kompakt_delta::diff(&old, &new).map_err(IntoAnyhow::into_anyhow)?;
    arguments.output.write_with(|path| Ok(std::fs::write(path, &patch)?))
}

/// One line for each difference between two files.
pub(crate) fn differences(a: &Container<'_>, b: &Container<'_>) -> Result<Vec<String>, FormatError> {
    let mut lines = Vec::new();
    let mut compare = |what: &str, same: bool| {
        if !same {
            lines.push(format!("{what}: differs"));
        }
    };
    compare("graph", is_same_network(a.graph(), b.graph()));
    compare("preprocessing", a.pipeline() == b.pipeline());
    compare("names", names(a.graph()) == names(b.graph()));
    compare("dense size", a.dense_parameters() == b.dense_parameters());
    compare("accuracy", a.measured() == b.measured());
    compare("labels", a.labels()? == b.labels()?);
    compare("provenance", a.provenance()? == b.provenance()?);
    compare("self-tests", a.self_tests()? == b.self_tests()?);
    compare("ranges", a.ranges()? == b.ranges()?);
    if is_same_network(a.graph(), b.graph()) {
        for ((param, a), b) in a.graph().params().iter().zip(a.decode()?).zip(b.decode()?) {
            if a != b {
                lines.push(format!("{}: {}", param.name, weights(&a, &b)));
            }
        }
    }
    Ok(lines)
}

fn names(graph: &Graph) -> Vec<&str> {
    graph
        .inputs()
        .iter()
        .map(|i| i.name.as_str())
        .chain(graph.nodes().iter().map(|n| n.name.as_str()))
        .collect()
}

/// Ignoring names.
fn is_same_network(a: &Graph, b: &Graph) -> bool {
    let inputs = |g: &Graph| g.inputs().iter().map(|i| i.shape.clone()).collect::<Vec<_>>();
    let nodes = |g: &Graph| g.nodes().iter().map(|n| (n.op.clone(), n.inputs.clone())).collect::<Vec<_>>();
    inputs(a) == inputs(b) && nodes(a) == nodes(b) && a.outputs() == b.outputs()
}

/// How two tensors of one shape differ.
fn weights(a: &Decoded, b: &Decoded) -> String {
    let (x, y) = (a.to_f32(), b.to_f32());
    let count = |f: &dyn Fn(f32, f32) -> bool| x.iter().zip(&y).filter(|(x, y)| f(**x, **y)).count();
    let largest = x.iter().zip(&y).fold(0f32, |m, (x, y)| m.max((x - y).abs()));
    let n_values = count(&|x, y| x != y);
    if n_values == 0 {
        return "the same values, stored otherwise".to_string();
    }
    format!(
        "{n_values} of {} values differ, by at most {largest}; {} only in the first, {} only in the second",
        x.len(),
        count(&|x, y| x != 0.0 && y == 0.0),
        count(&|x, y| x == 0.0 && y != 0.0),
    )
}
