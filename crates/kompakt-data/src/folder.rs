//! Pictures in folders: one folder a class, or a list of paths and labels.

use crate::{
    dataset::{Dataset, Values},
    error::DataError,
    picture::{ENDINGS, read_picture},
    pile::{Part, Pile},
};
use rayon::prelude::*;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The names that a folder of parts may have.
const PARTS: [(Part, &[&str]); 3] = [
    (Part::Training, &["train", "training"]),
    (Part::Validation, &["validation", "valid", "val"]),
    (Part::Test, &["test", "testing"]),
];

fn part_folder(folder: &Path, part: Part) -> Option<PathBuf> {
    let (_, names) = PARTS.iter().find(|(of, _)| *of == part)?;
    names.iter().map(|name| folder.join(name)).find(|path| path.is_dir())
}

/// Whether the folder has validation images of its own.
pub(crate) fn has_validation(folder: &Path) -> bool {
    part_folder(folder, Part::Validation).is_some()
}

/// Reads `folder/CLASS/*.png` (all images), or `folder/train/CLASS/*.png` and its siblings (one part). Classes are
/// the names of the folders in the order of their bytes, and so are the files.
///
/// Shapes: every picture must have the same, unless `dims` says which they are made.
pub(crate) fn read(folder: &Path, part: Part, dims: Option<[usize; 3]>) -> Result<Pile, DataError> {
    let Some(training) = part_folder(folder, Part::Training) else {
        return Ok(Pile::Whole(read_classes(folder, &class_names(folder)?, dims)?));
    };
    let Some(part) = part_folder(folder, part) else {
        return Err(DataError::file(folder, "has a folder train but no folder test"));
    };
    Ok(Pile::Part(read_classes(&part, &class_names(&training)?, dims)?))
}

/// The entries of a folder in the order of their names.
fn sorted(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let entries = fs::read_dir(folder).map_err(DataError::io(folder))?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|e| e.path())).collect();
    let mut paths = paths.map_err(DataError::io(folder))?;
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn class_names(folder: &Path) -> Result<Vec<String>, DataError> {
    let folders = sorted(folder)?.into_iter().filter(|path| path.is_dir());
    let names: Vec<String> = folders.map(|path| name(&path)).filter(|n| !n.starts_with('.')).collect();
    if names.is_empty() {
        return Err(DataError::file(folder, "has no folders, one a class, with pictures in them"));
    }
    Ok(names)
}

fn is_picture(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    path.is_file() && ENDINGS.contains(&ending.as_str())
}

fn read_classes(folder: &Path, classes: &[String], dims: Option<[usize; 3]>) -> Result<Dataset, DataError> {
    let mut files = Vec::new();
    for (label, class) in classes.iter().enumerate() {
        let label = u16::try_from(label).map_err(|_| DataError::file(folder, "more than 65536 classes"))?;
        let class_folder = folder.join(class);
        if class_folder.is_dir() {
            files.extend(
                sorted(&class_folder)?.into_iter().filter(|path| is_picture(path)).map(|p| (p, label)),
            );
        }
    }
    read_all(folder, &files, classes.to_vec(), dims)
}

/// Reads a list: a path (from the list's folder) and a label on every line, with a tab between. Labels are names;
/// classes are in the order of their bytes, numbers in the order of their values.
pub(crate) fn read_list(path: &Path, dims: Option<[usize; 3]>) -> Result<Pile, DataError> {
    let text = fs::read_to_string(path).map_err(DataError::io(path))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut rows = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let Some((file, label)) = line.split_once('\t') else {
            return Err(DataError::file(path, format!("line {}: no tab between path and label", i + 1)));
        };
        rows.push((folder.join(file), label.trim()));
    }
    let mut classes: Vec<&str> = rows.iter().map(|(_, label)| *label).collect();
    classes.sort_by_key(|label| (label.parse::<u64>().unwrap_or(u64::MAX), *label));
    classes.dedup();
    let position = |label: &str| classes.iter().position(|class| *class == label).unwrap_or_default();
    let files: Vec<(PathBuf, u16)> =
        rows.iter().map(|(p, label)| (p.clone(), position(label) as u16)).collect();
    if classes.len() > usize::from(u16::MAX) {
        return Err(DataError::file(path, "more than 65535 classes"));
    }
    let classes = classes.into_iter().map(String::from).collect();
    Ok(Pile::Whole(read_all(path, &files, classes, dims)?))
}

fn read_all(
    source: &Path,
    files: &[(PathBuf, u16)],
    classes: Vec<String>,
    dims: Option<[usize; 3]>,
) -> Result<Dataset, DataError> {
    let Some((first, _)) = files.first() else {
        return Err(DataError::file(source, format!("has no pictures ({})", ENDINGS.join(", "))));
    };
    let shape = match dims {
        Some(dims) => dims,
        None => read_picture(first, None)?.dims,
    };
    let pictures: Result<Vec<Vec<u8>>, DataError> = files
        .par_iter()
        .map(|(path, _)| {
            let picture = read_picture(path, dims)?;
            if picture.dims == shape {
                return Ok(picture.bytes);
            }
            Err(DataError::file(
                path,
                format!(
                    "is {:?}, {} is {shape:?}; say what all shall be with --size",
                    picture.dims,
                    first.display()
                ),
            ))
        })
        .collect();
    let labels = files.iter().map(|(_, label)| *label).collect();
    Dataset::new(&shape, Values::Bytes(pictures?.concat()), labels, classes)
}
