//! `cargo xtask release --dry-run`: everything that a release consists of, made and tried. Nothing is published.
//!
//! ```text
//! git archive       ─► source archive   ─► unpacked elsewhere, without the repository
//!     it            ─► wheel            ─► a fresh virtual environment: a file compressed, inspected and run
//! web/              ─► npm package      ─► a folder of its own: installed, runs a file in Node
//! crates/kompakt-capi ─► C library      ─► unpacked elsewhere: a program in C found by pkg-config, shared and static
//! cargo metadata    ─► SBOM (CycloneDX)
//! all of them       ─► SHA256SUMS
//! ```
//!
//! The version is that of the workspace's manifest. Each trial starts with an empty folder and, but for the wheel's NumPy,
//! without the network. The answers are held to those of this machine's loader.

mod c_library;
mod checksums;
mod npm;
mod sbom;
mod source;
mod wheel;

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// Make the source archive, the wheel, the npm package, the C library, checksums and the SBOM, and try each
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Publish nothing: this command never does, and has to be told so
    #[arg(long)]
    dry_run: bool,
    /// Only these parts: source, wheel, npm, c, sbom [default: all]
    #[arg(long, value_delimiter = ',', value_name = "PARTS")]
    only: Vec<String>,
    /// Where the parts go
    #[arg(long, default_value = "target/release-files")]
    out: PathBuf,
}

/// A part of a release: its name, and what makes and tries it.
type Part = (&'static str, fn(&Release) -> Result<PathBuf>);

const PARTS: [Part; 5] = [
    ("source", source::make),
    ("wheel", wheel::make),
    ("npm", npm::make),
    ("c", c_library::make),
    ("sbom", sbom::make),
];

/// What the parts need to know.
struct Release {
    root: PathBuf,
    version: String,
    /// Where the parts go.
    out: PathBuf,
    /// For the trials; empty at first, gone afterwards.
    scratch: tempfile::TempDir,
}

impl Release {
    /// An empty folder for a trial.
    fn empty(&self, name: &str) -> Result<PathBuf> {
        let folder = self.scratch.path().join(name);
        std::fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        Ok(folder)
    }

    /// A file that every trial runs.
    fn fixture(&self) -> PathBuf {
        self.root.join("fixtures/good/perceptron-stream.kompakt")
    }

    /// What this machine's loader says to it: label and probability of the likeliest class.
    fn answer(&self) -> Result<String> {
        let line = crate::bindings::class(&self.fixture())?;
        let from = line.rmatch_indices(' ').nth(1).map_or(0, |(at, _)| at + 1);
        Ok(line[from..].to_string())
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if !arguments.dry_run {
        bail!(
            "nothing is published from here: `cargo xtask release --dry-run` makes the files and tries them"
        );
    }
    if let Some(unknown) = arguments.only.iter().find(|name| PARTS.iter().all(|(part, _)| part != name)) {
        let names = PARTS.map(|(name, _)| name).join(", ");
        bail!("no part of a release is called {unknown:?}: there are {names}");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    let out = root.join(&arguments.out);
    if out.exists() {
        std::fs::remove_dir_all(&out).with_context(|| format!("cannot empty {}", out.display()))?;
    }
    std::fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
    let scratch = tempfile::tempdir().context("no temporary folder")?;
    let version = env!("CARGO_PKG_VERSION").to_string();
    let release = Release { root: root.to_path_buf(), version, out, scratch };
    let mut made = Vec::new();
    for (name, make) in PARTS {
        if arguments.only.is_empty() || arguments.only.iter().any(|only| only == name) {
            crate::say(&format!("release: {name}"));
            made.push(make(&release).with_context(|| format!("release: {name}"))?);
        }
    }
    made.push(checksums::write(&made, &release.out)?);
    for path in &made {
        let n_bytes = path.metadata().with_context(|| path.display().to_string())?.len();
        println!("{n_bytes:>10}  {}", path.display());
    }
    crate::say(&format!("version {}: made and tried; nothing is published", release.version));
    Ok(())
}

/// Moves or copies a file into the release's folder.
fn keep(file: &Path, out: &Path) -> Result<PathBuf> {
    let to = out.join(file.file_name().context("a file without a name")?);
    std::fs::copy(file, &to)
        .with_context(|| format!("cannot copy {} to {}", file.display(), to.display()))?;
    Ok(to)
}
