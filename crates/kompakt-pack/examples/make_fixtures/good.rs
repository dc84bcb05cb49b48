//! Small containers that must decode, each with what it holds as JSON beside it.

use kompakt_format::{Container, Tier, ValueRange};
use kompakt_graph::{
    BinaryFunction, Cell, Count, Graph, Op, Place, Reduction, Size, Sizes, Symbol, UnaryFunction, Update,
};
use kompakt_model::{Block, Model, Parameter, StageRecord, graph_from_json};
use kompakt_pack::{
    InMemory, Layout, Options, Packed, order_units,
    synthetic::{self, NumberChoice, Recipe},
    write, write_to,
};
use kompakt_testing::trellis;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

type Files = BTreeMap<String, Vec<u8>>;
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const TIERS: [Tier; 3] = [Tier::Smallest, Tier::Stream, Tier::Direct];

/// All files by name.
pub(crate) fn files() -> Result<Files> {
    let mut files = Files::new();
    worked_example(&mut files)?;
    perceptron(&mut files)?;
    convolutions(&mut files)?;
    dense(&mut files)?;
    every_operator(&mut files)?;
    all_operators(&mut files)?;
    functions(&mut files)?;
    recurrent(&mut files)?;
    open_sizes(&mut files)?;
    large_sections(&mut files)?;
    extremes(&mut files)?;
    ranges(&mut files)?;
    blocks(&mut files)?;
    trellises(&mut files)?;
    compact(&mut files)?;
    Ok(files)
}

/// Ranges of the values that layers read; one is read by two, and one is negative throughout.
fn ranges(files: &mut Files) -> Result<()> {
    let graph = graph(json!({
        "inputs": [{"name": "input", "shape": [3, 6, 6]}],
        "nodes": [
            {"op": "conv2d", "name": "left", "out_channels": 5, "kernel": 3, "padding": 1},
            {"op": "conv2d", "name": "right", "out_channels": 5, "kernel": 1, "inputs": ["input"]},
            {"op": "add", "name": "both", "inputs": ["left", "right"]},
            {"op": "relu", "name": "active"},
            {"op": "conv2d", "name": "deep", "out_channels": 8, "kernel": 3, "stride": 2},
            {"op": "flatten", "name": "flat"},
            {"op": "linear", "name": "head", "out_features": 4},
        ],
    }))?;
    let recipe = Recipe { density: 0.5, n_levels: 7, numbers: NumberChoice::Scaled, seed: 6 };
    let model = synthetic::model(graph, recipe)?;
    let found = [(0, 0.0, 1.0), (4, 0.0, 2.1), (6, -70_000.0, 0.0)];
    let ranges = found.map(|(value, low, high)| ValueRange { value, low, high }).to_vec();
    for tier in TIERS {
        let mut source = InMemory::new(model.clone())?;
        source.set_ranges(ranges.clone())?;
        add_source(files, &format!("ranges-{}", tier.name()), source, &Options::new(tier))?;
    }
    Ok(())
}

/// Masks of blocks: of 4 channels of a kernel's place, the last of 2; of 2 inputs; of 8 inputs, in a layer most of which is kept;
/// and in a section under quick models.
fn blocks(files: &mut Files) -> Result<()> {
    let graph = graph(json!({
        "inputs": [{"name": "input", "shape": [10, 6, 6]}],
        "nodes": [
            {"op": "conv2d", "name": "conv", "out_channels": 5, "kernel": 3, "padding": 1},
            {"op": "relu", "name": "active"},
            {"op": "max_pool", "name": "pool", "kernel": 2, "stride": 2},
            {"op": "flatten", "name": "flat"},
            {"op": "linear", "name": "hidden", "out_features": 24},
            {"op": "relu", "name": "rectified"},
            {"op": "linear", "name": "head", "out_features": 30},
        ],
    }))?;
    let recipe = Recipe { density: 0.4, n_levels: 6, numbers: NumberChoice::Scaled, seed: 11 };
    let mut model = synthetic::model(graph, recipe)?;
    for (name, n_inputs) in [("conv.weight", 4), ("hidden.weight", 2), ("head.weight", 8)] {
        let block = Block::of_inputs(n_inputs).ok_or("a block of that size")?;
        if let Some(Parameter::Shared { shape, codebook, codes, mask: Some(mask) }) =
            model.parameters.get_mut(name)
        {
            for members in block.members(shape) {
                let is_kept = members.clone().next().is_some_and(|i| mask[i]) != (n_inputs == 8);
                for i in members {
                    codes[i] = if is_kept { (i * 7 % codebook.len()) as u8 } else { 0 };
                    mask[i] = is_kept;
                }
            }
        }
    }
    for tier in TIERS {
        add(files, &format!("blocks-{}", tier.name()), &model, &Options::new(tier).minimal(), 2)?;
    }
    let layout = Layout { pool_elements: 0, own_from: 200, ..Layout::default() };
    let options = Options { layout, ..Options::new(Tier::Smallest).minimal() };
    add(files, "blocks-own-sections", &model, &options, 0)
}

