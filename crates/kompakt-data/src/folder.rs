//! Pictures in folders: one folder per class, optionally below one folder per part; or pictures alone,
//! without labels.

use crate::{
    dataset::Labelling,
    error::DataError,
    listing::{Entry, Listing},
    picture::ENDINGS,
    pile::{Part, Pile},
};
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

/// Lists `folder/CLASS/*.png` (all images), or `folder/train/CLASS/*.png` and its siblings (one part). Classes are
/// the folder names in byte order; the files are in byte order, too. A folder of pictures alone has no labels.
pub(crate) fn list(folder: &Path, part: Part) -> Result<Pile<Listing>, DataError> {
    let Some(training) = part_folder(folder, Part::Training) else {
        let classes = class_names(folder)?;
        return Ok(Pile::Whole(if classes.is_empty() {
            pictures(folder)?
        } else {
            of_classes(folder, classes)?
        }));
    };
    let Some(part) = part_folder(folder, part) else {
        return Err(DataError::file(folder, "has a folder train but no folder test"));
    };
    let classes = class_names(&training)?;
    if classes.is_empty() {
        return Err(DataError::file(&training, "has no folders, one a class, with pictures in them"));
    }
    Ok(Pile::Part(of_classes(&part, classes)?))
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
    Ok(folders.map(|path| name(&path)).filter(|n| !n.starts_with('.')).collect())
}

fn is_picture(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    path.is_file() && ENDINGS.contains(&ending.as_str())
}

fn of_classes(folder: &Path, classes: Vec<String>) -> Result<Listing, DataError> {
    let mut entries = Vec::new();
    for (label, class) in classes.iter().enumerate() {
        let label = u16::try_from(label).map_err(|_| DataError::file(folder, "more than 65536 classes"))?;
        let class_folder = folder.join(class);
        if class_folder.is_dir() {
            let files = sorted(&class_folder)?.into_iter().filter(|path| is_picture(path));
            entries.extend(files.map(|path| Entry { path, label, line: 0 }));
        }
    }
    Ok(Listing { source: folder.into(), entries, classes, labelling: Labelling::Named })
}

/// Pictures without labels.
fn pictures(folder: &Path) -> Result<Listing, DataError> {
    let files: Vec<PathBuf> = sorted(folder)?.into_iter().filter(|path| is_picture(path)).collect();
    if files.is_empty() {
        return Err(DataError::file(folder, "has neither pictures nor folders of pictures, one a class"));
    }
    let entries = files.into_iter().map(|path| Entry { path, label: 0, line: 0 }).collect();
    Ok(Listing {
        source: folder.into(),
        entries,
        classes: vec!["?".into()],
        labelling: Labelling::Unlabelled,
    })
}
