//! Imports, checks, runs and exports all cases of a folder, one line of tab-separated text each: `cargo run --release --example
//! spellings -- FOLDER EXPORTS`. The line has the case's name, `right`, `refused` or `wrong`, and a reason or the largest
//! difference from ONNX Runtime's answer relative to the largest value. Exit code 1 if any answer is wrong.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/support/case.rs"]
#[allow(dead_code)]
mod case;

use case::Case;
use kompakt_format::Tier;
use kompakt_import::onnx::{Checked, ImportOptions, OnnxError, export, import_checked};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The result of a case, with the reason. A network that is right is exported to `to`; not one whose outputs are as long as the
/// data decide, which ONNX Runtime's are not.
fn verdict(case: &Case, path: &PathBuf, to: &Path) -> (&'static str, String) {
    std::fs::write(path, &case.model).unwrap();
    let mut run = |model: &_, inputs: &[Vec<f32>], n: usize| case::run_on(model, Tier::Direct, n, inputs, n);
    let (model, checked, _) = match import_checked(path, &ImportOptions::default(), &mut run, &|_, _| ()) {
        Ok(imported) => imported,
        Err(error @ (OnnxError::Differs { .. } | OnnxError::NotRun(_))) => {
            return ("wrong", error.to_string());
        }
        Err(error) => return ("refused", error.to_string()),
    };
    if let Checked::LeftOut(reason) = checked {
        return ("wrong", format!("not checked: {reason}"));
    }
    let found = case::run(&model, Tier::Direct, 2, case);
    if found.as_ref().is_ok_and(|found| found.iter().zip(&case.outputs).all(|(a, b)| a.len() == b.len())) {
        match export(&model) {
            Ok(bytes) => std::fs::write(to, bytes).unwrap(),
            Err(error) => return ("wrong", format!("not exported: {error}")),
        }
    }
    match found.and_then(|found| case.compare(&found, 1e-4).map(|()| case.difference(&found))) {
        Ok(difference) => ("right", format!("{difference:.1e}")),
        Err(error) => ("wrong", error),
    }
}

fn main() -> ExitCode {
    let folder = PathBuf::from(std::env::args().nth(1).expect("a folder of cases"));
    let exports = PathBuf::from(std::env::args().nth(2).expect("a folder for exported networks"));
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("model.onnx");
    let mut is_right = true;
    for case in Case::all_of(&folder) {
        let (verdict, reason) = verdict(&case, &path, &exports.join(format!("{}.onnx", case.name)));
        is_right &= verdict != "wrong";
        println!("{}\t{verdict}\t{}", case.name, reason.replace(['\n', '\t'], " "));
    }
    if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
