//! Layers with weights.

use super::{Act, Call, Lowering, Operand};
use crate::onnx::{builder::Numbers, rules, tensor::Tensor};
use kompakt_graph::{Op, Padding, Pair};
use std::rc::Rc;

/// The most elements that constant matrices are broadcast to.
const MAX_REPEATED: usize = 1 << 24;

/// The window of a convolution or pool, always of two dimensions: a one-dimensional one has height 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) size: [usize; 2],
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) dilation: [usize; 2],
}

impl Window {
    /// Reads strides and dilations; `kernel` is that of the file.
    pub(super) fn of(call: &Call<'_>, dims: &[usize], kernel: &[usize]) -> Result<Self, String> {
        let n = dims.len().saturating_sub(2);
        if !(1..=2).contains(&n) || kernel.len() != n || kernel.contains(&0) || dims[2..].contains(&0) {
            return Err(format!(
                "a window of {kernel:?} over {dims:?}; images of one or two dimensions are supported"
            ));
        }
        let pair = |v: &[usize], missing: usize| if n == 1 { [missing, v[0]] } else { [v[0], v[1]] };
        let numbers = |name| call.node.sizes(name, n, 1, 1);
        Ok(Self {
            size: pair(&dims[2..], 1),
            kernel: pair(kernel, 1),
            stride: pair(&numbers("strides")?, 1),
            dilation: pair(&numbers("dilations")?, 1),
        })
    }

    /// Extent of the window along one direction.
    pub(super) fn reach(&self, d: usize) -> usize {
        (self.kernel[d] - 1).saturating_mul(self.dilation[d]).saturating_add(1)
    }

    /// Padding before and after each direction, from any of the attributes that specify it.
    pub(super) fn padding(&self, call: &Call<'_>, n: usize) -> Result<[[i64; 2]; 2], String> {
        let mode = call.node.text("auto_pad");
        let mut padding = [[0i64; 2]; 2];
        match mode {
            "" | "NOTSET" => {
                let Some(list) = call.node.ints("pads") else { return Ok(padding) };
                if list.len() != 2 * n || list.iter().any(|p| p.unsigned_abs() > 1 << 28) {
                    return Err(format!("pads are {list:?}; {} numbers are expected", 2 * n));
                }
                for d in 0..n {
                    padding[d + 2 - n] = [list[d], list[d + n]];
                }
            }
            "VALID" => {}
            "SAME_UPPER" | "SAME_LOWER" => {
                for (d, padding) in padding.iter_mut().enumerate().skip(2 - n) {
                    let outputs = self.size[d].div_ceil(self.stride[d]);
                    let needed =
                        ((outputs - 1) * self.stride[d] + self.reach(d)).saturating_sub(self.size[d]) as i64;
                    let (less, more) = (needed / 2, needed - needed / 2);
                    *padding = if mode == "SAME_UPPER" { [less, more] } else { [more, less] };
                }
            }
            other => return Err(format!("auto_pad {other:?}")),
        }
        Ok(padding)
    }
}

/// Padding of at least 0 as the graph has it.
pub(super) fn explicit(padding: [[i64; 2]; 2]) -> Option<Padding> {
    let size = |v: i64| usize::try_from(v).ok();
    Some(Padding {
        top: size(padding[0][0])?,
        left: size(padding[1][0])?,
        bottom: size(padding[0][1])?,
        right: size(padding[1][1])?,
    })
}

pub(super) fn pair(v: [usize; 2]) -> Pair {
    Pair { h: v[0], w: v[1] }
}

