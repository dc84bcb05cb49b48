//! Checks an import against its source file.
//!
//! ```text
//! model.onnx ─┬─► import ──► Model ──► caller runs it ──┐
//!             │                                         ├──► largest difference
//!             └─► evaluate (node by node, no rewriting) ┘
//! ```
//!
//! Two synthetic inputs are enough to distinguish functions. Where the answers differ, both sides report
//! their intermediate values, and the first node of the file whose value differs is named.
//!
//! Work is bounded: smaller images are compared where the file leaves their size open and the requested ones
//! take long; a large network of fixed size is compared on one input; one that is too large is not compared,
//! and the reason is given.
//!
//! What is not here: running the imported network; the caller provides that.

use crate::onnx::{
    error::OnnxError,
    evaluate::{Evaluator, Failure},
    import::{Imported, Source},
    open_sizes::HeldSize,
    options::ImportOptions,
    ports::Port,
    tensor::Tensor,
};
use kompakt_graph::Graph;
use kompakt_model::Model;
use std::{collections::BTreeMap, path::Path};

/// The largest difference, relative to a value's largest element.
pub const TOLERANCE: f32 = 1e-4;

/// A file whose answers depend on how its sums are rounded (a variance as the difference of two large numbers, say) may differ
/// by this many times what roundings of [`ROUNDING`] change, and by [`LOOSEST`] at most; each of its steps on its own too (see
/// [`is_step_by_step`]).
const ROUNDINGS: f32 = 4.0;
const ROUNDING: f32 = 1.0 / (1 << 22) as f32;
const LOOSEST: f32 = 1e-2;

/// Multiplications of one image beyond which nothing is compared: less than a second of them.
const WORK: u64 = 16_000_000_000;

/// Multiplications of all images beyond which one image is compared where two could be.
const MODERATE: u64 = 1_000_000_000;

/// Multiplications of all images beyond which smaller images are compared, if the file permits it.
const LITTLE: u64 = 200_000_000;

/// The most numbers of a value, all images together.
const LARGEST: usize = 1 << 26;

/// Number of synthetic inputs.
const N_INPUTS: usize = 2;

/// The smallest side of an image that stands for a larger one.
const LEAST_SIDE: usize = 32;

/// The result of a check.
#[derive(Debug, Clone, PartialEq)]
pub enum Checked {
    /// The network answers as the file does; the largest difference, relative to the largest element.
    Equal {
        /// At most [`TOLERANCE`], or what the rounding of single numbers explains.
        difference: f32,
    },
    /// Nothing was compared, and why.
    LeftOut(String),
}

/// Runs a model: takes the model, its inputs with the batch first, and the number of images; returns all
/// outputs.
pub type Run<'r> = dyn FnMut(&Model, &[Vec<f32>], usize) -> Result<Vec<Vec<f32>>, String> + 'r;

/// Receives progress: the current activity, and the fraction of it that is done (0 to 1).
pub type Progress<'p> = dyn Fn(&str, f64) + 'p;

/// Names of the activities: reading and checking.
const READING: &str = "reading";
const CHECKING: &str = "checking the import";

/// The fraction of a check that the evaluation of the file takes.
const EVALUATION: f64 = 0.6;

/// Reads an ONNX file as [`import`](crate::onnx::import()) does, and checks that the network, run by `run`, answers as the
/// file says. Also returns the sizes that the file leaves open and that stay fixed.
///
/// Errors: as for [`import`](crate::onnx::import()); [`OnnxError::Differs`] with the first node that differs;
/// [`OnnxError::NotRun`] for a network that `run` cannot run.
pub fn import_checked(
    path: &Path,
    options: &ImportOptions,
    run: &mut Run<'_>,
    progress: &Progress<'_>,
) -> Result<(Model, Checked, Vec<HeldSize>), OnnxError> {
    progress(READING, 0.0);
    let source = Source::open(path)?;
    let (imported, held, options) = source.import_open(options, &|share| progress(READING, share))?;
    let options = &options;
    progress(CHECKING, 0.0);
    let checked = match smaller(&source, options, &imported) {
        Ok(None) => check(&source, &imported, run, progress)?,
        Ok(Some(smaller)) => check(&source, &smaller, run, progress)?,
        Err(reason) => Checked::LeftOut(reason),
    };
    Ok((imported.model, checked, held))
}

