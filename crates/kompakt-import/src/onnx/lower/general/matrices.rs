//! Matrix products, of two values or of a value and a layer's weight.

use super::super::{Act, Call, Lowering, Operand, layers::turned};
use crate::onnx::{builder::Value, rules};
use kompakt_graph::{Op, Padding, Pair, Reduction};

impl Lowering<'_> {
    pub(super) fn matmul_node(&mut self, call: &Call<'_>) -> Result<Act, String> {
        // A weight matrix: a layer applied to each row.
        if let (Some(Some(Operand::Act(x))), Some(Some(Operand::Const(w)))) =
            (call.inputs.first(), call.inputs.get(1))
            && let ([lead @ .., k], &[rows, n], 0) = (&x.dims[..], &w.dims[..], self.lead)
            && *k == rows
        {
            let dims = [lead, &[n]].concat();
            let x = x.clone();
            return self.layer_for_rows(call, &x, rows, dims);
        }
        let (a, b) = (self.value_of(call, 0)?, self.value_of(call, 1)?);
        self.multiplied(call, &a, &b)
    }

    /// A product with a constant matrix, through the lowering for one image: all rows are its tokens.
    fn layer_for_rows(
        &mut self,
        call: &Call<'_>,
        x: &Act,
        k: usize,
        dims: Vec<usize>,
    ) -> Result<Act, String> {
        let rows: usize = x.dims[..x.dims.len() - 1].iter().product();
        let view = if rows == 1 { vec![k] } else { vec![rows, k] };
        let value = self.shaped(x.value, view.clone())?;
        let first = Operand::Act(Act { value, dims: [&[1], &view[..]].concat() });
        let mut inputs = call.inputs.clone();
        inputs[0] = Some(first);
        let (lead, batch) = (self.lead, self.batch);
        (self.lead, self.batch) = (1, 1);
        let made = self.matmul(&Call { node: call.node, inputs });
        (self.lead, self.batch) = (lead, batch);
        let value = self.builder.reshape(made?.value, self.shape_of(&dims))?;
        Ok(Act { value, dims })
    }

    /// The matrix product of two values; a vector is a row on the left, a column on the right.
    pub(super) fn multiplied(&mut self, call: &Call<'_>, a: &Act, b: &Act) -> Result<Act, String> {
        let wrong = || format!("{:?} times {:?}", a.dims, b.dims);
        let (mut left, mut right) = (a.dims.clone(), b.dims.clone());
        if self.lead == 1 && left.len().min(right.len()) < 3 {
            return Err(wrong());
        }
        if left.len() == 1 {
            left.insert(0, 1);
        }
        if right.len() == 1 {
            right.push(1);
        }
        let rank = left.len().max(right.len());
        let (left, right) = (rules::aligned(&left, rank), rules::aligned(&right, rank));
        if rank < 2 || left[rank - 1] != right[rank - 2] {
            return Err(wrong());
        }
        let mut dims = rules::broadcast(&left[..rank - 2], &right[..rank - 2])?;
        let x = self.builder.reshape(a.value, self.shape_of(&left))?;
        let y = self.builder.reshape(b.value, self.shape_of(&right))?;
        let value = self.builder.op(call.name(), Op::MatMul, vec![x, y])?;
        if a.dims.len() > 1 {
            dims.push(left[rank - 2]);
        }
        if b.dims.len() > 1 {
            dims.push(right[rank - 1]);
        }
        let value = self.builder.reshape(value, self.shape_of(&dims))?;
        Ok(Act { value, dims })
    }

    pub(super) fn gemm_node(&mut self, call: &Call<'_>) -> Result<Act, String> {
        if self.lead == 1 {
            return Err("a product along the batch".into());
        }
        if let Some(y) = self.gemm_layer(call)? {
            return Ok(y);
        }
        let mut sides = Vec::new();
        for (index, turned) in [(0, "transA"), (1, "transB")] {
            let mut x = self.value_of(call, index)?;
            if call.node.int(turned, 0) != 0 {
                x.value = self.builder.transpose(x.value, vec![1, 0])?;
                x.dims.reverse();
            }
            sides.push(x);
        }
        let mut y = self.multiplied(call, &sides[0], &sides[1])?;
        let (alpha, beta) = (call.node.float("alpha", 1.0), call.node.float("beta", 1.0));
        if alpha != 1.0 {
            y.value = self.scaled(y.value, alpha, 0.0)?;
        }
        if let Some(Some(bias)) = call.inputs.get(2) {
            let mut bias = self.aligned(&bias.clone(), y.dims.len())?;
            if beta != 1.0 {
                bias = self.scaled(bias, beta, 0.0)?;
            }
            y.value = self.of_two(Op::Add, y.value, bias)?;
        }
        Ok(y)
    }

    /// A product with a constant matrix, and the bias that is the same for all rows; `None` where it is another kind.
    fn gemm_layer(&mut self, call: &Call<'_>) -> Result<Option<Act>, String> {
        let (Some(Some(Operand::Act(x))), Some(Some(Operand::Const(w)))) =
            (call.inputs.first(), call.inputs.get(1))
        else {
            return Ok(None);
        };
        let (x, w) = (x.clone(), w.clone());
        let is_turned = call.node.int("transB", 0) != 0;
        let (&[n, k], &[rows, columns]) = (&x.dims[..], &w.dims[..]) else { return Ok(None) };
        let out = if is_turned { rows } else { columns };
        let bias = match call.inputs.get(2) {
            None | Some(None) => None,
            Some(Some(Operand::Const(c)))
                if c.len() == 1 || (c.len() == out && c.dims.last() == Some(&out)) =>
            {
                Some(c.clone())
            }
            Some(Some(_)) => return Ok(None),
        };
        if call.node.int("transA", 0) != 0 || k != rows + columns - out || !w.is_float() {
            return Ok(None);
        }
        let (alpha, beta) = (call.node.float("alpha", 1.0), call.node.float("beta", 1.0));
        let mut weight = self.weight(&w)?;
        if !is_turned {
            weight = turned(&weight, columns);
        }
        let mut bias = match bias {
            Some(c) => self.bias(Some(&c), out)?.unwrap_or_default(),
            None => vec![0.0; out],
        };
        weight.iter_mut().for_each(|v| *v *= alpha);
        bias.iter_mut().for_each(|v| *v *= beta);
        let value = if n == 1 {
            let vector = self.shaped(x.value, vec![k])?;
            let op = Op::Linear { out_features: out, bias: true };
            let value = self.layer(call.layer_name(1), op, vector, weight, Some(bias))?;
            self.shaped(value, vec![1, out])?
        } else {
            let flat = self.shaped(x.value, vec![n, k])?;
            self.rows_layer(Some(call.layer_name(1)), flat, weight, bias)?
        };
        Ok(Some(Act { value, dims: vec![n, out] }))
    }

    /// A linear layer applied to each row of `x` `[rows, in]`: the weight is `[out, in]`.
    pub(super) fn rows_layer(
        &mut self,
        name: Option<&str>,
        x: Value,
        weight: Vec<f32>,
        bias: Vec<f32>,
    ) -> Result<Value, String> {
        let &[n, k] = self.builder.shape(x) else { return Err("no rows".into()) };
        let out = bias.len();
        let turned = self.builder.transpose(x, vec![1, 0])?;
        let image = self.shaped(turned, vec![k, n, 1])?;
        let op = Op::Conv2d {
            out_channels: out,
            kernel: Pair::square(1),
            stride: Pair::square(1),
            padding: Padding::default(),
            dilation: Pair::square(1),
            groups: 1,
            bias: true,
        };
        let y = self.builder.push(
            name,
            op,
            vec![image],
            vec![("weight", weight.into()), ("bias", bias.into())],
        )?;
        let y = self.shaped(y, vec![out, n])?;
        self.builder.transpose(y, vec![1, 0])
    }

    /// Einsum: every value gets all letters as dimensions, the values are multiplied, and letters that are
    /// not in the output are summed.
    pub(super) fn einsum(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let equation: String = call.node.text("equation").chars().filter(|c| !c.is_whitespace()).collect();
        let (left, right) = match equation.split_once("->") {
            Some((left, right)) => (left.to_string(), Some(right.to_string())),
            None => (equation.clone(), None),
        };
        if equation.contains('.') || self.lead == 1 {
            return Err(format!("the equation {equation:?}"));
        }
        let terms: Vec<Vec<char>> = left.split(',').map(|t| t.chars().collect()).collect();
        let all: Vec<char> = terms.concat();
        let once = |c: &char| all.iter().filter(|o| *o == c).count() == 1;
        let right: Vec<char> = right.map_or_else(
            || {
                let mut letters: Vec<char> = all.iter().copied().filter(|c| once(c)).collect();
                letters.sort_unstable();
                letters
            },
            |r| r.chars().collect(),
        );
        let mut letters = right.clone();
        all.iter().for_each(|&c| {
            if !letters.contains(&c) {
                letters.push(c)
            }
        });
        let mut product: Option<Act> = None;
        for (index, term) in terms.iter().enumerate() {
            let x = self.value_of(call, index)?;
            let mut sorted = term.clone();
            sorted.sort_unstable();
            sorted.dedup();
            if term.len() != x.dims.len() || sorted.len() != term.len() {
                return Err(format!("the equation {equation:?} for {:?}", x.dims));
            }
            let present: Vec<char> = letters.iter().copied().filter(|c| term.contains(c)).collect();
            let order = present.iter().filter_map(|c| term.iter().position(|t| t == c)).collect();
            let value = if term.is_empty() { x.value } else { self.builder.transpose(x.value, order)? };
            let size = |c: &char| term.iter().position(|t| t == c).map_or(1, |d| x.dims[d]);
            let dims: Vec<usize> = letters.iter().map(size).collect();
            let value = self.shaped(value, dims.clone())?;
            product = Some(match product {
                None => Act { value, dims },
                Some(so_far) => {
                    let value = self.of_two(Op::Mul, so_far.value, value)?;
                    Act { value, dims: rules::broadcast(&so_far.dims, &dims)? }
                }
            });
        }
        let y = product.ok_or("no input")?;
        let axes: Vec<usize> = (right.len()..letters.len()).collect();
        let value = self.reduced(y.value, Reduction::Sum, &axes)?;
        let dims = y.dims[..right.len()].to_vec();
        let value = self.builder.reshape(value, self.shape_of(&dims))?;
        Ok(Act { value, dims })
    }
}
