//! Reads a file as a model.

use crate::onnx::{
    builder::Builder,
    error::{INPUT, OnnxError, Problem},
    lower::{ALONG_BATCH, Lowering, Slot},
    open_sizes::{self, HeldSize},
    options::ImportOptions,
    ports::{self, Port, network_inputs},
    proto::{GraphProto, ModelProto, ValueInfo},
    sample::Sample,
    simplify,
    tensor::{Initialisers, Tensor},
};
use bytes::Bytes;
use kompakt_model::{Model, StageRecord};
use prost::Message;
use std::path::{Path, PathBuf};

/// The oldest and newest supported operator sets.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=25;

/// Metadata keys for data without a place in ONNX; [`export`](crate::onnx::export()) writes them, import
/// reads them.
pub(crate) const PREPROCESSING: &str = "kompakt.preprocessing";
pub(crate) const LABELS: &str = "kompakt.labels";

/// Reads an ONNX file as a model of the interchange: batch norms folded, names as in the file, one record of history.
/// The result is not checked against the file; [`import_checked`](crate::onnx::import_checked) does that.
///
/// Errors: a file that cannot be read or is not an ONNX model; inputs of unknown shape; all unsupported
/// features of the model, in one list.
pub fn import(path: &Path, options: &ImportOptions) -> Result<Model, OnnxError> {
    import_with_held(path, options).map(|(model, _)| model)
}

/// As [`import`], with the sizes that the file leaves open and that stay fixed.
///
/// Errors: as [`import`].
pub fn import_with_held(path: &Path, options: &ImportOptions) -> Result<(Model, Vec<HeldSize>), OnnxError> {
    let (imported, held, _) = Source::open(path)?.import_open(options, &|_| ())?;
    Ok((imported.model, held))
}

/// The files next to an ONNX file that hold its weights; none if the file cannot be read.
pub fn external_files(path: &Path) -> Vec<PathBuf> {
    let Ok(source) = Source::open(path) else { return Vec::new() };
    let entries = source.graph.initializer.iter().flat_map(|tensor| &tensor.external_data);
    let mut files: Vec<PathBuf> =
        entries.filter(|e| e.key == "location").map(|e| source.folder.join(&e.value)).collect();
    files.sort();
    files.dedup();
    files
}

/// An ONNX file, with its messages parsed.
pub(crate) struct Source {
    proto: ModelProto,
    graph: GraphProto,
    opset: i64,
    folder: PathBuf,
    n_bytes: usize,
}

/// A value that exists both in the file and in the network.
pub(crate) struct Named {
    /// The index of the node in the file.
    pub(crate) node: usize,
    pub(crate) name: String,
    /// The network's value.
    pub(crate) value: usize,
}

/// A network with its names in the file.
pub(crate) struct Imported {
    pub(crate) model: Model,
    /// How many images one run of the file takes; `None` for any number.
    pub(crate) batch: Option<usize>,
    /// Whether inputs of the file have a leading batch, which the network's do not.
    pub(crate) has_batch: bool,
    pub(crate) inputs: Vec<Port>,
    /// Inputs of the file that became constants.
    pub(crate) fixed: Vec<(String, Tensor)>,
    /// In the order of the file's nodes.
    pub(crate) values: Vec<Named>,
    /// For each output the dimension whose length the data decide, if there is one: it is padded with -1.
    pub(crate) padded: Vec<Option<usize>>,
}

/// A network before its numbers are put together.
struct Lowered {
    builder: Builder,
    /// The values that leave it.
    outputs: Vec<usize>,
    n_parameters: u64,
    // As in `Imported`.
    batch: Option<usize>,
    inputs: Vec<Port>,
    fixed: Vec<(String, Tensor)>,
    values: Vec<Named>,
    padded: Vec<Option<usize>>,
}

impl Imported {
    /// A property of a value of the network.
    pub(crate) fn problem(&self, value: usize, problem: String) -> Problem {
        Problem { node: self.model.graph.value_name(value).to_string(), operator: "output".into(), problem }
    }
}

impl Source {
    /// Reads a file. Errors: it cannot be read, is not an ONNX model, or has an unsupported operator set.
    pub(crate) fn open(path: &Path) -> Result<Self, OnnxError> {
        let io = |source| OnnxError::Io { path: path.to_path_buf(), source };
        let bytes: Bytes = std::fs::read(path).map_err(io)?.into();
        let n_bytes = bytes.len();
        let mut proto = ModelProto::decode(bytes).map_err(|e| OnnxError::NotOnnx(undecodable(&e).into()))?;
        let graph = proto.graph.take().ok_or_else(|| OnnxError::NotOnnx("it has no graph".into()))?;
        let standard = |domain: &str| domain.is_empty() || domain == "ai.onnx";
        let opset = proto.opset_import.iter().find(|o| standard(&o.domain)).map_or(1, |o| o.version);
        if !OPSETS.contains(&opset) {
            let (oldest, newest) = OPSETS.into_inner();
            return Err(OnnxError::NotOnnx(format!(
                "it uses operator set {opset}; {oldest} to {newest} are understood (onnx.version_converter changes it)"
            )));
        }
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(Self { proto, graph, opset, folder: folder.to_path_buf(), n_bytes })
    }

