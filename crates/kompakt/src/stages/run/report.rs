//! Printed results.

use anyhow::Result;
use kompakt_runtime::{Model, Plan, Port, Prediction, Session};
use serde_json::{Value, json};
use std::io::Write;

/// One image: its name, then classes and probabilities.
pub(super) fn predictions(
    image: &str,
    predictions: &[Prediction],
    model: &Model<'_>,
    json: bool,
    out: &mut dyn Write,
) -> Result<()> {
    if json {
        let one = |p: &Prediction| json!({ "class": p.class, "label": model.label(p.class), "probability": p.probability });
        let all: Vec<_> = predictions.iter().map(one).collect();
        writeln!(out, "{}", json!({ "image": image, "predictions": all }))?;
        return Ok(());
    }
    write!(out, "{image}")?;
    for p in predictions {
        write!(out, "\t{}\t{:.4}", model.label(p.class), p.probability)?;
    }
    writeln!(out)?;
    Ok(())
}

/// All outputs for one image: one line per output with the image, the output's name, its shape and its
/// values.
pub(super) fn outputs(image: &str, session: &Session<'_>, json: bool, out: &mut dyn Write) -> Result<()> {
    let all = || session.outputs().iter().enumerate().map(|(i, port)| (port, session.output(i)));
    if json {
        let one = |(port, values): (&Port, &[f32])| json!({ "name": port.name, "shape": port.shape, "values": values });
        let all: Vec<_> = all().map(one).collect();
        writeln!(out, "{}", json!({ "image": image, "outputs": all }))?;
        return Ok(());
    }
    for (Port { name, shape, .. }, values) in all() {
        write!(out, "{image}\t{name}\t{shape:?}\t")?;
        for (i, value) in values.iter().enumerate() {
            write!(out, "{}{value}", if i > 0 { " " } else { "" })?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Forms and memory as JSON.
pub(crate) fn plan_json(plan: &Plan, model: &Model<'_>) -> Value {
    let layer = |l: &kompakt_runtime::LayerPlan| {
        json!({
            "name": l.name, "form": l.form, "kept": l.n_kept, "weights": l.n_weights,
            "anonymous_bytes": l.anonymous_bytes, "file_bytes": l.file_bytes,
            "int8_error": l.int8_error,
            "costs": l.costs.iter().map(|(form, ns)| json!({ "form": form, "ns": ns })).collect::<Vec<_>>(),
        })
    };
    let layers: Vec<_> = plan.layers.iter().map(layer).collect();
    json!({
        "isa": plan.isa, "threads": plan.threads, "max_batch": plan.max_batch, "layers": layers,
        "activation_bytes": plan.activation_bytes, "activation_bytes_unshared": plan.activation_bytes_unshared,
        "anonymous_bytes": plan.anonymous_bytes, "file_bytes": plan.file_bytes, "model_bytes": model.n_bytes(),
        "device": plan.device.as_ref().map(|device| json!({
            "name": device.name, "weight_bytes": device.weight_bytes, "activation_bytes": device.activation_bytes,
            "staging_bytes": device.staging_bytes, "total_bytes": device.total_bytes(),
            "allocated_bytes": device.allocated_bytes,
        })),
    })
}

/// Forms and memory.
pub(super) fn plan(plan: &Plan, model: &Model<'_>, json: bool, out: &mut dyn Write) -> Result<()> {
    if json {
        writeln!(out, "{}", plan_json(plan, model))?;
        return Ok(());
    }
    let width = plan.layers.iter().map(|l| l.name.len()).max().unwrap_or(0).max(5);
    writeln!(
        out,
        "{:width$}  {:>14}  {:>12}  {:>10}  {:>10}  costs it was chosen by",
        "layer", "form", "kept", "memory B", "file B"
    )?;
    for l in &plan.layers {
        let (name, form, kept, memory, file) = (&l.name, l.form, l.n_kept, l.anonymous_bytes, l.file_bytes);
        let costs: Vec<String> =
            l.costs.iter().map(|(form, ns)| format!("{form} {:.1} us", ns / 1e3)).collect();
        let costs = if costs.is_empty() { "no other form".into() } else { costs.join(", ") };
        let error = match l.int8_error {
            Some(error) => format!("; weights off by {:.2} %", 100.0 * error),
            None => String::new(),
        };
        writeln!(out, "{name:width$}  {form:>14}  {kept:>12}  {memory:>10}  {file:>10}  {costs}{error}")?;
    }
    if let Some(device) = &plan.device {
        let (total, [weights, values, staging]) =
            (device.total_bytes(), [device.weight_bytes, device.activation_bytes, device.staging_bytes]);
        writeln!(
            out,
            "video memory {total} B: weights {weights} B, values {values} B, staging {staging} B; brought at every run {} B; \
             {}, batches of {}",
            plan.file_bytes, device.name, plan.max_batch
        )?;
        return Ok(());
    }
    writeln!(
        out,
        "activations {} B (unshared {} B), memory in all {} B, read from the file at every run {} B; {}, batches of {}",
        plan.activation_bytes,
        plan.activation_bytes_unshared,
        plan.anonymous_bytes,
        plan.file_bytes,
        plan.isa,
        plan.max_batch
    )?;
    Ok(())
}
