//! `cargo xtask bench codec`: the tiers against general compressors and NNCodec, in bytes and in time.
//!
//! ```text
//! recipe ─► LeNets, trained briefly ─┐
//! synthetic: ResNet-50, VGG-16 ──────┴► tensors ─► three tiers │ zstd, xz │ NNCodec ─► record ─► page
//! ```
//!
//! Every codec gets the same masks and codes. What is made and measured is kept below `target/bench-codec`, network by
//! network, so that one can be measured again and the page be written from all.

mod general;
mod network;
mod nncodec;
mod ours;
mod page;
mod recipe;
mod record;
mod synthetic;

use anyhow::{Context, Result};
use network::Network;
use record::Record;
use std::path::PathBuf;

/// Sizes and speeds of the three tiers against zstd, xz and NNCodec on the same tensors
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which networks, by the start of their names [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    nets: Vec<String>,
    /// Measure the tiers alone again, keep what the others did
    #[arg(long, conflicts_with = "render")]
    ours: bool,
    /// Measure nothing, write the page from what is there
    #[arg(long)]
    render: bool,
}

/// Where tensors, environments and measurements are kept.
fn folder() -> PathBuf {
    root().join("target/bench-codec")
}

fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(PathBuf::from).unwrap_or(here)
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    std::fs::create_dir_all(folder())?;
    let is_asked = |name: &str| {
        arguments.nets.is_empty() || arguments.nets.iter().any(|start| name.starts_with(start.as_str()))
    };
    if !arguments.render {
        let nncodec = if arguments.ours { None } else { Some(nncodec::set_up(&folder())?) };
        let nncodec = nncodec.as_ref();
        for case in recipe::cases().into_iter().filter(|case| is_asked(&case.name())) {
            let (as_trained, ordered) = case.tensors(&folder())?;
            measure(nncodec, Some(&as_trained), &ordered, Some(case.file_bytes(&folder())?))?;
        }
        for make in synthetic::ALL.iter().filter(|make| is_asked(make.name)) {
            measure(nncodec, None, &make.tensors(), None)?;
        }
    }
    let page = page::page(&Record::read_all(&folder())?);
    let path = root().join("results/codec.md");
    std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    crate::say(&format!("written: {}", path.display()));
    Ok(())
}

/// Measures a network; without NNCodec, the tiers alone. `as_trained` is the same before its hidden units were put in
/// order.
fn measure(
    nncodec: Option<&nncodec::Python>,
    as_trained: Option<&Network>,
    network: &Network,
    file_bytes: Option<[u64; 2]>,
) -> Result<()> {
    crate::say(&format!("{}: {} weights, {} kept", network.name, network.n_weights(), network.n_kept()));
    let ours = ours::measure(network)?;
    let Some(nncodec) = nncodec else {
        return Record::read(&network.name, &folder())?.with(ours, file_bytes).write(&folder());
    };
    let general = general::measure(network, &folder())?;
    let mut rival = nncodec.measure(network, &folder())?;
    if let Some(other) = as_trained {
        let other = nncodec.measure(other, &folder())?;
        if other.bytes < rival.bytes {
            rival = other;
        }
    }
    let record = Record::new(network, ours, general, rival, file_bytes);
    record.write(&folder())
}
