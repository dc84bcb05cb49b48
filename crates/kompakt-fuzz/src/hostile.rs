//! ONNX models that claim more than they hold, written field by field: seeds of the target `onnx`.

/// A model and what its refusal says.
#[derive(Debug, Clone)]
pub struct Hostile {
    /// What is hostile about it.
    pub name: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
    /// A part of the error: the node, and what is wrong with it.
    pub says: &'static str,
}

fn varint(bytes: &mut Vec<u8>, mut v: u64) {
    while v >= 0x80 {
        bytes.push(v as u8 | 0x80);
        v >>= 7;
    }
    bytes.push(v as u8);
}

/// A length-delimited field: its number and content.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    varint(&mut bytes, u64::from(number << 3 | 2));
    varint(&mut bytes, content.len() as u64);
    bytes.extend(content);
    bytes
}

fn number(field: u32, value: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    varint(&mut bytes, u64::from(field << 3));
    varint(&mut bytes, value as u64);
    bytes
}

/// A value of floats; a size of 0 is open.
fn value(name: &str, dims: &[i64]) -> Vec<u8> {
    let dim = |&d: &i64| field(1, &if d == 0 { field(2, b"n") } else { number(1, d) });
    let dims: Vec<u8> = dims.iter().flat_map(dim).collect();
    [field(1, name.as_bytes()), field(2, &field(1, &[number(1, 1), field(2, &dims)].concat()))].concat()
}

fn tensor(name: &str, kind: i64, dims: &[i64], raw: &[u8]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|&d| number(1, d)).collect();
    [dims, number(2, kind), field(8, name.as_bytes()), field(9, raw)].concat()
}

fn ints(name: &str, values: &[i64]) -> Vec<u8> {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    tensor(name, 7, &[values.len() as i64], &raw)
}

fn int(name: &str, value: i64) -> Vec<u8> {
    tensor(name, 7, &[], &value.to_le_bytes())
}

fn floats(name: &str, values: &[f32]) -> Vec<u8> {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    tensor(name, 1, &[values.len() as i64], &raw)
}

/// An operator on named inputs; its name is `the OP`.
fn node(op: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    let inputs: Vec<u8> = inputs.iter().flat_map(|i| field(1, i.as_bytes())).collect();
    let name = format!("the {op}");
    [inputs, field(2, output.as_bytes()), field(3, name.as_bytes()), field(4, op.as_bytes())].concat()
}

/// A node with attributes of integers.
fn with_ints(node: Vec<u8>, attributes: &[(&str, &[i64])]) -> Vec<u8> {
    let one = |(name, list): &(&str, &[i64])| {
        let list: Vec<u8> = list.iter().flat_map(|&v| number(8, v)).collect();
        field(5, &[field(1, name.as_bytes()), list, number(20, 7)].concat())
    };
    [node, attributes.iter().flat_map(one).collect()].concat()
}

fn with_int(node: Vec<u8>, name: &str, value: i64) -> Vec<u8> {
    [node, field(5, &[field(1, name.as_bytes()), number(3, value), number(20, 2)].concat())].concat()
}

fn with_text(node: Vec<u8>, name: &str, value: &str) -> Vec<u8> {
    [node, field(5, &[field(1, name.as_bytes()), field(4, value.as_bytes()), number(20, 3)].concat())]
        .concat()
}

fn with_graph(node: Vec<u8>, name: &str, graph: &[u8]) -> Vec<u8> {
    [node, field(5, &[field(1, name.as_bytes()), field(6, graph), number(20, 5)].concat())].concat()
}

fn graph(nodes: &[Vec<u8>], initial: &[Vec<u8>], inputs: &[Vec<u8>], outputs: &[&str]) -> Vec<u8> {
    let mut graph: Vec<u8> = nodes.iter().flat_map(|n| field(1, n)).collect();
    graph.extend(initial.iter().flat_map(|t| field(5, t)));
    graph.extend(inputs.iter().flat_map(|i| field(11, i)));
    graph.extend(outputs.iter().flat_map(|o| field(12, &field(1, o.as_bytes()))));
    graph
}