/// The network on smaller images, where it is expensive and the file leaves their size open; an
/// error says why nothing is compared.
fn smaller(
    source: &Source,
    options: &ImportOptions,
    imported: &Imported,
) -> Result<Option<Imported>, String> {
    let (mut options, mut smallest) = (options.clone(), None);
    let mut work = work(imported);
    while work.saturating_mul(N_INPUTS as u64) > LITTLE {
        let Some(shapes) = source.smaller_shapes(&options, LEAST_SIDE) else { break };
        options.input_shapes = shapes;
        // A network may require images of a certain size.
        let Ok(smaller) = source.import(&options, &|_| ()) else { break };
        work = self::work(&smaller);
        smallest = Some(smaller);
    }
    let imported = smallest.as_ref().unwrap_or(imported);
    let graph = &imported.model.graph;
    let largest = (0..graph.inputs().len() + graph.nodes().len())
        .map(|v| graph.shape(v).iter().product::<usize>())
        .max()
        .unwrap_or(0);
    let images = imported.batch.unwrap_or(N_INPUTS).max(1);
    if largest.saturating_mul(images) > LARGEST {
        return Err(format!("a value has {largest} numbers"));
    }
    if work > WORK {
        let billions = work as f64 / 1e9;
        return Err(format!("an answer takes {billions:.0} billion multiplications"));
    }
    Ok(smallest)
}

/// Multiplications of one run of the file: of one image, or as many as the file fixes.
fn work(imported: &Imported) -> u64 {
    let graph = &imported.model.graph;
    let of = |param: &kompakt_graph::Param| {
        // A linear layer has one position.
        let positions = graph.convolution(param.node).map_or(1, |convolution| convolution.n_positions());
        (positions as u64).saturating_mul(param.len() as u64)
    };
    let images = imported.batch.unwrap_or(1) as u64;
    graph.weights().map(of).fold(0, u64::saturating_add).saturating_mul(images)
}

/// The outputs of one run of the file.
type Outputs = Vec<Vec<f32>>;

fn check(
    source: &Source,
    imported: &Imported,
    run: &mut Run<'_>,
    progress: &Progress<'_>,
) -> Result<Checked, OnnxError> {
    let work = work(imported).max(1);
    let wanted = if work.saturating_mul(N_INPUTS as u64) > MODERATE { 1 } else { N_INPUTS };
    let batch = imported.batch.unwrap_or(wanted);
    let n = batch * wanted.div_ceil(batch);
    let inputs = synthetic(imported, n);
    let evaluator = Evaluator::new(source.graph(), source.opset(), source.folder());
    // A file with an open batch may still fix it to one image, for example in an explicit shape.
    let tell = |share: f64| progress(CHECKING, EVALUATION * share);
    let all = match evaluated(&evaluator, imported, &inputs, n, batch, &tell) {
        Err(Failure::Node(_)) if imported.batch.is_none() && batch > 1 => {
            evaluated(&evaluator, imported, &inputs, n, 1, &tell).map(|parts| (1, parts))
        }
        other => other.map(|parts| (batch, parts)),
    };
    let (batch, parts) = match all {
        Ok(all) => all,
        Err(Failure::Work) => return Ok(Checked::LeftOut("an answer takes too much work".into())),
        Err(Failure::Node(p)) => return Ok(Checked::LeftOut(format!("{p} cannot be evaluated"))),
    };
    if parts.iter().flatten().flatten().any(|v| !v.is_finite()) {
        return Ok(Checked::LeftOut("answers to synthetic inputs are not numbers".into()));
    }
    tell(1.0);
    let found = run(&imported.model, &inputs, n).map_err(OnnxError::NotRun)?;
    let mut worst = 0.0f32;
    for (index, found) in found.iter().enumerate() {
        let expected: Vec<f32> = parts.iter().flat_map(|p| p[index].iter().copied()).collect();
        worst = worst.max(difference(found, &expected));
    }
    if worst <= TOLERANCE
        || (worst <= LOOSEST && {
            let rounded = evaluated(&evaluator.rounding(ROUNDING), imported, &inputs, n, batch, &|_| ());
            rounded.is_ok_and(|rounded| worst <= ROUNDINGS * farthest(&rounded, &parts))
                && is_step_by_step(imported, &evaluator, &inputs, n, batch, run)
        })
    {
        return Ok(Checked::Equal { difference: worst });
    }
    Err(locate(source, imported, &evaluator, &inputs, n, batch, run, worst))
}

