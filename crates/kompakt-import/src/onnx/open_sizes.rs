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

use crate::onnx::{
    error::OnnxError,
    fit::{Fitted, Obstacle, Part, fit},
    import::{Imported, Source},
    options::ImportOptions,
    ports::{example_dims, network_inputs},
    sample::Sample,
};
use kompakt_graph::{Count, Graph, MAX_DIM, MAX_SYMBOLS, Node, Op, Place, Size, Sizes, Symbol};
use kompakt_model::{CheckpointError, Parameter};
use std::collections::BTreeMap;

/// The greatest size where neither the user nor the network says otherwise, if the stored size is not more than a quarter of it.
pub const DEFAULT_MOST: usize = 512;

/// Steps between sizes that are tried.
const STEPS: [usize; 6] = [1, 2, 4, 8, 16, 32];

/// How many steps more than the stored size is tried.
const FURTHER: [usize; 3] = [1, 7, 20];

/// Least sizes that are tried.
const LEAST: [usize; 5] = [1, 2, 8, 32, 64];

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
    let mut prover = Prover { source, options, imported, all, ties: BTreeMap::new() };
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
            if dim.dim_value > 0 || (lead == 0 && axis == 0 && stored == 1) {
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

struct Prover<'p> {
    source: &'p Source,
    options: &'p ImportOptions,
    imported: &'p mut Imported,
    all: Vec<Open>,
    /// Sizes that are the sum of two others.
    ties: BTreeMap<usize, (usize, usize)>,
}

/// Range and step of a symbol.
#[derive(Debug, Clone, Copy)]
struct Range {
    least: usize,
    most: usize,
    step: usize,
}

