//! The package for JavaScript: packed by npm, installed into an empty project, tried in Node.

use super::Release;
use crate::ci::{Calls, Cross};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{fs, path::PathBuf, process::Command};

/// Prints the label and the probability of the likeliest class.
const TRIAL: &str = "
import { load } from 'kompakt';
import { readFileSync } from 'node:fs';
const network = await load(readFileSync(process.argv[2]));
const { label, probability } = network.classify(new Float32Array(network.info.inputShape.reduce((a, b) => a * b, 1)).fill(0.5), 1)[0];
console.log(label, probability.toFixed(6));
";

pub(super) fn make(release: &Release) -> Result<PathBuf> {
    let mut calls = Calls::default();
    match Cross::find_or_source("wasm32-unknown-unknown") {
        Ok(_) => crate::web::build(&release.root, &mut calls)?,
        Err(missing) => bail!(missing),
    }
    let staged = release.empty("npm-package")?;
    fs::create_dir(staged.join("dist"))?;
    let web = release.root.join("web");
    let text = fs::read_to_string(web.join("package.json")).context("web/package.json")?;
    let mut about: Value = serde_json::from_str(&text).context("web/package.json")?;
    let others = [
        "kompakt.d.ts",
        "repack.d.ts",
        "README.md",
        "dist/kompakt.wasm",
        "dist/kompakt-simd.wasm",
        "dist/kompakt-threads.wasm",
        "dist/kompakt-repack.wasm",
    ];
    for name in crate::web::SCRIPTS.into_iter().chain(others) {
        fs::copy(web.join(name), staged.join(name)).with_context(|| format!("web/{name}"))?;
    }
    // What is for GPUs is there where it was built: `cargo xtask webgpu`.
    let gpu =
        ["webgpu.js", "webgpu.d.ts", "dist/webgpu/kompakt_webgpu.js", "dist/webgpu/kompakt_webgpu_bg.wasm"];
    if gpu.iter().all(|name| web.join(name).exists()) {
        fs::create_dir(staged.join("dist/webgpu"))?;
        for name in gpu {
            fs::copy(web.join(name), staged.join(name)).with_context(|| format!("web/{name}"))?;
        }
    } else if let Some(exports) = about["exports"].as_object_mut() {
        exports.remove("./webgpu");
    }
    about["version"] = release.version.clone().into();
    fs::write(staged.join("package.json"), serde_json::to_string_pretty(&about)?)?;
    let pack = ["pack", "--silent", "--offline", "--ignore-scripts", "--pack-destination"];
    calls.run(Command::new("npm").args(pack).arg(&release.out).current_dir(&staged))?;
    let package = release.out.join(format!("kompakt-{}.tgz", release.version));

    let project = release.empty("npm-project")?;
    fs::write(project.join("package.json"), r#"{ "private": true, "type": "module" }"#)?;
    let install = ["install", "--silent", "--offline", "--no-audit", "--no-fund", "--ignore-scripts"];
    calls.run(Command::new("npm").args(install).arg(&package).current_dir(&project))?;
    fs::write(project.join("trial.js"), TRIAL)?;
    let fixture = release.fixture();
    let expected = release.answer()?;
    let node = Command::new("node").arg("trial.js").arg(&fixture).current_dir(&project).output();
    let output = node.context("cannot start node")?;
    let printed = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || printed.trim_end() != expected {
        let talk = String::from_utf8_lossy(&output.stderr);
        bail!("the installed package says {printed:?}; the loader says {expected:?}\n{talk}");
    }
    Ok(package)
}
