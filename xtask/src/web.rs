//! `cargo xtask web`: the loader as a package for JavaScript, and its page, built and tried.
//!
//! ```text
//! crates/kompakt-capi ─► wasm32, thrice ─┬─► wasm-opt ─► web/dist/*.wasm ─┬─► web/test in Node
//! crates/kompakt-repack ─► wasm32 ───────┘                               │
//! fixtures/good ─► this machine's loader ─► answers.json ────────────────┤
//! web/page, web/*.js ─► target/web/page ─────────────────────────────────┴─► web/browser in Chromium (`cargo xtask ci browser`)
//! ```

use crate::ci::{Calls, Cross, rust_lld};
use anyhow::{Context, Result, bail};
use kompakt_runtime::{Model, Session, SessionOptions};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The WebAssembly features that the compiler uses, as wasm-opt names them. Not all that it knows: it would
/// then write types that engines refuse.
const FEATURES: [&str; 6] = [
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-multivalue",
];

/// The scripts of the package, but for those of GPUs.
pub(crate) const SCRIPTS: [&str; 7] =
    ["kompakt.js", "module.js", "memory.js", "threads.js", "worker.js", "images.js", "repack.js"];

/// Builds the modules and runs the package's tests.
///
/// Errors: no compiler for WebAssembly, no wasm-opt (Debian's `binaryen`), no Node, tests that fail.
pub(crate) fn run() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    match Cross::find_or_source("wasm32-unknown-unknown") {
        Ok(_) => build(root, &mut Calls::default())?,
        Err(missing) => bail!(missing),
    }
    test(root, &mut Calls::default())
}

/// One module of the package.
struct Module {
    package: &'static str,
    /// Where the compiler leaves it.
    file: &'static str,
    /// Its name in `web/dist`.
    name: &'static str,
    kind: Kind,
    /// Crates of the standard library that it takes.
    std: &'static str,
}

/// What a module asks of an engine.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// What every engine has.
    Plain,
    /// Vectors of 128 bits.
    Vectors,
    /// Vectors, and memory that is shared by several threads.
    Threads,
}

impl Kind {
    fn flags(self) -> &'static str {
        match self {
            Self::Plain => "-Ctarget-feature=-simd128",
            Self::Vectors => "-Ctarget-feature=+simd128",
            // The memory is made by `web/threads.js`, which says the same of it: 2 MiB at first, 4 GiB at most. Each thread sets its
            // stack pointer.
            Self::Threads => {
                "-Ctarget-feature=+simd128,+atomics -Clink-arg=--import-memory -Clink-arg=--shared-memory \
                 -Clink-arg=--initial-memory=2097152 -Clink-arg=--max-memory=4294967296 -Clink-arg=--export=__stack_pointer"
            }
        }
    }
}

const MODULES: [Module; 4] = [
    Module {
        package: "kompakt-capi",
        file: "kompakt_capi.wasm",
        name: "kompakt.wasm",
        kind: Kind::Plain,
        std: "core,alloc",
    },
    Module {
        package: "kompakt-capi",
        file: "kompakt_capi.wasm",
        name: "kompakt-simd.wasm",
        kind: Kind::Vectors,
        std: "core,alloc",
    },
    Module {
        package: "kompakt-capi",
        file: "kompakt_capi.wasm",
        name: "kompakt-threads.wasm",
        kind: Kind::Threads,
        std: "core,alloc",
    },
    Module {
        package: "kompakt-repack",
        file: "kompakt_repack.wasm",
        name: "kompakt-repack.wasm",
        kind: Kind::Plain,
        std: "std,panic_abort",
    },
];

/// The modules in `web/dist`.
pub(crate) fn build(root: &Path, calls: &mut Calls) -> Result<()> {
    let linker = rust_lld().context("this machine's compiler comes without rust-lld")?;
    let dist = root.join("web/dist");
    std::fs::create_dir_all(&dist).with_context(|| dist.display().to_string())?;
    for Module { package, file, name, kind, std } in MODULES {
        let cross = Cross::find_or_source("wasm32-unknown-unknown").map_err(anyhow::Error::msg)?;
        let has_source = cross.has_std_source();
        if kind == Kind::Threads && !has_source {
            crate::say(
                "without the standard library's source there is no module with threads: networks run on one",
            );
            continue;
        }
        let cross = cross.flag(kind.flags());
        let cross = if has_source { cross.flag("-Zunstable-options -Cpanic=immediate-abort") } else { cross };
        let mut cargo = cross.cargo_with("rustc", "web");
        cargo.args(["--package", package, "--no-default-features", "--lib", "--crate-type", "cdylib"]);
        // The module has its own features alone, whatever the environment says of those of other members.
        cargo.env_remove("CARGO_RESOLVER_FEATURE_UNIFICATION");
        if has_source {
            // The one use of what is not stable in Cargo and rustc: core and alloc are built for size, and a panic is a trap
            // that no code prepares. The module is 17 kB smaller for it, and does the same.
            cargo.args([&format!("-Zbuild-std={std}"), "-Zbuild-std-features=optimize_for_size"]);
            cargo.env("RUSTC_BOOTSTRAP", "1");
        } else {
            crate::say("without the standard library's source (rust-src) the module is 17 kB larger");
        }
        calls.run(cargo.env(cross.variable("LINKER"), &linker))?;
        let (from, to) = (cross.output("web", file), dist.join(name));
        if is_older(&to, &from) {
            let mut optimiser = optimiser(&cross);
            if kind == Kind::Threads {
                optimiser.arg("--enable-threads");
            }
            calls.run(optimiser.arg("--output").arg(to).arg(from))?;
        }
    }
    Ok(())
}

