//! Errors as JavaScript's, with the same statuses as those of the CPU's loader.

use js_sys::{Error, Reflect};
use kompakt_gpu::GpuError;
use kompakt_runtime::RuntimeError;
use wasm_bindgen::JsValue;

/// An `Error` with a `status`.
pub(crate) fn thrown(error: impl Into<GpuError>) -> JsValue {
    let error = error.into();
    let status = match &error {
        GpuError::Runtime(RuntimeError::Format(_)) => "format",
        GpuError::Unsupported(_) | GpuError::Runtime(RuntimeError::Unsupported(_)) => "unsupported",
        GpuError::Driver { .. } | GpuError::Timeout { .. } => "internal",
        GpuError::Runtime(_) => "argument",
        _ => "resources",
    };
    let thrown = Error::new(&error.to_string());
    // An error without a status is still an error.
    let _ = Reflect::set(&thrown, &"status".into(), &status.into());
    thrown.into()
}
