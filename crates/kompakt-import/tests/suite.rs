//! The operator suite: every file of `fixtures/onnx` is imported, packed, run, and compared with ONNX Runtime's answer.
#![allow(clippy::unwrap_used)]

#[path = "support/case.rs"]
#[allow(dead_code)]
mod case;

use case::Case;
use kompakt_format::Tier;
use kompakt_import::onnx::{Checked, ImportOptions, export, import, import_checked};

/// Largest difference, relative to the largest element.
const TOLERANCE: f32 = 1e-4;

/// The problem with a case, if any.
fn try_case(case: &Case) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, &case.model).unwrap();
    let mut run = |model: &_, inputs: &[Vec<f32>], n: usize| case::run_on(model, Tier::Direct, n, inputs, n);
    let imported = import_checked(&path, &ImportOptions::default(), &mut run, &|_, _| ());
    let (model, checked, _) = imported.map_err(|e| e.to_string())?;
    if let Checked::LeftOut(reason) = checked {
        return Err(format!("not checked: {reason}"));
    }
    for (tier, max_batch) in [(Tier::Direct, 1), (Tier::Smallest, 3)] {
        let found = case::run(&model, tier, max_batch, case)?;
        case.compare(&found, TOLERANCE).map_err(|e| format!("in batches of {max_batch}: {e}"))?;
    }
    // Written and read again it computes the same function, though not with the same nodes.
    std::fs::write(&path, export(&model).map_err(|e| format!("exported: {e}"))?).unwrap();
    let again = import(&path, &ImportOptions::default()).map_err(|e| format!("imported again: {e}"))?;
    let found = case::run(&again, Tier::Direct, 2, case)?;
    case.compare(&found, TOLERANCE).map_err(|e| format!("exported and imported again: {e}"))
}

#[test]
fn every_case_answers_as_onnx_runtime() {
    let cases = Case::all();
    assert!(cases.len() > 100, "{} cases in fixtures/onnx", cases.len());
    let wrong: Vec<String> =
        cases.iter().filter_map(|c| try_case(c).err().map(|e| format!("{}: {e}", c.name))).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
