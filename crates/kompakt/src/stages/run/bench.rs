//! The time of a run.

use super::{Args, coded, images, made_up, named};
use crate::progress::tell;
use anyhow::Result;
use kompakt_runtime::Session;
use serde_json::json;
use std::{
    hint::black_box,
    io::Write,
    time::{Duration, Instant},
};

/// Runs per measured round, so that the clock's overhead is negligible.
const ROUND: Duration = Duration::from_micros(200);

/// Measures runs of the network, without preprocessing: median, minimum and maximum of all rounds, then the
/// share of each step. `opened`: the time that making the session took.
pub(super) fn bench(
    session: &mut Session<'_>,
    opened: Duration,
    args: &Args,
    out: &mut dyn Write,
) -> Result<()> {
    let batch = args.batch.unwrap_or(1).max(1);
    let all: Vec<Vec<f32>> = inputs(session, args)?.iter().map(|one| one.repeat(batch)).collect();
    let inputs: Vec<&[f32]> = all.iter().map(Vec::as_slice).collect();
    session.run_all(&inputs, batch).map_err(coded)?;
    let start = Instant::now();
    session.run_all(&inputs, batch).map_err(coded)?;
    let runs = (ROUND.as_nanos() / start.elapsed().as_nanos().max(1)).clamp(1, 10_000) as usize;
    let mut times = Vec::with_capacity(args.rounds);
    for round in 0..args.rounds.max(1) {
        tell("measuring", 0.5 * round as f64 / args.rounds.max(1) as f64);
        let start = Instant::now();
        for _ in 0..runs {
            session.run_all(black_box(&inputs), batch).map_err(coded)?;
            black_box(session.output(0));
        }
        times.push(start.elapsed().as_secs_f64() * 1e3 / runs as f64);
    }
    times.sort_by(f64::total_cmp);
    let (median, least, most) = (times[times.len() / 2], times[0], times[times.len() - 1]);
    let rounds = args.rounds.max(1);
    tell("measuring", 0.5);
    let steps = session.profile(&inputs, batch, rounds).map_err(coded)?;
    let total: f64 = steps.iter().map(|s| s.time.as_secs_f64()).sum();
    let plan = session.plan();
    let form = |name: &str| plan.layers.iter().find(|l| l.name == name).map_or("", |l| l.form);
    if args.json {
        let step = |s: &kompakt_runtime::StepTime| {
            json!({ "name": s.name, "kind": s.kind, "form": form(&s.name),
                    "median_ms": s.time.as_secs_f64() * 1e3, "min_ms": s.least.as_secs_f64() * 1e3 })
        };
        let steps: Vec<_> = steps.iter().map(step).collect();
        let all = json!({
            "median_ms": median, "min_ms": least, "max_ms": most, "rounds": rounds, "runs_a_round": runs,
            "open_ms": opened.as_secs_f64() * 1e3,
            "batch": batch, "threads": args.threads, "isa": plan.isa, "steps": steps,
            "device": plan.device.as_ref().map(|device| json!({ "name": device.name, "bytes": device.total_bytes() })),
        });
        writeln!(out, "{all}")?;
        return Ok(());
    }
    let machine = match &plan.device {
        None => format!("{} thread(s), {}", args.threads, plan.isa),
        Some(device) => device.name.clone(),
    };
    writeln!(
        out,
        "median {median:.4} ms, min {least:.4}, max {most:.4} ({rounds} rounds of {runs} runs, batch {batch}, {machine})"
    )?;
    if steps.is_empty() {
        writeln!(out, "steps cannot be timed here")?;
        return Ok(());
    }
    let width = steps.iter().map(|s| s.name.len()).max().unwrap_or(0).max(4);
    writeln!(
        out,
        "{:width$}  {:<15}  {:<14}  {:>10}  {:>10}  {:>6}",
        "step", "kind", "form", "median ms", "min ms", "%"
    )?;
    for s in &steps {
        let [ms, min] = [s.time, s.least].map(|t| t.as_secs_f64() * 1e3);
        let share = 100.0 * s.time.as_secs_f64() / total.max(f64::MIN_POSITIVE);
        let form = form(&s.name);
        writeln!(
            out,
            "{:width$}  {:<15}  {form:<14}  {ms:>10.4}  {min:>10.4}  {share:>6.1}",
            s.name, s.kind
        )?;
    }
    Ok(())
}

/// What the network is run on: one list for each input, as it takes them behind preprocessing.
fn inputs(session: &mut Session<'_>, args: &Args) -> Result<Vec<Vec<f32>>> {
    if !args.input.is_empty() {
        return named::sample(session, &args.input);
    }
    if !args.images.is_empty() {
        named::only_one(session)?;
    }
    let given = images::sample(session, &args.images)?;
    Ok(match (given, session.pipeline()) {
        (Some(raw), Some(pipeline)) => vec![pipeline.apply_to(&raw)],
        (Some(raw), None) => vec![raw],
        (None, Some(pipeline)) => vec![pipeline.apply_to(&made_up::pixels(&session.raw_shape()))],
        (None, None) => made_up::inputs(session.model())?,
    })
}
