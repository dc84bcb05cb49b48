//! Statuses, and the words that belong to the last of them.

use kompakt_runtime::RuntimeError;
use std::{
    cell::RefCell,
    ffi::{CString, c_char},
    panic::{AssertUnwindSafe, catch_unwind},
};

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

thread_local! {
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
            RuntimeError::Io { .. } => KompaktStatus::Io,
            RuntimeError::Format(_) => KompaktStatus::Format,
            RuntimeError::Signature(_) => KompaktStatus::Signature,
            RuntimeError::Unsupported(_) => KompaktStatus::Unsupported,
            RuntimeError::Budget { .. } | RuntimeError::Thread(_) => KompaktStatus::Resources,
            _ => KompaktStatus::Argument,
        };
        Self(status, error.to_string())
    }
}

/// Runs the body of an exported function: errors and panics become statuses.
pub(crate) fn guard(body: impl FnOnce() -> Result<(), Failure>) -> KompaktStatus {
    let result = catch_unwind(AssertUnwindSafe(body));
    let Failure(status, text) = match result {
        Ok(Ok(())) => return KompaktStatus::Ok,
        Ok(Err(failure)) => failure,
        Err(_) => Failure(KompaktStatus::Internal, "a bug in kompakt: please report it".to_string()),
    };
    let text: String = text.chars().filter(|c| *c != '\0').collect();
    LAST.with(|last| *last.borrow_mut() = CString::new(text).unwrap_or_default());
    status
}

pub(crate) fn argument(text: &str) -> Failure {
    Failure(KompaktStatus::Argument, text.to_string())
}
