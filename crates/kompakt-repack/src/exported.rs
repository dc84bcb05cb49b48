//! What `web/repack.js` calls. A module is used for one file at a time.
#![expect(unsafe_code, unreachable_pub, reason = "exported by name")]

use crate::repack;
use kompakt_format::Tier;
use kompakt_pack::PackError;
use std::{cell::RefCell, ffi::CString};

thread_local! {
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static OUTPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static LAST: RefCell<CString> = RefCell::default();
}

/// Where the file's `n_bytes` bytes go; null if there is no memory for them.
#[unsafe(no_mangle)]
pub extern "C" fn kompakt_input(n_bytes: usize) -> *mut u8 {
    INPUT.with_borrow_mut(|input| {
        *input = Vec::new();
        if input.try_reserve_exact(n_bytes).is_err() {
            return std::ptr::null_mut();
        }
        input.resize(n_bytes, 0);
        input.as_mut_ptr()
    })
}

/// Repacks the file into the tier of that code, and returns a `KompaktStatus` of the C library.
#[unsafe(no_mangle)]
pub extern "C" fn kompakt_repack(tier: u32) -> u32 {
    let input = INPUT.take();
    let tiers = [Tier::Smallest, Tier::Stream, Tier::Direct];
    let Some(tier) = tiers.into_iter().find(|known| known.code() == u64::from(tier)) else {
        return failed(1, &format!("there is no tier {tier}"));
    };
    match repack(&input, tier) {
        Ok(repacked) => {
            OUTPUT.set(repacked);
            0
        }
        Err(PackError::Format(error)) => failed(3, &error.to_string()),
        Err(error) => failed(4, &error.to_string()),
    }
}

/// The repacked file, until the next call.
#[unsafe(no_mangle)]
pub extern "C" fn kompakt_output() -> *const u8 {
    OUTPUT.with_borrow(|output| output.as_ptr())
}

/// Its bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kompakt_output_len() -> usize {
    OUTPUT.with_borrow(Vec::len)
}

/// Why the last call failed, as text that ends in a zero.
#[unsafe(no_mangle)]
pub extern "C" fn kompakt_last_error() -> *const std::ffi::c_char {
    LAST.with_borrow(|last| last.as_ptr())
}

fn failed(status: u32, text: &str) -> u32 {
    LAST.set(CString::new(text.replace('\0', "")).unwrap_or_default());
    status
}
