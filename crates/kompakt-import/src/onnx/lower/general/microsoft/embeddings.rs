//! Embeddings of tokens and their norms, sums and their norms, and rotated positions.

use super::{
    super::composed::{Setting, constant, has, list, made},
    value,
};
use crate::onnx::{
    lower::{Act, Call, Lowering, Operand},
    tensor::Tensor,
};

impl Lowering<'_> {
    /// `EmbedLayerNormalization`: tokens, segments, tables of words, positions and segments, scale, shift, mask, positions. Makes the
    /// normalised sum, how many tokens count, and the sum.
    pub(super) fn embedded(&mut self, call: &Call<'_>) -> Result<Vec<Act>, String> {
        let ids = self.input(call, 0)?.clone();
        let &[_, tokens] = self.dims_of(&ids) else { return Err("tokens are [batch, tokens]".into()) };
        let mut sum = self.composed(call, "Gather", &[], &[self.given(call, 2), self.given(call, 0)])?;
        let table = self.input(call, 3)?.clone();
        let positions = match has(call, 8) {
            true => self.composed(call, "Gather", &[], &[self.given(call, 3), self.given(call, 8)])?,
            false => self.cut_out(call, &table, 0, [0, tokens])?,
        };
        sum = self.composed(call, "Add", &[], &[made(&sum), made(&positions)])?;
        if has(call, 1) {
            let segments = self.composed(call, "Gather", &[], &[self.given(call, 4), self.given(call, 1)])?;
            sum = self.composed(call, "Add", &[], &[made(&sum), made(&segments)])?;
        }
        let [y, ..] = self.norm_of(call, "LayerNormalization", &sum, [5, 6])?;
        let mut outputs = vec![y];
        let wants = |index: usize| call.node.output.get(index).is_some_and(|name| !name.is_empty());
        if wants(1) || wants(2) {
            outputs.push(match has(call, 7) {
                true => {
                    let inputs = [self.given(call, 7), list(&[1])];
                    value(self.composed(call, "ReduceSum", &[("keepdims", Setting::Int(0))], &inputs)?)?
                }
                false if wants(1) => {
                    // No mask: no token counts, as the operator says.
                    let inputs = [self.given(call, 0), list(&[1])];
                    let sum = self.composed(call, "ReduceSum", &[("keepdims", Setting::Int(0))], &inputs)?;
                    let zero = constant(Tensor::floats(vec![], vec![0.0]));
                    value(self.composed(call, "Mul", &[], &[made(&sum), zero])?)?
                }
                false => outputs[0].clone(),
            });
        }
        if wants(2) {
            outputs.push(value(sum)?);
        }
        Ok(outputs)
    }

    /// `SkipLayerNormalization` and that without a mean: two values and a bias are added and normalised. The fourth output is
    /// the sum.
    pub(super) fn skip_norm(&mut self, call: &Call<'_>, norm: &str) -> Result<Vec<Act>, String> {
        let has_shift = norm == "LayerNormalization";
        let training = call.node.output.get(1..3.min(call.node.output.len())).unwrap_or_default();
        if !has_shift && training.iter().any(|name| self.is_read(name)) {
            return Err("its inverse deviation is read, which only training makes".into());
        }
        let mut sum = self.composed(call, "Add", &[], &[self.given(call, 0), self.given(call, 1)])?;
        let bias = if has_shift { 4 } else { 3 };
        if has(call, bias) {
            sum = self.composed(call, "Add", &[], &[made(&sum), self.given(call, bias)])?;
        }
        let shift = if has_shift { 3 } else { usize::MAX };
        let [y, mean, inverse] = self.norm_of(call, norm, &sum, [2, shift])?;
        Ok(vec![y, mean, inverse, value(sum)?])
    }

    /// A norm of the last dimension, with scale and shift in these inputs: the result, means, inverse deviations.
    fn norm_of(
        &mut self,
        call: &Call<'_>,
        norm: &str,
        x: &Operand,
        [scale, shift]: [usize; 2],
    ) -> Result<[Act; 3], String> {
        let default = if norm == "LayerNormalization" { 1e-12 } else { 1e-6 };
        let epsilon = call.node.float("epsilon", default);
        let settings = [("axis", Setting::Int(-1)), ("epsilon", Setting::Float(epsilon))];
        let inputs = [made(x), self.given(call, scale), self.given(call, shift)];
        let n = if has(call, shift) { 3 } else { 2 };
        let mut made = self.composed_all(call, norm, &settings, &inputs[..n])?.into_iter();
        let y = value(made.next().ok_or("no norm")?)?;
        let mut next = || made.next().map_or_else(|| Ok(y.clone()), value);
        let (mean, inverse) = (next()?, next()?);
        Ok([y, mean, inverse])
    }

    /// `RotaryEmbedding`: the value, positions, cosines and sines.
    pub(super) fn rotated(&mut self, call: &Call<'_>) -> Result<Operand, String> {
        let node = call.node;
        if node.int("is_packed_batching", 0) != 0 || node.float("scale", 1.0) != 1.0 {
            return Err("tokens of several texts in one row, or scaled positions".into());
        }
        let x = self.input(call, 0)?.clone();
        let dims = self.dims_of(&x).to_vec();
        let half = self.dims_of(self.input(call, 2)?).last().copied().unwrap_or(0);
        let turned = usize::try_from(node.int("rotary_embedding_dim", 0)).unwrap_or(0);
        let (batch, tokens, heads) = match dims[..] {
            [batch, _, tokens, _] => (batch, tokens, 0),
            [batch, tokens, width] => {
                let given = usize::try_from(node.int("num_heads", 0)).unwrap_or(0);
                let size = 2 * half;
                let heads = if given > 0 || turned > 0 { given } else { width / size.max(1) };
                (batch, tokens, heads)
            }
            _ => return Err(format!("rotation of {dims:?}")),
        };
        // One position for all: that of the first token.
        let positions = self.input(call, 1)?.clone();
        let ids = if self.dims_of(&positions).len() == 1 {
            self.ask(batch.saturating_mul(tokens))?;
            let places = (0..batch * tokens).map(|i| (i % tokens) as i64).collect();
            let places = constant(Tensor::ints(vec![batch, tokens], places));
            self.composed(call, "Add", &[], &[places, made(&positions)])?
        } else {
            let shape = [batch as i64, tokens as i64];
            self.composed(call, "Reshape", &[], &[made(&positions), list(&shape)])?
        };
        let settings = [
            ("interleaved", Setting::Int(node.int("interleaved", 0))),
            ("num_heads", Setting::Int(heads as i64)),
            ("rotary_embedding_dim", Setting::Int(turned as i64)),
        ];
        // Where positions are known, so are the angles.
        if let Operand::Const(_) = &ids {
            let mut angles = Vec::new();
            for index in [2, 3] {
                let table = self.given(call, index);
                angles.push(self.composed(call, "Gather", &[], &[table, made(&ids)])?);
            }
            let inputs = [made(&x), made(&angles[0]), made(&angles[1])];
            return self.composed(call, "RotaryEmbedding", &settings, &inputs);
        }
        let inputs = [made(&x), self.given(call, 2), self.given(call, 3), made(&ids)];
        self.composed(call, "RotaryEmbedding", &settings, &inputs)
    }
}
