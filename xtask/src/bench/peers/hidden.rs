//! The same measurement as on a processor without AVX-512: where the system lets the instruction CPUID fault (Linux on
//! x86-64, most processors), a small library answers it without wider instruction sets than AVX2. It is preloaded into this
//! program and all that it starts, so that every engine is held to the same instructions, whatever switch of its own it has
//! or lacks.

use anyhow::{Context, Result, bail};
use std::{path::Path, process::Command};

const SOURCE: &str = include_str!("hide.c");

/// Whether this process runs so.
pub(crate) fn is_so() -> bool {
    std::env::var_os("LD_PRELOAD").is_some_and(|all| all.to_string_lossy().contains("libhide.so"))
}

/// Runs this command again, to its end, in a process that sees no more than AVX2.
pub(crate) fn again(folder: &Path) -> Result<()> {
    let (source, library) = (folder.join("hide.c"), folder.join("libhide.so"));
    std::fs::write(&source, SOURCE)?;
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-fPIC", "-shared", "-o"]).args([&library, &source]);
    if !cc.status().context("starting cc")?.success() {
        bail!("hide.c does not compile");
    }
    let mut command = Command::new(std::env::current_exe()?);
    command.args(std::env::args_os().skip(1)).env("LD_PRELOAD", std::path::absolute(&library)?);
    if !command.status()?.success() {
        bail!("the measurement with AVX2 failed");
    }
    Ok(())
}
