//! The files that inputs start from.

use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The folder `fixtures/`.
#[derive(Debug, Clone)]
pub struct Fixtures(PathBuf);

impl Fixtures {
    /// Those of this repository.
    pub fn of_repository() -> Self {
        Self(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures"))
    }

    /// The files below a folder with this suffix, sorted by name.
    pub(crate) fn files(&self, folder: &str, extension: &str) -> Vec<Vec<u8>> {
        self.paths(folder, extension).iter().filter_map(|path| fs::read(path).ok()).collect()
    }

    /// The coders' cases with this prefix, good and bad.
    pub(crate) fn coder_cases(&self, start: &str) -> Vec<Value> {
        let bad = format!("bad-{start}");
        let example = format!("example-{start}");
        let is_of_coder = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            [start, &bad, &example].iter().any(|start| name.starts_with(start))
        };
        let paths = self.paths("coders", "json").into_iter().filter(is_of_coder);
        paths.filter_map(|path| serde_json::from_slice(&fs::read(path).ok()?).ok()).collect()
    }

    fn paths(&self, folder: &str, extension: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.0.join(folder)) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|e| e == extension));
        paths.sort();
        paths
    }
}

/// The bytes of a hexadecimal string.
pub(crate) fn unhex(text: &Value) -> Option<Vec<u8>> {
    let text = text.as_str()?;
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}
