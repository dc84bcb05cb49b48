//! The coder of the tier `stream`: range asymmetric numeral systems (rANS), with many interleaved ways.
//!
//! A number `x` is a stack of symbols. To push a symbol that has `freq` of the 4096 slots, split `x` by `freq` and
//! put the remainder among the symbol's slots; to pop, look up the symbol of the slot `x mod 4096`:
//!
//! ```text
//! push   x  ->  (x / freq) * 4096 + slot(symbol, x mod freq)
//! pop    x  ->  freq * (x / 4096) + rank(x mod 4096)          and the symbol
//! ```
//!
//! A likely symbol makes `x` grow by few bits, an unlikely one by many: `log2(4096 / freq)`, its share of the
//! entropy. `x` stays within `2^16 .. 2^32`: excess is written as a 16-bit word, and missing bits are
//! read.
//!
//! One such number is slow, since each pop depends on the last. So symbol `i` goes to way `i mod ways`, each
//! way has its own number, and vector registers hold 16 ways each; the words of all ways are one sequence, in
//! the order in which a decoder reads them. A way costs about 3 bytes, so short streams have few.
//!
//! An alphabet of at most 16 symbols has its slots laid out by the alias method, so that the table fits registers;
//! larger ones, up to 256, have it in memory, slot by slot. [`Decoder::decode`] may be called with a different
//! [`Table`] for each run of symbols; ways and words continue.
//!
//! The scalar decoder is the definition (`spec/format-stream.md`, rules R-1 and up); [`Isa`](crate::Isa) names the others,
//! which give the same result on any bytes. What is not here: which symbols are coded with which table
//! (the tiles of the tier `stream`).
//!
//! ```
//! use kompakt_entropy::{Isa, rans::{Decoder, Encoder, Histogram, Slots, Table}};
//!
//! let histogram = Histogram::of_counts(&[3, 1]).ok_or("no symbols")?;
//! let mut encoder = Encoder::new(0); // 1 way
//! encoder.push(&Slots::new(&histogram), &[0, 1, 0, 0]);
//! let bytes = encoder.finish();
//! assert_eq!(bytes, [0x00, 0x7b, 0x09, 0x00]);
//!
//! let mut symbols = [9; 4];
//! let mut decoder = Decoder::new(&bytes, 0, Isa::best())?;
//! decoder.decode(&Table::new(&histogram, Isa::best()), &mut symbols)?;
//! decoder.finish()?;
//! assert_eq!(symbols, [0, 1, 0, 0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alias;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
mod decode;
mod encode;
mod histogram;
mod scalar;
mod table;
#[cfg(test)]
mod tests;

pub use decode::Decoder;
pub use encode::{Encoder, Slots};
pub use histogram::{Histogram, log2};
pub use table::Table;

/// Frequencies are parts of 2 to this.
const SLOT_BITS: u32 = 12;
/// The slots of all symbols together.
const SLOTS: usize = 1 << SLOT_BITS;
/// The smallest state. A decoder ends with all ways in it.
const LOWEST: u32 = 1 << 16;
/// The maximum number of ways, as a power of 2.
pub const MAX_LOG2_WAYS: u32 = 6;
/// The maximum number of ways.
const MAX_WAYS: usize = 1 << MAX_LOG2_WAYS;
