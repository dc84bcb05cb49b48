//! Devices: which GPUs there are, and sessions on one.
#![expect(
    unsafe_code,
    reason = "a C interface: pointers come from outside, their owner promises what each text says"
)]

use crate::{
    error::{Failure, KompaktStatus, argument, guard},
    options::KompaktOptions,
    session::{KompaktSession, put},
};
use alloc::string::{String, ToString};
use kompakt_gpu::{Device, GpuError, GpuOptions};
use kompakt_runtime::Model;
use std::ffi::{CStr, c_char};

/// What a session is to run on. All zero is the processor.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct KompaktDevice {
    /// `cpu`, `gpu`, `gpu:NAME` (a part of a name that kompakt_devices gives), or `auto`: a GPU where there is one that is
    /// not software. Null is `cpu`.
    pub name: *const c_char,
    /// On a GPU: bytes of video memory that the session may take; 0 is no limit. Layers that do not fit are brought from
    /// the file at every run.
    pub vram_budget_bytes: usize,
    /// On a GPU: keep values between layers in 16 bits.
    pub half_precision: bool,
    /// On a GPU: when layers of the tier `stream` are decoded: `load` (once), `run` (at every run, which takes the least
    /// memory) or `host` (once, by the processor). Null is `load`.
    pub decode: *const c_char,
    /// On a GPU: seconds that it may take to answer, for a run or for the upload of a layer; then the call fails. 0 is 60, or
    /// 600 for a GPU in software.
    pub timeout_s: f64,
}

impl From<GpuError> for Failure {
    fn from(error: GpuError) -> Self {
        let status = match error {
            GpuError::Runtime(error) => return error.into(),
            GpuError::Unsupported(_) => KompaktStatus::Unsupported,
            _ => KompaktStatus::Resources,
        };
        Self(status, error.to_string())
    }
}

/// As kompakt_open, on a device. `options` may be null; of them a GPU takes `max_batch`, `in_memory`, `verify` and `int8`.
///
/// A device that is not there, or too small, is an error whose text says what this machine has; only `auto` falls back on
/// the processor. A library that was built without the feature `gpu` has the processor alone.
///
/// # Safety
/// As kompakt_open; `device` is null or points to a device whose texts are null or UTF-8 that ends in a zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_open_on(
    path: *const c_char,
    options: *const KompaktOptions,
    device: *const KompaktDevice,
    session: *mut *mut KompaktSession,
) -> KompaktStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        let path = unsafe { text(path) }?.ok_or_else(|| argument("path is null"))?;
        // SAFETY: the caller's promise.
        let options = unsafe { options.as_ref() }.copied().unwrap_or_default();
        let mut gpu = GpuOptions::default();
        let mut chosen = Device::Cpu;
        // SAFETY: the caller's promise.
        if let Some(device) = unsafe { device.as_ref() } {
            // SAFETY: the caller's promise.
            if let Some(name) = unsafe { text(device.name) }? {
                chosen = name.parse().map_err(|problem: String| argument(&problem))?;
            }
            gpu.vram_budget = (device.vram_budget_bytes > 0).then_some(device.vram_budget_bytes as u64);
            gpu.half = device.half_precision;
            // SAFETY: the caller's promise.
            if let Some(when) = unsafe { text(device.decode) }? {
                gpu.decode = when.parse().map_err(|problem: String| argument(&problem))?;
            }
            if device.timeout_s != 0.0 {
                let timeout = GpuOptions::timeout_of(device.timeout_s);
                gpu.timeout = Some(timeout.map_err(|problem| argument(&problem))?);
            }
        }
        #[cfg(feature = "map")]
        let model = if options.in_memory { Model::read(path) } else { Model::map(path) }?;
        #[cfg(not(feature = "map"))]
        let model = Model::read(path)?;
        let opened = KompaktSession::new(model, &options, |model| {
            Ok(kompakt_gpu::session(model, &options.session(), &chosen, &gpu)?.session)
        })?;
        // SAFETY: the caller's promise.
        unsafe { put(session, opened) }
    })
}

/// Writes the names of this machine's GPUs, best first, one a line, as a text that ends in a zero: as much of it as
/// `capacity` bytes hold. Returns the bytes that all of it takes. No GPU, or a library without them, is an empty text.
///
/// # Safety
/// `names` is null or has room for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_devices(names: *mut c_char, capacity: usize) -> usize {
    let mut n_bytes = 1;
    guard(|| {
        let adapters = kompakt_gpu::adapters().unwrap_or_default();
        let mut all: String = adapters.iter().map(|adapter| adapter.name.clone() + "\n").collect();
        all.retain(|c| c != '\0');
        n_bytes = all.len() + 1;
        if !names.is_null() && capacity > 0 {
            let n = all.floor_char_boundary(all.len().min(capacity - 1));
            // SAFETY: not null; `n + 1` bytes are at most its capacity by the caller's promise.
            unsafe {
                names.cast::<u8>().copy_from_nonoverlapping(all.as_ptr(), n);
                names.add(n).write(0);
            }
        }
        Ok(())
    });
    n_bytes
}

/// A text, or nothing for null.
///
/// # Safety
/// `text` is null or a text that ends in a zero.
unsafe fn text<'a>(text: *const c_char) -> Result<Option<&'a str>, Failure> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not null, and a text by the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_str().map(Some).map_err(|_| argument("a text is not UTF-8"))
}
