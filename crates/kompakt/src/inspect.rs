//! `kompakt inspect`: the content of a packed file, and where its bytes go.

use crate::{
    failure::IntoAnyhow,
    packed,
    process::Failure,
    progress::{Steps, begin, tell},
    stages::{self, Stage},
};
use anyhow::Result;
use kompakt_format::{COMPACT_VERSION, Container, NumberFormat, VERSION};
use kompakt_graph::Symbol;
use kompakt_micro::{Activations, Input, Memory, MicroError, Options};
use kompakt_pack::{
    PackError,
    account::{Account, ParameterRow},
    table,
};
use kompakt_runtime::{Isa, Model, Session, SessionOptions};
use serde_json::{Map, Value, json};
use std::{
    path::{Path, PathBuf},
    time::Instant,
};

/// Names of classes that are printed.
const SHOWN_LABELS: usize = 20;

/// Show what is in a packed file: the network, and where every byte is
///
/// One row a tensor: how much is kept, bits for each kept weight, the codebook, who coded it, bytes of the map of what is
/// kept, of codes, of numbers (codebook, biases), overhead, and the entropy of map and codes. The rows add up to the
/// file. Rows marked * are left out by --minimal.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The .kompakt file
    file: PathBuf,
    /// Show how the file would be run instead: the form of each layer, the costs that it is chosen by, and memory
    ///
    /// As `kompakt run --plan`, which takes threads, batch size, memory and instruction set.
    #[arg(long)]
    plan: bool,
    /// Show the memory of its C and Rust source instead: arena, constants, and about how much code and stack; and the heap that
    /// the loader would take
    ///
    /// See `kompakt export --c` and `--rust`. Code and stack are those of a Cortex-M4F.
    #[arg(long, conflicts_with = "plan")]
    arena: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const STEPS: Steps = &[(packed::CHECKING, 1.0), ("decoding", 1.0), ("counting", 2.0)];

#[expect(clippy::print_stdout, reason = "data of a binary")]
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let path = &arguments.file;
    if arguments.plan {
        return stages::run::Args::plan_of(path.clone(), arguments.json)?.run();
    }
    if arguments.arena {
        return arena(path, arguments.json);
    }
    let shown = begin(false, STEPS);
    let bytes = packed::read(path)?;
    let container = packed::parse(path, &bytes)?;
    packed::checked(path, &container, 0.0..1.0)?;
    let started = Instant::now();
    // One at a time: a large network need not fit into memory.
    let pool = container.pool().map_err(|e| packed::broken(path, &e))?;
    let n = container.descriptors().len();
    for parameter in 0..n {
        tell("decoding", parameter as f64 / n as f64);
        container.decode_parameter(parameter, &pool).map_err(|e| packed::broken(path, &e))?;
    }
    let decode_ms = started.elapsed().as_secs_f64() * 1e3;
    tell("counting", f64::NAN);
    let account = Account::of(&container).map_err(PackError::into_anyhow)?;
    drop(shown);
    if arguments.json {
        println!("{:#}", json(&container, &account, decode_ms)?);
    } else {
        print!("{}", summary(&container, decode_ms)?);
        print!("{}", table(&account, container.dense_parameters().map(|n| 4 * n)));
    }
    Ok(())
}

/// Prints the memory of the network's source.
#[expect(clippy::print_stdout, reason = "data of a binary")]
fn arena(path: &Path, as_json: bool) -> Result<()> {
    let bytes = packed::read(path)?;
    let container = packed::parse(path, &bytes)?;
    container.verify().map_err(|e| packed::broken(path, &e))?;
    let of = |input, activations| {
        let refused = |error: MicroError| Failure::input(format!("{}: {error}", path.display()));
        kompakt_micro::memory(&container, Options { input, activations }).map_err(refused)
    };
    let mut rows = Vec::new();
    for (name, int8, input) in
        [("floats", "floats, int8", Input::Floats), ("bytes", "bytes, int8", Input::Bytes)]
    {
        rows.push((name, of(input, Activations::F32)?));
        if container.ranges().is_ok_and(|ranges| !ranges.is_empty()) {
            rows.push((int8, of(input, Activations::Int8)?));
        }
    }
    let loader = loader_bytes(&bytes);
    if as_json {
        let of = |memory: &Memory| {
            json!({
                "arena_bytes": 4 * memory.arena_len,
                "input_bytes": memory.input_bytes,
                "output_bytes": memory.output_bytes,
                "stack_bytes_about": memory.stack_bytes,
                "constant_bytes": memory.constant_bytes,
                "code_bytes_about": memory.code_bytes,
            })
        };
        let mut rows: Map<String, Value> =
            rows.iter().map(|(name, memory)| (name.to_string(), of(memory))).collect();
        if let Some([in_memory, from_file]) = loader {
            let heap = json!({ "heap_bytes": in_memory, "heap_bytes_from_file": from_file });
            rows.insert("loader".into(), heap);
        }
        println!("{:#}", Value::Object(rows));
        return Ok(());
    }
    let width = rows.iter().map(|(name, _)| name.len()).fold(9, usize::max);
    println!("{:width$}    arena    inputs  outputs    stack  constants     code", "inputs as");
    for (name, memory) in rows {
        println!(
            "{name:width$} {:8} {:9} {:8} {:>8} {:10} {:>8}",
            4 * memory.arena_len,
            memory.input_bytes,
            memory.output_bytes,
            format!("~{}", memory.stack_bytes),
            memory.constant_bytes,
            format!("~{}", memory.code_bytes)
        );
    }
    println!(
        "\nBytes. RAM: arena, inputs, outputs, stack; flash: constants, code. ~ is about, for a Cortex-M4F."
    );
    if let Some([in_memory, from_file]) = loader {
        println!(
            "The loader instead, without vectors, holds {in_memory} bytes of heap, or {from_file} if weights are read from the file at every run."
        );
    }
    Ok(())
}

