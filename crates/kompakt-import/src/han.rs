//! Import of the files that the authors of Deep Compression published: SqueezeNet and AlexNet, `*.net`.
//!
//! All values are little-endian; layers in the order of the network's description. `n` entries of a layer are
//! stored: its nonzero weights, and fillers where more than 15 zeros separate two of them.
//!
//! ```text
//! u32 × layers                  n of each layer
//! for each layer
//!   f32 × 256 or 16             codebook: 256 for a convolution (codes of 8 bits), 16 for a fully connected layer (4 bits)
//!   f32 × outputs               bias
//!   u8  × n or ceil(n / 2)      codes, one per entry; of two in a byte the low four bits come first
//!   u8  × ceil(n / 2)           zeros before each entry, 0 to 15, four bits each, low ones first
//! ```
//!
//! Entry `i` is at `sum of (zeros + 1) of entries 0 to i, less 1` in the weight's row-major order
//! `[out, in / groups, h, w]` or `[out, in]`. A weight without an entry has code 0, whose value is zero in the published
//! files; a filler is an entry of that code. The file does not describe the network: a graph of the same
//! layers must be known. That of SqueezeNet is here.
//!
//! What is not here: file access, Caffe's own formats.
//!
//! Source: the decoder published with the files, github.com/songhan/SqueezeNet-Deep-Compression and
//! github.com/songhan/Deep-Compression-AlexNet (read for the layout; no code was taken).

mod error;
mod read;
mod squeezenet;

pub use error::HanError;
pub use read::read;
pub use squeezenet::squeezenet;
