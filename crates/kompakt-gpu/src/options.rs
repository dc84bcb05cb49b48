//! Options for running a network on a GPU, in addition to those of all sessions.

use kompakt_runtime::Activations;
use std::{fmt, str::FromStr, time::Duration};

/// Options for running a network on a GPU, in addition to those of all sessions.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct GpuOptions {
    /// The most video memory in bytes that the session may use. Layers that do not fit are streamed from the
    /// file at every run, through two staging buffers. Default: no limit.
    pub vram_budget: Option<u64>,
    /// Keep values between steps in 16 bits: half the memory, and a larger error, which tests hold to 2e-2 of the largest.
    /// Sums stay f32. Needs an adapter with 16-bit floats; networks that work with indices are refused. Default: no.
    pub half: bool,
    /// Where and when weights of the tier `stream` are decoded. Default: [`Decode::Load`].
    pub decode: Decode,
    /// The numbers in which linear layers and convolutions read their inputs. [`session`](crate::session()) takes those of its
    /// `SessionOptions`. Default: floats.
    ///
    /// With [`Activations::Int8`], linear layers and convolutions (grouped ones from eight channels a group on) multiply integers
    /// of 8 bits; their weights stay bitmaps and codes, which the processor unpacks, and not with `half` or `vram_budget`.
    pub activations: Activations,
    /// The longest that the device may take to answer: for a run, or for the upload of a layer. Then the call ends with
    /// [`GpuError::Timeout`](crate::GpuError::Timeout). Default: 60 seconds, and 600 on a GPU in software.
    pub timeout: Option<Duration>,
}

impl GpuOptions {
    /// A [timeout](Self::timeout) of so many seconds.
    ///
    /// Errors: a number that is not positive, or larger than any time.
    pub fn timeout_of(seconds: f64) -> Result<Duration, String> {
        let limit = Duration::try_from_secs_f64(seconds).ok().filter(|limit| !limit.is_zero());
        limit.ok_or_else(|| format!("{seconds} is no time to wait for a GPU: a positive number of seconds"))
    }
}

/// Where and when weights of the tier `stream` are decoded. Those of the other tiers need no decoder on the GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Decode {
    /// On the GPU, once: video memory holds bitmaps and codes. With a [budget](GpuOptions::vram_budget) the processor
    /// decodes instead, because decoding takes memory beyond what stays.
    #[default]
    Load,
    /// On the GPU, at every run: video memory holds the layers as they are in the file, and one decoded block. With a
    /// [budget](GpuOptions::vram_budget) too small for that, the processor decodes.
    Run,
    /// On the processor, once.
    Host,
}

impl FromStr for Decode {
    type Err = String;

    /// Reads `load`, `run` or `host`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "load" => Ok(Self::Load),
            "run" => Ok(Self::Run),
            "host" => Ok(Self::Host),
            _ => Err(format!("{text:?} is no place to decode: load, run or host")),
        }
    }
}

impl fmt::Display for Decode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Load => "load",
            Self::Run => "run",
            Self::Host => "host",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_wait_is_positive() {
        assert_eq!(GpuOptions::timeout_of(1.5), Ok(Duration::from_millis(1500)));
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            let said = GpuOptions::timeout_of(wrong).unwrap_err();
            assert!(said.contains("positive number of seconds"), "{said}");
        }
    }
}
