//! A microcontroller without an operating system: the crates that promise to do without `std` are built for it, as
//! 32-bit code with an allocator and nothing else.

use super::{Outcome, calls::Calls, cross::Cross, host, root};
use anyhow::{Context, Result};

pub(super) fn run(calls: &mut Calls) -> Result<Outcome> {
    let cross = match Cross::find("thumbv7em-none-eabihf") {
        Ok(cross) => cross,
        Err(missing) => return Ok(Outcome::NotTested(missing)),
    };
    let names = crates_without_std()?;
    let mut cargo = cross.cargo("build");
    cargo.args(["--no-default-features", "--lib"]).args(names.iter().flat_map(|name| ["--package", name]));
    calls.run(&mut cargo)?;
    Ok(Outcome::Held)
}

/// Names of the libraries that say `#![no_std]`, sorted.
fn crates_without_std() -> Result<Vec<String>> {
    let folder = root().join("crates");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if host::is_without_std(&name) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parser_and_the_kernels_do_without_std() {
        let names = crates_without_std().unwrap();
        for name in ["kompakt-entropy", "kompakt-format", "kompakt-graph", "kompakt-kernels", "kompakt-prep"]
        {
            assert!(names.iter().any(|other| other == name), "{name} is not in {names:?}");
        }
    }
}
