//! `cargo xtask webgpu`: networks on a browser's GPU, built and tried.
//!
//! ```text
//! crates/kompakt-webgpu ─► wasm32 ─► wasm-bindgen ─► web/dist/webgpu ──────────────┐
//! fixtures/good ─► this machine's loader ─► answers.json ─────────────────────────┴─► web/browser/webgpu.mjs in Chromium
//! ```

use crate::{
    ci::{Calls, Cross, browser, cross_folder, modules, root, rust_lld},
    web,
};
use anyhow::{Context, Result, anyhow, bail};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The version of wasm-bindgen in Cargo.lock; the program has to have the same.
fn version() -> Result<String> {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).context("Cargo.lock")?;
    let after = lock.split("name = \"wasm-bindgen\"\nversion = \"").nth(1);
    let version = after.and_then(|text| text.split('"').next());
    Ok(version.context("Cargo.lock has no wasm-bindgen")?.to_string())
}

/// The program `wasm-bindgen`: in the folder of the unpacked compilers, or on the path.
fn bindgen() -> Result<PathBuf> {
    let version = version()?;
    let installed = cross_folder().join("bindgen").join(&version).join("bin/wasm-bindgen");
    if installed.exists() {
        return Ok(installed);
    }
    let said = Command::new("wasm-bindgen").arg("--version").output();
    if said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).trim().ends_with(&version)) {
        return Ok("wasm-bindgen".into());
    }
    let folder = cross_folder().join("bindgen");
    bail!("no wasm-bindgen {version}: `.ci/bindgen {}` builds it, in a minute or two", folder.display())
}

/// Builds the module and tries it.
///
/// Errors: no compiler for WebAssembly, no wasm-bindgen or browser; tests that fail.
pub(crate) fn run() -> Result<()> {
    let mut calls = Calls::default();
    let chromium = browser().context("needs Debian's package chromium, or a browser's path in CHROMIUM")?;
    build(&mut calls)?;
    let answers = web::answers(root())?;
    let mut node = Command::new("node");
    node.arg(root().join("web/browser/webgpu.mjs")).arg(root().join("web")).arg(answers);
    calls.run(node.env("KOMPAKT_MODULES", modules()).env("CHROMIUM", chromium))
}

/// `web/dist/webgpu`: the module, and what calls it.
fn build(calls: &mut Calls) -> Result<()> {
    let cross = Cross::find("wasm32-unknown-unknown").map_err(|_| {
        anyhow!(
            "no standard library for browsers: `.ci/cross {} browsers` makes one on Debian, or `rustup target add \
             wasm32-unknown-unknown`",
            cross_folder().display()
        )
    })?;
    let linker = rust_lld().context("this machine's compiler comes without rust-lld")?;
    let bindgen = bindgen()?;
    let mut cargo = cross.cargo_with("rustc", "web");
    cargo.args(["--package", "kompakt-webgpu", "--lib", "--crate-type", "cdylib"]);
    // As for the package's other modules: no features of other members.
    cargo.env_remove("CARGO_RESOLVER_FEATURE_UNIFICATION");
    calls.run(cargo.env(cross.variable("LINKER"), linker))?;
    let dist = root().join("web/dist/webgpu");
    std::fs::create_dir_all(&dist).with_context(|| dist.display().to_string())?;
    let mut bind = Command::new(bindgen);
    bind.args(["--target", "web", "--no-typescript", "--remove-producers-section", "--out-dir"]).arg(&dist);
    // Not through wasm-opt: what its version 108 (Debian 12) makes of a module with two tables does not start, and is 5 % smaller only.
    calls.run(bind.arg(cross.output("web", "kompakt_webgpu.wasm")))?;
    sizes(&dist, calls)
}

/// Says how large it is, and what a server sends of it.
fn sizes(dist: &Path, calls: &mut Calls) -> Result<()> {
    let script = "const fs = require('fs'), zlib = require('zlib'); \
                  for (const name of fs.readdirSync('.')) { const bytes = fs.readFileSync(name); \
                  console.error(`${name}: ${bytes.length} bytes, ${zlib.brotliCompressSync(bytes).length} by brotli`) }";
    calls.run(Command::new("node").args(["-e", script]).current_dir(dist))
}
