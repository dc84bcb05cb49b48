//! Three-dimensional convolutions and pools, implemented by two-dimensional ones.
//!
//! ```text
//! [c, d, h, w] ──► the slices that each output slice reads, as channels;
//!                  output slices stacked in height ──► one convolution
//! ```

use super::{
    Act, Call, Lowering, Operand,
    layers::{Window, explicit, pair, transposed_padding},
};
use crate::onnx::{
    proto::{AttributeProto, NodeProto, attribute_type},
    rules::Run,
    tensor::Tensor,
};
use kompakt_graph::{Op, Padding};
use std::rc::Rc;

/// A node for a subset of another's directions: lists of three become lists of those.
fn of_directions(node: &NodeProto, directions: &[usize]) -> NodeProto {
    let mut part = node.clone();
    for attribute in &mut part.attribute {
        let list = attribute.ints.clone();
        let pick = |offset: usize| directions.iter().map(move |d| offset + d);
        match (attribute.name.as_str(), list.len()) {
            ("kernel_shape" | "strides" | "dilations" | "output_padding" | "output_shape", 3) => {
                attribute.ints = pick(0).map(|i| list[i]).collect();
            }
            ("pads", 6) => attribute.ints = pick(0).chain(pick(3)).map(|i| list[i]).collect(),
            _ => {}
        }
    }
    if node.attribute("kernel_shape").is_none() {
        let ints = vec![1; directions.len()];
        part.attribute.push(AttributeProto {
            name: "kernel_shape".into(),
            ints,
            r#type: attribute_type::INTS,
            ..Default::default()
        });
    }
    part
}

