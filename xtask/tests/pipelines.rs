//! Runs the scripts of `fixtures/pipelines/`: the stages as programs, chained by a shell as people chain them.
//!
//! A script is a text file; each runs in a folder of its own with the built programs on the path. Its lines:
//!
//! ```text
//! # a remark
//! RUN: kompakt-prune --density 0.1 < a > b      a shell command with `pipefail`; ends with code 0 ...
//! EXIT: 3                                       ... or with this one, if the line follows
//! SAYS: cut off                                 stderr of the last command holds this, and is one line
//! SAME: a b                                     two files hold the same bytes
//! ABSENT: b                                     no such file, and no temporary file either
//! ```
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

#[test]
fn every_script_holds() {
    let scripts = root().join("fixtures/pipelines");
    let mut paths: Vec<PathBuf> = fs::read_dir(&scripts).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "txt"));
    paths.sort();
    assert!(!paths.is_empty(), "no scripts in {}", scripts.display());
    let failures: Vec<String> = paths.iter().filter_map(|path| run_script(path).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The folder of the programs: this test is in its `deps`.
fn programs() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let folder = this.parent().unwrap().parent().unwrap().to_path_buf();
    let program = folder.join(format!("kompakt-train{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "build the programs first: cargo build --release --workspace --bins");
    folder
}

fn run_script(path: &Path) -> Result<(), String> {
    let text = fs::read_to_string(path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')).collect();
    let mut last: Option<Output> = None;
    for (i, line) in lines.iter().enumerate() {
        let fail = |problem: String| Err(format!("{}: {line}\n  {problem}", path.display()));
        let (kind, rest) = line.split_once(": ").unwrap_or((line, ""));
        match kind {
            "RUN" => {
                let expected = lines.get(i + 1).and_then(|next| next.strip_prefix("EXIT: ")).unwrap_or("0");
                let output = shell(rest, folder.path());
                let code = output.status.code().map_or_else(|| "a signal".to_string(), |c| c.to_string());
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                if code != expected {
                    return fail(format!("ended with {code}, expected {expected}; stderr:\n{said}"));
                }
                last = Some(output);
            }
            "EXIT" => {}
            "SAYS" => {
                let said = String::from_utf8_lossy(&last.as_ref().unwrap().stderr).into_owned();
                if !said.contains(rest) || said.trim_end().lines().count() != 1 || said.contains("panicked") {
                    return fail(format!("expected one line with this text; stderr:\n{said}"));
                }
            }
            "SAME" => {
                let (a, b) = rest.split_once(' ').unwrap();
                let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
                if read(a) != read(b) {
                    return fail("they differ".to_string());
                }
            }
            "ABSENT" => {
                let there: Vec<String> = fs::read_dir(folder.path())
                    .unwrap()
                    .map(|e| e.unwrap().file_name().into_string().unwrap())
                    .filter(|name| name == rest || name.starts_with(".kompakt-"))
                    .collect();
                if !there.is_empty() {
                    return fail(format!("there is {there:?}"));
                }
            }
            other => return fail(format!("unknown line {other:?}")),
        }
    }
    Ok(())
}

fn shell(command: &str, folder: &Path) -> Output {
    let path = format!("{}:{}", programs().display(), std::env::var("PATH").unwrap_or_default());
    Command::new("bash")
        .args(["-c", &format!("set -o pipefail; {command}")])
        .current_dir(folder)
        .env("PATH", path)
        .env("FIXTURES", root().join("fixtures"))
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap()
}
