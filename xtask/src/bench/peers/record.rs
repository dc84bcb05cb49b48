//! What was measured on one network.

use super::{files::Files, ours::INT8, subject::Subject, venv::Python};
use serde::{Deserialize, Serialize};

/// See the [module page](self).
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) title: String,
    /// Dense f32 parameters.
    pub(crate) n_parameters: u64,
    pub(crate) speeds: Vec<Speed>,
    pub(crate) cold: Vec<Cold>,
    /// Bytes of each file: by engine, by tier.
    pub(crate) files: Vec<(String, u64)>,
    /// Engines that could not be run, and why.
    pub(crate) missing: Vec<(String, String)>,
}

/// An engine at one batch size and number of threads.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Speed {
    pub(crate) engine: String,
    pub(crate) batch: usize,
    pub(crate) threads: usize,
    /// Median over the rounds.
    pub(crate) ms: f64,
    /// To ONNX Runtime f32 in the same round: median, and the quartiles.
    pub(crate) ratio: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// max |a - b| / max |b| against ONNX Runtime f32.
    pub(crate) error: f64,
}

/// An engine from the start of its process, batch 1, one thread.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Cold {
    pub(crate) engine: String,
    /// From opening the file to the last thing before the first run, libraries loaded.
    pub(crate) ready_ms: f64,
    /// From opening the file to the first result.
    pub(crate) first_ms: f64,
    /// From the start of the process to the first result.
    pub(crate) start_to_first_ms: f64,
    /// The largest resident set.
    pub(crate) peak_bytes: u64,
    /// The largest before the file was opened: the interpreter and the engine's libraries, or the program.
    pub(crate) base_bytes: u64,
}

impl Record {
    /// Sizes and names.
    pub(crate) fn about(&mut self, subject: &Subject, files: &Files, python: &Python) {
        self.title = subject.title().to_string();
        self.n_parameters = files.n_parameters as u64;
        let ours = ["smallest", "stream", "direct", INT8].into_iter();
        let all = ours.chain(super::venv::ENGINES).map(|name| (name.to_string(), files.n_bytes(name)));
        self.files = all.filter(|(_, n)| *n > 0).collect();
        self.missing.clone_from(&python.missing);
    }

    /// Replaces what was measured of those engines at that batch size and number of threads; a ratio is to ONNX Runtime
    /// in the same rounds, so those of others stand.
    pub(crate) fn merge(&mut self, batch: usize, threads: usize, speeds: Vec<Speed>) {
        let is_new = |s: &Speed| {
            (s.batch, s.threads) == (batch, threads) && speeds.iter().any(|n| n.engine == s.engine)
        };
        self.speeds.retain(|s| !is_new(s));
        self.speeds.extend(speeds);
        self.speeds.sort_by_key(|s| (s.threads, s.batch, place(&s.engine)));
    }

    /// Replaces the starts of those engines.
    pub(crate) fn merge_cold(&mut self, cold: Vec<Cold>) {
        self.cold.retain(|c| cold.iter().all(|new| new.engine != c.engine));
        self.cold.extend(cold);
        self.cold.sort_by_key(|c| place(&c.engine));
    }
}

/// Where an engine stands in a table: ours last.
fn place(engine: &str) -> usize {
    let engines = super::venv::ENGINES;
    let ours = super::ours::WAYS.iter().position(|way| way.name == engine).unwrap_or(super::ours::WAYS.len());
    engines.iter().position(|e| *e == engine).unwrap_or(engines.len() + ours)
}
