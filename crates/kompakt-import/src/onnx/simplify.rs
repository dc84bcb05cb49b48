//! Fewer nodes for the same function: decomposed activations are fused again, scales and biases folded into
//! layers, padding into convolutions, and unused nodes removed.
//!
//! Each pass sees only nodes that an output needs, with exact numbers of readers: both are recomputed before
//! each pass. A rewrite that would change the shape of a value is not done.

use crate::onnx::builder::{Builder, Built, Value};
use kompakt_graph::{Node, Op, Padding, output_shape};

/// A simplified network.
pub(crate) struct Simplified {
    pub(crate) builder: Builder,
    /// The outputs.
    pub(crate) outputs: Vec<Value>,
    /// For each value of the original network, the value that holds the same elements, if one is left.
    pub(crate) standing: Vec<Option<Value>>,
}

/// Simplifies a network with the given outputs.
pub(crate) fn simplify(builder: Builder, outputs: Vec<Value>) -> Simplified {
    let mut net = Net::new(builder, outputs);
    for pass in [Net::recognise, Net::absorb_padding, Net::absorb_affine] {
        net.count();
        for index in 0..net.nodes.len() {
            if net.is_read(index) {
                pass(&mut net, index);
            }
        }
    }
    net.finish()
}

struct Net {
    builder: Builder,
    nodes: Vec<Built>,
    outputs: Vec<Value>,
    /// For each value, the one that replaces it.
    alias: Vec<Value>,
    /// For each original value, the one that holds its elements; a layer that absorbs a scale then holds others.
    standing: Vec<Option<Value>>,
    /// How often each value is read by nodes that are read themselves; an output counts twice.
    uses: Vec<usize>,
}

impl Net {
    fn new(mut builder: Builder, outputs: Vec<Value>) -> Self {
        let nodes = std::mem::take(&mut builder.nodes);
        let n_values = builder.inputs.len() + nodes.len();
        let standing = (0..n_values).map(Some).collect();
        Self { builder, nodes, outputs, alias: (0..n_values).collect(), standing, uses: vec![0; n_values] }
    }

    /// Counts readers, from the outputs backwards: a node that no output needs has none and reads nothing.
    fn count(&mut self) {
        self.uses.fill(0);
        for &output in &self.outputs {
            self.uses[self.alias[output]] += 2;
        }
        for index in (0..self.nodes.len()).rev() {
            if self.is_read(index) {
                for i in 0..self.nodes[index].inputs.len() {
                    let value = self.input(index, i);
                    self.uses[value] += 1;
                }
            }
        }
    }

    fn is_read(&self, index: usize) -> bool {
        self.uses[self.value(index)] > 0
    }

    fn value(&self, index: usize) -> Value {
        self.builder.inputs.len() + index
    }

    /// Input `i` of a node, after replacement.
    fn input(&self, index: usize, i: usize) -> Value {
        self.alias[self.nodes[index].inputs[i]]
    }

    /// The node that makes a value.
    fn maker(&self, value: Value) -> Option<usize> {
        value.checked_sub(self.builder.inputs.len())
    }

    /// The node that makes input `i` of a node, if nobody else reads it.
    fn own_maker(&self, index: usize, i: usize) -> Option<usize> {
        let value = self.input(index, i);
        self.maker(value).filter(|_| self.uses[value] == 1)
    }

    /// Replaces a node's operator and inputs, if the shape stays the same; values that it no longer reads
    /// lose a reader.
    fn reroute(&mut self, index: usize, op: Op, inputs: Vec<Value>) {
        let node = Node { name: String::new(), op, inputs };
        let operands: Vec<&[usize]> = node.inputs.iter().map(|&v| self.builder.shape(v)).collect();
        if !output_shape(&node, &operands).is_ok_and(|s| s == self.builder.shape(self.value(index))) {
            return;
        }
        node.inputs.iter().for_each(|&v| self.uses[v] += 1);
        for i in 0..self.nodes[index].inputs.len() {
            self.release(self.input(index, i));
        }
        self.nodes[index].op = node.op;
        self.nodes[index].inputs = node.inputs;
    }

    /// Removes a reader from a value, and if it was the last, from the inputs of its node, and so on.
    fn release(&mut self, value: Value) {
        let mut released = vec![value];
        while let Some(value) = released.pop() {
            self.uses[value] = self.uses[value].saturating_sub(1);
            if self.uses[value] == 0
                && let Some(maker) = self.maker(value)
            {
                released.extend((0..self.nodes[maker].inputs.len()).map(|i| self.input(maker, i)));
            }
        }
    }

