//! The networks: a trained one, and shapes with random weights.

use anyhow::Result;
use kompakt_data::Split;
use kompakt_format::{Container, Tier};
use kompakt_graph::{
    Graph, Op, Padding, Pair, ParamRole,
    networks::{lenet5, mlp},
};
use kompakt_model::{Model, Numbers, Parameter};
use kompakt_numbers::SplitMix64;
use kompakt_pack::{InMemory, Options, write};
use std::{collections::BTreeMap, fs};

/// A packed network, and what it is run on.
pub(super) struct Network {
    pub(super) name: &'static str,
    pub(super) file: Vec<u8>,
    /// Elements of the input.
    pub(super) n_inputs: usize,
    /// A picture, for a network with preprocessing.
    pub(super) pixels: Option<Vec<u8>>,
}

/// Weights kept, and levels, of the shapes: those of Deep Compression's networks; 30 % and 32 levels for the DS-CNN.
pub(super) fn all() -> Result<Vec<Network>> {
    let digit = {
        let images = kompakt_data::load("digits", Split::Test)?.first(1);
        let mut image = vec![0.0; images.shape().len()];
        images.image(0, &mut image);
        image.iter().map(|v| (v * 255.0).round() as u8).collect()
    };
    let features = Network {
        name: "digits on gradient features, 84 weights",
        file: fs::read(crate::ci::root().join("examples/cortex-m/digits.kompakt"))?,
        n_inputs: 784,
        pixels: Some(digit),
    };
    let shape = |name, graph: Graph, density, n_levels| -> Result<Network> {
        let n_inputs = graph.inputs()[0].shape.iter().product();
        Ok(Network { name, file: packed(graph, density, n_levels)?, n_inputs, pixels: None })
    };
    Ok(vec![
        features,
        shape("LeNet-300-100, 8 % of 266,200 weights", mlp(&[784], &[300, 100], 10)?, 0.08, 64)?,
        shape("LeNet-5, 8 % of 430,500 weights", lenet5(&[1, 28, 28], 10)?, 0.08, 32)?,
        shape("DS-CNN for keywords, 30 % of 22,016 weights", ds_cnn()?, 0.3, 32)?,
    ])
}

/// The small DS-CNN of "Hello Edge" on 49 x 10 features: a 10 x 4 convolution, four depthwise and pointwise pairs, a mean.
fn ds_cnn() -> Result<Graph> {
    let conv = |kernel, stride, padding, groups| Op::Conv2d {
        out_channels: 64,
        kernel,
        stride,
        padding,
        dilation: Pair::square(1),
        groups,
        bias: true,
    };
    let none = Padding::default();
    let first = Padding { top: 4, left: 1, bottom: 5, right: 1 };
    let mut ops = vec![conv(Pair { h: 10, w: 4 }, Pair::square(2), first, 1), Op::Relu];
    for _ in 0..4 {
        ops.extend([conv(Pair::square(3), Pair::square(1), Padding::all(1), 64), Op::Relu]);
        ops.extend([conv(Pair::square(1), Pair::square(1), none, 1), Op::Relu]);
    }
    ops.extend([Op::GlobalAvgPool, Op::Flatten, Op::Linear { out_features: 12, bias: true }]);
    Ok(Graph::chain(&[1, 49, 10], ops)?)
}

/// The network with random weights, packed.
fn packed(graph: Graph, density: f64, n_levels: usize) -> Result<Vec<u8>> {
    let mut random = SplitMix64::new(1);
    let mut uniform = move || random.unit();
    let mut parameters = BTreeMap::new();
    for param in graph.params() {
        let n = param.len();
        let parameter = match param.role {
            ParamRole::PerChannel => Parameter::dense(param.shape.clone(), vec![0.1; n]),
            ParamRole::Weight => {
                let size = 1.5 / ((n / param.shape[0]) as f64 * density).max(1.0).sqrt();
                let level = |i: usize| ((i as f64 + 0.5) / n_levels as f64 * 2.0 - 1.0) * size;
                let mask: Vec<bool> = (0..n).map(|_| uniform() < density).collect();
                // A pruned weight has the code 0.
                let code = |&kept: &bool| if kept { (uniform() * n_levels as f64) as u8 } else { 0 };
                Parameter::Shared {
                    shape: param.shape.clone(),
                    codebook: Numbers::F32((0..n_levels).map(|i| level(i) as f32).collect()),
                    codes: mask.iter().map(code).collect(),
                    mask: Some(mask),
                }
            }
        };
        parameters.insert(param.name.clone(), parameter);
    }
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("net.kompakt");
    let mut source = InMemory::new(Model::new(graph, parameters)?)?;
    write(&mut source, &Options::new(Tier::Direct), &path, &|_, _| {})?;
    let bytes = fs::read(path)?;
    Container::parse(&bytes)?.verify()?;
    Ok(bytes)
}
