//! A name or a path to a data set.

use crate::{
    cache::cache_folder,
    cifar::Cifar,
    dataset::{Dataset, Labelling, Values},
    digits,
    error::DataError,
    folder, idx,
    known::{DIGIT_NAMES, Known, Layout},
    listing::Listing,
    npy,
    pile::{Cut, Part, Pile, cut},
    prepared,
    split::Split,
};
use std::path::Path;

/// Whether a data set is present, without reading its files: a known one that has been fetched, or a path that exists.
///
/// Errors: [`DataError::NotFetched`], [`DataError::Unknown`].
pub fn find(source: &str) -> Result<(), DataError> {
    let Some(known) = Known::by_name(source) else {
        let is_there = source == "digits" || Path::new(source).exists();
        return if is_there { Ok(()) } else { Err(DataError::Unknown(source.into())) };
    };
    let folder = cache_folder().join(known.name);
    match known.files.iter().all(|file| idx::find(&folder, file.name).is_some()) {
        true => Ok(()),
        false => Err(DataError::NotFetched { name: known.name.into(), folder }),
    }
}

/// Loads one split of a data set.
///
/// `source` is a known name ([`crate::NAMES`]) or a path; write `./mnist` for a folder called `mnist`. Known data
/// sets must be in the cache ([`crate::fetch`]); `digits` is always there. A path is one of
///
/// | path | content |
/// |---|---|
/// | folder | IDX files named as MNIST's, plain or gzipped |
/// | folder | CIFAR-10 or CIFAR-100, binary form |
/// | folder | folders of pictures, one per class; or `train`, `test` (and `validation`) with such folders |
/// | folder | pictures, without labels |
/// | `.tsv` | a path and a label on every line; labels that are all numbers are class numbers |
/// | `.npz` | `x_train`, `y_train`, `x_test`, `y_test` (and `x_valid`, `y_valid`), or `images`, `labels` |
/// | `.npy` | images; labels in `NAME-labels.npy` beside it |
/// | IDX file | images; labels in the file whose name has `labels-idx1` for `images-idx3` |
/// | `.kds`, `.kds.gz`, `.safetensors` | a prepared data set, as [`crate::write_prepared`] makes it |
///
/// For a source with test images of its own, validation images are those it sets aside or one in ten of its
/// training images; for one without, one in five is a test image first. All is decided by an image's place alone.
///
/// Errors: a source that is missing or incomplete, and files that do not belong together.
pub fn load(source: &str, split: Split) -> Result<Dataset, DataError> {
    load_as(source, split, None)
}

/// [`load`], with every picture of a folder or list converted to `dims` (`[channels, height, width]`, 1 or 3
/// channels).
///
/// Errors: as [`load`].
pub fn load_as(source: &str, split: Split, dims: Option<[usize; 3]>) -> Result<Dataset, DataError> {
    let data = load_sample(source, split, dims, usize::MAX)?;
    match data.labelling() {
        Labelling::Unlabelled => {
            let path = Path::new(source);
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let problem = match path.extension().is_some_and(|e| e == "npy") {
                true => format!("its labels are missing: {stem}-labels.npy is not there"),
                false => "its pictures have no labels: they belong in folders, one a class".into(),
            };
            Err(DataError::file(path, problem))
        }
        _ => Ok(data),
    }
}

/// [`load_as`], but at most `n` images: the first of the split, or evenly spaced ones where images come class by class,
/// as those of a folder do. Pictures that are not chosen are not decoded. The images may be unlabelled.
///
/// Errors: as [`load`].
pub fn load_sample(
    source: &str,
    split: Split,
    dims: Option<[usize; 3]>,
    n: usize,
) -> Result<Dataset, DataError> {
    let data = match Known::by_name(source) {
        Some(known) => load_known(known, split)?.sample(n),
        None if source == "digits" => cut(split, false, |_| Ok(Pile::Whole(digits::all()?)))?.sample(n),
        None => load_path(Path::new(source), split, dims, n)?,
    };
    if data.is_empty() {
        return Err(DataError::Empty { name: source.into(), what: split.name().into() });
    }
    Ok(data)
}

/// Whether a source is a folder of pictures or a list of them: then the caller chooses their size.
pub(crate) fn holds_pictures(source: &str) -> bool {
    let path = Path::new(source);
    let is_known = Known::by_name(source).is_some() || source == "digits";
    let is_list = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tsv"));
    let is_folder = path.is_dir()
        && Cifar::in_folder(path).is_none()
        && idx::find(path, "train-images-idx3-ubyte").is_none();
    !is_known && (is_list || is_folder)
}

