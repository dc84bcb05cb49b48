//! A small network, trained by gradient descent.

use crate::{Images, random::Random};
use kompakt_graph::networks;
use kompakt_model::{Model, Parameter};

const INPUTS: usize = 16;
const WIDTH: usize = 32;
const CLASSES: usize = 8;
const STEPS: usize = 800;
const BATCH: usize = 32;
const RATE: f32 = 0.02;
const MOMENTUM: f32 = 0.9;
const DECAY: f32 = 0.05;

/// A point near one of three centres of a class, and the class.
fn example(random: &mut Random) -> (Vec<f32>, usize) {
    let mut below = |n: usize| (random.uniform() * n as f64) as usize;
    let (class, centre) = (below(CLASSES), below(3));
    let mut centre = Random::new((class * 3 + centre) as u64 + 100);
    ((0..INPUTS).map(|_| centre.bell() + 0.5 * random.bell()).collect(), class)
}

/// A layer in training.
struct Layer {
    weights: Vec<f32>,
    biases: Vec<f32>,
    /// How they move: of the weights, of the biases.
    speed: [Vec<f32>; 2],
}

impl Layer {
    fn new([cols, rows]: [usize; 2], random: &mut Random) -> Self {
        let size = (2.0 / cols as f32).sqrt();
        let weights: Vec<f32> = (0..rows * cols).map(|_| size * random.bell()).collect();
        Self { speed: [vec![0.0; weights.len()], vec![0.0; rows]], weights, biases: vec![0.0; rows] }
    }

    fn outputs(&self, x: &[f32]) -> Vec<f32> {
        let rows = self.weights.chunks_exact(x.len()).zip(&self.biases);
        rows.map(|(row, b)| b + row.iter().zip(x).map(|(w, x)| w * x).sum::<f32>()).collect()
    }

    /// Adds a step down the gradient to the speed, and returns the gradient with respect to the inputs `x`.
    fn descend(&mut self, x: &[f32], gradient: &[f32], rate: f32) -> Vec<f32> {
        let mut before = vec![0.0; x.len()];
        let [weights, biases] = &mut self.speed;
        let rows = self.weights.chunks_exact(x.len()).zip(weights.chunks_exact_mut(x.len()));
        for (((row, speed), bias), g) in rows.zip(biases).zip(gradient) {
            *bias -= rate * g;
            for (((before, w), v), x) in before.iter_mut().zip(row).zip(speed).zip(x) {
                *before += w * g;
                *v -= rate * g * x;
            }
        }
        before
    }

    fn step(&mut self, rate: f32) {
        let [weights, biases] = &mut self.speed;
        self.weights.iter_mut().zip(&*weights).for_each(|(w, v)| *w += v - DECAY * rate * *w);
        self.biases.iter_mut().zip(&*biases).for_each(|(b, v)| *b += v);
        self.speed.iter_mut().flatten().for_each(|v| *v *= MOMENTUM);
    }
}

/// A network with so many hidden layers that tells the classes apart, and twice 512 inputs for it.
pub(super) fn trained(n_hidden: usize) -> (Model, [Images; 2]) {
    let mut random = Random::new(1);
    let hidden = vec![WIDTH; n_hidden];
    let widths: Vec<usize> = [INPUTS].into_iter().chain(hidden.clone()).chain([CLASSES]).collect();
    let mut layers: Vec<Layer> = widths.windows(2).map(|w| Layer::new([w[0], w[1]], &mut random)).collect();
    for step in 0..STEPS {
        let rate = RATE * (1.0 - step as f32 / STEPS as f32);
        for _ in 0..BATCH {
            let (x, class) = example(&mut random);
            let mut values = vec![x];
            for layer in &layers {
                let mut y = layer.outputs(&values[values.len() - 1]);
                if values.len() <= n_hidden {
                    y.iter_mut().for_each(|y| *y = y.max(0.0));
                }
                values.push(y);
            }
            // Of the cross entropy.
            let mut gradient: Vec<f32> = values.pop().unwrap_or_default().iter().map(|y| y.exp()).collect();
            let sum: f32 = gradient.iter().sum();
            gradient.iter_mut().for_each(|g| *g /= sum);
            gradient[class] -= 1.0;
            for (layer, x) in layers.iter_mut().zip(&values).rev() {
                let before = layer.descend(x, &gradient, rate / BATCH as f32);
                gradient = before.into_iter().zip(x).map(|(g, x)| if *x > 0.0 { g } else { 0.0 }).collect();
            }
        }
        layers.iter_mut().for_each(|layer| layer.step(rate));
    }
    let graph = networks::mlp(&[INPUTS], &hidden, CLASSES).unwrap_or_else(|error| panic!("{error}"));
    let values = layers.into_iter().flat_map(|layer| [layer.weights, layer.biases]);
    let named = |(param, values): (&kompakt_graph::Param, _)| {
        (param.name.clone(), Parameter::dense(param.shape.clone(), values))
    };
    let parameters = graph.params().iter().zip(values).map(named).collect();
    let model = Model::new(graph, parameters).unwrap_or_else(|error| panic!("{error}"));
    let images = [(); 2].map(|()| {
        let values = (0..512).flat_map(|_| example(&mut random).0).collect();
        Images::from_values(values, 512, Vec::new())
    });
    (model, images)
}