/// Codes that follow the trellis: of a kernel, of a list, and in a section under quick models.
fn trellises(files: &mut Files) -> Result<()> {
    let graph = graph(json!({
        "inputs": [{"name": "input", "shape": [3, 6, 6]}],
        "nodes": [
            {"op": "conv2d", "name": "conv", "out_channels": 12, "kernel": 3, "padding": 1},
            {"op": "relu", "name": "active"},
            {"op": "global_avg_pool", "name": "pool"},
            {"op": "flatten", "name": "flat"},
            {"op": "linear", "name": "hidden", "out_features": 20},
            {"op": "relu", "name": "rectified"},
            {"op": "linear", "name": "head", "out_features": 9},
        ],
    }))?;
    let recipe = Recipe { density: 0.6, n_levels: 10, numbers: NumberChoice::Scaled, seed: 12 };
    let mut model = synthetic::model(graph, recipe)?;
    model.parameters.values_mut().for_each(follow_a_trellis);
    for tier in TIERS {
        add(files, &format!("trellises-{}", tier.name()), &model, &Options::new(tier).minimal(), 2)?;
    }
    let layout = Layout { pool_elements: 0, own_from: 200, ..Layout::default() };
    let options = Options { layout, ..Options::new(Tier::Smallest).minimal() };
    add(files, "trellises-own-sections", &model, &options, 0)
}

fn follow_a_trellis(parameter: &mut Parameter) {
    let Parameter::Shared { shape, codebook, codes, mask } = parameter else { return };
    let n_negative = codebook.to_f32().iter().filter(|v| **v < 0.0).count();
    trellis::follow(codes, mask.as_deref(), shape[1..].iter().product(), codebook.len(), n_negative);
}

/// The example of the specification: as small as a network can be.
fn worked_example(files: &mut Files) -> Result<()> {
    let graph = graph(json!({
        "inputs": [{"name": "input", "shape": [4]}],
        "nodes": [
            {"op": "linear", "out_features": 3},
            {"op": "relu"},
            {"op": "linear", "out_features": 2, "bias": false},
        ],
    }))?;
    let recipe = Recipe { density: 0.5, n_levels: 2, numbers: NumberChoice::Scaled, seed: 4 };
    let model = synthetic::model(graph, recipe)?;
    add(files, "worked-example", &model, &Options::new(Tier::Smallest).minimal(), 0)
}

/// Everything ancillary, preprocessing, several tiles.
fn perceptron(files: &mut Files) -> Result<()> {
    let graph = graph(json!({
        "inputs": [{"name": "image", "shape": [1, 8, 8]}],
        "nodes": [
            {"op": "flatten", "name": "flat"},
            {"op": "linear", "out_features": 20, "name": "hidden"},
            {"op": "dropout", "p": 0.5, "name": "drop"},
            {"op": "relu", "name": "active"},
            {"op": "linear", "out_features": 10, "name": "head"},
        ],
    }))?;
    let recipe = Recipe { density: 0.15, n_levels: 8, numbers: NumberChoice::Scaled, seed: 1 };
    let mut model = synthetic::model(graph, recipe)?;
    model.preprocessing = Some(json!({
        "input": [1, 12, 12],
        "steps": [
            {"step": "deskew", "max_shear": 0.75},
            {"step": "resize", "height": 8, "width": 8, "filter": "area"},
            {"step": "normalize", "mean": [0.1307], "std": [0.3081]},
            {"step": "invert"},
        ],
    }));
    model.labels = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
        .map(String::from)
        .to_vec();
    model.dense_parameters = 4000;
    let record = StageRecord::new("kompakt-train", "0.1.0").option("net", "mlp").option("epochs", 20);
    let record = record.measure("validation_error", 0.0175).measure("train_loss", 0.02);
    model.provenance = vec![record.clone(), StageRecord { program: "kompakt-prune".into(), ..record }];
    order_units(&mut model);
    for tier in TIERS {
        let layout = Layout { tile_rows: Some(8), ..Layout::default() };
        add(
            files,
            &format!("perceptron-{}", tier.name()),
            &model,
            &Options { layout, ..Options::new(tier) },
            2,
        )?;
    }
    Ok(())
}