impl Prover<'_> {
    fn stored(&self) -> Vec<usize> {
        self.all.iter().map(|open| open.stored).collect()
    }

    fn held(&self, symbol: usize, obstacle: &Obstacle) -> HeldSize {
        let (node, operator, reason) = obstacle;
        let Open { name, stored, .. } = &self.all[symbol];
        HeldSize {
            name: name.clone(),
            size: *stored,
            reason: format!("node {node:?} ({operator}): {reason}"),
        }
    }

    /// Of sizes of which no one can change by itself: those that are the sum of two others follow from them. Whether there are any.
    fn tie(&mut self) -> bool {
        let n = self.all.len();
        for sum in 0..n {
            let is_free = |i: usize| i != sum && !self.ties.contains_key(&i);
            let pair = (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).find(|&(a, b)| {
                let total = self.all[a].stored + self.all[b].stored;
                is_free(a) && is_free(b) && total == self.all[sum].stored
            });
            if let Some(pair) = pair {
                self.ties.insert(sum, pair);
            }
        }
        !self.ties.is_empty()
    }

    /// The import at these sizes.
    fn sample(&self, sizes: &[usize]) -> Result<Sample, Obstacle> {
        let mut sizes = sizes.to_vec();
        for (&sum, &(a, b)) in &self.ties {
            sizes[sum] = sizes[a] + sizes[b];
        }
        let mut options = self.options.clone();
        options.input_shapes.clear();
        for (index, port) in self.imported.inputs.iter().enumerate() {
            let mut shape = port.rest.clone();
            for (open, size) in self.all.iter().zip(&sizes) {
                for &(_, axis) in open.places.iter().filter(|(input, _)| *input == index) {
                    shape[axis] = *size;
                }
            }
            if let (true, Some(batch)) = (self.imported.has_batch, self.imported.batch) {
                shape.insert(0, batch);
            }
            if !shape.is_empty() {
                options.input_shapes.push((port.name.clone(), shape));
            }
        }
        for (name, shape) in &self.options.input_shapes {
            if self.options.input_values.iter().any(|(fixed, _)| fixed == name) {
                options.input_shapes.push((name.clone(), shape.clone()));
            }
        }
        let lead = usize::from(self.imported.has_batch);
        match self.source.import_as(&options, lead, &|_| ()) {
            Ok(imported) => Ok(Sample::new(sizes, &imported)),
            Err(OnnxError::Unsupported(problems)) => {
                let first = &problems[0];
                Err((first.node.clone(), "import", format!("at sizes {sizes:?}: {}", first.problem)))
            }
            Err(error) => Err(("inputs".into(), "import", format!("at sizes {sizes:?}: {error}"))),
        }
    }

    /// The sample that has another size of one symbol.
    fn at(&self, symbol: usize, size: usize) -> Result<Sample, Obstacle> {
        let mut sizes = self.stored();
        sizes[symbol] = size;
        self.sample(&sizes)
    }

    /// The symbols that can change while all others keep their stored size.
    fn each(&self, base: &Sample, held: &mut Vec<HeldSize>) -> Vec<(usize, Range)> {
        let mut found = Vec::new();
        for symbol in (0..self.all.len()).filter(|symbol| !self.ties.contains_key(symbol)) {
            match self.alone(symbol, base) {
                Ok(range) => found.push((symbol, range)),
                Err(obstacle) => held.push(self.held(symbol, &obstacle)),
            }
        }
        found
    }

    /// Range and step of one symbol.
    fn alone(&self, symbol: usize, base: &Sample) -> Result<Range, Obstacle> {
        let Open { name, stored, .. } = &self.all[symbol];
        let stored = *stored;
        let given = self.options.max_sizes.iter().find(|(given, _)| given == name).map(|(_, most)| *most);
        let mut candidates = match given {
            Some(most) => vec![most],
            None => vec![4 * stored, DEFAULT_MOST, 2 * stored, stored + 32, stored],
        };
        candidates.retain(|most| (stored..=MAX_DIM).contains(most));
        candidates.sort_unstable();
        candidates.dedup();
        let mut samples: Vec<Sample> = Vec::new();
        let mut most = stored;
        let mut problem = None;
        for &candidate in candidates.iter().rev().filter(|candidate| **candidate > stored) {
            match self.at(symbol, candidate).and_then(|sample| fit(&[base, &sample]).map(|_| sample)) {
                Ok(sample) => {
                    most = candidate;
                    samples.push(sample);
                    break;
                }
                Err(obstacle) => problem = Some(obstacle),
            }
        }
        if let (Some(given), Some(obstacle)) = (given, &problem)
            && given > stored
        {
            return Err(obstacle.clone());
        }
        let fits = |samples: &[Sample], next: &[Sample]| -> Result<(), Obstacle> {
            let all: Vec<&Sample> = std::iter::once(base).chain(samples).chain(next).collect();
            fit(&all).map(|_| ())
        };
        let mut range = Err(problem.unwrap_or_else(|| ("inputs".into(), "import", "it is too small".into())));
        for step in STEPS {
            // Further ones where there is room, else nearer ones.
            let sizes = FURTHER.iter().map(|n| n * step).filter_map(|more| match stored + more {
                size if size <= most => Some(size),
                _ => stored.checked_sub(more).filter(|size| *size > 0),
            });
            let next: Result<Vec<Sample>, Obstacle> = sizes.map(|size| self.at(symbol, size)).collect();
            let tried = next.and_then(|next| fits(&samples, &next).map(|()| next));
            match tried {
                Ok(next) if next.is_empty() => break,
                Ok(next) => {
                    samples.extend(next);
                    range = Ok(step);
                    break;
                }
                Err(obstacle) => range = Err(obstacle),
            }
        }
        let step = range?;
        most -= (most - stored) % step;
        let mut least = samples.iter().map(|sample| sample.sizes[symbol]).fold(stored, usize::min);
        for candidate in LEAST {
            // The next of the same steps.
            let size = candidate + (stored.saturating_sub(candidate)) % step;
            if size >= least {
                break;
            }
            if self.at(symbol, size).and_then(|sample| fits(&samples, &[sample])).is_ok() {
                least = size;
                break;
            }
        }
        Ok(Range { least, most, step })
    }

    /// All symbols at once: what the network is, and that it is that at each symbol's bounds and at all together.
    fn together(&self, base: &Sample, found: &[(usize, Range)]) -> Result<(Sizes, Fitted), Obstacle> {
        let mut all = Vec::new();
        let near = |range: &Range, stored: usize, steps: usize| {
            let more = stored + steps * range.step;
            if more <= range.most { more } else { stored.saturating_sub(steps * range.step).max(range.least) }
        };
        for &(symbol, range) in found {
            for size in [range.most, range.least, near(&range, self.all[symbol].stored, 1)] {
                if size != self.all[symbol].stored {
                    all.push(self.at(symbol, size)?);
                }
            }
        }
        type Pick<'a> = &'a dyn Fn(usize, &Range, usize) -> usize;
        let picks: [Pick<'_>; 3] =
            [&|_, range, _| range.most, &|_, range, _| range.least, &|i, range, stored| {
                near(range, stored, 2 * i + 1)
            }];
        for pick in picks.iter().filter(|_| found.len() > 1) {
            let mut sizes = self.stored();
            for (i, (symbol, range)) in found.iter().enumerate() {
                sizes[*symbol] = pick(i, range, self.all[*symbol].stored);
            }
            all.push(self.sample(&sizes)?);
        }
        // Only symbols that are found count.
        let order: Vec<usize> = found.iter().map(|(symbol, _)| *symbol).collect();
        let narrow = |sample: &Sample| order.iter().map(|&symbol| sample.sizes[symbol]).collect::<Vec<_>>();
        let mut base = base.again();
        base.sizes = narrow(&base);
        for sample in &mut all {
            sample.sizes = narrow(sample);
        }
        let samples: Vec<&Sample> = std::iter::once(&base).chain(&all).collect();
        let fitted = fit(&samples)?;
        let sizes = self.sizes(found);
        prove(&samples, &sizes, &fitted)?;
        Ok((sizes, fitted))
    }

    /// The symbols, and which dimensions of inputs they are.
    fn sizes(&self, found: &[(usize, Range)]) -> Sizes {
        let symbol = |(symbol, range): &(usize, Range)| Symbol {
            name: self.all[*symbol].name.clone(),
            stored: self.all[*symbol].stored,
            least: range.least,
            most: range.most,
            step: range.step,
        };
        let number = |wanted: usize| found.iter().position(|(symbol, _)| *symbol == wanted);
        let mut places = Vec::new();
        for (index, open) in self.all.iter().enumerate() {
            let size = match (number(index), self.ties.get(&index)) {
                (Some(own), _) => Size::of(Count::Symbol(own)),
                (None, Some(&(a, b))) => {
                    let ends = [a, b].map(|part| (number(part), self.all[part].stored as i64));
                    let offset = ends.iter().filter(|(own, _)| own.is_none()).map(|(_, stored)| stored).sum();
                    let own = ends.iter().filter_map(|(own, _)| *own);
                    let terms: Vec<(i64, Count)> = own.map(|own| (1, Count::Symbol(own))).collect();
                    if terms.is_empty() {
                        continue;
                    }
                    Size::Sum { offset, terms }
                }
                _ => continue,
            };
            for &(input, axis) in &open.places {
                places.push(Place { value: input, number: axis, size: size.clone() });
            }
        }
        places.sort_by_key(|place| (place.value, place.number));
        Sizes { symbols: found.iter().map(symbol).collect(), places }
    }
}

