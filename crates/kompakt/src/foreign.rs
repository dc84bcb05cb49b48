//! Model files of other programs that kompakt does not read: recognised by their bytes, with instructions for
//! converting them.

use crate::process::Failure;
use anyhow::{Context, Result, bail};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

/// Number of bytes inspected at the start, and at the end.
const LOOK: usize = 1 << 16;

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    TorchScript,
    PyTorch,
    Pickle,
    Keras,
    KerasArchive,
    TfLite,
    SavedModel,
    FrozenGraph,
    Caffe,
}

impl Kind {
    /// Its description.
    fn what(self) -> &'static str {
        match self {
            Self::TorchScript => "a TorchScript archive of PyTorch",
            Self::PyTorch => "a PyTorch checkpoint",
            Self::Pickle => "a Python pickle",
            Self::Keras => "an HDF5 file, as Keras writes models",
            Self::KerasArchive => "a Keras archive",
            Self::TfLite => "a TensorFlow Lite model",
            Self::SavedModel => "a TensorFlow SavedModel",
            Self::FrozenGraph => "a frozen TensorFlow graph",
            Self::Caffe => "a Caffe model",
        }
    }

    /// How to convert it to ONNX.
    fn way(self, file: &str) -> String {
        let onnx = "model.onnx";
        match self {
            Self::TorchScript | Self::PyTorch => format!(
                "build the network in Python, load this file into it, and write \
                 torch.onnx.export(network.eval(), example_input, \"{onnx}\")"
            ),
            Self::Pickle => {
                "export the network as ONNX from the program that wrote it (skl2onnx for scikit-learn, torch.onnx for PyTorch)".into()
            }
            Self::Keras | Self::KerasArchive => {
                format!("pip install tf2onnx, then python -m tf2onnx.convert --keras {file} --output {onnx}")
            }
            Self::TfLite => {
                format!("pip install tf2onnx, then python -m tf2onnx.convert --tflite {file} --output {onnx}")
            }
            Self::SavedModel => format!(
                "pip install tf2onnx, then python -m tf2onnx.convert --saved-model FOLDER --output {onnx}, with the folder of this file"
            ),
            Self::FrozenGraph => format!(
                "pip install tf2onnx, then python -m tf2onnx.convert --graphdef {file} --inputs NAME:0 --outputs NAME:0 --output {onnx}"
            ),
            Self::Caffe => format!(
                "pip install caffe2onnx, then python -m caffe2onnx.convert --prototxt NET.prototxt --caffemodel {file} --onnx {onnx}"
            ),
        }
    }
}

/// Refuses a file of another program with one line that says what it is and how to convert it.
///
/// Errors: such a file, a folder, a file that cannot be read. A file that is not recognised is not an error.
pub(crate) fn refuse(path: &Path) -> Result<()> {
    if path == Path::new("-") {
        return Ok(());
    }
    let name = path.display().to_string();
    let kind = if path.is_dir() {
        if !path.join("saved_model.pb").is_file() {
            bail!(Failure::input(format!("{name} is a folder, not a model")));
        }
        Some(Kind::SavedModel)
    } else {
        let what = || format!("cannot read {name}");
        let (start, end) = ends(path).with_context(what)?;
        recognise(&start, &end)
    };
    match kind {
        Some(kind) => bail!(Failure::input(format!(
            "{name} is {}; kompakt reads ONNX: {}",
            kind.what(),
            kind.way(&name)
        ))),
        None => Ok(()),
    }
}

/// The first and the last bytes of a file; empty if it is not a regular file.
fn ends(path: &Path) -> std::io::Result<(Vec<u8>, Vec<u8>)> {
    let mut file = File::open(path)?;
    let n_bytes = file.metadata()?.len();
    if !file.metadata()?.is_file() {
        return Ok((Vec::new(), Vec::new()));
    }
    let (mut start, mut end) = (Vec::new(), Vec::new());
    file.by_ref().take(LOOK as u64).read_to_end(&mut start)?;
    file.seek(SeekFrom::Start(n_bytes.saturating_sub(LOOK as u64)))?;
    file.take(LOOK as u64).read_to_end(&mut end)?;
    Ok((start, end))
}

