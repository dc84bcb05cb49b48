//! The site of the Python package: built by MkDocs, whose warnings are errors.

use super::{
    Outcome,
    calls::{Calls, exists},
    root,
};
use crate::python::Environment;
use anyhow::Result;
use std::process::Command;

pub(super) fn build(calls: &mut Calls) -> Result<Outcome> {
    if !exists("python3") {
        return Ok(Outcome::NotTested("needs python3, 3.11 or newer".into()));
    }
    let environment = Environment::new(&root().join("target/bindings/site"))?;
    environment.install(&["--requirement", &root().join("docs/requirements.txt").display().to_string()])?;
    let mut mkdocs = Command::new(&environment.python);
    mkdocs
        .args(["-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir"])
        .arg(root().join("target/site"));
    calls.run(mkdocs.env("NO_MKDOCS_2_WARNING", "1").current_dir(root()))?;
    environment.end()?;
    Ok(Outcome::Held)
}
