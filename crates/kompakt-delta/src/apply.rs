//! Applies a patch.

use crate::{
    body::{self, Old},
    error::DeltaError,
    header::{Header, file_hash},
};
use kompakt_entropy::smallest::PatchStream;
use kompakt_format::Container;

/// The new file that `patch` makes of `old`, byte for byte.
///
/// Memory: both networks, decoded, as far as the format's limits allow for files of these lengths; the new file is at most
/// four times as long as both inputs together, and 65,536 bytes.
/// Errors: other bytes than a patch; a patch for another file; a patch that was damaged. Nothing else is ever returned than
/// the file that the patch was made from.
pub fn patch(old: &[u8], patch: &[u8]) -> Result<Vec<u8>, DeltaError> {
    let (header, rest) = Header::parse(patch)?;
    if file_hash(old) != header.old_file {
        let found = Container::parse(old)?.content_hash();
        return Err(DeltaError::OtherBase { wanted: hex(&header.old_content), found: hex(&found) });
    }
    let container = Container::parse(old)?;
    if container.content_hash() != header.old_content {
        return Err(DeltaError::damaged("E-3", "its two hashes are of different old files"));
    }
    if header.new_length > limit(old, patch) {
        return Err(DeltaError::damaged("E-4", "the new file is longer than four times both files"));
    }
    let parameters = container.decode()?;
    let mut stream = PatchStream::reader(rest);
    let new =
        body::code(&mut stream, &header, &Old { container: &container, parameters: &parameters }, None)?;
    stream.finish()?;
    if file_hash(&new) != header.new_file {
        return Err(DeltaError::damaged("E-10", "its result is not the file that it was made from"));
    }
    Ok(new)
}

/// Bytes that a new file may have.
pub(crate) fn limit(old: &[u8], patch: &[u8]) -> u64 {
    4 * (old.len() as u64 + patch.len() as u64) + (1 << 16)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