/// A model of operator set 18 with input `x` of this shape and output `y`.
fn model(shape: &[i64], nodes: &[Vec<u8>], initial: &[Vec<u8>]) -> Vec<u8> {
    let graph = graph(nodes, initial, &[value("x", shape)], &["y"]);
    [number(1, 8), field(7, &graph), field(8, &number(2, 18))].concat()
}

/// A body of a loop that adds 1 to its value, and says whether it goes on.
fn adding(condition: i64) -> Vec<u8> {
    let nodes = [node("Add", &["v", "one"], "w"), node("Identity", &["c"], "go")];
    let initial = [floats("one", &[1.0]), tensor("c", 9, &[], &[condition as u8])];
    graph(&nodes, &initial, &[value("i", &[]), value("before", &[]), value("v", &[])], &["go", "w"])
}

/// A loop in a loop in a loop, 1,024 turns each.
fn nested_loops(depth: usize) -> Vec<u8> {
    let mut inner = adding(1);
    for _ in 0..depth {
        let again = with_graph(node("Loop", &["turns", "", "v"], "w"), "body", &inner);
        let nodes = [again, node("Identity", &["c"], "go")];
        let initial = [tensor("c", 9, &[], &[1])];
        let inputs = [value("i", &[]), value("before", &[]), value("v", &[])];
        inner = graph(&nodes, &initial, &inputs, &["go", "w"]);
    }
    model(
        &[1, 4],
        &[with_graph(node("Loop", &["turns", "", "x"], "y"), "body", &inner)],
        &[int("turns", 1024)],
    )
}

/// Branches in branches.
fn nested_branches(depth: usize) -> Vec<u8> {
    let mut inner = graph(&[node("Relu", &["x"], "r")], &[], &[], &["r"]);
    for _ in 0..depth {
        let both = with_graph(node("If", &["c"], "r"), "then_branch", &inner);
        let last = graph(&[node("Relu", &["x"], "r")], &[], &[], &["r"]);
        inner = graph(&[with_graph(both, "else_branch", &last)], &[], &[], &["r"]);
    }
    let both = with_graph(node("If", &["c"], "y"), "then_branch", &inner);
    model(&[1, 4], &[with_graph(both, "else_branch", &inner)], &[tensor("c", 9, &[], &[1])])
}

/// A node whose sizes are a constant list, on `x` of this shape.
fn sized(op: &str, shape: &[i64], sizes: &[i64]) -> Vec<u8> {
    model(shape, &[node(op, &["x", "sizes"], "y")], &[ints("sizes", sizes)])
}

/// A constant by a node whose sizes are a list, added to `x`.
fn constant(op: &str, inputs: &[&str], initial: &[Vec<u8>]) -> Vec<u8> {
    model(&[1, 4], &[node(op, inputs, "c"), node("Add", &["x", "c"], "y")], initial)
}

const HUGE: i64 = 1 << 40;

/// All of them. None is larger than 5 MB; most are smaller than 1 kB.
pub fn hostile_models() -> Vec<Hostile> {
    let mut all =
        [graphs(), shapes(), constants(), lists(), operators(), selections(), microsoft(), tensors()]
            .concat();
    all.extend(many());
    all
}

/// Results whose number depends on the data.
fn selections() -> Vec<Hostile> {
    let hostile = |name, bytes, says| Hostile { name, bytes, says };
    let boxes = |most: i64| {
        let best = with_ints(node("ReduceMax", &["x"], "m"), &[("axes", &[2])]);
        let scores = with_ints(node("Transpose", &["m"], "s"), &[("perm", &[0, 2, 1])]);
        let chosen = node("NonMaxSuppression", &["x", "s", "most"], "y");
        model(&[1, 100_000, 4], &[best, scores, chosen], &[int("most", most)])
    };
    let counted = [node("NonZero", &["x"], "i"), node("Shape", &["i"], "y")];
    vec![
        hostile("2^40 boxes", boxes(HUGE), "boxes of a class"),
        hostile("fewer than no boxes", boxes(-7), "gives 0 boxes of a class"),
        hostile("2^24 places", model(&[1, 1 << 24], &[node("NonZero", &["x"], "y")], &[]), "the places of"),
        hostile("places are counted", model(&[1, 4], &counted, &[]), "would mix or count them"),
    ]
}

