//! Tensor data in files next to the model.

use crate::onnx::{error::OnnxError, proto::TensorProto};
use bytes::Bytes;
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Component, Path},
};

/// The bytes of a tensor stored in another file.
///
/// `folder` is the model's. Errors: a path that leaves it, by its text or by a link; a range beyond the
/// file's end.
pub(crate) fn read(tensor: &TensorProto, folder: Option<&Path>) -> Result<Bytes, OnnxError> {
    let fail = |problem: String| OnnxError::tensor(&tensor.name, problem);
    let entry = |key: &str| tensor.external_data.iter().find(|e| e.key == key).map(|e| e.value.as_str());
    let Some(folder) = folder else {
        return Err(fail("its data are in another file, and the model was not read from a folder".into()));
    };
    let location = entry("location").ok_or_else(|| fail("its data are in a file without a name".into()))?;
    let relative = Path::new(location);
    let stays = relative.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if !stays {
        return Err(fail(format!("its data are in {location:?}, which is outside the model's folder")));
    }
    let path = folder.join(relative);
    let io = |source| OnnxError::Io { path: path.clone(), source };
    let real = path.canonicalize().map_err(io)?;
    if !real.starts_with(folder.canonicalize().map_err(io)?) {
        return Err(fail(format!("its data are in {location:?}, which leads outside the model's folder")));
    }
    let mut file = File::open(&real).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(fail(format!("{location:?} is no file")));
    }
    let number = |key: &str| match entry(key) {
        None => Ok(None),
        Some(text) => {
            text.parse::<u64>().map(Some).map_err(|_| fail(format!("{key} {text:?} is not a number")))
        }
    };
    let offset = number("offset")?.unwrap_or(0);
    let rest = metadata.len().checked_sub(offset);
    let rest = rest.ok_or_else(|| fail(format!("its data begin beyond the end of {location:?}")))?;
    let length = number("length")?.unwrap_or(rest);
    if length > rest {
        return Err(fail(format!("its data end beyond the end of {location:?}")));
    }
    file.seek(SeekFrom::Start(offset)).map_err(io)?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes.into())
}
