//! The checksums of a file. For JavaScript: WebAssembly only.
#![expect(unsafe_code, reason = "an interface of pointers: their owner promises what each text says")]

use crate::error::{Failure, KompaktStatus, argument, guard};
use core::slice;
use kompakt_format::Container;
use kompakt_runtime::RuntimeError;

/// Checks every checksum of a file, without decoding anything.
///
/// cbindgen:ignore
///
/// # Safety
/// `bytes` points to `n_bytes` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_check(bytes: *const u8, n_bytes: usize) -> KompaktStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        Ok(unsafe { container(bytes, n_bytes) }?.check_bytes().map_err(RuntimeError::from)?)
    })
}

/// The file's container.
///
/// # Safety
/// `bytes` points to `n_bytes` bytes.
pub(crate) unsafe fn container<'a>(bytes: *const u8, n_bytes: usize) -> Result<Container<'a>, Failure> {
    if bytes.is_null() {
        return Err(argument("bytes is null"));
    }
    // SAFETY: not null; length by the caller's promise.
    let bytes = unsafe { slice::from_raw_parts(bytes, n_bytes) };
    Ok(Container::parse(bytes).map_err(RuntimeError::from)?)
}