/// Operators of the domain `com.microsoft` with attributes and inputs that do not fit.
fn microsoft() -> Vec<Hostile> {
    let hostile = |name, bytes, says| Hostile { name, bytes, says };
    let of = |op: &str, inputs: &[&str]| [node(op, inputs, "y"), field(7, b"com.microsoft")].concat();
    let weights = || [tensor("w", 1, &[3, 9], &[0; 108]), floats("b", &[0.0; 9])];
    let attention = |nodes: Vec<u8>| model(&[1, 2, 3], &[nodes], &weights());
    let packed = || of("Attention", &["x", "w", "b"]);
    let sizes = with_ints(packed(), &[("qkv_hidden_sizes", &[i64::MAX, i64::MAX, 4])]);
    let past = of("Attention", &["x", "w", "b", "", "x"]);
    let table = tensor("t", 1, &[1, 2], &[0; 8]);
    vec![
        hostile("no heads", attention(with_int(packed(), "num_heads", 0)), "0 heads of"),
        hostile("heads below 0", attention(with_int(packed(), "num_heads", -7)), "0 heads of"),
        hostile("heads of 2^63 - 1 features", attention(sizes), "\"the Attention\""),
        hostile("a past of other dimensions", attention(past), "\"the Attention\""),
        hostile(
            "queries alone",
            attention(of("MultiHeadAttention", &["x"])),
            "queries, keys and values in one",
        ),
        hostile(
            "angles of no token",
            model(&[1, 2, 3], &[of("RotaryEmbedding", &["x", "p", "t", "t"])], &[int("p", HUGE), table]),
            "\"the RotaryEmbedding\"",
        ),
        hostile(
            "embeddings without tables",
            attention(of("EmbedLayerNormalization", &["x"])),
            "\"the EmbedLayerNormalization\"",
        ),
        hostile("another operator", attention(of("Conv", &["x", "w"])), "the operator is not supported"),
    ]
}

fn graphs() -> Vec<Hostile> {
    let hostile = |name, bytes, says| Hostile { name, bytes, says };
    let endless = |inputs: &[&str]| {
        let again = with_graph(node("Loop", inputs, "y"), "body", &adding(1));
        model(&[1, 4], &[again], &[int("turns", HUGE), tensor("true", 9, &[], &[1])])
    };
    let by_value = with_graph(node("Loop", &["", "", "x"], "y"), "body", &{
        let nodes = [node("Add", &["v", "v"], "w"), node("Identity", &["w"], "go")];
        graph(&nodes, &[], &[value("i", &[]), value("before", &[]), value("v", &[])], &["go", "w"])
    });
    vec![
        hostile(
            "two nodes read each other",
            model(
                &[1, 4],
                &[node("Add", &["x", "b"], "a"), node("Neg", &["a"], "b"), node("Add", &["a", "b"], "y")],
                &[],
            ),
            "node \"the Add\" (Add): nothing before it makes its input \"b\"; nodes must be in order, without cycles",
        ),
        hostile(
            "a node reads itself",
            model(&[1, 4], &[node("Add", &["x", "y"], "y")], &[]),
            "without cycles",
        ),
        hostile(
            "a loop without an end",
            endless(&["", "true", "x"]),
            "\"the Loop\" (Loop): its turns become more than",
        ),
        hostile("a loop without a condition", endless(&["", "", "x"]), "its turns become more than"),
        hostile("a loop of 2^40 turns", endless(&["turns", "true", "x"]), "its turns become more than"),
        hostile(
            "a loop that ends by a value",
            model(&[1, 4], &[by_value], &[]),
            "whether it goes on depends on the input",
        ),
        hostile("loops in loops", nested_loops(3), "its turns become more than"),
        hostile("branches 300 deep", nested_branches(300), "not an ONNX model"),
        hostile("loops 300 deep", nested_loops(300), "not an ONNX model"),
    ]
}