/// wasm-opt, for size.
pub(crate) fn optimiser(cross: &Cross) -> Command {
    let mut optimiser = Command::new(cross.tool("wasm-opt"));
    // The stack lies lowest and grows towards 0, so nothing is in the first 1,024 bytes unless it is about to run over. That lets
    // constants be folded into the addresses of loads and stores: 0.7 % of the bytes.
    optimiser
        .args(["-Oz", "--low-memory-unused", "--optimize-added-constants", "--strip-producers"])
        .args(FEATURES);
    optimiser
}

/// Whether a file was made before the one that it is made of, or is not there.
fn is_older(made: &Path, of: &Path) -> bool {
    let time = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
    time(made).is_none_or(|made| time(of).is_none_or(|of| made < of))
}

/// The package's tests in Node, beside the answers of this machine's loader.
pub(crate) fn test(root: &Path, calls: &mut Calls) -> Result<()> {
    let (page, answers) = (page(root)?, answers(root)?);
    let mut node = Command::new("node");
    node.args(["--test", "web/test/"]).current_dir(root);
    calls.run(node.env("KOMPAKT_ANSWERS", answers).env("KOMPAKT_PAGE", page))
}

/// The page with the package beside it, as a server has to serve it: `target/web/page`.
pub(crate) fn page(root: &Path) -> Result<PathBuf> {
    let (web, page) = (root.join("web"), root.join("target/web/page"));
    match std::fs::remove_dir_all(&page) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| page.display().to_string());
        }
        _ => {}
    }
    copy(&web.join("page"), &page)?;
    copy(&web.join("dist"), &page.join("dist"))?;
    for name in SCRIPTS {
        std::fs::copy(web.join(name), page.join(name)).with_context(|| format!("web/{name}"))?;
    }
    Ok(page)
}

/// The folder's files, without its READMEs.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let (name, path) = entry.map(|entry| (entry.file_name(), entry.path()))?;
        if path.is_dir() {
            copy(&path, &to.join(name))?;
        } else if name != "README.md" {
            std::fs::copy(&path, to.join(name)).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

/// Writes what this machine's loader answers, for tests: `target/web/answers.json`; and beside it, in `made`, a network that is large.
pub(crate) fn answers(root: &Path) -> Result<PathBuf> {
    let folder = root.join("target/web");
    let made = folder.join("made");
    std::fs::create_dir_all(&made).with_context(|| made.display().to_string())?;
    crate::bench::web::make_large(&root.join(LARGE))?;
    let answers = folder.join("answers.json");
    std::fs::write(&answers, serde_json::to_vec(&all_answers(root)?)?)?;
    Ok(answers)
}

/// A network that is large enough for several threads.
const LARGE: &str = "target/web/made/large.kompakt";

/// Folders of networks, and what they are called in a URL.
const NETWORKS: [(&str, &str); 3] =
    [("fixtures/good", "/fixtures/good"), ("web/page/networks", "/networks"), ("target/web/made", "/made")];

/// By URL, for every network of one input: what the loader says to a fixed input.
fn all_answers(root: &Path) -> Result<Value> {
    let mut answers = serde_json::Map::new();
    for (folder, url) in NETWORKS {
        let folder = root.join(folder);
        let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|e| e == "kompakt")) {
            let model = Model::read(path).with_context(|| path.display().to_string())?;
            let Ok(mut session) = Session::new(&model, &SessionOptions::default()) else { continue };
            let shape = session.raw_shape();
            let input: Vec<f32> =
                (0..shape.iter().product()).map(|i: usize| (i * 37 % 101) as f32 / 101.0).collect();
            let Ok(output) = session.run_raw(&input, 1).map(<[f32]>::to_vec) else { continue };
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            answers.insert(format!("{url}/{name}"), json!({ "shape": shape, "output": output }));
        }
    }
    Ok(answers.into())
}
