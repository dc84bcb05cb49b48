//! The start of `cargo xtask`: says immediately what is going to be built, then lets Cargo build `xtask`, and
//! runs it.
//!
//! It is a program of its own, with no dependencies, because a newcomer's first build downloads and compiles for
//! minutes, and should be told so in the first two seconds.
#![expect(clippy::print_stderr, reason = "a command-line program")]

use std::{
    env,
    process::{Command, ExitCode, ExitStatus},
};

fn main() -> ExitCode {
    let xtask =
        env::current_exe().map(|this| this.with_file_name(format!("xtask{}", env::consts::EXE_SUFFIX)));
    if !xtask.as_ref().is_ok_and(|path| path.exists()) {
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
    // Of the whole workspace, so that libraries are built with the features that its programs and tests ask of them too.
    cargo.args(["build", "--release", "--workspace", "--bin", "xtask"]);
    match (cargo.status(), xtask) {
        (Ok(status), Ok(xtask)) if status.success() => {
            let mut command = Command::new(xtask);
            command.args(env::args_os().skip(1));
            run(command)
        }
        (Ok(status), Ok(_)) => exit_code(status),
        (Err(error), _) => failure(&format!("cannot start cargo: {error}")),
        (_, Err(error)) => failure(&format!("this program's own path is not known: {error}")),
    }
}

fn exit_code(status: ExitStatus) -> ExitCode {
    ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1))
}

fn failure(why: &str) -> ExitCode {
    eprintln!("xtask: {why}");
    ExitCode::FAILURE
}

/// Replaces this process, so that signals and the exit code are the other's.
#[cfg(unix)]
fn run(mut command: Command) -> ExitCode {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    failure(&format!("cannot start {}: {error}", command.get_program().display()))
}

#[cfg(not(unix))]
fn run(mut command: Command) -> ExitCode {
    match command.status() {
        Ok(status) => exit_code(status),
        Err(error) => failure(&format!("cannot start {}: {error}", command.get_program().display())),
    }
}
