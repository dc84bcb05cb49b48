//! Attention and rotary embeddings, as operator set 23 defines them.

use super::super::{Act, Call, Lowering, Operand};
use crate::onnx::{builder::Value, proto::data_type, rules::Run};
use kompakt_graph::{Op, UnaryFunction};

/// Added to the score of a masked position.
const HIDDEN: f32 = -1e30;

impl Lowering<'_> {
    /// Permutes dimensions of the file.
    pub(super) fn reordered(&mut self, x: &Act, order: &[usize]) -> Result<Act, String> {
        if self.lead == 1 && order.first() != Some(&0) {
            return Err("it moves the batch".into());
        }
        let here = order[self.lead..].iter().map(|a| a - self.lead).collect();
        let value = self.builder.transpose(x.value, here)?;
        Ok(Act { value, dims: order.iter().map(|&a| x.dims[a]).collect() })
    }

    /// `[batch, heads, tokens, size]` of what may be `[batch, tokens, heads size]`.
    fn heads(&mut self, x: Act, n: usize) -> Result<Act, String> {
        match x.dims[..] {
            [_, _, _, _] => Ok(x),
            [batch, tokens, width] if n > 0 && width % n == 0 => {
                let split = self.view(&x, vec![batch, tokens, n, width / n])?;
                self.reordered(&split, &[0, 2, 1, 3])
            }
            _ => Err(format!("{n} heads of {:?}", x.dims)),
        }
    }

    /// Concatenates values along an axis of the file.
    pub(in super::super) fn joined(&mut self, parts: &[&Act], axis: usize) -> Result<Act, String> {
        let here = self.here(axis)?;
        let (mut fronts, mut back, mut dims) = (Vec::new(), Vec::new(), parts[0].dims.clone());
        dims[axis] = parts.iter().map(|p| p.dims[axis]).sum();
        for part in parts {
            let (front, order) = self.builder.front(part.value, here)?;
            fronts.push(front);
            back = order;
        }
        let value = self.builder.op(None, Op::Concat, fronts)?;
        let value = self.builder.transpose(value, back)?;
        Ok(Act { value, dims })
    }

    pub(super) fn attention(&mut self, call: &Call<'_>) -> Result<Vec<Act>, String> {
        let node = call.node;
        let heads = |name: &str| usize::try_from(node.int(name, 0)).unwrap_or(0);
        let is_flat = call.act(0)?.dims.len() == 3;
        let has = |index: usize| matches!(call.inputs.get(index), Some(Some(_)));
        if has(6) {
            return Err("keys that are counted by a value".into());
        }
        let q = self.value_of(call, 0)?;
        let q = self.heads(q, heads("q_num_heads"))?;
        let mut sides = Vec::new();
        for index in [1, 2] {
            let new = self.value_of(call, index)?;
            let new = self.heads(new, heads("kv_num_heads"))?;
            sides.push(if has(index + 3) {
                let past = self.value_of(call, index + 3)?;
                self.joined(&[&past, &new], 2)?
            } else {
                new
            });
        }
        let [k, v] = &sides[..] else { return Err("no keys".into()) };
        let (k, v) = (k.clone(), v.clone());
        let past = if has(4) { self.value_of(call, 4)?.dims[2] } else { 0 };
        let (&[batch, n_heads, n_q, size], &[_, n_kv, n_k, _]) = (&q.dims[..], &k.dims[..]) else {
            return Err(format!("{:?} and {:?}", q.dims, k.dims));
        };
        if n_kv == 0 || n_heads % n_kv != 0 {
            return Err(format!("{n_heads} heads for {n_kv} heads of keys"));
        }
        // A group of heads shares keys and values.
        let group = n_heads / n_kv;
        let repeated = |lowering: &mut Self, x: &Act| -> Result<Act, String> {
            if group == 1 {
                return Ok(x.clone());
            }
            lowering.picked(x, 1, (0..n_heads).map(|h| h / group).collect())
        };
        let (keys, values) = (repeated(self, &k)?, repeated(self, &v)?);
        let keys = self.reordered(&keys, &[0, 1, 3, 2])?;
        let scale = node.float("scale", 1.0 / (size as f32).sqrt());
        let value = self.scaled(q.value, scale, 0.0)?;
        let mut scores = self.multiplied(call, &Act { value, dims: q.dims.clone() }, &keys)?;
        let wanted = node.int("qk_matmul_output_mode", 0);
        let mut shown = scores.clone();
        let cap = node.float("softcap", 0.0);
        if cap > 0.0 {
            let inner = self.scaled(scores.value, 1.0 / cap, 0.0)?;
            let inner = self.builder.op(None, Op::Tanh, vec![inner])?;
            scores.value = self.scaled(inner, cap, 0.0)?;
        }
        if wanted == 1 {
            shown = scores.clone();
        }
        let allowed = self.masked(call, &mut scores, [n_q, n_k, past])?;
        if wanted == 2 {
            if !allowed.is_empty() && node.output.get(3).is_some_and(|name| !name.is_empty()) {
                return Err("scores that are hidden are asked for".into());
            }
            shown = scores.clone();
        }
        let mut shares = self.softmax_of_last(&scores)?;
        for mask in allowed {
            shares.value = self.of_two(Op::Mul, shares.value, mask)?;
        }
        if wanted == 3 {
            shown = shares.clone();
        }
        let mut y = self.multiplied(call, &shares, &values)?;
        if is_flat {
            let turned = self.reordered(&y, &[0, 2, 1, 3])?;
            let width = turned.dims[2] * turned.dims[3];
            y = self.view(&turned, vec![batch, n_q, width])?;
        }
        Ok(vec![y, k, v, shown])
    }

    /// Applies masks to the scores; returns the mask of visible positions, to be multiplied by.
    fn masked(
        &mut self,
        call: &Call<'_>,
        scores: &mut Act,
        [n_q, n_k, past]: [usize; 3],
    ) -> Result<Vec<Value>, String> {
        let node = call.node;
        let mut allowed = Vec::new();
        if let Some(Some(mask)) = call.inputs.get(3) {
            let mask = mask.clone();
            if self.dims_of(&mask).last() != Some(&n_k) {
                return Err("a mask of fewer keys".into());
            }
            let value = self.aligned(&mask, 4)?;
            if self.kind_of(call, 3) == data_type::BOOL {
                allowed.push(value);
            } else {
                let finite = match &mask {
                    Operand::Const(_) => value,
                    Operand::Act(_) => {
                        self.builder.op(None, Op::Clip { low: HIDDEN, high: f32::MAX }, vec![value])?
                    }
                };
                scores.value = self.of_two(Op::Add, scores.value, finite)?;
            }
        }
        let bound = |name: &str| usize::try_from(node.int(name, -1)).ok();
        let (left, right) = (bound("left_window_size"), bound("right_window_size"));
        let is_causal = node.int("is_causal", 0) != 0;
        if is_causal || left.is_some() || right.is_some() {
            let is_seen = |i: usize| {
                let (at, key) = (i / n_k + past, i % n_k);
                (!is_causal || key <= at)
                    && left.is_none_or(|n| key + n >= at)
                    && right.is_none_or(|n| key <= at + n)
            };
            self.ask(n_q.saturating_mul(n_k))?;
            let truths = (0..n_q * n_k).map(|i| f32::from(u8::from(is_seen(i)))).collect();
            let shape = if self.lead == 1 { vec![1, n_q, n_k] } else { vec![1, 1, n_q, n_k] };
            allowed.push(self.computed(truths, shape)?);
        }
        for &mask in &allowed {
            let hidden = self.of_one(UnaryFunction::Not, mask)?;
            let bias = self.scaled(hidden, HIDDEN, 0.0)?;
            scores.value = self.of_two(Op::Add, scores.value, bias)?;
        }
        Ok(allowed)
    }

    fn softmax_of_last(&mut self, x: &Act) -> Result<Act, String> {
        let last = self.here(x.dims.len() - 1)?;
        let (front, back) = self.builder.front(x.value, last)?;
        let value = self.builder.op(None, Op::Softmax, vec![front])?;
        let value = self.builder.transpose(value, back)?;
        Ok(Act { value, dims: x.dims.clone() })
    }

    /// Rotates pairs of features by the angle of their token.
    pub(super) fn rotary(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let node = call.node;
        let whole = self.value_of(call, 0)?;
        let n_heads = usize::try_from(node.int("num_heads", 0)).unwrap_or(0);
        let x = self.heads(whole.clone(), n_heads)?;
        let (rank, size) = (x.dims.len(), x.dims[3]);
        let turned = match usize::try_from(node.int("rotary_embedding_dim", 0)) {
            Ok(0) | Err(_) => size,
            Ok(n) => n,
        };
        if turned % 2 != 0 || turned > size || self.lead == 1 {
            return Err(format!("{turned} of {size} features with a batch"));
        }
        let half = turned / 2;
        // Angles of each token: [batch or 1, 1, tokens, half].
        let mut angles = Vec::new();
        for index in [1, 2] {
            let table = self.value_of(call, index)?;
            let table = match call.inputs.get(3) {
                Some(Some(_)) => {
                    let ids = self.value_of(call, 3)?;
                    let dims = [&ids.dims[..], &table.dims[1..]].concat();
                    self.make(call, Op::Take { axis: 0 }, vec![table.value, ids.value], dims)?
                }
                _ => table,
            };
            let &[batch, tokens, width] = &table.dims[..] else { return Err(format!("{:?}", table.dims)) };
            let table = self.cut(&table, 2, Run { first: 0, n: half.min(width), step: 1 })?;
            angles.push(self.shaped(table.value, vec![batch, 1, tokens, half])?);
        }
        let axis = rank - 1;
        let apart = node.int("interleaved", 0) != 0;
        let part = |first: usize| {
            if apart {
                Run { first, n: half, step: 2 }
            } else {
                Run { first: first * half, n: half, step: 1 }
            }
        };
        let front = self.cut(&x, axis, Run { first: 0, n: turned, step: 1 })?;
        let (a, b) = (self.cut(&front, axis, part(0))?, self.cut(&front, axis, part(1))?);
        let mut product = |x: &Act, y: Value| self.of_two(Op::Mul, x.value, y);
        let [ac, bs, bc, as_] = [
            product(&a, angles[0])?,
            product(&b, angles[1])?,
            product(&b, angles[0])?,
            product(&a, angles[1])?,
        ];
        let real = self.of_two(Op::Sub, ac, bs)?;
        let other = self.of_two(Op::Add, bc, as_)?;
        let (real, other) = (Act { value: real, ..a.clone() }, Act { value: other, ..a });
        let mut y = if apart {
            // Concatenated again, one after the other.
            let with_one = |lowering: &mut Self, x: &Act| {
                let dims = [&x.dims[..], &[1]].concat();
                lowering.view(x, dims)
            };
            let (real, other) = (with_one(self, &real)?, with_one(self, &other)?);
            let both = self.joined(&[&real, &other], axis + 1)?;
            self.view(&both, front.dims.clone())?
        } else {
            self.joined(&[&real, &other], axis)?
        };
        if turned < size {
            let rest = self.cut(&x, axis, Run { first: turned, n: size - turned, step: 1 })?;
            y = self.joined(&[&y, &rest], axis)?;
        }
        if whole.dims.len() == 3 {
            y = self.reordered(&y, &[0, 2, 1, 3])?;
            y = self.view(&y, whole.dims)?;
        }
        Ok(y)
    }
}
