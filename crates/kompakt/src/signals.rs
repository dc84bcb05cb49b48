//! Clean-up on signals: temporary files are removed, then the process ends by the signal.

use std::sync::atomic::{AtomicBool, Ordering};

/// A signal has come, and the process is about to end.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Watches for SIGINT, SIGTERM and SIGHUP from now on. One that the process was started to ignore (by `nohup`, or in
/// the background of a script) stays ignored.
#[cfg(unix)]
pub(crate) fn watch() {
    use signal_hook::{
        consts::{SIGHUP, SIGINT, SIGTERM},
        iterator::Signals,
        low_level::emulate_default_handler,
    };
    let wanted = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|&signal| !is_ignored(signal));
    // Where signals cannot be watched they end the process as usual.
    let Ok(mut signals) = Signals::new(wanted) else { return };
    let wait = move || {
        if let Some(signal) = signals.forever().next() {
            ENDING.store(true, Ordering::SeqCst);
            kompakt_files::remove_all();
            let _ = emulate_default_handler(signal);
            std::process::exit(128 + signal);
        }
    };
    let _ = std::thread::Builder::new().name("signals".to_string()).spawn(wait);
}

#[cfg(not(unix))]
pub(crate) fn watch() {}

/// Whether this process ignores a signal; `false` where the system does not tell.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return false };
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// If a signal is ending the process, waits for that end: an error now would be about a removed temporary
/// file.
pub(crate) fn wait_if_ending() {
    while ENDING.load(Ordering::SeqCst) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
