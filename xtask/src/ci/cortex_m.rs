//! A microcontroller without an operating system: the crates that promise to do without `std` are built for it, as
//! 32-bit code with an allocator and nothing else; `examples/cortex-m` verifies files and recognises a digit on an
//! emulated one.

use super::{
    Outcome,
    calls::{Calls, exists, within},
    cross::{Cross, rust_lld},
    host, root,
};
use anyhow::{Context, Result};
use std::process::Command;

/// Seconds after which the emulator is ended.
const LIMIT_S: &str = "300";

pub(super) fn run(calls: &mut Calls) -> Result<Outcome> {
    let cross = match Cross::find("thumbv7em-none-eabihf") {
        Ok(cross) => cross,
        Err(missing) => return Ok(Outcome::NotTested(missing)),
    };
    let names = crates_without_std()?;
    let mut cargo = cross.cargo("build");
    cargo.args(["--no-default-features", "--lib"]).args(names.iter().flat_map(|name| ["--package", name]));
    calls.run(&mut cargo)?;

    let Some(linker) = rust_lld() else {
        return Ok(Outcome::NotTested("this machine's compiler comes without rust-lld".into()));
    };
    if cross.unpacked("").is_none() && !exists("run-cortex-m") {
        return Ok(Outcome::NotTested("no emulator for a Cortex-M: .ci/run unpacks one on Debian".into()));
    }
    let folder = root().join("examples/cortex-m");
    let cross = cross.flag(format!("-Clink-arg=-T{}", folder.join("link.ld").display()));
    let mut cargo = cross.cargo("build");
    cargo.arg("--locked").current_dir(&folder).env(cross.variable("LINKER"), linker);
    calls.run(&mut cargo)?;
    let mut emulator = Command::new(cross.tool("run-cortex-m"));
    calls.run(&mut within(LIMIT_S, emulator.arg(cross.output("release", "loader"))))?;
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
        for name in
            ["kompakt-entropy", "kompakt-format", "kompakt-graph", "kompakt-kernels", "kompakt-runtime"]
        {
            assert!(names.iter().any(|other| other == name), "{name} is not in {names:?}");
        }
    }
}
