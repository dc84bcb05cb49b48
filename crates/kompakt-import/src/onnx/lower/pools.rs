//! Windows without weights, and averages over whole dimensions.

use super::{
    Act, Call, Lowering,
    layers::{Window, explicit, pair},
};
use crate::onnx::rules;
use kompakt_graph::{Op, Pair};

impl Lowering<'_> {
    pub(super) fn pool(&mut self, call: &Call<'_>, is_max: bool) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let n = x.dims.len().saturating_sub(2);
        if call.node.output.iter().skip(1).any(|o| !o.is_empty()) {
            return Err("the places of the largest elements are asked for".into());
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

    /// Mean or sum over any dimensions but the batch: those are brought to the end and pooled as one.
    pub(super) fn reduce(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let rank = x.dims.len();
        let axes = rules::axes(call.node, call.constant(1)?, rank)?;
        let axes = match axes {
            Some(axes) if !axes.is_empty() => axes,
            _ if call.node.int("noop_with_empty_axes", 0) != 0 => return Ok(x),
            _ => (0..rank).collect(),
        };
        if axes.contains(&0) {
            return Err("it averages over the batch".into());
        }
        let kept: Vec<usize> = (1..rank).filter(|d| !axes.contains(d)).collect();
        let order: Vec<usize> = kept.iter().chain(&axes).map(|d| d - 1).collect();
        let size: usize = axes.iter().map(|&d| x.dims[d]).product();
        let channels: usize = kept.iter().map(|&d| x.dims[d]).product();
        let value = self.builder.transpose(x.value, order)?;
        // Two dimensions that were an image stay one: it makes no difference but to the eye.
        let image = match axes[..] {
            [h, w] => vec![channels, x.dims[h], x.dims[w]],
            _ => vec![channels, 1, size],
        };
        let value = self.builder.reshape(value, image)?;
        let mut value = self.builder.op(call.name(), Op::GlobalAvgPool, vec![value])?;
        if call.node.op_type == "ReduceSum" {
            value = self.builder.op(None, Op::Scale { factor: size as f32, offset: 0.0 }, vec![value])?;
        }
        let keeps = call.node.int("keepdims", 1) != 0;
        let dims = (0..rank).filter(|d| keeps || !axes.contains(d));
        let dims = dims.map(|d| if axes.contains(&d) { 1 } else { x.dims[d] }).collect();
        let y = self.with_batch(value);
        self.reshaped(&y, dims)
    }
}