/// The heap of the loader's session on a processor without vectors, an input at a time: with weights in their fastest form,
/// and read from the file, which stays where it is, at every run. `None` for a network that it does not run.
fn loader_bytes(bytes: &[u8]) -> Option<[usize; 2]> {
    let model = Model::from_bytes(bytes).ok()?;
    let held = |from_file| {
        let mut options = SessionOptions::default();
        (options.isa, options.from_file) = (Isa::SCALAR, from_file);
        Session::new(&model, &options).ok().map(|session| session.plan().anonymous_bytes)
    };
    Some([held(false)?, held(true)?])
}

fn summary(container: &Container<'_>, decode_ms: f64) -> Result<String> {
    let graph = container.graph();
    let n = graph.n_parameters();
    let mut lines = vec![
        format!(
            "version {}, tier {}, content {}",
            if container.is_compact() { COMPACT_VERSION } else { VERSION },
            container.tier().name(),
            packed::hex(&container.content_hash())
        ),
        format!("decoded in {decode_ms:.1} ms: {:.1} million weights a second", n as f64 / decode_ms / 1e3),
    ];
    for input in graph.inputs() {
        lines.push(format!("input    {} {:?}", input.name, input.shape));
    }
    for symbol in graph.sizes().iter().flat_map(|sizes| &sizes.symbols) {
        let Symbol { name, stored, least, most, step } = symbol;
        let steps = if *step > 1 { format!(" in steps of {step}") } else { String::new() };
        lines.push(format!("size     {name} {stored}; {least} to {most}{steps}"));
    }
    if let Some(pipeline) = container.pipeline() {
        let steps: Vec<&str> = pipeline.steps().iter().map(|s| s.name()).collect();
        lines.push(format!("made of  {:?} by {}", pipeline.input_shape().dims(), steps.join(", ")));
    }
    let nodes: Vec<&str> = graph.nodes().iter().map(|node| node.op.name()).collect();
    lines.push(format!("network  {n} parameters: {}", nodes.join(", ")));
    let labels = container.labels()?;
    if !labels.is_empty() {
        let rest = labels.len().saturating_sub(SHOWN_LABELS);
        let more = if rest > 0 { format!(", … and {rest} more (--json lists all)") } else { String::new() };
        let shown: Vec<&str> = labels.iter().take(SHOWN_LABELS).map(|label| label.as_ref()).collect();
        lines.push(format!("labels   {}{more}", shown.join(", ")));
    }
    for (name, value) in container.measured() {
        lines.push(format!("{name} {:.2} %", 100.0 * value));
    }
    let n_tests = container.self_tests()?.len();
    if n_tests > 0 {
        lines.push(format!("{n_tests} self-tests"));
    }
    let ranges = container.ranges()?;
    if !ranges.is_empty() {
        lines.push(format!("ranges of {} values, for --activations int8", ranges.len()));
    }
    lines.push(String::new());
    lines.push(String::new());
    Ok(lines.join("\n"))
}

/// Everything known of a file without running it.
pub(crate) fn json(container: &Container<'_>, account: &Account, decode_ms: f64) -> Result<Value> {
    let provenance: Value = match container.provenance()? {
        Some(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        None => Value::Null,
    };
    Ok(json!({
        "version": 1,
        "tier": container.tier().name(),
        "content_hash": packed::hex(&container.content_hash()),
        "bytes": account.bytes(),
        "ancillary_bytes": account.ancillary_bytes(),
        "dense_parameters": container.dense_parameters(),
        "decode_ms": decode_ms,
        "inputs": container.graph().inputs().iter().map(|i| json!({"name": i.name, "shape": i.shape})).collect::<Vec<_>>(),
        "preprocessing": container.pipeline().map(serde_json::to_value).transpose()?,
        "nodes": container.graph().nodes().iter().map(|n| json!({"name": n.name, "op": n.op.name()})).collect::<Vec<_>>(),
        "labels": container.labels()?,
        "measured": container.measured().iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "provenance": provenance,
        "self_tests": container.self_tests()?.len(),
        "ranges": container.ranges()?.iter().map(|r| json!({
            "value": container.graph().value_name(r.value), "low": r.low, "high": r.high,
        })).collect::<Vec<_>>(),
        "tensors": account.parameters.iter().map(tensor).collect::<Vec<_>>(),
        "others": account.others.iter().map(|o| {
            json!({"name": o.name, "bytes": o.bytes, "ancillary": o.is_ancillary})
        }).collect::<Vec<_>>(),
    }))
}

fn tensor(row: &ParameterRow) -> Value {
    let format = match row.format {
        NumberFormat::F32 => "f32",
        NumberFormat::F16 => "f16",
        NumberFormat::Scaled => "scaled",
    };
    json!({
        "name": row.name,
        "shape": row.shape,
        "n": row.n,
        "n_kept": row.n_kept,
        "density": row.n_kept as f64 / row.n as f64,
        "levels": row.n_levels,
        "numbers": format,
        "coder": row.coder,
        "map_bytes": row.map_bytes,
        "codes_bytes": row.codes_bytes,
        "numbers_bytes": row.numbers_bytes,
        "overhead_bytes": row.overhead_bytes,
        "entropy_bytes": row.entropy_bytes,
        "bytes": row.bytes(),
    })
}
