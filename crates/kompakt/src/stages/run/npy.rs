//! Outputs as NumPy files, one per name: `FOLDER/NAME.npy`, f32, `[images, ...]`; or a single one.

use super::{Args, io_failure, usage};
use crate::Output;
use anyhow::Result;
use kompakt_runtime::{Port, Session};
use std::{
    collections::BTreeSet,
    io::{BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// Bytes before the values: magic, version, length, and a header that is long enough for every shape.
const HEADER_BYTES: usize = 256;

/// Files under construction: values are appended image by image, and the files appear in place at the end.
pub(super) struct NpyFiles {
    files: Vec<(BufWriter<NamedTempFile>, PathBuf)>,
    n_images: usize,
    shapes: Vec<Vec<usize>>,
}

impl NpyFiles {
    /// Where the command line wants the outputs; `None` where it does not want them in files.
    ///
    /// Errors: one file for several outputs, a file that cannot be written, one that the command reads.
    pub(super) fn of(args: &Args, outputs: &[Port]) -> Result<Option<Self>> {
        let Some(path) = args.npy.as_ref().or(args.output.as_ref()) else { return Ok(None) };
        let is_file = args.npy.is_none() && path.extension().is_some_and(|extension| extension == "npy");
        let paths: Vec<PathBuf> = if !is_file {
            std::fs::create_dir_all(path).map_err(|e| io_failure(path, &e))?;
            let mut names = BTreeSet::new();
            outputs.iter().map(|output| path.join(file_name(&output.name, &mut names))).collect()
        } else if outputs.len() == 1 {
            vec![path.clone()]
        } else {
            let names: Vec<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
            let names = names.join(", ");
            return Err(usage(&format!("-o {}: the outputs are {names}; name a folder", path.display())));
        };
        let arrays = args.input.iter().map(|file| &file.1);
        let reads = std::iter::once(&args.model).chain(&args.images).chain(arrays).map(PathBuf::as_path);
        // A folder of images may also get the outputs.
        let reads: Vec<&Path> = reads.filter(|read| !read.is_dir()).collect();
        let mut files = Vec::new();
        for path in paths {
            Output { output: path.clone() }.check(&reads)?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            let mut file = BufWriter::new(temporary(folder).map_err(|e| io_failure(folder, &e))?);
            file.write_all(&[b' '; HEADER_BYTES])?;
            files.push((file, path));
        }
        let shapes = outputs.iter().map(|output| output.shape.clone()).collect();
        Ok(Some(Self { files, n_images: 0, shapes }))
    }

    /// Errors: outputs of another shape than those before.
    pub(super) fn check(&self, outputs: &[Port]) -> Result<()> {
        match outputs
            .iter()
            .zip(&self.shapes)
            .find(|(output, shape)| output.shape != **shape && self.n_images > 0)
        {
            None => Ok(()),
            Some((output, shape)) => Err(usage(&format!(
                "output {:?} is {:?} here and {shape:?} before; run images of different sizes one by one with --npy",
                output.name, output.shape
            ))),
        }
    }

    /// The results of the last run, of one image.
    pub(super) fn append(&mut self, session: &Session<'_>) -> Result<()> {
        self.shapes = session.outputs().iter().map(|output| output.shape.clone()).collect();
        for (i, (file, path)) in self.files.iter_mut().enumerate() {
            for value in session.output(i) {
                file.write_all(&value.to_le_bytes()).map_err(|e| io_failure(path, &e))?;
            }
        }
        self.n_images += 1;
        Ok(())
    }

    /// Writes the headers and moves the files into place.
    pub(super) fn finish(self) -> Result<()> {
        for ((mut file, path), shape) in self.files.into_iter().zip(&self.shapes) {
            let header = header(self.n_images, shape);
            let write = |file: &mut BufWriter<NamedTempFile>| {
                file.seek(SeekFrom::Start(0))?;
                file.write_all(&header)?;
                file.flush()
            };
            write(&mut file).map_err(|e| io_failure(&path, &e))?;
            let file = file.into_inner().map_err(|e| io_failure(&path, e.error()))?;
            file.persist(&path).map_err(|e| io_failure(&path, &e.error))?;
        }
        Ok(())
    }
}

/// A file without a name of its own yet, with the permissions of a new file.
fn temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// The header of format 1.0: a Python dictionary, spaces and a line feed.
fn header(n_images: usize, shape: &[usize]) -> Vec<u8> {
    let dims: String = std::iter::once(&n_images).chain(shape).map(|d| format!("{d}, ")).collect();
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", dims.trim_end());
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend(((HEADER_BYTES - 10) as u16).to_le_bytes());
    header.extend(text.bytes());
    header.resize(HEADER_BYTES - 1, b' ');
    header.push(b'\n');
    header
}

/// A file name for an output: characters that a path cannot hold become `_`, and duplicates get a number.
fn file_name(name: &str, taken: &mut BTreeSet<String>) -> String {
    let is_safe = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name: String = name.chars().take(100).map(|c| if is_safe(c) { c } else { '_' }).collect();
    let stem = if name.starts_with('.') { format!("_{name}") } else { name };
    let mut candidates = std::iter::once(stem.clone()).chain((2..).map(|i| format!("{stem}-{i}")));
    let free = candidates.find(|name| taken.insert(name.to_lowercase())).unwrap_or(stem);
    format!("{free}.npy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_and_differ() {
        let mut taken = BTreeSet::new();
        let mut name = |name: &str| file_name(name, &mut taken);
        assert_eq!(name("/head/Conv_3"), "_head_Conv_3.npy");
        assert_eq!(name("../x"), "_.._x.npy");
        assert_eq!([name("a"), name("A"), name("a")], ["a.npy", "A-2.npy", "a-3.npy"]);
    }

    #[test]
    fn headers_have_one_length() {
        for shape in [&[][..], &[3], &[1 << 28; 8]] {
            let header = header(usize::MAX, shape);
            assert_eq!((header.len(), header.last()), (HEADER_BYTES, Some(&b'\n')));
        }
        assert!(header(2, &[]).windows(4).any(|w| w == b"(2,)"));
    }
}