/// A residual network with batch norm and half-precision numbers.
fn convolutions(files: &mut Files) -> Result<()> {
    let graph = graph(json!({
        "inputs": [{"name": "input", "shape": [2, 8, 8]}],
        "nodes": [
            {"op": "conv2d", "name": "conv1", "out_channels": 6, "kernel": 3, "padding": 1, "bias": false},
            {"op": "batch_norm", "name": "bn1"},
            {"op": "relu", "name": "relu1"},
            {"op": "conv2d", "name": "conv2", "out_channels": 6, "kernel": [3, 1], "padding": [1, 0], "groups": 2},
            {"op": "add", "name": "add1", "inputs": ["conv2", "relu1"]},
            {"op": "max_pool", "name": "pool1", "kernel": 2, "stride": 2},
            {"op": "conv2d", "name": "conv3", "out_channels": 12, "kernel": 3, "stride": 2, "padding": [1, 1, 0, 0]},
            {"op": "scale_bias", "name": "scale1"},
            {"op": "global_avg_pool", "name": "pool2"},
            {"op": "flatten", "name": "flatten1"},
            {"op": "linear", "name": "fc1", "out_features": 4},
            {"op": "softmax", "name": "softmax1"},
        ],
        "outputs": ["fc1", "softmax1"],
    }))?;
    let recipe = Recipe { density: 0.3, n_levels: 5, numbers: NumberChoice::F16, seed: 2 };
    let model = synthetic::model(graph, recipe)?;
    for tier in TIERS {
        add(files, &format!("convolutions-{}", tier.name()), &model, &Options::new(tier).minimal(), 0)?;
    }
    Ok(())
}

/// Version 2: the worked example, half-precision codebooks in a network of many attributes, preprocessing, and no codebooks.
fn compact(files: &mut Files) -> Result<()> {
    for name in [
        "worked-example",
        "convolutions-smallest",
        "perceptron-smallest",
        "dense-smallest",
        "long-scaled-codebook",
        "blocks-smallest",
    ] {
        let bytes = files[&format!("{name}.kompakt")].clone();
        let container = Container::parse(&bytes)?;
        let options = Options::new(Tier::Smallest).compact();
        let mut packed = Vec::new();
        write_to(&mut Packed::new(&container)?, &options, &mut packed, &|_, _| {})?;
        let expected = format!("{:#}\n", describe(&Container::parse(&packed)?)?);
        files.insert(format!("compact-{name}.kompakt"), packed);
        files.insert(format!("compact-{name}.json"), expected.into_bytes());
    }
    Ok(())
}

/// No codebooks: pruned weights and integers, in the pool and raw.
fn dense(files: &mut Files) -> Result<()> {
    let graph = graph(json!({
        "inputs": [{"name": "input", "shape": [12]}],
        "nodes": [{"op": "linear", "out_features": 7}, {"op": "tanh"}, {"op": "linear", "out_features": 3}],
    }))?;
    let recipe = Recipe { density: 0.4, n_levels: 0, numbers: NumberChoice::F32, seed: 3 };
    let mut model = synthetic::model(graph.clone(), recipe)?;
    // The second layer is not pruned, and its values are integers.
    let whole = synthetic::model(graph, Recipe { density: 1.0, numbers: NumberChoice::Scaled, ..recipe })?;
    model.parameters.insert("fc2.weight".into(), whole.parameters["fc2.weight"].clone());
    for tier in TIERS {
        add(files, &format!("dense-{}", tier.name()), &model, &Options::new(tier).minimal(), 0)?;
    }
    let layout = Layout { raw_from: 10, ..Layout::default() };
    let options = Options { layout, ..Options::new(Tier::Smallest) };
    add(files, "dense-raw-sections", &model, &options, 0)?;
    let graph = Graph::chain(&[50], vec![Op::Linear { out_features: 41, bias: true }])?;
    let model = synthetic::model(graph.clone(), Recipe { density: 0.5, ..recipe })?;
    add(files, "dense-packed-section", &model, &Options { layout, ..Options::new(Tier::Direct) }, 0)?;
    // A codebook of that many levels is coded by its gaps: integers here.
    let long = Recipe { density: 0.6, n_levels: 120, numbers: NumberChoice::Scaled, seed: 5 };
    add(
        files,
        "long-scaled-codebook",
        &synthetic::model(graph, long)?,
        &Options::new(Tier::Smallest).minimal(),
        0,
    )?;
    // More than a block of a packed section, and part of a second.
    let graph = Graph::chain(&[1200], vec![Op::Linear { out_features: 1000, bias: false }])?;
    let values =
        (0..1_200_000_u32).map(|i| [0.5, -0.25, 1.0][(i / 7 % 3) as usize] + (i / 500_000) as f32).collect();
    let mut model = synthetic::model(graph, Recipe { density: 1.0, ..recipe })?;
    model.parameters.insert("fc1.weight".into(), Parameter::dense(vec![1000, 1200], values));
    add(files, "two-blocks", &model, &Options::new(Tier::Stream).minimal(), 0)
}

