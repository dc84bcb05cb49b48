//! Arrays of NumPy: `.npz` with images and labels, or `.npy` images with their labels in a file beside them.

use crate::{
    dataset::{Dataset, Labelling, Values},
    error::DataError,
    pile::{Part, Pile},
};
use npyz::{DType, NpyFile, TypeChar};
use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

/// An array of values.
struct Array {
    dims: Vec<usize>,
    values: Values,
}

/// Which arrays of an `.npz` file are images and labels of a part, in the order they are looked for.
const PARTS: [(Part, &[[&str; 2]]); 3] = [
    (Part::Training, &[["x_train", "y_train"], ["train_images", "train_labels"]]),
    (Part::Validation, &[["x_valid", "y_valid"], ["x_val", "y_val"], ["val_images", "val_labels"]]),
    (Part::Test, &[["x_test", "y_test"], ["test_images", "test_labels"]]),
];
const WHOLE: [[&str; 2]; 4] = [["images", "labels"], ["x", "y"], ["X", "y"], ["data", "target"]];

/// Whether the file has validation images of its own.
pub(crate) fn has_validation(path: &Path) -> Result<bool, DataError> {
    let archive = open(path)?;
    Ok(pair(&archive, Part::Validation).is_some())
}

/// Images and labels of one part of an `.npz` file, or of the entire file.
pub(crate) fn read_npz(path: &Path, part: Part) -> Result<Pile<Dataset>, DataError> {
    let mut archive = open(path)?;
    let whole = WHOLE.iter().find(|names| names.iter().all(|name| has(&archive, name)));
    let (names, is_whole) = match (pair(&archive, part), whole) {
        (Some(names), _) => (names, false),
        (None, Some(names)) => (*names, true),
        (None, None) => {
            let found = archive
                .file_names()
                .filter_map(|n| Some(n.ok()?.into_owned()))
                .collect::<Vec<_>>()
                .join(", ");
            return Err(DataError::file(
                path,
                format!(
                    "has no images and labels among {found}; x_train, y_train, x_test, y_test or images, labels are looked for"
                ),
            ));
        }
    };
    let mut array = |name: &str| {
        let entry = archive.by_name(&format!("{name}.npy"));
        let entry = entry.map_err(|e| DataError::file(path, format!("{name}: {e}")))?;
        let n_bytes = entry.size();
        read_array(entry, n_bytes).map_err(|problem| DataError::file(path, format!("{name}: {problem}")))
    };
    let (images, labels) = (array(names[0])?, array(names[1])?);
    let data = dataset(images, labels).map_err(|problem| DataError::file(path, problem))?;
    Ok(if is_whole { Pile::Whole(data) } else { Pile::Part(data) })
}

/// All images of a `.npy` file; labels are in `NAME-labels.npy` or `labels.npy` beside it, or there are none.
pub(crate) fn read_npy(path: &Path) -> Result<Pile<Dataset>, DataError> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let beside = [format!("{stem}-labels.npy"), "labels.npy".into()].map(|name| path.with_file_name(name));
    let images = array_file(path)?;
    let Some(labels) = beside.iter().find(|path| path.is_file()) else {
        let labels =
            Array { dims: vec![], values: Values::Bytes(vec![0; images.dims.first().copied().unwrap_or(0)]) };
        let data = dataset(images, labels).map_err(|problem| DataError::file(path, problem))?;
        return Ok(Pile::Whole(data.labelled(Labelling::Unlabelled)));
    };
    let data = dataset(images, array_file(labels)?);
    Ok(Pile::Whole(data.map_err(|problem| DataError::file(path, problem))?))
}

/// The dimensions and values of a `.npy` file.
pub(crate) fn read_plain(path: &Path) -> Result<(Vec<usize>, Values), DataError> {
    let array = array_file(path)?;
    Ok((array.dims, array.values))
}

/// The numbers of a .npy file as they are, with its shape: bytes from 0 to 255, truth values 0 and 1.
///
/// Errors: a file that cannot be read, is not in that format, or holds something other than numbers.
pub fn read_numbers(path: &Path) -> Result<(Vec<usize>, Vec<f32>), DataError> {
    let (dims, values) = read_plain(path)?;
    let numbers = match values {
        Values::Bytes(bytes) => bytes.iter().map(|&byte| f32::from(byte)).collect(),
        Values::Scaled { bytes, low, step } => {
            bytes.iter().map(|&byte| low + step * f32::from(byte)).collect()
        }
        Values::Floats(floats) => floats,
    };
    Ok((dims, numbers))
}

fn open(path: &Path) -> Result<zip::ZipArchive<BufReader<File>>, DataError> {
    let file = File::open(path).map_err(DataError::io(path))?;
    zip::ZipArchive::new(BufReader::new(file))
        .map_err(|e| DataError::file(path, format!("no .npz file: {e}")))
}

fn has(archive: &zip::ZipArchive<BufReader<File>>, name: &str) -> bool {
    archive.index_for_name(&format!("{name}.npy")).is_some()
}

fn pair(archive: &zip::ZipArchive<BufReader<File>>, part: Part) -> Option<[&'static str; 2]> {
    let (_, names) = PARTS.iter().find(|(of, _)| *of == part)?;
    names.iter().find(|names| names.iter().all(|name| has(archive, name))).copied()
}

