//! The part of the Python package for PyTorch.

use super::{
    Outcome,
    calls::{Calls, exists},
};
use anyhow::Result;

/// With the wheel that a row before left; a process of its own, as the wheel's row.
pub(super) fn run(calls: &mut Calls) -> Result<Outcome> {
    for (program, needed) in
        [("python3", "python3, 3.11 or newer"), ("cc", "a C compiler"), ("nm", "nm and readelf, of binutils")]
    {
        if !exists(program) {
            return Ok(Outcome::NotTested(format!("needs {needed}")));
        }
    }
    calls.cargo(&["xtask", "bindings", "--torch"])?;
    Ok(Outcome::Held)
}
