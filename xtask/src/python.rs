//! Python as `cargo xtask` uses it: virtual environments, and the wheel.

use anyhow::{Context, Result, bail};
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

/// The most bytes of a wheel.
const MOST_BYTES: u64 = 6_000_000;

/// Functions of the same code are stored once (generic ones, mostly), which is 3 % of the wheel, and similar ones lie side by side,
/// where Deflate sees them together: 6 %. By the linker that Rust brings for this machine.
const SMALL: &[&str] = if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
    &["--", "-C", "link-arg=-Wl,--icf=all", "-C", "link-arg=-Wl,--bp-compression-sort=both"]
} else {
    &[]
};

/// A virtual environment of Python.
pub(crate) struct Environment {
    pub(crate) python: PathBuf,
    folder: PathBuf,
}

impl Environment {
    /// The one in `folder`, made if it is not there.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
        if !python.exists() {
            call("python3", [OsStr::new("-m"), "venv".as_ref(), folder.as_os_str()])?;
        }
        Ok(Self { python, folder: folder.to_path_buf() })
    }

    /// No row needs it any more. Where the environment says `CI=true` it is removed: together they are larger than what is
    /// compiled, and nobody runs a row again there.
    pub(crate) fn end(self) -> Result<()> {
        if std::env::var("CI").is_ok_and(|value| value == "true") {
            let what = || format!("cannot remove {}", self.folder.display());
            std::fs::remove_dir_all(&self.folder).with_context(what)?;
        }
        Ok(())
    }

    /// Installs packages from the registry.
    pub(crate) fn install(&self, packages: &[&str]) -> Result<()> {
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        call(&self.python, quiet.iter().chain(packages).map(OsStr::new))
    }

    /// Installs a wheel, replacing one of the same version.
    pub(crate) fn reinstall(&self, wheel: &Path) -> Result<()> {
        self.install(&["--force-reinstall", "--no-deps", &wheel.display().to_string()])
    }

    /// Runs tests, `jobs` at a time; `program`, the one with the training engine, is for those that need it.
    pub(crate) fn test(&self, paths: &[&Path], program: Option<&Path>, jobs: usize) -> Result<()> {
        let quiet = ["-m", "pytest", "--quiet", "-p", "no:cacheprovider"].map(OsStr::new);
        let mut command = Command::new(&self.python);
        command.args(quiet).args(paths).stdout(std::io::stderr());
        if jobs > 1 {
            command.arg(format!("--numprocesses={jobs}"));
        }
        if let Some(program) = program {
            command.env("KOMPAKT_PROGRAM", program);
        }
        let status = command.status().context("cannot start Python")?;
        if !status.success() {
            bail!("tests of the Python package failed ({status})");
        }
        Ok(())
    }
}

/// Builds the wheel of the workspace in `source` into an empty folder of the one in `root`: its path.
///
/// Its libraries are those of the workspace (see the manifest of `kompakt-py`), so that only the command lines are built
/// anew, without the training engine.
///
/// Errors: no Python 3.11 or newer, maturin cannot be installed, a wheel that is too large.
pub(crate) fn wheel(root: &Path, source: &Path) -> Result<PathBuf> {
    let tools = Environment::new(&root.join("target/bindings/tools"))?;
    tools.install(&["maturin>=1.9,<2", "deflate>=0.9"])?;
    let wheels = root.join(if source == root { "target/bindings/wheels" } else { "target/release-wheels" });
    if wheels.exists() {
        std::fs::remove_dir_all(&wheels).with_context(|| format!("cannot empty {}", wheels.display()))?;
    }
    let manifest = source.join("crates/kompakt-py/Cargo.toml");
    let build =
        ["-m", "maturin", "build", "--release", "--quiet", "--compression-level", "9", "--manifest-path"]
            .map(OsStr::new);
    let build = build.into_iter().chain([manifest.as_os_str(), "--out".as_ref(), wheels.as_os_str()]);
    let mut maturin = Command::new(&tools.python);
    maturin.args(build.chain(SMALL.iter().map(OsStr::new)));
    if source != root {
        // Crates of others are built already.
        maturin.env("CARGO_TARGET_DIR", root.join("target"));
    }
    run(&mut maturin)?;
    let wheel = only_file(&wheels)?;
    let smaller = root.join("xtask/src/recompress.py");
    call(&tools.python, [smaller.as_os_str(), wheel.as_os_str()])?;
    let n_bytes = wheel.metadata().context("the wheel")?.len();
    if n_bytes > MOST_BYTES {
        bail!("{} has {n_bytes} bytes, more than {MOST_BYTES}", wheel.display());
    }
    Ok(wheel)
}

/// The one file of a folder.
pub(crate) fn only_file(folder: &Path) -> Result<PathBuf> {
    let mut entries = std::fs::read_dir(folder).context("maturin left no folder of wheels")?;
    Ok(entries.next().context("maturin built no wheel")??.path())
}

/// Runs a program to its end; what it prints goes to stderr.
pub(crate) fn call<S: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = S>,
) -> Result<()> {
    run(Command::new(program).args(arguments))
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status =
        command.stdout(std::io::stderr()).status().with_context(|| format!("cannot start {name}"))?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(())
}