fn shapes() -> Vec<Hostile> {
    let relu = |shape: &[i64]| model(shape, &[node("Relu", &["x"], "y")], &[]);
    let hostile = |name, bytes, says| Hostile { name, bytes, says };
    vec![
        hostile("an input of 2^40 numbers", relu(&[1, HUGE]), "input \"x\": [1, 1099511627776] is too large"),
        hostile("an input past 64 bits", relu(&[1, 1 << 28, 1 << 28, 1 << 28]), "is too large"),
        hostile("an input of 2^63 - 1", relu(&[1, i64::MAX, i64::MAX]), "is too large"),
        hostile("an input of 30 dimensions", relu(&[1; 30]), "is too large"),
        hostile(
            "a reshape past 64 bits",
            sized("Reshape", &[1, 4], &[1, 1 << 32, 1 << 32, 4]),
            "\"the Reshape\"",
        ),
        hostile("a reshape of a guess", sized("Reshape", &[1, 4], &[-1, 1 << 62, 4]), "\"the Reshape\""),
        hostile("a reshape of a size below 0", sized("Reshape", &[1, 4], &[1, -2, -2]), "\"the Reshape\""),
        hostile("an expansion to 2^62", sized("Expand", &[1, 4], &[1 << 31, 1 << 31, 4]), "\"the Expand\""),
        hostile("an expansion of a size", sized("Expand", &[1, 1], &[1, HUGE]), "\"the Expand\""),
        hostile(
            "an expansion below 0",
            sized("Expand", &[1, 1], &[1, -7]),
            "\"the Expand\" (Expand): a size of -7",
        ),
        hostile("2^40 tiles", sized("Tile", &[1, 4], &[1, HUGE]), "\"the Tile\""),
        hostile("2^31 tiles of 2^31", sized("Tile", &[1, 4, 4], &[1, 1 << 31, 1 << 31]), "\"the Tile\""),
        hostile("tiles below 0", sized("Tile", &[1, 4], &[1, i64::MIN]), "\"the Tile\""),
        hostile("zeros around 2^40", sized("Pad", &[1, 4], &[0, HUGE, 0, HUGE]), "\"the Pad\""),
        hostile("zeros around 2^63", sized("Pad", &[1, 4], &[0, i64::MAX, 0, i64::MIN]), "\"the Pad\""),
        hostile(
            "a crop to 2^40",
            {
                let crop = with_ints(node("CenterCropPad", &["x", "sizes"], "y"), &[("axes", &[1])]);
                model(&[1, 4], &[crop], &[ints("sizes", &[1 << 32])])
            },
            "\"the CenterCropPad\"",
        ),
    ]
}

