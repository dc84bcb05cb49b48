//! `cargo xtask ci`: everything that must hold before a change lands, in one command.
//!
//! ```text
//! this machine ──► Python ──► other machines ──► table of seconds ──► xtask's own tests
//! (host, gpu)      (python)   (aarch64, wasm, cortex_m*)               the closing lines are the test runner's
//! ```
//!
//! Formatting and lints come first, because they fail fast. What is for this machine is built in the release profile
//! alone, so that the training engine is built once, for the pipeline and the tests alike. A row whose tools are
//! missing is left out with a line "not tested here: …", except where the environment says `CI=true`: there it fails.

mod aarch64;
mod browser;
mod calls;
mod cortex_m;
mod cortex_m_c;
mod cross;
mod gpu;
mod host;
mod ledger;
mod python;
mod ray;
mod site;
mod torch;
mod wasm;

pub(crate) use browser::{browser, modules};
pub(crate) use calls::Calls;
pub(crate) use cross::{Cross, cross_folder, rust_lld};

use anyhow::{Context, Result, bail};
use ledger::Ledger;
use std::{io::Write, path::Path};

/// Check everything that must hold before a change lands: formatting, lints, documentation, tests, other machines
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run these rows only (see --list)
    rows: Vec<String>,
    /// List the rows and end
    #[arg(long)]
    list: bool,
}

/// One thing that must hold.
struct Row {
    name: &'static str,
    /// For the table of rows.
    what: &'static str,
    run: fn(&mut Calls) -> Result<Outcome>,
}

/// How a row that did not fail ended.
#[derive(Debug, PartialEq)]
enum Outcome {
    Held,
    /// Tools are missing: which, and how to get them.
    NotTested(String),
}

/// All rows, in the order in which they run.
const ROWS: &[Row] = &[
    Row { name: "format", what: "rustfmt", run: host::format },
    Row { name: "lints", what: "clippy, warnings denied", run: host::lints },
    Row { name: "docs", what: "rustdoc, warnings denied", run: host::documentation },
    Row {
        name: "features",
        what: "every crate without its default features",
        run: host::without_default_features,
    },
    Row { name: "doctests", what: "examples in the documentation", run: host::doc_tests },
    Row { name: "binaries", what: "all programs", run: host::binaries },
    Row { name: "tests", what: "all tests", run: host::tests },
    Row { name: "reader", what: "tests of the second reader, in Python", run: python::reader },
    Row {
        name: "wheel",
        what: "the Python wheel: built, installed, tested with the newest and the oldest NumPy",
        run: python::wheel,
    },
    Row { name: "site", what: "the documentation of the Python package, without warnings", run: site::build },
    Row { name: "ray", what: "sweeps on a Ray cluster that loses a node, with the wheel", run: ray::run },
    Row {
        name: "torch",
        what: "kompakt.torch with PyTorch, without its libraries for GPUs",
        run: torch::run,
    },
    Row { name: "gpu", what: "the executor for GPUs, on a GPU in software", run: gpu::run },
    Row {
        name: "aarch64",
        what: "the loader built for 64-bit Arm, its tests under emulation",
        run: aarch64::run,
    },
    Row { name: "wasm", what: "the package for JavaScript and the kernels, tested in Node", run: wasm::run },
    Row { name: "browser", what: "the package and its page, tested in Chromium", run: browser::run },
    Row {
        name: "cortex-m",
        what: "the crates without std built for a microcontroller, files verified on an emulated one",
        run: cortex_m::run,
    },
    Row {
        name: "cortex-m-c",
        what: "a network's C on two emulated microcontrollers, within budgets of flash and RAM",
        run: cortex_m_c::run,
    },
];

/// Runs all rows, or those named; stops at the first that fails.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.list {
        let rows: String = ROWS.iter().map(|row| format!("{:10} {}\n", row.name, row.what)).collect();
        // A reader that has seen enough, such as `head`, is no error.
        _ = std::io::stdout().write_all(rows.as_bytes());
        return Ok(());
    }
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    let mut ledger = Ledger::default();
    for row in chosen(&arguments.rows)? {
        crate::say(&format!("{}: {}", row.name, row.what));
        let mut calls = Calls::default();
        let outcome = (row.run)(&mut calls).with_context(|| format!("row {}", row.name))?;
        if let Outcome::NotTested(why) = &outcome {
            if is_ci {
                bail!("row {}: {why}", row.name);
            }
            crate::say(&format!("not tested here: {}: {why}", row.name));
        }
        ledger.add(row.name, calls, outcome);
    }
    eprintln!("\n{ledger}");
    if arguments.rows.is_empty() {
        // Last, so that the closing line is the test runner's.
        Calls::default().cargo(&["test", "--release", "--workspace", "--bin", "xtask"])?;
    }
    Ok(())
}

/// The rows of these names in the order of the table; all where none is named.
fn chosen(names: &[String]) -> Result<Vec<&'static Row>> {
    if let Some(unknown) = names.iter().find(|name| ROWS.iter().all(|row| row.name != name.as_str())) {
        bail!("no row is named {unknown:?}; `cargo xtask ci --list` lists them");
    }
    Ok(ROWS.iter().filter(|row| names.is_empty() || names.iter().any(|name| name == row.name)).collect())
}

/// The workspace's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_unknown_ones_are_refused() {
        for row in ROWS {
            assert_eq!(ROWS.iter().filter(|other| other.name == row.name).count(), 1, "{}", row.name);
        }
        assert_eq!(chosen(&[]).unwrap().len(), ROWS.len());
        assert_eq!(chosen(&["wasm".into(), "format".into()]).unwrap()[0].name, "format");
        assert!(chosen(&["wsam".into()]).is_err());
    }
}
