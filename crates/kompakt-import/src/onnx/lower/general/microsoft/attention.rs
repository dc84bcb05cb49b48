//! Attention, from one product with the weights of queries, keys and values or from all three.

use super::{
    super::composed::{Given, Setting, has, list, made, number},
    value,
};
use crate::onnx::{
    lower::{Act, Call, Lowering, Operand},
    tensor::Tensor,
};

/// Added to the scores of masked keys, where the file does not say what.
const FILTER: f32 = -10_000.0;

impl Lowering<'_> {
    /// `Attention`: input `[batch, tokens, width]`, weights `[width, 3 hidden]`, bias, mask, past `[2, batch, heads, tokens, size]`,
    /// numbers to add to the scores.
    pub(super) fn packed_attention(&mut self, call: &Call<'_>) -> Result<Vec<Act>, String> {
        if has(call, 6)
            || call.node.int("do_rotary", 0) != 0
            || call.node.int("past_present_share_buffer", 0) != 0
        {
            return Err("a cache that is written in place, or rotated queries".into());
        }
        let product = self.composed(call, "MatMul", &[], &[self.given(call, 0), self.given(call, 1)])?;
        let columns = match self.input(call, 2) {
            Ok(_) => self.composed(call, "Add", &[], &[made(&product), self.given(call, 2)])?,
            Err(_) => product,
        };
        let optional = [3, 4, 5].map(|index| self.given(call, index));
        self.of_columns(call, &columns, optional)
    }

    /// `QAttention`: as `Attention`, of bytes with scales and zero points.
    pub(super) fn quantised_attention(&mut self, call: &Call<'_>) -> Result<Vec<Act>, String> {
        if call.node.int("do_rotary", 0) != 0 || call.node.int("past_present_share_buffer", 0) != 0 {
            return Err("a cache that is written in place, or rotated queries".into());
        }
        let x = [0, 3, 6].map(|index| self.given(call, index));
        let x = self.composed(call, "DequantizeLinear", &[], &x)?;
        let weights = [1, 4, 7].map(|index| self.given(call, index));
        let weights = self.composed(call, "DequantizeLinear", &[("axis", Setting::Int(1))], &weights)?;
        let name = call.node.input.get(1).map_or("", String::as_str);
        let product = self.composed(call, "MatMul", &[], &[made(&x), (made(&weights).0, name)])?;
        let columns = self.composed(call, "Add", &[], &[made(&product), self.given(call, 2)])?;
        let optional = [self.given(call, 5), self.given(call, 8), (None, "")];
        self.of_columns(call, &columns, optional)
    }

    /// Attention of queries, keys and values side by side, with a mask, the past, and numbers to add to the scores.
    fn of_columns(
        &mut self,
        call: &Call<'_>,
        columns: &Operand,
        [mask, past, bias]: [Given<'_>; 3],
    ) -> Result<Vec<Act>, String> {
        let dims = self.dims_of(columns).to_vec();
        let &[_, tokens, width] = &dims[..] else { return Err(format!("attention of {dims:?}")) };
        let sizes = match call.node.ints("qkv_hidden_sizes") {
            Some(given) => given.iter().map(|&n| usize::try_from(n).unwrap_or(0)).collect(),
            None => vec![width / 3; 3],
        };
        let &[q, k, v] = &sizes[..] else { return Err(format!("parts of {sizes:?}")) };
        if q.checked_add(k).and_then(|n| n.checked_add(v)) != Some(width) || q == 0 || v == 0 {
            return Err(format!("parts of {sizes:?} of {width}"));
        }
        let bounds = [[0, q], [q, q + k], [q + k, width]];
        let mut parts = Vec::new();
        for bounds in bounds {
            parts.push(self.cut_out(call, columns, 2, bounds)?);
        }
        let (mut before, mut n_past) = ([(None, ""), (None, "")], 0);
        if let Some(past) = &past.0 {
            let dims = self.dims_of(past).to_vec();
            if self.lead == 1 || dims.len() != 5 || dims[0] != 2 {
                return Err(format!("a past of {dims:?} with a batch"));
            }
            n_past = dims[3];
            for (index, before) in before.iter_mut().enumerate() {
                let one = self.cut_out(call, past, 0, [index, index + 1])?;
                *before = made(&self.composed(call, "Squeeze", &[], &[made(&one), list(&[0])])?);
            }
        }
        let scores = self.score_mask(call, &mask, &bias, tokens + n_past)?;
        let [key, value_of] = before;
        let inputs = [made(&parts[0]), made(&parts[1]), made(&parts[2]), scores, key, value_of];
        let all = self.scaled_attention(call, &inputs)?;
        let mut outputs = vec![all[0].clone()];
        if call.node.output.get(1).is_some_and(|name| !name.is_empty()) {
            let mut sides = Vec::new();
            for side in &all[1..3] {
                let side = Operand::Act(side.clone());
                sides.push(made(&self.composed(call, "Unsqueeze", &[], &[made(&side), list(&[0])])?));
            }
            let present = self.composed(call, "Concat", &[("axis", Setting::Int(0))], &sides)?;
            outputs.push(value(present)?);
        }
        Ok(outputs)
    }

    /// `MultiHeadAttention`: queries, keys, values, bias, mask of keys, numbers to add to the scores, past keys and values.
    pub(super) fn multi_head_attention(&mut self, call: &Call<'_>) -> Result<Vec<Act>, String> {
        if has(call, 8) || has(call, 9) {
            return Err("a cache that is written in place".into());
        }
        let mut sides = Vec::new();
        for index in 0..3 {
            let side = self.input(call, index).map_err(|_| "queries, keys and values in one".to_string())?;
            sides.push(side.clone());
        }
        if has(call, 3) {
            let bias = self.input(call, 3)?.clone();
            let mut first = 0;
            for side in &mut sides {
                let dims = self.dims_of(side).to_vec();
                let &[_, _, width] = &dims[..] else { return Err(format!("a bias for {dims:?}")) };
                let one = self.cut_out(call, &bias, 0, [first, first + width])?;
                *side = self.composed(call, "Add", &[], &[made(side), made(&one)])?;
                first += width;
            }
        }
        let past = [6, 7].map(|index| self.given(call, index));
        let of_keys = self.dims_of(&sides[1]).to_vec();
        let n_keys = if of_keys.len() == 4 { of_keys[2] } else { of_keys.get(1).copied().unwrap_or(0) };
        let n_past = past[0].0.as_ref().map_or(0, |past| self.dims_of(past).get(2).copied().unwrap_or(0));
        let scores = self.score_mask(call, &self.given(call, 4), &self.given(call, 5), n_keys + n_past)?;
        let [key, value_of] = past;
        let inputs = [made(&sides[0]), made(&sides[1]), made(&sides[2]), scores, key, value_of];
        self.scaled_attention(call, &inputs)
    }

    /// The standard operator on these inputs: answers, keys, values and scores.
    fn scaled_attention(&mut self, call: &Call<'_>, inputs: &[Given<'_>]) -> Result<Vec<Act>, String> {
        let n_heads = Setting::Int(call.node.int("num_heads", 1));
        let of_keys = Setting::Int(call.node.int("num_heads", 1));
        let is_causal = Setting::Int(call.node.int("unidirectional", 0));
        let mut settings =
            vec![("q_num_heads", n_heads), ("kv_num_heads", of_keys), ("is_causal", is_causal)];
        let scale = call.node.float("scale", 0.0);
        if scale != 0.0 {
            settings.push(("scale", Setting::Float(scale)));
        }
        self.composed_all(call, "Attention", &settings, inputs)?.into_iter().map(value).collect()
    }

    /// What is added to the scores: 0 for a key that counts and a large negative number for another, and further numbers.
    fn score_mask(
        &mut self,
        call: &Call<'_>,
        mask: &Given<'_>,
        bias: &Given<'_>,
        n_keys: usize,
    ) -> Result<Given<'static>, String> {
        let Some(given) = &mask.0 else {
            return Ok(bias.0.as_ref().map_or((None, ""), |bias| made(bias)));
        };
        let dims = self.dims_of(given).to_vec();
        let visible = match &dims[..] {
            // How many keys count.
            [_] | [_, 1] if dims != [1, 1] || n_keys != 1 => {
                let counts = if dims.len() == 1 {
                    self.composed(call, "Unsqueeze", &[], &[made(given), list(&[1])])?
                } else {
                    given.clone()
                };
                let batch = self.dims_of(&counts)[0];
                let expected = if self.lead == 1 { self.batch } else { self.batch_of(call) };
                if batch != expected {
                    return Err(format!("a mask of {dims:?}"));
                }
                self.ask(n_keys)?;
                let places = Tensor::floats(vec![1, n_keys], (0..n_keys).map(|i| i as f32).collect());
                let places = super::super::composed::constant(places);
                self.composed(call, "Less", &[], &[places, made(&counts)])?
            }
            [_, n] | [_, _, n] if *n == n_keys => {
                self.composed(call, "Greater", &[], &[made(given), number(0.0)])?
            }
            _ => return Err(format!("a mask of {dims:?} for {n_keys} keys")),
        };
        let filter = call.node.float("mask_filter_value", FILTER);
        let number_of = self.composed(call, "Cast", &[("to", Setting::Int(1))], &[made(&visible)])?;
        let hidden = self.composed(call, "Mul", &[], &[made(&number_of), number(-filter)])?;
        let hidden = self.composed(call, "Add", &[], &[made(&hidden), number(filter)])?;
        // Where no key counts, all count alike: nothing is added, which has the same answer without the rounding.
        let last = self.dims_of(&hidden).len() as i64 - 1;
        let any = self.composed(call, "ReduceMax", &[], &[made(&number_of), list(&[last])])?;
        let hidden = self.composed(call, "Mul", &[], &[made(&hidden), made(&any)])?;
        let axes: &[i64] = if self.dims_of(&hidden).len() == 3 { &[1] } else { &[1, 2] };
        let hidden = self.composed(call, "Unsqueeze", &[], &[made(&hidden), list(axes)])?;
        match &bias.0 {
            None => Ok(made(&hidden)),
            Some(bias) => Ok(made(&self.composed(call, "Add", &[], &[made(&hidden), made(bias)])?)),
        }
    }

    /// The first dimension of a node's first input.
    fn batch_of(&self, call: &Call<'_>) -> usize {
        self.input(call, 0).map_or(0, |x| self.dims_of(x).first().copied().unwrap_or(0))
    }
}
