//! IDX, the format of MNIST: a magic number, the dimensions, the bytes. Big-endian, plain or gzipped.

use crate::error::DataError;
use flate2::read::GzDecoder;
use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

/// The bytes of an IDX file and their dimensions.
pub(crate) struct Idx {
    pub(crate) dims: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

/// The most bytes that a file may say it holds.
const MAX_BYTES: usize = 1 << 33;

/// Reads a file of unsigned bytes. The content goes straight into one buffer of its final size.
pub(crate) fn read(path: &Path) -> Result<Idx, DataError> {
    let file = File::open(path).map_err(DataError::io(path))?;
    if path.extension().is_some_and(|e| e == "gz") {
        read_from(GzDecoder::new(BufReader::new(file)), path)
    } else {
        read_from(file, path)
    }
}

fn read_from(mut input: impl Read, path: &Path) -> Result<Idx, DataError> {
    let (dims, size) = read_dims(&mut input, path)?;
    let bytes = read_bytes(&mut input, size).map_err(DataError::io(path))?;
    if bytes.len() < size {
        return Err(truncated(path, bytes.len(), size));
    }
    if input.read(&mut [0]).map_err(DataError::io(path))? > 0 {
        return Err(DataError::file(path, format!("goes on after the {size} bytes of {dims:?}")));
    }
    Ok(Idx { dims, bytes })
}

/// The dimensions at the head of a file, and how many bytes follow.
fn read_dims(input: &mut impl Read, path: &Path) -> Result<(Vec<usize>, usize), DataError> {
    let wrong = |problem: String| DataError::file(path, problem);
    let mut magic = [0; 4];
    input.read_exact(&mut magic).map_err(|_| wrong("shorter than its 4-byte magic number".into()))?;
    let [0, 0, 8, rank] = magic else {
        return Err(wrong(format!("starts with {magic:02x?}; an IDX file of bytes starts with 00 00 08")));
    };
    let mut dims = Vec::new();
    for i in 0..rank {
        let mut dim = [0; 4];
        input.read_exact(&mut dim).map_err(|_| wrong(format!("ends before dimension {i} of {rank}")))?;
        dims.push(u32::from_be_bytes(dim) as usize);
    }
    let size = dims.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).filter(|n| *n <= MAX_BYTES);
    let size = size.ok_or_else(|| wrong(format!("{dims:?} is more than {MAX_BYTES} bytes")))?;
    Ok((dims, size))
}

fn truncated(path: &Path, found: usize, size: usize) -> DataError {
    DataError::file(path, format!("truncated: {found} bytes of content, its dimensions need {size}"))
}

/// At most `size` bytes, growing with the bytes present and not with the length announced.
fn read_bytes(input: &mut impl Read, size: usize) -> std::io::Result<Vec<u8>> {
    const PIECE: usize = 1 << 26;
    let mut bytes = Vec::with_capacity(size.min(PIECE));
    input.take(size as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Images of `[channels, height, width]`, one after the other, and their labels.
pub(crate) struct Pictures {
    pub(crate) dims: [usize; 3],
    pub(crate) bytes: Vec<u8>,
    pub(crate) labels: Vec<u16>,
}

/// Images `[n, height, width]` or `[n, channels, height, width]`, and their labels.
pub(crate) fn read_pair(images: &Path, labels: &Path) -> Result<Pictures, DataError> {
    let pictures = read(images)?;
    let (n, dims) = picture_dims(&pictures.dims, images)?;
    Ok(Pictures { dims, bytes: pictures.bytes, labels: read_labels(labels, n)? })
}

/// How many images, and the `[channels, height, width]` of one.
fn picture_dims(dims: &[usize], path: &Path) -> Result<(usize, [usize; 3]), DataError> {
    match *dims {
        [n, height, width] => Ok((n, [1, height, width])),
        [n, channels, height, width] => Ok((n, [channels, height, width])),
        _ => Err(DataError::file(path, format!("{dims:?} is no list of images"))),
    }
}

fn read_labels(path: &Path, n: usize) -> Result<Vec<u16>, DataError> {
    let labels = read(path)?;
    if labels.dims != [n] {
        return Err(DataError::file(path, format!("{:?} labels for {n} images", labels.dims)));
    }
    Ok(labels.bytes.into_iter().map(u16::from).collect())
}

/// A pair of plain files, read a part at a time.
pub(crate) struct PairReader {
    images: File,
    path: PathBuf,
    dims: [usize; 3],
    /// The labels of all images; those from `next` on are still to come.
    labels: Vec<u16>,
    next: usize,
}

impl PairReader {
    /// Opens the files; the labels are read immediately.
    pub(crate) fn open(images: &Path, labels: &Path) -> Result<Self, DataError> {
        let mut file = File::open(images).map_err(DataError::io(images))?;
        let (dims, _) = read_dims(&mut file, images)?;
        let (n, dims) = picture_dims(&dims, images)?;
        Ok(Self { images: file, path: images.into(), dims, labels: read_labels(labels, n)?, next: 0 })
    }

    /// The next `n` images, fewer at the end, `None` after it.
    pub(crate) fn read(&mut self, n: usize) -> Option<Result<Pictures, DataError>> {
        let labels = self.labels[self.next..].iter().copied().take(n).collect::<Vec<_>>();
        self.next += labels.len();
        (!labels.is_empty()).then(|| self.read_images(labels))
    }

    fn read_images(&mut self, labels: Vec<u16>) -> Result<Pictures, DataError> {
        let size = labels.len() * self.dims.iter().product::<usize>();
        let bytes = read_bytes(&mut self.images, size).map_err(DataError::io(&self.path))?;
        if bytes.len() < size {
            return Err(truncated(&self.path, bytes.len(), size));
        }
        Ok(Pictures { dims: self.dims, bytes, labels })
    }
}

/// `folder/name`, or `folder/name.gz`, whichever is there.
pub(crate) fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(name), folder.join(format!("{name}.gz"))].into_iter().find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_the_whole_in_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let (images, labels) = (folder.path().join("images"), folder.path().join("labels"));
        let head = |rank: u8, dims: &[u8]| {
            let mut bytes = vec![0, 0, 8, rank];
            dims.iter().for_each(|&d| bytes.extend([0, 0, 0, d]));
            bytes
        };
        let pixels: Vec<u8> = (0..5 * 6).collect();
        std::fs::write(&images, [head(3, &[5, 2, 3]), pixels.clone()].concat()).unwrap();
        std::fs::write(&labels, [head(1, &[5]), vec![4, 3, 2, 1, 0]].concat()).unwrap();

        let mut reader = PairReader::open(&images, &labels).unwrap();
        let parts: Vec<Pictures> = std::iter::from_fn(|| reader.read(2)).map(Result::unwrap).collect();
        assert_eq!(parts.iter().map(|p| p.labels.len()).collect::<Vec<_>>(), [2, 2, 1]);
        assert_eq!(parts.iter().flat_map(|p| p.bytes.clone()).collect::<Vec<_>>(), pixels);
        assert_eq!(parts.iter().flat_map(|p| p.labels.clone()).collect::<Vec<_>>(), [4, 3, 2, 1, 0]);

        std::fs::write(&images, [head(3, &[5, 2, 3]), pixels[..20].to_vec()].concat()).unwrap();
        let mut reader = PairReader::open(&images, &labels).unwrap();
        assert!(reader.read(3).unwrap().is_ok());
        assert!(reader.read(3).unwrap().is_err());
    }
}
