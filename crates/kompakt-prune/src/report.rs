//! What is kept, layer by layer.

use kompakt_model::Model;

/// One line: the share that each weight layer keeps, and the total.
pub fn density_text(model: &Model) -> String {
    let (mut kept, mut all) = (0, 0);
    let mut parts = Vec::new();
    for p in model.graph.weights() {
        let n = model.parameters.get(&p.name).map_or(0, |found| found.n_kept());
        kept += n;
        all += p.len();
        parts.push(format!("{} {:.2} %", p.name, 100.0 * n as f64 / p.len() as f64));
    }
    format!(
        "kept {kept} of {all} weights ({:.2} %): {}",
        100.0 * kept as f64 / all.max(1) as f64,
        parts.join(", ")
    )
}