/// The first seventeen operators, two inputs, every kind of attribute.
fn every_operator(files: &mut Files) -> Result<()> {
    let graph = graph(json!({
        "inputs": [{"name": "left", "shape": [2, 9, 7]}, {"name": "right", "shape": [4, 5]}],
        "nodes": [
            {"op": "conv2d", "out_channels": 4, "kernel": [2, 3], "stride": [2, 1], "padding": [1, 0, 0, 2],
             "dilation": [1, 2], "groups": 2, "bias": false, "inputs": ["left"], "name": "a"},
            {"op": "batch_norm", "eps": 0.001, "name": "b"},
            {"op": "scale_bias", "name": "c"},
            {"op": "max_pool", "kernel": 2, "stride": 1, "padding": 1, "ceil_mode": true, "name": "d"},
            {"op": "avg_pool", "kernel": [3, 2], "stride": 2, "ceil_mode": true, "count_include_pad": false, "name": "e"},
            {"op": "relu", "name": "f"},
            {"op": "sigmoid", "name": "g"},
            {"op": "tanh", "name": "h"},
            {"op": "global_avg_pool", "name": "i"},
            {"op": "flatten", "name": "j"},
            {"op": "slice", "start": [1, 0], "end": [4, 5], "step": [2, 1], "inputs": ["right"], "name": "k"},
            {"op": "pad", "before": [0, 1], "after": [1, 0], "name": "l"},
            {"op": "reshape", "shape": [9, 2], "name": "m"},
            {"op": "flatten", "name": "n"},
            {"op": "concat", "inputs": ["n", "j"], "name": "o"},
            {"op": "linear", "out_features": 4, "bias": false, "name": "p"},
            {"op": "add", "inputs": ["p", "j"], "name": "q"},
            {"op": "softmax", "name": "r"},
        ],
    }))?;
    let recipe = Recipe { density: 0.6, n_levels: 3, numbers: NumberChoice::F32, seed: 5 };
    let model = synthetic::model(graph, recipe)?;
    add(files, "every-operator", &model, &Options::new(Tier::Smallest), 0)
}

