//! Inputs by name, as arrays.

use super::{Args, Stats, coded, coded_data, npy::NpyFiles, report, usage, wrong_input};
use crate::progress::tell;
use anyhow::Result;
use kompakt_data::read_numbers;
use kompakt_runtime::{Port, Session};
use std::{
    io::Write,
    path::{Path, PathBuf},
    str::FromStr,
};

/// An input's name and the file with its numbers: `input_ids=ids.npy`.
#[derive(Debug, Clone)]
pub struct NamedFile(pub String, pub PathBuf);

impl FromStr for NamedFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, file)) if !name.is_empty() && !file.is_empty() => {
                Ok(Self(name.to_string(), file.into()))
            }
            _ => Err(format!("{text:?} is not NAME=FILE, as input_ids=ids.npy")),
        }
    }
}

/// Inputs with their shapes, and how each is given.
fn listed(inputs: &[Port]) -> String {
    let one = |port: &Port| format!("--input {}=FILE.npy {:?}", port.name, port.shape);
    inputs.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Errors: a network of several inputs, where images are given.
pub(super) fn only_one(session: &Session<'_>) -> Result<()> {
    match session.inputs() {
        [_] => Ok(()),
        inputs => {
            let n = inputs.len();
            Err(usage(&format!("the network takes {n} inputs, each by its name: {}", listed(inputs))))
        }
    }
}

/// An input's numbers, of one run after the other.
struct Given {
    path: PathBuf,
    /// The shape of one.
    dims: Vec<usize>,
    n: usize,
    values: Vec<f32>,
}

impl Given {
    /// Errors: a file that cannot be read, another number of dimensions.
    fn read(port: &Port, path: &Path) -> Result<Self> {
        let (found, values) = read_numbers(path).map_err(coded_data)?;
        let rank = port.shape.len();
        let (n, dims) = match found.len() {
            // One number for each run.
            1 if port.shape == [1] => (found[0], vec![1]),
            len if len == rank => (1, found),
            len if len == rank + 1 => (found[0], found[1..].to_vec()),
            _ => {
                let (name, shape) = (&port.name, &port.shape);
                let problem = format!("an array of {found:?} for input {name:?}, which takes {shape:?}");
                return Err(wrong_input(format!("{}: {problem}", path.display())));
            }
        };
        if values.is_empty() {
            return Err(wrong_input(format!("{}: an array without numbers", path.display())));
        }
        Ok(Self { path: path.to_path_buf(), dims, n, values })
    }
}

/// The arrays in the order of the network's inputs.
///
/// Errors: a name that the network does not have, or that is given twice; an input without an array.
fn given(session: &Session<'_>, files: &[NamedFile]) -> Result<Vec<Given>> {
    let inputs = session.inputs();
    for (index, NamedFile(name, _)) in files.iter().enumerate() {
        if !inputs.iter().any(|port| port.name == *name) {
            let known = listed(inputs);
            return Err(usage(&format!("the network has no input {name:?}; it takes {known}")));
        }
        if files[..index].iter().any(|NamedFile(other, _)| other == name) {
            return Err(usage(&format!("input {name:?} is given twice")));
        }
    }
    let of = |port: &Port| {
        let file = files.iter().find(|NamedFile(name, _)| *name == port.name);
        let missing =
            || usage(&format!("input {:?} is missing: --input {0}=FILE.npy {:?}", port.name, port.shape));
        file.ok_or_else(missing).and_then(|NamedFile(_, path)| Given::read(port, path))
    };
    inputs.iter().map(of).collect()
}

/// All arrays, in the order of the network's inputs, for the same number of runs; the session is resized to their shapes, where
/// the network leaves sizes open.
///
/// Errors: as [`given`]; arrays of different numbers of runs, an array of another shape.
fn fitting(session: &mut Session<'_>, files: &[NamedFile]) -> Result<Vec<Given>> {
    let all = given(session, files)?;
    let (first, n) = (&all[0], all[0].n);
    if let Some(other) = all.iter().find(|given| given.n != n) {
        let (a, b) = (first.path.display(), other.path.display());
        return Err(wrong_input(format!("{a} is for {n} runs, {b} for {}", other.n)));
    }
    let is_other = all.iter().zip(session.inputs()).any(|(given, port)| given.dims != port.shape);
    if is_other && !session.sizes().is_empty() {
        let shapes: Vec<&[usize]> = all.iter().map(|given| &given.dims[..]).collect();
        session.resize_to(&shapes).map_err(coded)?;
    }
    for (given, port) in all.iter().zip(session.inputs()) {
        if given.dims != port.shape {
            let (name, shape) = (&port.name, &port.shape);
            let problem = format!("an array of {:?} for input {name:?}, which takes {shape:?}", given.dims);
            return Err(wrong_input(format!("{}: {problem}", given.path.display())));
        }
    }
    Ok(all)
}

/// The first of the runs that the arrays are for: one list for each input.
pub(super) fn sample(session: &mut Session<'_>, files: &[NamedFile]) -> Result<Vec<Vec<f32>>> {
    let first = |given: Given| -> Vec<f32> {
        let len = given.values.len() / given.n;
        given.values.into_iter().take(len).collect()
    };
    Ok(fitting(session, files)?.into_iter().map(first).collect())
}

/// Runs the network on the arrays and prints or writes all outputs.
pub(super) fn answer(
    session: &mut Session<'_>,
    args: &Args,
    stats: &mut Option<Stats>,
    out: &mut dyn Write,
) -> Result<()> {
    let all = fitting(session, &args.input)?;
    let (first, n) = (&all[0], all[0].n);
    let mut files = NpyFiles::of(args, session.outputs())?;
    for run in 0..n {
        tell("running", run as f64 / n as f64);
        let part = |given: &Given| -> std::ops::Range<usize> {
            let len = given.values.len() / n;
            run * len..(run + 1) * len
        };
        let values: Vec<&[f32]> = all.iter().map(|given| &given.values[part(given)]).collect();
        let path = first.path.display();
        let name = if n == 1 { path.to_string() } else { format!("{path}[{run}]") };
        session.run_all(&values, 1).map_err(coded)?;
        match &mut files {
            Some(files) => {
                files.append(session)?;
                writeln!(out, "{name}")?;
            }
            None => report::outputs(&name, session, args.json, out)?,
        }
        if let Some(stats) = stats {
            stats.has_result();
        }
    }
    files.map_or(Ok(()), NpyFiles::finish)
}
