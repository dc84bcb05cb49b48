//! Long work off Python's threads: the interpreter goes on, a callback receives the progress, and Ctrl-C works.

use pyo3::{exceptions::PyRuntimeError, prelude::*};
use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{RecvTimeoutError, channel},
    },
    time::Duration,
};

/// How often signals are looked for and the callback is called.
const TICK: Duration = Duration::from_millis(100);

/// What unwinds work that nobody waits for any more.
struct Cancelled;

/// The current step, and how much of it is done (0 to 1).
type Share = Mutex<Option<(String, f64)>>;

/// Runs `work` in a thread of its own and returns its result.
///
/// `tell` is called with the current step and how much of it is done (0 to 1). An exception of it, or a signal's, such
/// as `KeyboardInterrupt`, is raised immediately; the work ends when it next says how far it is, and its
/// result is dropped.
pub(crate) fn run<T: Send + 'static>(
    py: Python<'_>,
    tell: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&(dyn Fn(&str, f64) + Sync)) -> T + Send + 'static,
) -> PyResult<T> {
    let (sender, mut receiver) = channel();
    let (share, is_cancelled) = (Arc::new(Share::default()), Arc::new(AtomicBool::new(false)));
    let (to, stop) = (share.clone(), is_cancelled.clone());
    let body = move || {
        let say = |what: &str, part: f64| {
            if stop.load(Ordering::Relaxed) {
                resume_unwind(Box::new(Cancelled));
            }
            // A step that cannot tell stays at its beginning.
            let part = if part.is_nan() { 0.0 } else { part };
            *to.lock().unwrap_or_else(PoisonError::into_inner) = Some((what.to_string(), part));
        };
        // Nobody receives a result that came too late.
        let _ = sender.send(catch_unwind(AssertUnwindSafe(|| work(&say))));
    };
    std::thread::Builder::new().name("kompakt".into()).spawn(body)?;
    let cancel = |error: PyErr| {
        is_cancelled.store(true, Ordering::Relaxed);
        error
    };
    let mut last = None;
    loop {
        let waiting = &mut receiver;
        let found = py.detach(move || waiting.recv_timeout(TICK));
        if let Some(tell) = tell {
            let now = share.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some((what, part)) = now.filter(|now| last.as_ref() != Some(now)) {
                tell.call1((&what, part)).map_err(cancel)?;
                last = Some((what, part));
            }
        }
        match found {
            Ok(Ok(result)) => return Ok(result),
            Ok(Err(panic)) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text =
                    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
                return Err(PyRuntimeError::new_err(format!("kompakt failed, please report this: {text}")));
            }
            Err(RecvTimeoutError::Timeout) => py.check_signals().map_err(cancel)?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(PyRuntimeError::new_err("the work ended early"));
            }
        }
    }
}
