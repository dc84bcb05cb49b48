//! Files that appear completely or not at all.
//!
//! ```text
//! Sibling::of(path) ──► write ──► persist: renamed to path
//!        │                             an error, a panic, a signal: removed
//!        └─ .kompakt-XXXXXX.tmp in the folder of path
//! ```
//!
//! [`Sibling`] is a file under construction, [`Scratch`] a folder for as long as it is needed. Both are
//! removed when dropped, and are known to [`remove_all`], which a program calls when a signal ends it:
//! destructors do not run then. A file without a name (`tempfile::tempfile`) needs none of this and is
//! preferred where it does.

mod live;
mod scratch;
mod sibling;

pub use live::remove_all;
pub use scratch::Scratch;
pub use sibling::Sibling;

/// How the names of temporary files and folders begin.
pub const PREFIX: &str = ".kompakt-";
/// How they end.
pub const SUFFIX: &str = ".tmp";

/// The folder that contains `path`.
fn folder_of(path: &std::path::Path) -> &std::path::Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."))
}
