//! Statuses, and the words that belong to the last of them.

use alloc::{
    ffi::CString,
    string::{String, ToString},
};
use core::{cell::RefCell, ffi::c_char};
use kompakt_runtime::RuntimeError;
use kompakt_words::words;

/// How a call ended.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KompaktStatus {
    /// All is well.
    Ok = 0,
    /// A pointer is null, a text is not UTF-8, or a number is out of range.
    Argument = 1,
    /// The file cannot be read.
    Io = 2,
    /// The file is not a sound container.
    Format = 3,
    /// The network has nodes that cannot be run.
    Unsupported = 4,
    /// The RAM budget is too small, or a thread cannot be started.
    Resources = 5,
    /// A bug of this library; the session may be closed, nothing else.
    Internal = 6,
    /// The file is not signed by the key that was required.
    Signature = 7,
}

per_thread! {
    static LAST: RefCell<CString> = RefCell::default();
}

/// What went wrong in the last call of this thread that did not return KOMPAKT_STATUS_OK, as text. Valid until the
/// thread's next call.
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "an exported name")]
pub extern "C" fn kompakt_last_error() -> *const c_char {
    LAST.with(|last| last.borrow().as_ptr())
}

/// A failure on its way out.
pub(crate) struct Failure(pub(crate) KompaktStatus, pub(crate) String);

impl From<RuntimeError> for Failure {
    fn from(error: RuntimeError) -> Self {
        let status = match &error {
            #[cfg(not(target_arch = "wasm32"))]
            RuntimeError::Io { .. } => KompaktStatus::Io,
            RuntimeError::Format(_) => KompaktStatus::Format,
            RuntimeError::Signature(_) => KompaktStatus::Signature,
            RuntimeError::Unsupported(_) => KompaktStatus::Unsupported,
            #[cfg(not(target_arch = "wasm32"))]
            RuntimeError::Thread(_) => KompaktStatus::Resources,
            RuntimeError::Budget { .. } | RuntimeError::Executor(_) => KompaktStatus::Resources,
            _ => KompaktStatus::Argument,
        };
        Self(status, words!("{error}"))
    }
}

/// Runs the body of an exported function: errors and panics become statuses.
pub(crate) fn guard(body: impl FnOnce() -> Result<(), Failure>) -> KompaktStatus {
    match caught(body) {
        Ok(Ok(())) => KompaktStatus::Ok,
        Ok(Err(failure)) => said(failure),
        Err(()) => said(Failure(KompaktStatus::Internal, "a bug in kompakt: please report it".to_string())),
    }
}

/// Keeps the words for [`kompakt_last_error`].
// Not inlined: each exported function would have a copy.
#[inline(never)]
fn said(Failure(status, text): Failure) -> KompaktStatus {
    let text: String = text.chars().filter(|c| *c != '\0').collect();
    LAST.with(|last| *last.borrow_mut() = CString::new(text).unwrap_or_default());
    status
}

/// Its result, unless it panicked.
#[cfg(not(target_arch = "wasm32"))]
fn caught<T>(body: impl FnOnce() -> T) -> Result<T, ()> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).map_err(drop)
}

/// Its result: a panic is a trap.
#[cfg(target_arch = "wasm32")]
fn caught<T>(body: impl FnOnce() -> T) -> Result<T, ()> {
    Ok(body())
}

pub(crate) fn argument(text: &str) -> Failure {
    Failure(KompaktStatus::Argument, text.to_string())
}
