//! What a long command says of its progress, on stderr: on a terminal a bar with the time left, elsewhere a line every ten
//! seconds. Work of less than two seconds says nothing.
//!
//! Libraries know a callback only: what is being done, and which part of it is done (0 to 1).

use std::{
    io::{IsTerminal, Write},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Nothing is said before.
const SILENT: Duration = Duration::from_secs(2);
/// Between two pictures of the bar.
const FRAME: Duration = Duration::from_millis(200);
/// Between two lines where there is no terminal.
const LINE: Duration = Duration::from_secs(10);
/// Characters of the bar.
const WIDTH: usize = 24;

/// The callback that a library calls.
pub(crate) type Tell<'p> = dyn Fn(&str, f64) + Sync + 'p;

/// What is being done.
struct State {
    what: String,
    share: f64,
    /// When this began.
    began: Instant,
    is_done: bool,
}

impl State {
    /// `searching: 40 %, 12 s spent, about 18 s left`.
    fn text(&self) -> String {
        let spent = self.began.elapsed().as_secs_f64();
        let mut text = format!("{}: {:.0} %, {} spent", self.what, 100.0 * self.share, time(spent));
        if self.share > 0.01 {
            text += &format!(", about {} left", time(spent * (1.0 - self.share) / self.share));
        }
        text
    }

    fn bar(&self) -> String {
        let n_done = ((self.share * WIDTH as f64) as usize).min(WIDTH);
        format!("{}{} {}", "#".repeat(n_done), "-".repeat(WIDTH - n_done), self.text())
    }
}

/// `9 s`, `3 min 20 s`, `2 h 5 min`.
fn time(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Runs `work`, and says how far it is unless all is to be quiet.
pub(crate) fn with_progress<T>(quiet: bool, work: impl FnOnce(&Tell<'_>) -> T) -> T {
    if quiet {
        return work(&|_, _| ());
    }
    let start = State { what: String::new(), share: 0.0, began: Instant::now(), is_done: false };
    let (state, wake) = (Mutex::new(start), Condvar::new());
    let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        scope.spawn(|| speak(lock(), &wake));
        // Ends the speaker also when the work panics.
        let _end = End(|| {
            lock().is_done = true;
            wake.notify_all();
        });
        work(&|what, share| {
            let mut state = lock();
            if state.what != what {
                (state.what, state.began) = (what.to_string(), Instant::now());
            }
            state.share = share.clamp(0.0, 1.0);
        })
    })
}

struct End<F: Fn()>(F);

impl<F: Fn()> Drop for End<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Draws until the work is done; talk that nobody can hear is no reason to stop.
fn speak(mut state: MutexGuard<'_, State>, wake: &Condvar) {
    let is_terminal = std::io::stderr().is_terminal();
    let started = Instant::now();
    let mut next = started + if is_terminal { SILENT } else { LINE };
    let mut has_drawn = false;
    while !state.is_done {
        let wait = next.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            let mut out = std::io::stderr().lock();
            let _ = if is_terminal {
                write!(out, "\r{}\x1b[K", state.bar()).and_then(|()| out.flush())
            } else if state.what.is_empty() {
                Ok(())
            } else {
                writeln!(out, "kompakt: {}", state.text())
            };
            has_drawn = is_terminal;
            next = Instant::now() + if is_terminal { FRAME } else { LINE };
            continue;
        }
        state = wake.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
    }
    if has_drawn {
        let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_follows_from_time_spent() {
        let began = Instant::now() - Duration::from_secs(60);
        let state = State { what: "searching".into(), share: 0.25, began, is_done: false };
        assert_eq!(state.text(), "searching: 25 %, 1 min 0 s spent, about 3 min 0 s left");
        assert!(state.bar().starts_with("######------------------ searching"));
        assert_eq!(time(7500.0), "2 h 5 min");
    }

    #[test]
    fn work_is_done_and_its_result_comes_back() {
        assert_eq!(with_progress(false, |tell| (tell("a", 0.5), 7).1), 7);
    }
}