    /// Fuses activations that exporters decompose.
    fn recognise(&mut self, index: usize) {
        if self.nodes[index].op == Op::Mul {
            for (gate, x) in [(0, 1), (1, 0)] {
                let x = self.input(index, x);
                let Some(maker) = self.own_maker(index, gate) else { continue };
                if self.input(maker, 0) != x {
                    continue;
                }
                let op = match self.nodes[maker].op {
                    Op::Sigmoid => Op::Silu,
                    Op::HardSigmoid { slope, offset } if is_near(slope, 1.0 / 6.0) && offset == 0.5 => {
                        Op::HardSwish
                    }
                    _ => continue,
                };
                return self.reroute(index, op, vec![x]);
            }
        } else if let Op::Scale { factor, offset: 0.0 } = self.nodes[index].op {
            let Some(maker) = self.own_maker(index, 0) else { return };
            if let Some((x, slope, offset, high)) = self.ramp(maker)
                && is_near(factor * high, 1.0)
            {
                let op = Op::HardSigmoid { slope: slope / high, offset: offset / high };
                return self.reroute(index, op, vec![x]);
            }
            if self.nodes[maker].op != Op::Mul || !is_near(factor, 1.0 / 6.0) {
                return;
            }
            for (gate, x) in [(0, 1), (1, 0)] {
                let x = self.input(maker, x);
                let ramp = self.own_maker(maker, gate).and_then(|m| self.ramp(m));
                if ramp == Some((x, 1.0, 3.0, 6.0)) {
                    return self.reroute(index, Op::HardSwish, vec![x]);
                }
            }
        }
    }

    /// `clip(slope x + offset, 0, high)`: returns x, slope, offset and high.
    fn ramp(&self, clip: usize) -> Option<(Value, f32, f32, f32)> {
        let Op::Clip { low: 0.0, high } = self.nodes[clip].op else { return None };
        let maker = self.own_maker(clip, 0)?;
        let Op::Scale { factor, offset } = self.nodes[maker].op else { return None };
        Some((self.input(maker, 0), factor, offset, high))
    }

    /// A pad of an image that only a convolution reads becomes the convolution's own.
    fn absorb_padding(&mut self, index: usize) {
        let Op::Conv2d { padding, .. } = &self.nodes[index].op else { return };
        let padding = *padding;
        let Some(maker) = self.own_maker(index, 0) else { return };
        let Op::Pad { before, after } = &self.nodes[maker].op else { return };
        let (&[0, top, left], &[0, bottom, right]) = (&before[..], &after[..]) else { return };
        let all = Padding {
            top: padding.top + top,
            left: padding.left + left,
            bottom: padding.bottom + bottom,
            right: padding.right + right,
        };
        let mut op = self.nodes[index].op.clone();
        if let Op::Conv2d { padding, .. } = &mut op {
            *padding = all;
        }
        let x = self.input(maker, 0);
        self.reroute(index, op, vec![x]);
    }

    /// A scale and a bias are folded into the layer, or the scale and bias, that only they read. The rest of
    /// a batch norm is a scale and a bias.
    fn absorb_affine(&mut self, index: usize) {
        let Some((scale, shift)) = self.affine(index) else { return };
        let layer =
            self.own_maker(index, 0).and_then(|m| Some((m, multiplied(&self.nodes[m], &scale, &shift)?)));
        match layer {
            Some((layer, built)) => {
                self.nodes[layer] = built;
                let (from, to) = (self.value(index), self.value(layer));
                self.uses[to] = std::mem::take(&mut self.uses[from]);
                self.alias.iter_mut().filter(|a| **a == from).for_each(|a| *a = to);
                // The layer's original values are gone; the layer now holds those of the scale.
                self.standing.iter_mut().filter(|s| **s == Some(to)).for_each(|s| *s = None);
                self.standing.iter_mut().filter(|s| **s == Some(from)).for_each(|s| *s = Some(to));
            }
            None => {
                let node = &mut self.nodes[index];
                if let Op::BatchNorm { .. } = node.op {
                    node.op = Op::ScaleBias;
                    let f32s = |v: Vec<f64>| v.into_iter().map(|x| x as f32).collect::<Vec<f32>>();
                    node.params = vec![("weight", f32s(scale).into()), ("bias", f32s(shift).into())];
                }
            }
        }
    }

