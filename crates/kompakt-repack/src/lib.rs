//! A packed file in another tier: the module behind `kompakt/repack`.
//!
//! ```text
//! web/repack.js ─► kompakt_input(n), the file's bytes ─► kompakt_repack(tier) ─► kompakt_output(), kompakt_output_len()
//! ```
//!
//! It does what `kompakt repack` does, in a browser. `cargo xtask web` builds it apart from the loader's modules, so that
//! encoders are downloaded by those who want another tier alone. On any other machine it is [`repack`] alone.

#[cfg(target_family = "wasm")]
mod exported;

use kompakt_format::{Container, Tier};
use kompakt_pack::{Options, PackError, Packed, write_to};

/// Checks the file, down to the content hash, and returns the same content in that tier: the bytes of `kompakt repack`.
///
/// A browser has no Zstandard to compress with. What is compressed in the file stays so; what is not (in a file whose writer
/// left it uncompressed, or where a dense tensor of more than 2^20 values was not in a section of its own) is stored as it is.
///
/// Memory: the file, the result, and what [`write_to`] takes.
/// Errors: the file is no sound container.
pub fn repack(bytes: &[u8], tier: Tier) -> Result<Vec<u8>, PackError> {
    let container = Container::parse(bytes)?;
    container.verify()?;
    let mut repacked = Vec::new();
    write_to(&mut Packed::new(&container)?, &Options::new(tier), &mut repacked, &|_, _| ())?;
    Ok(repacked)
}
