//! Dimensions, which may be open until a session is made, and the sizes that resolve them.

use crate::error::RuntimeError;
use alloc::{vec, vec::Vec};
use kompakt_words::words;

/// The most dimensions of a value, the batch counted.
pub const MAX_RANK: usize = 8;

/// The number of an open size: an index into [`Program::symbols`](super::Program::symbols).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(pub usize);

/// The batch, which every program leaves open.
pub const BATCH: Symbol = Symbol(0);

/// One dimension of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dim {
    /// Known from the file.
    Fixed(usize),
    /// Known when a session is made, or at each run.
    Open(Symbol),
}

/// The dimensions of a value, outermost first; none for a single number. At most [`MAX_RANK`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(Vec<Dim>);

impl Shape {
    /// A shape of those dimensions.
    ///
    /// Errors: more than [`MAX_RANK`] of them.
    pub fn new(dims: Vec<Dim>) -> Result<Self, RuntimeError> {
        if dims.len() > MAX_RANK {
            let text = words!("a value of {} dimensions; {MAX_RANK} are possible", dims.len());
            return Err(RuntimeError::Unsupported(vec![text]));
        }
        Ok(Self(dims))
    }

    /// The batch, then fixed dimensions.
    ///
    /// Errors: as [`Shape::new`].
    pub fn batch_of(dims: &[usize]) -> Result<Self, RuntimeError> {
        let fixed = dims.iter().map(|&d| Dim::Fixed(d));
        Self::new(core::iter::once(Dim::Open(BATCH)).chain(fixed).collect())
    }

    /// The dimensions.
    pub fn dims(&self) -> &[Dim] {
        &self.0
    }

    /// How many dimensions there are.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The dimensions after the batch, if the first is the batch and all others are fixed.
    pub fn without_batch(&self) -> Option<Vec<usize>> {
        let (Dim::Open(BATCH), rest) = self.0.split_first()? else { return None };
        let fixed = |dim: &Dim| match dim {
            Dim::Fixed(n) => Some(*n),
            Dim::Open(_) => None,
        };
        rest.iter().map(fixed).collect()
    }
}

/// A number for each open size of a program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sizes(Vec<usize>);

impl Sizes {
    /// Sizes in the order of [`Program::symbols`](super::Program::symbols); missing ones are 1.
    pub fn new(sizes: Vec<usize>) -> Self {
        Self(sizes)
    }

    /// Sizes of which only the batch is not 1.
    pub fn batch(n: usize) -> Self {
        Self(vec![n])
    }

    /// The number for a symbol.
    pub fn get(&self, symbol: Symbol) -> usize {
        self.0.get(symbol.0).copied().unwrap_or(1)
    }

    /// The dimensions of a shape.
    pub fn apply(&self, shape: &Shape) -> Vec<usize> {
        let known = |dim: &Dim| match dim {
            Dim::Fixed(n) => *n,
            Dim::Open(symbol) => self.get(*symbol),
        };
        shape.dims().iter().map(known).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_close_open_dimensions() {
        let shape = Shape::batch_of(&[3, 4]).unwrap();
        assert_eq!(Sizes::batch(5).apply(&shape), [5, 3, 4]);
        assert_eq!(shape.without_batch(), Some(vec![3, 4]));
        let open = Shape::new(vec![Dim::Open(BATCH), Dim::Open(Symbol(1))]).unwrap();
        assert_eq!((open.without_batch(), open.rank()), (None, 2));
        assert_eq!(Sizes::new(vec![2, 7]).apply(&open), [2, 7]);
        assert_eq!(
            Sizes::default().apply(&Shape::default()),
            [0usize; 0],
            "a single number has no dimensions"
        );
        assert!(Shape::new(vec![Dim::Fixed(1); MAX_RANK + 1]).is_err());
    }
}
