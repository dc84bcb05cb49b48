//! The result of a reader: images and labels by part, not yet divided into splits.

use crate::{
    error::DataError,
    split::{self, Split},
};

/// The part of a source that is requested of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Those that were set aside for training.
    Training,
    /// Those that were set aside for validation.
    Validation,
    /// Those that were set aside for testing.
    Test,
}

/// Data that can be divided into splits: images, or a list of files that hold them.
pub(crate) trait Cut: Sized {
    /// How many images.
    fn len(&self) -> usize;
    /// Whether the images of each class follow each other.
    fn is_by_class(&self) -> bool;
    /// Only the images in `keep`, which is ascending.
    fn select(self, keep: &[usize]) -> Self;
    /// These images and then `more`.
    fn chain(self, more: Self) -> Result<Self, DataError>;

    /// At most `n` images: the first, or evenly spaced ones where images come class by class.
    fn sample(self, n: usize) -> Self {
        let len = self.len();
        if n >= len {
            return self;
        }
        let step = if self.is_by_class() { len as f64 / n as f64 } else { 1.0 };
        let keep: Vec<usize> = (0..n).map(|i| (i as f64 * step) as usize).collect();
        self.select(&keep)
    }
}

/// Images of a source that says which of them are for testing, or of one that does not.
pub(crate) enum Pile<T> {
    /// Images of the requested part.
    Part(T),
    /// All images there are.
    Whole(T),
}

/// The images of `split`, from a reader of parts. `has_validation` says that the source has a validation part.
pub(crate) fn cut<T: Cut>(
    split: Split,
    has_validation: bool,
    read: impl Fn(Part) -> Result<Pile<T>, DataError>,
) -> Result<T, DataError> {
    let part = match split {
        Split::Test | Split::Whole => Part::Test,
        Split::Validation if has_validation => Part::Validation,
        _ => Part::Training,
    };
    Ok(match read(part)? {
        Pile::Whole(data) => {
            let keep = split::of_pile(data.len(), split);
            data.select(&keep)
        }
        Pile::Part(data) if part == Part::Test => data,
        Pile::Part(data) if has_validation && split != Split::TrainAndValidation => data,
        Pile::Part(data) if has_validation => match read(Part::Validation)? {
            Pile::Part(more) | Pile::Whole(more) => data.chain(more)?,
        },
        Pile::Part(data) => {
            let keep = split::of_training(data.len(), split);
            data.select(&keep)
        }
    })
}
