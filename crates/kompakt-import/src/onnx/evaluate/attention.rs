//! Attention with heads, query by query.

use super::{call::Call, matrix, microsoft};
use crate::onnx::{proto::NodeProto, tensor::Tensor};
use std::rc::Rc;

/// What is added to the score of a key that does not count.
const FILTER: f32 = -10_000.0;

/// Heads `[batch, heads, tokens, size]`, wherever they lie.
struct Heads {
    dims: [usize; 4],
    values: Vec<f32>,
}

impl Heads {
    /// Columns of `[batch, tokens, width]`, from `first` on.
    fn of_columns(x: &Tensor, first: usize, width: usize, heads: usize) -> Result<Self, String> {
        let &[batch, tokens, all] = &x.dims[..] else { return Err(format!("heads of {:?}", x.dims)) };
        if heads == 0 || !width.is_multiple_of(heads) || first + width > all {
            return Err(format!("{heads} heads of {width}"));
        }
        let (from, size) = (x.to_floats(), width / heads);
        let mut values = Vec::with_capacity(batch * tokens * width);
        for b in 0..batch {
            for h in 0..heads {
                for t in 0..tokens {
                    values.extend_from_slice(&from[(b * tokens + t) * all + first + h * size..][..size]);
                }
            }
        }
        Ok(Self { dims: [batch, heads, tokens, size], values })
    }

    /// A value of four dimensions, or of three.
    fn of(x: &Tensor, heads: usize) -> Result<Self, String> {
        match x.dims[..] {
            [batch, heads, tokens, size] => {
                Ok(Self { dims: [batch, heads, tokens, size], values: x.to_floats() })
            }
            [_, _, width] => Self::of_columns(x, 0, width, heads),
            _ => Err(format!("heads of {:?}", x.dims)),
        }
    }

    /// Tokens of the past in front of these.
    fn behind(self, past: &[f32], n_past: usize) -> Result<Self, String> {
        let [batch, heads, tokens, size] = self.dims;
        if past.len() != batch * heads * n_past * size {
            return Err(format!("a past of {} numbers", past.len()));
        }
        let mut values = Vec::new();
        for i in 0..batch * heads {
            values.extend_from_slice(&past[i * n_past * size..][..n_past * size]);
            values.extend_from_slice(&self.values[i * tokens * size..][..tokens * size]);
        }
        Ok(Self { dims: [batch, heads, n_past + tokens, size], values })
    }

    fn row(&self, batch: usize, head: usize, token: usize) -> &[f32] {
        let [_, heads, tokens, size] = self.dims;
        &self.values[((batch * heads + head) * tokens + token) * size..][..size]
    }

    fn tensor(&self) -> Tensor {
        Tensor::floats(self.dims.to_vec(), self.values.clone())
    }
}

/// Answers `[batch, tokens, width]`. `added(batch, head, query, key)` is added to a score.
fn answers(
    call: &Call<'_>,
    [q, k, v]: [&Heads; 3],
    added: &dyn Fn(usize, usize, usize, usize) -> f32,
) -> Result<Tensor, String> {
    let ([batch, heads, n_q, size], n_k, out) = (q.dims, k.dims[2], v.dims[3]);
    if k.dims != [batch, heads, n_k, size] || v.dims != [batch, heads, n_k, out] || n_k == 0 || size == 0 {
        return Err(format!("{:?}, {:?} and {:?}", q.dims, k.dims, v.dims));
    }
    call.pay((batch * heads * n_q * n_k * (size + out)) as u64)?;
    let n = call.count(&[batch, n_q, heads * out])?;
    let scale = match call.node.float("scale", 0.0) {
        0.0 => 1.0 / (size as f64).sqrt(),
        scale => f64::from(scale),
    };
    let is_causal = call.node.int("unidirectional", 0) != 0;
    let mut y = vec![0.0; n];
    for b in 0..batch {
        for h in 0..heads {
            for i in 0..n_q {
                let query = q.row(b, h, i);
                let is_seen = |j: usize| !is_causal || j + n_q <= i + n_k;
                let score = |j: usize| {
                    let dot: f64 =
                        query.iter().zip(k.row(b, h, j)).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                    dot * scale + f64::from(added(b, h, i, j))
                };
                let scores: Vec<f64> =
                    (0..n_k).map(|j| if is_seen(j) { score(j) } else { f64::NEG_INFINITY }).collect();
                let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let powers: Vec<f64> = scores.iter().map(|s| (s - largest).exp()).collect();
                let total: f64 = powers.iter().sum();
                let mut sums = vec![0.0f64; out];
                for (j, power) in powers.iter().enumerate() {
                    sums.iter_mut()
                        .zip(v.row(b, h, j))
                        .for_each(|(s, v)| *s += power / total * f64::from(*v));
                }
                let to = (b * n_q + i) * heads * out + h * out;
                y[to..to + out].iter_mut().zip(sums).for_each(|(y, s)| *y = s as f32);
            }
        }
    }
    Ok(Tensor::floats(vec![batch, n_q, heads * out], y))
}