impl Lowering<'_> {
    /// A value as a two-dimensional image; `back` undoes it for a result.
    pub(super) fn image(&mut self, x: &Act) -> Result<usize, String> {
        match x.dims[..] {
            [_, c, w] => self.builder.reshape(x.value, vec![c, 1, w]),
            [_, _, _, _] => Ok(x.value),
            _ => Err(format!("{:?} is no image", x.dims)),
        }
    }

    /// The result of an operator on an [`image`](Self::image), with as many dimensions as its input had.
    pub(super) fn like_image(&mut self, x: &Act, value: usize) -> Result<Act, String> {
        let y = self.with_batch(value);
        if x.dims.len() == 4 {
            return Ok(y);
        }
        let dims = vec![y.dims[0], y.dims[1], y.dims[3]];
        self.reshaped(&y, dims)
    }

    /// A bias of `n` elements: given in full, or one for all.
    pub(super) fn bias(&mut self, tensor: Option<&Tensor>, n: usize) -> Result<Option<Vec<f32>>, String> {
        let Some(tensor) = tensor else { return Ok(None) };
        self.n_parameters += tensor.len() as u64;
        let values = tensor.to_floats();
        match values.len() {
            1 => {
                self.ask(n)?;
                Ok(Some(vec![values[0]; n]))
            }
            len if len == n => Ok(Some(values)),
            len => Err(format!("a bias of {len} numbers for {n} outputs")),
        }
    }

    /// A weight as it is in the file, counted.
    pub(super) fn whole_weight(&mut self, tensor: &Rc<Tensor>) -> Result<Numbers, String> {
        self.n_parameters += tensor.len() as u64;
        match tensor.is_float() {
            true => Ok(Numbers::Shared(tensor.clone())),
            false => Err("weights that are no floats".into()),
        }
    }

    /// Elements of a weight, counted.
    pub(super) fn weight(&mut self, tensor: &Tensor) -> Result<Vec<f32>, String> {
        self.n_parameters += tensor.len() as u64;
        if !tensor.is_float() {
            return Err("weights that are no floats".into());
        }
        Ok(tensor.to_floats())
    }

    pub(super) fn convolution(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let (x, w) = (call.act(0)?.clone(), call.needed(1)?);
        if x.dims.len() == 5 {
            return self.volume_convolution(call);
        }
        let window = Window::of(call, &x.dims, w.dims.get(2..).unwrap_or_default())?;
        let padding = window.padding(call, x.dims.len() - 2)?;
        let out = w.dims[0];
        let bias = self.bias(call.constant(2)?, out)?;
        let weight = self.whole_weight(call.shared(1)?)?;
        let image = self.image(&x)?;
        let groups = usize::try_from(call.node.int("group", 1)).map_err(|_| "groups below 0")?;
        if groups.checked_mul(w.dims[1]) != Some(x.dims[1]) {
            return Err(format!(
                "{groups} groups of {} channels where the input has {}",
                w.dims[1], x.dims[1]
            ));
        }
        let op = Op::Conv2d {
            out_channels: out,
            kernel: pair(window.kernel),
            stride: pair(window.stride),
            padding: explicit(padding).ok_or("padding below 0")?,
            dilation: pair(window.dilation),
            groups,
            bias: bias.is_some(),
        };
        let value = self.layer(call.layer_name(1), op, image, weight, bias)?;
        self.like_image(&x, value)
    }

    /// Adds a layer with its parameters.
    pub(super) fn layer(
        &mut self,
        name: &str,
        op: Op,
        x: usize,
        weight: impl Into<Numbers>,
        bias: Option<Vec<f32>>,
    ) -> Result<usize, String> {
        let mut params = vec![("weight", weight.into())];
        params.extend(bias.map(|b| ("bias", b.into())));
        self.builder.push(Some(name), op, vec![x], params)
    }

    /// `ConvTranspose` as zeros between pixels, padding, and a convolution with the kernel rotated by 180
    /// degrees.
    pub(super) fn transposed_convolution(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let (x, w) = (call.act(0)?.clone(), call.needed(1)?);
        if x.dims.len() == 5 {
            return self.transposed_volume(call);
        }
        let window = Window::of(call, &x.dims, w.dims.get(2..).unwrap_or_default())?;
        let groups = usize::try_from(call.node.int("group", 1)).map_err(|_| "groups below 0")?;
        let channels = w.dims[0];
        if channels != x.dims[1] || groups == 0 || channels % groups != 0 {
            return Err(format!("{groups} groups of {channels} channels where the input has {}", x.dims[1]));
        }
        let out = w.dims[1].saturating_mul(groups);
        let bias = self.bias(call.constant(2)?, out)?;
        let weight = turned_round(&self.weight(w)?, channels, w.dims[1], window.kernel, groups);
        let padding = transposed_padding(call, &window, x.dims.len() - 2)?;
        let mut image = self.image(&x)?;
        if window.stride != [1, 1] {
            image = self.builder.op(None, Op::Spread { step: pair(window.stride) }, vec![image])?;
        }
        image = self.cropped(image, padding)?;
        let padding = explicit(padding.map(|p| p.map(|v| v.max(0)))).unwrap_or_default();
        let op = Op::Conv2d {
            out_channels: out,
            kernel: pair(window.kernel),
            stride: Pair::square(1),
            padding,
            dilation: pair(window.dilation),
            groups,
            bias: bias.is_some(),
        };
        let value = self.layer(call.layer_name(1), op, image, weight, bias)?;
        self.like_image(&x, value)
    }

    /// Crops for negative padding.
    pub(super) fn cropped(&mut self, image: usize, padding: [[i64; 2]; 2]) -> Result<usize, String> {
        if padding.as_flattened().iter().all(|&p| p >= 0) {
            return Ok(image);
        }
        let shape = self.builder.shape(image).to_vec();
        let cut = |d: usize, end: usize| usize::try_from(-padding[d][end].min(0)).unwrap_or(0);
        let start = vec![0, cut(0, 0), cut(1, 0)];
        let end = vec![shape[0], shape[1].saturating_sub(cut(0, 1)), shape[2].saturating_sub(cut(1, 1))];
        self.builder.op(None, Op::Slice { start, end, step: vec![1; 3] }, vec![image])
    }

    pub(super) fn gemm(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let (x, w) = (call.act(0)?.clone(), call.needed(1)?);
        if call.node.int("transA", 0) != 0 {
            return Err("its first input is transposed".into());
        }
        let &[_, n_in] = &x.dims[..] else { return Err(format!("its first input has shape {:?}", x.dims)) };
        let &[rows, columns] = &w.dims[..] else {
            return Err(format!("its second input has shape {:?}", w.dims));
        };
        let is_turned = call.node.int("transB", 0) != 0;
        let out = if is_turned { rows } else { columns };
        if n_in != rows + columns - out {
            return Err(format!("{n_in} inputs for a matrix of {:?}", w.dims));
        }
        let (alpha, beta) = (call.node.float("alpha", 1.0), call.node.float("beta", 1.0));
        let c = call.constant(2)?;
        if let Some(c) = c
            && c.len() > 1
            && c.dims.last() != Some(&out)
        {
            return Err(format!("a bias of shape {:?}", c.dims));
        }
        let mut bias = self.bias(c, out)?;
        let mut weight = self.weight(w)?;
        if !is_turned {
            weight = turned(&weight, columns);
        }
        weight.iter_mut().for_each(|v| *v *= alpha);
        bias.iter_mut().flatten().for_each(|v| *v *= beta);
        let op = Op::Linear { out_features: out, bias: bias.is_some() };
        let value = self.layer(call.layer_name(1), op, x.value, weight, bias)?;
        Ok(self.with_batch(value))
    }

    /// A product with a constant matrix on the right: a linear layer, or where there are many vectors an image, a
    /// convolution of 1x1.
    pub(super) fn matmul(&mut self, call: &Call<'_>) -> Result<Act, String> {
        match (&call.inputs[..], call.act(1)) {
            ([Some(Operand::Act(_)), ..], Ok(_)) => return self.product_of_values(call),
            ([Some(Operand::Const(w)), ..], Ok(x)) => return self.weights_first(call, w, &x.clone()),
            _ => {}
        }
        let x = call.act(0)?.clone();
        self.times(call, &x, call.needed(1)?, 1)
    }

    /// `W x` is the transpose of `x' W'`.
    fn weights_first(&mut self, call: &Call<'_>, w: &Tensor, x: &Act) -> Result<Act, String> {
        let rank = x.dims.len();
        let &[m, k] = &w.dims[..] else { return Err(format!("{:?} times {:?}", w.dims, x.dims)) };
        if rank < 3 {
            return Err(format!("{:?} times {:?}: images of a batch are mixed", w.dims, x.dims));
        }
        let mut order: Vec<usize> = (0..rank - 1).collect();
        order.swap(rank - 3, rank - 2);
        let turned_x = self.builder.transpose(x.value, order.clone())?;
        let turned_x = self.with_batch(turned_x);
        let turned_w = Tensor::floats(vec![k, m], turned(&w.to_floats(), k));
        let y = self.times(call, &turned_x, &turned_w, 0)?;
        let value = self.builder.transpose(y.value, order)?;
        Ok(self.with_batch(value))
    }

    /// A value times a constant, which is input `index`.
    fn times(&mut self, call: &Call<'_>, x: &Act, w: &Tensor, index: usize) -> Result<Act, String> {
        let (k, n) = match w.dims[..] {
            [.., k, n] if w.len() == k * n => (k, n),
            [k] => {
                let column = w.reshaped(vec![k, 1]);
                let y = self.matrices(call, x, &column)?;
                return self.reshaped(&y, y.dims[..y.dims.len() - 1].to_vec());
            }
            _ => return self.matrices(call, x, w),
        };
        if x.dims.len() < 2 || x.dims.last() != Some(&k) {
            return Err(format!("{:?} times {:?}", x.dims, w.dims));
        }
        let weight = turned(&self.weight(w)?, n);
        let mut dims = x.dims.clone();
        dims.pop();
        dims.push(n);
        let name = call.layer_name(index);
        if let [_, _] = x.dims[..] {
            let op = Op::Linear { out_features: n, bias: false };
            let value = self.layer(name, op, x.value, weight, None)?;
            return Ok(Act { value, dims });
        }
        let many: usize = x.dims[1..x.dims.len() - 1].iter().product();
        let columns = self.builder.reshape(x.value, vec![many, k])?;
        let columns = self.builder.transpose(columns, vec![1, 0])?;
        let image = self.builder.reshape(columns, vec![k, 1, many])?;
        let op = Op::Conv2d {
            out_channels: n,
            kernel: Pair::square(1),
            stride: Pair::square(1),
            padding: Padding::default(),
            dilation: Pair::square(1),
            groups: 1,
            bias: false,
        };
        let y = self.layer(name, op, image, weight, None)?;
        let y = self.builder.reshape(y, vec![n, many])?;
        let y = self.builder.transpose(y, vec![1, 0])?;
        let value = self.builder.reshape(y, dims[1..].to_vec())?;
        Ok(Act { value, dims })
    }
}

