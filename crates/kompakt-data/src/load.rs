//! A name or a path to a data set.

use crate::{
    cache::cache_folder,
    dataset::{Dataset, Values},
    digits,
    error::DataError,
    idx,
    known::Known,
    split::{self, Split},
};
use std::path::Path;

/// Loads one split of a data set.
///
/// `source` is a known name ([`crate::NAMES`]) or a path; write `./mnist` for a folder called `mnist`. Known data
/// sets must be in the cache ([`crate::fetch`]); `digits` is always there. For a data set with a test set of its
/// own, validation images are one in ten of its training images; for one without, one in five is a test image
/// first. Both are chosen by an image's place alone.
///
/// Errors: a source that is not there or not whole, and files that do not belong together.
pub fn load(source: &str, split: Split) -> Result<Dataset, DataError> {
    let data = match Known::by_name(source) {
        Some(known) => load_idx(&cache_folder().join(known.name), known, split)?,
        None if source == "digits" => cut_pile(digits::all()?, split),
        None => return Err(DataError::Unknown(source.into())),
    };
    if data.is_empty() {
        return Err(DataError::Empty { name: source.into(), what: split.name().into() });
    }
    Ok(data)
}

/// One split of a pile of images.
fn cut_pile(data: Dataset, split: Split) -> Dataset {
    let keep = split::of_pile(data.len(), split);
    data.select(&keep)
}

/// One split of training images.
fn cut_training(data: Dataset, split: Split) -> Dataset {
    if matches!(split, Split::Test | Split::TrainAndValidation) {
        return data;
    }
    let keep = split::of_training(data.len(), split);
    data.select(&keep)
}

fn load_idx(folder: &Path, known: &Known, split: Split) -> Result<Dataset, DataError> {
    let not_fetched = || DataError::NotFetched { name: known.name.into(), folder: folder.into() };
    let [images, labels] = known.pair(split).map(|file| idx::find(folder, file.name));
    let (images, labels) = (images.ok_or_else(not_fetched)?, labels.ok_or_else(not_fetched)?);
    let idx::Pictures { dims, bytes, labels } = idx::read_pair(&images, &labels)?;
    let classes = known.classes.map(String::from).to_vec();
    Ok(cut_training(Dataset::new(&dims, Values::Bytes(bytes), labels, classes)?, split))
}
