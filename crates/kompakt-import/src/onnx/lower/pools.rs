//! Windows without weights, and averages over entire dimensions.

use super::{
    Act, Call, Lowering, Operand,
    layers::{Window, explicit, pair},
};
use crate::onnx::{
    proto::{AttributeProto, NodeProto, attribute_type},
    rules,
};
use kompakt_graph::{Op, Pair};

impl Lowering<'_> {
    pub(super) fn pool(&mut self, call: &Call<'_>, is_max: bool) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let n = x.dims.len().saturating_sub(2);
        if call.node.output.iter().skip(1).any(|o| !o.is_empty()) {
            return Err("the places of the largest elements are asked for".into());
        }
        if n == 3 {
            return self.volume_pool(call, is_max);
        }
        let kernel = call.node.sizes("kernel_shape", n, 0, 1)?;
        let window = Window::of(call, &x.dims, &kernel)?;
        let padding = window.padding(call, n)?;
        if window.dilation != [1, 1] {
            return self.dilated_pool(call, &x, &window, padding, is_max);
        }
        let padding = explicit(padding).ok_or("padding below 0")?;
        let (kernel, stride) = (pair(window.kernel), pair(window.stride));
        let ceil_mode = call.node.int("ceil_mode", 0) != 0;
        let op = if is_max {
            Op::MaxPool { kernel, stride, padding, ceil_mode }
        } else {
            let count_include_pad = call.node.int("count_include_pad", 0) != 0;
            Op::AvgPool { kernel, stride, padding, ceil_mode, count_include_pad }
        };
        let image = self.image(&x)?;
        let value = self.builder.op(call.name(), op, vec![image])?;
        self.like_image(&x, value)
    }

    /// `(sum |x|^p)^(1 / p)` over each window: a mean times the size of the window.
    pub(super) fn norm_pool(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let mut x = call.act(0)?.clone();
        let p = call.node.int("p", 2);
        if !(1..=2).contains(&p) || call.node.int("ceil_mode", 0) != 0 {
            return Err(format!("p is {p}; 1 and 2 are supported, and windows that lie within"));
        }
        x.value = if p == 1 { self.absolute(x.value)? } else { self.product(x.value, x.value)? };
        let kernel = call.node.sizes("kernel_shape", x.dims.len().saturating_sub(2), 0, 1)?;
        let counts = AttributeProto {
            name: "count_include_pad".into(),
            i: 1,
            r#type: attribute_type::INT,
            ..AttributeProto::default()
        };
        let mut node = NodeProto { op_type: "AveragePool".into(), ..call.node.clone() };
        node.attribute.push(counts);
        let mut y = self.pool(&Call { node: &node, inputs: vec![Some(Operand::Act(x))] }, false)?;
        y.value = self.scaled(y.value, kernel.iter().product::<usize>() as f32, 0.0)?;
        if p == 2 {
            y.value = self.root(y.value)?;
        }
        Ok(y)
    }

    pub(super) fn global_pool(&mut self, call: &Call<'_>, is_max: bool) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let &[b, c, ref rest @ ..] = &x.dims[..] else { return Err(format!("{:?} is no image", x.dims)) };
        if rest.is_empty() {
            return Err(format!("{:?} is no image", x.dims));
        }
        let last = rest.len() - 1;
        let image = self.builder.reshape(x.value, vec![c, rest[..last].iter().product(), rest[last]])?;
        let op = if is_max {
            let shape = self.builder.shape(image);
            let size = Pair { h: shape[1], w: shape[2] };
            Op::MaxPool { kernel: size, stride: size, padding: Default::default(), ceil_mode: false }
        } else {
            Op::GlobalAvgPool
        };
        let value = self.builder.op(call.name(), op, vec![image])?;
        let y = self.with_batch(value);
        let mut dims = vec![b, c];
        dims.extend(rest.iter().map(|_| 1));
        self.reshaped(&y, dims)
    }

    /// Reductions over any dimensions but the batch.
    pub(super) fn reduce(&mut self, call: &Call<'_>) -> Result<Act, String> {
        // A sum as a multiple of the mean knows the size.
        let is_sum =
            ["ReduceSum", "ReduceL1", "ReduceL2", "ReduceSumSquare"].contains(&call.node.op_type.as_str());
        if self.sizes_are_open && is_sum {
            return self.reduce_node(call);
        }
        let x = call.act(0)?.clone();
        let rank = x.dims.len();
        let axes = rules::axes(call.node, call.constant(1)?, rank)?;
        let axes = match axes {
            Some(axes) if !axes.is_empty() => axes,
            _ if call.node.int("noop_with_empty_axes", 0) != 0 => return Ok(x),
            _ => (0..rank).collect(),
        };
        if axes.contains(&0) {
            return Err("it goes over the batch".into());
        }
        let size = axes.iter().map(|&d| x.dims[d]).product::<usize>() as f32;
        let name = call.name();
        let with = |value| Act { value, dims: x.dims.clone() };
        let value = match call.node.op_type.as_str() {
            "ReduceMean" => self.mean(&x, &axes, name)?,
            "ReduceSum" => {
                let mean = self.mean(&x, &axes, name)?;
                self.scaled(mean, size, 0.0)?
            }
            "ReduceL1" => {
                let mean = self.absolute(x.value)?;
                let mean = self.mean(&with(mean), &axes, name)?;
                self.scaled(mean, size, 0.0)?
            }
            op @ ("ReduceL2" | "ReduceSumSquare") => {
                let mean = self.product(x.value, x.value)?;
                let mean = self.mean(&with(mean), &axes, name)?;
                let sum = self.scaled(mean, size, 0.0)?;
                if op == "ReduceL2" { self.root(sum)? } else { sum }
            }
            "ReduceMax" => self.largest(&x, &axes, name)?,
            "ReduceMin" => {
                let minus = self.scaled(x.value, -1.0, 0.0)?;
                let largest = self.largest(&with(minus), &axes, name)?;
                self.scaled(largest, -1.0, 0.0)?
            }
            "ReduceLogSumExp" => self.log_sum(&x, &axes)?,
            other => return Err(format!("{other} of a value")),
        };
        let keeps = call.node.int("keepdims", 1) != 0;
        let dims = (0..rank).filter(|d| keeps || !axes.contains(d));
        let dims = dims.map(|d| if axes.contains(&d) { 1 } else { x.dims[d] }).collect();
        self.reshaped(&Act { value, dims: self.with_batch(value).dims }, dims)
    }

    /// Reduced dimensions after the kept ones, as `[kept, h, w]`.
    fn brought_behind(&mut self, x: &Act, axes: &[usize]) -> Result<usize, String> {
        let kept: Vec<usize> = (1..x.dims.len()).filter(|d| !axes.contains(d)).collect();
        let order: Vec<usize> = kept.iter().chain(axes).map(|d| d - 1).collect();
        let size: usize = axes.iter().map(|&d| x.dims[d]).product();
        let channels: usize = kept.iter().map(|&d| x.dims[d]).product();
        let value = self.builder.transpose(x.value, order)?;
        // Two dimensions that were an image stay one, only for readability.
        let image = match axes[..] {
            [h, w] => vec![channels, x.dims[h], x.dims[w]],
            _ => vec![channels, 1, size],
        };
        self.builder.reshape(value, image)
    }

    /// `[kept, 1, 1]` with the value's own dimensions, the reduced ones 1.
    fn brought_back(&mut self, x: &Act, axes: &[usize], value: usize) -> Result<usize, String> {
        let one = |d: usize| if axes.contains(&d) { 1 } else { x.dims[d] };
        self.builder.reshape(value, (1..x.dims.len()).map(one).collect())
    }

    /// The mean over `axes`, which stay as dimensions of 1.
    pub(super) fn mean(&mut self, x: &Act, axes: &[usize], name: Option<&str>) -> Result<usize, String> {
        let image = self.brought_behind(x, axes)?;
        let mean = self.builder.op(name, Op::GlobalAvgPool, vec![image])?;
        self.brought_back(x, axes, mean)
    }

    /// The largest element over `axes`, which stay as dimensions of 1.
    fn largest(&mut self, x: &Act, axes: &[usize], name: Option<&str>) -> Result<usize, String> {
        let image = self.brought_behind(x, axes)?;
        let shape = self.builder.shape(image);
        let size = Pair { h: shape[1], w: shape[2] };
        let op = Op::MaxPool { kernel: size, stride: size, padding: Default::default(), ceil_mode: false };
        let largest = self.builder.op(name, op, vec![image])?;
        self.brought_back(x, axes, largest)
    }

    /// `log sum exp x` over `axes`: what log softmax subtracts from each element.
    fn log_sum(&mut self, x: &Act, axes: &[usize]) -> Result<usize, String> {
        let image = self.brought_behind(x, axes)?;
        let (channels, n) = {
            let shape = self.builder.shape(image);
            (shape[0], shape[1] * shape[2])
        };
        let rows = self.builder.reshape(image, vec![channels, n])?;
        let rows = self.builder.transpose(rows, vec![1, 0])?;
        let logs = self.builder.op(None, Op::LogSoftmax, vec![rows])?;
        let sums = self.builder.op(None, Op::Sub, vec![rows, logs])?;
        let op = Op::Slice { start: vec![0, 0], end: vec![1, channels], step: vec![1, 1] };
        let first = self.builder.op(None, op, vec![sums])?;
        self.brought_back(x, axes, first)
    }
}