impl Lowering<'_> {
    /// A product with many constant matrices, one per matrix of an image: a 1x1 convolution with a group for
    /// each.
    fn matrices(&mut self, call: &Call<'_>, x: &Act, w: &Tensor) -> Result<Act, String> {
        let rank = x.dims.len();
        let wrong = || format!("{:?} times a constant of {:?}", x.dims, w.dims);
        if rank < 3 || w.dims.len() > rank || w.dims.len() < 2 {
            return Err(wrong());
        }
        let dims = rules::aligned(&w.dims, rank);
        let (many, k, n) = (&dims[..rank - 2], dims[rank - 2], dims[rank - 1]);
        let (r, last) = (x.dims[rank - 2], x.dims[rank - 1]);
        if many[0] != 1 || last != k {
            return Err(wrong());
        }
        let lead = rules::broadcast(&x.dims[1..rank - 2], &many[1..])?;
        let g = lead.iter().try_fold(1usize, |g, &d| g.checked_mul(d)).unwrap_or(usize::MAX);
        if g.saturating_mul(k).saturating_mul(n) > MAX_REPEATED {
            return Err(wrong());
        }
        let mut value = x.value;
        for (axis, (&old, &new)) in x.dims[1..rank - 2].iter().zip(&lead).enumerate() {
            if old != new {
                value = self.builder.op(None, Op::Gather { axis, indices: vec![0; new] }, vec![value])?;
            }
        }
        let to = [&lead[..], &[k, n]].concat();
        let all = w.pick(to.clone(), rules::repeated(&dims[1..], &to));
        let weight = self.weight(&all)?;
        self.n_parameters -= (all.len() - w.len()) as u64;
        let weight: Vec<f32> = weight.chunks_exact((k * n).max(1)).flat_map(|m| turned(m, n)).collect();
        let value = self.builder.reshape(value, vec![g, r, k])?;
        let value = self.builder.transpose(value, vec![0, 2, 1])?;
        let value = self.builder.reshape(value, vec![g * k, 1, r])?;
        let op = Op::Conv2d {
            out_channels: g * n,
            kernel: Pair::square(1),
            stride: Pair::square(1),
            padding: Padding::default(),
            dilation: Pair::square(1),
            groups: g,
            bias: false,
        };
        let value = self.layer(call.layer_name(1), op, value, weight, None)?;
        let value = self.builder.reshape(value, vec![g, n, r])?;
        let value = self.builder.transpose(value, vec![0, 2, 1])?;
        let value = self.builder.reshape(value, [&lead[..], &[r, n]].concat())?;
        Ok(self.with_batch(value))
    }
}

