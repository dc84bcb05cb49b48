//! Several runs side by side: seeds with their medians, preprocessings with what they bring.

use super::process::Stage;
use anyhow::{Context, Result};
use kompakt_report::{Summary, median, thousands};
use std::fmt::Write as _;

/// Each seed's bytes and error, and the medians; nothing for a single run.
pub(super) fn of_seeds(summaries: &[Summary]) -> String {
    let mut text = String::new();
    if summaries.len() < 2 {
        return text;
    }
    for summary in summaries {
        if let Some((n_bytes, error)) = summary.result() {
            let _ = writeln!(
                text,
                "seed {:<4} {:>10} bytes   {:.2} % test error",
                summary.seed,
                thousands(n_bytes),
                error * 100.0
            );
        }
    }
    let (n_bytes, error) = medians(summaries);
    let _ = writeln!(text, "median    {:>10} bytes   {:.2} % test error", thousands(n_bytes), error * 100.0);
    text
}

/// A line for each preprocessing: bytes of the data set once prepared (a byte a number, gzipped), bytes of the packed
/// network, its test error; medians over the seeds.
///
/// Errors: a data set that cannot be prepared.
pub(super) fn of_preparations(groups: &[Vec<Summary>]) -> Result<String> {
    let mut text = format!(
        "\nwhat preprocessing does\n{:<14} {:>10} {:>12} {:>14} {:>12} {:>8}\n",
        "steps", "input", "data bytes", "packed bytes", "test error", "ratio"
    );
    for group in groups {
        let Some(summary) = group.first() else { continue };
        let data = prepared_data(&summary.data, &summary.prep)?;
        let (n_bytes, error) = medians(group);
        let _ = writeln!(
            text,
            "{:<14} {:>10} {:>12} {:>14} {:>10.2} % {:>7.1}x",
            summary.prep,
            data.dims,
            thousands(data.n_bytes),
            thousands(n_bytes),
            error * 100.0,
            summary.dense_bytes as f64 / n_bytes as f64
        );
    }
    text += "data bytes: all splits as kompakt-prep writes them, a byte a number, gzipped; \
             ratio: to the dense network on the same input\n";
    Ok(text)
}

fn medians(summaries: &[Summary]) -> (u64, f64) {
    let results: Vec<(u64, f64)> = summaries.iter().filter_map(Summary::result).collect();
    let n_bytes = median(results.iter().map(|r| r.0 as f64).collect());
    (n_bytes as u64, median(results.iter().map(|r| r.1).collect()))
}

/// A data set after its steps.
struct Prepared {
    /// Shape of an image.
    dims: String,
    n_bytes: u64,
}

fn prepared_data(data: &str, prep: &str) -> Result<Prepared> {
    let file =
        tempfile::Builder::new().suffix(".kds.gz").tempfile().context("cannot make a temporary file")?;
    let path = file.path().display().to_string();
    let steps = if std::path::Path::new(prep).is_file() {
        std::fs::read_to_string(prep).with_context(|| format!("cannot read {prep}"))?
    } else {
        prep.to_string()
    };
    let stage = Stage::new("kompakt-prep").args(["--data", data, "--steps", &steps, "--precision", "u8"]);
    let (_, printed) = stage.args(["--report", "-o", &path]).output()?;
    let report: serde_json::Value =
        serde_json::from_str(&printed).context("reading what kompakt-prep printed")?;
    let dims = report["prepared"]["dims"].as_array().context("kompakt-prep reported no shape")?;
    let dims: Vec<String> = dims.iter().map(ToString::to_string).collect();
    let n_bytes = report["file_bytes"].as_u64().context("kompakt-prep reported no size")?;
    Ok(Prepared { dims: dims.join("x"), n_bytes })
}
