//! Engines that take turns.

use super::{
    Arguments,
    files::Files,
    ours::{Ours, WAYS},
    record::{Record, Speed},
    rival::Rival,
    subject::Subject,
    venv::{ENGINES, Python},
};
use anyhow::{Context, Result, ensure};
use kompakt_runtime::Model;

/// Tolerance of outputs against ONNX Runtime's, relative to its largest.
const TOLERANCE: f64 = 1e-4;

/// Every batch size and number of threads.
pub(crate) fn all(
    subject: &Subject,
    files: &Files,
    python: &Python,
    arguments: &Arguments,
    record: &mut Record,
) -> Result<()> {
    let batches = if arguments.batches.is_empty() { subject.batches() } else { &arguments.batches };
    for &threads in &arguments.threads {
        for &batch in batches {
            one(files, batch, threads, python, arguments, record)?;
        }
    }
    Ok(())
}

fn one(
    files: &Files,
    batch: usize,
    threads: usize,
    python: &Python,
    arguments: &Arguments,
    record: &mut Record,
) -> Result<()> {
    crate::say(&format!("{}: batch {batch}, {threads} thread(s)", record.title));
    let is_wanted = |engine: &str| engine == "onnxruntime" || arguments.wants(engine);
    let mut rivals = Vec::new();
    for engine in ENGINES.into_iter().filter(|e| is_wanted(e)) {
        match Rival::start(engine, files, batch, threads, python) {
            Ok(rival) => rivals.push((engine, rival)),
            Err(error) if engine != "onnxruntime" => crate::say(&format!("{engine}: {error:#}")),
            Err(error) => return Err(error),
        }
    }
    let models = WAYS
        .iter()
        .map(|way| Ok(Model::map(files.kompakt(way.file))?))
        .collect::<Result<Vec<Model<'static>>>>()?;
    let mut ours = WAYS
        .iter()
        .zip(&models)
        .map(|(way, model)| Ok((way.name, Ours::new(model, *way, files, batch, threads)?)))
        .collect::<Result<Vec<_>>>()?;
    let names: Vec<&str> = rivals.iter().map(|r| r.0).chain(ours.iter().map(|o| o.0)).collect();
    let mut times = vec![Vec::new(); names.len()];
    for round in 0..arguments.rounds.max(1) {
        let mut turns = Vec::with_capacity(names.len());
        for (_, rival) in &mut rivals {
            turns.push(rival.turn(arguments.turn)?);
        }
        for (_, ours) in &mut ours {
            turns.push(ours.turn(arguments.turn)?);
        }
        times.iter_mut().zip(&turns).for_each(|(all, &ms)| all.push(ms));
        // A network that takes long: fewer turns.
        if round >= 4 && turns.iter().sum::<f64>() > 4_000.0 {
            break;
        }
    }
    let outputs = rivals
        .iter_mut()
        .map(|(_, rival)| rival.output(files))
        .chain(ours.iter().map(|(_, o)| Ok(o.output().to_vec())))
        .collect::<Result<Vec<_>>>()?;
    let base = names.iter().position(|n| *n == "onnxruntime").context("ONNX Runtime did not run")?;
    let mut speeds = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let error = difference(&outputs[i], &outputs[base])?;
        ensure!(
            !name.starts_with("kompakt") || name.contains("int8") || error <= TOLERANCE,
            "{name}: the result differs from ONNX Runtime's by {error:.1e} of its largest"
        );
        let mut ratios: Vec<f64> = times[i].iter().zip(&times[base]).map(|(a, b)| a / b).collect();
        ratios.sort_by(f64::total_cmp);
        let mut all = times[i].clone();
        all.sort_by(f64::total_cmp);
        let at = |sorted: &[f64], part: usize| sorted[(sorted.len() - 1) * part / 4];
        let speed = Speed {
            engine: (*name).to_string(),
            batch,
            threads,
            ms: at(&all, 2),
            ratio: at(&ratios, 2),
            low: at(&ratios, 1),
            high: at(&ratios, 3),
            error,
        };
        crate::say(&format!(
            "  {name:30} {:10.4} ms  {:7.3} ({:.3} to {:.3})  error {error:.1e}",
            speed.ms, speed.ratio, speed.low, speed.high
        ));
        speeds.push(speed);
    }
    record.merge(batch, threads, speeds);
    Ok(())
}

/// max |a - b| / max |b|.
fn difference(a: &[f32], b: &[f32]) -> Result<f64> {
    ensure!(a.len() == b.len(), "{} results, ONNX Runtime has {}", a.len(), b.len());
    let largest = b.iter().fold(0f64, |m, v| m.max(f64::from(v.abs())));
    let off = a.iter().zip(b).fold(0f64, |m, (a, b)| m.max((f64::from(*a) - f64::from(*b)).abs()));
    Ok(off / largest.max(f64::MIN_POSITIVE))
}
