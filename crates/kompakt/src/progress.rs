//! Progress of a long command on stderr: on a terminal a bar with the time left, elsewhere a line every ten
//! seconds. Work of less than two seconds prints nothing.
//!
//! ```text
//! begin(quiet, STEPS) ──► a thread that draws        tell("packing", 0.4)   from anywhere, any thread
//!        └── the guard: drop removes the bar         say("a line")          between two redraws of the bar
//! ```
//!
//! A process is one command with one terminal, so there is one bar, held globally. Libraries see only a
//! callback: the current step, and the share of it that is done (0 to 1; not a number where it is unknown).
//! Where a command lists its steps with their relative times, the time left is that of the complete command.

use std::{
    io::{IsTerminal, Write},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Nothing is printed before.
const SILENT: Duration = Duration::from_secs(2);
/// Between two redraws of the bar.
const FRAME: Duration = Duration::from_millis(200);
/// Between two lines where there is no terminal.
const LINE: Duration = Duration::from_secs(10);
/// Width of the bar in characters.
const WIDTH: usize = 24;
/// A smaller share of a step does not predict how long it will take.
const ENOUGH: f64 = 0.02;

/// The steps of a command in order: the names that it reports, and their approximate relative times.
pub(crate) type Steps = &'static [(&'static str, f64)];

/// The current progress; `None` where it is not shown.
static NOW: Mutex<Option<State>> = Mutex::new(None);
/// Signals changes of the state that the thread must see immediately.
static CHANGED: Condvar = Condvar::new();

fn now() -> MutexGuard<'static, Option<State>> {
    NOW.lock().unwrap_or_else(PoisonError::into_inner)
}

struct State {
    steps: Steps,
    /// The index of the current step.
    step: Option<usize>,
    /// Whether a step was repeated: then the number of repetitions is unknown.
    is_repeated: bool,
    /// Time that the previous steps have taken, and their expected relative times.
    before: (Duration, f64),
    what: String,
    /// A detail shown after the name.
    detail: String,
    share: f64,
    /// When this step began.
    began: Instant,
    /// When the command began.
    started: Instant,
    is_drawn: bool,
}

impl State {
    fn new(steps: Steps) -> Self {
        let now = Instant::now();
        Self {
            steps,
            step: None,
            is_repeated: false,
            before: (Duration::ZERO, 0.0),
            what: String::new(),
            detail: String::new(),
            share: f64::NAN,
            began: now,
            started: now,
            is_drawn: false,
        }
    }

    fn tell(&mut self, what: &str, share: f64, detail: &str) {
        if self.what != what {
            let step = self.steps.iter().position(|(name, _)| *name == what);
            if let Some(last) = self.step {
                self.is_repeated |= step.is_some_and(|step| step < last);
                self.before.0 += self.began.elapsed();
                self.before.1 += self.steps[last].1;
            }
            (self.what, self.step, self.began) = (what.to_string(), step, Instant::now());
        }
        (self.share, self.detail) = (share.clamp(0.0, 1.0), detail.to_string());
    }

    /// `step 2 of 3, searching: 40 %, 12 s spent, about 18 s left`.
    fn text(&self) -> String {
        let mut text = match self.step {
            Some(step) if self.steps.len() > 1 => format!("step {} of {}, ", step + 1, self.steps.len()),
            _ => String::new(),
        };
        text += if self.what.is_empty() { "working" } else { &self.what };
        if !self.detail.is_empty() {
            text += &format!(", {}", self.detail);
        }
        text += ":";
        if self.share.is_finite() {
            text += &format!(" {:.0} %,", 100.0 * self.share);
        }
        text += &format!(" {} spent", time(self.started.elapsed().as_secs_f64()));
        match (self.left_of_all(), self.left_of_step()) {
            (Some(left), _) => text + &format!(", about {} left", time(left)),
            (None, Some(left)) if self.steps.len() > 1 => {
                text + &format!(", about {} left of this step", time(left))
            }
            (None, Some(left)) => text + &format!(", about {} left", time(left)),
            (None, None) => text,
        }
    }

    /// Seconds.
    fn left_of_step(&self) -> Option<f64> {
        let spent = self.began.elapsed().as_secs_f64();
        (self.share >= ENOUGH).then(|| spent * (1.0 - self.share) / self.share)
    }

    /// Seconds: for this step by its own pace, for those after it by the pace of all so far.
    fn left_of_all(&self) -> Option<f64> {
        let step = self.step.filter(|_| self.steps.len() > 1 && !self.is_repeated)?;
        let after: f64 = self.steps[step + 1..].iter().map(|(_, weight)| weight).sum();
        let (mut spent, mut weight) = (self.before.0.as_secs_f64(), self.before.1);
        let own = self.steps[step].1;
        let share = if self.share.is_finite() { self.share } else { 0.0 };
        if share >= ENOUGH {
            spent += self.began.elapsed().as_secs_f64();
            weight += own * share;
        }
        let pace = (weight > 0.0 && spent > 0.0).then(|| spent / weight)?;
        let expected = own * pace - self.began.elapsed().as_secs_f64();
        Some(self.left_of_step().unwrap_or(expected.max(0.0)) + after * pace)
    }

