//! A plan in C.

use crate::{
    Input,
    constants::{Constant, Data, Record},
    functions::{self, Language},
    plan::Plan,
    step::{Argument, Place, Step, Steps},
};
use std::fmt::Write;

/// Values per line of a table.
const A_LINE: usize = 24;

/// `NAME.c`.
pub(crate) fn code(plan: &Plan, name: &str) -> String {
    let mut text = about(plan);
    let _ = write!(text, "#include \"{name}.h\"\n\n#include <stdint.h>\n#include <string.h>\n\n");
    text += &functions::text(Language::C, &plan.functions());
    plan.constants.all.iter().for_each(|constant| define(constant, &mut text));
    let _ = writeln!(text, "{} {{", signature(plan, name));
    for name in plan.steps.unused(plan.inputs.iter().map(|port| port.name.as_str())) {
        let _ = writeln!(text, "    (void){name};");
    }
    let mut what = "";
    for step in &plan.steps.steps {
        if step.what != what {
            what = &step.what;
            // A name may hold anything except the end of a comment, and a backslash would join the next line.
            let plain = what.replace("*/", "* /").replace("/*", "/ *").replace(['\n', '\r', '\\'], " ");
            let _ = writeln!(text, "    /* {plain} */");
        }
        let arguments: Vec<String> =
            step.arguments.iter().map(|argument| self::argument(&plan.steps, step, argument)).collect();
        let _ = writeln!(text, "    {}({});", step.function, arguments.join(", "));
    }
    text += "}\n";
    text
}

/// `NAME.h`.
pub(crate) fn header(plan: &Plan, name: &str) -> String {
    let upper = name.to_uppercase();
    let mut text = about(plan);
    let _ = write!(text, "#ifndef {upper}_H\n#define {upper}_H\n\n");
    if plan.input == Input::Bytes {
        text += "#include <stdint.h>\n\n";
    }
    text += "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
    let _ = match plan.input {
        Input::Floats => writeln!(text, "/* Floats of what goes in and of what comes out, row-major. */"),
        Input::Bytes => writeln!(
            text,
            "/* Bytes of what goes in, which stand for themselves divided by 255, and floats of what comes out, row-major. */"
        ),
    };
    for port in plan.inputs.iter().chain(&plan.outputs) {
        let _ = writeln!(text, "#define {upper}_{}_LEN {} /* {:?} */", port.upper, port.n(), port.shape);
    }
    // An array in C has at least one element.
    let _ = writeln!(
        text,
        "/* Floats of memory that a run works in; what they hold before and after does not matter. */"
    );
    let _ = writeln!(text, "#define {upper}_ARENA_LEN {}\n", plan.arena_len.max(1));
    let _ = writeln!(
        text,
        "/* Runs the network. It keeps no state and takes no other memory: calls with different arenas may overlap. */"
    );
    let _ = writeln!(text, "{};\n\n#ifdef __cplusplus\n}}\n#endif\n\n#endif", signature(plan, name));
    text
}

fn about(plan: &Plan) -> String {
    let hash = &plan.content_hash;
    format!("/* Made by kompakt from a network with the content hash {hash}. Not to be edited. */\n")
}

fn signature(plan: &Plan, name: &str) -> String {
    let kind = if plan.input == Input::Bytes { "uint8_t" } else { "float" };
    let inputs = plan.inputs.iter().map(|port| format!("const {kind} *{}, ", port.name));
    let outputs = plan.outputs.iter().map(|port| format!("float *{}, ", port.name));
    format!("void {name}_run({}float *arena)", inputs.chain(outputs).collect::<String>())
}

fn argument(steps: &Steps, step: &Step, argument: &Argument) -> String {
    if let Some((buffer, from)) = step.buffer(argument) {
        let (name, at) = match &steps.buffers[buffer].1 {
            Place::Parameter(name) | Place::Table(name) => (name.as_str(), from),
            Place::Arena(at) => ("arena", at + from),
            Place::Unknown => ("", 0),
        };
        return if at == 0 { name.into() } else { format!("{name} + {at}") };
    }
    plain(argument)
}

/// An argument without a buffer, or a member of a record.
fn plain(argument: &Argument) -> String {
    match argument {
        Argument::Number(n) => n.to_string(),
        Argument::Float(value) => float(*value),
        Argument::Double(value) => format!("{value:?}"),
        Argument::Function(name) => (*name).into(),
        Argument::Table(name) | Argument::Optional(Some(name)) => name.clone(),
        Argument::Record(name) => format!("&{name}"),
        Argument::Optional(None) => "0".into(),
        Argument::Operand(..) | Argument::Result(_) | Argument::Scratch => String::new(),
    }
}

fn define(constant: &Constant, text: &mut String) {
    let name = &constant.name;
    match &constant.data {
        Data::Bytes(bytes) => table(text, "uint8_t", name, bytes.iter().map(u8::to_string)),
        Data::SignedBytes(bytes) => table(text, "int8_t", name, bytes.iter().map(i8::to_string)),
        Data::Integers(integers) => table(text, "int32_t", name, integers.iter().map(i32::to_string)),
        Data::Indices(indices) => table(text, "uint32_t", name, indices.iter().map(|i| format!("{i}u"))),
        Data::Floats(floats) => table(text, "float", name, floats.iter().map(|f| float(*f))),
        Data::Doubles(doubles) => table(text, "double", name, doubles.iter().map(|d| format!("{d:?}"))),
        Data::Record(record, members) => {
            let kind = match record {
                Record::Weights => "weights",
                Record::Geometry => "geometry",
                Record::Window => "window",
            };
            let members: Vec<String> = members.iter().map(plain).collect();
            let _ = writeln!(text, "static const {kind} {name} = {{{}}};\n", members.join(", "));
        }
    }
}

fn table(text: &mut String, kind: &str, name: &str, items: impl ExactSizeIterator<Item = String>) {
    let _ = write!(text, "static const {kind} {name}[{}] = {{", items.len().max(1));
    let is_empty = items.len() == 0;
    for (i, item) in items.enumerate() {
        *text += if i % A_LINE == 0 { "\n    " } else { " " };
        *text += &item;
        text.push(',');
    }
    *text += if is_empty { "0};\n\n" } else { "\n};\n\n" };
}

/// A float literal that C parses back to the same bits.
fn float(value: f32) -> String {
    format!("{value:?}f")
}