fn constants() -> Vec<Hostile> {
    let hostile = |name, bytes, says| Hostile { name, bytes, says };
    let filled = |sizes: &[i64]| constant("ConstantOfShape", &["sizes"], &[ints("sizes", sizes)]);
    let range = |start, end, step| {
        constant("Range", &["a", "b", "c"], &[int("a", start), int("b", end), int("c", step)])
    };
    let float_range = |start: f32, end: f32, step: f32| {
        let one = |name: &str, v: f32| tensor(name, 1, &[], &v.to_le_bytes());
        constant("Range", &["a", "b", "c"], &[one("a", start), one("b", end), one("c", step)])
    };
    let limit = "it exceeds the limit for a file of this size";
    vec![
        hostile("a constant of 2^33", filled(&[1 << 20, 1 << 13]), "\"the ConstantOfShape\""),
        hostile(
            "a constant past 64 bits",
            filled(&[1 << 20, 1 << 20, 1 << 20, 1 << 20]),
            "\"the ConstantOfShape\"",
        ),
        hostile("a constant of a size below 0", filled(&[1, -1]), "a size of -1"),
        hostile("a range of 2^62", range(0, 1 << 62, 1), limit),
        hostile("a range over all integers", range(i64::MIN, i64::MAX, 1), limit),
        hostile("a range back over all integers", range(i64::MAX, i64::MIN, -1), limit),
        hostile("a range to the least integer", range(0, i64::MIN, -1), limit),
        hostile("a range in no steps", range(0, 4, 0), "\"the Range\" (Range): a step of 0"),
        hostile("a range of 1e30", float_range(0.0, 1e30, 1.0), limit),
        hostile("a range in steps of NaN", float_range(0.0, 4.0, f32::NAN), "\"the Range\""),
        hostile(
            "a constant's 2^30 tiles",
            constant("Tile", &["s", "n"], &[ints("s", &[1, 2, 3, 4]), ints("n", &[1 << 30])]),
            "\"the Tile\"",
        ),
        hostile(
            "a constant expanded",
            constant("Expand", &["s", "n"], &[ints("s", &[1]), ints("n", &[1 << 32, 1 << 32])]),
            "\"the Expand\"",
        ),
        hostile(
            "a constant's padding",
            constant("Pad", &["s", "n"], &[ints("s", &[1]), ints("n", &[1 << 28, 1 << 28])]),
            "\"the Pad\"",
        ),
        hostile(
            "a constant's depth",
            {
                let initial = [ints("s", &[1]), int("n", HUGE), ints("v", &[0, 1])];
                constant("OneHot", &["s", "n", "v"], &initial)
            },
            "\"the OneHot\"",
        ),
        hostile(
            "a constant's dimensions",
            {
                let nodes =
                    [with_ints(node("Unsqueeze", &["s", "axes"], "c"), &[]), node("Add", &["x", "c"], "y")];
                let axes: Vec<i64> = (0..1000).collect();
                model(&[1, 4], &nodes, &[ints("s", &[1]), ints("axes", &axes)])
            },
            "dimensions",
        ),
    ]
}

fn lists() -> Vec<Hostile> {
    let hostile = |name, bytes, says| Hostile { name, bytes, says };
    let gathered = |index: i64| {
        model(&[1, 4], &[with_int(node("Gather", &["x", "i"], "y"), "axis", 1)], &[ints("i", &[index])])
    };
    let of_table = |index: i64| {
        let nodes = [node("Gather", &["t", "i"], "c"), node("Add", &["x", "c"], "y")];
        model(&[1, 4], &nodes, &[floats("t", &[1.0, 2.0, 3.0, 4.0]), ints("i", &[index])])
    };
    let sliced = |starts: i64, ends: i64, steps: i64| {
        let initial = [ints("s", &[starts]), ints("e", &[ends]), ints("a", &[1]), ints("d", &[steps])];
        model(&[1, 4], &[node("Slice", &["x", "s", "e", "a", "d"], "y")], &initial)
    };
    vec![
        hostile("an index past the end", gathered(4), "index 4 is outside 4"),
        hostile("an index before the start", gathered(-5), "index -5 is outside 4"),
        hostile("the least index", gathered(i64::MIN), "is outside 4"),
        hostile("an index past a table", of_table(4), "index 4 is outside 4"),
        hostile("an index far past a table", of_table(i64::MAX), "is outside 4"),
        hostile(
            "an axis past the end",
            model(&[1, 4], &[with_int(node("Gather", &["x", "i"], "y"), "axis", HUGE)], &[ints("i", &[0])]),
            "axis 1099511627776",
        ),
        hostile("a slice of nothing", sliced(i64::MAX, i64::MIN, 1), "nothing is left"),
        hostile("a slice in no steps", sliced(0, 4, 0), "a step of 0"),
        hostile(
            "indices of several dimensions past the end",
            {
                let nodes = [node("GatherND", &["t", "i"], "c"), node("Add", &["x", "c"], "y")];
                model(
                    &[1, 4],
                    &nodes,
                    &[floats("t", &[1.0, 2.0]), tensor("i", 7, &[1, 1], &99i64.to_le_bytes())],
                )
            },
            "\"the GatherND\"",
        ),
        hostile(
            "parts of more than there is",
            model(
                &[1, 4],
                &[with_int(node("Split", &["x", "n"], "y"), "axis", 1)],
                &[ints("n", &[1 << 62, 1 << 62])],
            ),
            "\"the Split\"",
        ),
        hostile(
            "an order of other dimensions",
            model(&[1, 4], &[with_ints(node("Transpose", &["x"], "y"), &[("perm", &[0, HUGE])])], &[]),
            "\"the Transpose\"",
        ),
    ]
}

