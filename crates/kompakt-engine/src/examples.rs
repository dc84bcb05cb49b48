//! Training and evaluation data, as the engine sees them.

use kompakt_data::Feed;

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
    /// What epoch `epoch` mixes into an example: the class of the other one, and the part of the mixture that is the
    /// example's own, 0 to 1. `None`: nothing.
    fn mixture(&self, _epoch: u64, _example: usize) -> Option<(usize, f32)> {
        None
    }
    /// Writes the examples `chosen` as epoch `epoch` (counted from 0) sees them, one after the other, row-major.
    fn fill(&self, epoch: u64, chosen: &[usize], out: &mut [f32]);
}

/// Examples held in memory, without augmentation.
#[derive(Debug, Clone)]
pub struct ExampleTable {
    /// Shape of one.
    pub shape: Vec<usize>,
    /// All of them, one after the other.
    pub values: Vec<f32>,
    /// One per example.
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
    fn fill(&self, _: u64, chosen: &[usize], out: &mut [f32]) {
        let len = self.shape.iter().product();
        for (out, &example) in out.chunks_exact_mut(len).zip(chosen) {
            out.copy_from_slice(&self.values[example * len..][..len]);
        }
    }
}

/// Images of a data set: augmented in training if the feed says so.
impl Examples for Feed {
    fn len(&self) -> usize {
        self.len()
    }
    fn shape(&self) -> Vec<usize> {
        self.shape().dims()
    }
    fn label(&self, example: usize) -> usize {
        usize::from(self.labels()[example])
    }
    fn mixture(&self, epoch: u64, example: usize) -> Option<(usize, f32)> {
        let (other, own) = self.mixture(epoch, example)?;
        Some((usize::from(self.labels()[other]), own))
    }
    fn fill(&self, epoch: u64, chosen: &[usize], out: &mut [f32]) {
        self.fill(epoch, chosen, out);
    }
}
