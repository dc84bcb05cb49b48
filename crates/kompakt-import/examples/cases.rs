//! Runs all cases of a folder (see `fixtures/onnx`) and counts: `cargo run --release --example cases -- FOLDER
//! [EXPORTS]`. Models that are right are exported to EXPORTS.
//!
//! The tolerance is a thousandth of the largest value, as in the tests of the onnx package. A model that is
//! refused is counted separately from a wrong answer; refusals are counted by operator and reason too. Exit
//! code 1 if any answer is wrong.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/support/case.rs"]
#[allow(dead_code)]
mod case;

use case::Case;
use kompakt_format::Tier;
use kompakt_import::onnx::{ImportOptions, OnnxError, export, import};
use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    let folder = PathBuf::from(std::env::args().nth(1).expect("a folder of cases"));
    let exports = std::env::args().nth(2).map(PathBuf::from);
    let cases = Case::all_of(&folder);
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("model.onnx");
    let (mut right, mut refused, mut wrong) = (0, Vec::new(), Vec::new());
    // By operator: how many, and the reason for the first.
    let mut reasons: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for case in &cases {
        let variants = std::iter::once(&case.model).chain(&case.with_constants);
        let mut imported = Err("it has no input".to_string());
        let mut reason = ("none".to_string(), "it has no input".to_string());
        for model in variants.filter(|_| !case.inputs.is_empty()) {
            std::fs::write(&path, model).unwrap();
            imported = import(&path, &ImportOptions::default()).map_err(|error| {
                reason = match &error {
                    OnnxError::Unsupported(problems) => {
                        (problems[0].operator.clone(), problems[0].problem.clone())
                    }
                    other => ("the file".to_string(), other.to_string()),
                };
                error.to_string()
            });
            if imported.is_ok() {
                break;
            }
        }
        if imported.is_err() {
            let (operator, problem) = reason;
            reasons.entry(operator).or_insert((0, problem)).0 += 1;
        }
        match imported {
            Err(error) => refused.push(format!("{}: {}", case.name, error.replace("\n", " "))),
            Ok(model) => {
                let found = case::run(&model, Tier::Direct, 2, case);
                match found.and_then(|found| case.compare(&found, 1e-3)) {
                    Ok(()) => {
                        right += 1;
                        if let Some(exports) = &exports {
                            let to = exports.join(&case.name).with_extension("onnx");
                            std::fs::write(to, export(&model).unwrap()).unwrap();
                        }
                    }
                    Err(error) => wrong.push(format!("{}: {error}", case.name)),
                }
            }
        }
    }
    refused.iter().for_each(|line| println!("refused  {line}"));
    wrong.iter().for_each(|line| println!("WRONG    {line}"));
    for (operator, (n, problem)) in reasons {
        println!("reason\t{operator}\t{n}\t{}", problem.replace('\n', " "));
    }
    println!("{} cases: {right} right, {} refused, {} wrong", cases.len(), refused.len(), wrong.len());
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
