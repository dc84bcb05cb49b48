//! Reads a file into a model with shared weights.

use crate::han::error::HanError;
use kompakt_graph::{Graph, Op};
use kompakt_model::{Model, Numbers, Parameter};
use std::collections::BTreeMap;

/// A layer as the network describes it.
struct WeightLayer {
    name: String,
    shape: Vec<usize>,
    /// Bits of a code.
    bits: u32,
}

/// Reads a file for a network whose weight layers are those of the file, in its order. Every layer has a bias.
///
/// Weights of value zero are pruned, the others keep their codebook: unused entries are dropped, equal ones
/// merged.
/// Errors: too few or too many bytes for the network, positions beyond a weight's end, values that are not
/// finite, a network with parameters that such a file does not hold.
pub fn read(bytes: &[u8], graph: Graph) -> Result<Model, HanError> {
    let layers = layers(&graph)?;
    let mut rest = Bytes { bytes, taken: 0 };
    let mut counts = Vec::with_capacity(layers.len());
    for _ in &layers {
        counts.push(u64::from(u32::from_le_bytes(rest.array()?)));
    }
    // Before anything is allocated: the length follows from the counts.
    let sizes = layers.iter().zip(&counts).map(|(layer, &n)| {
        4 * (1 << layer.bits)
            + 4 * layer.shape[0] as u64
            + (n * u64::from(layer.bits)).div_ceil(8)
            + n.div_ceil(2)
    });
    let expected = sizes.fold(rest.taken, u64::saturating_add);
    if expected != bytes.len() as u64 {
        return Err(HanError::Length { expected, found: bytes.len() as u64 });
    }
    let mut parameters = BTreeMap::new();
    for (layer, n) in layers.into_iter().zip(counts) {
        let codebook = rest.floats(1 << layer.bits)?;
        let bias = rest.floats(layer.shape[0])?;
        let codes = rest.take((n * u64::from(layer.bits)).div_ceil(8))?;
        let gaps = rest.take(n.div_ceil(2))?;
        let wrong = |problem: String| HanError::Layer { layer: layer.name.clone(), problem };
        if codebook.iter().chain(&bias).any(|v| !v.is_finite()) {
            return Err(wrong("a number of its codebook or bias is not finite".into()));
        }
        let placed = place(&layer, n, codes, gaps).map_err(wrong)?;
        let weight = Parameter::shared(layer.shape.clone(), &Numbers::F32(codebook), &placed, None);
        parameters.insert(format!("{}.weight", layer.name), weight);
        parameters.insert(format!("{}.bias", layer.name), Parameter::dense(vec![layer.shape[0]], bias));
    }
    Ok(Model::new(graph, parameters)?)
}

/// The weight layers of a graph, in order.
fn layers(graph: &Graph) -> Result<Vec<WeightLayer>, HanError> {
    let mut layers = Vec::new();
    for param in graph.weights() {
        let node = &graph.nodes()[param.node];
        let bits = if matches!(node.op, Op::Conv2d { .. }) { 8 } else { 4 };
        if !node.op.has_bias() {
            return Err(HanError::Network(format!(
                "node {:?} is no layer with weights and a bias",
                node.name
            )));
        }
        layers.push(WeightLayer { name: node.name.clone(), shape: param.shape.clone(), bits });
    }
    if layers.is_empty() || graph.params().len() != 2 * layers.len() {
        return Err(HanError::Network("it has no weights, or parameters beside weights and biases".into()));
    }
    Ok(layers)
}

/// The code of every weight: 0 where there is no entry.
fn place(layer: &WeightLayer, n: u64, codes: &[u8], gaps: &[u8]) -> Result<Vec<u8>, String> {
    let len: usize = layer.shape.iter().product();
    let nibble =
        |bytes: &[u8], i: usize| if i.is_multiple_of(2) { bytes[i / 2] & 15 } else { bytes[i / 2] >> 4 };
    let mut placed = vec![0u8; len];
    let mut next = 0usize;
    for i in 0..usize::try_from(n).map_err(|_| "too many entries".to_string())? {
        let at = next + usize::from(nibble(gaps, i));
        let Some(to) = placed.get_mut(at) else {
            return Err(format!("entry {i} lies at {at}, the weight has {len} numbers"));
        };
        *to = if layer.bits == 8 { codes[i] } else { nibble(codes, i) };
        next = at + 1;
    }
    Ok(placed)
}

/// The bytes not yet read.
struct Bytes<'b> {
    bytes: &'b [u8],
    taken: u64,
}

impl<'b> Bytes<'b> {
    fn take(&mut self, n: u64) -> Result<&'b [u8], HanError> {
        let found = self.taken + self.bytes.len() as u64;
        let short = HanError::Length { expected: self.taken.saturating_add(n), found };
        let Some((head, tail)) = usize::try_from(n).ok().and_then(|n| self.bytes.split_at_checked(n)) else {
            return Err(short);
        };
        self.bytes = tail;
        self.taken += n;
        Ok(head)
    }

    fn array(&mut self) -> Result<[u8; 4], HanError> {
        let mut array = [0; 4];
        array.copy_from_slice(self.take(4)?);
        Ok(array)
    }

    fn floats(&mut self, n: usize) -> Result<Vec<f32>, HanError> {
        let (fours, _) = self.take(4 * n as u64)?.as_chunks::<4>();
        Ok(fours.iter().map(|b| f32::from_le_bytes(*b)).collect())
    }
}