    pub(crate) fn graph(&self) -> &GraphProto {
        &self.graph
    }

    pub(crate) fn opset(&self) -> i64 {
        self.opset
    }

    pub(crate) fn folder(&self) -> Option<&Path> {
        Some(&self.folder)
    }

    /// Shapes of inputs with half the height and width (the last two dimensions), as far as the file leaves them open; `None`
    /// if nothing can become smaller.
    pub(crate) fn smaller_shapes(
        &self,
        options: &ImportOptions,
        least: usize,
    ) -> Option<Vec<(String, Vec<usize>)>> {
        let mut shapes = options.input_shapes.clone();
        let inputs = network_inputs(&self.graph);
        let is_fixed = |name: &str| options.input_values.iter().any(|(fixed, _)| fixed == name);
        let mut is_smaller = false;
        for (name, shape) in shapes.iter_mut().filter(|(name, _)| !is_fixed(name)) {
            let input =
                inputs.iter().find(|i| i.name == *name).or(inputs.first().filter(|_| name.is_empty()))?;
            let dims = &input.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref()?.dim;
            if dims.len() < 3 {
                continue;
            }
            for (side, dim) in shape.iter_mut().rev().zip(dims.iter().rev()).take(2) {
                // Half of it, and a multiple of 32 still if it was one.
                let unit = if side.is_multiple_of(32) { 32 } else { 1 };
                let half = (*side / 2).div_ceil(unit) * unit;
                if dim.size().is_none() && half >= least && half < *side {
                    *side = half;
                    is_smaller = true;
                }
            }
        }
        is_smaller.then_some(shapes)
    }

    /// Whether a size other than the first, which is the batch, is not fixed.
    fn leaves_sizes_open(&self) -> bool {
        let shapes = network_inputs(&self.graph)
            .into_iter()
            .filter_map(|input| input.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref());
        shapes.flat_map(|shape| shape.dim.iter().skip(1)).any(|dim| dim.size().is_none())
    }

    /// Makes the network with open sizes: also those that stay fixed, and the options with the shapes that were taken.
    pub(crate) fn import_open(
        &self,
        options: &ImportOptions,
        tell: &dyn Fn(f64),
    ) -> Result<(Imported, Vec<HeldSize>, ImportOptions), OnnxError> {
        let mut reason = None;
        for divisor in open_sizes::DIVISORS {
            let (with_shapes, is_chosen) = open_sizes::with_shapes(self, options, divisor);
            let mut imported = match self.import(&with_shapes, tell) {
                Ok(imported) => imported,
                Err(_) if is_chosen => continue,
                Err(error) => return Err(error),
            };
            let held = open_sizes::open(self, &with_shapes, &mut imported)?;
            if !is_chosen || held.is_empty() {
                return Ok((imported, held, with_shapes));
            }
            reason = reason.or_else(|| held.into_iter().next());
        }
        // The sizes that nobody gave matter: the error is about those.
        match (self.import(options, tell), reason) {
            (Err(OnnxError::Unsupported(mut problems)), Some(held)) => {
                let of_input = problems.iter_mut().filter(|problem| problem.operator == INPUT);
                of_input.for_each(|problem| problem.problem += &format!("; {held}"));
                Err(OnnxError::Unsupported(problems))
            }
            (Err(error), _) => Err(error),
            (Ok(imported), _) => Ok((imported, Vec::new(), options.clone())),
        }
    }

    /// Makes the network: one that maps over the batch, or else one without a batch. `tell` receives the
    /// fraction of nodes read (0 to 1).
    pub(crate) fn import(&self, options: &ImportOptions, tell: &dyn Fn(f64)) -> Result<Imported, OnnxError> {
        let first = match self.import_as(options, 1, tell) {
            Ok(imported) => return Ok(imported),
            Err(error) => error,
        };
        let second = match self.import_as(options, 0, tell) {
            Ok(imported) => return Ok(imported),
            Err(error) => error,
        };
        // The problems of both attempts; the shorter list is more informative. An error before any node is about the batch.
        match (&first, &second) {
            (OnnxError::Unsupported(with), OnnxError::Unsupported(without))
                if without.len() < with.len() || with.iter().all(|p| p.problem == ALONG_BATCH) =>
            {
                Err(second)
            }
            (OnnxError::Port(_), OnnxError::Unsupported(_)) => Err(second),
            _ => Err(first),
        }
    }

    /// Makes the network, with this many leading dimensions of the file that its values lack.
    fn import_as(
        &self,
        options: &ImportOptions,
        lead: usize,
        tell: &dyn Fn(f64),
    ) -> Result<Imported, OnnxError> {
        let Lowered { builder, outputs, n_parameters, batch, inputs, fixed, values, padded } =
            self.lowered(options, lead, None, tell)?;
        let mut model = builder.finish(outputs)?;
        model.dense_parameters = n_parameters.max(1);
        self.describe(&mut model)?;
        Ok(Imported { model, batch, has_batch: lead == 1, inputs, fixed, values, padded })
    }