/// The file's answers, `batch` images at a time.
fn evaluated(
    evaluator: &Evaluator<'_>,
    imported: &Imported,
    inputs: &[Vec<f32>],
    n: usize,
    batch: usize,
    tell: &dyn Fn(f64),
) -> Result<Vec<Outputs>, Failure> {
    let mut parts = Vec::new();
    for first in (0..n).step_by(batch) {
        let mut visit = |node: usize, _: &str, _: &mut Tensor| {
            let share = node as f64 / evaluator.n_nodes().max(1) as f64;
            tell((first as f64 + batch as f64 * share) / n as f64);
        };
        let work = 2 * WORK / (n / batch).max(1) as u64;
        let made = evaluator.run(&fed(imported, inputs, n, first, batch), work, &mut visit)?;
        let mut outputs = Vec::new();
        for (index, (tensor, &value)) in made.iter().zip(imported.model.graph.outputs()).enumerate() {
            let shape = imported.model.graph.shape(value);
            let len: usize = shape.iter().product();
            if let Some(axis) = imported.padded.get(index).copied().flatten()
                && let Some(padded) = padded(tensor, shape, axis)
            {
                outputs.push(padded);
                continue;
            }
            if tensor.len() != batch * len {
                let problem = format!("{:?} where import makes {len} numbers an image", tensor.dims);
                return Err(Failure::Node(imported.problem(value, problem)));
            }
            outputs.push(tensor.to_floats());
        }
        parts.push(outputs);
    }
    Ok(parts)
}

/// Elements of a tensor that is -1 from its end along `axis` to the end of `shape`; `None` if it is no such part.
fn padded(tensor: &Tensor, shape: &[usize], axis: usize) -> Option<Vec<f32>> {
    let fits = |d: usize| tensor.dims[d] == shape[d] || (d == axis && tensor.dims[d] < shape[d]);
    if tensor.dims.len() != shape.len() || !(0..shape.len()).all(fits) {
        return None;
    }
    let (inner, n) = (shape[axis + 1..].iter().product::<usize>(), tensor.dims[axis]);
    let values = tensor.to_floats();
    let mut all = Vec::with_capacity(shape.iter().product());
    for outer in 0..shape[..axis].iter().product() {
        all.extend_from_slice(&values[outer * n * inner..][..n * inner]);
        all.resize(all.len() + (shape[axis] - n) * inner, -1.0);
    }
    Some(all)
}

/// The images from `first` on, as inputs of the file.
fn fed<'i>(
    imported: &'i Imported,
    inputs: &[Vec<f32>],
    n: usize,
    first: usize,
    batch: usize,
) -> Vec<(&'i str, Tensor)> {
    let one = |(input, values): (&'i Port, &Vec<f32>)| {
        let len = values.len() / n.max(1);
        let lead = imported.has_batch.then_some(batch);
        let dims = lead.into_iter().chain(input.rest.iter().copied()).collect();
        let values = values[first * len..][..batch * len].to_vec();
        let tensor = if input.is_whole() {
            Tensor::ints(dims, values.iter().map(|&v| v as i64).collect())
        } else {
            Tensor::floats(dims, values)
        };
        (input.name.as_str(), tensor)
    };
    let fixed = imported.fixed.iter().map(|(name, tensor)| (name.as_str(), tensor.clone()));
    imported.inputs.iter().zip(inputs).map(one).chain(fixed).collect()
}

/// Values from -2 to 2 for the first image, from -0.5 to 1.5 for the next, and so on; deterministic.
fn synthetic(imported: &Imported, n: usize) -> Vec<Vec<f32>> {
    let mut state = 0x5dee_ce66u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    let mut all = Vec::new();
    for (input, port) in imported.model.graph.inputs().iter().zip(&imported.inputs) {
        let len: usize = input.shape.iter().product();
        if port.is_whole() {
            // Booleans, or indices into anything that has two elements.
            all.push((0..n * len).map(|_| if next() < 0.7 { 1.0 } else { 0.0 }).collect());
            continue;
        }
        let mut values = Vec::with_capacity(n * len);
        for image in 0..n {
            let (low, width) = if image % 2 == 0 { (-2.0, 4.0) } else { (-0.5, 2.0) };
            values.extend((0..len).map(|_| low + width * next()));
        }
        all.push(values);
    }
    all
}

/// The largest difference, relative to the largest element; infinite if the numbers of elements differ.
fn difference(found: &[f32], expected: &[f32]) -> f32 {
    if found.len() != expected.len() {
        return f32::INFINITY;
    }
    let largest = expected.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
    let off = |(a, b): (&f32, &f32)| if (a - b).is_nan() { f32::INFINITY } else { (a - b).abs() };
    found.iter().zip(expected).map(off).fold(0.0, f32::max) / largest
}

