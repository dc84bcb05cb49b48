//! Masks and shared weights of the stages, for arrays of weights without a network around them.

use crate::error;
use kompakt_cluster::{CentroidInit, Method, NumberFormat};
use kompakt_graph::{Graph, Input, Node, Op, Padding, Pair};
use kompakt_model::Parameter;
use kompakt_prune::{Rule, Target};
use pyo3::{buffer::PyBuffer, exceptions::PyValueError, prelude::*, types::PyByteArray};

/// Weights: their shape, `[out, in]` or `[out, in, kh, kw]`, and the numbers.
type Layer = (Vec<usize>, PyBuffer<f32>);

/// Codebook, codes, mask: the bytes of arrays.
type Shared = (Py<PyByteArray>, Py<PyByteArray>, Option<Py<PyByteArray>>);

/// The masks of some layers, as `kompakt prune` sets them: true bytes are kept.
///
/// `densities` has one number for all layers together, spread by `rule`, or one per layer.
#[pyfunction]
pub(crate) fn masks(
    py: Python<'_>,
    layers: Vec<Layer>,
    densities: Vec<f64>,
    is_overall: bool,
    rule: &str,
) -> PyResult<Vec<Py<PyByteArray>>> {
    let target = match (is_overall, &densities[..]) {
        (true, [density]) => {
            let rule: Rule =
                rule.parse().map_err(|e| PyValueError::new_err(format!("rule {rule:?}: {e}")))?;
            Target::Overall { density: *density, rule }
        }
        _ => Target::Layers(densities),
    };
    let graph = graph(layers.iter().map(|(shape, _)| shape.as_slice()))?;
    target.check(&graph).map_err(error::of_input)?;
    let weights = layers.iter().map(|(_, buffer)| buffer.to_vec(py)).collect::<PyResult<Vec<Vec<f32>>>>()?;
    let masks = py.detach(|| {
        let views: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
        kompakt_prune::masks(&graph, &views, &target, kompakt_model::Block::SINGLE)
    });
    let bytes = |mask: Vec<bool>| {
        let mask: Vec<u8> = mask.into_iter().map(u8::from).collect();
        PyByteArray::new(py, &mask).unbind()
    };
    Ok(masks.into_iter().map(bytes).collect())
}

/// Codebook (float32), codes and mask of a layer, as `kompakt cluster` finds them.
#[pyfunction]
pub(crate) fn share(
    py: Python<'_>,
    layer: Layer,
    method: &str,
    n_levels: usize,
    codebook_format: &str,
    seed: u64,
) -> PyResult<Shared> {
    let method = match method {
        "linear" => Method::KMeans(CentroidInit::Linear),
        "density" => Method::KMeans(CentroidInit::Density),
        "forgy" => Method::KMeans(CentroidInit::Forgy),
        "exact" => Method::Exact,
        other => {
            let text = format!("method {other:?}: there are 'linear', 'density', 'forgy' and 'exact'");
            return Err(PyValueError::new_err(text));
        }
    };
    let format: NumberFormat = codebook_format.parse().map_err(error::of_input)?;
    let parameter = Parameter::dense(layer.0, layer.1.to_vec(py)?);
    parameter.check("weight").map_err(error::of_input)?;
    let shared = py.detach(|| kompakt_cluster::share("weight", &parameter, method, n_levels, format, seed));
    let (shared, _) = shared.map_err(error::of_input)?;
    let Parameter::Shared { codebook, codes, mask, .. } = shared else {
        return Err(PyValueError::new_err("weights that are not shared"));
    };
    let codebook: Vec<u8> = codebook.to_f32().iter().flat_map(|v| v.to_le_bytes()).collect();
    let mask = mask.map(|mask| mask.into_iter().map(u8::from).collect::<Vec<u8>>());
    let bytes = |bytes: &[u8]| PyByteArray::new(py, bytes).unbind();
    Ok((bytes(&codebook), bytes(&codes), mask.as_deref().map(bytes)))
}

/// A network of these layers, each with an input of its own.
fn graph<'s>(shapes: impl Iterator<Item = &'s [usize]>) -> PyResult<Graph> {
    let (mut inputs, mut nodes) = (Vec::new(), Vec::new());
    for (i, shape) in shapes.enumerate() {
        let (op, input) = match *shape {
            [rows, channels, h, w] => {
                let one = Pair::square(1);
                let op = Op::Conv2d {
                    out_channels: rows,
                    kernel: Pair { h, w },
                    stride: one,
                    padding: Padding::default(),
                    dilation: one,
                    groups: 1,
                    bias: false,
                };
                (op, vec![channels, h, w])
            }
            [rows, cols] => (Op::Linear { out_features: rows, bias: false }, vec![cols]),
            _ => {
                let text =
                    format!("weights of shape {shape:?}: (out, in) or (out, in, height, width) are needed");
                return Err(PyValueError::new_err(text));
            }
        };
        inputs.push(Input { name: format!("x{i}"), shape: input });
        nodes.push(Node { name: format!("layer{i}"), op, inputs: vec![i] });
    }
    let n = nodes.len();
    Graph::new(inputs, nodes, (n..2 * n).collect()).map_err(error::of_input)
}
