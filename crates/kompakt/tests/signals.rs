//! A command ended by a signal leaves either the previous files or its complete result.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "support/every_command.rs"]
mod every_command;
#[path = "support/program.rs"]
mod program;

use every_command::{Call, command, every_command, fill};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Moments of each command at which it is interrupted.
const MOMENTS: u32 = 9;

const SIGNALS: [(&str, i32); 3] = [("INT", 2), ("TERM", 15), ("HUP", 1)];

/// All files below a folder with their bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let below = files(&path).into_iter();
            all.extend(below.map(|(rest, bytes)| (format!("{name}/{rest}"), bytes)));
            all.insert(format!("{name}/"), Vec::new());
        } else {
            all.insert(name, fs::read(&path).unwrap());
        }
    }
    all
}

/// Starts a command with temporary files in a folder of its own.
fn start(call: &Call, folder: &Path, temporary: &Path) -> Command {
    let mut command = command(call, folder, call.output.1);
    command.env("TMPDIR", temporary).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn nothing_is_left_by_a_signal_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let (folder, temporary) = (folder.path(), temporary.path());
    fill(folder);
    let mut n_interrupted = 0;
    for call in every_command() {
        let what = format!("{} {:?}", call.program, call.arguments);
        let output = folder.join(call.output.1);
        let began = Instant::now();
        assert!(start(&call, folder, temporary).status().unwrap().success(), "{what}");
        let took = began.elapsed();
        let whole = fs::read(&output).unwrap();
        // A signature holds random numbers.
        let is_signature = call.arguments[0] == "sign";
        let is_whole = |found: &[u8]| found == whole || (is_signature && found.len() == whole.len());
        fs::write(&output, "old").unwrap();
        let before = files(folder);
        assert!(call.inputs.iter().all(|input| before.contains_key(*input)), "{what}");
        for moment in 0..MOMENTS {
            let (name, number) = SIGNALS[moment as usize % SIGNALS.len()];
            let mut child = start(&call, folder, temporary).spawn().unwrap();
            // A process that does not watch for signals yet has not made any file either.
            std::thread::sleep(took * moment / (MOMENTS - 1));
            Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
            let status = child.wait().unwrap();
            if status.success() {
                assert!(is_whole(&fs::read(&output).unwrap()), "{what}");
                fs::write(&output, "old").unwrap();
            } else {
                assert_eq!(status.signal(), Some(number), "{what} at {moment}: {status}");
                n_interrupted += 1;
                // The result may have been moved into place just before the signal.
                if is_whole(&fs::read(&output).unwrap()) {
                    fs::write(&output, "old").unwrap();
                }
            }
            let after = files(folder);
            let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(&after), names(&before), "{what} at {moment}");
            assert!(after == before, "{what} at {moment}: another file changed");
            assert_eq!(names(&files(temporary)), Vec::<String>::new(), "{what} at {moment}");
        }
        fs::remove_file(&output).unwrap();
    }
    assert!(n_interrupted > every_command().len(), "only {n_interrupted} commands were interrupted");
}

/// Interrupts a command at many moments; `check` inspects the folder afterwards, given whether it was
/// interrupted.
fn interrupted(what: &str, mut start: impl FnMut() -> Command, mut check: impl FnMut(bool)) {
    let began = Instant::now();
    assert!(start().status().unwrap().success(), "{what}");
    let took = began.elapsed();
    check(false);
    let mut n_interrupted = 0;
    for moment in 0..3 * MOMENTS {
        let (name, number) = SIGNALS[moment as usize % SIGNALS.len()];
        let mut child = start().spawn().unwrap();
        std::thread::sleep(took * moment / (3 * MOMENTS));
        Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
        let status = child.wait().unwrap();
        assert!(status.success() || status.signal() == Some(number), "{what} at {moment}: {status}");
        n_interrupted += usize::from(!status.success());
        check(!status.success());
    }
    assert!(n_interrupted > 0, "{what} was never interrupted");
}

