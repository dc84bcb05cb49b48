//! What is measured: a network with seeded weights, or what `kompakt compress` makes of a trained one.

use super::networks::{self, InputKind, Network};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// See the [module page](self).
pub(crate) enum Subject {
    Seeded(Network),
    Trained(Trained),
}

/// A trained network, compressed without training and without data.
pub(crate) struct Trained {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) onnx: PathBuf,
    /// For `--target-ratio`.
    pub(crate) ratio: u32,
}

impl Trained {
    /// The network of that file at each of those ratios.
    pub(crate) fn at_ratios(onnx: &Path, ratios: &[u32]) -> Result<Vec<Self>> {
        let stem = onnx.file_stem().with_context(|| format!("{} is not a file", onnx.display()))?;
        let stem = stem.to_string_lossy();
        let at = |&ratio: &u32| Self {
            name: format!("{stem}-{ratio}"),
            title: format!("{stem}, `compress` at ratio {ratio}"),
            onnx: onnx.into(),
            ratio,
        };
        Ok(ratios.iter().map(at).collect())
    }
}

impl Subject {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Seeded(network) => network.name,
            Self::Trained(network) => &network.name,
        }
    }

    pub(crate) fn title(&self) -> &str {
        match self {
            Self::Seeded(network) => network.title,
            Self::Trained(network) => &network.title,
        }
    }

    pub(crate) fn batches(&self) -> &[usize] {
        match self {
            Self::Seeded(network) => network.batches,
            Self::Trained(_) => &[1],
        }
    }

    pub(crate) fn input(&self) -> InputKind {
        match self {
            Self::Seeded(network) => network.input,
            Self::Trained(_) => InputKind::Normal,
        }
    }
}

/// The networks of those names, else all that there are.
pub(crate) fn subjects(names: &[String], mut trained: Vec<Trained>) -> Result<Vec<Subject>> {
    if names.is_empty() {
        let seeded = networks::NAMES.iter().map(|name| networks::network(name).map(Subject::Seeded));
        return seeded.chain(trained.into_iter().map(|network| Ok(Subject::Trained(network)))).collect();
    }
    let mut named = |name: &String| match trained.iter().position(|network| network.name == *name) {
        Some(at) => Ok(Subject::Trained(trained.swap_remove(at))),
        None => networks::network(name).map(Subject::Seeded),
    };
    names.iter().map(&mut named).collect()
}

/// Where a network stands in a table: those with other names last.
pub(crate) fn place(name: &str) -> usize {
    networks::NAMES.iter().position(|n| *n == name).unwrap_or(networks::NAMES.len() + name.len())
}