fn recognise(start: &[u8], end: &[u8]) -> Option<Kind> {
    let holds = |what: &[u8]| [start, end].iter().any(|part| part.windows(what.len()).any(|w| w == what));
    match start {
        [b'P', b'K', 3, 4, ..] if holds(b"data.pkl") && holds(b"/code/") => Some(Kind::TorchScript),
        [b'P', b'K', 3, 4, ..] if holds(b"data.pkl") => Some(Kind::PyTorch),
        [b'P', b'K', 3, 4, ..] if holds(b"model.weights.h5") => Some(Kind::KerasArchive),
        // The magic number that torch.save wrote first, before its files were archives.
        [0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, ..] => Some(Kind::PyTorch),
        [0x80, 2..=5, ..] => Some(Kind::Pickle),
        [0x89, b'H', b'D', b'F', 13, 10, 26, 10, ..] => Some(Kind::Keras),
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => Some(Kind::TfLite),
        [8, 1, 0x12, rest @ ..] => (message(rest)?.first() == Some(&0x0a)).then_some(Kind::SavedModel),
        [0x0a, rest @ ..] => graph_or_caffe(rest),
        _ => None,
    }
}

/// Both begin with a field 1: a node of a graph is a message that begins with its name and its operator; the name of a Caffe
/// model is text, followed by layers (field 100, or 2 in old files) or inputs (field 3, 4, 8).
fn graph_or_caffe(rest: &[u8]) -> Option<Kind> {
    let (first, after) = field(rest)?;
    if let [0x0a, name @ ..] = first
        && let Some((name, [0x12, ..])) = field(name)
        && is_text(name)
    {
        return Some(Kind::FrozenGraph);
    }
    let is_layer = matches!(after, [0xa2, 0x06, ..] | [0x12 | 0x1a | 0x20 | 0x42, ..]);
    (is_text(first) && is_layer).then_some(Kind::Caffe)
}

fn is_text(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|b| (0x20..0x7f).contains(b))
}

/// The content of a length-delimited message, as far as it is available.
fn message(bytes: &[u8]) -> Option<&[u8]> {
    let (n, rest) = length(bytes)?;
    Some(&rest[..n.min(rest.len())])
}

/// The complete content of a length-delimited field, and the bytes after it.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (n, rest) = length(bytes)?;
    rest.split_at_checked(n)
}

/// A length as a varint (LEB128): seven bits per byte, the lowest first.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut n = 0usize;
    for (i, byte) in bytes.iter().enumerate().take(4) {
        n |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((n, &bytes[i + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zip(names: &[&str]) -> Vec<u8> {
        let mut bytes = b"PK\x03\x04".to_vec();
        names.iter().for_each(|name| bytes.extend([&[0; 26][..], name.as_bytes()].concat()));
        bytes
    }

    #[test]
    fn kinds_are_told_by_their_bytes() {
        for (bytes, kind) in [
            (zip(&["net/data.pkl", "net/data/0"]), Some(Kind::PyTorch)),
            (zip(&["net/data.pkl", "net/code/__torch__.py"]), Some(Kind::TorchScript)),
            (zip(&["config.json", "model.weights.h5"]), Some(Kind::KerasArchive)),
            (zip(&["x_train.npy"]), None),
            (b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.".to_vec(), Some(Kind::PyTorch)),
            (b"\x80\x04\x95\x10".to_vec(), Some(Kind::Pickle)),
            (b"\x89HDF\r\n\x1a\n\0".to_vec(), Some(Kind::Keras)),
            (b"\x1c\0\0\0TFL3".to_vec(), Some(Kind::TfLite)),
            (b"\x08\x01\x12\xbf\x11\x0a\x05".to_vec(), Some(Kind::SavedModel)),
            (b"\x0a\x12\x0a\x01x\x12\x0bPlaceholder00".to_vec(), Some(Kind::FrozenGraph)),
            (b"\x0a\x07AlexNet\xa2\x06\x10".to_vec(), Some(Kind::Caffe)),
            (b"\x0a\x09CaffeNet1\x12\x10".to_vec(), Some(Kind::Caffe)),
            // An ONNX file, a model of the stages, nothing.
            (b"\x08\x07\x12\x07pytorch".to_vec(), None),
            (b"\x08\x01\x12\x07pytorch".to_vec(), None),
            (b"\x40\0\0\0\0\0\0\0{\"__metadata__\"".to_vec(), None),
            (Vec::new(), None),
        ] {
            assert_eq!(recognise(&bytes, &[]), kind, "{bytes:?}");
        }
    }
}
