//! Makes `fixtures/good`, `fixtures/bad` and the example in `spec/format.md`: `cargo run -p kompakt-pack --example make_fixtures`, from the repository's
//! root. Deterministic; a test makes them again and compares.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bad;
mod editor;
mod example;
mod good;

use std::{collections::BTreeMap, fs, path::Path, process::ExitCode};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("make_fixtures: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new("fixtures");
    if !root.is_dir() {
        return Err("there is no folder fixtures here: run from the repository's root".into());
    }
    let good = good::files()?;
    let bad = bad::files(&good)?;
    replace(&root.join("good"), &good)?;
    replace(&root.join("bad"), &bad)?;
    let spec = Path::new("spec/format.md");
    let text = example::with_example(&fs::read_to_string(spec)?, &good["worked-example.kompakt"]);
    fs::write(spec, text.ok_or("spec/format.md has lost the marks of its example")?)?;
    println!("{} files in fixtures/good, {} in fixtures/bad", good.len(), bad.len());
    Ok(())
}

/// Makes a folder hold exactly these files.
fn replace(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "kompakt" || e == "json") {
            fs::remove_file(path)?;
        }
    }
    files.iter().try_for_each(|(name, bytes)| fs::write(folder.join(name), bytes))
}
