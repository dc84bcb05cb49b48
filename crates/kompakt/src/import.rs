//! `kompakt import`: an ONNX model, or a file of Deep Compression's authors, into the interchange.

use crate::{
    NamedSize, foreign,
    input::{present, read_graph},
    library::Reading,
    network::sane,
    output::Output,
    process::{Failure, exit},
    progress::{self, Steps, begin, tell},
};
use anyhow::{Context, Result};
use kompakt_graph::Symbol;
use kompakt_import::han::HanError;
use kompakt_import::onnx::{self, Checked, ImportOptions, OnnxError};
use kompakt_model::Model;
use kompakt_runtime::{Session, SessionOptions};
use std::path::{Path, PathBuf};

/// Turn an ONNX model, or a published file of Deep Compression, into a model that the stages work on
///
/// ONNX: operator sets 7 to 25, weights in the file or beside it. Batch norms, scales and biases go into the layers before
/// them. What was read is checked at once: the file is evaluated node by node on two synthetic inputs, and a network that
/// answers otherwise is an error that names the first node that differs. Everything that is not supported is listed at
/// once, with the nodes' names.
/// A .net file (codebooks, codes and gaps as the authors of Deep Compression published them): its weights stay shared. The
/// network is SqueezeNet's unless --graph gives another.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  kompakt import model.onnx | kompakt cluster --bits 6 | kompakt pack -o model.kompakt\n  kompakt \
                  import compressed_SqueezeNet.net | kompakt pack -o squeezenet.kompakt"
)]
pub(crate) struct Arguments {
    /// The .onnx or .net file
    file: PathBuf,
    /// The network of a .net file (see spec/interchange.md): the same layers in the same order, each with a bias
    #[arg(long, value_name = "FILE", conflicts_with = "input_shape")]
    graph: Option<PathBuf>,
    #[command(flatten)]
    onnx: OnnxArguments,
    /// Names of the classes, one a line
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// How an ONNX file is read.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct OnnxArguments {
    /// The shape of an input that an ONNX file leaves open: 3,224,224 or NAME=3,224,224. Where the network works at other sizes
    /// too, it is stored at these, and stays open
    #[arg(long, value_name = "SHAPE")]
    input_shape: Vec<InputShape>,
    /// The greatest size of what an ONNX file leaves open, by the name that it has there, as seq=512 [default: 512, or more for
    /// larger stored sizes, as far as the network allows]. The network then runs at any size up to it
    #[arg(long, value_name = "NAME=SIZE")]
    max_size: Vec<NamedSize>,
    /// Fix what an ONNX file leaves open to the sizes of --input-shape
    #[arg(long, conflicts_with = "max_size")]
    fixed: bool,
    /// The value of an ONNX file's input that never changes: it becomes a part of the network, NAME=16000
    #[arg(long, value_name = "NAME=NUMBERS")]
    input_value: Vec<InputValue>,
    /// Do not check that the imported network answers as the ONNX file does, node by node, on two synthetic inputs
    #[arg(long)]
    no_check: bool,
}

/// A shape, perhaps of a named input.
#[derive(Debug, Clone)]
pub(crate) struct InputShape(String, Vec<usize>);

/// The numbers of a named input.
#[derive(Debug, Clone)]
pub(crate) struct InputValue(String, Vec<f32>);

impl std::str::FromStr for InputValue {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not NAME=NUMBER, or NAME=NUMBER,NUMBER");
        let (name, list) = text.rsplit_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(wrong)?;
        let number = |part: &str| part.trim().parse::<f32>().ok().filter(|v| v.is_finite()).ok_or_else(wrong);
        Ok(Self(name.to_string(), list.split(',').map(number).collect::<Result<_, _>>()?))
    }
}

impl OnnxArguments {
    /// The values that the command line's options would have.
    pub(crate) fn new(reading: Reading) -> Self {
        let Reading { shapes, max_sizes, fixed, values, is_checked } = reading;
        Self {
            input_shape: shapes.into_iter().map(|(name, shape)| InputShape(name, shape)).collect(),
            max_size: max_sizes.into_iter().map(|(name, size)| NamedSize(name, size)).collect(),
            fixed,
            input_value: values.into_iter().map(|(name, values)| InputValue(name, values)).collect(),
            no_check: !is_checked,
        }
    }
}

impl std::str::FromStr for InputShape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, list) = text.rsplit_once('=').unwrap_or(("", text));
        let size = |part: &str| match part.trim().parse::<usize>() {
            Ok(n) if n > 0 => Ok(n),
            _ => Err(format!("{part:?} is no size; write 3,224,224 or NAME=3,224,224")),
        };
        Ok(Self(name.to_string(), list.split(',').map(size).collect::<Result<_, _>>()?))
    }
}