fn operators() -> Vec<Hostile> {
    let hostile = |name, bytes, says| Hostile { name, bytes, says };
    let conv = |attributes: &[(&str, &[i64])]| {
        let w = tensor("w", 1, &[1, 1, 2, 2], &[0; 16]);
        model(&[1, 1, 8, 8], &[with_ints(node("Conv", &["x", "w"], "y"), attributes)], &[w])
    };
    let transposed = |attributes: &[(&str, &[i64])]| {
        let w = tensor("w", 1, &[1, 1, 2, 2], &[0; 16]);
        model(&[1, 1, 8, 8], &[with_ints(node("ConvTranspose", &["x", "w"], "y"), attributes)], &[w])
    };
    let pooled = |op: &str, attributes: &[(&str, &[i64])]| {
        model(&[1, 1, 8, 8], &[with_ints(node(op, &["x"], "y"), attributes)], &[])
    };
    let scaled = |scales: &[f32]| {
        model(&[1, 1, 8, 8], &[node("Resize", &["x", "", "s"], "y")], &[floats("s", scales)])
    };
    let resized = |sizes: &[i64]| {
        model(&[1, 1, 8, 8], &[node("Resize", &["x", "", "", "s"], "y")], &[ints("s", sizes)])
    };
    let edge = with_text(node("Pad", &["x", "n"], "y"), "mode", "edge");
    let values = tensor("v", 1, &[2], &[0; 8]);
    let big = 1 << 27;
    vec![
        hostile("a kernel of 2^27", pooled("MaxPool", &[("kernel_shape", &[big, big])]), "\"the MaxPool\""),
        hostile(
            "a kernel of 2^63",
            pooled("AveragePool", &[("kernel_shape", &[i64::MAX, i64::MAX])]),
            "\"the AveragePool\"",
        ),
        hostile(
            "a kernel padded to fit",
            pooled("MaxPool", &[("kernel_shape", &[big, big]), ("pads", &[big, big, big, big])]),
            "\"the MaxPool\"",
        ),
        hostile("a dilation of 2^27", conv(&[("dilations", &[big, big])]), "\"the Conv\""),
        hostile("a convolution's padding", conv(&[("pads", &[big, big, big, big])]), "\"the Conv\""),
        hostile("a convolution's padding below 0", conv(&[("pads", &[-9, -9, i64::MIN, 0])]), "\"the Conv\""),
        hostile(
            "a stride of 2^27, transposed",
            transposed(&[("strides", &[big, big])]),
            "\"the ConvTranspose\"",
        ),
        hostile(
            "an output of 2^40, transposed",
            transposed(&[("output_shape", &[HUGE, HUGE])]),
            "\"the ConvTranspose\"",
        ),
        hostile("scales of 1e30", scaled(&[1.0, 1.0, 1e30, 1e30]), "\"the Resize\""),
        hostile("scales of NaN", scaled(&[1.0, 1.0, f32::NAN, 1.0]), "\"the Resize\""),
        hostile("sizes of 2^32", resized(&[1, 1, 1 << 32, 1 << 32]), "\"the Resize\""),
        hostile(
            "edges of 2^27",
            model(&[1, 1, big], &[edge], &[ints("n", &[0, 0, 9, 0, 0, 9])]),
            "\"the Pad\"",
        ),
        hostile(
            "a depth of 2^40",
            model(&[1, 4], &[node("OneHot", &["x", "d", "v"], "y")], &[int("d", HUGE), values.clone()]),
            "\"the OneHot\"",
        ),
        hostile(
            "a depth below 0",
            model(&[1, 4], &[node("OneHot", &["x", "d", "v"], "y")], &[int("d", i64::MIN), values]),
            "\"the OneHot\"",
        ),
        hostile(
            "the largest 2^40",
            model(&[1, 4], &[node("TopK", &["x", "k"], "y")], &[ints("k", &[HUGE])]),
            "\"the TopK\"",
        ),
        hostile(
            "a triangle of 2^28",
            model(&[1, 1 << 14, 1 << 14], &[node("Trilu", &["x"], "y")], &[]),
            "\"the Trilu\"",
        ),
        hostile(
            "running sums of 2^20",
            model(&[1, 1 << 20], &[node("CumSum", &["x", "a"], "y")], &[int("a", 1)]),
            "\"the CumSum\"",
        ),
        hostile(
            "the largest of 2^28 as 1",
            model(&[1, 1 << 28], &[with_int(node("Hardmax", &["x"], "y"), "axis", 1)], &[]),
            "\"the Hardmax\"",
        ),
        hostile(
            "a transform of 2^40",
            model(&[1, 4, 1], &[node("DFT", &["x", "n"], "y")], &[int("n", 1 << 32)]),
            "\"the DFT\"",
        ),
        hostile(
            "a grid of 2^62",
            model(
                &[1, 2, 3],
                &[node("AffineGrid", &["x", "n"], "y")],
                &[ints("n", &[1, 1, 1 << 31, 1 << 31])],
            ),
            "\"the AffineGrid\"",
        ),
        hostile(
            "a grid of 2^62 for volumes",
            model(
                &[1, 3, 4],
                &[node("AffineGrid", &["x", "n"], "y")],
                &[ints("n", &[1, 1, 1 << 32, 1 << 32, 1 << 32])],
            ),
            "\"the AffineGrid\"",
        ),
        hostile(
            "blocks of 2^40",
            model(&[1, 4, 2, 2], &[with_int(node("DepthToSpace", &["x"], "y"), "blocksize", HUGE)], &[]),
            "\"the DepthToSpace\"",
        ),
        hostile(
            "groups of 2^63",
            {
                let w = tensor("w", 1, &[1, 1, 2, 2], &[0; 16]);
                model(&[1, 1, 8, 8], &[with_int(node("Conv", &["x", "w"], "y"), "group", i64::MAX)], &[w])
            },
            "\"the Conv\"",
        ),
    ]
}