/// [`load_as`], at most `n` images at a time, for a single pass over the images.
///
/// The test images of a known data set are read from plain files on demand; everything else is loaded
/// completely and comes as one part. Errors: as [`load`], when the part is requested.
pub fn load_in_parts(
    source: &str,
    split: Split,
    dims: Option<[usize; 3]>,
    n: usize,
) -> Result<Box<dyn Iterator<Item = Result<Dataset, DataError>>>, DataError> {
    let is_idx = |known: &&Known| known.layout == Layout::Idx && split == Split::Test;
    let plain = Known::by_name(source).filter(is_idx).and_then(|known| {
        let file = |name| cache_folder().join(known.name).join(name);
        let (images, labels) = (file("t10k-images-idx3-ubyte"), file("t10k-labels-idx1-ubyte"));
        (images.is_file() && labels.is_file()).then_some((known, images, labels))
    });
    let Some((known, images, labels)) = plain else {
        return Ok(Box::new(std::iter::once(load_as(source, split, dims))));
    };
    let mut reader = idx::PairReader::open(&images, &labels)?;
    Ok(Box::new(std::iter::from_fn(move || {
        Some(reader.read(n.max(1))?.and_then(|part| pictures(part, &known.classes)))
    })))
}

fn load_known(known: &Known, split: Split) -> Result<Dataset, DataError> {
    find(known.name)?;
    let folder = cache_folder().join(known.name);
    cut(split, false, |part| match known.layout {
        Layout::Idx => read_idx(&folder, part, &known.classes),
        Layout::Cifar10 => Cifar::Ten.read(&folder, part, &known.classes),
    })
}

fn load_path(path: &Path, split: Split, dims: Option<[usize; 3]>, n: usize) -> Result<Dataset, DataError> {
    if path.is_dir() {
        return load_folder(path, split, dims, n);
    }
    if !path.exists() {
        return Err(DataError::Unknown(path.display().to_string()));
    }
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let data = match ending.as_str() {
        "tsv" => {
            return cut(split, false, |_| Listing::of_list(path).map(Pile::Whole))?.sample(n).decode(dims);
        }
        "npz" => cut(split, npy::has_validation(path)?, |part| npy::read_npz(path, part)),
        "npy" => cut(split, false, |_| npy::read_npy(path)),
        "kds" | "safetensors" => prepared::read(path, split),
        "gz" if path.with_extension("").extension().is_some_and(|e| e == "kds") => {
            prepared::read(path, split)
        }
        _ if path.to_string_lossy().contains("images-idx3") => cut(split, false, |_| read_idx_file(path)),
        _ => Err(DataError::file(
            path,
            "no kind of data set that is known: .npz, .npy, .tsv, .kds, images-idx3",
        )),
    };
    data.map(|data| data.sample(n))
}

fn load_folder(
    folder: &Path,
    split: Split,
    dims: Option<[usize; 3]>,
    n: usize,
) -> Result<Dataset, DataError> {
    if let Some(cifar) = Cifar::in_folder(folder) {
        return Ok(cut(split, false, |part| cifar.read(folder, part, &[]))?.sample(n));
    }
    if idx::find(folder, "train-images-idx3-ubyte").is_some() {
        return Ok(cut(split, false, |part| read_idx(folder, part, &DIGIT_NAMES))?.sample(n));
    }
    let listing = cut(split, folder::has_validation(folder), |part| folder::list(folder, part))?;
    listing.sample(n).decode(dims)
}

/// One part of a folder with files named as MNIST's. Classes without a name get their number.
fn read_idx(folder: &Path, part: Part, names: &[&str]) -> Result<Pile<Dataset>, DataError> {
    let stem = if part == Part::Test { "t10k" } else { "train" };
    let file = |name: String| {
        idx::find(folder, &name).ok_or_else(|| DataError::file(&folder.join(&name), "is not there"))
    };
    let images = file(format!("{stem}-images-idx3-ubyte"))?;
    let labels = file(format!("{stem}-labels-idx1-ubyte"))?;
    Ok(Pile::Part(pictures(idx::read_pair(&images, &labels)?, names)?))
}

/// All images of one file, with the labels beside it.
fn read_idx_file(path: &Path) -> Result<Pile<Dataset>, DataError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().replace("images-idx3", "labels-idx1");
    Ok(Pile::Whole(pictures(idx::read_pair(path, &path.with_file_name(name))?, &DIGIT_NAMES)?))
}

fn pictures(read: idx::Pictures, names: &[&str]) -> Result<Dataset, DataError> {
    let n_classes = read.labels.iter().max().map_or(0, |label| usize::from(*label) + 1).max(names.len());
    let name = |i: usize| names.get(i).map_or_else(|| i.to_string(), |name| (*name).to_string());
    Dataset::new(&read.dims, Values::Bytes(read.bytes), read.labels, (0..n_classes).map(name).collect())
}