fn array_file(path: &Path) -> Result<Array, DataError> {
    let path: PathBuf = path.into();
    let file = File::open(&path).map_err(DataError::io(&path))?;
    let n_bytes = file.metadata().map_err(DataError::io(&path))?.len();
    read_array(BufReader::new(file), n_bytes).map_err(|problem| DataError::file(&path, problem))
}

/// Reads an array of at most `n_bytes` bytes. Bytes stay bytes, all else becomes f32.
fn read_array(input: impl Read, n_bytes: u64) -> Result<Array, String> {
    let npy = NpyFile::new(input).map_err(|e| e.to_string())?;
    let DType::Plain(kind) = npy.dtype() else { return Err("holds records, not numbers".into()) };
    let n = npy.shape().iter().try_fold(1u64, |n, d| n.checked_mul(*d)).unwrap_or(u64::MAX);
    if n.saturating_mul(kind.size_field().max(1)) > n_bytes {
        return Err(format!("truncated: {:?} of {kind} needs more than its {n_bytes} bytes", npy.shape()));
    }
    if npy.order() == npyz::Order::Fortran && npy.shape().len() > 1 {
        return Err("is stored column by column; save numpy.ascontiguousarray of it".into());
    }
    let dims = npy.shape().iter().map(|d| usize::try_from(*d).unwrap_or(usize::MAX)).collect();
    let values = match (kind.type_char(), kind.size_field()) {
        (TypeChar::Bool, 1) => floats(npy, |v: bool| f32::from(u8::from(v)))?,
        (TypeChar::Uint, 1) => Values::Bytes(npy.into_vec().map_err(|e| e.to_string())?),
        (TypeChar::Uint, 2) => floats(npy, |v: u16| f32::from(v))?,
        (TypeChar::Uint, 4) => floats(npy, |v: u32| v as f32)?,
        (TypeChar::Uint, 8) => floats(npy, |v: u64| v as f32)?,
        (TypeChar::Int, 1) => floats(npy, |v: i8| f32::from(v))?,
        (TypeChar::Int, 2) => floats(npy, |v: i16| f32::from(v))?,
        (TypeChar::Int, 4) => floats(npy, |v: i32| v as f32)?,
        (TypeChar::Int, 8) => floats(npy, |v: i64| v as f32)?,
        (TypeChar::Float, 4) => floats(npy, |v: f32| v)?,
        (TypeChar::Float, 8) => floats(npy, |v: f64| v as f32)?,
        _ => return Err(format!("holds {kind}; bytes, integers, f4 and f8 are read")),
    };
    Ok(Array { dims, values })
}

fn floats<T: npyz::Deserialize>(npy: NpyFile<impl Read>, to: impl Fn(T) -> f32) -> Result<Values, String> {
    Ok(Values::Floats(npy.into_vec::<T>().map_err(|e| e.to_string())?.into_iter().map(to).collect()))
}

/// Images `[n, features]`, `[n, height, width]`, `[n, channels, height, width]` or `[n, height, width, channels]`
/// with 1, 3 or 4 channels, and one label each.
fn dataset(images: Array, labels: Array) -> Result<Dataset, String> {
    let labels = label_numbers(&labels)?;
    let (dims, values) = match *images.dims {
        [_, features] => (vec![features], images.values),
        [_, height, width] => (vec![1, height, width], images.values),
        [_, channels @ (1 | 3 | 4), height, width] => (vec![channels, height, width], images.values),
        [_, height, width, channels @ (1 | 3 | 4)] => {
            let planes = |v| planes_first(v, channels, height * width);
            let values = match images.values {
                Values::Bytes(bytes) => Values::Bytes(planes_first(bytes, channels, height * width)),
                Values::Floats(floats) => Values::Floats(planes(floats)),
                scaled => scaled,
            };
            (vec![channels, height, width], values)
        }
        _ => return Err(format!("{:?} is no list of images or vectors", images.dims)),
    };
    let n_classes = labels.iter().max().map_or(0, |label| usize::from(*label) + 1);
    let classes = (0..n_classes).map(|label| label.to_string()).collect();
    Dataset::new(&dims, values, labels, classes).map_err(|e| e.to_string())
}

fn label_numbers(labels: &Array) -> Result<Vec<u16>, String> {
    if labels.dims.iter().filter(|d| **d != 1).count() > 1 {
        return Err(format!("labels {:?} are not one number an image", labels.dims));
    }
    match &labels.values {
        Values::Bytes(bytes) => Ok(bytes.iter().map(|b| u16::from(*b)).collect()),
        Values::Floats(floats) => {
            let whole = |v: &f32| (0.0..65536.0).contains(v) && v.fract() == 0.0;
            match floats.iter().find(|v| !whole(v)) {
                Some(v) => Err(format!("label {v} is no whole number from 0 to 65535")),
                None => Ok(floats.iter().map(|v| *v as u16).collect()),
            }
        }
        Values::Scaled { .. } => Err("labels are whole numbers".into()),
    }
}

/// Pixel-interleaved images, one after the other, plane by plane.
pub(crate) fn planes_first<T: Copy>(interleaved: Vec<T>, channels: usize, plane: usize) -> Vec<T> {
    if channels == 1 {
        return interleaved;
    }
    let mut planes = Vec::with_capacity(interleaved.len());
    for image in interleaved.chunks_exact(channels * plane) {
        for c in 0..channels {
            planes.extend(image.iter().skip(c).step_by(channels));
        }
    }
    planes
}
