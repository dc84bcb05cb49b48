//! Operators of the domain `com.microsoft`, as ONNX Runtime's documentation defines them.

use super::{attention, call::Call, elementwise, matrix, norms, walk};
use crate::onnx::{proto::NodeProto, tensor::Tensor};
use std::rc::Rc;

/// A node of the standard set with the attributes of this one, on these inputs.
fn standard(
    call: &Call<'_>,
    op: &str,
    inputs: Vec<Option<Rc<Tensor>>>,
    f: impl FnOnce(&Call<'_>) -> Result<Tensor, String>,
) -> Result<Tensor, String> {
    let node = NodeProto { op_type: op.into(), domain: String::new(), ..call.node.clone() };
    f(&Call { node: &node, inputs, ..*call })
}

/// The sum of values that are there.
pub(super) fn sum(call: &Call<'_>, all: &[Option<Rc<Tensor>>]) -> Result<Tensor, String> {
    standard(call, "Add", all.iter().filter(|x| x.is_some()).cloned().collect(), elementwise::variadic)
}

fn input(call: &Call<'_>, index: usize) -> Option<Rc<Tensor>> {
    call.inputs.get(index).cloned().flatten()
}

/// All outputs of a node.
pub(super) fn outputs(call: &Call<'_>) -> Result<Vec<Tensor>, String> {
    let one = match call.node.op_type.as_str() {
        "DynamicQuantizeLSTM" => return super::recurrent::quantised(call),
        "Attention" | "QAttention" => return attention::packed(call),
        "MultiHeadAttention" => return attention::multi_head(call),
        "EmbedLayerNormalization" => return embedded(call),
        "SkipLayerNormalization" => return skip(call, "LayerNormalization", [2, 3], 4, 1e-12),
        "SkipSimplifiedLayerNormalization" => {
            return skip(call, "RMSNormalization", [2, usize::MAX], 3, 1e-6);
        }
        "RotaryEmbedding" => rotated(call)?,
        "BiasGelu" | "FastGelu" | "Gelu" | "QuickGelu" => {
            let alpha = f64::from(call.node.float("alpha", 1.702));
            let root = (2.0 / std::f64::consts::PI).sqrt();
            let f = |x: f64| match call.node.op_type.as_str() {
                "QuickGelu" => x / (1.0 + (-alpha * x).exp()),
                "FastGelu" => 0.5 * x * (1.0 + (root * (x + 0.044715 * x * x * x)).tanh()),
                _ => 0.5 * x * (1.0 + libm::erf(x / std::f64::consts::SQRT_2)),
            };
            let x = sum(call, &[input(call, 0), input(call, 1)])?;
            call.count(&x.dims)?;
            let values = x.to_floats().iter().map(|&v| f(f64::from(v)) as f32).collect();
            Tensor::floats(x.dims, values)
        }
        "FusedMatMul" => {
            let mut sides = Vec::new();
            for (index, name) in [(0, "transA"), (1, "transB")] {
                let x = call.x(index)?;
                let rank = x.dims.len();
                if call.node.int(name, 0) == 0 || rank < 2 {
                    sides.push(input(call, index));
                    continue;
                }
                let (mut dims, mut steps) = (x.dims.clone(), walk::strides(&x.dims));
                dims.swap(rank - 2, rank - 1);
                steps.swap(rank - 2, rank - 1);
                sides.push(Some(Rc::new(walk::strided(x, dims, &steps))));
            }
            let y = standard(call, "MatMul", sides, matrix::matmul)?;
            let alpha = call.node.float("alpha", 1.0);
            Tensor::floats(y.dims.clone(), y.to_floats().iter().map(|v| v * alpha).collect())
        }
        "MatMulIntegerToFloat" => {
            let a = real(call, [0, 2, 4])?;
            let b = real(call, [1, 3, 5])?;
            let y = standard(call, "MatMul", vec![Some(Rc::new(a)), Some(Rc::new(b))], matrix::matmul)?;
            sum(call, &[Some(Rc::new(y)), input(call, 6)])?
        }
        "DynamicQuantizeMatMul" => {
            let a = call.floats(0)?;
            let [low, high] = [a.iter().copied().fold(0.0, f32::min), a.iter().copied().fold(0.0, f32::max)];
            let scale = (high - low) / 255.0;
            let zero = (-low / scale).clamp(0.0, 255.0).round_ties_even();
            let rounded = |v: &f32| (((v / scale).round_ties_even() + zero).clamp(0.0, 255.0) - zero) * scale;
            let a = Tensor::floats(call.x(0)?.dims.clone(), a.iter().map(rounded).collect());
            let b = real(call, [1, 2, 3])?;
            let y = standard(call, "MatMul", vec![Some(Rc::new(a)), Some(Rc::new(b))], matrix::matmul)?;
            sum(call, &[Some(Rc::new(y)), input(call, 4)])?
        }
        _ => return Err("the operator is not known".into()),
    };
    Ok(vec![one])
}

/// `(x - zero) scale` of these inputs: value, scale, zero point; one of each for all, or for each column.
pub(super) fn real(call: &Call<'_>, [x, scale, zero]: [usize; 3]) -> Result<Tensor, String> {
    let (x, scales) = (call.x(x)?, call.floats(scale)?);
    let zeros = call.optional(zero).map_or_else(|| vec![0.0], Tensor::to_floats);
    let columns = x.dims.last().copied().unwrap_or(1).max(1);
    let fits = |list: &[f32]| list.len() == 1 || list.len() == columns;
    if !fits(&scales) || !fits(&zeros) {
        return Err(format!("{} scales for {columns} columns", scales.len()));
    }
    let of = |list: &[f32], i: usize| if list.len() == 1 { list[0] } else { list[i % columns] };
    let values =
        x.to_floats().iter().enumerate().map(|(i, v)| (v - of(&zeros, i)) * of(&scales, i)).collect();
    Ok(Tensor::floats(x.dims.clone(), values))
}

/// A norm of the last dimension with the default of this domain for the smallest variance, as [`norms::layer`] makes it.
fn norm(
    call: &Call<'_>,
    op: &str,
    x: Tensor,
    [scale, shift]: [usize; 2],
    epsilon: f32,
) -> Result<Vec<Tensor>, String> {
    let mut node = NodeProto { op_type: op.into(), domain: String::new(), ..call.node.clone() };
    if node.attribute("epsilon").is_none() {
        let attribute =
            crate::onnx::proto::AttributeProto { name: "epsilon".into(), f: epsilon, ..Default::default() };
        node.attribute.push(attribute);
    }
    let mut inputs = vec![Some(Rc::new(x)), input(call, scale)];
    inputs.extend(input(call, shift).map(Some));
    norms::layer(&Call { node: &node, inputs, ..*call })
}

fn skip(
    call: &Call<'_>,
    op: &str,
    inputs: [usize; 2],
    bias: usize,
    epsilon: f32,
) -> Result<Vec<Tensor>, String> {
    let all = sum(call, &[input(call, 0), input(call, 1), input(call, bias)])?;
    let mut made = norm(call, op, all.clone(), inputs, epsilon)?;
    // Without a mean, nothing but training reads these outputs, and they are empty.
    made.resize_with(3, || Tensor::floats(vec![0], Vec::new()));
    made.push(all);
    Ok(made)
}

fn embedded(call: &Call<'_>) -> Result<Vec<Tensor>, String> {
    let ids = call.x(0)?;
    let &[batch, tokens] = &ids.dims[..] else { return Err("tokens are [batch, tokens]".into()) };
    let width = call.x(2)?.dims.last().copied().unwrap_or(0);
    let n = call.count(&[batch, tokens, width])?;
    let mut values = vec![0.0; n];
    let segments = if call.optional(1).is_some() { Some((4, call.x(1)?)) } else { None };
    let places = (0..batch * tokens).map(|i| (i % tokens) as i64).collect();
    let places = Tensor::ints(vec![batch, tokens], places);
    let positions = match call.optional(8) {
        Some(given) => walk::spread(given, &[batch, tokens]).into_owned(),
        None => places,
    };
    for (table, rows) in [Some((2, ids)), Some((3, &positions)), segments].into_iter().flatten() {
        let table = call.floats(table)?;
        for (row, y) in rows.to_floats().iter().zip(values.chunks_mut(width.max(1))) {
            let first = (*row as usize).checked_mul(width);
            let row = first.and_then(|first| table.get(first..)).and_then(|rest| rest.get(..width));
            let row = row.ok_or("a token outside of its table")?;
            y.iter_mut().zip(row).for_each(|(y, v)| *y += v);
        }
    }
    let all = Tensor::floats(vec![batch, tokens, width], values);
    let y = norm(call, "LayerNormalization", all.clone(), [5, 6], 1e-12)?.swap_remove(0);
    let mask = call.optional(7).map_or_else(|| vec![0.0; batch * tokens], Tensor::to_floats);
    let counts: Vec<i64> =
        mask.chunks(tokens.max(1)).map(|row| row.iter().map(|&v| v as i64).sum()).collect();
    if counts.len() != batch {
        return Err("a mask of another shape".into());
    }
    Ok(vec![y, Tensor::list(counts), all])
}

/// Each pair of features of each head, turned by the angle of its token.
fn rotated(call: &Call<'_>) -> Result<Tensor, String> {
    let (x, cosines, sines) = (call.x(0)?, call.x(2)?, call.x(3)?);
    let n = call.count(&x.dims)?;
    let half = cosines.dims.last().copied().unwrap_or(0).max(1);
    let is_apart = call.node.int("interleaved", 0) != 0;
    let given = |name: &str| usize::try_from(call.node.int(name, 0)).ok().filter(|&n| n > 0);
    // Steps of batch, token and head, and how many of each.
    let (counts, steps, size) = match x.dims[..] {
        [batch, heads, tokens, size] => {
            ([batch, tokens, heads], [heads * tokens * size, size, tokens * size], size)
        }
        [batch, tokens, width] => {
            let heads = given("num_heads").unwrap_or(width / (2 * half)).max(1);
            ([batch, tokens, heads], [tokens * width, width, width / heads], width / heads)
        }
        _ => return Err(format!("rotation of {:?}", x.dims)),
    };
    if size < 2 * half || steps[2] == 0 {
        return Err(format!("{half} angles for {size} features"));
    }
    let positions = call.floats(1)?;
    let (cosines, sines) = (cosines.to_floats(), sines.to_floats());
    let from = x.to_floats();
    let mut y = from.clone();
    walk::each(&counts, |index| {
        let [batch, token, head] = [index[0], index[1], index[2]];
        let at = batch * steps[0] + token * steps[1] + head * steps[2];
        let position = match positions.len() {
            1 => (positions[0] as usize).saturating_add(token),
            _ => positions.get(batch * counts[1] + token).map_or(0, |&p| p as usize),
        };
        for pair in 0..half {
            let angle = position.saturating_mul(half).saturating_add(pair);
            let (Some(cosine), Some(sine)) = (cosines.get(angle), sines.get(angle)) else { continue };
            let (a, b) =
                if is_apart { (at + 2 * pair, at + 2 * pair + 1) } else { (at + pair, at + half + pair) };
            if b < n {
                (y[a], y[b]) = (from[a] * cosine - from[b] * sine, from[a] * sine + from[b] * cosine);
            }
        }
    });
    Ok(Tensor::floats(x.dims.clone(), y))
}
