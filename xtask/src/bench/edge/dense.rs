//! The same network as dense loops, and the least memory that its values take.

use anyhow::Result;
use kompakt_format::Container;
use kompakt_graph::{Convolution, Op};
use std::fmt::Write;

const LOOPS: &str = include_str!("dense.c");

/// Code, header and bytes of weights; nothing for a network with preprocessing or other layers.
pub(super) fn source(container: &Container<'_>) -> Result<Option<(String, String, usize)>> {
    if container.pipeline().is_some() {
        return Ok(None);
    }
    let graph = container.graph();
    let (mut tables, mut calls, mut model) = (String::new(), String::new(), 0);
    for (i, (param, decoded)) in graph.params().iter().zip(container.decode()?).enumerate() {
        let values: Vec<String> = decoded.to_f32().iter().map(|v| format!("{v:?}f")).collect();
        let _ = writeln!(tables, "static const float w{i}[{}] = {{{}}};", param.len(), values.join(","));
        model += 4 * param.len();
    }
    let largest = (0..graph.nodes().len()).map(|i| graph.shape(graph.value_of(i)).iter().product::<usize>());
    let half = largest.max().unwrap_or(0);
    // Values alternate between both halves.
    let (mut from, mut to) = ("input".to_string(), "arena".to_string());
    for (i, node) in graph.nodes().iter().enumerate() {
        let (x, y) = (graph.shape(node.inputs[0]), graph.shape(graph.value_of(i)));
        let w = graph.params().iter().position(|param| param.node == i);
        let [w, b] = [0, 1].map(|k| w.map_or(0, |w| w + k));
        match &node.op {
            Op::Linear { out_features, .. } => {
                let _ = writeln!(calls, "    linear(w{w}, w{b}, {}, {out_features}, {from}, {to});", x[0]);
            }
            Op::Conv2d { .. } => {
                let Some(g) = Convolution::of(&node.op, x, y) else { return Ok(None) };
                let numbers = [
                    &g.input[..],
                    &g.output,
                    &[g.kernel.h, g.kernel.w, g.stride.h, g.stride.w, 1, 1],
                    &[g.padding.top, g.padding.left, g.groups],
                ]
                .concat();
                let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
                let _ = writeln!(tables, "static const int g{i}[15] = {{{}}};", numbers.join(","));
                let _ = writeln!(calls, "    convolution(w{w}, w{b}, g{i}, {from}, {to});");
            }
            Op::Relu => {
                let _ = writeln!(calls, "    relu({}, {from});", x.iter().product::<usize>());
                continue;
            }
            Op::MaxPool { kernel, .. } => {
                let _ = writeln!(
                    calls,
                    "    max_pool({}, {}, {}, {}, {from}, {to});",
                    x[0], x[1], x[2], kernel.h
                );
            }
            Op::GlobalAvgPool => {
                let _ = writeln!(calls, "    mean({}, {}, {from}, {to});", x[0], x[1] * x[2]);
            }
            Op::Flatten | Op::Dropout { .. } | Op::Identity => continue,
            _ => return Ok(None),
        }
        let other = if to == "arena" { format!("arena + {half}") } else { "arena".into() };
        from = std::mem::replace(&mut to, other);
    }
    let n_out: usize = graph.shape(graph.outputs()[0]).iter().product();
    let header = format!(
        "#ifndef NET_H\n#define NET_H\n#define NET_OUTPUT_LEN {n_out}\n#define NET_ARENA_LEN {}\n\
         void net_run(const float *input, float *output, float *arena);\n#endif\n",
        2 * half
    );
    let code = format!(
        "{LOOPS}\n{tables}\nvoid net_run(const float *input, float *output, float *arena) {{\n    use_all();\n{calls}    for (int i = 0; i < {n_out}; i++) {{\n        output[i] = ({from})[i];\n    }}\n}}\n"
    );
    Ok(Some((code, header, model)))
}

/// Bytes of the two values, of those that a layer reads and writes, that are the largest together; views are no values.
pub(super) fn largest_activations(container: &Container<'_>) -> usize {
    let graph = container.graph();
    let n = |value: usize| graph.shape(value).iter().product::<usize>();
    let both = |(i, node): (usize, &kompakt_graph::Node)| n(node.inputs[0]) + n(graph.value_of(i));
    let of_layers = graph.nodes().iter().enumerate().filter(|(_, node)| {
        matches!(node.op, Op::Linear { .. } | Op::Conv2d { .. } | Op::MaxPool { .. } | Op::GlobalAvgPool)
    });
    let layers = of_layers.map(both).max().unwrap_or(0);
    let shapes = container.pipeline().map(|p| {
        let lengths: Vec<usize> =
            std::iter::once(p.input_shape().len()).chain(p.shapes().map(|shape| shape.len())).collect();
        lengths.windows(2).map(|pair| pair[0] + pair[1]).max().unwrap_or(0)
    });
    4 * layers.max(shapes.unwrap_or(0))
}