    /// What [`import_as`](Self::import_as) would make at other sizes, to be compared with it: unchecked, and without copies of
    /// the weights that the file has as the network has them.
    pub(crate) fn sample_as(
        &self,
        options: &ImportOptions,
        lead: usize,
        initialisers: &Initialisers,
        sizes: Vec<usize>,
    ) -> Result<Sample, OnnxError> {
        let lowered = self.lowered(options, lead, Some(initialisers), &|_| ())?;
        Ok(Sample::of_parts(sizes, lowered.builder.parts(lowered.outputs)?))
    }

    /// Lowers all nodes, and simplifies the network.
    fn lowered(
        &self,
        options: &ImportOptions,
        lead: usize,
        initialisers: Option<&Initialisers>,
        tell: &dyn Fn(f64),
    ) -> Result<Lowered, OnnxError> {
        let graph = &self.graph;
        let mut lowering = Lowering::new(graph, self.opset, self.folder(), self.n_bytes)?;
        if let Some(initialisers) = initialisers {
            lowering.share(initialisers);
        }
        lowering.lead = lead;
        lowering.sizes_are_open = !options.fixed && self.leaves_sizes_open();
        let fixed = ports::fixed(graph, options)?;
        for (name, tensor) in &fixed {
            if let Some(input) = graph.input.iter().find(|input| input.name == *name) {
                lowering.fix(input, tensor.clone());
            }
        }
        let (inputs, mut problems) = ports::declare(graph, options, &mut lowering)?;
        for (index, node) in graph.node.iter().enumerate() {
            tell(index as f64 / graph.node.len() as f64);
            problems.extend(lowering.node(node));
        }
        if !problems.is_empty() {
            return Err(OnnxError::Unsupported(problems));
        }
        let outputs = ports::outputs(graph, &mut lowering)?;
        let acts = acts(graph, &lowering);
        let padded = |output: &ValueInfo| Some(lowering.padded.get(output.name.as_str())?.axis);
        let padded = graph.output.iter().map(padded).collect();
        let batch = if lead == 0 { Some(1) } else { (!lowering.batch_is_open).then_some(lowering.batch) };
        let n_parameters = lowering.n_parameters;
        let simplified = simplify::simplify(lowering.builder, outputs);
        let values = acts
            .into_iter()
            .filter_map(|(node, name, value)| Some(Named { node, name, value: simplified.standing[value]? }))
            .collect();
        let mut builder = simplified.builder;
        builder.name_outputs(&simplified.outputs, graph.output.iter().map(|output| output.name.as_str()));
        let outputs = simplified.outputs;
        Ok(Lowered { builder, outputs, n_parameters, batch, inputs, fixed, values, padded })
    }

    /// Takes over what the file says of itself.
    fn describe(&self, model: &mut Model) -> Result<(), OnnxError> {
        let record = StageRecord::new("kompakt-onnx", env!("CARGO_PKG_VERSION"))
            .option("producer", self.proto.producer_name.clone())
            .option("opset", self.opset);
        model.record(record, None);
        for entry in &self.proto.metadata_props {
            match entry.key.as_str() {
                PREPROCESSING => {
                    let json = serde_json::from_str(&entry.value);
                    let no_json =
                        |e| OnnxError::NotOnnx(format!("its metadata {PREPROCESSING:?} are no JSON: {e}"));
                    model.preprocessing = Some(json.map_err(no_json)?);
                }
                LABELS => model.labels = entry.value.lines().map(str::to_string).collect(),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The values that nodes of the file make: the node's index, the name, and the value.
fn acts(graph: &GraphProto, lowering: &Lowering<'_>) -> Vec<(usize, String, usize)> {
    let mut all = Vec::new();
    for (index, node) in graph.node.iter().enumerate() {
        for name in &node.output {
            if let (Some(Slot::Act(act)), false) =
                (lowering.get(name), lowering.padded.contains_key(name.as_str()))
            {
                all.push((index, name.clone(), act.value));
            }
        }
    }
    all
}

/// The sparse initialisers, zeros filled in.
pub(crate) fn sparse(
    graph: &GraphProto,
    folder: Option<&Path>,
    budget: &mut usize,
) -> Result<Vec<(String, Tensor)>, OnnxError> {
    graph
        .sparse_initializer
        .iter()
        .map(|proto| {
            let (name, tensor) = Tensor::read_sparse(proto, folder, *budget)?;
            *budget -= tensor.len().min(*budget);
            Ok((name, tensor))
        })
        .collect()
}

/// Why bytes are no message, in words: protobuf's own reasons are about its encoding, and may list a long way through nested graphs.
fn undecodable(error: &prost::DecodeError) -> &'static str {
    let text = error.to_string();
    match text.rsplit(": ").next() {
        Some("recursion limit reached") => "graphs are nested more than 30 deep",
        Some("buffer underflow" | "delimited length exceeded") => {
            "it ends too early; the file may be cut short"
        }
        _ => "its bytes are no whole protobuf message, which every ONNX file is",
    }
}
