//! The text of both files.

use crate::{
    MAX_LEN, MicroError, Source, arena,
    constants::Constants,
    nodes::Nodes,
    preparation,
    step::{Place, Steps},
};
use kompakt_format::Container;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// The functions in C, in the order of their definitions: callees before callers.
const FUNCTIONS: &[(&str, &[&str], &str)] = &[
    ("weights", &[], include_str!("c/weights.c")),
    ("linear", &["weights"], include_str!("c/linear.c")),
    ("convolution", &["weights"], include_str!("c/convolution.c")),
    ("scale_bias", &[], include_str!("c/scale_bias.c")),
    ("prelu", &[], include_str!("c/prelu.c")),
    ("pools", &[], include_str!("c/pools.c")),
    ("max_pool", &["pools"], include_str!("c/max_pool.c")),
    ("average_pool", &["pools"], include_str!("c/average_pool.c")),
    ("global_average_pool", &[], include_str!("c/global_average_pool.c")),
    ("relu", &[], include_str!("c/relu.c")),
    ("clip", &[], include_str!("c/clip.c")),
    ("leaky_relu", &[], include_str!("c/leaky_relu.c")),
    ("scale", &[], include_str!("c/scale.c")),
    ("hard_sigmoid_of", &[], include_str!("c/hard_sigmoid_of.c")),
    ("hard_sigmoid", &["hard_sigmoid_of"], include_str!("c/hard_sigmoid.c")),
    ("hard_swish", &["hard_sigmoid_of"], include_str!("c/hard_swish.c")),
    ("exponential", &[], include_str!("c/exponential.c")),
    ("logarithm", &[], include_str!("c/logarithm.c")),
    ("sigmoid", &["exponential"], include_str!("c/sigmoid.c")),
    ("silu", &["exponential"], include_str!("c/silu.c")),
    ("hyperbolic_tangent", &["exponential"], include_str!("c/hyperbolic_tangent.c")),
    ("softmax", &["exponential"], include_str!("c/softmax.c")),
    ("log_softmax", &["exponential", "logarithm"], include_str!("c/log_softmax.c")),
    ("local_response_norm", &["exponential", "logarithm"], include_str!("c/local_response_norm.c")),
    ("zero", &[], include_str!("c/zero.c")),
    ("copy", &[], include_str!("c/copy.c")),
    ("gather", &[], include_str!("c/gather.c")),
    ("pairwise", &[], include_str!("c/pairwise.c")),
    ("resize", &[], include_str!("c/resize.c")),
    ("prep_invert", &[], include_str!("c/prep_invert.c")),
    ("prep_grayscale", &[], include_str!("c/prep_grayscale.c")),
    ("prep_channels", &[], include_str!("c/prep_channels.c")),
    ("prep_normalize", &[], include_str!("c/prep_normalize.c")),
    ("prep_threshold", &[], include_str!("c/prep_threshold.c")),
    ("prep_median", &[], include_str!("c/prep_median.c")),
    ("prep_bilinear", &[], include_str!("c/prep_bilinear.c")),
    ("prep_area", &[], include_str!("c/prep_area.c")),
    ("prep_warp", &[], include_str!("c/prep_warp.c")),
    ("prep_deskew", &["prep_warp"], include_str!("c/prep_deskew.c")),
    ("prep_crop", &["prep_warp"], include_str!("c/prep_crop.c")),
    ("prep_gradients", &[], include_str!("c/prep_gradients.c")),
    ("prep_center_crop", &[], include_str!("c/prep_center_crop.c")),
    ("prep_subtract", &["prep_bilinear"], include_str!("c/prep_subtract.c")),
];

/// The functions that the calls need.
#[derive(Debug, Default)]
pub(crate) struct Functions(BTreeSet<&'static str>);

impl Functions {
    pub(crate) fn need(&mut self, name: &'static str) {
        debug_assert!(FUNCTIONS.iter().any(|(known, _, _)| *known == name), "{name}");
        self.0.insert(name);
    }

    fn text(&self) -> String {
        let needed = |name: &str| {
            self.0.iter().any(|&known| {
                known == name || FUNCTIONS.iter().any(|(of, calls, _)| *of == known && calls.contains(&name))
            })
        };
        let texts = FUNCTIONS.iter().filter(|(name, _, _)| needed(name));
        texts.map(|(_, _, text)| format!("{text}\n")).collect()
    }
}

/// A parameter of the function that runs the network.
struct Port {
    /// Its declaration in C.
    name: String,
    /// The suffix of the macro with its length.
    upper: String,
    shape: Vec<usize>,
}

/// The inputs or outputs, with names that are valid in C; a single one is called `alone`.
fn ports<'n>(values: impl ExactSizeIterator<Item = (&'n str, Vec<usize>)>, alone: &str) -> Vec<Port> {
    let is_alone = values.len() == 1;
    let port = |(i, (_, shape)): (usize, (&str, Vec<usize>))| {
        let name = if is_alone { alone.to_string() } else { format!("{alone}_{i}") };
        Port { upper: name.to_uppercase(), name, shape }
    };
    values.enumerate().map(port).collect()
}

