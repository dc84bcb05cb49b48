//! How a network is to be run on a GPU, beside the options of every session.

/// How a network is to be run on a GPU, beside the options of every session.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct GpuOptions {
    /// The most video memory in bytes that the session may take. Layers that do not fit are brought from the file at every
    /// run, through two staging buffers. Default: no limit.
    pub vram_budget: Option<u64>,
    /// Keep values between steps in 16 bits: half the memory, and an error of about 1e-3 of the largest. Sums stay f32.
    /// Needs an adapter with 16-bit floats. Default: no.
    pub half: bool,
}