/// What a mask of keys and a value that is added do to scores, for so many queries and keys.
fn addition(
    call: &Call<'_>,
    mask: Option<&Tensor>,
    bias: Option<&Tensor>,
    [batch, n_q, n_k]: [usize; 3],
) -> Result<impl Fn(usize, usize, usize, usize) -> f32 + use<>, String> {
    let filter = call.node.float("mask_filter_value", FILTER);
    let (mask_dims, mask) = mask.map_or((vec![], vec![]), |m| (m.dims.clone(), m.to_floats()));
    let (bias_dims, bias) = bias.map_or((vec![], vec![]), |m| (m.dims.clone(), m.to_floats()));
    let counts = mask_dims.len() == 1 || (mask_dims.len() == 2 && mask_dims[1] == 1 && n_k != 1);
    let is_known = match &mask_dims[..] {
        [] => true,
        [b] => *b == batch,
        [b, n] => *b == batch && (counts || *n == n_k),
        [b, m, n] => [*b, *m, *n] == [batch, n_q, n_k],
        _ => false,
    };
    if !is_known || !matches!(bias_dims.len(), 0 | 4) {
        return Err(format!("a mask of {mask_dims:?} and {bias_dims:?}"));
    }
    Ok(move |b: usize, h: usize, i: usize, j: usize| {
        let is_hidden = match mask_dims.len() {
            0 => false,
            _ if counts => j as f32 >= mask[b],
            2 => mask[b * n_k + j] <= 0.0,
            _ => mask[(b * n_q + i) * n_k + j] <= 0.0,
        };
        let own = |at: usize, n: usize| if n == 1 { 0 } else { at };
        let more = match &bias_dims[..] {
            &[nb, nh, m, n] => {
                let at = (own(b, nb) * nh + own(h, nh)) * m + own(i, m);
                bias.get(at * n + own(j, n)).copied().unwrap_or(0.0)
            }
            _ => 0.0,
        };
        more + if is_hidden { filter } else { 0.0 }
    })
}

/// `Attention` and `QAttention`: answers, and keys and values side by side.
pub(super) fn packed(call: &Call<'_>) -> Result<Vec<Tensor>, String> {
    let is_quantised = call.node.op_type == "QAttention";
    let (x, w) = if is_quantised {
        (Rc::new(microsoft::real(call, [0, 3, 6])?), Rc::new(microsoft::real(call, [1, 4, 7])?))
    } else {
        let get = |i: usize| call.inputs.get(i).cloned().flatten().ok_or("an input is missing");
        (get(0)?, get(1)?)
    };
    let (mask, past, bias) = if is_quantised { (5, 8, usize::MAX) } else { (3, 4, 5) };
    let node = NodeProto { op_type: "MatMul".into(), ..NodeProto::default() };
    let product = matrix::matmul(&Call { node: &node, inputs: vec![Some(x), Some(w)], ..*call })?;
    let columns = microsoft::sum(call, &[Some(Rc::new(product)), call.inputs.get(2).cloned().flatten()])?;
    let heads = usize::try_from(call.node.int("num_heads", 1)).unwrap_or(0);
    let width = columns.dims.last().copied().unwrap_or(0);
    let sizes: Vec<usize> = match call.node.ints("qkv_hidden_sizes") {
        Some(given) => given.iter().map(|&n| usize::try_from(n).unwrap_or(0)).collect(),
        None => vec![width / 3; 3],
    };
    let &[a, b, c] = &sizes[..] else { return Err(format!("parts of {sizes:?}")) };
    let q = Heads::of_columns(&columns, 0, a, heads)?;
    let mut k = Heads::of_columns(&columns, a, b, heads)?;
    let mut v = Heads::of_columns(&columns, a + b, c, heads)?;
    if let Some(past) = call.optional(past) {
        let n_past = past.dims.get(3).copied().unwrap_or(0);
        let values = past.to_floats();
        let (keys, rest) = values.split_at(values.len() / 2);
        (k, v) = (k.behind(keys, n_past)?, v.behind(rest, n_past)?);
    }
    let added = addition(call, call.optional(mask), call.optional(bias), [q.dims[0], q.dims[2], k.dims[2]])?;
    let y = answers(call, [&q, &k, &v], &added)?;
    let mut dims = vec![2];
    dims.extend(k.dims);
    Ok(vec![y, Tensor::floats(dims, [k.values, v.values].concat())])
}

/// `MultiHeadAttention`: answers, keys, values.
pub(super) fn multi_head(call: &Call<'_>) -> Result<Vec<Tensor>, String> {
    let heads = usize::try_from(call.node.int("num_heads", 1)).unwrap_or(0);
    let mut sides = [call.x(0)?.clone(), call.x(1)?.clone(), call.x(2)?.clone()];
    if let Some(bias) = call.optional(3) {
        let (bias, mut first) = (bias.to_floats(), 0);
        for side in &mut sides {
            let width = side.dims.last().copied().unwrap_or(0);
            let part = bias.get(first..first + width).ok_or("a short bias")?;
            let part = Tensor::floats(vec![width], part.to_vec());
            *side = microsoft::sum(call, &[Some(Rc::new(side.clone())), Some(Rc::new(part))])?;
            first += width;
        }
    }
    let [q, k, v] = &sides;
    let (q, mut k, mut v) = (Heads::of(q, heads)?, Heads::of(k, heads)?, Heads::of(v, heads)?);
    if let (Some(keys), Some(values)) = (call.optional(6), call.optional(7)) {
        let n_past = keys.dims.get(2).copied().unwrap_or(0);
        (k, v) = (k.behind(&keys.to_floats(), n_past)?, v.behind(&values.to_floats(), n_past)?);
    }
    let added = addition(call, call.optional(4), call.optional(5), [q.dims[0], q.dims[2], k.dims[2]])?;
    Ok(vec![answers(call, [&q, &k, &v], &added)?, k.tensor(), v.tensor()])
}
