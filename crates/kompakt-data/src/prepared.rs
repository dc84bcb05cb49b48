//! Prepared data sets: one safetensors file with the images after their steps.
//!
//! ```text
//! train.images       U8, F16 or F32   [n, shape…]        train.labels       U8 or U16 [n]
//! validation.images  the same         [n, shape…]        validation.labels  …
//! test.images        …
//! __metadata__       one key, "kompakt_data": JSON of `Header`
//! ```
//!
//! The header holds the steps and their hash. Bytes stand for `low + step * byte`. A file whose name ends in `.gz` is
//! the same, gzipped.

use crate::{
    dataset::{Dataset, Values},
    error::DataError,
    split::Split,
};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use half::f16;
use kompakt_files::Sibling;
use kompakt_prep::Pipeline;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    fs,
    io::{BufReader, Read, Write},
    path::Path,
};

/// The one key of the file's metadata.
const KEY: &str = "kompakt_data";

/// The storage type of a prepared data set's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// One byte, on a scale from the smallest to the largest value.
    U8,
    /// Half precision.
    #[default]
    F16,
    /// Single precision: lossless.
    F32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    /// Hexadecimal; must be the hash of `steps`.
    steps_hash: String,
    steps: Pipeline,
    classes: Vec<String>,
    /// `[low, step]` of bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scale: Option<[f32; 2]>,
}

const SPLITS: [Split; 3] = [Split::Train, Split::Validation, Split::Test];

/// Writes the three splits of a data set, prepared by the same steps. Returns the length of the file in bytes.
///
/// The file depends on the content alone, and appears under its name only when it is complete.
///
/// Errors: splits that were not prepared, or not by the same steps; a file that cannot be written.
pub fn write_prepared(path: &Path, splits: &[Dataset; 3], precision: Precision) -> Result<u64, DataError> {
    let first = &splits[0];
    let Some(steps) = first.prepared() else {
        return Err(DataError::Inconsistent("raw images are no prepared data set".into()));
    };
    if splits.iter().any(|s| s.prepared() != first.prepared() || s.classes() != first.classes()) {
        return Err(DataError::Inconsistent("the splits have other steps or classes".into()));
    }
    let scale = (precision == Precision::U8).then(|| scale_of(splits));
    let mut tensors = Vec::new();
    for (split, data) in SPLITS.iter().zip(splits) {
        let (dtype, bytes) = encode(data, precision, scale);
        let shape = [vec![data.len()], data.dims()].concat();
        tensors.push((format!("{}.images", split.name()), dtype, shape, bytes));
        let (dtype, bytes) = encode_labels(data);
        tensors.push((format!("{}.labels", split.name()), dtype, vec![data.len()], bytes));
    }
    let header = Header {
        version: 1,
        steps_hash: steps.hash_hex(),
        steps: steps.clone(),
        classes: first.classes().to_vec(),
        scale: scale.map(|(low, step)| [low, step]),
    };
    write_file(path, &tensors, &header)
}

type Tensor = (String, Dtype, Vec<usize>, Vec<u8>);

fn write_file(path: &Path, tensors: &[Tensor], header: &Header) -> Result<u64, DataError> {
    let problem = |e: &dyn std::fmt::Display| DataError::file(path, e.to_string());
    let mut views = Vec::new();
    for (name, dtype, shape, bytes) in tensors {
        views.push((name, TensorView::new(*dtype, shape.clone(), bytes).map_err(|e| problem(&e))?));
    }
    let header = serde_json::to_string(header).map_err(|e| problem(&e))?;
    let content = safetensors::serialize(views, Some(HashMap::from([(KEY.to_string(), header)])));
    let content = content.map_err(|e| problem(&e))?;
    let mut file = Sibling::of(path).map_err(DataError::io(path))?;
    if is_gzipped(path) {
        // No name and no time in the header: the same content gives the same bytes.
        let mut encoder = GzEncoder::new(&mut file, Compression::new(6));
        encoder.write_all(&content).and_then(|()| encoder.finish().map(drop)).map_err(DataError::io(path))?;
    } else {
        file.write_all(&content).map_err(DataError::io(path))?;
    }
    let n_bytes = file.as_file_mut().and_then(|f| f.metadata()).map_err(DataError::io(path))?.len();
    file.persist().map_err(DataError::io(path))?;
    Ok(n_bytes)
}

fn is_gzipped(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "gz")
}

