//! Compression of a network into a small file: the work of `kompakt compress`, by the same functions.

use crate::{
    background,
    container::{packing, tier_of},
    error,
};
use anyhow::Result;
use kompakt::library::{self, Data, Reading};
use kompakt_compress::{
    Activations, Block, CompressError, Compressed, Metric, Options, check_after, check_before, check_file,
    compress, without_loss,
};
use kompakt_data::{Dataset, Labelling, Values};
use kompakt_format::Tier;
use kompakt_model::Parameter;
use kompakt_pack::{InMemory, PackError, write_to};
use pyo3::{
    buffer::PyBuffer,
    exceptions::PyValueError,
    prelude::*,
    types::{PyBytes, PyDict},
};
use std::path::PathBuf;

/// A network's file, that of its graph, what an ONNX file leaves open, whether it is checked, names of its classes.
#[derive(FromPyObject)]
pub(crate) struct Network {
    path: PathBuf,
    graph: Option<PathBuf>,
    shapes: Vec<(String, Vec<usize>)>,
    max_sizes: Vec<(String, usize)>,
    fixed: bool,
    values: Vec<(String, Vec<f32>)>,
    check: bool,
    classes: Vec<String>,
}

/// Images of one shape, with labels or without.
#[derive(FromPyObject)]
pub(crate) struct Images {
    dims: Vec<usize>,
    bytes: Option<PyBuffer<u8>>,
    floats: Option<PyBuffer<f32>>,
    labels: Option<Vec<u16>>,
}

/// Where the images come from: names of sources, or arrays in memory.
#[derive(FromPyObject)]
pub(crate) enum Source {
    Named(String, Option<String>),
    Here(Images, Images),
}

/// Images, the most of them that judge, whether labels are left aside, preprocessing.
type Judged = (Source, usize, bool, Option<String>);

/// The result, and the request.
struct Made {
    compressed: Compressed,
    dense_bytes: u64,
    notes: Vec<String>,
    missed: Option<String>,
    n_judged: usize,
}

/// The target: a loss (0 to 1), bytes, a ratio, a summed error, a metric and a figure of it, the numbers that layers read, how weights are coded; checked
/// by the caller.
#[derive(FromPyObject)]
pub(crate) struct Wish {
    drop: Option<f64>,
    bytes: Option<u64>,
    ratio: Option<f64>,
    noise: Option<f64>,
    metric: String,
    reach: Option<f64>,
    activations: String,
    block: String,
    trellis: bool,
}

/// Compresses a network.
#[pyfunction]
#[pyo3(signature = (network, data, wish, tier, scan, tell))]
pub(crate) fn compress_network<'py>(
    py: Python<'py>,
    network: Network,
    data: Option<Judged>,
    wish: Wish,
    tier: &str,
    scan: Option<PathBuf>,
    tell: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let tier = tier_of(tier)?;
    let data = match data {
        None => None,
        Some((source, n, ignored, prep)) => Some((source.read(py)?, n, ignored, prep)),
    };
    let made =
        background::run(py, tell.as_ref(), move |progress| work(network, data, &wish, tier, scan, progress))?;
    described(py, made.map_err(|e| error::of_command(&e))?)
}

/// The file of a network as it is: weights of few values as codes. With the names of weights that have too many values.
#[pyfunction]
pub(crate) fn pack_network<'py>(
    py: Python<'py>,
    network: Network,
    tier: &str,
    minimal: bool,
    compact: bool,
    keep_order: bool,
    self_test: usize,
) -> PyResult<(Bound<'py, PyBytes>, Vec<String>)> {
    let options = packing(tier, minimal, compact)?;
    if self_test > 0 && options.minimal {
        return Err(PyValueError::new_err(
            "self_test excludes minimal and compact, which leave self-tests out",
        ));
    }
    let made = background::run(py, None, move |_| -> Result<(Vec<u8>, Vec<String>)> {
        let model = without_loss(&read(network)?);
        let is_dense = |name: &str| matches!(model.parameters.get(name), Some(Parameter::Dense { .. }));
        let dense = model.graph.weights().filter(|p| is_dense(&p.name)).map(|p| p.name.clone()).collect();
        let bytes = packed(model, &options, keep_order, self_test)
            .map_err(|error| library::compress_error(error.into()))?;
        check_file(&bytes).map_err(library::compress_error)?;
        Ok((bytes, dense))
    })?;
    let (bytes, dense) = made.map_err(|e| error::of_command(&e))?;
    Ok((PyBytes::new(py, &bytes), dense))
}

fn packed(
    model: kompakt_model::Model,
    options: &kompakt_pack::Options,
    keep_order: bool,
    self_test: usize,
) -> Result<Vec<u8>, PackError> {
    let mut source = if keep_order { InMemory::new(model)? } else { InMemory::ordered(model)? };
    if self_test > 0 {
        source.add_self_tests(self_test)?;
    }
    let mut bytes = Vec::new();
    write_to(&mut source, options, &mut bytes, &|_, _| ())?;
    Ok(bytes)
}

/// Refuses a place that a result cannot be written to, or that would replace an input.
#[pyfunction]
pub(crate) fn check_output(output: PathBuf, inputs: Vec<PathBuf>) -> PyResult<()> {
    let inputs: Vec<&std::path::Path> = inputs.iter().map(PathBuf::as_path).collect();
    library::check_output(&output, &inputs).map_err(|e| error::of_command(&e))
}

/// Writes a file that appears complete or not at all.
#[pyfunction]
pub(crate) fn write_whole(py: Python<'_>, output: PathBuf, bytes: &[u8]) -> PyResult<()> {
    py.detach(|| library::write_whole(&output, bytes)).map_err(|e| error::of_command(&e))
}