impl Lowering<'_> {
    /// A pool along height and width of each slice, then along the depth: the maximum of maxima, mean of means.
    pub(super) fn volume_pool(&mut self, call: &Call<'_>, is_max: bool) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let &[b, c, d, h, w] = &x.dims[..] else { return Err(format!("{:?} is no volume", x.dims)) };
        let pool = |lowering: &mut Self, directions: &[usize], x: Act| {
            let node = of_directions(call.node, directions);
            lowering.pool(&Call { node: &node, inputs: vec![Some(Operand::Act(x))] }, is_max)
        };
        let slices = self.builder.reshape(x.value, vec![c * d, h, w])?;
        let y = pool(self, &[1, 2], Act { value: slices, dims: vec![b, c * d, h, w] })?;
        let (h, w) = (y.dims[2], y.dims[3]);
        let lines = self.builder.reshape(y.value, vec![c, d, h * w])?;
        let turned = self.builder.transpose(lines, vec![0, 2, 1])?;
        let flat = self.builder.reshape(turned, vec![c * h * w, d])?;
        let y = pool(self, &[0], Act { value: flat, dims: vec![b, c * h * w, d] })?;
        let d = y.dims[2];
        let lines = self.builder.reshape(y.value, vec![c, h * w, d])?;
        let turned = self.builder.transpose(lines, vec![0, 2, 1])?;
        let value = self.builder.reshape(turned, vec![c, d, h, w])?;
        Ok(Act { value, dims: vec![b, c, d, h, w] })
    }

    pub(super) fn volume_convolution(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let (x, weights) = (call.act(0)?.clone(), call.needed(1)?.clone());
        let (&[b, c, d, h, w], &[out, per_group, kd, kh, kw]) = (&x.dims[..], &weights.dims[..]) else {
            return Err(format!("{:?} over {:?}", weights.dims, x.dims));
        };
        let groups = usize::try_from(call.node.int("group", 1)).map_err(|_| "groups below 0")?;
        if groups.checked_mul(per_group) != Some(c) {
            return Err(format!("{groups} groups of {per_group} channels where the input has {c}"));
        }
        // Depth, and height and width, as separate windows.
        let (node, plane) = (of_directions(call.node, &[0]), of_directions(call.node, &[1, 2]));
        let (depth_call, plane_call) =
            (Call { node: &node, inputs: vec![] }, Call { node: &plane, inputs: vec![] });
        let depth = Window::of(&depth_call, &[b, c, d], &[kd])?;
        let [_, [front, behind]] = depth.padding(&depth_call, 1)?;
        let window = Window::of(&plane_call, &[b, c, h, w], &[kh, kw])?;
        let padding = explicit(window.padding(&plane_call, 2)?).ok_or("padding below 0")?;
        let (Ok(front), Ok(behind)) = (usize::try_from(front), usize::try_from(behind)) else {
            return Err("padding below 0".into());
        };
        let (sd, sh) = (depth.stride[1], window.stride[0]);
        let n_depth =
            (d + front + behind).checked_sub(depth.reach(1)).ok_or("a window that does not fit")? / sd + 1;
        let rows = h + padding.top + padding.bottom;
        let n_rows = rows.checked_sub(window.reach(0)).ok_or("a window that does not fit")? / sh + 1;
        // Slices stacked in height, each padded to a multiple of the stride.
        let high = rows.next_multiple_of(sh);
        let op = Op::Pad {
            before: vec![0, front, padding.top, padding.left],
            after: vec![0, behind, padding.bottom + high - rows, padding.right],
        };
        let padded = self.builder.op(None, op, vec![x.value])?;
        let seen = (0..kd).flat_map(|k| (0..n_depth).map(move |z| (k, z)));
        let indices = seen.map(|(k, z)| z * sd + k * depth.dilation[1]).collect();
        let slices = self.builder.op(None, Op::Gather { axis: 1, indices }, vec![padded])?;
        let width = w + padding.left + padding.right;
        let image = self.builder.reshape(slices, vec![c * kd, n_depth * high, width])?;
        let bias = call.constant(2)?.map(Tensor::to_floats);
        let op = Op::Conv2d {
            out_channels: out,
            kernel: pair(window.kernel),
            stride: pair(window.stride),
            padding: Padding { bottom: window.reach(0) - 1, ..Padding::default() },
            dilation: pair(window.dilation),
            groups,
            bias: bias.is_some(),
        };
        self.n_parameters += bias.as_ref().map_or(0, Vec::len) as u64;
        let weight = self.weight(&weights)?;
        let y = self.layer(call.layer_name(1), op, image, weight, bias)?;
        let across = self.builder.shape(y)[2];
        let y = self.builder.reshape(y, vec![out, n_depth, high / sh, across])?;
        let y = Act { value: y, dims: vec![b, out, n_depth, high / sh, across] };
        self.part(&y, 3, Run { first: 0, n: n_rows, step: 1 }, None)
    }

    /// `ConvTranspose` of volumes: zeros between slices and between pixels, padding, and a convolution with the kernel
    /// reversed in every direction.
    pub(super) fn transposed_volume(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let (x, weights) = (call.act(0)?.clone(), call.needed(1)?.clone());
        let (&[b, c, d, h, w], &[channels, each, kd, kh, kw]) = (&x.dims[..], &weights.dims[..]) else {
            return Err(format!("{:?} over {:?}", weights.dims, x.dims));
        };
        let groups = usize::try_from(call.node.int("group", 1)).map_err(|_| "groups below 0")?;
        if channels != c || groups == 0 || c % groups != 0 {
            return Err(format!("{groups} groups of {channels} channels where the input has {c}"));
        }
        let (node, plane) = (of_directions(call.node, &[0]), of_directions(call.node, &[1, 2]));
        let (depth_call, plane_call) =
            (Call { node: &node, inputs: vec![] }, Call { node: &plane, inputs: vec![] });
        let depth = Window::of(&depth_call, &[b, c, d], &[kd])?;
        let window = Window::of(&plane_call, &[b, c, h, w], &[kh, kw])?;
        let [_, along_depth] = transposed_padding(&depth_call, &depth, 1)?;
        let [down, across] = transposed_padding(&plane_call, &window, 2)?;
        let [sd, sh, sw] = [depth.stride[1], window.stride[0], window.stride[1]];
        let spread = |n: usize, step: usize| (n - 1).saturating_mul(step).saturating_add(1);
        let [far, high, wide] = [spread(d, sd), spread(h, sh), spread(w, sw)];
        let mut value = self.builder.reshape(x.value, vec![c, d, h * w])?;
        value = self.builder.op(None, Op::Spread { step: pair([sd, 1]) }, vec![value])?;
        value = self.builder.reshape(value, vec![c * far, h, w])?;
        value = self.builder.op(None, Op::Spread { step: pair([sh, sw]) }, vec![value])?;
        value = self.builder.reshape(value, vec![c, far, high, wide])?;
        let mut spread = Act { value, dims: vec![b, c, far, high, wide] };
        for (axis, [before, after]) in [(2, along_depth), (3, down), (4, across)] {
            let cut = |p: i64| usize::try_from(-p.min(0)).unwrap_or(0);
            let n = spread.dims[axis].checked_sub(cut(before)).and_then(|n| n.checked_sub(cut(after)));
            let run = Run { first: cut(before), n: n.ok_or("more is cut off than there is")?, step: 1 };
            spread = self.part(&spread, axis, run, None)?;
        }
        // From [channels, each, …] to [groups * each, channels / groups, …], reversed.
        let (taps, per_group) = (kd * kh * kw, c / groups);
        let from = weights.to_floats();
        let mut reversed = Vec::with_capacity(from.len());
        for (group, m) in (0..groups).flat_map(|g| (0..each).map(move |m| (g, m))) {
            for k in 0..per_group {
                let first = ((group * per_group + k) * each + m) * taps;
                reversed.extend(from[first..first + taps].iter().rev());
            }
        }
        let list = |name: &str, ints: Vec<i64>| AttributeProto {
            name: name.into(),
            ints,
            r#type: attribute_type::INTS,
            ..Default::default()
        };
        let all = [along_depth, down, across];
        let pads = (0..2).flat_map(|end| all.map(|p| p[end].max(0))).collect();
        let dilations = [depth.dilation[1], window.dilation[0], window.dilation[1]].map(|d| d as i64);
        let mut attribute = vec![list("pads", pads), list("dilations", dilations.to_vec())];
        attribute.extend(call.node.attribute("group").cloned());
        let node = NodeProto { op_type: "Conv".into(), attribute, ..call.node.clone() };
        let weights = Tensor::floats(vec![groups * each, per_group, kd, kh, kw], reversed);
        let mut inputs = vec![Some(Operand::Act(spread)), Some(Operand::Const(Rc::new(weights)))];
        inputs.extend(call.inputs.get(2).cloned());
        self.volume_convolution(&Call { node: &node, inputs })
    }
}
