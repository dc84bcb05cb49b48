//! `kompakt-prep` as a process: its files and reports, and its exit codes.
#![allow(clippy::unwrap_used)]

#[path = "support/program.rs"]
mod program;

use program::program;
use std::fs;
use tempfile::tempdir;

#[test]
fn the_program_prepares_and_reports() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("d.kds");
    let run = |arguments: &[&str]| {
        let output = program(env!("CARGO_BIN_EXE_kompakt-prep")).args(arguments).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let file = path.display().to_string();
    let (code, stdout, stderr) = run(&["--data", "digits", "--steps", "features", "-o", &file, "--report"]);
    assert_eq!(code, Some(0), "{stderr}");
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["raw"]["n_bytes"], 1797 * 784);
    let error = |which: &str| report[which]["nearest_mean_error"].as_f64().unwrap();
    assert!(error("prepared") < error("raw"), "{report}");
    assert!(stderr.contains("1408848 bytes raw"), "{stderr}");

    let layer = folder.path().join("pca.safetensors").display().to_string();
    let (code, _, stderr) = run(&["--data", "digits", "--pca", "20", "--pca-output", &layer]);
    assert_eq!(code, Some(0), "{stderr}");
    let bytes = fs::read(&layer).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.tensor("pca.weight").unwrap().shape(), [20, 784]);

    let other = folder.path().join("other.kds").display().to_string();
    let (code, _, stderr) = run(&["--data", &file, "--steps", "deskew", "-o", &other]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("prepared already") && stderr.lines().count() == 1, "{stderr}");
    let (code, _, stderr) = run(&["--data", "digits", "--steps", "[{\"step\":\"blur\"}]", "-o", &file]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("blur"), "{stderr}");
    let (code, _, stderr) = run(&["--data", "digits", "--steps", "none", "-o", "/no/such/folder/x.kds"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("/no/such/folder/x.kds"), "{stderr}");
    assert_eq!(run(&["--steps", "none"]).0, Some(2));
}