/// Both files. `name` has been checked.
pub(crate) fn write(container: &Container<'_>, name: &str) -> Result<Source, MicroError> {
    let (graph, pipeline) = (container.graph(), container.pipeline());
    let inputs = ports(
        graph.inputs().iter().map(|input| {
            (input.name.as_str(), pipeline.map_or_else(|| input.shape.clone(), |p| p.input_shape().dims()))
        }),
        "input",
    );
    let outputs = ports(
        graph.outputs().iter().map(|&value| (graph.value_name(value), graph.shape(value).to_vec())),
        "output",
    );
    let (mut steps, mut constants, mut functions) =
        (Steps::default(), Constants::default(), Functions::default());
    let mut buffers = BTreeMap::new();
    for (value, port) in inputs.iter().enumerate() {
        let n: usize = port.shape.iter().product();
        if n > MAX_LEN {
            return Err(MicroError::TooLarge { what: port.name.clone(), n, limit: MAX_LEN });
        }
        let raw = steps.buffer(n, Place::Parameter(port.name.clone()));
        let prepared = match pipeline {
            Some(pipeline) => preparation::add(pipeline, raw, &mut steps, &mut constants, &mut functions)?,
            None => raw,
        };
        buffers.insert(value, prepared);
    }
    let to: Vec<usize> = outputs
        .iter()
        .map(|port| steps.buffer(port.shape.iter().product(), Place::Parameter(port.name.clone())))
        .collect();
    let parameters = container.decode()?;
    let mut nodes = Nodes {
        graph,
        parameters: &parameters,
        steps: &mut steps,
        constants: &mut constants,
        functions: &mut functions,
        buffers,
        refused: Vec::new(),
    };
    nodes.add(&to)?;
    let arena_len = arena::place(&mut steps);
    let about = format!(
        "/* Made by kompakt from a network with the content hash {}. Not to be edited. */\n",
        container.content_hash().map(|byte| format!("{byte:02x}")).concat()
    );
    let signature = signature(name, &inputs, &outputs);
    Ok(Source {
        code: about.clone() + &code(name, &signature, &steps, &constants, &functions),
        header: about + &header(name, &signature, &inputs, &outputs, arena_len),
        arena_len,
        constant_bytes: constants.n_bytes,
    })
}

fn signature(name: &str, inputs: &[Port], outputs: &[Port]) -> String {
    let inputs = inputs.iter().map(|port| format!("const float *{}, ", port.name));
    let outputs = outputs.iter().map(|port| format!("float *{}, ", port.name));
    format!("void {name}_run({}float *arena)", inputs.chain(outputs).collect::<String>())
}

fn header(name: &str, signature: &str, inputs: &[Port], outputs: &[Port], arena_len: usize) -> String {
    let upper = name.to_uppercase();
    let mut text =
        format!("#ifndef {upper}_H\n#define {upper}_H\n\n#ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n");
    let _ = writeln!(text, "/* Floats of what goes in and of what comes out, row-major. */");
    for port in inputs.iter().chain(outputs) {
        let n: usize = port.shape.iter().product();
        let _ = writeln!(text, "#define {upper}_{}_LEN {n} /* {:?} */", port.upper, port.shape);
    }
    // An array in C has at least one element.
    let _ = writeln!(
        text,
        "/* Floats of memory that a run works in; what they hold before and after does not matter. */"
    );
    let _ = writeln!(text, "#define {upper}_ARENA_LEN {}\n", arena_len.max(1));
    let _ = writeln!(
        text,
        "/* Runs the network. It keeps no state and takes no other memory: calls with different arenas may overlap. */"
    );
    let _ = writeln!(text, "{signature};\n\n#ifdef __cplusplus\n}}\n#endif\n\n#endif");
    text
}

fn code(name: &str, signature: &str, steps: &Steps, constants: &Constants, functions: &Functions) -> String {
    let mut text = format!("#include \"{name}.h\"\n\n#include <stdint.h>\n#include <string.h>\n\n");
    text += &functions.text();
    text += &constants.text;
    let _ = writeln!(text, "{signature} {{");
    let uses_arena = steps.steps.iter().any(|step| {
        let is_arena = |buffer: usize| matches!(steps.buffers[buffer].1, Place::Arena(_));
        is_arena(step.writes) || step.reads.iter().any(|&buffer| is_arena(buffer))
    });
    if !uses_arena {
        text += "    (void)arena;\n";
    }
    let mut what = "";
    for step in &steps.steps {
        if step.what != what {
            what = &step.what;
            // A name may hold anything except the end of a comment.
            let _ = writeln!(text, "    /* {} */", what.replace("*/", "* /").replace("/*", "/ *"));
        }
        let _ = writeln!(text, "    {}", steps.statement(step));
    }
    text += "}\n";
    text
}
