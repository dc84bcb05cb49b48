//! The software bill of materials: every crate that programs, wheel and libraries are built from, as CycloneDX 1.5 JSON.
//!
//! From `cargo metadata` and the checksums of `Cargo.lock`; crates of tests are not in it. No time and no serial number:
//! the same lock file makes the same document.
//!
//! Source: ECMA-424 (CycloneDX).

use super::Release;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// The crates that users get.
const ROOTS: [&str; 3] = ["kompakt", "kompakt-capi", "kompakt-py"];

pub(super) fn make(release: &Release) -> Result<PathBuf> {
    let arguments = ["metadata", "--locked", "--format-version", "1"];
    let output = crate::cargo::cargo().args(arguments).current_dir(&release.root).output();
    let output = output.context("cannot start cargo")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let lock = std::fs::read_to_string(release.root.join("Cargo.lock")).context("Cargo.lock")?;
    let document = document(&metadata, &checksums(&lock)?, &release.version)?;
    check(&document)?;
    let path = release.out.join(format!("kompakt-{}.cdx.json", release.version));
    std::fs::write(&path, serde_json::to_string_pretty(&document)? + "\n")?;
    Ok(path)
}

/// SHA-256 by name and version.
fn checksums(lock: &str) -> Result<BTreeMap<(String, String), String>> {
    let lock: toml::Table = toml::from_str(lock).context("Cargo.lock")?;
    let packages =
        lock.get("package").and_then(toml::Value::as_array).context("Cargo.lock has no packages")?;
    let text =
        |package: &toml::Value, key: &str| package.get(key).and_then(|v| v.as_str()).map(str::to_string);
    let entry = |p| Some(((text(p, "name")?, text(p, "version")?), text(p, "checksum")?));
    Ok(packages.iter().filter_map(entry).collect())
}

/// The document.
fn document(metadata: &Value, sums: &BTreeMap<(String, String), String>, version: &str) -> Result<Value> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let by_id = |values: Vec<Value>| -> BTreeMap<String, Value> {
        values.into_iter().map(|v| (v["id"].as_str().unwrap_or_default().to_string(), v)).collect()
    };
    let packages = by_id(list(&metadata["packages"]));
    let nodes = by_id(list(&metadata["resolve"]["nodes"]));
    // Dependencies that end up in what is built, by the id of a package; those of build scripts are not among them.
    let used = |id: &str| -> Vec<String> {
        let deps = nodes.get(id).map(|node| list(&node["deps"])).unwrap_or_default();
        let is_normal = |dep: &&Value| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
        deps.iter().filter(is_normal).filter_map(|dep| Some(dep["pkg"].as_str()?.to_string())).collect()
    };
    let roots: Vec<String> = packages
        .iter()
        .filter(|(_, package)| ROOTS.iter().any(|name| package["name"] == *name))
        .map(|(id, _)| id.clone())
        .collect();
    if roots.len() != ROOTS.len() {
        bail!("cargo metadata lacks some of {}", ROOTS.join(", "));
    }
    let (mut reached, mut open) = (BTreeSet::new(), roots.clone());
    while let Some(id) = open.pop() {
        if reached.insert(id.clone()) {
            open.extend(used(&id));
        }
    }
    let reference = |id: &str| {
        let package = &packages[id];
        let word = |key: &str| package[key].as_str().unwrap_or_default();
        format!("pkg:cargo/{}@{}", word("name"), word("version"))
    };
    let main = format!("pkg:cargo/kompakt-release@{version}");
    let mut components: Vec<Value> =
        reached.iter().map(|id| component(&packages[id], &reference(id), sums)).collect();
    components.sort_by_key(|component| (component["name"].to_string(), component["version"].to_string()));
    let edge = |from: String, to: Vec<String>| {
        let to: BTreeSet<String> = to.into_iter().collect();
        json!({ "ref": from, "dependsOn": to })
    };
    let mut edges = vec![edge(main.clone(), roots.iter().map(|id| reference(id)).collect())];
    edges.extend(
        reached.iter().map(|id| edge(reference(id), used(id).iter().map(|id| reference(id)).collect())),
    );
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": { "type": "application", "name": "kompakt", "version": version, "bom-ref": main } },
        "components": components,
        "dependencies": edges,
    }))
}

fn component(package: &Value, reference: &str, sums: &BTreeMap<(String, String), String>) -> Value {
    let word = |key: &str| package[key].as_str().unwrap_or_default().to_string();
    let mut found = json!({
        "type": "library",
        "bom-ref": reference,
        "name": word("name"),
        "version": word("version"),
        "purl": reference,
    });
    if let Some(licence) = package["license"].as_str() {
        // Older manifests separate licences by a slash, which SPDX does not know.
        found["licenses"] = json!([{ "expression": licence.replace('/', " OR ").replace("  ", " ") }]);
    }
    if let Some(sum) = sums.get(&(word("name"), word("version"))) {
        found["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    found
}

/// Every reference is that of one component, and what comes from a registry has a checksum.
fn check(document: &Value) -> Result<()> {
    let components = document["components"].as_array().context("no components")?;
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for component in components {
        let reference = component["bom-ref"].as_str().context("a component without a reference")?;
        if !known.insert(reference) {
            bail!("{reference} is there twice");
        }
        let is_ours = component["name"].as_str().is_some_and(|name| name.starts_with("kompakt"));
        if !is_ours && component["hashes"].is_null() {
            bail!("{reference} has no checksum");
        }
    }
    known.extend(document["metadata"]["component"]["bom-ref"].as_str());
    for edge in document["dependencies"].as_array().context("no dependencies")? {
        let ends = edge["dependsOn"].as_array().into_iter().flatten().chain([&edge["ref"]]);
        if let Some(unknown) = ends.filter_map(Value::as_str).find(|end| !known.contains(end)) {
            bail!("{unknown} is no component");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_from_is_listed_and_what_tests_need_is_not() {
        let package =
            |name: &str| json!({ "id": name, "name": name, "version": "1.0.0", "license": "MIT/Apache-2.0" });
        let packages = ["kompakt", "kompakt-capi", "kompakt-py", "serde", "proptest", "cc"].map(package);
        let dep = |name: &str, kind: Value| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "packages": packages,
            "resolve": { "nodes": [
                { "id": "kompakt", "deps": [dep("serde", Value::Null), dep("proptest", "dev".into()), dep("cc", "build".into())] },
                { "id": "kompakt-py", "deps": [dep("kompakt", Value::Null)] },
            ] },
        });
        let sums = [(("serde".to_string(), "1.0.0".to_string()), "ab".repeat(32))].into();
        let document = document(&metadata, &sums, "1.0.0").unwrap();
        check(&document).unwrap();
        let names: Vec<_> =
            document["components"].as_array().unwrap().iter().map(|c| c["name"].clone()).collect();
        assert_eq!(names, ["kompakt", "kompakt-capi", "kompakt-py", "serde"]);
        assert_eq!(document["components"][3]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(document["components"][3]["hashes"][0]["content"], "ab".repeat(32));
        assert!(check(&json!({ "components": [{ "bom-ref": "a", "name": "a" }] })).is_err());
    }
}
