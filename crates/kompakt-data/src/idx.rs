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
    let bytes = read_bytes(&mut input, size).map_err(DataError::io(path))?;
    if bytes.len() < size {
        return Err(wrong(format!("truncated: {} bytes of content, {dims:?} needs {size}", bytes.len())));
    }
    if input.read(&mut [0]).map_err(DataError::io(path))? > 0 {
        return Err(wrong(format!("goes on after the {size} bytes of {dims:?}")));
    }
    Ok(Idx { dims, bytes })
}

/// At most `size` bytes, growing with what is there and not with what was promised.
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
    let (n, dims) = match *pictures.dims {
        [n, height, width] => (n, [1, height, width]),
        [n, channels, height, width] => (n, [channels, height, width]),
        _ => return Err(DataError::file(images, format!("{:?} is no list of images", pictures.dims))),
    };
    let names = read(labels)?;
    if names.dims != [n] {
        return Err(DataError::file(labels, format!("{:?} labels for {n} images", names.dims)));
    }
    let labels = names.bytes.into_iter().map(u16::from).collect();
    Ok(Pictures { dims, bytes: pictures.bytes, labels })
}

/// `folder/name`, or `folder/name.gz`, whichever is there.
pub(crate) fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(name), folder.join(format!("{name}.gz"))].into_iter().find(|path| path.is_file())
}
