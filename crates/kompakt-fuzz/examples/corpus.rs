//! Writes the corpus of every target into a folder, as cargo-fuzz wants it:
//!
//! ```text
//! cargo run --release -p kompakt-fuzz --example corpus -- fuzz/corpus
//! cargo +nightly fuzz run directory
//! ```

use kompakt_fuzz::{Fixtures, TARGETS};
use std::{fs, io, path::PathBuf};

fn main() -> io::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).unwrap_or_else(|| "fuzz/corpus".into()));
    for target in TARGETS {
        let folder = folder.join(target.name);
        fs::create_dir_all(&folder)?;
        for (i, input) in (target.corpus)(&Fixtures::of_repository()).iter().enumerate() {
            fs::write(folder.join(format!("{i:04}")), input)?;
        }
    }
    Ok(())
}
