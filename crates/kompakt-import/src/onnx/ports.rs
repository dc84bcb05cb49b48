//! Inputs and outputs of a file, with their shapes.

use crate::onnx::{
    error::{INPUT, OnnxError, Problem},
    lower::{Act, Lowering, Slot, is_number, is_whole},
    options::ImportOptions,
    proto::{Dimension, GraphProto, ValueInfo, data_type},
    tensor::{Tensor, is_sane},
};
use kompakt_graph::{MAX_DIM, MAX_RANK};
use std::collections::BTreeSet;

/// The image side in an example of a shape, and the length of anything else.
const EXAMPLE_SIDE: usize = 224;
const EXAMPLE_LENGTH: usize = 128;

/// The most numbers of an input that becomes a constant.
const MAX_FIXED: usize = 1 << 24;

/// An input of the file.
pub(crate) struct Port {
    pub(crate) name: String,
    /// Its dimensions in the file, the batch left out if there is one; empty for a scalar.
    pub(crate) rest: Vec<usize>,
    /// The type of its elements.
    pub(crate) kind: i32,
}

impl Port {
    /// Whether its elements are integers or booleans.
    pub(crate) fn is_whole(&self) -> bool {
        is_whole(self.kind)
    }
}

/// The inputs that are not initialisers.
pub(crate) fn network_inputs(graph: &GraphProto) -> Vec<&ValueInfo> {
    let initial: BTreeSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    graph.input.iter().filter(|i| !initial.contains(i.name.as_str())).collect()
}

/// Inputs whose values are given. Errors: no such input, other sizes.
pub(crate) fn fixed(graph: &GraphProto, options: &ImportOptions) -> Result<Vec<(String, Tensor)>, OnnxError> {
    let mut all = Vec::new();
    for (name, values) in &options.input_values {
        let inputs = network_inputs(graph);
        let fail = |problem: String| OnnxError::Port(format!("input {name:?}: {problem}"));
        let input = inputs.iter().find(|input| input.name == *name);
        let input =
            input.ok_or_else(|| fail("a value is given for it, but the model has no such input".into()))?;
        let tensor = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
        let tensor = tensor
            .filter(|t| is_number(t.elem_type))
            .ok_or_else(|| fail("it does not hold numbers".into()))?;
        let given = options.input_shapes.iter().find(|(n, _)| n == name).map(|(_, shape)| shape.clone());
        let declared = tensor
            .shape
            .as_ref()
            .and_then(|shape| shape.dim.iter().map(Dimension::size).collect::<Option<Vec<_>>>());
        let dims = given.or(declared).unwrap_or_else(|| vec![values.len()]);
        let n = is_sane(&dims).then(|| dims.iter().product::<usize>()).filter(|&n| n <= MAX_FIXED);
        let n = n.ok_or_else(|| fail(format!("a constant of {dims:?}")))?;
        let values = match values[..] {
            [one] => vec![one; n],
            _ if values.len() == n => values.clone(),
            _ => return Err(fail(format!("{} values are given where it has {n}", values.len()))),
        };
        all.push((
            name.clone(),
            match is_whole(tensor.elem_type) {
                true => Tensor::ints(dims, values.iter().map(|&v| v as i64).collect()),
                false => Tensor::floats(dims, values),
            },
        ));
    }
    Ok(all)
}

