//! What was measured of a network, kept as JSON.

use super::network::Network;
use anyhow::{Context, Result};
use cpu_time::ThreadTime;
use serde::{Deserialize, Serialize};
use std::{path::Path, time::Instant};

/// Bytes and seconds of one codec on one network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) bytes: u64,
    pub(crate) encode_s: f64,
    pub(crate) decode_s: f64,
    /// Which form or settings were best, where there is a choice.
    pub(crate) settings: String,
}

/// One network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) n_weights: u64,
    pub(crate) n_kept: u64,
    /// `smallest`, `stream`, `direct`.
    pub(crate) ours: [Measured; 3],
    pub(crate) zstd: Measured,
    pub(crate) xz: Measured,
    pub(crate) nncodec: Measured,
    /// The complete container, tier `smallest`, in version 1 and in version 2.
    pub(crate) file_bytes: Option<[u64; 2]>,
    /// The others were timed by the clock on the wall, as an earlier version of this program did.
    #[serde(default)]
    pub(crate) by_the_wall: bool,
}

impl Record {
    pub(crate) fn new(
        network: &Network,
        ours: [Measured; 3],
        [zstd, xz]: [Measured; 2],
        nncodec: Measured,
        file_bytes: Option<[u64; 2]>,
    ) -> Self {
        let (n_weights, n_kept) = (network.n_weights() as u64, network.n_kept() as u64);
        Self {
            name: network.name.clone(),
            n_weights,
            n_kept,
            ours,
            zstd,
            xz,
            nncodec,
            file_bytes,
            by_the_wall: false,
        }
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(format!("{}.json", self.name));
        std::fs::write(&path, serde_json::to_string_pretty(self)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// With other figures of ours.
    pub(crate) fn with(self, ours: [Measured; 3], file_bytes: Option<[u64; 2]>) -> Self {
        Self { ours, file_bytes, ..self }
    }

    pub(crate) fn read(name: &str, folder: &Path) -> Result<Self> {
        let path = folder.join(format!("{name}.json"));
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("{name} was not measured yet: cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| name.to_string())
    }

    /// All that there are, in the order of the page.
    pub(crate) fn read_all(folder: &Path) -> Result<Vec<Self>> {
        let names = super::recipe::cases().into_iter().map(|case| case.name());
        let mut records = Vec::new();
        for name in names.chain(super::synthetic::ALL.iter().map(|make| make.name.to_string())) {
            if folder.join(format!("{name}.json")).exists() {
                records.push(Self::read(&name, folder)?);
            }
        }
        Ok(records)
    }
}

/// The least CPU time of `run` on this thread in seconds, repeated for 0.3 seconds, at least once; and
/// its last result.
pub(crate) fn timed<T>(mut run: impl FnMut() -> Result<T>) -> Result<(f64, T)> {
    timed_by(|| {
        let from = ThreadTime::now();
        let made = run()?;
        Ok((from.elapsed().as_secs_f64(), made))
    })
}

/// The same for a function that measures its seconds itself.
pub(crate) fn timed_by<T>(mut run: impl FnMut() -> Result<(f64, T)>) -> Result<(f64, T)> {
    let (mut fewest, mut n_runs, start) = (f64::INFINITY, 0, Instant::now());
    loop {
        let (seconds, made) = run()?;
        fewest = fewest.min(seconds);
        n_runs += 1;
        if start.elapsed().as_secs_f64() > 0.3 || n_runs == 101 {
            return Ok((fewest, made));
        }
    }
}
