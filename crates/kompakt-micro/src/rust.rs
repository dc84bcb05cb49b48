//! A plan in Rust: a crate without `std`, without dependencies and without unsafe code.

use crate::{
    Input,
    constants::{Constant, Data, Record},
    functions::{self, Language},
    plan::{Plan, Port},
    step::{Argument, Place, Step, Steps},
};
use std::fmt::Write;

/// Values per line of a table.
const A_LINE: usize = 24;

/// `Cargo.toml`.
pub(crate) fn manifest(name: &str) -> String {
    format!(
        "# Made by kompakt. A network as a crate without std and without dependencies.\n[package]\nname = \"{name}\"\n\
         version = \"0.1.0\"\nedition = \"2021\"\n\n[workspace]\n\n[profile.release]\nopt-level = \"s\"\n"
    )
}

/// `src/lib.rs`.
pub(crate) fn code(plan: &Plan) -> String {
    let hash = &plan.content_hash;
    let mut text = format!(
        "//! Made by kompakt from a network with the content hash {hash}. Not to be edited.\n\
         //!\n//! [`run`] computes the outputs; all its memory is what it is given.\n\
         #![no_std]\n#![forbid(unsafe_code)]\n#![allow(clippy::all, clippy::pedantic)]\n\nuse core::cell::Cell;\n\n"
    );
    for port in plan.inputs.iter().chain(&plan.outputs) {
        let (upper, n, shape) = (&port.upper, port.n(), &port.shape);
        let _ = writeln!(text, "/// Elements of `{}`, {shape:?}, row-major.", port.name);
        let _ = writeln!(text, "pub const {upper}_LEN: usize = {n};");
    }
    let _ = writeln!(
        text,
        "/// Floats of memory that a run works in.\npub const ARENA_LEN: usize = {};",
        plan.arena_len
    );
    let _ = writeln!(
        text,
        "/// Bytes of memory that a run works in.\npub const ARENA_BYTES: usize = 4 * ARENA_LEN;\n"
    );
    text += &run(plan);
    text += &functions::text(Language::Rust, &plan.functions());
    plan.constants.all.iter().for_each(|constant| define(constant, &mut text));
    text
}

fn run(plan: &Plan) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "/// Runs the network. What the arena holds before and after does not matter.");
    if plan.input == Input::Bytes {
        let _ = writeln!(text, "///\n/// Bytes of the input stand for themselves divided by 255.");
    }
    let kind = if plan.input == Input::Bytes { "u8" } else { "f32" };
    let parameter = |port: &Port, of: &str| format!("{}: &{of}; {}_LEN], ", port.name, port.upper);
    let inputs = plan.inputs.iter().map(|port| parameter(port, &format!("[{kind}")));
    let outputs = plan.outputs.iter().map(|port| parameter(port, "mut [f32"));
    let parameters: String = inputs.chain(outputs).collect();
    let _ = writeln!(text, "pub fn run({parameters}arena: &mut [f32; ARENA_LEN]) {{");
    for name in plan.steps.unused(plan.inputs.iter().map(|port| port.name.as_str())) {
        let _ = writeln!(text, "    let _ = {name};");
    }
    for port in &plan.outputs {
        let name = &port.name;
        let _ = writeln!(text, "    let {name} = Cell::from_mut(&mut {name}[..]).as_slice_of_cells();");
    }
    if plan.steps.use_arena() {
        text += "    let arena = Cell::from_mut(&mut arena[..]).as_slice_of_cells();\n";
    }
    let mut what = "";
    for step in &plan.steps.steps {
        if step.what != what {
            what = &step.what;
            let _ = writeln!(text, "    // {}", what.replace(|c: char| c.is_control(), " "));
        }
        let arguments: Vec<String> =
            step.arguments.iter().map(|argument| self::argument(&plan.steps, step, argument)).collect();
        let _ = writeln!(text, "    {}({});", step.function, arguments.join(", "));
    }
    text += "}\n\n";
    text
}

fn argument(steps: &Steps, step: &Step, argument: &Argument) -> String {
    let Some((buffer, from)) = step.buffer(argument) else { return plain(argument) };
    let (len, place) = &steps.buffers[buffer];
    match place {
        Place::Parameter(name) => format!("&{name}[{from}..]"),
        Place::Table(name) => format!("&{}[{from}..]", name.to_uppercase()),
        Place::Arena(at) => format!("&arena[{}..{}]", at + from, at + len),
        Place::Unknown => String::new(),
    }
}

/// An argument without a buffer, or a member of a record.
fn plain(argument: &Argument) -> String {
    match argument {
        Argument::Number(n) => n.to_string(),
        Argument::Float(value) => format!("{value:?}"),
        Argument::Double(value) => format!("{value:?}"),
        Argument::Function(name) => (*name).into(),
        Argument::Table(name) | Argument::Record(name) => format!("&{}", name.to_uppercase()),
        Argument::Optional(Some(name)) => format!("Some(&{})", name.to_uppercase()),
        Argument::Optional(None) => "None".into(),
        Argument::Operand(..) | Argument::Result(_) | Argument::Scratch => String::new(),
    }
}

fn define(constant: &Constant, text: &mut String) {
    let name = constant.name.to_uppercase();
    match &constant.data {
        Data::Bytes(bytes) => table(text, "u8", &name, bytes.iter().map(u8::to_string)),
        Data::SignedBytes(bytes) => table(text, "i8", &name, bytes.iter().map(i8::to_string)),
        Data::Integers(integers) => table(text, "i32", &name, integers.iter().map(i32::to_string)),
        Data::Indices(indices) => table(text, "usize", &name, indices.iter().map(usize::to_string)),
        Data::Floats(floats) => table(text, "f32", &name, floats.iter().map(|f| format!("{f:?}"))),
        Data::Doubles(doubles) => table(text, "f64", &name, doubles.iter().map(|d| format!("{d:?}"))),
        Data::Record(record, members) => {
            let kind = match record {
                Record::Weights => "Weights",
                Record::Geometry => "Geometry",
                Record::Window => "Window",
            };
            let named = record.members().iter().zip(members);
            let members: Vec<String> =
                named.map(|(name, value)| format!("{name}: {}", plain(value))).collect();
            let _ = writeln!(text, "static {name}: {kind} = {kind} {{ {} }};\n", members.join(", "));
        }
    }
}

fn table(text: &mut String, kind: &str, name: &str, items: impl ExactSizeIterator<Item = String>) {
    let _ = write!(text, "static {name}: [{kind}; {}] = [", items.len());
    for (i, item) in items.enumerate() {
        *text += if i % A_LINE == 0 { "\n    " } else { " " };
        *text += &item;
        text.push(',');
    }
    *text += "\n];\n\n";
}
