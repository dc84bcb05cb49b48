//! Picture files with their labels, which are not decoded yet: a folder's, or those of a list.

use crate::{
    dataset::{Dataset, Labelling, Values},
    error::DataError,
    picture::{ENDINGS, read_picture},
    pile::Cut,
};
use rayon::prelude::*;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The most classes: labels are 16 bits.
const MAX_CLASSES: usize = 1 << 16;

/// A picture file, and the index of its class.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) label: u16,
    /// The line of the list, counted from 1; 0 where there is no list.
    pub(crate) line: usize,
}

/// See the [module page](self).
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    /// The folder or the list.
    pub(crate) source: PathBuf,
    pub(crate) entries: Vec<Entry>,
    pub(crate) classes: Vec<String>,
    pub(crate) labelling: Labelling,
}

impl Listing {
    /// Reads a list: a path (from the list's folder) and a label on every line, with a tab between.
    ///
    /// Labels that are all whole numbers are class numbers, gaps allowed. Else they are names; classes are
    /// in the order of their bytes.
    /// Errors: a line without a tab, a picture that is not there, a number above 65535, each with its line.
    pub(crate) fn of_list(path: &Path) -> Result<Self, DataError> {
        let text = fs::read_to_string(path).map_err(DataError::io(path))?;
        let wrong = |line: usize, problem: String| DataError::Line { path: path.into(), line, problem };
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut rows = Vec::new();
        for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let Some((file, label)) = line.split_once('\t') else {
                return Err(wrong(i + 1, "no tab between path and label".into()));
            };
            let file = folder.join(file);
            if !file.is_file() {
                return Err(wrong(i + 1, format!("there is no picture {}", file.display())));
            }
            rows.push((i + 1, file, label.trim()));
        }
        let is_numbered = rows.iter().all(|(_, _, label)| is_number(label));
        let mut names: Vec<&str> = rows.iter().map(|(_, _, label)| *label).collect();
        names.sort_unstable();
        names.dedup();
        if !is_numbered && names.len() > MAX_CLASSES {
            return Err(DataError::file(path, format!("more than {MAX_CLASSES} classes")));
        }
        let mut entries = Vec::with_capacity(rows.len());
        for (line, path, label) in rows {
            let number = match is_numbered {
                true => label.parse::<u16>().ok(),
                false => names.binary_search(&label).ok().and_then(|at| u16::try_from(at).ok()),
            };
            let number = number.ok_or_else(|| wrong(line, format!("class {label} is above 65535")))?;
            entries.push(Entry { path, label: number, line });
        }
        let (classes, labelling) = match is_numbered {
            true => (numbers(entries.iter().map(|e| e.label)), Labelling::Numbered),
            false => (names.into_iter().map(String::from).collect(), Labelling::Named),
        };
        Ok(Self { source: path.into(), entries, classes, labelling })
    }

    /// Decodes the pictures.
    ///
    /// Shapes: all pictures must have the same shape, unless `dims` is given: then they are converted to it.
    /// Errors: no pictures at all, pictures of different shapes, a file that is not a picture (with its line
    /// in the list).
    pub(crate) fn decode(self, dims: Option<[usize; 3]>) -> Result<Dataset, DataError> {
        let Some(first) = self.entries.first() else {
            return Err(DataError::file(&self.source, format!("has no pictures ({})", ENDINGS.join(", "))));
        };
        let shape = match dims {
            Some(dims) => dims,
            None => read_picture(&first.path, None).map_err(|e| self.at(first, e))?.dims,
        };
        let read: Vec<Result<Vec<u8>, DataError>> = self
            .entries
            .par_iter()
            .map(|entry| {
                let picture = read_picture(&entry.path, dims).map_err(|e| self.at(entry, e))?;
                if picture.dims == shape {
                    return Ok(picture.bytes);
                }
                let problem = format!(
                    "is {:?}, {} is {shape:?}; say what all shall be with --size",
                    picture.dims,
                    first.path.display()
                );
                Err(self.at(entry, DataError::file(&entry.path, problem)))
            })
            .collect();
        // The first problem of the list, whichever thread was faster.
        let pictures: Result<Vec<Vec<u8>>, DataError> = read.into_iter().collect();
        let labels = self.entries.iter().map(|e| e.label).collect();
        Ok(Dataset::new(&shape, Values::Bytes(pictures?.concat()), labels, self.classes)?
            .labelled(self.labelling))
    }

    /// An error of a picture, with the line that names it.
    fn at(&self, entry: &Entry, error: DataError) -> DataError {
        match entry.line {
            0 => error,
            line => DataError::Line { path: self.source.clone(), line, problem: error.to_string() },
        }
    }
}

impl Cut for Listing {
    fn len(&self) -> usize {
        self.entries.len()
    }

    fn is_by_class(&self) -> bool {
        self.entries.is_sorted_by_key(|e| e.label)
    }

    fn select(mut self, keep: &[usize]) -> Self {
        self.entries = keep.iter().map(|&i| self.entries[i].clone()).collect();
        self
    }

    fn chain(mut self, more: Self) -> Result<Self, DataError> {
        self.entries.extend(more.entries);
        Ok(self)
    }
}

/// Whether a label is a whole number, written without a sign.
pub(crate) fn is_number(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit())
}

/// The names of classes that are numbers: 0 to the largest.
pub(crate) fn numbers(labels: impl Iterator<Item = u16>) -> Vec<String> {
    let n = labels.max().map_or(0, |label| usize::from(label) + 1);
    (0..n).map(|i| i.to_string()).collect()
}