/// Declares the inputs. Returns them, and the problems of some of them; those count as unknown from there on.
///
/// Errors: no inputs, shapes for inputs that do not exist.
pub(crate) fn declare<'a>(
    graph: &'a GraphProto,
    options: &ImportOptions,
    lowering: &mut Lowering<'a>,
) -> Result<(Vec<Port>, Vec<Problem>), OnnxError> {
    let is_fixed = |name: &str| options.input_values.iter().any(|(fixed, _)| fixed == name);
    let inputs: Vec<_> = network_inputs(graph).into_iter().filter(|input| !is_fixed(&input.name)).collect();
    if inputs.is_empty() {
        return Err(OnnxError::Port("the model has no input".into()));
    }
    if let Some((name, _)) = options
        .input_shapes
        .iter()
        .find(|(n, _)| !n.is_empty() && !is_fixed(n) && !inputs.iter().any(|i| i.name == *n))
    {
        let names: Vec<String> = inputs.iter().map(|i| format!("{:?}", i.name)).collect();
        return Err(OnnxError::Port(format!(
            "the model has no input {name:?}; its inputs are {}",
            names.join(", ")
        )));
    }
    let mut problems = Vec::new();
    let mut dims = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        let given =
            options.input_shapes.iter().find(|(n, _)| *n == input.name || (n.is_empty() && index == 0));
        match input_dims(graph, input, lowering.lead, given.map(|(_, shape)| shape.as_slice())) {
            Ok(known) => dims.push(Some(known)),
            Err(problem) => {
                problems.push(Problem { node: input.name.clone(), operator: INPUT.into(), problem });
                dims.push(None);
            }
        }
    }
    if lowering.lead == 0 {
        let mut ports = Vec::new();
        for (input, dims) in inputs.iter().zip(dims) {
            let Some(dims) = dims else {
                lowering.set(&input.name, Slot::Unknown { is_constant: false });
                continue;
            };
            // The first dimension is the batch where it is left open, and one image is run at a time.
            let dims: Vec<usize> = dims.into_iter().map(|d| d.unwrap_or(1)).collect();
            let shape = if dims.is_empty() { vec![1] } else { dims.clone() };
            let value = lowering.builder.input(&input.name, shape);
            lowering.set(&input.name, Slot::Act(Act { value, dims: dims.clone() }));
            lowering.kinds.insert(&input.name, kind(input));
            ports.push(Port { name: input.name.clone(), rest: dims, kind: kind(input) });
        }
        return Ok((ports, problems));
    }
    let fixed: Vec<usize> = dims.iter().flatten().filter_map(|d| d.first().copied().flatten()).collect();
    if let Some(other) = fixed.iter().find(|b| **b != fixed[0]) {
        return Err(OnnxError::Port(format!(
            "inputs have {} and {other} as their first dimension, which is taken as the batch",
            fixed[0]
        )));
    }
    lowering.batch = fixed.first().copied().unwrap_or(1);
    lowering.batch_is_open = fixed.is_empty();
    let mut ports = Vec::new();
    for (input, dims) in inputs.iter().zip(dims) {
        let Some(dims) = dims else {
            lowering.set(&input.name, Slot::Unknown { is_constant: false });
            continue;
        };
        let rest: Vec<usize> = dims[1..].iter().copied().flatten().collect();
        let shape = if rest.is_empty() { vec![1] } else { rest.clone() };
        let value = lowering.builder.input(&input.name, shape);
        let mut dims = vec![lowering.batch];
        dims.extend(&rest);
        lowering.set(&input.name, Slot::Act(Act { value, dims }));
        lowering.kinds.insert(&input.name, kind(input));
        ports.push(Port { name: input.name.clone(), rest, kind: kind(input) });
    }
    Ok((ports, problems))
}

/// The type of an input's elements.
fn kind(input: &ValueInfo) -> i32 {
    let tensor = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    tensor.map_or(data_type::FLOAT, |t| t.elem_type)
}

/// The dimensions of an input, the batch first, which may be open. Errors: the problem, and a shape that
/// would work.
fn input_dims(
    graph: &GraphProto,
    input: &ValueInfo,
    lead: usize,
    given: Option<&[usize]>,
) -> Result<Vec<Option<usize>>, String> {
    let tensor = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()).ok_or("it is not a tensor")?;
    if !is_number(tensor.elem_type) {
        return Err("it holds something other than numbers".into());
    }
    let dims = tensor.shape.as_ref().map(|shape| &shape.dim);
    if dims.is_some_and(|dims| dims.iter().any(|dim| dim.dim_value == Some(0))) {
        return Err("it has a size of 0: no elements".into());
    }
    let declared: Option<Vec<Option<usize>>> = dims.map(|dims| dims.iter().map(Dimension::size).collect());
    let Some(declared) = declared else {
        return match given {
            Some(given) if !given.is_empty() && !given.contains(&0) && is_sane(given) => {
                Ok(given.iter().map(|&d| Some(d)).collect())
            }
            _ => Err(format!(
                "its shape is not known; give it with the batch, as --input-shape {}=1,3,224,224",
                input.name
            )),
        };
    };
    if declared.is_empty() && lead == 1 {
        return Err("it is a single number; its first dimension would be the batch".into());
    }
    let example = || example(graph, input, &declared);
    let dims: Vec<Option<usize>> = match given {
        None => declared.clone(),
        Some(given) if given.len() == declared.len() => given.iter().map(|&d| Some(d)).collect(),
        Some(given) if given.len() + 1 == declared.len() => {
            declared.first().copied().into_iter().chain(given.iter().map(|&d| Some(d))).collect()
        }
        Some(given) => {
            return Err(format!(
                "the shape given for it has {} sizes; it takes {} without the batch, as {}",
                given.len(),
                declared.len() - 1,
                example()
            ));
        }
    };
    for (fixed, size) in declared.iter().zip(&dims) {
        if let (Some(fixed), Some(size)) = (fixed, size)
            && fixed != size
        {
            return Err(format!(
                "the shape given for it has {size} where the file fixes {fixed}: {}",
                shown(&declared)
            ));
        }
    }
    if dims.contains(&Some(0)) {
        return Err("the shape given for it has a size of 0".into());
    }
    let known: Vec<usize> = dims.iter().flatten().copied().collect();
    if !is_sane(&known) || known.iter().any(|&d| d > MAX_DIM) || dims.len() > MAX_RANK + 1 {
        return Err(format!(
            "{} is too large: at most 2^34 elements in {MAX_RANK} dimensions of at most 2^28; export the model with smaller \
             sizes",
            shown(&dims)
        ));
    }
    if dims.iter().skip(1).any(Option::is_none) {
        return Err(format!("{} leaves sizes open; give them, as {}", shown(&declared), example()));
    }
    Ok(dims)
}