/// The largest difference of two evaluations.
fn farthest(one: &[Outputs], other: &[Outputs]) -> f32 {
    one.iter().flatten().zip(other.iter().flatten()).map(|(a, b)| difference(a, b)).fold(0.0, f32::max)
}

/// Whether every value that both sides have is the file's, computed from the *network's* values before it: as near as other
/// values are, or as the rounding of the few nodes between explains.
///
/// Errors do not add up here: what amplifies rounding over many layers does not hide a step that is wrong.
fn is_step_by_step(
    imported: &Imported,
    evaluator: &Evaluator<'_>,
    inputs: &[Vec<f32>],
    n: usize,
    batch: usize,
    run: &mut Run<'_>,
) -> bool {
    let Some(found) = all_values(imported, inputs, n, run) else { return false };
    let rounding = evaluator.rounding(ROUNDING);
    (0..n).step_by(batch).all(|start| {
        let feed = fed(imported, inputs, n, start, batch);
        let own = |node: usize, name: &str| {
            let i = imported.values.iter().position(|v| v.node == node && v.name == name)?;
            let len = found[i].len() / n.max(1);
            Some(&found[i][start * len..][..batch * len])
        };
        let mut exact = BTreeMap::new();
        let mut keep = |node: usize, name: &str, tensor: &mut Tensor| {
            if let Some(own) = own(node, name) {
                exact.insert((node, name.to_string()), tensor.to_floats());
                tensor.replace_floats(own);
            }
        };
        if evaluator.run(&feed, u64::MAX, &mut keep).is_err() {
            return false;
        }
        let mut is_equal = true;
        let mut compare = |node: usize, name: &str, tensor: &mut Tensor| {
            if let (Some(own), Some(exact)) = (own(node, name), exact.get(&(node, name.to_string()))) {
                let allowed = TOLERANCE.max(ROUNDINGS * difference(&tensor.to_floats(), exact)).min(LOOSEST);
                is_equal &= difference(own, exact) <= allowed;
                tensor.replace_floats(own);
            }
        };
        rounding.run(&feed, u64::MAX, &mut compare).is_ok() && is_equal
    })
}

/// What the network makes of every value that both sides have, in the order of [`Imported::values`]; `None` where it cannot be
/// run so.
fn all_values(
    imported: &Imported,
    inputs: &[Vec<f32>],
    n: usize,
    run: &mut Run<'_>,
) -> Option<Vec<Vec<f32>>> {
    let mut model = imported.model.clone();
    let (ports, nodes, _) = model.graph.into_parts();
    let values: Vec<usize> = imported.values.iter().map(|v| v.value).collect();
    model.graph = Graph::new(ports, nodes, values).ok()?;
    run(&model, inputs, n).ok()
}

/// Compares all values that both sides have, and names the first that differs.
#[expect(clippy::too_many_arguments, reason = "what the comparison before it had")]
fn locate(
    source: &Source,
    imported: &Imported,
    evaluator: &Evaluator<'_>,
    inputs: &[Vec<f32>],
    n: usize,
    batch: usize,
    run: &mut Run<'_>,
    worst: f32,
) -> OnnxError {
    let differs = |node: usize, difference: f32| {
        let node = &source.graph().node[node];
        let (operator, node) = (node.op_type.clone(), node.title().to_string());
        OnnxError::Differs { node, operator, difference }
    };
    let last = source.graph().node.len().saturating_sub(1);
    let Some(found) = all_values(imported, inputs, n, run) else { return differs(last, worst) };
    // The first node of the file whose value differs, in any of the runs.
    let mut first: Option<(usize, f32)> = None;
    for start in (0..n).step_by(batch) {
        let feed = fed(imported, inputs, n, start, batch);
        let mut compare = |node: usize, name: &str, tensor: &mut Tensor| {
            let Some(i) = imported.values.iter().position(|v| v.node == node && v.name == name) else {
                return;
            };
            let len = found[i].len() / n.max(1);
            let part = &found[i][start * len..][..batch * len];
            let off = difference(part, &tensor.to_floats());
            if off > TOLERANCE && first.is_none_or(|(at, _)| node < at) {
                first = Some((node, off));
            }
        };
        if evaluator.run(&feed, u64::MAX, &mut compare).is_err() {
            break;
        }
    }
    let (node, difference) = first.unwrap_or((last, worst));
    differs(node, difference)
}
