//! What a network is trained and measured on, as the engine sees it.

use crate::random::Random;
use kompakt_data::Dataset;

/// A set of labelled examples.
///
/// The engine asks for examples in any order and from several threads; an answer depends on the arguments alone.
pub trait Examples: Sync {
    /// How many there are.
    fn len(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The shape of an example, as the network's input.
    fn shape(&self) -> Vec<usize>;
    /// The class of an example, counted from 0.
    fn label(&self, example: usize) -> usize;
    /// Writes an example, row-major. `random` is given in training only: the place for augmentation.
    fn read(&self, example: usize, random: Option<Random>, out: &mut [f32]);
}

/// Examples held as numbers, without augmentation.
#[derive(Debug, Clone)]
pub struct ExampleTable {
    /// Shape of one.
    pub shape: Vec<usize>,
    /// All of them, one after the other.
    pub values: Vec<f32>,
    /// One a piece.
    pub labels: Vec<usize>,
}

impl Examples for ExampleTable {
    fn len(&self) -> usize {
        self.labels.len()
    }
    fn shape(&self) -> Vec<usize> {
        self.shape.clone()
    }
    fn label(&self, example: usize) -> usize {
        self.labels[example]
    }
    fn read(&self, example: usize, _: Option<Random>, out: &mut [f32]) {
        out.copy_from_slice(&self.values[example * out.len()..][..out.len()]);
    }
}

impl Examples for Dataset {
    fn len(&self) -> usize {
        self.len()
    }
    fn shape(&self) -> Vec<usize> {
        self.dims()
    }
    fn label(&self, example: usize) -> usize {
        usize::from(self.labels()[example])
    }
    fn read(&self, example: usize, _: Option<Random>, out: &mut [f32]) {
        self.image(example, out);
    }
}

/// A change made to an example while training: shift, turn, noise. Gets the example and its random numbers.
pub type Augment<'a> = dyn Fn(&mut [f32], &mut Random) + Sync + 'a;

/// Examples with an augmentation in front.
pub struct Augmented<'a, E: Examples + ?Sized> {
    /// The examples themselves.
    pub examples: &'a E,
    /// What is done to each in training.
    pub augment: &'a Augment<'a>,
}

impl<E: Examples + ?Sized> Examples for Augmented<'_, E> {
    fn len(&self) -> usize {
        self.examples.len()
    }
    fn shape(&self) -> Vec<usize> {
        self.examples.shape()
    }
    fn label(&self, example: usize) -> usize {
        self.examples.label(example)
    }
    fn read(&self, example: usize, random: Option<Random>, out: &mut [f32]) {
        self.examples.read(example, None, out);
        if let Some(mut random) = random {
            (self.augment)(out, &mut random);
        }
    }
}
