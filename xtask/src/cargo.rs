//! Cargo, called by a program that Cargo runs.

use std::process::Command;

/// A call of the Cargo that runs this program.
///
/// What it says about this package in the environment is left out: some build scripts look at it, and a build from
/// here and one from a shell would undo each other's work.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|start| text.starts_with(start)) {
            command.env_remove(&name);
        }
    }
    command
}