/// A shape, open sizes as `?`.
fn shown(dims: &[Option<usize>]) -> String {
    let one = |d: &Option<usize>| d.map_or("?".to_string(), |d| d.to_string());
    format!("[{}]", dims.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// An example of a shape for an input of these dimensions.
fn example(graph: &GraphProto, input: &ValueInfo, declared: &[Option<usize>]) -> String {
    let sizes = example_sizes(graph, input, declared, 1);
    let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
    format!("--input-shape {}={}", input.name, sizes.join(","))
}

/// Likely sizes, the batch left out.
fn example_sizes(
    graph: &GraphProto,
    input: &ValueInfo,
    declared: &[Option<usize>],
    divisor: usize,
) -> Vec<usize> {
    let is_picture = declared.len() == 4;
    let size = |(d, known): (usize, &Option<usize>)| {
        let guess = match d {
            0 if declared.len() > 2 => {
                channels(graph, &input.name).unwrap_or(if is_picture { 3 } else { 64 })
            }
            _ if is_picture => EXAMPLE_SIDE / divisor,
            _ => EXAMPLE_LENGTH / divisor,
        };
        known.unwrap_or(guess)
    };
    declared[1..].iter().enumerate().map(size).collect()
}

/// A shape for an input that leaves sizes open, the batch left out, lengths and sides divided by `divisor`; `None` if it leaves none open, or has no known shape.
pub(crate) fn example_dims(graph: &GraphProto, input: &ValueInfo, divisor: usize) -> Option<Vec<usize>> {
    let dims = &input.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref()?.dim;
    let declared: Vec<Option<usize>> = dims.iter().map(Dimension::size).collect();
    let rest = declared.get(1..)?;
    rest.contains(&None).then(|| example_sizes(graph, input, &declared, divisor))
}

/// The channels that an input's first convolution expects.
fn channels(graph: &GraphProto, name: &str) -> Option<usize> {
    let conv =
        graph.node.iter().find(|n| n.op_type == "Conv" && n.input.first().is_some_and(|i| i == name))?;
    let weight = graph.initializer.iter().find(|t| Some(&t.name) == conv.input.get(1))?;
    let channels = weight.dims.get(1)?.checked_mul(conv.int("group", 1))?;
    usize::try_from(channels).ok().filter(|&c| c > 0)
}

/// The outputs of the network.
pub(crate) fn outputs(graph: &GraphProto, lowering: &mut Lowering<'_>) -> Result<Vec<usize>, OnnxError> {
    if graph.output.is_empty() {
        return Err(OnnxError::Port("the model has no output".into()));
    }
    graph
        .output
        .iter()
        .map(|output| match lowering.get(&output.name).cloned() {
            Some(Slot::Act(act)) => lowering.padded_output(&output.name, &act).map_err(OnnxError::Port),
            Some(Slot::Turned(_)) => Err(OnnxError::Port(format!(
                "the batch is not the first dimension of output {:?}",
                output.name
            ))),
            Some(_) if lowering.lead == 0 => lowering.constant_output(&output.name).map_err(OnnxError::Port),
            Some(_) => Err(OnnxError::Port(format!("output {:?} does not depend on the input", output.name))),
            None => Err(OnnxError::Port(format!("no node makes output {:?}", output.name))),
        })
        .collect()
}