/// Every operator of version 1 in one network of one input, intermediate values among its outputs, with the
/// expected outputs, in each tier.
fn all_operators(files: &mut Files) -> Result<()> {
    let graph = graph(json!({
        "inputs": [{"name": "input", "shape": [4, 9, 8]}],
        "nodes": [
            {"op": "conv2d", "out_channels": 6, "kernel": [2, 3], "padding": [1, 0, 0, 2], "dilation": [1, 2],
             "groups": 2, "bias": false, "name": "conv"},
            {"op": "batch_norm", "eps": 0.001, "name": "norm"},
            {"op": "scale", "offset": -1.5, "name": "moved"},
            {"op": "leaky_relu", "slope": 0.125, "name": "leaky"},
            {"op": "prelu", "name": "prelu"},
            {"op": "scale_bias", "name": "affine"},
            {"op": "max_pool", "kernel": 2, "stride": 1, "padding": 1, "ceil_mode": true, "name": "max"},
            {"op": "avg_pool", "kernel": [3, 2], "stride": 2, "ceil_mode": true, "count_include_pad": false,
             "name": "mean"},
            {"op": "local_response_norm", "size": 3, "alpha": 0.25, "beta": 0.75, "bias": 1.0, "name": "lrn"},
            {"op": "hard_swish", "name": "swish"},
            {"op": "sigmoid", "name": "gate"},
            {"op": "mul", "inputs": ["swish", "gate"], "name": "gated"},
            {"op": "silu", "name": "silu"},
            {"op": "sub", "inputs": ["lrn", "silu"], "name": "difference"},
            {"op": "div", "inputs": ["difference", "gate"], "name": "quotient"},
            {"op": "clip", "low": -2.0, "name": "clipped"},
            {"op": "hard_sigmoid", "slope": 0.0625, "offset": 0.5, "name": "ramp"},
            {"op": "concat", "inputs": ["clipped", "ramp"], "name": "both"},
            {"op": "spread", "step": [2, 1], "name": "spread"},
            {"op": "transpose", "axes": [0, 2, 1], "name": "turned"},
            {"op": "gather", "axis": 2, "indices": [0, 2, 2, 5, 8], "name": "picked"},
            {"op": "resize", "size": [6, 3], "step": [0.625, 1.75], "offset": [0.125, -0.25], "name": "resized"},
            {"op": "slice", "start": [1, 0, 0], "end": [12, 6, 3], "step": [2, 1, 1], "name": "part"},
            {"op": "pad", "before": [0, 1, 0], "after": [0, 0, 1], "name": "padded"},
            {"op": "tanh", "name": "tanh"},
            {"op": "global_avg_pool", "name": "squeezed"},
            {"op": "mul", "inputs": ["tanh", "squeezed"], "name": "excited"},
            {"op": "add", "inputs": ["excited", "tanh"], "name": "sum"},
            {"op": "conv2d", "out_channels": 6, "kernel": 3, "stride": [2, 1], "groups": 6, "name": "depthwise"},
            {"op": "relu", "name": "relu"},
            {"op": "reshape", "shape": [9, 4], "name": "reshaped"},
            {"op": "flatten", "name": "flat"},
            {"op": "linear", "out_features": 12, "name": "hidden"},
            {"op": "scale", "factor": 4.0, "name": "stretched"},
            {"op": "softmax", "name": "softmax"},
            {"op": "linear", "out_features": 5, "bias": false, "name": "classes"},
            {"op": "scale", "factor": 4.0, "name": "spread_out"},
            {"op": "log_softmax", "name": "log"},
        ],
        "outputs": ["log", "both", "resized", "sum", "hidden"],
    }))?;
    let recipe = Recipe { density: 0.6, n_levels: 6, numbers: NumberChoice::F32, seed: 8 };
    let model = synthetic::model(graph, recipe)?;
    for tier in TIERS {
        add(files, &format!("all-operators-{}", tier.name()), &model, &Options::new(tier), 2)?;
    }
    Ok(())
}

