//! `cargo xtask pipeline`: from data to a packed file that runs, with one command.
//!
//! ```text
//! data ─► kompakt-train ─► kompakt-prune ─► kompakt-cluster ─► kompakt-finetune ─► kompakt-pack ─► kompakt-run
//!           1-train          2-prune          3-cluster          4-finetune          NAME.kompakt    test error
//! ```
//!
//! The stages are the same programs that a person chains with pipes, with files between them so that every step can
//! be looked at afterwards; the bytes are the same either way. Their sizes, errors and costs become a table, a JSON
//! summary and an HTML report beside the models.

mod comparison;
pub(crate) mod curve;
mod data;
mod job;
mod ledger;
pub(crate) mod process;
mod recipe;
mod variation;

use anyhow::{Context, Result};
use job::Job;
use ledger::Ledger;
use recipe::Recipe;
use std::path::{Path, PathBuf};
use variation::Variation;

/// Run all stages: train, prune, cluster, fine-tune, pack, and run the packed file
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Network: lenet-300-100, lenet5, resnet20, or a graph file [default: the recipe's, else lenet-300-100]
    #[arg(long)]
    net: Option<String>,
    /// Data set: mnist, fashion-mnist, cifar10, digits, or a path [default: the recipe's, else mnist]
    #[arg(long)]
    data: Option<String>,
    /// A recipe of recipes/, or a file [default: deep-compression-NET]
    #[arg(long)]
    recipe: Option<String>,
    /// Preprocessing: none, normalize, deskew, features, or a file of steps (spec/preprocessing.md); several are run one
    /// after another and compared by data bytes, packed bytes and error [default: the recipe's, else none]
    #[arg(long, value_delimiter = ',')]
    prep: Vec<String>,
    /// Seeds, one run each; several also give the medians
    #[arg(long, value_delimiter = ',', default_value = "1")]
    seeds: Vec<u64>,
    /// A small run of under two minutes; needs no network
    #[arg(long, conflicts_with = "recipe")]
    quick: bool,
    /// One run for each value of an option of a stage, and the curve of error against bytes: rate.target-size=1000,2000
    #[arg(long, value_name = "STAGE.OPTION=VALUES")]
    vary: Option<String>,
    /// Take up a run where it was left: finished stages are not repeated
    #[arg(long)]
    resume: bool,
    /// A folder that keeps augmented examples for other runs on the same, with recipes that train for a size; up to
    /// 0.5 GB for each seed, preprocessing and teacher
    #[arg(long)]
    cache: Option<PathBuf>,
    /// Where the models, the summary and the report go
    #[arg(long, default_value = "out")]
    out: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    let default_net = arguments.net.as_deref().unwrap_or("lenet-300-100");
    let (recipe_name, recipe) = match &arguments.recipe {
        Some(name) => (name.clone(), Recipe::read(root, name)?),
        None => Recipe::for_net(root, default_net, arguments.quick)?,
    };
    if !recipe.about.is_empty() {
        crate::say(&format!("recipe {recipe_name}: {}", recipe.about));
    }
    // Before anything is fetched or built: what fails later fails after minutes.
    let variations = match &arguments.vary {
        Some(text) => Variation::read(text)?.into_iter().map(Some).collect(),
        None => vec![None],
    };
    let varied = |variation: &Option<Variation>| match variation {
        Some(variation) => variation.of(&recipe),
        None => Ok(recipe.clone()),
    };
    let recipes = variations.iter().map(varied).collect::<Result<Vec<_>>>()?;
    let net = arguments.net.clone().or_else(|| recipe.net.clone()).unwrap_or_else(|| default_net.to_string());
    let wanted = arguments.data.clone().or_else(|| recipe.data.clone());
    let data = data::choose(wanted.as_deref(), arguments.data.is_some(), arguments.quick)?;
    if let Some(note) = &data.note {
        crate::say(note);
    }
    process::build_all()?;

    let recipes_own = recipe.prep.clone().unwrap_or_else(|| job::NO_PREP.to_string());
    let preps = if arguments.prep.is_empty() { vec![recipes_own] } else { arguments.prep.clone() };
    let ledger = Ledger::new(arguments.resume);
    let mut groups = Vec::new();
    for prep in &preps {
        let mut summaries = Vec::new();
        for &seed in &arguments.seeds {
            let name = run_name(&[&net, &data.name, &recipe_name, prep], seed);
            let folder = arguments.out.join(name);
            let mut points = Vec::new();
            for (variation, recipe) in variations.iter().zip(&recipes) {
                let job = Job {
                    net: net.clone(),
                    data: data.clone(),
                    prep: prep.clone(),
                    recipe_name: recipe_name.clone(),
                    recipe: recipe.clone(),
                    seed,
                    variation: variation.clone(),
                    folder: folder.clone(),
                    teachers: arguments.out.join("teachers"),
                    cache: arguments.cache.as_deref(),
                    ledger: &ledger,
                };
                let summary = job.run()?;
                println!("\n{}", summary.table());
                points.push(summary);
            }
            if variations.len() > 1 {
                print!("{}", curve::draw(&folder, &variations, &points)?);
            }
            summaries.extend(points);
        }
        if variations.len() == 1 {
            print!("{}", comparison::of_seeds(&summaries));
        }
        groups.push(summaries);
    }
    if groups.len() > 1 {
        print!("{}", comparison::of_preparations(&groups)?);
    }
    if let Some(note) = &data.note {
        crate::say(note);
    }
    Ok(())
}

/// A folder name that distinguishes runs: network, data, recipe, preprocessing if any, and seed.
fn run_name(parts: &[&str], seed: u64) -> String {
    format!("{}-seed{seed}", plain_name(parts))
}

/// Names and files, without what means something in a path; no preprocessing is not said.
fn plain_name(parts: &[&str]) -> String {
    let plain = |text: &&str| {
        let stem =
            Path::new(text).file_stem().map_or_else(|| (*text).into(), |s| s.to_string_lossy().into_owned());
        stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect::<String>()
    };
    parts.iter().filter(|part| **part != job::NO_PREP).map(plain).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_names_hold_no_separators() {
        assert_eq!(run_name(&["nets/my net.json", "mnist", "a", "none"], 3), "my-net-mnist-a-seed3");
        assert_eq!(run_name(&["lenet5", "mnist", "a", "deskew"], 1), "lenet5-mnist-a-deskew-seed1");
    }
}
