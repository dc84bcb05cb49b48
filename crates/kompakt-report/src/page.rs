//! The HTML page: one file, no script, nothing loaded from elsewhere.

use crate::{
    error::ReportError,
    evidence::Evidence,
    plot,
    summary::{Summary, thousands},
};
use kompakt_graph::ParamRole;
use kompakt_model::{Model, Parameter, StageRecord};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// The report on one run.
///
/// Errors: a plot cannot be drawn.
pub fn html(evidence: &Evidence) -> Result<String, ReportError> {
    let summary = &evidence.summary;
    let title = format!("{} on {}", summary.net, summary.data);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "kompakt: " (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                (headline(summary))
                @if let Some(note) = &summary.data_note { p.note { (note) } }
                h2 { "Stage by stage" }
                (stage_table(summary))
                div.pair {
                    figure {
                        (PreEscaped(plot::bytes_by_stage(&summary.rows)?))
                        figcaption { "Bytes after each stage, logarithmic: the file that packing the stage's result gives." }
                    }
                    figure {
                        (PreEscaped(plot::error_by_stage(&summary.rows)?))
                        figcaption { "Error on the validation split after each stage; last, the packed file on the test set." }
                    }
                }
                (bytes_section(evidence)?)
                (weights_section(evidence)?)
                (filters_section(evidence)?)
                @if let Some(model) = evidence.last() { (provenance_section(&model.provenance)) }
            }
        }
    };
    Ok(page.into_string())
}

fn headline(summary: &Summary) -> Markup {
    let last = summary.rows.last();
    html! {
        p.headline {
            strong { (thousands(summary.dense_bytes)) " bytes" }
            " became "
            strong { (last.map_or_else(String::new, |r| thousands(r.n_bytes))) " bytes" }
            @if let Some(row) = last {
                ": " strong { (format!("{:.1}", row.compression_ratio)) " times smaller" }
                @if let Some(error) = row.error {
                    ", " strong { (format!("{:.2} %", error * 100.0)) } " error on the test set"
                }
            }
            "."
        }
        p.small {
            "Recipe " code { (summary.recipe) } ", preprocessing " code { (summary.prep) } ", seed " (summary.seed)
            ". Every byte of the file counts; the error is the loader's own, from the packed file."
        }
    }
}

fn stage_table(summary: &Summary) -> Markup {
    let has_costs = summary.rows.iter().any(|row| row.wall_s > 0.0);
    html! {
        table {
            thead { tr {
                th { "stage" } th.n { "non-zeros" } th.n { "bytes" } th.n { "ratio" } th.n { "error" } th { "on" }
                @if has_costs { th.n { "seconds" } th.n { "peak RSS" } }
            } }
            tbody {
                @for row in &summary.rows {
                    tr {
                        td { (row.stage) }
                        td.n { (thousands(row.n_nonzero)) }
                        td.n { (thousands(row.n_bytes)) }
                        td.n { (format!("{:.1}x", row.compression_ratio)) }
                        td.n { (row.error.map_or_else(String::new, |e| format!("{:.2} %", e * 100.0))) }
                        td { (row.error_on) }
                        @if has_costs {
                            td.n { (format!("{:.1}", row.wall_s)) }
                            td.n { (format!("{:.0} MB", row.peak_rss_bytes as f64 / 1e6)) }
                        }
                    }
                }
            }
        }
    }
}

fn bytes_section(evidence: &Evidence) -> Result<Markup, ReportError> {
    if evidence.bytes.is_empty() {
        return Ok(html! {});
    }
    let total: u64 = evidence.bytes.iter().flat_map(|l| &l.parts).map(|p| p.1).sum();
    let plot = plot::bytes_by_layer(&evidence.bytes)?;
    Ok(html! {
        h2 { "Where the bytes are" }
        figure {
            (PreEscaped(plot))
            figcaption { "The rows add up to the file: " (thousands(total)) " bytes." }
        }
    })
}

fn weights_section(evidence: &Evidence) -> Result<Markup, ReportError> {
    let (Some(first), Some(last)) = (evidence.first(), evidence.last()) else { return Ok(html! {}) };
    let mut figures = Vec::new();
    for param in last.graph.params().iter().filter(|p| p.role == ParamRole::Weight) {
        let (Some(before), Some(after)) =
            (first.parameters.get(&param.name), last.parameters.get(&param.name))
        else {
            continue;
        };
        figures.push((layer_caption(&param.name, before, after), plot::weights(before, after)?));
    }
    Ok(html! {
        h2 { "Weights before and after" }
        p.small {
            "Filled: all weights after training. Stems: the shared values that are left, as high as the number of "
            "weights that use them. Counts are logarithmic."
        }
        div.pair {
            @for (caption, plot) in &figures {
                figure { (PreEscaped(plot)) figcaption { (caption) } }
            }
        }
    })
}

fn layer_caption(name: &str, before: &Parameter, after: &Parameter) -> String {
    let shape: Vec<String> = after.shape().iter().map(ToString::to_string).collect();
    let values = match after {
        Parameter::Shared { codebook, .. } => format!(", {} shared values", codebook.len()),
        Parameter::Dense { .. } => String::new(),
    };
    format!(
        "{name} {}: {} of {} weights kept ({:.1} %){values}",
        shape.join("x"),
        thousands(after.n_kept() as u64),
        thousands(before.len() as u64),
        100.0 * after.n_kept() as f64 / before.len().max(1) as f64
    )
}

fn filters_section(evidence: &Evidence) -> Result<Markup, ReportError> {
    let picture = |model: Option<&Model>| model.and_then(plot::first_filters).transpose();
    let (before, after) = (picture(evidence.first())?, picture(evidence.last())?);
    let (Some(before), Some(after)) = (before, after) else { return Ok(html! {}) };
    Ok(html! {
        h2 { "What the first layer looks for" }
        figure { (PreEscaped(before)) figcaption { "After training." } }
        figure { (PreEscaped(after)) figcaption { "In the packed file. White is zero: nothing is stored there." } }
    })
}

fn provenance_section(provenance: &[StageRecord]) -> Markup {
    html! {
        h2 { "How it was made" }
        @for record in provenance {
            details {
                summary { (record.program) " " (record.version) }
                table {
                    tbody {
                        @if let Some(seed) = record.seed { tr { td { "seed" } td { (seed) } } }
                        @for (name, value) in &record.options { tr { td { (name) } td { (value) } } }
                        @for (name, value) in &record.measured { tr { td { (name) } td { (value) } } }
                    }
                }
            }
        }
    }
}

const STYLE: &str = "
:root { --ink: #232b38; --soft: #5b6677; --line: #e3e7ee; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 1100px; margin: 2.5rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2.4rem 0 .7rem; }
.headline { font-size: 1.15rem; margin: .2rem 0; } .small { color: var(--soft); margin: .2rem 0 .8rem; }
.note { background: #fff4de; border-left: 4px solid #e08a1e; padding: .5rem .8rem; }
table { border-collapse: collapse; } th, td { padding: .28rem .8rem; border-bottom: 1px solid var(--line); text-align: left; }
th { color: var(--soft); font-weight: 600; } .n { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: .6rem 0; } figcaption { color: var(--soft); font-size: .88rem; }
svg { max-width: 100%; height: auto; } .pair { display: grid; grid-template-columns: 1fr 1fr; gap: .6rem 1.4rem; }
@media (max-width: 760px) { .pair { grid-template-columns: 1fr; } }
details { margin: .25rem 0; } summary { cursor: pointer; } code { background: #f2f4f8; padding: .05rem .3rem; border-radius: 3px; }
";