/// The operators with functions, all their functions, and those that choose, look up and multiply values; in each tier.
fn functions(files: &mut Files) -> Result<()> {
    let mut nodes = vec![
        json!({"op": "sigmoid", "name": "share", "inputs": ["input"]}),
        json!({"op": "scale", "factor": 6.0, "offset": -3.0, "name": "wide"}),
        json!({"op": "scale", "offset": 1.0, "name": "above", "inputs": ["share"]}),
    ];
    // One node per function; then all of them side by side.
    let mut outputs = vec!["unary", "binary", "reduce", "scatter"];
    let mut all = [vec![], vec![], vec![], vec![]];
    for &function in UnaryFunction::ALL {
        let input = match function {
            UnaryFunction::Acosh => "above",
            UnaryFunction::Abs
            | UnaryFunction::Sign
            | UnaryFunction::Floor
            | UnaryFunction::Ceil
            | UnaryFunction::Round
            | UnaryFunction::Truncate
            | UnaryFunction::Gelu
            | UnaryFunction::Erf => "wide",
            _ => "share",
        };
        nodes.push(json!({"op": "unary", "function": function, "inputs": [input]}));
        all[0].push(format!("unary{}", all[0].len() + 1));
    }
    for &function in BinaryFunction::ALL {
        let inputs = if function == BinaryFunction::Pow { ["share", "wide"] } else { ["wide", "share"] };
        nodes.push(json!({"op": "binary", "function": function, "inputs": inputs}));
        all[1].push(format!("binary{}", all[1].len() + 1));
    }
    for &function in Reduction::ALL {
        nodes.push(json!({"op": "reduce", "function": function, "axes": [0, 2], "inputs": ["above"]}));
        all[2].push(format!("reduce{}", all[2].len() + 1));
    }
    nodes.extend([
        json!({"op": "constant", "shape": [4], "inputs": ["input"], "name": "four"}),
        json!({"op": "scale", "factor": 3.0, "name": "rows"}),
        json!({"op": "constant", "shape": [4, 20], "inputs": ["input"], "name": "updates"}),
        json!({"op": "reshape", "shape": [3, 20], "inputs": ["wide"], "name": "table"}),
    ]);
    for &update in Update::ALL {
        nodes.push(json!({"op": "scatter", "update": update, "inputs": ["table", "rows", "updates"]}));
        all[3].push(format!("scatter{}", all[3].len() + 1));
    }
    for (name, parts) in outputs.iter().zip(all) {
        nodes.push(json!({"op": "concat", "inputs": parts, "name": name}));
    }
    nodes.extend([
        json!({"op": "constant", "shape": [3, 1, 5], "inputs": ["wide"], "name": "repeated"}),
        json!({"op": "select", "inputs": ["binary7", "wide", "repeated"], "name": "select"}),
        json!({"op": "transpose", "axes": [0, 2, 1], "inputs": ["wide"], "name": "turned"}),
        json!({"op": "mat_mul", "inputs": ["wide", "turned"], "name": "product"}),
        json!({"op": "take", "axis": 1, "inputs": ["select", "rows"], "name": "taken"}),
        json!({"op": "scale", "factor": 12.0, "offset": -2.0, "inputs": ["share"], "name": "indices"}),
        json!({"op": "embedding", "rows": 9, "features": 7, "name": "embedding"}),
        json!({"op": "top_k", "axis": 1, "k": 2, "inputs": ["wide"], "name": "largest"}),
        json!({"op": "top_k", "axis": 2, "k": 3, "largest": false, "indices": true, "inputs": ["wide"], "name": "least"}),
    ]);
    outputs.extend(["select", "product", "taken", "embedding", "largest", "least"]);
    let graph = graph(json!({
        "inputs": [{"name": "input", "shape": [3, 4, 5]}],
        "nodes": nodes,
        "outputs": outputs,
    }))?;
    let recipe = Recipe { density: 0.6, n_levels: 5, numbers: NumberChoice::F32, seed: 9 };
    let model = synthetic::model(graph, recipe)?;
    for tier in TIERS {
        add(files, &format!("functions-{}", tier.name()), &model, &Options::new(tier), 2)?;
    }
    Ok(())
}

/// Every recurrent cell, in both directions; in each tier.
fn recurrent(files: &mut Files) -> Result<()> {
    let mut nodes = vec![json!({"op": "constant", "shape": [2, 5], "inputs": ["input"], "name": "state"})];
    let mut outputs = Vec::new();
    for (i, &cell) in Cell::ALL.iter().enumerate() {
        let width = 5 * cell.n_gates();
        let (part, name) = (format!("part{i}"), format!("cell{i}"));
        let bounds = json!({"start": [0, 0, 0], "end": [4, 2, width], "step": [1, 1, 1]});
        nodes.push(
            json!({"op": "slice", "start": bounds["start"], "end": bounds["end"], "step": bounds["step"],
            "inputs": ["input"], "name": part}),
        );
        nodes.push(json!({"op": "recurrent", "cell": cell, "hidden": 5, "reverse": i % 2 == 1,
            "inputs": [part, "state", "state"], "name": name}));
        outputs.push(name);
    }
    let graph = graph(json!({
        "inputs": [{"name": "input", "shape": [4, 2, 20]}],
        "nodes": nodes,
        "outputs": outputs,
    }))?;
    let recipe = Recipe { density: 0.7, n_levels: 6, numbers: NumberChoice::F32, seed: 10 };
    let model = synthetic::model(graph, recipe)?;
    for tier in TIERS {
        add(files, &format!("recurrent-{}", tier.name()), &model, &Options::new(tier), 2)?;
    }
    Ok(())
}

