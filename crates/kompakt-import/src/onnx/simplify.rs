//! Fewer nodes for the same function: activations put together again, scales and biases folded into layers, padding
//! into convolutions, and nothing left that nobody reads.

use crate::onnx::builder::{Builder, Built, Value};
use kompakt_graph::{Op, Padding};

/// Gives the network and its outputs, renumbered.
pub(crate) fn simplify(builder: Builder, outputs: Vec<Value>) -> (Builder, Vec<Value>) {
    let mut net = Net::new(builder, outputs);
    for index in 0..net.nodes.len() {
        net.recognise(index);
    }
    for index in 0..net.nodes.len() {
        net.absorb_padding(index);
        net.absorb_affine(index);
    }
    net.finish()
}

struct Net {
    builder: Builder,
    nodes: Vec<Built>,
    outputs: Vec<Value>,
    /// For every value the one that stands for it.
    alias: Vec<Value>,
    /// How often each value is read; an output counts twice.
    uses: Vec<usize>,
}

impl Net {
    fn new(mut builder: Builder, outputs: Vec<Value>) -> Self {
        let nodes = std::mem::take(&mut builder.nodes);
        let n_values = builder.inputs.len() + nodes.len();
        let mut uses = vec![0; n_values];
        nodes.iter().flat_map(|n| &n.inputs).for_each(|&v| uses[v] += 1);
        outputs.iter().for_each(|&v| uses[v] += 2);
        Self { builder, nodes, outputs, alias: (0..n_values).collect(), uses }
    }

    fn value(&self, index: usize) -> Value {
        self.builder.inputs.len() + index
    }

    /// Input `i` of a node, as what stands for it now.
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

    /// Makes a node read other values; those that it no longer reads lose a reader.
    fn reroute(&mut self, index: usize, op: Op, inputs: Vec<Value>) {
        inputs.iter().for_each(|&v| self.uses[v] += 1);
        for i in 0..self.nodes[index].inputs.len() {
            self.release(self.input(index, i));
        }
        self.nodes[index].op = op;
        self.nodes[index].inputs = inputs;
    }

    /// Takes a reader from a value, and if it was the last, from what made it.
    fn release(&mut self, value: Value) {
        self.uses[value] = self.uses[value].saturating_sub(1);
        if self.uses[value] == 0
            && let Some(maker) = self.maker(value)
        {
            for i in 0..self.nodes[maker].inputs.len() {
                self.release(self.input(maker, i));
            }
        }
    }

    /// Puts activations together that exporters take apart.
    fn recognise(&mut self, index: usize) {
        match self.nodes[index].op {
            Op::Mul => {
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
            }
            Op::Scale { factor, offset: 0.0 } => {
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
            _ => {}
        }
    }

    /// `clip(slope x + offset, 0, high)`: gives x, slope, offset and high.
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
        let x = self.input(maker, 0);
        if let Op::Conv2d { padding: own, .. } = &mut self.nodes[index].op {
            *own = Padding {
                top: padding.top + top,
                left: padding.left + left,
                bottom: padding.bottom + bottom,
                right: padding.right + right,
            };
        }
        let op = self.nodes[index].op.clone();
        self.reroute(index, op, vec![x]);
    }

    /// A scale and a bias go into the layer, or the scale and bias, that only they read. What stays of a batch norm is a
    /// scale and a bias.
    fn absorb_affine(&mut self, index: usize) {
        let Some((scale, shift)) = self.affine(index) else { return };
        let target = self.own_maker(index, 0).filter(|&m| {
            matches!(self.nodes[m].op, Op::Linear { .. } | Op::Conv2d { .. } | Op::ScaleBias)
                && self.uses[self.value(m)] == 1
        });
        match target {
            Some(layer) => {
                multiply(&mut self.nodes[layer], &scale, &shift);
                let (from, to) = (self.value(index), self.value(layer));
                self.uses[to] = self.uses[from];
                self.alias.iter_mut().filter(|a| **a == from).for_each(|a| *a = to);
            }
            None => {
                let node = &mut self.nodes[index];
                if let Op::BatchNorm { .. } = node.op {
                    node.op = Op::ScaleBias;
                    let f32s = |v: Vec<f64>| v.into_iter().map(|x| x as f32).collect::<Vec<f32>>();
                    node.params = vec![("weight", f32s(scale)), ("bias", f32s(shift))];
                }
            }
        }
    }

    /// Scale and shift of each channel, for a node that is nothing else.
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

    /// Leaves out what no output needs, and renumbers.
    fn finish(mut self) -> (Builder, Vec<Value>) {
        let n_inputs = self.builder.inputs.len();
        let outputs: Vec<Value> = self.outputs.iter().map(|&v| self.alias[v]).collect();
        let mut needed = vec![false; self.alias.len()];
        outputs.iter().for_each(|&v| needed[v] = true);
        for index in (0..self.nodes.len()).rev() {
            if needed[self.value(index)] {
                for i in 0..self.nodes[index].inputs.len() {
                    needed[self.input(index, i)] = true;
                }
            }
        }
        let mut new = vec![0; self.alias.len()];
        (0..n_inputs).for_each(|v| new[v] = v);
        for (index, mut node) in std::mem::take(&mut self.nodes).into_iter().enumerate() {
            let value = n_inputs + index;
            if needed[value] {
                node.inputs.iter_mut().for_each(|v| *v = new[self.alias[*v]]);
                new[value] = n_inputs + self.builder.nodes.len();
                self.builder.nodes.push(node);
            }
        }
        let outputs: Vec<Value> = outputs.into_iter().map(|v| new[v]).collect();
        if self.builder.nodes.is_empty() {
            // A graph has at least one node.
            let op = Op::Scale { factor: 1.0, offset: 0.0 };
            self.builder.nodes.push(Built { name: None, op, inputs: vec![outputs[0]], params: vec![] });
            return (self.builder, std::iter::once(n_inputs).chain(outputs.into_iter().skip(1)).collect());
        }
        (self.builder, outputs)
    }
}

/// `weight[o, …] *= scale[o]`, `bias[o] = bias[o] * scale[o] + shift[o]`.
fn multiply(layer: &mut Built, scale: &[f64], shift: &[f64]) {
    let n = scale.len();
    if let Op::Linear { bias, .. } | Op::Conv2d { bias, .. } = &mut layer.op {
        *bias = true;
    }
    if layer.params.len() < 2 {
        layer.params.push(("bias", vec![0.0; n]));
    }
    let weight = &mut layer.params[0].1;
    let each = (weight.len() / n.max(1)).max(1);
    for (row, s) in weight.chunks_mut(each).zip(scale) {
        row.iter_mut().for_each(|w| *w = (f64::from(*w) * s) as f32);
    }
    for (b, (s, t)) in layer.params[1].1.iter_mut().zip(scale.iter().zip(shift)) {
        *b = (f64::from(*b) * s + t) as f32;
    }
}

fn is_near(a: f32, b: f32) -> bool {
    (a - b).abs() <= 1e-6 * b.abs()
}