/// Checks that the network, rewritten, has at every sample's sizes the operators and shapes that were imported there.
fn prove(samples: &[&Sample], sizes: &Sizes, fitted: &Fitted) -> Result<(), Obstacle> {
    let failed = |reason: String| ("network".to_string(), "import", reason);
    let rewritten = Rewritten::new(&samples[0].graph, sizes, fitted).map_err(failed)?;
    for sample in samples {
        let at = rewritten.graph.at_sizes(&sample.sizes).map_err(|error| failed(error.to_string()))?;
        for (index, node) in sample.graph.nodes().iter().enumerate() {
            let value = sample.graph.value_of(index);
            let new = rewritten.new[value];
            let is_replaced = fitted.constants.contains_key(&index) || fitted.gathers.contains_key(&index);
            let is_same = is_replaced || at.producer(new).is_some_and(|new| at.nodes()[new].op == node.op);
            if !is_same || at.shape(new) != sample.graph.shape(value) {
                let reason = format!("at sizes {:?} it is not what the file has there", sample.sizes);
                return Err((node.name.clone(), node.op.name(), reason));
            }
        }
    }
    Ok(())
}

/// A network with open sizes.
struct Rewritten {
    graph: Graph,
    /// The new number of each value.
    new: Vec<usize>,
    /// Constants: the node's old name, the new one, shape and elements.
    constants: Vec<(String, String, Part)>,
}

