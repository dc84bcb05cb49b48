//! How a packed file's weights are coded.

use clap::ValueEnum;

/// The tiers of a container, for the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TierName {
    /// Fewest bytes; decoded once, at load
    Smallest,
    /// Decoded tile by tile, at every inference
    Stream,
    /// Run as it lies, with no decoding
    Direct,
}

impl From<TierName> for kompakt_format::Tier {
    fn from(name: TierName) -> Self {
        match name {
            TierName::Smallest => Self::Smallest,
            TierName::Stream => Self::Stream,
            TierName::Direct => Self::Direct,
        }
    }
}
