//! Operators that move, drop or repeat elements.

use super::super::{Act, Call, Lowering, Operand};
use crate::onnx::{
    fold,
    rules::{self, Run},
    tensor::Tensor,
};
use kompakt_graph::{MAX_INDICES, Op};

impl Lowering<'_> {
    pub(super) fn view_node(&mut self, call: &Call<'_>) -> Result<Act, String> {
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
                let gone = |d: usize| axes.as_ref().map_or(x.dims[d] == 1, |a| a.contains(&d));
                if (0..rank).any(|d| gone(d) && x.dims[d] != 1) {
                    return Err(format!("a dimension of {:?} that is not 1 cannot go", x.dims));
                }
                (0..rank).filter(|&d| !gone(d)).map(|d| x.dims[d]).collect()
            }
            _ => fold::unsqueezed(call.node, call.constant(1)?, &x.dims)?,
        };
        self.view(&x, dims)
    }

    pub(super) fn turn_node(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let axes = fold::permutation(call.node, x.dims.len())?;
        let dims = axes.iter().map(|&a| x.dims[a]).collect();
        if self.lead == 1 && axes.first() != Some(&0) {
            return Err("it moves the batch".into());
        }
        if axes.len() <= self.lead {
            return Ok(x);
        }
        let order = axes[self.lead..].iter().map(|a| a - self.lead).collect();
        let value = self.builder.transpose(x.value, order)?;
        Ok(Act { value, dims })
    }

    pub(super) fn join_node(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let mut parts: Vec<Act> = Vec::new();
        for (index, operand) in call.inputs.iter().enumerate() {
            match operand {
                Some(Operand::Const(c)) if c.len() == 0 => {}
                Some(_) => parts.push(self.value_of(call, index)?),
                None => return Err("an input is missing".into()),
            }
        }
        let first = parts.first().ok_or("it has no input")?.clone();
        let axis = rules::axis(call.node.int("axis", 1), first.dims.len())?;
        let here = self.here(axis)?;
        if parts.len() == 1 {
            return Ok(first);
        }
        let (mut fronts, mut back, mut dims) = (Vec::new(), Vec::new(), first.dims.clone());
        dims[axis] = 0;
        for part in &parts {
            let fits = part.dims.len() == dims.len()
                && (0..dims.len()).all(|d| d == axis || part.dims[d] == dims[d]);
            if !fits {
                return Err(format!("it joins {:?} and {:?}", first.dims, part.dims));
            }
            dims[axis] += part.dims[axis];
            let (front, b) = self.builder.front(part.value, here)?;
            fronts.push(front);
            back = b;
        }
        let value = self.builder.op(call.name(), Op::Concat, fronts)?;
        let value = self.builder.transpose(value, back)?;
        let value = self.builder.reshape(value, self.shape_of(&dims))?;
        Ok(Act { value, dims })
    }

    pub(super) fn split_node(&mut self, call: &Call<'_>) -> Result<Vec<Act>, String> {
        let x = call.act(0)?.clone();
        let axis = rules::axis(call.node.int("axis", 0), x.dims.len())?;
        self.here(axis)?;
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
        let (mut first, mut parts) = (0, Vec::new());
        for n in lengths {
            parts.push(self.cut(&x, axis, Run { first, n, step: 1 })?);
            first += n;
        }
        Ok(parts)
    }

    pub(super) fn slice_node(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let mut x = call.act(0)?.clone();
        for index in 1..call.inputs.len() {
            call.constant(index)?;
        }
        for (axis, run) in rules::slices(call.node, &call.constants(), &x.dims)? {
            if !run.is_all(x.dims[axis]) {
                x = self.cut(&x, axis, run)?;
            }
        }
        Ok(x)
    }

    /// The indices `run` of an axis of the file.
    pub(in super::super) fn cut(&mut self, x: &Act, axis: usize, run: Run) -> Result<Act, String> {
        if run.is_all(x.dims[axis]) {
            return Ok(x.clone());
        }
        if run.n == 0 {
            return Err("nothing is left".into());
        }
        let here = self.here(axis)?;
        let shape = self.builder.shape(x.value).to_vec();
        let op = match usize::try_from(run.step) {
            Ok(distance) => {
                let (mut start, mut end, mut step) =
                    (vec![0; shape.len()], shape.clone(), vec![1; shape.len()]);
                start[here] = run.first;
                end[here] = run.first + (run.n - 1) * distance + 1;
                step[here] = distance;
                Op::Slice { start, end, step }
            }
            Err(_) => {
                if run.n > MAX_INDICES {
                    return Err(format!("{} indices from the last to the first", run.n));
                }
                Op::Gather { axis: here, indices: run.indices().collect() }
            }
        };
        let value = self.builder.op(None, op, vec![x.value])?;
        let mut dims = x.dims.clone();
        dims[axis] = run.n;
        Ok(Act { value, dims })
    }

    /// Elements of an axis of the file, by their indices.
    pub(super) fn picked(&mut self, x: &Act, axis: usize, indices: Vec<usize>) -> Result<Act, String> {
        if indices.is_empty() || indices.len() > MAX_INDICES {
            return Err(format!("{} indices", indices.len()));
        }
        let n = indices.len();
        if indices.windows(2).all(|w| w[0] + 1 == w[1]) {
            return self.cut(x, axis, Run { first: indices[0], n, step: 1 });
        }
        let here = self.here(axis)?;
        let value = self.builder.op(None, Op::Gather { axis: here, indices }, vec![x.value])?;
        let mut dims = x.dims.clone();
        dims[axis] = n;
        Ok(Act { value, dims })
    }

    pub(super) fn repeat_node(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let mut x = call.act(0)?.clone();
        let sizes = fold::sizes(call.needed(1)?)?;
        let to: Vec<usize> = if call.node.op_type == "Tile" {
            if sizes.len() != x.dims.len() {
                return Err("not one repeat a dimension".into());
            }
            x.dims.iter().zip(&sizes).map(|(d, n)| d.saturating_mul(*n)).collect()
        } else {
            rules::broadcast(&x.dims, &sizes)?
        };
        x = self.view(&x, rules::aligned(&x.dims, to.len()))?;
        for (axis, &n) in to.iter().enumerate() {
            let old = x.dims[axis];
            if old != n {
                x = self.picked(&x, axis, (0..n.min(MAX_INDICES + 1)).map(|i| i % old).collect())?;
            }
        }
        Ok(x)
    }

    pub(super) fn pad_node(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let mut x = call.act(0)?.clone();
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
        if given.len() != 2 * axes.len() || given.iter().any(|p| p.unsigned_abs() > 1 << 16) {
            return Err(format!("pads are {given:?}; {} numbers are expected", 2 * axes.len()));
        }
        let fill = match call.constant(2)? {
            Some(tensor) if tensor.len() > 0 => tensor.scalar().ok_or("a filling of many numbers")?,
            _ => call.node.float("value", 0.0),
        };
        for (i, &axis) in axes.iter().enumerate() {
            let [before, after] = [given[i], given[i + axes.len()]];
            if (before, after) == (0, 0) {
                continue;
            }
            let n = x.dims[axis] as i64;
            if before + n + after <= 0 {
                return Err("more is cut off than there is".into());
            }
            let source = |i: i64| match mode {
                "edge" => i.clamp(0, n - 1),
                "wrap" => i.rem_euclid(n),
                "reflect" if n == 1 => 0,
                "reflect" => {
                    let i = i.rem_euclid(2 * (n - 1));
                    if i < n { i } else { 2 * (n - 1) - i }
                }
                _ => i,
            };
            if matches!(mode, "edge" | "wrap" | "reflect") {
                if before + n + after > MAX_INDICES as i64 {
                    return Err(format!("padding of {before} and {after} around {n}"));
                }
                let indices = (-before..n + after).map(|i| source(i) as usize).collect();
                x = self.picked(&x, axis, indices)?;
                continue;
            }
            if mode != "constant" || !fill.is_finite() {
                return Err(format!("mode {mode:?} with {fill}"));
            }
            let cut = |p: i64| (-p).max(0);
            let run = Run {
                first: cut(before) as usize,
                n: (n - cut(before) - cut(after)).max(0) as usize,
                step: 1,
            };
            x = self.cut(&x, axis, run)?;
            let here = self.here(axis)?;
            let shape = self.builder.shape(x.value).len();
            let (mut front, mut behind) = (vec![0; shape], vec![0; shape]);
            (front[here], behind[here]) = (before.max(0) as usize, after.max(0) as usize);
            x.dims[axis] += front[here] + behind[here];
            let moved = if fill == 0.0 { x.value } else { self.scaled(x.value, 1.0, -fill)? };
            let padded = self.builder.op(None, Op::Pad { before: front, after: behind }, vec![moved])?;
            x.value = if fill == 0.0 { padded } else { self.scaled(padded, 1.0, fill)? };
        }
        Ok(x)
    }

    /// The upper or lower triangle of matrices, the rest 0.
    pub(super) fn triangle(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let k = call.constant(1)?.and_then(Tensor::scalar).unwrap_or(0.0) as i64;
        let is_upper = call.node.int("upper", 1) != 0;
        let &[.., h, w] = &x.dims[..] else { return Err(format!("{:?} is no matrix", x.dims)) };
        let is_kept = |i: usize| {
            let above = (i % w) as i64 - (i / w) as i64;
            if is_upper { above >= k } else { above <= k }
        };
        let mut shape = vec![1; self.builder.shape(x.value).len()];
        let rank = shape.len();
        if rank < 2 {
            return Err(format!("{:?} is no matrix", x.dims));
        }
        self.ask(h * w)?;
        (shape[rank - 2], shape[rank - 1]) = (h, w);
        let mask = self.computed((0..h * w).map(|i| f32::from(u8::from(is_kept(i)))).collect(), shape)?;
        self.make(call, Op::Mul, vec![x.value, mask], x.dims)
    }

    /// The elements of an axis, or of all, that a constant boolean list keeps.
    pub(super) fn compress_node(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let mut x = call.act(0)?.clone();
        let kept: Vec<usize> = call
            .needed(1)?
            .to_floats()
            .iter()
            .enumerate()
            .filter(|(_, c)| **c != 0.0)
            .map(|(i, _)| i)
            .collect();
        let axis = match call.node.attribute("axis") {
            Some(axis) => rules::axis(axis.i, x.dims.len())?,
            None => {
                let n = x.dims.iter().product();
                x = self.view(&x, vec![n])?;
                0
            }
        };
        self.picked(&x, axis, kept)
    }
}