/// A text of any length beside a picture of any even height: every form of a place; in each tier.
fn open_sizes(files: &mut Files) -> Result<()> {
    let sum = |value: &str, number: usize, offset: i64, terms: Value| json!({"value": value, "number": number, "offset": offset, "terms": terms});
    let seq = |factor: i64| json!([{"factor": factor, "symbol": "seq"}]);
    let graph = graph(json!({
        "inputs": [{"name": "text", "shape": [6]}],
        "nodes": [
            {"op": "embedding", "rows": 10, "features": 8, "name": "words"},
            {"op": "constant", "shape": [16, 8], "inputs": ["text"], "name": "places"},
            {"op": "slice", "start": [0, 0], "end": [6, 8], "step": [1, 1], "name": "used"},
            {"op": "add", "inputs": ["words", "used"], "name": "placed"},
            {"op": "reshape", "shape": [6, 2, 4], "name": "heads"},
            {"op": "transpose", "axes": [1, 0, 2], "name": "turned"},
            {"op": "conv2d", "out_channels": 3, "kernel": [3, 1], "stride": [2, 1], "padding": [1, 0, 1, 0],
             "name": "strided"},
            {"op": "reshape", "shape": [3, 12], "name": "rows"},
            {"op": "reshape", "shape": [3, 3, 4], "name": "again"},
            {"op": "slice", "start": [0, 1, 0], "end": [3, 3, 4], "step": [1, 1, 1], "name": "later"},
            {"op": "pad", "before": [0, 0, 0], "after": [0, 5, 0], "name": "padded"},
            {"op": "reduce", "function": "mean", "axes": [1, 2], "name": "mean"},
            {"op": "flatten", "name": "flat"},
        ],
        "outputs": ["flat", "padded"],
        "sizes": {
            "symbols": [{"name": "seq", "stored": 6, "least": 4, "most": 16, "step": 2}],
            "places": [
                sum("text", 0, 0, seq(1)),
                sum("used", 2, 0, json!([{"factor": 1, "value": "words", "axis": 0}])),
                sum("heads", 0, 0, seq(1)),
                {"value": "rows", "number": 1},
                sum("again", 1, 0, json!([{"factor": 1, "value": "strided", "axis": 1}])),
                sum("later", 4, 0, json!([{"factor": 1, "value": "again", "axis": 1}])),
                sum("padded", 4, 2, json!([{"factor": 1, "symbol": "seq"}, {"factor": -1, "value": "strided", "axis": 1}])),
            ],
        },
    }))?;
    let recipe = Recipe { density: 0.8, n_levels: 6, numbers: NumberChoice::F32, seed: 11 };
    let model = synthetic::model(graph, recipe)?;
    for tier in TIERS {
        add(files, &format!("open-sizes-{}", tier.name()), &model, &Options::new(tier), 2)?;
    }
    Ok(())
}

/// Tensors with sections of their own: aligned tiles, adaptive streams.
fn large_sections(files: &mut Files) -> Result<()> {
    let graph = graph(json!({
        "inputs": [{"name": "input", "shape": [150]}],
        "nodes": [
            {"op": "linear", "out_features": 120},
            {"op": "relu"},
            {"op": "linear", "out_features": 100},
        ],
    }))?;
    let recipe = Recipe { density: 0.25, n_levels: 16, numbers: NumberChoice::F32, seed: 6 };
    let model = synthetic::model(graph, recipe)?;
    let layout = Layout { tile_rows: Some(50), ..Layout::default() };
    add(files, "aligned-direct", &model, &Options { layout, ..Options::new(Tier::Direct) }, 0)?;
    add(files, "aligned-stream", &model, &Options { layout, ..Options::new(Tier::Stream) }, 0)?;
    let layout = Layout { pool_elements: 0, own_from: 1000, ..Layout::default() };
    add(files, "own-sections", &model, &Options { layout, ..Options::new(Tier::Smallest) }, 0)
}

/// One level, 256 levels, nothing kept, everything kept.
fn extremes(files: &mut Files) -> Result<()> {
    let graph = graph(json!({
        "inputs": [{"name": "input", "shape": [30]}],
        "nodes": [
            {"op": "linear", "out_features": 20},
            {"op": "linear", "out_features": 20},
            {"op": "linear", "out_features": 20},
            {"op": "linear", "out_features": 20},
        ],
    }))?;
    let recipe = Recipe { density: 0.1, n_levels: 1, numbers: NumberChoice::F32, seed: 7 };
    let mut model = synthetic::model(graph.clone(), recipe)?;
    let all_levels = synthetic::model(graph.clone(), Recipe { density: 0.9, n_levels: 256, ..recipe })?;
    let whole = synthetic::model(graph, Recipe { density: 1.0, n_levels: 4, ..recipe })?;
    model.parameters.insert("fc2.weight".into(), all_levels.parameters["fc2.weight"].clone());
    model.parameters.insert("fc3.weight".into(), whole.parameters["fc3.weight"].clone());
    if let Some(Parameter::Shared { codes, mask: Some(mask), .. }) = model.parameters.get_mut("fc4.weight") {
        codes.fill(0);
        mask.fill(false);
    }
    for tier in TIERS {
        add(files, &format!("extremes-{}", tier.name()), &model, &Options::new(tier).minimal(), 0)?;
    }
    Ok(())
}

