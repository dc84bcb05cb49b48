//! `cargo xtask curve`: error against bytes, from runs that vary one option, with what others published.
//!
//! ```text
//! pipeline --vary … ──► curve.json, curve.svg ──┐
//! pipeline --vary … ──► curve.json, curve.svg ──┴─► curve A.json B.json -o FILE.svg
//! ```

use super::variation::Variation;
use anyhow::{Context, Result};
use kompakt_report::{Series, Summary, error_by_size, thousands};
use serde::{Deserialize, Serialize};
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// Draw the curves of several runs in one picture, with what others published
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// `curve.json` files, as `pipeline --vary` leaves them
    #[arg(required = true)]
    curves: Vec<PathBuf>,
    /// The picture
    #[arg(short, long)]
    output: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut curves = Vec::new();
    for path in &arguments.curves {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let what = || format!("{} is no curve.json as `pipeline --vary` leaves it", path.display());
        curves.push(serde_json::from_str(&text).with_context(what)?);
    }
    std::fs::write(&arguments.output, picture(&curves)?)
        .with_context(|| format!("cannot write {}", arguments.output.display()))
}

/// One recipe at several values of one option.
#[derive(Debug, Serialize, Deserialize)]
struct Curve {
    net: String,
    data: String,
    prep: String,
    recipe: String,
    seed: u64,
    points: Vec<Point>,
}

/// What one stage left at one value.
#[derive(Debug, Serialize, Deserialize)]
struct Point {
    value: String,
    stage: String,
    n_bytes: u64,
    compression_ratio: f64,
    error: f64,
    error_on: String,
}

/// Writes `curve.json` and `curve.svg` into the runs' folder; the text says what is in them.
pub(super) fn draw(folder: &Path, variations: &[Option<Variation>], summaries: &[Summary]) -> Result<String> {
    let first = summaries.first().context("no runs")?;
    let mut text =
        format!("\n{:<12} {:<10} {:>12} {:>9} {:>8}\n", "value", "stage", "bytes", "ratio", "error");
    let mut points = Vec::new();
    for (variation, summary) in variations.iter().zip(summaries) {
        let value = variation.as_ref().map_or("", |v| &v.value);
        for row in summary.rows.iter().filter(|row| row.stage != "train") {
            let Some(error) = row.error else { continue };
            let _ = writeln!(
                text,
                "{value:<12} {:<10} {:>12} {:>8.0}x {:>6.2} % {}",
                row.stage,
                thousands(row.n_bytes),
                row.compression_ratio,
                error * 100.0,
                row.error_on
            );
            points.push(Point {
                value: value.to_string(),
                stage: row.stage.clone(),
                n_bytes: row.n_bytes,
                compression_ratio: row.compression_ratio,
                error,
                error_on: row.error_on.clone(),
            });
        }
    }
    let curve = Curve {
        net: first.net.clone(),
        data: first.data.clone(),
        prep: first.prep.clone(),
        recipe: first.recipe.clone(),
        seed: first.seed,
        points,
    };
    let write = |name: &str, content: String| {
        let path = folder.join(name);
        std::fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        crate::say(&format!("curve: {}", path.display()));
        anyhow::Ok(())
    };
    write("curve.json", serde_json::to_string_pretty(&curve)? + "\n")?;
    write("curve.svg", picture(&[curve])?)?;
    Ok(text)
}

/// All curves, a line for each stage that measured an error.
fn picture(curves: &[Curve]) -> Result<String> {
    let mut series: Vec<Series> = Vec::new();
    for curve in curves {
        for point in &curve.points {
            let stage = if point.stage == "run" { "packed file" } else { &point.stage };
            let name = format!("{}: {stage} ({})", curve.recipe, point.error_on);
            let at = match series.iter().position(|s| s.name == name) {
                Some(at) => at,
                None => {
                    series.push(Series { name, points: Vec::new(), names: None });
                    series.len() - 1
                }
            };
            series[at].points.push((point.n_bytes, point.error));
        }
    }
    let first = curves.first().context("no curves")?;
    let others: Vec<_> = PUBLISHED.iter().filter(|p| p.net == first.net && p.data == first.data).collect();
    if !others.is_empty() {
        series.push(Series {
            name: "published, on raw pixels (test)".to_string(),
            points: others.iter().map(|p| (p.n_bytes, p.error)).collect(),
            names: Some(others.iter().map(|p| p.name.to_string()).collect()),
        });
    }
    Ok(error_by_size(&format!("{} on {}", first.net, first.data), &series)?)
}

/// A published result.
struct Published {
    net: &'static str,
    data: &'static str,
    name: &'static str,
    n_bytes: u64,
    error: f64,
}

/// Raw pixels in, all bytes of the compressed parameters, error on the test set.
const PUBLISHED: [Published; 7] = [
    mnist("lenet-300-100", "Han 2015", 27_000, 0.0158),
    mnist("lenet-300-100", "sparse variational dropout, coded", 9_437, 0.018),
    mnist("lenet-300-100", "EPR (Oktay 2020)", 8_560, 0.019),
    mnist("lenet5", "Han 2015", 44_000, 0.0074),
    mnist("lenet5", "MIRACLE", 3_030, 0.0069),
    mnist("lenet5", "MIRACLE", 1_520, 0.0096),
    mnist("lenet5", "Bayesian compression", 2_300, 0.010),
];

const fn mnist(net: &'static str, name: &'static str, n_bytes: u64, error: f64) -> Published {
    Published { net, data: "mnist", name, n_bytes, error }
}
