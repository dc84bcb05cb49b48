//! A file is written beside its place and renamed when it is whole.

use std::{io, path::Path};
use tempfile::NamedTempFile;

/// A new file in the folder of `path`, with the permissions a new file has; gone if it is not persisted.
pub(crate) fn create(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(path.file_name().unwrap_or_default()).suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}