    /// Scale and shift of each channel, for a node that does only that.
    fn affine(&self, index: usize) -> Option<(Vec<f64>, Vec<f64>)> {
        let node = &self.nodes[index];
        let get = |i: usize| node.params.get(i).map(|(_, v)| v.iter().map(|&x| f64::from(x)));
        match node.op {
            Op::Scale { factor, offset } => {
                let maker = self.maker(self.input(index, 0))?;
                let n = match &self.nodes[maker].op {
                    Op::Linear { out_features: n, .. } | Op::Conv2d { out_channels: n, .. } => *n,
                    Op::ScaleBias => self.nodes[maker].params.first()?.1.len(),
                    _ => return None,
                };
                Some((vec![f64::from(factor); n], vec![f64::from(offset); n]))
            }
            Op::ScaleBias => Some((get(0)?.collect(), get(1)?.collect())),
            Op::BatchNorm { eps } => {
                let (weight, bias, mean, variance) = (get(0)?, get(1)?, get(2)?, get(3)?);
                let scale: Vec<f64> =
                    weight.zip(variance).map(|(w, v)| w / (v.max(0.0) + f64::from(eps)).sqrt()).collect();
                let shift = bias.zip(mean).zip(&scale).map(|((b, m), s)| b - s * m).collect();
                Some((scale, shift))
            }
            _ => None,
        }
    }

    /// Removes nodes that no output needs, and renumbers.
    fn finish(mut self) -> Simplified {
        self.count();
        let n_inputs = self.builder.inputs.len();
        let mut new: Vec<Option<Value>> = vec![None; self.alias.len()];
        (0..n_inputs).for_each(|v| new[v] = Some(v));
        let renumbered = |new: &[Option<Value>], v: Value| new[v].unwrap_or_default();
        for (index, mut node) in std::mem::take(&mut self.nodes).into_iter().enumerate() {
            let value = n_inputs + index;
            if self.uses[value] > 0 {
                node.inputs.iter_mut().for_each(|v| *v = renumbered(&new, self.alias[*v]));
                new[value] = Some(n_inputs + self.builder.nodes.len());
                self.builder.nodes.push(node);
            }
        }
        let mut outputs: Vec<Value> = self.outputs.iter().map(|&v| renumbered(&new, self.alias[v])).collect();
        let standing = self.standing.iter().map(|v| v.and_then(|v| new[v])).collect();
        if self.builder.nodes.is_empty() {
            // A graph has at least one node.
            let op = Op::Scale { factor: 1.0, offset: 0.0 };
            self.builder.nodes.push(Built { name: None, op, inputs: vec![outputs[0]], params: vec![] });
            outputs[0] = n_inputs;
        }
        Simplified { builder: self.builder, outputs, standing }
    }
}

/// A layer with `weight[o, …] *= scale[o]`, `bias[o] = bias[o] * scale[o] + shift[o]`; `None` if it is not a
/// layer, has another number of channels, or would hold NaN or infinity.
fn multiplied(layer: &Built, scale: &[f64], shift: &[f64]) -> Option<Built> {
    let mut layer = layer.clone();
    let n = scale.len();
    match &mut layer.op {
        Op::Linear { bias, out_features: channels } | Op::Conv2d { bias, out_channels: channels, .. }
            if *channels == n =>
        {
            *bias = true;
        }
        Op::ScaleBias if layer.params.first().is_some_and(|(_, v)| v.len() == n) => {}
        _ => return None,
    }
    if layer.params.len() < 2 {
        layer.params.push(("bias", vec![0.0; n].into()));
    }
    let weight = layer.params[0].1.to_mut();
    let each = (weight.len() / n.max(1)).max(1);
    for (row, s) in weight.chunks_mut(each).zip(scale) {
        row.iter_mut().for_each(|w| *w = (f64::from(*w) * s) as f32);
    }
    for (b, (s, t)) in layer.params[1].1.to_mut().iter_mut().zip(scale.iter().zip(shift)) {
        *b = (f64::from(*b) * s + t) as f32;
    }
    let is_finite = layer.params.iter().all(|(_, v)| v.iter().all(|x| x.is_finite()));
    is_finite.then_some(layer)
}

fn is_near(a: f32, b: f32) -> bool {
    (a - b).abs() <= 1e-6 * b.abs()
}
