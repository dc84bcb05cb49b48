//! What was measured on one network.

use super::{files::Files, networks::Network, venv::Python};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

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
    /// What is there from an earlier measurement.
    pub(crate) fn read_or_new(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(format!("{name}.json"));
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| path.display().to_string()),
            Err(_) => Ok(Self::default()),
        }
    }

    pub(crate) fn write(&self, folder: &Path, name: &str) -> Result<()> {
        Ok(std::fs::write(folder.join(format!("{name}.json")), serde_json::to_vec_pretty(self)?)?)
    }

    /// Sizes and names.
    pub(crate) fn about(&mut self, network: &Network, files: &Files, python: &Python) -> Result<()> {
        self.title = network.title.to_string();
        self.n_parameters = network.graph.n_parameters() as u64;
        let tiers = ["smallest", "stream", "direct"].into_iter();
        self.files =
            tiers.chain(super::venv::ENGINES).map(|name| (name.to_string(), files.n_bytes(name))).collect();
        self.missing = python.missing.clone();
        Ok(())
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