/// The bytes of a file, unpacked if it is gzipped.
fn read_file(path: &Path) -> Result<Vec<u8>, DataError> {
    if !is_gzipped(path) {
        return fs::read(path).map_err(DataError::io(path));
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(DataError::io(path))?;
    GzDecoder::new(BufReader::new(file)).read_to_end(&mut bytes).map_err(DataError::io(path))?;
    Ok(bytes)
}

/// Lowest value and step of bytes, over all splits.
fn scale_of(splits: &[Dataset]) -> (f32, f32) {
    let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
    for data in splits {
        for value in data.to_f32() {
            low = low.min(value);
            high = high.max(value);
        }
    }
    if high > low { (low, (high - low) / 255.0) } else { (if low.is_finite() { low } else { 0.0 }, 1.0) }
}

fn encode(data: &Dataset, precision: Precision, scale: Option<(f32, f32)>) -> (Dtype, Vec<u8>) {
    let values = data.to_f32();
    match (precision, scale) {
        (Precision::U8, Some((low, step))) => {
            // The cast saturates at 0 and 255.
            (Dtype::U8, values.iter().map(|v| ((v - low) / step).round() as u8).collect())
        }
        (Precision::F16, _) => {
            (Dtype::F16, values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect())
        }
        _ => (Dtype::F32, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
    }
}

fn encode_labels(data: &Dataset) -> (Dtype, Vec<u8>) {
    if data.n_classes() <= 256 {
        (Dtype::U8, data.labels().iter().map(|label| *label as u8).collect())
    } else {
        (Dtype::U16, data.labels().iter().flat_map(|label| label.to_le_bytes()).collect())
    }
}

/// Reads one split. The hash in the file must be that of its steps.
pub(crate) fn read(path: &Path, split: Split) -> Result<Dataset, DataError> {
    let bytes = read_file(path)?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|e| DataError::file(path, format!("no prepared data set, or truncated: {e}")))?;
    let header = read_header(path, &bytes)?;
    if split == Split::TrainAndValidation {
        let train = read_split(path, &file, &header, Split::Train)?;
        return train.chain(read_split(path, &file, &header, Split::Validation)?);
    }
    read_split(path, &file, &header, if split == Split::Whole { Split::Test } else { split })
}

fn read_header(path: &Path, bytes: &[u8]) -> Result<Header, DataError> {
    let wrong = |problem: String| DataError::file(path, problem);
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| wrong(e.to_string()))?;
    let text = metadata.metadata().as_ref().and_then(|all| all.get(KEY));
    let text = text.ok_or_else(|| wrong(format!("no prepared data set: its metadata has no {KEY:?}")))?;
    let header: Header = serde_json::from_str(text).map_err(|e| wrong(format!("{KEY}: {e}")))?;
    if header.version != 1 {
        return Err(wrong(format!("version {} of prepared data sets; this program knows 1", header.version)));
    }
    if header.steps.hash_hex() != header.steps_hash {
        return Err(wrong(format!(
            "its steps have hash {}, it says {}: prepare it again",
            header.steps.hash_hex(),
            header.steps_hash
        )));
    }
    Ok(header)
}

fn read_split(path: &Path, file: &SafeTensors, header: &Header, split: Split) -> Result<Dataset, DataError> {
    let tensor = |what: &str| {
        let name = format!("{}.{what}", split.name());
        file.tensor(&name).map_err(|_| DataError::file(path, format!("has no tensor {name}")))
    };
    let (images, labels) = (tensor("images")?, tensor("labels")?);
    let expected = header.steps.output_shape().dims();
    if images.shape().get(1..) != Some(&expected[..]) {
        let problem = format!("images {:?}, its steps make {expected:?}", images.shape());
        return Err(DataError::file(path, problem));
    }
    let data = images.data();
    let values = match (images.dtype(), header.scale) {
        (Dtype::U8, Some([low, step])) => Values::Scaled { bytes: data.to_vec(), low, step },
        (Dtype::U8, None) => Values::Bytes(data.to_vec()),
        (Dtype::F16, _) => Values::Floats(pieces(data, |b| f16::from_le_bytes(b).to_f32())),
        (Dtype::F32, _) => Values::Floats(pieces(data, f32::from_le_bytes)),
        (other, _) => {
            return Err(DataError::file(path, format!("images of {other:?}; U8, F16, F32 are read")));
        }
    };
    let labels = match labels.dtype() {
        Dtype::U8 => labels.data().iter().map(|b| u16::from(*b)).collect(),
        Dtype::U16 => pieces(labels.data(), u16::from_le_bytes),
        other => return Err(DataError::file(path, format!("labels of {other:?}; U8 and U16 are read"))),
    };
    Dataset::new(&expected, values, labels, header.classes.clone())?.prepared_by(header.steps.clone())
}

fn pieces<const N: usize, T>(bytes: &[u8], from: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (pieces, _) = bytes.as_chunks::<N>();
    pieces.iter().map(|piece| from(*piece)).collect()
}
