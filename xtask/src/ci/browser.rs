//! Chromium: the package for JavaScript on the fixtures, and its page clicked through.

use super::{
    Outcome,
    calls::{Calls, exists, within},
    cross::Cross,
    root,
};
use anyhow::{Context, Result};
use std::{path::PathBuf, process::Command};

/// Seconds after which tests are ended.
const LIMIT_S: &str = "300";

pub(super) fn run(calls: &mut Calls) -> Result<Outcome> {
    let cross = match Cross::find_or_source("wasm32-unknown-unknown") {
        Ok(cross) => cross,
        Err(missing) => return Ok(Outcome::NotTested(missing)),
    };
    if !exists("node") || !exists(cross.tool("wasm-opt")) {
        return Ok(Outcome::NotTested("needs node, 20 or newer, and wasm-opt (binaryen)".into()));
    }
    let Some(chromium) = browser() else {
        return Ok(Outcome::NotTested(
            "needs Debian's package chromium, or a browser's path in CHROMIUM".into(),
        ));
    };
    let modules = modules();
    if !modules.join("node_modules/playwright-core").exists() {
        let why = "no packages to drive a browser: `.ci/browser FOLDER` brings them, KOMPAKT_MODULES names FOLDER/current";
        return Ok(Outcome::NotTested(why.into()));
    }
    // What the row before has built is taken as it is.
    crate::web::build(root(), calls)?;
    let page = crate::web::page(root())?;
    let answers = crate::web::answers(root())?;
    let screenshots = root().join("target/web/screenshots");
    std::fs::create_dir_all(&screenshots).with_context(|| screenshots.display().to_string())?;
    let mut node = Command::new("node");
    node.arg(root().join("web/browser/run.mjs")).args([page, answers, screenshots]);
    node.env("KOMPAKT_MODULES", modules).env("CHROMIUM", chromium);
    calls.run(&mut within(LIMIT_S, &node))?;
    Ok(Outcome::Held)
}

/// The path of Chromium: Playwright does not look for programs.
pub(crate) fn browser() -> Option<PathBuf> {
    let name = std::env::var_os("CHROMIUM").unwrap_or_else(|| "chromium".into());
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(&name)).find(|path| path.is_file())
}

/// The folder with Playwright and axe.
pub(crate) fn modules() -> PathBuf {
    std::env::var_os("KOMPAKT_MODULES").map_or_else(
        || {
            let folder =
                std::env::var_os("KOMPAKT_CROSS").map_or_else(|| root().join("target/cross"), PathBuf::from);
            folder.join("browser/current")
        },
        PathBuf::from,
    )
}