/// The transpose of a matrix of `columns` columns.
pub(super) fn turned(x: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|c| x.iter().skip(c).step_by(columns.max(1)).copied()).collect()
}

/// From `[channels, each, kh, kw]` to `[groups * each, channels / groups, kh, kw]`, kernels rotated by 180
/// degrees.
fn turned_round(w: &[f32], channels: usize, each: usize, kernel: [usize; 2], groups: usize) -> Vec<f32> {
    let (taps, per_group) = (kernel[0] * kernel[1], channels / groups);
    let mut turned = Vec::with_capacity(w.len());
    for (group, m) in (0..groups).flat_map(|g| (0..each).map(move |m| (g, m))) {
        for c in 0..per_group {
            let from = ((group * per_group + c) * each + m) * taps;
            turned.extend(w[from..from + taps].iter().rev());
        }
    }
    turned
}

/// The padding of the convolution that implements a transposed one.
pub(super) fn transposed_padding(
    call: &Call<'_>,
    window: &Window,
    n: usize,
) -> Result<[[i64; 2]; 2], String> {
    let extra = call.node.sizes("output_padding", n, 0, 0)?;
    let output_shape = call.node.ints("output_shape").map(<[i64]>::to_vec);
    let mode = call.node.text("auto_pad");
    let is_same = mode == "SAME_UPPER" || mode == "SAME_LOWER";
    let mut padding =
        if output_shape.is_some() || is_same { [[0; 2]; 2] } else { window.padding(call, n)? };
    for (d, padding) in padding.iter_mut().enumerate().skip(2 - n) {
        let i = d + n - 2;
        let (size, stride) = (window.size[d] as i64, window.stride[d] as i64);
        let reach = window.reach(d) as i64;
        let target = match &output_shape {
            Some(list) => {
                Some(*list.get(list.len().wrapping_sub(n) + i).ok_or("an output shape that is too short")?)
            }
            None if is_same => Some(size * stride),
            None => None,
        };
        if let Some(target) = target {
            let total = stride * (size - 1) + extra[i] as i64 + reach - target;
            let half = total.div_euclid(2);
            *padding = if mode == "SAME_UPPER" { [half, total - half] } else { [total - half, half] };
        }
        *padding = [reach - 1 - padding[0], reach - 1 - padding[1] + extra[i] as i64];
        if padding.iter().any(|p| p.unsigned_abs() > 1 << 28) {
            return Err("padding beyond all bounds".into());
        }
    }
    Ok(padding)
}