fn tensors() -> Vec<Hostile> {
    let hostile = |name, bytes, says| Hostile { name, bytes, says };
    let weight = |w: Vec<u8>| model(&[1, 4], &[node("MatMul", &["x", "w"], "y")], &[w]);
    let elsewhere = |entries: &[(&str, &str)]| {
        let one = |(key, value): &(&str, &str)| {
            field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat())
        };
        let entries = entries.iter().flat_map(one).collect();
        weight([number(1, 4), number(1, 4), number(2, 1), field(8, b"w"), entries, number(14, 1)].concat())
    };
    let sparse = {
        let values = floats("w", &[1.0]);
        let dims = [number(3, HUGE), number(3, HUGE)].concat();
        let sparse = [field(1, &values), field(2, &ints("", &[0])), dims].concat();
        let graph = [
            graph(&[node("MatMul", &["x", "w"], "y")], &[], &[value("x", &[1, 4])], &["y"]),
            field(15, &sparse),
        ]
        .concat();
        [number(1, 8), field(7, &graph), field(8, &number(2, 18))].concat()
    };
    let wide_sparse = {
        let sparse = [field(1, &floats("w", &[1.0])), field(2, &ints("", &[0])), number(3, 1 << 34)].concat();
        let graph = [
            graph(&[node("MatMul", &["x", "w"], "y")], &[], &[value("x", &[1, 4])], &["y"]),
            field(15, &sparse),
        ]
        .concat();
        [number(1, 8), field(7, &graph), field(8, &number(2, 18))].concat()
    };
    vec![
        hostile(
            "too few bytes",
            weight(tensor("w", 1, &[4, 4], &[0; 60])),
            "15 elements where [4, 4] needs 16",
        ),
        hostile(
            "too many bytes",
            weight(tensor("w", 1, &[4, 4], &[0; 68])),
            "17 elements where [4, 4] needs 16",
        ),
        hostile(
            "bytes between elements",
            weight(tensor("w", 1, &[4, 4], &[0; 63])),
            "elements where [4, 4] needs 16",
        ),
        hostile("2^33 numbers in 16 bytes", weight(tensor("w", 1, &[1 << 33], &[0; 16])), "4 elements where"),
        hostile("sizes below 0", weight(tensor("w", 1, &[-4, -4], &[0; 64])), "[-4, -4] is no shape"),
        hostile("sizes past 64 bits", weight(tensor("w", 1, &[HUGE, HUGE], &[0; 64])), "is no shape"),
        hostile("20 dimensions", weight(tensor("w", 1, &[1; 20], &[0; 4])), "is no shape"),
        hostile("sparse, 2^80 numbers", sparse, "is no shape"),
        hostile("sparse, 2^34 numbers", wide_sparse, "at most"),
        hostile(
            "a file outside",
            elsewhere(&[("location", "../../etc/passwd")]),
            "outside the model's folder",
        ),
        hostile("no file", elsewhere(&[("location", "none of this name")]), "none of this name"),
        hostile(
            "an offset that is not a number",
            elsewhere(&[("location", "."), ("offset", "-1")]),
            "is no file",
        ),
        hostile("half of a packed byte", weight(tensor("w", 22, &[3], &[0; 1])), "1 bytes where"),
    ]
}

