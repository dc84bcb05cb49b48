//! The range in which a network expects its images, inferred from the network itself.
//!
//! Files of networks seldom say whether pixels are 0 to 1, -1 to 1 or 0 to 255. Where batch norms were folded
//! in, a layer's biases and its weights fit together only for inputs of the right size: then a channel's
//! standard deviation is about as large as its mean. Inputs much too small leave only the biases, inputs much
//! too large make them negligible.

use crate::{error::CompressError, images::Images, network};
use kompakt_graph::{Graph, Op};
use kompakt_model::{CheckpointError, Model, Parameter};

/// Scale and shift applied to inputs of -1 to 1. On a tie the first is used.
const RANGES: [[f32; 2]; 4] = [[1.0, 0.0], [0.5, 0.5], [128.0, 0.0], [127.5, 127.5]];
/// Images that are tried.
const IMAGES: usize = 4;

/// A packed network, and the biases of its output.
type Probe = (Vec<u8>, Vec<f32>);

/// Scale and shift that bring images of -1 to 1 into the range that suits a network best.
pub(crate) fn suit(model: &Model, images: &Images) -> Result<[f32; 2], CompressError> {
    let few = images.first(IMAGES);
    let Some((packed, biases)) = probe(model)? else { return Ok(RANGES[0]) };
    let mut best = (f64::INFINITY, RANGES[0]);
    for range in RANGES {
        let distance = distance(&packed, &biases, &few.moved(range[0], range[1]))?;
        if distance < best.0 {
            best = (distance, range);
        }
    }
    Ok(best.1)
}

/// The network whose output is that of its first layer with a bias for each channel, and those biases; `None`
/// where there is none. Layers after it say less: bounded activations hide values that are much too large.
fn probe(model: &Model) -> Result<Option<Probe>, CompressError> {
    let (inputs, nodes, _) = model.graph.clone().into_parts();
    let is_seen = |op: &Op| matches!(op, Op::Conv2d { bias: true, .. } | Op::ScaleBias);
    let Some(first) = nodes.iter().position(|n| is_seen(&n.op)) else { return Ok(None) };
    let name = format!("{}.bias", nodes[first].name);
    let biases = model.parameters.get(&name).map(Parameter::to_f32).unwrap_or_default();
    let seen = vec![inputs.len() + first];
    let mut probe = model.clone();
    probe.graph = Graph::new(inputs, nodes, seen).map_err(CheckpointError::from)?;
    Ok(Some((network::pack(probe, kompakt_format::Tier::Direct)?, biases)))
}

/// Distance of the channels' spreads from their means and from their biases: logarithms of the ratios,
/// medians over the channels. Means alone say nothing where the images' own mean outweighs the biases.
fn distance(packed: &[u8], biases: &[f32], images: &Images) -> Result<f64, CompressError> {
    let mut sum = 0.0;
    network::each_batch(packed, images, images.n, |_, _, n, session| {
        sum += layer(session.output(0), n, biases)
    })?;
    Ok(sum)
}

/// For `y` `[n, channels, ...]`, with one bias per channel.
fn layer(y: &[f32], n: usize, biases: &[f32]) -> f64 {
    let channels = biases.len();
    let area = y.len() / (n * channels).max(1);
    let logarithms = |c: usize| {
        let values = (0..n).flat_map(|i| &y[(i * channels + c) * area..][..area]).map(|&v| f64::from(v));
        let count = (n * area).max(1) as f64;
        let (sum, square) = values.fold((0.0, 0.0), |(s, q), v| (s + v, q + v * v));
        let mean = sum / count;
        let spread = (square / count - mean * mean).max(1e-30).sqrt();
        [mean, f64::from(biases[c])].map(|size| (spread / size.abs().max(1e-15)).ln())
    };
    let ratios: Vec<[f64; 2]> = (0..channels).map(logarithms).collect();
    let median = |which: usize| {
        let mut all: Vec<f64> = ratios.iter().map(|r| r[which]).collect();
        all.sort_by(f64::total_cmp);
        all.get(channels / 2).copied().unwrap_or(0.0)
    };
    median(0).abs() + median(1).abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::images;
    use kompakt_graph::{Padding, Pair};
    use std::collections::BTreeMap;

    /// A layer as a folded batch norm leaves it, made for images `scale x`, gets images of that size.
    #[test]
    fn the_size_that_the_biases_were_made_for() {
        let conv = Op::Conv2d {
            out_channels: 8,
            kernel: Pair::square(3),
            stride: Pair::square(1),
            padding: Padding::default(),
            dilation: Pair::square(1),
            groups: 1,
            bias: true,
        };
        let graph = Graph::chain(&[3, 16, 16], vec![conv]).unwrap();
        for scale in [1.0f32, 128.0] {
            let mut parameters = BTreeMap::new();
            for p in graph.params() {
                let number = |i: usize| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
                let size = if p.shape.len() > 1 { 0.6 / scale } else { 1.0 };
                let values = (0..p.len()).map(|i| number(i) * size).collect();
                parameters.insert(p.name.clone(), Parameter::dense(p.shape.clone(), values));
            }
            let model = Model::new(graph.clone(), parameters).unwrap();
            let images = images(&[3, 16, 16], 4, 0);
            let [size, shift] = suit(&model, &images).unwrap();
            let made = images.moved(size, shift);
            let mut values = vec![0.0; made.n * made.len_each()];
            made.read(0, &mut values);
            let size = values.iter().fold(0f32, |m, v| m.max(v.abs()));
            assert!(size > 0.4 * scale && size < 3.0 * scale, "{scale}: {size}");
        }
    }
}
