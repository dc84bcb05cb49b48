//! Recipes: the options of every stage, in a file.
//!
//! ```toml
//! about = "what this recipe reproduces"
//! train = ["--epochs", "30"]
//! prune = ["--density", "paper"]
//! cluster = ["--bits", "8,8,5,5"]
//! finetune = ["--epochs", "5"]
//! pack = ["--tier", "smallest"]
//! ```
//!
//! A recipe with `rate` trains for a size instead of pruning, clustering and fine-tuning; its `teachers`, networks that
//! are trained first, say what the network learns from:
//!
//! ```toml
//! rate = ["--target-size", "2400"]
//! [[teachers]]
//! net = "lenet5"
//! train = ["--epochs", "15"]
//! ```
//!
//! Every entry may be left out; the stage then runs with its own defaults. The network, the data set, the seed and
//! the file names are the pipeline's to fill in.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The options of every stage.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Recipe {
    /// What the recipe is for.
    pub(crate) about: String,
    /// The network, where `--net` does not say.
    pub(crate) net: Option<String>,
    /// The data set, where `--data` does not say.
    pub(crate) data: Option<String>,
    /// The preprocessing, where `--prep` does not say.
    pub(crate) prep: Option<String>,
    pub(crate) train: Vec<String>,
    pub(crate) prune: Vec<String>,
    pub(crate) cluster: Vec<String>,
    pub(crate) finetune: Vec<String>,
    pub(crate) pack: Vec<String>,
    /// Options of the one stage that replaces prune, cluster and finetune.
    pub(crate) rate: Option<Vec<String>>,
    /// What it learns from; without any, the network as it was trained.
    pub(crate) teachers: Vec<Teacher>,
}

/// A network to learn from. It has the run's data and seed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Teacher {
    pub(crate) net: String,
    #[serde(default)]
    pub(crate) train: Vec<String>,
}

impl Recipe {
    /// Reads `recipes/NAME.toml`, or the file of that name.
    pub(crate) fn read(root: &Path, name: &str) -> Result<Self> {
        let known = root.join("recipes").join(format!("{name}.toml"));
        let path = if known.exists() { known } else { PathBuf::from(name) };
        if !path.exists() {
            bail!("no recipe {name:?}: neither a file of that name nor one of {}", names(root)?.join(", "));
        }
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }

    /// The recipe that fits a network when none is named: the paper's, or every stage's own defaults.
    pub(crate) fn for_net(root: &Path, net: &str, quick: bool) -> Result<(String, Self)> {
        let name = if quick { "quick".to_string() } else { format!("deep-compression-{net}") };
        if root.join("recipes").join(format!("{name}.toml")).exists() {
            let recipe = Self::read(root, &name)?;
            Ok((name, recipe))
        } else {
            Ok(("defaults".to_string(), Self::default()))
        }
    }
}

fn names(root: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root.join("recipes")).context("cannot list recipes/")? {
        let path = entry?.path();
        // Networks lie beside the recipes that train them.
        let is_recipe = path.extension().is_some_and(|extension| extension == "toml");
        if let Some(stem) = path.file_stem().and_then(|s| s.to_str()).filter(|_| is_recipe) {
            names.push(stem.to_string());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_can_be_read() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for name in names(root).unwrap() {
            let recipe = Recipe::read(root, &name).unwrap();
            assert!(!recipe.about.is_empty(), "{name}");
            assert!(recipe.rate.is_some() || recipe.teachers.is_empty(), "{name}: teachers of nobody");
        }
    }
}
