//! How a network is to be run on a GPU, beside the options of every session.

/// How a network is to be run on a GPU, beside the options of every session.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct GpuOptions {
    /// The most video memory in bytes that the session may take. Layers that do not fit are brought from the file at every
    /// run, through two staging buffers. Default: no limit.
    pub vram_budget: Option<u64>,
    /// Keep values between steps in 16 bits: half the memory, and a larger error, which tests hold to 2e-2 of the largest.
    /// Sums stay f32. Needs an adapter with 16-bit floats; networks that work with indices are refused. Default: no.
    pub half: bool,
}
