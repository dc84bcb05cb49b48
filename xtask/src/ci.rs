//! `cargo xtask ci`: everything that must hold before a change lands, in one command.
//!
//! ```text
//! this machine, its GPU ──► Python ──────────────────────┬──► tables of seconds ──► xtask's own tests
//! (host, gpu)              (python, site, ray, torch)    │                          the closing lines are the
//! beside: the C library, other machines                  │                          test runner's
//!         (c_library; aarch64, wasm, browser, cortex_m*) ┘
//! ```
//!
//! Formatting and lints come first, because they fail fast. What is for this machine is built in the release profile
//! alone, so that the training engine is built once, for the pipeline and the tests alike. A row whose tools are
//! missing is left out with a line "not tested here: …", except where the environment says `CI=true`: there it fails.

mod aarch64;
mod beside;
mod browser;
mod c_library;
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
use beside::Beside;
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
    place: Place,
    run: fn(&mut Calls) -> Result<Outcome>,
}

/// Where a row runs when all do.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    /// In this process.
    Here,
    /// In a process beside it: it builds into a folder of its own, `target/machines`, and fills the time in which
    /// one large library keeps one core busy.
    Beside,
    /// In this process when nothing runs beside it any more: its servers have to answer in time.
    Alone,
}

/// How a row that did not fail ended.
#[derive(Debug, PartialEq)]
enum Outcome {
    Held,
    /// Tools are missing: which, and how to get them.
    NotTested(String),
}

const fn here(name: &'static str, what: &'static str, run: fn(&mut Calls) -> Result<Outcome>) -> Row {
    Row { name, what, place: Place::Here, run }
}

const fn alone(name: &'static str, what: &'static str, run: fn(&mut Calls) -> Result<Outcome>) -> Row {
    Row { name, what, place: Place::Alone, run }
}

const fn beside(name: &'static str, what: &'static str, run: fn(&mut Calls) -> Result<Outcome>) -> Row {
    Row { name, what, place: Place::Beside, run }
}

/// All rows, in the order in which they run at each place.
const ROWS: &[Row] = &[
    here("format", "rustfmt", host::format),
    here("lints", "clippy, warnings denied", host::lints),
    here("docs", "rustdoc, warnings denied", host::documentation),
    here("features", "every crate without its default features", host::without_default_features),
    here("doctests", "examples in the documentation", host::doc_tests),
    here("binaries", "all programs", host::binaries),
    here("tests", "all tests, those for GPUs on one in software where there is no other", host::tests),
    here("reader", "tests of the second reader, in Python", python::reader),
    here(
        "wheel",
        "the Python wheel: built, installed, tested with the newest and the oldest NumPy",
        python::wheel,
    ),
    here("site", "the documentation of the Python package, without warnings", site::build),
    alone("ray", "sweeps on a Ray cluster that loses a node, with the wheel", ray::run),
    here("torch", "kompakt.torch with PyTorch, without its libraries for GPUs", torch::run),
    beside(
        "c-library",
        "the C library as it is released: its size, programs in C that link it",
        c_library::run,
    ),
    beside("aarch64", "the loader built for 64-bit Arm, its tests under emulation", aarch64::run),
    beside("wasm", "the package for JavaScript and the kernels, tested in Node", wasm::run),
    beside("browser", "the package and its page, tested in Chromium", browser::run),
    beside(
        "cortex-m",
        "the crates without std built for a microcontroller, files verified on an emulated one",
        cortex_m::run,
    ),
    beside(
        "cortex-m-c",
        "a network's C on two emulated microcontrollers, within budgets of flash and RAM",
        cortex_m_c::run,
    ),
];

/// Runs all rows, those of other machines beside the others, or those named one after another; the first that fails
/// ends it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.list {
        let rows: String = ROWS.iter().map(|row| format!("{:10} {}\n", row.name, row.what)).collect();
        // A reader that has seen enough, such as `head`, is no error.
        _ = std::io::stdout().write_all(rows.as_bytes());
        return Ok(());
    }
    if !arguments.rows.is_empty() {
        return run_rows(&chosen(&arguments.rows)?);
    }
    let at = |place| ROWS.iter().filter(move |row| row.place == place);
    let beside = Beside::start(at(Place::Beside).map(|row| row.name))?;
    run_rows(&at(Place::Here).collect::<Vec<_>>())?;
    beside.finish()?;
    run_rows(&at(Place::Alone).collect::<Vec<_>>())?;
    // Last, so that the closing line is the test runner's.
    Calls::default().run(host::workspace("test").args(["--bin", "xtask"]))
}

/// Runs rows one after another, and prints what each took.
fn run_rows(rows: &[&Row]) -> Result<()> {
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    let mut ledger = Ledger::default();
    for row in rows {
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
