//! Sweeps on Ray: a cluster of several nodes on this machine, one of which is killed.

use super::{
    Outcome,
    calls::{Calls, exists},
};
use anyhow::Result;

/// With the wheel and the program that rows before left; a process of its own, as the wheel's row.
pub(super) fn run(calls: &mut Calls) -> Result<Outcome> {
    if !exists("python3") {
        return Ok(Outcome::NotTested("needs python3, 3.11 or newer".into()));
    }
    calls.cargo(&["xtask", "bindings", "--ray"])?;
    Ok(Outcome::Held)
}
