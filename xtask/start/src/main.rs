//! The start of `cargo xtask`: says immediately what is going to be built, then lets Cargo build and run
//! `xtask`.
//!
//! It is a program of its own, with no dependencies, because a newcomer's first build downloads and compiles for
//! minutes, and should be told so in the first two seconds.
#![expect(clippy::print_stderr, reason = "a command-line program")]

use std::{
    env,
    process::{Command, ExitCode},
};

fn main() -> ExitCode {
    let is_built = env::current_exe()
        .is_ok_and(|this| this.with_file_name(format!("xtask{}", env::consts::EXE_SUFFIX)).exists());
    if !is_built {
        eprintln!(
            "» first build: Cargo downloads and compiles the automation now (about a minute on two cores).\n\
             » `pipeline` and `ci` then build the whole workspace with its training engine: ten to twenty minutes, once."
        );
    }
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Some build scripts look at what Cargo says of this package, and would be run again by a build from a shell.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|start| text.starts_with(start)) {
            cargo.env_remove(&name);
        }
    }
    cargo.args(["run", "--release", "--package", "xtask", "--"]).args(env::args_os().skip(1));
    run(cargo)
}

/// Replaces this process, so that signals and the exit code are the other's.
#[cfg(unix)]
fn run(mut cargo: Command) -> ExitCode {
    use std::os::unix::process::CommandExt;
    eprintln!("xtask: cannot start cargo: {}", cargo.exec());
    ExitCode::FAILURE
}

#[cfg(not(unix))]
fn run(mut cargo: Command) -> ExitCode {
    match cargo.status() {
        Ok(status) => ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)),
        Err(error) => {
            eprintln!("xtask: cannot start cargo: {error}");
            ExitCode::FAILURE
        }
    }
}
