//! Options for running a network on a GPU, in addition to those of all sessions.

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
}
