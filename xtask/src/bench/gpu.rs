//! `cargo xtask bench gpu`: our files on a GPU beside PyTorch and ONNX Runtime on the same one.
//!
//! ```text
//! prepare: kompakt-run, packed networks, networks.json, *.py ───────► a folder ─► python3 measure.py ─► results.json, gpu.md
//! (here)                                                              (carried to a machine with a GPU, or run here)
//! ```
//!
//! Everything that the script needs is in the folder, so that a machine with a GPU needs no compiler and no network; what is not
//! there (PyTorch, ONNX Runtime with CUDA, a GPU that is not software) is reported as not measured.

use super::peers::{networks, weights};
use anyhow::{Context, Result, bail};
use kompakt_format::Tier;
use kompakt_pack::{InMemory, Options};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The script that measures, and its parts.
const SCRIPTS: [(&str, &str); 4] = [
    ("measure.py", include_str!("gpu/measure.py")),
    ("engines.py", include_str!("gpu/engines.py")),
    ("networks.py", include_str!("gpu/networks.py")),
    ("page.py", include_str!("gpu/page.py")),
];

/// Changes when networks or weights do.
const EDITION: &str = "1";

/// Measure networks on a GPU beside PyTorch (eager f32 and f16, compiled) and ONNX Runtime, and write results/gpu.md
#[derive(clap::Args, Clone)]
pub(crate) struct Arguments {
    /// The networks
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "lenet5,fc4096,alexnet,vgg16,resnet18,mobilenet-v2,deit-s"
    )]
    networks: Vec<String>,
    /// The device, as kompakt-run takes it
    #[arg(long, default_value = "gpu")]
    device: String,
    /// Batches
    #[arg(long, value_delimiter = ',', default_value = "1,64")]
    batches: Vec<usize>,
    /// Times that every engine has its turn
    #[arg(long, default_value_t = 2)]
    rounds: usize,
    /// Seconds after which nothing more is begun
    #[arg(long, default_value_t = 330)]
    limit_s: u64,
    /// Show that all of it works, on a GPU in software too: small networks in one round, and the video memory of large ones
    #[arg(long, conflicts_with = "prepare")]
    dry_run: bool,
    /// Only make the folder target/bench/gpu, to be carried to another machine: there, `python3 measure.py`
    #[arg(long)]
    prepare: bool,
    /// The interpreter that has PyTorch
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// The page
    #[arg(long, default_value = "results/gpu.md")]
    page: PathBuf,
}

impl Arguments {
    /// What is measured: with `dry_run`, little.
    fn shown(&self) -> Self {
        let mut this = self.clone();
        if self.dry_run {
            this.networks.insert(0, "lenet-300-100".into());
            (this.batches, this.rounds, this.limit_s) = (vec![1, 4], 1, 3600);
        }
        this
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let arguments = &arguments.shown();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    let folder = root.join("target/bench/gpu");
    std::fs::create_dir_all(&folder)?;
    prepare(arguments, root, &folder)?;
    if arguments.prepare {
        crate::say(&format!("{} is ready: python3 measure.py, there", folder.display()));
        return Ok(());
    }
    let status = Command::new(&arguments.python)
        .arg("measure.py")
        .current_dir(&folder)
        .status()
        .with_context(|| format!("cannot start {}", arguments.python.display()))?;
    if !status.success() {
        bail!("measure.py failed ({status})");
    }
    std::fs::copy(folder.join("gpu.md"), root.join(&arguments.page)).context("gpu.md")?;
    Ok(())
}

/// Makes the folder.
fn prepare(arguments: &Arguments, root: &Path, folder: &Path) -> Result<()> {
    let build = ["build", "--release", "--package", "kompakt", "--no-default-features", "--features", "gpu"];
    let mut cargo = crate::cargo::cargo();
    let status = cargo.args(build).args(["--bin", "kompakt-run"]).current_dir(root).status()?;
    if !status.success() {
        bail!("kompakt-run cannot be built");
    }
    let program = format!("kompakt-run{}", std::env::consts::EXE_SUFFIX);
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    std::fs::copy(target.join("release").join(&program), folder.join(&program)).context(program)?;
    let mut list = Vec::new();
    for name in &arguments.networks {
        let network = networks::network(name)?;
        let dense: usize = network.graph.params().iter().map(|p| p.shape.iter().product::<usize>()).sum();
        list.push(json!({
            "name": name, "title": network.title, "dense_bytes": 4 * dense,
            "graph": kompakt_model::graph_to_json(&network.graph),
        }));
        let stamp = folder.join(format!("{name}.edition"));
        if std::fs::read_to_string(&stamp).is_ok_and(|found| found == EDITION) {
            continue;
        }
        crate::say(&format!("{name}: packing"));
        let mut source = InMemory::new(weights::seeded(&network)?)?;
        for tier in [Tier::Stream, Tier::Direct] {
            let path = folder.join(format!("{name}-{}.kompakt", tier.name()));
            kompakt_pack::write(&mut source, &Options::new(tier), &path, &|_, _| {})?;
        }
        std::fs::write(&stamp, EDITION)?;
    }
    let settings = json!({
        "device": arguments.device, "batches": arguments.batches, "rounds": arguments.rounds,
        "limit_s": arguments.limit_s, "networks": list,
    });
    std::fs::write(folder.join("networks.json"), serde_json::to_string(&settings)?)?;
    for (name, text) in SCRIPTS {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}
