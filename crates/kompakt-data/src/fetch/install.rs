//! One checked file in the cache.

use crate::{known::KnownFile, progress::Progress};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
};

/// Bytes per read.
const PIECE: usize = 1 << 16;

/// Whether the file is in `folder` with the right length and hash.
pub(super) fn is_whole(folder: &Path, known: &KnownFile, progress: &mut dyn Progress) -> bool {
    let Ok(mut file) = File::open(folder.join(known.name)) else { return false };
    if !file.metadata().is_ok_and(|m| m.len() == known.n_bytes) {
        return false;
    }
    progress.begin(&format!("checking {}", known.name), known.n_bytes);
    copy(&mut file, &mut std::io::sink(), known, progress).is_ok()
}

/// Copies a stream, which must match `known`, to a temporary sibling and renames it when length and hash are
/// right.
pub(super) fn install(
    from: &mut dyn Read,
    known: &KnownFile,
    folder: &Path,
    progress: &mut dyn Progress,
) -> Result<(), String> {
    let path = folder.join(known.name);
    let mut sibling = kompakt_files::Sibling::of(&path).map_err(|e| format!("{}: {e}", folder.display()))?;
    progress.begin(known.name, known.n_bytes);
    copy(from, &mut sibling, known, progress)?;
    sibling.persist().map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(())
}

/// Copies and checks; stops at the first byte too many.
fn copy(
    from: &mut dyn Read,
    to: &mut dyn Write,
    known: &KnownFile,
    progress: &mut dyn Progress,
) -> Result<(), String> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut n_bytes = 0u64;
    loop {
        let n = from.read(&mut piece).map_err(|e| format!("{}: {e} after {n_bytes} bytes", known.name))?;
        if n == 0 {
            break;
        }
        n_bytes += n as u64;
        if n_bytes > known.n_bytes {
            return Err(format!("{} is longer than {} bytes: another file", known.name, known.n_bytes));
        }
        hash.update(&piece[..n]);
        to.write_all(&piece[..n]).map_err(|e| format!("{}: {e}", known.name))?;
        progress.advance(n as u64);
    }
    if n_bytes < known.n_bytes {
        return Err(format!("{} is truncated: {n_bytes} of {} bytes", known.name, known.n_bytes));
    }
    let found: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    if found != known.sha256 {
        return Err(format!("{} has SHA-256 {found}, not {}: another file", known.name, known.sha256));
    }
    Ok(())
}