fn read(network: Network) -> Result<kompakt_model::Model> {
    let Network { path, graph, shapes, max_sizes, fixed, values, check, classes } = network;
    let mut model =
        library::network(path, graph, Reading { shapes, max_sizes, fixed, values, is_checked: check })?;
    if !classes.is_empty() {
        model.labels = classes;
    }
    Ok(model)
}

fn work(
    network: Network,
    data: Option<(Data, usize, bool, Option<String>)>,
    wish: &Wish,
    tier: Tier,
    scan: Option<PathBuf>,
    progress: &(dyn Fn(&str, f64) + Sync),
) -> Result<Made> {
    let known = scan.as_deref().map(library::read_scan).transpose()?.flatten();
    let is_known = known.is_some();
    progress("reading the network", 0.0);
    let mut model = read(network)?;
    let ratio = wish.ratio.map(|ratio| (model.dense_bytes() as f64 / ratio) as u64);
    let refused = |text: String| library::compress_error(CompressError::Wish(text));
    let metric: Metric = wish.metric.parse().map_err(refused)?;
    let activations: Activations = wish.activations.parse().map_err(refused)?;
    let options =
        Options::new(wish.drop, wish.bytes.or(ratio), wish.noise, tier).judged_by(metric, wish.reach);
    let block: Block = wish.block.parse().map_err(refused)?;
    let options = Options { activations, block, trellis: wish.trellis, ..options };
    let notes = std::cell::RefCell::new(Vec::new());
    let pictures = match data {
        None => None,
        Some((data, n, ignored, prep)) => library::pictures(&mut model, data, n, ignored, prep)?,
    };
    if let Some(pictures) = &pictures {
        let say = |text: &str| notes.borrow_mut().push(text.to_string());
        check_before(&model, &pictures.validation, &pictures.source, &options, &say)
            .map_err(library::compress_error)?;
    }
    let (seen, validation) = (pictures.as_ref().map(|p| &p.seen), pictures.as_ref().map(|p| &p.validation));
    let made =
        compress(&model, &options, seen, validation, known, progress).map_err(library::compress_error)?;
    if let (Some(path), Some(scan)) = (scan.filter(|_| !is_known), &made.scan) {
        library::write_scan(&path, scan)?;
    }
    check_after(&made.outcome, options.target).map_err(library::compress_error)?;
    check_file(&made.packed).map_err(library::compress_error)?;
    let missed = (!made.outcome.met).then(|| options.missed(&made.outcome));
    let n_judged = validation.map_or(0, |images| images.n);
    Ok(Made {
        compressed: made,
        dense_bytes: model.dense_bytes(),
        notes: notes.into_inner(),
        missed,
        n_judged,
    })
}

impl Source {
    pub(crate) fn read(self, py: Python<'_>) -> PyResult<Data> {
        Ok(match self {
            Self::Named(source, judge) => Data::Named { source, judge },
            Self::Here(seen, validation) => {
                Data::Here { seen: Box::new(seen.read(py)?), validation: Box::new(validation.read(py)?) }
            }
        })
    }
}

impl Images {
    fn read(self, py: Python<'_>) -> PyResult<Dataset> {
        let values = match (&self.bytes, &self.floats) {
            (Some(bytes), _) => Values::Bytes(bytes.to_vec(py)?),
            (None, Some(floats)) => Values::Floats(floats.to_vec(py)?),
            (None, None) => return Err(PyValueError::new_err("no images")),
        };
        let each = self.dims.iter().product::<usize>().max(1);
        let has_labels = self.labels.is_some();
        let labels = self.labels.unwrap_or_else(|| vec![0; values.len() / each]);
        let n_classes = labels.iter().max().map_or(0, |label| usize::from(*label) + 1);
        let classes = (0..n_classes).map(|i| i.to_string()).collect();
        let data = Dataset::new(&self.dims, values, labels, classes).map_err(error::of_input)?;
        Ok(if has_labels { data } else { data.labelled(Labelling::Unlabelled) })
    }
}

fn described(py: Python<'_>, made: Made) -> PyResult<Bound<'_, PyDict>> {
    let Made { compressed, dense_bytes, notes, missed, n_judged } = made;
    let (outcome, all) = (&compressed.outcome, PyDict::new(py));
    all.set_item("packed", PyBytes::new(py, &compressed.packed))?;
    all.set_item("dense_bytes", dense_bytes)?;
    all.set_item("noise", outcome.noise)?;
    all.set_item("missed", missed)?;
    all.set_item("notes", notes)?;
    all.set_item("n_judged", n_judged)?;
    all.set_item("figure", outcome.figure)?;
    if let Some(paired) = &outcome.paired {
        all.set_item("accuracy", (paired.share(paired.n_before), paired.share(paired.n_after)))?;
        all.set_item("agreement", paired.share(paired.n_same))?;
        all.set_item("drop_bound", paired.bound())?;
    }
    let layers = compressed.layers.iter().map(|layer| {
        let row = PyDict::new(py);
        row.set_item("name", &layer.name)?;
        row.set_item("weights", layer.n_weights)?;
        row.set_item("kept", layer.n_kept)?;
        row.set_item("levels", layer.n_levels)?;
        row.set_item("bits_per_weight", layer.bits_per_weight)?;
        row.set_item("error", layer.error)?;
        if let Some(scan) = &compressed.scan {
            let found = scan.layers.iter().find(|l| l.name == layer.name);
            row.set_item("sensitivity", found.map(|l| l.sensitivity))?;
        }
        Ok(row)
    });
    all.set_item("layers", layers.collect::<PyResult<Vec<_>>>()?)?;
    Ok(all)
}