fn graph(json: Value) -> Result<Graph> {
    Ok(graph_from_json(&json)?)
}

fn add(files: &mut Files, name: &str, model: &Model, options: &Options, n_self_tests: usize) -> Result<()> {
    let mut source = InMemory::new(model.clone())?;
    if n_self_tests > 0 {
        source.add_self_tests(n_self_tests)?;
    }
    add_source(files, name, source, options)
}

fn add_source(files: &mut Files, name: &str, mut source: InMemory, options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("file");
    write(&mut source, options, &path, &|_, _| {})?;
    let bytes = std::fs::read(&path)?;
    let expected = format!("{:#}\n", describe(&Container::parse(&bytes)?)?);
    files.insert(format!("{name}.kompakt"), bytes);
    files.insert(format!("{name}.json"), expected.into_bytes());
    Ok(())
}

/// The content of a file, in a form that every reader can produce.
pub(crate) fn describe(container: &Container<'_>) -> Result<Value> {
    let graph = container.graph();
    let mut tensors = Vec::new();
    for (param, decoded) in graph.params().iter().zip(container.decode()?) {
        let mut hash = Sha256::new();
        decoded.to_f32().iter().for_each(|v| hash.update(v.to_le_bytes()));
        tensors.push(json!({
            "name": param.name,
            "shape": param.shape,
            "levels": decoded.shared().map_or(0, |(codebook, _)| codebook.len()),
            "kept": decoded.n_kept(),
            "sha256": hex(&hash.finalize()),
        }));
    }
    let names = graph.inputs().iter().map(|i| &i.name).chain(graph.nodes().iter().map(|n| &n.name));
    let tests = container.self_tests()?;
    let mut described = json!({
        "tier": container.tier().name(),
        "content_hash": hex(&container.content_hash()),
        "inputs": graph.inputs().iter().map(|i| &i.shape).collect::<Vec<_>>(),
        "nodes": graph.nodes().iter().map(|n| n.op.name()).collect::<Vec<_>>(),
        "outputs": graph.outputs(),
        "names": names.collect::<Vec<_>>(),
        "steps": container.pipeline().map_or(vec![], |p| p.steps().iter().map(|s| s.name()).collect()),
        "dense_parameters": container.dense_parameters(),
        "measured": container.measured().iter().cloned().collect::<BTreeMap<_, _>>(),
        "labels": container.labels()?,
        "provenance": container.provenance()?,
        "self_tests": tests.iter().map(|t| json!({"seed": t.seed, "expected": t.expected})).collect::<Vec<_>>(),
        "tensors": tensors,
    });
    let ranges = container.ranges()?;
    if !ranges.is_empty() {
        let one =
            |r: &ValueRange| json!({"value": r.value, "low": f64::from(r.low), "high": f64::from(r.high)});
        described["ranges"] = ranges.iter().map(one).collect();
    }
    if let Some(sizes) = graph.sizes() {
        described["sizes"] = describe_sizes(graph, sizes)?;
    }
    Ok(described)
}

/// Symbols, places, and the shapes of all values at the greatest sizes.
fn describe_sizes(graph: &Graph, sizes: &Sizes) -> Result<Value> {
    let most: Vec<usize> = sizes.symbols.iter().map(|symbol| symbol.most).collect();
    let greatest = graph.at_sizes(&most)?;
    let n_values = graph.inputs().len() + graph.nodes().len();
    let place = |place: &Place| {
        let mut numbers = vec![json!(place.value), json!(place.number)];
        if let Size::Sum { offset, terms } = &place.size {
            numbers.push(json!(offset));
            numbers.extend(terms.iter().map(|(factor, count)| match count {
                Count::Symbol(symbol) => json!([factor, symbol]),
                Count::Dimension { value, axis } => json!([factor, value, axis]),
            }));
        }
        numbers
    };
    let symbol = |s: &Symbol| json!([s.name, s.stored, s.least, s.most, s.step]);
    Ok(json!({
        "symbols": sizes.symbols.iter().map(symbol).collect::<Vec<_>>(),
        "places": sizes.places.iter().map(place).collect::<Vec<_>>(),
        "greatest": (0..n_values).map(|value| greatest.shape(value)).collect::<Vec<_>>(),
    }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