/// Every manual page that exists is complete.
#[test]
fn manual_pages_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man");
    let start = || {
        let mut command = program::program(env!("CARGO_BIN_EXE_kompakt"));
        command.arg("man").arg(&pages);
        command
    };
    let mut whole = BTreeMap::new();
    interrupted("man", start, |_| {
        let found = if pages.exists() { files(&pages) } else { BTreeMap::new() };
        if whole.is_empty() {
            whole.clone_from(&found);
            assert!(whole.len() > 20 && whole.contains_key("kompakt-compress.1"));
        }
        assert!(found.iter().all(|(name, page)| whole.get(name) == Some(page)));
        let _ = fs::remove_dir_all(&pages);
    });
}

/// Existing files of a data set are complete, wherever fetching is interrupted. The package client is a
/// script here.
#[test]
fn fetched_files_are_whole() {
    let name = "train-labels-idx1-ubyte";
    let cache = std::env::var_os("KOMPAKT_DATA").map(|folder| Path::new(&folder).join("mnist"));
    let Some(cache) = cache.filter(|folder| folder.join(name).is_file()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let archive = folder.join("mnist.tgz");
    let (parent, inside) = (cache.parent().unwrap(), "s|^mnist|package/data|");
    let mut tar = Command::new("tar");
    tar.args(["--transform", inside, "-czf"]).arg(&archive).arg("-C").arg(parent).arg("mnist");
    assert!(tar.status().unwrap().success());
    let bin = folder.join("bin");
    fs::create_dir(&bin).unwrap();
    let script = format!("#!/bin/sh\nexec cp {} mnist.tgz\n", archive.display());
    fs::write(bin.join("npm"), script).unwrap();
    assert!(Command::new("chmod").arg("+x").arg(bin.join("npm")).status().unwrap().success());
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let (data, temporary) = (folder.join("data"), folder.join("tmp"));
    fs::create_dir(&temporary).unwrap();
    let start = || {
        let mut command = program::program(env!("CARGO_BIN_EXE_kompakt"));
        command.args(["data", "mnist"]).env("KOMPAKT_DATA", &data).env("TMPDIR", &temporary);
        command.env("PATH", &path).stderr(Stdio::null());
        command
    };
    let whole = files(&cache);
    interrupted("data", start, |is_interrupted| {
        let found = if data.exists() { files(&data.join("mnist")) } else { BTreeMap::new() };
        assert!(is_interrupted || found.len() == 4);
        assert!(found.iter().all(|(name, bytes)| whole.get(name) == Some(bytes)), "{:?}", found.keys());
        assert!(files(&temporary).is_empty());
        let _ = fs::remove_dir_all(&data);
    });
}

/// `nohup` and the background of a script make a process ignore signals, and it must.
#[test]
#[cfg(target_os = "linux")]
fn an_ignored_signal_stays_ignored() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    let program = env!("CARGO_BIN_EXE_kompakt");
    let runner = std::env::var("KOMPAKT_RUNNER").unwrap_or_default();
    let words = format!(
        "trap '' HUP; echo ignored; exec {runner} {program} cluster dense.safetensors -q -o out.safetensors"
    );
    let mut shell = Command::new("sh");
    shell.current_dir(folder.path()).args(["-c", &words]).stdout(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    // Before the shell says so, the signal would end the shell itself.
    let mut said = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    let id = child.id().to_string();
    let until = Instant::now() + Duration::from_secs(60);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        Command::new("kill").args(["-s", "HUP", &id]).stderr(Stdio::null()).status().unwrap();
        assert!(Instant::now() < until, "it does not end");
    };
    assert!(status.success(), "{status}");
    assert!(folder.path().join("out.safetensors").exists());
}

#[test]
fn a_reader_that_leaves_ends_a_command_without_a_word() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/good/perceptron-stream.kompakt");
    // Gone before the command starts: its output would fit into the pipe.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = program::program(env!("CARGO_BIN_EXE_kompakt"));
    let done = command.arg("inspect").arg(file).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(done.status.code(), Some(141));
    assert_eq!(String::from_utf8_lossy(&done.stderr), "");
}