    fn bar(&self) -> String {
        let share = if self.share.is_finite() { self.share } else { 0.0 };
        let n_done = ((share * WIDTH as f64) as usize).min(WIDTH);
        format!("{}{} {}", "#".repeat(n_done), "-".repeat(WIDTH - n_done), self.text())
    }

    /// Erases the bar, so that something else can be printed.
    fn clear(&mut self, out: &mut dyn Write) {
        if std::mem::take(&mut self.is_drawn) {
            let _ = write!(out, "\r\x1b[K");
        }
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

/// Progress is shown as long as this lives.
#[must_use = "the bar goes with it"]
pub(crate) struct Shown(Option<JoinHandle<()>>);

/// Shows progress from now on, unless it is to be quiet or is shown already. Without `steps` the time left is
/// that of the current step.
pub(crate) fn begin(quiet: bool, steps: Steps) -> Shown {
    let mut now = now();
    if quiet || now.is_some() {
        return Shown(None);
    }
    *now = Some(State::new(steps));
    drop(now);
    Shown(Some(std::thread::spawn(speak)))
}

impl Drop for Shown {
    fn drop(&mut self) {
        let Some(thread) = self.0.take() else { return };
        if let Some(mut state) = now().take() {
            state.clear(&mut std::io::stderr().lock());
        }
        CHANGED.notify_all();
        let _ = thread.join();
    }
}

/// Reports the current step, and the share of it that is done.
pub(crate) fn tell(what: &str, share: f64) {
    tell_more(what, share, "");
}

/// The same with a detail.
pub(crate) fn tell_more(what: &str, share: f64, detail: &str) {
    if let Some(state) = now().as_mut() {
        state.tell(what, share, detail);
    }
}

/// Prints a line, where a bar may be shown. A closed stderr is not a reason to stop.
pub(crate) fn say(text: &str) {
    let mut now = now();
    let mut out = std::io::stderr().lock();
    if let Some(state) = now.as_mut() {
        state.clear(&mut out);
    }
    let _ = writeln!(out, "{text}");
}

/// Runs `work`, which is given the callback that libraries call, and shows its progress unless it is to be quiet.
#[cfg(any(feature = "train", test))]
pub(crate) fn with_progress<T>(quiet: bool, work: impl FnOnce(&(dyn Fn(&str, f64) + Sync)) -> T) -> T {
    let _shown = begin(quiet, &[]);
    work(&tell)
}

/// Draws until the work is done.
fn speak() {
    let is_terminal = std::io::stderr().is_terminal();
    let mut next = Instant::now() + if is_terminal { SILENT } else { LINE };
    let mut guard = now();
    while let Some(state) = guard.as_mut() {
        let wait = next.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            let mut out = std::io::stderr().lock();
            if is_terminal {
                let _ = write!(out, "\r{}\x1b[K", state.bar()).and_then(|()| out.flush());
                state.is_drawn = true;
            } else {
                let _ = writeln!(out, "kompakt: {}", state.text());
            }
            next = Instant::now() + if is_terminal { FRAME } else { LINE };
            continue;
        }
        guard = CHANGED.wait_timeout(guard, wait).unwrap_or_else(PoisonError::into_inner).0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ago(seconds: u64) -> Instant {
        Instant::now() - Duration::from_secs(seconds)
    }

    #[test]
    fn time_left_follows_from_time_spent() {
        let mut state = State::new(&[]);
        state.tell("searching", 0.25, "");
        (state.began, state.started) = (ago(60), ago(70));
        assert_eq!(state.text(), "searching: 25 %, 1 min 10 s spent, about 3 min 0 s left");
        assert!(state.bar().starts_with("######------------------ searching"));
        state.tell("reading", f64::NAN, "");
        assert_eq!(state.text(), "reading: 1 min 10 s spent");
        assert_eq!(time(7500.0), "2 h 5 min");
    }

    #[test]
    fn steps_tell_the_time_of_the_whole() {
        let mut state = State::new(&[("reading", 1.0), ("looking", 1.0), ("searching", 3.0)]);
        state.started = ago(20);
        state.tell("reading", f64::NAN, "");
        state.began = ago(10);
        assert_eq!(state.text(), "step 1 of 3, reading: 20 s spent");
        // The first step took 10 s, half of the second the same: 10 s of it are left, and 45 for the last.
        state.tell("looking", 0.5, "at 7");
        (state.before.0, state.began) = (Duration::from_secs(10), ago(10));
        assert_eq!(state.text(), "step 2 of 3, looking, at 7: 50 %, 20 s spent, about 50 s left");
        state.tell("searching", f64::NAN, "");
        (state.before.0, state.began) = (Duration::from_secs(30), ago(5));
        assert_eq!(state.text(), "step 3 of 3, searching: 20 s spent, about 40 s left");
        // A step that is repeated.
        state.tell("looking", 0.5, "");
        state.began = ago(10);
        assert_eq!(state.text(), "step 2 of 3, looking: 50 %, 20 s spent, about 10 s left of this step");
    }

    #[test]
    fn work_is_done_and_its_result_comes_back() {
        assert_eq!(with_progress(false, |tell| (tell("a", 0.5), 7).1), 7);
    }
}
