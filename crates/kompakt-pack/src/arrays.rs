//! Arrays of any element type as a container, losslessly: the coders of the format as a library of their own.
//!
//! ```text
//! few values, all f32      ──► a codebook of them, one code per element          (values)
//! few values               ──► codes, and the values in the history              (indices)
//! finite f32 or f16        ──► values as they are                                (numbers)
//! anything else            ──► one parameter per byte of the element             (bytes)
//! ```
//!
//! Each array is the weight of a layer of its own, in a network that is never run; what the format has no
//! field for (names, types, shapes) is in the history. So any reader can open and check the file.

mod element;
mod form;

use crate::{
    content::InMemory,
    error::PackError,
    unpack::unpack,
    write::{Options, write_to},
};
use element::Element;
use form::Form;
use kompakt_format::{Container, Tier};
use kompakt_graph::{Graph, Input, Node, Op, Padding, Pair};
use kompakt_model::{Model, Parameter, StageRecord};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What the history calls the program.
const PROGRAM: &str = "kompakt-arrays";
/// Kernels up to this size are passed to the coders as such.
const MOST_TAPS: usize = 1024;

/// An array with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Any text; unique among the arrays of a file.
    pub name: String,
    /// Type and bytes of an element as NumPy writes them: `b1`, `i1` to `i8`, `u1` to `u8`, `f2` to `f8`,
    /// `c8`, `c16`.
    pub element: String,
    /// Any number of dimensions.
    pub shape: Vec<usize>,
    /// The elements, row-major, little-endian.
    pub bytes: Vec<u8>,
}

/// Writes arrays as the bytes of a file.
///
/// Errors: an unknown element type, bytes that do not fill the shape, a dimension beyond what the format
/// holds.
pub fn encode(arrays: &[Array], tier: Tier) -> Result<Vec<u8>, PackError> {
    let (mut layers, mut about) = (Vec::new(), Vec::new());
    for array in arrays {
        let element = Element::parse(&array.name, &array.element)?;
        let n = n_elements(&array.name, &array.shape)?;
        if n.checked_mul(element.size()) != Some(array.bytes.len()) {
            let problem = format!("{} bytes do not fill the shape {:?}", array.bytes.len(), array.shape);
            return Err(PackError::unsupported(&array.name, problem));
        }
        let (form, parameters) = Form::of(element, &array.bytes, &matrix(&array.shape));
        about.push(json!({
            "name": array.name, "element": array.element, "shape": array.shape, "form": form.name(),
            "parameters": parameters.len(), "table": form.table(),
        }));
        layers.extend(parameters);
    }
    if layers.is_empty() {
        // A network has at least one layer.
        layers.push(Parameter::dense(vec![1, 1], vec![0.0]));
    }
    let mut model = model(layers)?;
    let record = StageRecord::new(PROGRAM, env!("CARGO_PKG_VERSION")).option("arrays", Value::Array(about));
    model.record(record, None);
    let mut bytes = Vec::new();
    write_to(&mut InMemory::new(model)?, &Options::new(tier), &mut bytes, &|_, _| ())?;
    Ok(bytes)
}

/// Reads them back.
///
/// Errors: bytes that are not a valid container, or one that holds no arrays.
pub fn decode(bytes: &[u8]) -> Result<Vec<Array>, PackError> {
    let container = Container::parse(bytes)?;
    container.verify()?;
    let model = unpack(&container, false, &|_, _| ())?;
    let wrong = |problem: &str| PackError::unsupported("arrays", problem);
    let record = model.provenance.iter().find(|record| record.program == PROGRAM);
    let text = record.and_then(|record| record.options.get("arrays"));
    let text = text.ok_or_else(|| wrong("the file holds a network; open it with `kompakt.open`"))?;
    let about: Vec<Value> =
        serde_json::from_str(text).map_err(|e| wrong(&format!("their description is no JSON: {e}")))?;
    let mut parameters = model.in_order().map(|(_, parameter)| parameter);
    about
        .iter()
        .map(|about| {
            let text = |key: &str| about[key].as_str().map(str::to_string);
            let (Some(name), Some(element)) = (text("name"), text("element")) else {
                return Err(wrong("one has no name or no type"));
            };
            let broken = |problem: &str| PackError::unsupported(&name, problem);
            let shape: Option<Vec<usize>> = about["shape"].as_array().and_then(|dims| {
                dims.iter().map(|d| d.as_u64().and_then(|d| usize::try_from(d).ok())).collect()
            });
            let shape = shape.ok_or_else(|| broken("its shape is none"))?;
            let n = n_elements(&name, &shape)?;
            let kind = Element::parse(&name, &element)?;
            let form = Form::parse(&about["form"], &about["table"], kind)
                .ok_or_else(|| broken("it is stored in a form that this reader does not know"))?;
            let own: Vec<&Parameter> =
                (0..form.n_parameters(n, kind)).map_while(|_| parameters.next()).collect();
            let bytes =
                form.bytes(kind, n, &own).ok_or_else(|| broken("its parameters do not fit its shape"))?;
            Ok(Array { name, element, shape, bytes })
        })
        .collect()
}

fn n_elements(name: &str, shape: &[usize]) -> Result<usize, PackError> {
    let n = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    n.ok_or_else(|| PackError::unsupported(name, format!("shape {shape:?} is too large")))
}

/// The shape of the weight that an array becomes: `[rows, columns]`, or `[rows, channels, kh, kw]` as of a convolution.
fn matrix(shape: &[usize]) -> Vec<usize> {
    match *shape {
        [] => vec![1, 1],
        [n] => vec![1, n],
        [rows, cols] => vec![rows, cols],
        [rows, channels, h] if h <= MOST_TAPS => vec![rows, channels, h, 1],
        [rows, channels, h, w] if h.saturating_mul(w) <= MOST_TAPS => vec![rows, channels, h, w],
        [rows, ref rest @ ..] => vec![rows, rest.iter().product()],
    }
}

/// A network of one layer per parameter, each with an input of its own.
fn model(layers: Vec<Parameter>) -> Result<Model, PackError> {
    let (mut inputs, mut nodes, mut parameters) = (Vec::new(), Vec::new(), BTreeMap::new());
    let n = layers.len();
    for (i, layer) in layers.into_iter().enumerate() {
        let (op, shape) = match *layer.shape() {
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
            ref other => {
                return Err(PackError::unsupported("arrays", format!("a parameter of shape {other:?}")));
            }
        };
        inputs.push(Input { name: format!("x{i}"), shape });
        nodes.push(Node { name: format!("a{i}"), op, inputs: vec![i] });
        parameters.insert(format!("a{i}.weight"), layer);
    }
    let graph = Graph::new(inputs, nodes, (n..2 * n).collect())?;
    Ok(Model::new(graph, parameters)?)
}
