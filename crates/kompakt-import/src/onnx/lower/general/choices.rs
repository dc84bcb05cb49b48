//! Look-ups: elements by indices that are values, or constants.

use super::super::{Act, Call, Lowering, Operand};
use crate::onnx::{builder::Value, fold, rules, tensor::Tensor};
use kompakt_graph::{BinaryFunction, Op, Reduction, Update};
use std::rc::Rc;

impl Lowering<'_> {
    pub(super) fn gather_node(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let axis = call.node.int("axis", 0);
        match (self.input(call, 0)?.clone(), self.input(call, 1)?.clone()) {
            (Operand::Act(x), Operand::Const(chosen)) => {
                let axis = rules::axis(axis, x.dims.len())?;
                let indices = fold::indices(&chosen, x.dims[axis])?;
                let y = self.picked(&x, axis, indices)?;
                let mut dims = x.dims.clone();
                dims.splice(axis..=axis, chosen.dims.iter().copied());
                self.view(&y, dims)
            }
            (Operand::Const(table), Operand::Act(indices)) => {
                let axis = rules::axis(axis, table.dims.len())?;
                if axis == 0 && table.is_float() && table.dims.len() >= 2 {
                    return self.embedding(call, &table, &indices);
                }
                let value = self.constant(&table, table.dims.clone())?;
                if axis == 0 {
                    return self.taken(call, value, &table.dims, &indices);
                }
                if self.lead == 1 {
                    return Err(format!("indices along dimension {axis} of a constant"));
                }
                let dims = [&table.dims[..axis], &indices.dims, &table.dims[axis + 1..]].concat();
                self.make(call, Op::Take { axis }, vec![value, indices.value], dims)
            }
            (Operand::Act(x), Operand::Act(indices)) => {
                let axis = rules::axis(axis, x.dims.len())?;
                if self.lead == 1 {
                    return Err("indices of one image into all".into());
                }
                let op = Op::Take { axis };
                let dims = [&x.dims[..axis], &indices.dims, &x.dims[axis + 1..]].concat();
                self.make(call, op, vec![x.value, indices.value], dims)
            }
            (Operand::Const(_), Operand::Const(_)) => Err("both inputs are constant".into()),
        }
    }

    /// Rows of a table that is a layer's weight.
    fn embedding(&mut self, call: &Call<'_>, table: &Rc<Tensor>, indices: &Act) -> Result<Act, String> {
        let rows = table.dims[0];
        let features = table.len() / rows.max(1);
        let weight = self.whole_weight(table)?;
        let op = Op::Embedding { rows, features };
        let name = call.layer_name(0);
        let value = self.builder.push(Some(name), op, vec![indices.value], vec![("weight", weight)])?;
        let dims = [&indices.dims, &table.dims[1..]].concat();
        let value = self.builder.reshape(value, self.shape_of(&dims))?;
        Ok(Act { value, dims })
    }

    /// Along the first dimension of a value that is the same for all images.
    fn taken(&mut self, call: &Call<'_>, x: Value, from: &[usize], indices: &Act) -> Result<Act, String> {
        let dims = [&indices.dims, &from[1..]].concat();
        self.make(call, Op::Take { axis: 0 }, vec![x, indices.value], dims)
    }

    /// Indices counted from the front: those below 0 count from the end.
    fn counted_from_front(
        &mut self,
        indices: Value,
        sizes: Vec<f32>,
        shape: Vec<usize>,
    ) -> Result<Value, String> {
        let sizes = self.computed(sizes, shape)?;
        self.of_two(Op::Binary { function: BinaryFunction::Modulo }, indices, sizes)
    }

    /// Positions in the row-major list of a value of shape `from`, for indices along an axis here.
    fn places(&mut self, indices: Value, from: &[usize], axis: usize) -> Result<Value, String> {
        let to = self.builder.shape(indices).to_vec();
        if to.len() != from.len() || (0..to.len()).any(|d| d != axis && to[d] > from[d]) {
            return Err(format!("indices of shape {to:?} into {from:?}"));
        }
        if from.iter().product::<usize>() > 1 << 24 {
            return Err(format!("places in {from:?} are not exact numbers"));
        }
        self.ask(to.iter().product())?;
        let strides = rules::strides(from);
        let ones = vec![1; to.len()];
        let front = self.counted_from_front(indices, vec![from[axis] as f32], ones)?;
        let scaled = self.scaled(front, strides[axis] as f32, 0.0)?;
        let others = (0..to.len()).map(|d| if d == axis { 0 } else { strides[d] }).collect();
        let base = rules::walk(to.clone(), others).map(|p| p as f32).collect();
        let base = self.computed(base, to)?;
        self.of_two(Op::Add, scaled, base)
    }

    pub(super) fn gather_elements(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let (x, indices) = (self.value_of(call, 0)?, self.value_of(call, 1)?);
        let axis = rules::axis(call.node.int("axis", 0), x.dims.len())?;
        let here = self.here(axis)?;
        let from = self.builder.shape(x.value).to_vec();
        let places = self.places(indices.value, &from, here)?;
        let flat = self.shaped(x.value, vec![from.iter().product()])?;
        self.make(call, Op::Take { axis: 0 }, vec![flat, places], indices.dims)
    }

    pub(super) fn gather_nd(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let (x, indices) = (self.value_of(call, 0)?, self.value_of(call, 1)?);
        let b = usize::try_from(call.node.int("batch_dims", 0)).unwrap_or(0);
        let (places, inner) = self.nd_places(&x, &indices, b)?;
        let q = indices.dims[indices.dims.len() - 1];
        let rows = x.dims.iter().product::<usize>() / inner;
        let table = self.shaped(x.value, vec![rows, inner])?;
        let dims = [&indices.dims[..indices.dims.len() - 1], &x.dims[b + q..]].concat();
        self.make(call, Op::Take { axis: 0 }, vec![table, places], dims)
    }

    /// The index of the row, among rows of `inner` elements, that each list of indices names.
    fn nd_places(&mut self, x: &Act, indices: &Act, batch: usize) -> Result<(Value, usize), String> {
        if self.lead == 1 {
            return Err("indices of several dimensions with a batch".into());
        }
        let (Some(&q), rank) = (indices.dims.last(), x.dims.len()) else { return Err("no indices".into()) };
        let wrong = || format!("indices of shape {:?} into {:?}", indices.dims, x.dims);
        if batch + q > rank || q == 0 || x.dims[..batch] != indices.dims[..batch.min(indices.dims.len() - 1)]
        {
            return Err(wrong());
        }
        let inner: usize = x.dims[batch + q..].iter().product();
        let strides: Vec<usize> = rules::strides(&x.dims).iter().map(|s| s / inner).collect();
        if x.dims.iter().product::<usize>() / inner > 1 << 24 {
            return Err(format!("places in {:?} are not exact numbers", x.dims));
        }
        let n = indices.dims.iter().product::<usize>() / q;
        let rows = self.shaped(indices.value, vec![n, q])?;
        let sizes = x.dims[batch..batch + q].iter().map(|&d| d as f32).collect();
        let front = self.counted_from_front(rows, sizes, vec![1, q])?;
        let steps = strides[batch..batch + q].iter().map(|&s| s as f32).collect();
        let steps = self.computed(steps, vec![1, q])?;
        let parts = self.of_two(Op::Mul, front, steps)?;
        let sums = self.reduced(parts, Reduction::Sum, &[1])?;
        let mut places = self.shaped(sums, vec![n])?;
        if batch > 0 {
            self.ask(n)?;
            let each = n / x.dims[..batch].iter().product::<usize>();
            let base = (0..n).map(|i| (i / each * strides[batch - 1]) as f32).collect();
            let base = self.computed(base, vec![n])?;
            places = self.of_two(Op::Add, places, base)?;
        }
        Ok((places, inner))
    }

    fn update_of(call: &Call<'_>) -> Result<Update, String> {
        Ok(match call.node.text("reduction") {
            "" | "none" => Update::Set,
            "add" => Update::Add,
            "mul" => Update::Multiply,
            "max" => Update::Max,
            "min" => Update::Min,
            other => return Err(format!("reduction {other:?}")),
        })
    }

    pub(super) fn scatter_elements(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let (x, indices, updates) =
            (self.value_of(call, 0)?, self.value_of(call, 1)?, self.value_of(call, 2)?);
        let axis = rules::axis(call.node.int("axis", 0), x.dims.len())?;
        let here = self.here(axis)?;
        let from = self.builder.shape(x.value).to_vec();
        let places = self.places(indices.value, &from, here)?;
        let k = self.builder.shape(places).iter().product();
        let places = self.shaped(places, vec![k])?;
        let table = self.shaped(x.value, vec![from.iter().product(), 1])?;
        let rows = self.shaped(updates.value, vec![k, 1])?;
        let update = Self::update_of(call)?;
        self.make(call, Op::Scatter { update }, vec![table, places, rows], x.dims)
    }

    pub(super) fn scatter_nd(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let (x, indices, updates) =
            (self.value_of(call, 0)?, self.value_of(call, 1)?, self.value_of(call, 2)?);
        let (places, inner) = self.nd_places(&x, &indices, 0)?;
        let k = self.builder.shape(places)[0];
        let table = self.shaped(x.value, vec![x.dims.iter().product::<usize>() / inner, inner])?;
        let rows = self.shaped(updates.value, vec![k, inner])?;
        let update = Self::update_of(call)?;
        self.make(call, Op::Scatter { update }, vec![table, places, rows], x.dims)
    }

    /// One of two numbers, depending on whether the index equals the position.
    pub(super) fn one_hot(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let depth = call.needed(1)?.scalar().ok_or("its depth is no number")? as usize;
        self.ask(depth)?;
        let values = call.needed(2)?.to_floats();
        let &[off, on] = &values[..] else { return Err("not two values".into()) };
        let rank = x.dims.len() + 1;
        let axis = rules::axis(call.node.int("axis", -1), rank)?;
        let mut dims = x.dims.clone();
        dims.insert(axis, 1);
        let here = self.here(axis)?;
        let wide = self.view(&x, dims.clone())?;
        let mut shape = vec![1; self.builder.shape(wide.value).len()];
        shape[here] = depth;
        let all = self.computed((0..depth).map(|i| i as f32).collect(), shape)?;
        let equal = Op::Binary { function: BinaryFunction::Equal };
        let front = self.of_two(equal.clone(), wide.value, all)?;
        let moved = self.scaled(wide.value, 1.0, depth as f32)?;
        let behind = self.of_two(equal, moved, all)?;
        let hot = self.of_two(Op::Add, front, behind)?;
        dims[axis] = depth;
        let value = self.scaled(hot, on - off, off)?;
        let value = self.builder.reshape(value, self.shape_of(&dims))?;
        Ok(Act { value, dims })
    }
}
