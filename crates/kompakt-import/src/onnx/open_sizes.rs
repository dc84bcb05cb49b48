//! Sizes that a file leaves open stay open where that is proven.
//!
//! ```text
//! model.onnx ──► imported at 128 (stored), 129, 135, 148, 512, 2, …
//!                  │
//!                  ▼ numbers that differ are expressed by the sizes (fit)
//!                one network ──► at 129, 135, … it must be the network that was imported there
//! ```
//!
//! A size for which this fails stays fixed, and the first operator that holds it is named.

mod prover;
mod rewritten;

use crate::onnx::{
    error::OnnxError,
    import::{Imported, Source},
    options::ImportOptions,
    ports::{example_dims, network_inputs},
    sample::Sample,
};
use kompakt_graph::{MAX_DIM, MAX_SYMBOLS};
use prover::Prover;
use rewritten::rewrite;

/// The greatest size where neither the user nor the network says otherwise, if the stored size is not more than a quarter of it.
pub const DEFAULT_MOST: usize = 512;

/// A size that a file leaves open and that stays fixed all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldSize {
    /// Its name.
    pub name: String,
    /// What it is fixed to.
    pub size: usize,
    /// Which operator holds it, and why.
    pub reason: String,
}

impl std::fmt::Display for HeldSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "size {:?} is fixed to {}: {}", self.name, self.size, self.reason)
    }
}

/// A size that the file leaves open.
#[derive(Debug, Clone)]
struct Open {
    name: String,
    stored: usize,
    /// Dimensions of inputs (the batch left out): input, axis.
    places: Vec<(usize, usize)>,
}

/// What likely lengths and sides are divided by, one after the other, until the network can be imported.
pub(crate) const DIVISORS: [usize; 3] = [1, 4, 7];

/// Options with a shape for every input, and whether some were chosen here.
pub(crate) fn with_shapes(source: &Source, options: &ImportOptions, divisor: usize) -> (ImportOptions, bool) {
    let mut options = options.clone();
    let mut is_chosen = false;
    if options.fixed {
        return (options, false);
    }
    let graph = source.graph();
    for (index, input) in network_inputs(graph).into_iter().enumerate() {
        let is_given =
            |(name, _): &&(String, Vec<usize>)| *name == input.name || (name.is_empty() && index == 0);
        let is_constant = options.input_values.iter().any(|(name, _)| *name == input.name);
        if is_constant || options.input_shapes.iter().any(|given| is_given(&given)) {
            continue;
        }
        if let Some(dims) = example_dims(graph, input, divisor) {
            options.input_shapes.push((input.name.clone(), dims));
            is_chosen = true;
        }
    }
    (options, is_chosen)
}

/// Opens the sizes of an imported network as far as that can be proven; returns those that stay fixed.
///
/// Errors: a greatest size for a name that the file does not have, or that is less than the stored size.
pub(crate) fn open(
    source: &Source,
    options: &ImportOptions,
    imported: &mut Imported,
) -> Result<Vec<HeldSize>, OnnxError> {
    if options.fixed {
        return Ok(Vec::new());
    }
    let all = open_sizes(source, imported);
    check_most(&all, options)?;
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let mut prover = Prover::new(source, options, imported, all);
    let base = Sample::new(prover.stored(), prover.imported);
    let mut held = Vec::new();
    let mut found = prover.each(&base, &mut held);
    if found.is_empty() && prover.tie() {
        held.clear();
        found = prover.each(&base, &mut held);
    }
    while let Some(last) = found.last().map(|(symbol, _)| *symbol) {
        match prover.together(&base, &found) {
            Ok((sizes, fitted)) => {
                let names: Vec<String> = prover.all.iter().map(|open| open.name.clone()).collect();
                match rewrite(prover.imported, sizes, fitted) {
                    Ok(()) => break,
                    Err(reason) => {
                        for (symbol, _) in std::mem::take(&mut found) {
                            let size = base.sizes[symbol];
                            held.push(HeldSize { name: names[symbol].clone(), size, reason: reason.clone() });
                        }
                    }
                }
            }
            Err(obstacle) => {
                found.pop();
                held.push(prover.held(last, &obstacle));
            }
        }
    }
    Ok(held)
}

/// The sizes that the file leaves open, the batch left out.
fn open_sizes(source: &Source, imported: &Imported) -> Vec<Open> {
    let lead = usize::from(imported.has_batch);
    let inputs = network_inputs(source.graph());
    let mut all: Vec<Open> = Vec::new();
    for (index, port) in imported.inputs.iter().enumerate() {
        let declared = inputs
            .iter()
            .find(|input| input.name == port.name)
            .and_then(|input| Some(&input.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref()?.dim));
        let Some(declared) = declared.filter(|dims| dims.len() == port.rest.len() + lead) else { continue };
        for (axis, (&stored, dim)) in port.rest.iter().zip(&declared[lead..]).enumerate() {
            // A first dimension without a batch, left open: it is 1 unless it is given.
            if dim.size().is_some() || (lead == 0 && axis == 0 && stored == 1) {
                continue;
            }
            let mut name: String = dim.dim_param.chars().filter(|c| !c.is_control()).take(60).collect();
            if name.is_empty() {
                name = format!("{}.{}", port.name.chars().take(60).collect::<String>(), axis + lead);
            }
            match all.iter_mut().find(|open| open.name == name) {
                Some(open) if open.stored == stored => open.places.push((index, axis)),
                Some(_) => {
                    name = format!("{}.{}", port.name.chars().take(60).collect::<String>(), axis + lead);
                    all.push(Open { name, stored, places: vec![(index, axis)] });
                }
                None => all.push(Open { name, stored, places: vec![(index, axis)] }),
            }
        }
    }
    all.truncate(MAX_SYMBOLS);
    all
}

fn check_most(all: &[Open], options: &ImportOptions) -> Result<(), OnnxError> {
    for (name, most) in &options.max_sizes {
        let names: Vec<&str> = all.iter().map(|open| open.name.as_str()).collect();
        let Some(open) = all.iter().find(|open| open.name == *name) else {
            let names = if names.is_empty() { "none".to_string() } else { names.join(", ") };
            return Err(OnnxError::Port(format!(
                "the model leaves no size {name:?} open; those it does: {names}"
            )));
        };
        if !(open.stored..=MAX_DIM).contains(most) {
            let stored = open.stored;
            let problem =
                format!("the greatest size {most} of {name:?} is not between {stored} and {MAX_DIM}");
            return Err(OnnxError::Port(problem));
        }
    }
    Ok(())
}
