//! Large networks with synthetic weights: the shapes of ResNet-50 and VGG-16, pruned layer by layer as published.
//!
//! A weight is a normal number times a factor of its row and one of its input channel (log-normal, deviation 0.2):
//! in trained networks too some units and channels are stronger than others. The largest are kept; levels are spaced
//! evenly between the smallest and the largest kept magnitude but for one in a thousand.

use super::network::{Network, WeightTensor};
use kompakt_entropy::MaskedCodesBuf;
use kompakt_numbers::SplitMix64;

/// Deviation of the logarithms of the factors.
const SPREAD: f64 = 0.2;

/// Output and input channels, height and width of the kernel, density, bits.
type Shape = (usize, usize, usize, usize, f64, u32);

/// A network and how it is made.
pub(crate) struct Make {
    pub(crate) name: &'static str,
    shapes: fn() -> Vec<Shape>,
}

/// All of them.
pub(crate) const ALL: [Make; 2] =
    [Make { name: "resnet-50", shapes: resnet_50 }, Make { name: "vgg-16", shapes: vgg_16 }];

impl Make {
    pub(crate) fn tensors(&self) -> Network {
        let layers = (self.shapes)().into_iter().enumerate();
        Network {
            name: self.name.to_string(),
            layers: layers.map(|(i, shape)| layer(i as u64, shape)).collect(),
        }
    }
}

/// Bottleneck blocks; Han's 30 % kept in convolutions, 20 % in the last layer; 4 bits.
fn resnet_50() -> Vec<Shape> {
    let mut shapes = vec![(64, 3, 7, 7, 0.5, 4)];
    let mut inputs = 64;
    for (blocks, width) in [(3, 64), (4, 128), (6, 256), (3, 512)] {
        for block in 0..blocks {
            shapes.push((width, inputs, 1, 1, 0.3, 4));
            shapes.push((width, width, 3, 3, 0.3, 4));
            shapes.push((4 * width, width, 1, 1, 0.3, 4));
            if block == 0 {
                shapes.push((4 * width, inputs, 1, 1, 0.3, 4));
            }
            inputs = 4 * width;
        }
    }
    shapes.push((1000, inputs, 1, 1, 0.2, 4));
    shapes
}

/// Densities and bits of Deep Compression, table 5.
fn vgg_16() -> Vec<Shape> {
    let convolutions = [
        (64, 3, 0.58),
        (64, 64, 0.22),
        (128, 64, 0.34),
        (128, 128, 0.36),
        (256, 128, 0.53),
        (256, 256, 0.24),
        (256, 256, 0.42),
        (512, 256, 0.32),
        (512, 512, 0.27),
        (512, 512, 0.34),
        (512, 512, 0.35),
        (512, 512, 0.29),
        (512, 512, 0.36),
    ];
    let mut shapes: Vec<Shape> = convolutions.map(|(rows, channels, d)| (rows, channels, 3, 3, d, 8)).into();
    shapes.extend([(4096, 25_088, 1, 1, 0.04, 5), (4096, 4096, 1, 1, 0.04, 5), (1000, 4096, 1, 1, 0.23, 5)]);
    shapes
}

/// Random numbers that depend on the seed alone.
struct Random(SplitMix64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0.unit()
    }

    /// Normal, after Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

fn layer(seed: u64, (rows, channels, height, width, density, bits): Shape) -> WeightTensor {
    let mut random = Random(SplitMix64::new(seed << 32));
    let taps = height * width;
    let factors = |random: &mut Random, n: usize| -> Vec<f64> {
        (0..n).map(|_| (SPREAD * random.normal()).exp()).collect()
    };
    let (row_factors, channel_factors) = (factors(&mut random, rows), factors(&mut random, channels));
    let mut values = Vec::with_capacity(rows * channels * taps);
    for row_factor in &row_factors {
        for channel_factor in &channel_factors {
            values.extend((0..taps).map(|_| (random.normal() * row_factor * channel_factor) as f32));
        }
    }
    let mut sizes: Vec<f32> = values.iter().map(|v| v.abs()).collect();
    let n_kept = (density * values.len() as f64) as usize;
    let threshold = nth(&mut sizes, values.len() - n_kept);
    let largest = nth(&mut sizes, values.len() - 1 - n_kept / 1000);
    let side = 1_usize << (bits - 1);
    let step = (largest - threshold) / side as f32;
    let level = |v: f32| {
        let m = (((v.abs() - threshold) / step) as usize).min(side - 1);
        (if v < 0.0 { side - 1 - m } else { side + m }) as u8
    };
    let mask: Vec<bool> = values.iter().map(|v| v.abs() >= threshold).collect();
    let codes = values.iter().zip(&mask).map(|(&v, &kept)| if kept { level(v) } else { 0 }).collect();
    let weights = MaskedCodesBuf {
        rows,
        channels,
        taps,
        mask: Some(mask),
        block: 1,
        trellis: false,
        codes,
        n_levels: 2 * side,
        n_negative: side,
    };
    let shape = if taps == 1 { vec![rows, channels] } else { vec![rows, channels, height, width] };
    WeightTensor { shape, weights, grid: (taps > 1).then_some((height, width)), producer: None }
}

/// The element at index `n` in sorted order.
fn nth(numbers: &mut [f32], n: usize) -> f32 {
    *numbers.select_nth_unstable_by(n, f32::total_cmp).1
}