/// Small nodes that each take a share of the memory; together they would take all.
fn many() -> Vec<Hostile> {
    let hostile = |name, bytes, says| Hostile { name, bytes, says };
    let chain = |n: usize, link: &dyn Fn(usize, &str, &str) -> Vec<u8>| -> Vec<Vec<u8>> {
        let name = |i: usize| match i {
            0 => "x".to_string(),
            i if i == n => "y".to_string(),
            i => format!("v{i}"),
        };
        (0..n).map(|i| link(i, &name(i), &name(i + 1))).collect()
    };
    let n_nodes = 60_000;
    let repeated = chain(2_000, &|i, from, to| match i % 2 {
        0 => node("Expand", &[from, "wide"], to),
        _ => with_int(node("ReduceMax", &[from, "one"], to), "keepdims", 1),
    });
    let constants: Vec<Vec<u8>> =
        (0..200).map(|i| node("ConstantOfShape", &["n"], &format!("c{i}"))).collect();
    let folded: Vec<Vec<u8>> = (0..200).map(|i| node("Sign", &["z"], &format!("c{i}"))).collect();
    let read: Vec<Vec<u8>> = (0..4_000).map(|i| node("MatMul", &["x", "w"], &format!("c{i}"))).collect();
    let depths: Vec<Vec<u8>> = (0..200).map(|i| node("OneHot", &["x", "d", "v"], &format!("c{i}"))).collect();
    let refused: Vec<Vec<u8>> = chain(n_nodes, &|i, _, to| node(&format!("Op{i}"), &["x"], to));
    vec![
        hostile(
            "2,000 nodes that repeat",
            model(&[1, 1], &repeated, &[ints("wide", &[1, 1 << 16]), ints("one", &[1])]),
            "the limit for a file of this size",
        ),
        hostile(
            "200 constants of 2^22",
            model(&[1, 4], &constants, &[ints("n", &[1 << 22])]),
            "the limit for a file of this size",
        ),
        hostile(
            "200 constants of 2^20",
            model(
                &[1, 4],
                &[vec![node("ConstantOfShape", &["n"], "z")], folded].concat(),
                &[ints("n", &[1 << 20])],
            ),
            "the limit for a file of this size",
        ),
        hostile(
            "4,000 copies of a weight",
            model(&[1, 256], &read, &[tensor("w", 1, &[256, 256], &vec![0; 4 << 16])]),
            "the limit for a file of this size",
        ),
        hostile(
            "200 depths",
            model(&[1, 1], &depths, &[int("d", 1 << 22), tensor("v", 1, &[2], &[0; 8])]),
            "the limit for a file of this size",
        ),
        hostile(
            "60,000 unknown operators",
            model(&[1, 4], &refused, &[]),
            "60000 of the model's nodes cannot be imported",
        ),
        hostile(
            "270,000 nodes",
            model(&[1, 4], &chain(270_000, &|_, from, to| node("Relu", &[from], to)), &[]),
            "operators",
        ),
    ]
}
