//! What a file format gives: images and labels by part, not yet cut into splits.

use crate::{
    dataset::Dataset,
    error::DataError,
    split::{self, Split},
};

/// Which images of a source a reader is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Those that were set aside for training.
    Training,
    /// Those that were set aside for validation.
    Validation,
    /// Those that were set aside for testing.
    Test,
}

/// Images of a source that says which of them are for testing, or of one that does not.
pub(crate) enum Pile {
    /// All images of the part that was asked for. A validation part of its own is `Some`.
    Part(Dataset),
    /// All images there are.
    Whole(Dataset),
}

/// The images of `split`, from a reader of parts. `has_validation` says that the source has a validation part.
pub(crate) fn cut(
    split: Split,
    has_validation: bool,
    read: impl Fn(Part) -> Result<Pile, DataError>,
) -> Result<Dataset, DataError> {
    let part = match split {
        Split::Test => Part::Test,
        Split::Validation if has_validation => Part::Validation,
        _ => Part::Training,
    };
    Ok(match read(part)? {
        Pile::Whole(data) => {
            let keep = split::of_pile(data.len(), split);
            data.select(&keep)
        }
        Pile::Part(data) if split == Split::Test => data,
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
