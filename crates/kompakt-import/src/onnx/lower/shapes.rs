//! Operators that move elements without changing them.

use super::{Act, Call, Lowering, Operand};
use crate::onnx::{
    fold,
    rules::{self, Run},
};
use kompakt_graph::Op;

/// The most indices of a gather.
const MAX_INDICES: usize = 1 << 16;

impl Lowering<'_> {
    pub(super) fn reshape_node(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let rank = x.dims.len();
        let dims = match call.node.op_type.as_str() {
            "Reshape" => {
                let target = match call.node.ints("shape") {
                    Some(list) => list,
                    None => call.needed(1)?.as_ints().ok_or("a shape that is no whole numbers")?,
                };
                rules::reshape(target, &x.dims, call.node.int("allowzero", 0) != 0)?
            }
            "Flatten" => {
                let at = call.node.int("axis", 1);
                let at = if at == rank as i64 { rank } else { rules::axis(at, rank)? };
                vec![x.dims[..at].iter().product(), x.dims[at..].iter().product()]
            }
            "Squeeze" => {
                let axes = rules::axes(call.node, call.constant(1)?, rank)?;
                let gone = |d: usize| axes.as_ref().map_or(d > 0 && x.dims[d] == 1, |a| a.contains(&d));
                (0..rank).filter(|&d| !gone(d)).map(|d| x.dims[d]).collect()
            }
            _ => fold::unsqueezed(call.node, call.constant(1)?, &x.dims)?,
        };
        self.reshaped(&x, dims)
    }

    pub(super) fn transpose_node(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let axes = fold::permutation(call.node, x.dims.len())?;
        if x.dims.len() == 1 {
            return Ok(x);
        }
        let value = self.builder.transpose(x.value, axes[1..].iter().map(|a| a - 1).collect())?;
        Ok(self.with_batch(value))
    }

    pub(super) fn concat(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let mut parts = Vec::new();
        for operand in &call.inputs {
            match operand {
                Some(Operand::Act(act)) => parts.push(act.clone()),
                // Nothing to join.
                Some(Operand::Const(c)) if c.len() == 0 => {}
                _ => return Err("it joins a value and a constant".into()),
            }
        }
        let first = parts.first().ok_or("it has no input")?;
        let axis = rules::axis(call.node.int("axis", 1), first.dims.len())?;
        if axis == 0 {
            return Err("it joins batches".into());
        }
        if parts.len() == 1 {
            return Ok(first.clone());
        }
        let mut fronts = Vec::new();
        let mut back = Vec::new();
        for part in &parts {
            let shape = self.builder.shape(part.value);
            if part.dims.len() != first.dims.len() || shape.len() < axis {
                return Err(format!("it joins {:?} and {:?}", first.dims, part.dims));
            }
            let (front, b) = self.builder.front(part.value, axis - 1)?;
            fronts.push(front);
            back = b;
        }
        let value = self.builder.op(call.name(), Op::Concat, fronts)?;
        let value = self.builder.transpose(value, back)?;
        Ok(self.with_batch(value))
    }

    pub(super) fn split(&mut self, call: &Call<'_>) -> Result<Vec<Act>, String> {
        let x = call.act(0)?.clone();
        let axis = rules::axis(call.node.int("axis", 0), x.dims.len())?;
        if axis == 0 {
            return Err("it splits the batch".into());
        }
        let size = x.dims[axis];
        let given = match (call.node.ints("split"), call.constant(1)?) {
            (Some(list), _) => Some(list.to_vec()),
            (None, Some(tensor)) => Some(tensor.as_ints().ok_or("sizes that are no whole numbers")?.to_vec()),
            (None, None) => None,
        };
        let lengths: Vec<usize> = match given {
            Some(list) => list.iter().map(|&v| usize::try_from(v).unwrap_or(0)).collect(),
            None => {
                let n = call.node.output.len().max(1);
                let each = size.div_ceil(n);
                (0..n).map(|i| each.min(size.saturating_sub(i * each))).collect()
            }
        };
        if lengths.iter().try_fold(0usize, |n, &l| n.checked_add(l)) != Some(size) || lengths.contains(&0) {
            return Err(format!("parts of {lengths:?} of a dimension of {size}"));
        }
        let mut first = 0;
        let mut parts = Vec::new();
        for n in lengths {
            parts.push(self.part(&x, axis, Run { first, n, step: 1 }, call.name())?);
            first += n;
        }
        Ok(parts)
    }

    pub(super) fn slice(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let mut x = call.act(0)?.clone();
        // Bounds must be constant where they are inputs.
        for index in 1..call.inputs.len() {
            call.constant(index)?;
        }
        for (axis, run) in rules::slices(call.node, &call.constants(), &x.dims)? {
            if axis == 0 && !run.is_all(x.dims[0]) {
                return Err("it takes part of the batch".into());
            }
            x = self.part(&x, axis, run, call.name())?;
        }
        Ok(x)
    }

    /// The indices `run` of dimension `axis`.
    pub(super) fn part(&mut self, x: &Act, axis: usize, run: Run, name: Option<&str>) -> Result<Act, String> {
        if run.is_all(x.dims[axis]) {
            return Ok(x.clone());
        }
        if run.n == 0 {
            return Err("nothing is left".into());
        }
        let shape = self.builder.shape(x.value).to_vec();
        let axis = axis - 1;
        let op = match usize::try_from(run.step) {
            Ok(distance) => {
                let (mut start, mut end, mut step) =
                    (vec![0; shape.len()], shape.clone(), vec![1; shape.len()]);
                start[axis] = run.first;
                end[axis] = run.first + (run.n - 1) * distance + 1;
                step[axis] = distance;
                Op::Slice { start, end, step }
            }
            Err(_) => Op::Gather { axis, indices: indices(run)? },
        };
        let value = self.builder.op(name, op, vec![x.value])?;
        Ok(self.with_batch(value))
    }

    pub(super) fn gather(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let chosen = call.needed(1)?;
        let axis = rules::axis(call.node.int("axis", 0), x.dims.len())?;
        if axis == 0 {
            return Err("it picks images of a batch".into());
        }
        let indices = fold::indices(chosen, x.dims[axis])?;
        if indices.is_empty() || indices.len() > MAX_INDICES {
            return Err(format!("{} indices", indices.len()));
        }
        let ascending = indices.windows(2).all(|w| w[0].checked_add(1) == Some(w[1]));
        let y = if ascending {
            self.part(&x, axis, Run { first: indices[0], n: indices.len(), step: 1 }, call.name())?
        } else {
            let value =
                self.builder.op(call.name(), Op::Gather { axis: axis - 1, indices }, vec![x.value])?;
            self.with_batch(value)
        };
        let mut dims = x.dims.clone();
        dims.splice(axis..=axis, chosen.dims.iter().copied());
        self.reshaped(&y, dims)
    }

    /// `Expand` and `Tile`: repeats dimensions.
    pub(super) fn repeat(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let mut x = call.act(0)?.clone();
        let sizes = fold::sizes(call.needed(1)?)?;
        let is_tile = call.node.op_type == "Tile";
        let rank = x.dims.len();
        if sizes.len() > rank {
            return Err(format!("{:?} gets new dimensions in front of its batch", x.dims));
        }
        let to = if is_tile {
            x.dims.iter().zip(&sizes).map(|(d, n)| d.saturating_mul(*n)).collect()
        } else {
            rules::broadcast(&x.dims, &sizes)?
        };
        if to.first() != x.dims.first() || to.len() != rank {
            return Err("the batch is repeated".into());
        }
        for (axis, &n) in to.iter().enumerate().skip(1) {
            let old = x.dims[axis];
            if old != n {
                if n == 0 || n > MAX_INDICES {
                    return Err(format!("a dimension is repeated to {n}"));
                }
                let indices = (0..n).map(|i| i % old).collect();
                let value =
                    self.builder.op(call.name(), Op::Gather { axis: axis - 1, indices }, vec![x.value])?;
                x = self.with_batch(value);
            }
        }
        Ok(x)
    }

    pub(super) fn pad(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let rank = x.dims.len();
        let mode = match call.node.text("mode") {
            "" => "constant",
            mode => mode,
        };
        let given = match (call.node.ints("pads"), call.constant(1)?) {
            (Some(list), _) => list.to_vec(),
            (None, Some(tensor)) => tensor.as_ints().ok_or("pads that are no whole numbers")?.to_vec(),
            (None, None) => return Err("its pads are missing".into()),
        };
        let axes: Vec<usize> = match call.constant(3)? {
            None => (0..rank).collect(),
            Some(t) => {
                let list = t.as_ints().ok_or("axes that are no whole numbers")?;
                list.iter().map(|&a| rules::axis(a, rank)).collect::<Result<_, _>>()?
            }
        };
        if given.len() != 2 * axes.len() || given.iter().any(|p| p.unsigned_abs() > 1 << 28) {
            return Err(format!("pads are {given:?}; {} numbers are expected", 2 * axes.len()));
        }
        let mut pads = vec![[0i64; 2]; rank];
        for (i, &axis) in axes.iter().enumerate() {
            pads[axis] = [given[i], given[i + axes.len()]];
        }
        if pads.first().is_some_and(|p| *p != [0, 0]) {
            return Err("it pads the batch".into());
        }
        let fill = match call.constant(2)? {
            Some(tensor) if tensor.len() > 0 => tensor.scalar().ok_or("a filling of many numbers")?,
            _ => call.node.float("value", 0.0),
        };
        let mut x = x;
        for (axis, &[before, after]) in pads.iter().enumerate() {
            let size = x.dims[axis];
            let cut = |p: i64| usize::try_from(-p.min(0)).unwrap_or(0);
            let n = size.checked_sub(cut(before)).and_then(|n| n.checked_sub(cut(after)));
            let n = n.ok_or("more is cut off than there is")?;
            x = self.part(&x, axis, Run { first: cut(before), n, step: 1 }, None)?;
        }
        let pads: Vec<[usize; 2]> = pads.iter().map(|p| p.map(|v| usize::try_from(v).unwrap_or(0))).collect();
        if pads.iter().all(|p| *p == [0, 0]) {
            return Ok(x);
        }
        match mode {
            "constant" => self.filled(call, &x, &pads[1..], fill),
            "reflect" | "edge" | "wrap" => self.mirrored(&x, &pads, mode),
            other => Err(format!("mode {other:?}")),
        }
    }

    fn filled(&mut self, call: &Call<'_>, x: &Act, pads: &[[usize; 2]], fill: f32) -> Result<Act, String> {
        if !fill.is_finite() {
            return Err(format!("a filling of {fill}"));
        }
        let mut value = x.value;
        if fill != 0.0 {
            value = self.builder.op(None, Op::Scale { factor: 1.0, offset: -fill }, vec![value])?;
        }
        let op = Op::Pad {
            before: pads.iter().map(|p| p[0]).collect(),
            after: pads.iter().map(|p| p[1]).collect(),
        };
        value = self.builder.op(call.name(), op, vec![value])?;
        if fill != 0.0 {
            value = self.builder.op(None, Op::Scale { factor: 1.0, offset: fill }, vec![value])?;
        }
        Ok(self.with_batch(value))
    }

    fn mirrored(&mut self, x: &Act, pads: &[[usize; 2]], mode: &str) -> Result<Act, String> {
        let mut x = x.clone();
        for (axis, &[before, after]) in pads.iter().enumerate() {
            if [before, after] == [0, 0] {
                continue;
            }
            let size = x.dims[axis];
            let total = size.saturating_add(before).saturating_add(after);
            if total > MAX_INDICES || (mode == "reflect" && before.max(after) >= size) {
                return Err(format!("padding of {before} and {after} around {size}"));
            }
            let n = size as i64;
            let source = |i: usize| {
                let i = i as i64 - before as i64;
                let i = match mode {
                    "edge" => i.clamp(0, n - 1),
                    "wrap" => i.rem_euclid(n),
                    _ if i < 0 => -i,
                    _ if i >= n => 2 * (n - 1) - i,
                    _ => i,
                };
                i as usize
            };
            let op = Op::Gather { axis: axis - 1, indices: (0..total).map(source).collect() };
            let value = self.builder.op(None, op, vec![x.value])?;
            x = self.with_batch(value);
        }
        Ok(x)
    }

    pub(super) fn depth_and_space(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let &[b, c, h, w] = &x.dims[..] else { return Err(format!("{:?} is no image", x.dims)) };
        let size = usize::try_from(call.node.int("blocksize", 1)).unwrap_or(0);
        let is_apart = size > 0 && size < 1 << 16;
        let (to_space, order) = (call.node.op_type == "DepthToSpace", call.node.text("mode"));
        if to_space {
            if !is_apart || c % (size * size) != 0 {
                return Err(format!("blocks of {size} in {:?}", x.dims));
            }
            let c = c / size / size;
            let (split, axes) = if order == "CRD" {
                (vec![c, size, size, h, w], vec![0, 3, 1, 4, 2])
            } else {
                (vec![size, size, c, h, w], vec![2, 3, 0, 4, 1])
            };
            let value = self.builder.reshape(x.value, split)?;
            let value = self.builder.transpose(value, axes)?;
            let value = self.builder.reshape(value, vec![c, h * size, w * size])?;
            return Ok(Act { value, dims: vec![b, c, h * size, w * size] });
        }
        if !is_apart || h % size != 0 || w % size != 0 {
            return Err(format!("blocks of {size} in {:?}", x.dims));
        }
        let value = self.builder.reshape(x.value, vec![c, h / size, size, w / size, size])?;
        let value = self.builder.transpose(value, vec![2, 4, 0, 1, 3])?;
        let value = self.builder.reshape(value, vec![c * size * size, h / size, w / size])?;
        Ok(self.with_batch(value))
    }
}

fn indices(run: Run) -> Result<Vec<usize>, String> {
    if run.n > MAX_INDICES {
        return Err(format!("{} indices from the last to the first", run.n));
    }
    Ok(run.indices().collect())
}
