//! This loader, in the ways it can run a network.

use super::files::Files;
use anyhow::Result;
use cpu_time::ProcessTime;
use kompakt_runtime::{Activations, Model, Session, SessionOptions};
use std::time::{Duration, Instant};

/// How the loader runs a network.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Way {
    pub(crate) name: &'static str,
    /// Its name without `.kompakt`.
    pub(crate) file: &'static str,
    pub(crate) from_file: bool,
    pub(crate) activations: Activations,
}

impl Way {
    pub(crate) const fn new(name: &'static str, file: &'static str, from_file: bool) -> Self {
        Self { name, file, from_file, activations: Activations::F32 }
    }
}

/// What is kept in memory is the same for every tier, so one way stands for all three.
pub(crate) const WAYS: [Way; 4] = [
    Way::new("kompakt, unpacked once", "stream", false),
    Way { activations: Activations::Int8, ..Way::new("kompakt, int8 activations", INT8, false) },
    Way::new("kompakt, direct from the file", "direct", true),
    Way::new("kompakt, stream from the file", "stream", true),
];

/// The file with ranges for activations of 8 bits.
pub(crate) const INT8: &str = "int8";

/// The options of a way.
pub(crate) fn options(way: Way, batch: usize, threads: usize) -> SessionOptions {
    let mut options = SessionOptions::default();
    options.threads = threads;
    options.max_batch = batch;
    options.from_file = way.from_file;
    options.activations = way.activations;
    options
}

/// A network that waits for its turns.
pub(crate) struct Ours<'m> {
    session: Session<'m>,
    x: Vec<f32>,
    batch: usize,
    threads: usize,
}

/// With one thread the time that the processor spent, which other work on the machine does not lengthen; else that of
/// the clock. The other engines are measured by the same clocks.
struct Watch(Instant, Option<ProcessTime>);

impl Watch {
    fn start(threads: usize) -> Self {
        Self(Instant::now(), (threads == 1).then(ProcessTime::now))
    }

    fn seconds(&self) -> f64 {
        self.1.map_or_else(|| self.0.elapsed(), |cpu| cpu.elapsed()).as_secs_f64()
    }
}

impl<'m> Ours<'m> {
    pub(crate) fn new(
        model: &'m Model<'m>,
        way: Way,
        files: &Files,
        batch: usize,
        threads: usize,
    ) -> Result<Self> {
        let session = Session::new(model, &options(way, batch, threads))?;
        let mut this = Self { session, x: files.batch(batch), batch, threads };
        this.session.run(&this.x, batch)?;
        Ok(this)
    }

    /// Milliseconds of a run: the median of those that take about so long together, as for the other engines.
    pub(crate) fn turn(&mut self, seconds: f64) -> Result<f64> {
        self.session.run(&self.x, self.batch)?;
        let watch = Watch::start(self.threads);
        self.session.run(&self.x, self.batch)?;
        let per = (100e-6 / watch.seconds()).clamp(1.0, 1e4) as usize;
        let (begin, mut times) = (Instant::now(), Vec::new());
        loop {
            let watch = Watch::start(self.threads);
            for _ in 0..per {
                self.session.run(&self.x, self.batch)?;
            }
            times.push(watch.seconds() * 1e3 / per as f64);
            if begin.elapsed() >= Duration::from_secs_f64(seconds) {
                break;
            }
        }
        times.sort_by(f64::total_cmp);
        Ok(times[times.len() / 2])
    }

    /// The result of the last run.
    pub(crate) fn output(&self) -> &[f32] {
        self.session.output(0)
    }
}