const STEPS: Steps = &[("reading", 2.0), ("checking the import", 2.0), ("writing", 1.0)];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let inputs: Vec<&Path> = [Some(&arguments.file), arguments.graph.as_ref(), arguments.labels.as_ref()]
        .into_iter()
        .flatten()
        .map(PathBuf::as_path)
        .collect();
    arguments.output.check(&inputs)?;
    present(&inputs)?;
    let _shown = begin(false, STEPS);
    let is_net = arguments.file.extension().is_some_and(|e| e.eq_ignore_ascii_case("net"));
    if !is_net {
        foreign::refuse(&arguments.file)?;
    }
    let mut model = match (is_net, &arguments.graph) {
        (true, graph) => read_net(&arguments.file, graph.as_deref())?,
        (false, None) => read_onnx(&arguments.file, &arguments.onnx)?,
        (false, Some(_)) => {
            let message = "--graph is for .net files; an ONNX model brings its network".into();
            return Err(Failure { code: exit::USAGE, message }.into());
        }
    };
    if let Some(path) = &arguments.labels {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        model.labels = text.lines().map(str::to_string).collect();
    }
    sane(&model).with_context(|| arguments.file.display().to_string())?;
    tell("writing", f64::NAN);
    arguments.output.write(&model)
}

/// Reads an ONNX file, and checks the result unless told not to; where it cannot be checked, stderr says so.
pub(crate) fn read_onnx(path: &Path, arguments: &OnnxArguments) -> Result<Model> {
    let input_shapes = arguments.input_shape.iter().map(|s| (s.0.clone(), s.1.clone())).collect();
    let input_values = arguments.input_value.iter().map(|v| (v.0.clone(), v.1.clone())).collect();
    let max_sizes = arguments.max_size.iter().map(|size| (size.0.clone(), size.1)).collect();
    let options = ImportOptions { input_shapes, input_values, max_sizes, fixed: arguments.fixed };
    let (model, checked, held) = match arguments.no_check {
        true => onnx::import_with_held(path, &options).map(|(model, held)| (model, None, held)),
        false => onnx::import_checked(path, &options, &mut answers, &tell)
            .map(|(model, found, held)| (model, Some(found), held)),
    }
    .map_err(into_anyhow)
    .with_context(|| path.display().to_string())?;
    if let Some(Checked::LeftOut(reason)) = checked {
        let path = path.display();
        progress::say(&format!("kompakt: {path}: the import was not checked against the file: {reason}"));
    }
    for held in held {
        progress::say(&format!("kompakt: {}: {held}", path.display()));
    }
    if let (Some(sizes), true) = (model.graph.sizes(), arguments.input_shape.is_empty()) {
        let size = |s: &Symbol| format!("{} {} ({} to {})", s.name, s.stored, s.least, s.most);
        let sizes: Vec<String> = sizes.symbols.iter().map(size).collect();
        let path = path.display();
        progress::say(&format!(
            "kompakt: {path}: sizes are open, and stored as {}; --input-shape gives other ones",
            sizes.join(", ")
        ));
    }
    Ok(model)
}

/// The loader's answers.
fn answers(model: &Model, inputs: &[Vec<f32>], n: usize) -> std::result::Result<Vec<Vec<f32>>, String> {
    let bytes = kompakt_compress::runnable(model).map_err(|e| e.to_string())?;
    let packed = kompakt_runtime::Model::from_bytes(&bytes).map_err(|e| e.to_string())?;
    let mut options = SessionOptions::default();
    options.max_batch = n;
    let mut session = Session::new(&packed, &options).map_err(|e| e.to_string())?;
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    session.run_all(&inputs, n).map_err(|e| e.to_string())?;
    Ok((0..model.graph.outputs().len()).map(|i| session.output(i).to_vec()).collect())
}

/// Reads a file that the authors of Deep Compression published.
fn read_net(path: &Path, graph: Option<&Path>) -> Result<Model> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (graph, steps) = match graph {
        Some(graph) => (read_graph(graph)?, None),
        None => kompakt_import::han::squeezenet().map(|(graph, steps)| (graph, Some(steps)))?,
    };
    let failed = |e: HanError| Failure { code: exit::INPUT, message: format!("{}: {e}", path.display()) };
    let mut model = kompakt_import::han::read(&bytes, graph).map_err(failed)?;
    model.preprocessing = steps;
    Ok(model)
}

/// The error in the form that decides the exit code.
pub(crate) fn into_anyhow(error: OnnxError) -> anyhow::Error {
    match error {
        OnnxError::Io { path, source } => anyhow::Error::from(source).context(path.display().to_string()),
        OnnxError::Model(error) => error.into(),
        other => Failure { code: exit::INPUT, message: other.to_string() }.into(),
    }
}
