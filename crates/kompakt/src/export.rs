//! `kompakt export`: a model as ONNX, or as C or Rust source.

use crate::{
    failure::IntoAnyhow,
    import::into_anyhow,
    input::{present, read_graph},
    output::Output,
    packed,
    process::Failure,
    progress::{Steps, begin, tell},
    runnable::is_packed,
};
use anyhow::{Context, Result, bail};
use kompakt_micro::{Input, Memory, MicroError, Options};
use kompakt_model::ModelFile;
use kompakt_pack::PackError;
use kompakt_runtime::Activations;
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// Turn a packed file, or a model of the stages, into an ONNX model; or a packed file into C or Rust source
///
/// ONNX is dense: every weight as the number that it stands for, so that any other runtime can check what was compressed.
/// C and Rust source keep the weights compressed and need no library, no heap and no operating system.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A .kompakt file or a safetensors file
    file: PathBuf,
    /// The network, for a safetensors file that does not carry it (see spec/interchange.md)
    #[arg(long, value_name = "FILE")]
    graph: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
    /// Write C11 instead: FILE.c and its header FILE.h, with functions whose names begin with FILE's
    #[arg(long, value_name = "FILE.c", conflicts_with_all = ["output", "graph", "rust"])]
    c: Option<PathBuf>,
    /// Write a Rust crate without std and without unsafe code instead: FOLDER/Cargo.toml and FOLDER/src/lib.rs
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["output", "graph"])]
    rust: Option<PathBuf>,
    /// For C and Rust: the inputs are bytes, which stand for themselves divided by 255, as those of a picture do
    #[arg(long, conflicts_with_all = ["output", "graph"])]
    bytes: bool,
    /// For C and Rust: the arithmetic of linear layers and convolutions, f32 or int8: integers, which processors without floating
    /// point multiply faster. Needs a file with ranges (`kompakt calibrate`)
    #[arg(long, value_name = "TYPE", default_value = "f32", conflicts_with_all = ["output", "graph"])]
    activations: Activations,
}

const EXAMPLES: &str = "Examples:
  kompakt export model.kompakt -o model.onnx
  kompakt export model.kompakt --c digits.c      # digits.c, digits.h: digits_run(input, output, arena)
  kompakt export model.kompakt --rust digits     # the crate digits: digits::run(&input, &mut output, &mut arena)";

const STEPS: Steps = &[(packed::CHECKING, 3.0), ("unpacking", 3.0), ("writing", 1.0)];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let input = if arguments.bytes { Input::Bytes } else { Input::Floats };
    let activations = match arguments.activations {
        Activations::Int8 => kompakt_micro::Activations::Int8,
        _ => kompakt_micro::Activations::F32,
    };
    let options = Options { input, activations };
    match (&arguments.c, &arguments.rust) {
        (Some(path), _) => return c_source(&arguments.file, path, options),
        (None, Some(folder)) => return rust_crate(&arguments.file, folder, options),
        (None, None) if arguments.bytes => bail!(Failure::usage("--bytes goes with --c or --rust")),
        (None, None) if arguments.activations == Activations::Int8 => {
            bail!(Failure::usage("--activations goes with --c or --rust"))
        }
        (None, None) => {}
    }
    let inputs: Vec<&Path> = [Some(&arguments.file), arguments.graph.as_ref()]
        .into_iter()
        .flatten()
        .map(PathBuf::as_path)
        .collect();
    arguments.output.check(&inputs)?;
    present(&inputs)?;
    let _shown = begin(false, STEPS);
    let path = &arguments.file;
    let model = if is_packed(path)? {
        let bytes = packed::read(path)?;
        let container = packed::parse(path, &bytes)?;
        packed::checked(path, &container, 0.0..1.0)?;
        kompakt_pack::unpack(&container, true, &tell).map_err(PackError::into_anyhow)?
    } else {
        let graph = arguments.graph.as_deref().map(read_graph).transpose()?;
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        ModelFile::open(file, graph)
            .and_then(ModelFile::into_model)
            .with_context(|| path.display().to_string())?
    };
    tell("writing", f64::NAN);
    let bytes = kompakt_import::onnx::export(&model).map_err(into_anyhow)?;
    arguments.output.write_with(|path| std::fs::write(path, &bytes).context("writing the ONNX model"))
}

/// Writes a network as C, and its header beside it.
fn c_source(file: &Path, path: &Path, options: Options) -> Result<()> {
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let outputs = [path.to_path_buf(), path.with_extension("h")].map(|output| Output { output });
    outputs.iter().try_for_each(|output| output.check(&[file]))?;
    if path.extension().is_none_or(|extension| extension != "c") {
        bail!(Failure::usage(format!("--c {}: a file whose name ends in .c", path.display())));
    }
    let bytes = packed::read(file)?;
    let container = packed::parse(file, &bytes)?;
    container.verify().map_err(|e| packed::broken(file, &e))?;
    let source = kompakt_micro::c_source(&container, name, options)
        .map_err(|error| failure(file, &format!("--c {}", path.display()), error))?;
    for (output, text) in outputs.iter().zip([&source.code, &source.header]) {
        output.write_with(|path| std::fs::write(path, text).context("writing C source"))?;
    }
    say(path, source.memory);
    Ok(())
}

/// Writes a network as a Rust crate, named like its folder.
fn rust_crate(file: &Path, folder: &Path, options: Options) -> Result<()> {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let bytes = packed::read(file)?;
    let container = packed::parse(file, &bytes)?;
    container.verify().map_err(|e| packed::broken(file, &e))?;
    let source = kompakt_micro::rust_crate(&container, name, options)
        .map_err(|error| failure(file, &format!("--rust {}", folder.display()), error))?;
    let outputs = ["Cargo.toml", "src/lib.rs"].map(|path| Output { output: folder.join(path) });
    std::fs::create_dir_all(folder.join("src"))
        .with_context(|| format!("cannot make {}", folder.display()))?;
    for (output, text) in outputs.iter().zip([&source.manifest, &source.code]) {
        output.check(&[file])?;
        output.write_with(|path| std::fs::write(path, text).context("writing Rust source"))?;
    }
    say(folder, source.memory);
    Ok(())
}

fn failure(file: &Path, option: &str, error: MicroError) -> anyhow::Error {
    match error {
        MicroError::Format(error) => packed::broken(file, &error),
        MicroError::Name(_) => Failure::usage(format!("{option}: {error}")).into(),
        error => Failure::input(format!("{}: {error}", file.display())).into(),
    }
}

#[expect(clippy::print_stderr, reason = "talk of a binary")]
fn say(path: &Path, memory: Memory) {
    eprintln!(
        "{}: {} bytes of constants; a run works in {} floats of memory ({} bytes)",
        path.display(),
        memory.constant_bytes,
        memory.arena_len,
        4 * memory.arena_len
    );
}