impl Rewritten {
    fn new(graph: &Graph, sizes: &Sizes, fitted: &Fitted) -> Result<Self, String> {
        let sizes = sizes.clone();
        let n_inputs = graph.inputs().len();
        let mut new: Vec<usize> = (0..n_inputs).collect();
        let mut nodes: Vec<Node> = Vec::new();
        let mut constants = Vec::new();
        // Places of slices that are added: the slice's number, then as in `Fitted`.
        let mut added = Vec::new();
        let names: std::collections::BTreeSet<&str> =
            (0..n_inputs + graph.nodes().len()).map(|value| graph.value_name(value)).collect();
        let free = |name: String| {
            let more = (2..).map(|i| format!("{name}{i}"));
            std::iter::once(name.clone())
                .chain(more)
                .find(|n| !names.contains(n.as_str()))
                .unwrap_or(name.clone())
        };
        for (index, node) in graph.nodes().iter().enumerate() {
            let inputs: Vec<usize> = node.inputs.iter().map(|&value| new[value]).collect();
            let slice = |part: &Part| Op::Slice {
                start: part.start.clone(),
                end: part.end.clone(),
                step: vec![1; part.shape.len()],
            };
            if let Some(part) = fitted.constants.get(&index) {
                let name = free(format!("{}.all", node.name));
                let op = Op::Constant { shape: part.shape.clone() };
                nodes.push(Node { name: name.clone(), op, inputs });
                let value = n_inputs + nodes.len() - 1;
                nodes.push(Node { name: node.name.clone(), op: slice(part), inputs: vec![value] });
                added.push((value + 1, part.places.clone()));
                constants.push((node.name.clone(), name, part.clone()));
            } else if let (Some((_, part)), Op::Gather { axis, .. }) = (fitted.gathers.get(&index), &node.op)
            {
                let name = free(format!("{}.indices", node.name));
                let op = Op::Constant { shape: part.shape.clone() };
                nodes.push(Node { name: name.clone(), op, inputs: vec![0] });
                let value = n_inputs + nodes.len() - 1;
                let used = free(format!("{}.used", node.name));
                nodes.push(Node { name: used, op: slice(part), inputs: vec![value] });
                added.push((value + 1, part.places.clone()));
                let inputs = vec![inputs[0], value + 1];
                nodes.push(Node { name: node.name.clone(), op: Op::Take { axis: *axis }, inputs });
                constants.push((String::new(), name, part.clone()));
            } else {
                nodes.push(Node { inputs, ..node.clone() });
            }
            new.push(n_inputs + nodes.len() - 1);
        }
        let renumber = |size: &Size| match size {
            Size::Rest => Size::Rest,
            Size::Sum { offset, terms } => {
                let count = |count: &Count| match *count {
                    Count::Symbol(symbol) => Count::Symbol(symbol),
                    Count::Dimension { value, axis } => Count::Dimension { value: new[value], axis },
                };
                let terms = terms.iter().map(|(factor, of)| (*factor, count(of))).collect();
                Size::Sum { offset: *offset, terms }
            }
        };
        let mut places = sizes.places;
        for (value, number, size) in &fitted.places {
            places.push(Place { value: new[*value], number: *number, size: renumber(size) });
        }
        for (value, own) in &added {
            for (number, size) in own {
                places.push(Place { value: *value, number: *number, size: renumber(size) });
            }
        }
        places.sort_by_key(|place| (place.value, place.number));
        let outputs = graph.outputs().iter().map(|&value| new[value]).collect();
        let open = Sizes { symbols: sizes.symbols, places };
        let rewritten = Graph::new(graph.inputs().to_vec(), nodes, outputs)
            .and_then(|graph| graph.with_sizes(Some(open)));
        let graph = rewritten.map_err(|error| error.to_string())?;
        Ok(Self { graph, new, constants })
    }
}

/// Puts the network with open sizes in the place of the imported one.
fn rewrite(imported: &mut Imported, sizes: Sizes, fitted: Fitted) -> Result<(), String> {
    let rewritten = Rewritten::new(&imported.model.graph, &sizes, &fitted)?;
    let model = &mut imported.model;
    for (old, name, part) in rewritten.constants {
        if !old.is_empty() {
            model.parameters.remove(&format!("{old}.value"));
        }
        let parameter = Parameter::dense(part.shape, part.values);
        model.parameters.insert(format!("{name}.value"), parameter);
    }
    model.graph = rewritten.graph;
    for named in &mut imported.values {
        named.value = rewritten.new[named.value];
    }
    model.check().map_err(|error: CheckpointError| error.to_string())
}
