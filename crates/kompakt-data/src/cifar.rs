//! CIFAR-10 and CIFAR-100 in their binary form: a label or two, then three planes of 32 by 32 bytes.

use crate::{
    dataset::{Dataset, Values},
    error::DataError,
    pile::{Part, Pile},
};
use std::{fs, path::Path};

const DIMS: [usize; 3] = [3, 32, 32];
const IMAGE: usize = 3 * 32 * 32;

/// Which of the two a folder holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cifar {
    /// Ten classes; five files of training images.
    Ten,
    /// A hundred classes; a coarse label before the fine one, which is used.
    Hundred,
}

impl Cifar {
    /// The kind, detected from the files of a folder.
    pub(crate) fn in_folder(folder: &Path) -> Option<Self> {
        if folder.join("data_batch_1.bin").is_file() {
            Some(Self::Ten)
        } else if folder.join("train.bin").is_file() && folder.join("test.bin").is_file() {
            Some(Self::Hundred)
        } else {
            None
        }
    }

    /// Files, labels before an image, classes, and the file with their names.
    fn layout(self, part: Part) -> (&'static [&'static str], usize, usize, &'static str) {
        const TEN: [&str; 5] = [
            "data_batch_1.bin",
            "data_batch_2.bin",
            "data_batch_3.bin",
            "data_batch_4.bin",
            "data_batch_5.bin",
        ];
        match (self, part) {
            (Self::Ten, Part::Test) => (&["test_batch.bin"], 1, 10, "batches.meta.txt"),
            (Self::Ten, _) => (&TEN, 1, 10, "batches.meta.txt"),
            (Self::Hundred, Part::Test) => (&["test.bin"], 2, 100, "fine_label_names.txt"),
            (Self::Hundred, _) => (&["train.bin"], 2, 100, "fine_label_names.txt"),
        }
    }

    /// Reads one part of a folder; `known` are the names of the classes where the folder has no file with them.
    pub(crate) fn read(self, folder: &Path, part: Part, known: &[&str]) -> Result<Pile<Dataset>, DataError> {
        let (files, n_labels, n_classes, names) = self.layout(part);
        let (mut bytes, mut labels) = (Vec::new(), Vec::new());
        for file in files {
            let path = folder.join(file);
            let content = fs::read(&path).map_err(DataError::io(&path))?;
            let record = n_labels + IMAGE;
            if content.len() % record != 0 {
                let problem = format!("truncated: {} bytes are no whole number of {record}", content.len());
                return Err(DataError::file(&path, problem));
            }
            for record in content.chunks_exact(record) {
                labels.push(u16::from(record[n_labels - 1]));
                bytes.extend_from_slice(&record[n_labels..]);
            }
        }
        let classes = class_names(&folder.join(names), n_classes, known);
        Ok(Pile::Part(Dataset::new(&DIMS, Values::Bytes(bytes), labels, classes)?))
    }
}

/// The lines of the file; where it is not there the known names, or numbers.
fn class_names(path: &Path, n_classes: usize, known: &[&str]) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let names: Vec<String> = text.lines().filter(|line| !line.trim().is_empty()).map(String::from).collect();
    if names.len() == n_classes {
        return names;
    }
    (0..n_classes).map(|i| known.get(i).map_or_else(|| i.to_string(), |name| (*name).to_string())).collect()
}
