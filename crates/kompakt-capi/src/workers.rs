//! Workers of a browser's page, which share the module's memory and take part in runs. WebAssembly with atomics only.
//!
//! ```text
//! JavaScript: an instance for each Worker, its stack set ─► kompakt_work, until kompakt_send_workers_away
//! ```
#![expect(unsafe_code, reason = "exported names")]

use kompakt_runtime::WORKERS;

/// Takes part in the runs of sessions of more than `thread` threads, and returns when Workers of this epoch are sent away.
///
/// `thread`: from 1, another number for each Worker. `epoch`: what `kompakt_send_workers_away` returned last, 0 before.
///
/// cbindgen:ignore
#[unsafe(no_mangle)]
pub extern "C" fn kompakt_work(thread: usize, epoch: u32) {
    WORKERS.work(thread, epoch);
}

/// Ends the epoch: all Workers return from `kompakt_work`. Returns the next epoch.
///
/// cbindgen:ignore
#[unsafe(no_mangle)]
pub extern "C" fn kompakt_send_workers_away() -> u32 {
    WORKERS.send_away()
}

/// To be called by a Worker when `kompakt_work` has trapped: the run that it took part in does not wait for it, and traps.
///
/// cbindgen:ignore
#[unsafe(no_mangle)]
pub extern "C" fn kompakt_worker_failed() {
    WORKERS.fail();
}
