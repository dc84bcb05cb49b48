//! Files of images: IDX, `.npy`, `.npz`, pictures.

use crate::Fixtures;
use kompakt_data::read_images;
use std::io::Write;

/// The file extensions that the first byte of an input selects from.
const EXTENSIONS: [&str; 6] = [".idx", ".npy", ".npz", ".png", ".pgm", ".jpg"];

/// Input: which kind of file (a byte), the file.
pub(crate) fn images(bytes: &[u8]) {
    let Some((kind, content)) = bytes.split_first() else { return };
    let suffix = EXTENSIONS[usize::from(*kind) % EXTENSIONS.len()];
    let written = tempfile::Builder::new().suffix(suffix).tempfile().and_then(|mut file| {
        file.write_all(content)?;
        Ok(file)
    });
    let Ok(file) = written else { return };
    if let Ok(images) = read_images(file.path(), None) {
        let mut image = vec![0.0; images.image_len()];
        images.image(images.len() - 1, &mut image);
    }
}

pub(crate) fn files(_: &Fixtures) -> Vec<Vec<u8>> {
    let idx = [&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4][..], &[7; 24]].concat();
    let mut header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, 4), }".to_vec();
    header.resize(117, b' ');
    header.push(b'\n');
    let npy = [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes(), &header, &[0; 96]].concat();
    let pgm = b"P5 4 3 255 abcdefghijkl".to_vec();
    let no_pixels = b"P5 0 3 255 ".to_vec();
    [(0, idx), (1, npy), (4, pgm), (4, no_pixels)].map(|(kind, file)| [&[kind][..], &file].concat()).to_vec()
}
