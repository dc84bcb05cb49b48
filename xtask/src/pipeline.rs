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

mod data;
mod process;
mod recipe;

use anyhow::{Context, Result};
use kompakt_checkpoint::ModelFile;
use kompakt_report::{Row, Summary, median, thousands};
use process::{Cost, Stage};
use recipe::Recipe;
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// Run all stages: train, prune, cluster, fine-tune, pack, and run the packed file
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Network: lenet-300-100, lenet5, resnet20, or a graph file [default: the recipe's, else lenet-300-100]
    #[arg(long)]
    net: Option<String>,
    /// Data set: mnist, fashion-mnist, digits, or a path [default: the recipe's, else mnist]
    #[arg(long)]
    data: Option<String>,
    /// A recipe of recipes/, or a file [default: deep-compression-NET]
    #[arg(long)]
    recipe: Option<String>,
    /// Seeds, one run each; several also give the medians
    #[arg(long, value_delimiter = ',', default_value = "1")]
    seeds: Vec<u64>,
    /// A small run of under two minutes; needs no network
    #[arg(long, conflicts_with = "recipe")]
    quick: bool,
    /// Take up a run where it was left: finished stages are not repeated
    #[arg(long)]
    resume: bool,
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
    let net = arguments.net.clone().or_else(|| recipe.net.clone()).unwrap_or_else(|| default_net.to_string());
    let wanted = arguments.data.clone().or_else(|| recipe.data.clone());
    let data = data::choose(wanted.as_deref(), arguments.data.is_some(), arguments.quick)?;
    if let Some(note) = &data.note {
        crate::say(note);
    }
    process::build_all()?;

    let mut summaries = Vec::new();
    for &seed in &arguments.seeds {
        let job = Job {
            net: net.clone(),
            data: data.clone(),
            recipe_name: recipe_name.clone(),
            recipe: recipe.clone(),
            seed,
            folder: arguments.out.join(run_name(&net, &data.name, &recipe_name, seed)),
            resume: arguments.resume,
        };
        let summary = job.run()?;
        println!("\n{}", summary.table());
        summaries.push(summary);
    }
    print_medians(&summaries);
    if let Some(note) = &data.note {
        crate::say(note);
    }
    Ok(())
}

/// A folder name that tells runs apart: network, data, recipe and seed.
fn run_name(net: &str, data: &str, recipe: &str, seed: u64) -> String {
    let plain = |text: &str| {
        let stem =
            Path::new(text).file_stem().map_or_else(|| text.into(), |s| s.to_string_lossy().into_owned());
        stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect::<String>()
    };
    format!("{}-{}-{}-seed{seed}", plain(net), plain(data), plain(recipe))
}

fn print_medians(summaries: &[Summary]) {
    if summaries.len() < 2 {
        return;
    }
    let results: Vec<(u64, f64)> = summaries.iter().filter_map(Summary::result).collect();
    for (summary, (n_bytes, error)) in summaries.iter().zip(&results) {
        println!(
            "seed {:<4} {:>10} bytes   {:.2} % test error",
            summary.seed,
            thousands(*n_bytes),
            error * 100.0
        );
    }
    let n_bytes = median(results.iter().map(|r| r.0 as f64).collect());
    let error = median(results.iter().map(|r| r.1).collect());
    println!("median    {:>10} bytes   {:.2} % test error", thousands(n_bytes as u64), error * 100.0);
}

/// One run of all stages.
struct Job {
    net: String,
    data: data::Choice,
    recipe_name: String,
    recipe: Recipe,
    seed: u64,
    folder: PathBuf,
    resume: bool,
}

impl Job {
    fn run(&self) -> Result<Summary> {
        std::fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make the folder {}", self.folder.display()))?;
        let mut summary = Summary {
            net: self.net.clone(),
            data: self.data.name.clone(),
            data_note: self.data.note.clone(),
            recipe: self.recipe_name.clone(),
            seed: self.seed,
            dense_bytes: 0,
            rows: Vec::new(),
        };
        let seed = self.seed.to_string();
        let data = self.data.name.as_str();
        let train = ["--net", &self.net, "--data", data, "--seed", &seed];
        let checkpoint = self.file("1-train.resume");
        let train = Stage::new("kompakt-train").args(train).args(["--checkpoint", &checkpoint]);
        self.model_stage(&mut summary, train.args(&self.recipe.train), None, "1-train")?;
        let stages = [
            ("prune", "2-prune", &self.recipe.prune, true),
            ("cluster", "3-cluster", &self.recipe.cluster, false),
            ("finetune", "4-finetune", &self.recipe.finetune, true),
        ];
        let mut previous = "1-train";
        for (name, file, options, needs_data) in stages {
            let mut stage = Stage::new(&format!("kompakt-{name}"));
            if needs_data {
                stage = stage.args(["--data", data]);
            }
            self.model_stage(&mut summary, stage.args(options), Some(previous), file)?;
            previous = file;
        }
        self.pack_and_run(&mut summary, previous)?;
        self.write_report(&summary)?;
        Ok(summary)
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Runs a stage that turns one model into another and adds its row.
    fn model_stage(
        &self,
        summary: &mut Summary,
        stage: Stage,
        input: Option<&str>,
        output: &str,
    ) -> Result<()> {
        let path = self.file(&format!("{output}.safetensors"));
        let stage = stage.args(input.map(|name| self.file(&format!("{name}.safetensors"))));
        let stage = stage.args(["-o", &path]);
        let cost = self.run_or_reuse(&stage, output, &path)?;
        let file = File::open(&path).with_context(|| format!("cannot open {path}"))?;
        let model = ModelFile::open(file, None).with_context(|| path.clone())?.without_parameters();
        let record = model.provenance.last().context("the stage left no record of itself")?;
        let error = record.measured.get("validation_error").copied();
        summary.dense_bytes = model.dense_bytes();
        let n_bytes = if input.is_none() { model.dense_bytes() } else { self.packed_size(&path, output)? };
        let (_, name) = output.split_once('-').unwrap_or(("", output));
        summary.rows.push(Row {
            stage: name.to_string(),
            file: format!("{output}.safetensors"),
            n_nonzero: record.n_nonzero,
            n_bytes,
            compression_ratio: summary.dense_bytes as f64 / n_bytes as f64,
            error,
            error_on: error.map_or("", |_| "validation").to_string(),
            wall_s: cost.wall_s,
            peak_rss_bytes: cost.peak_rss_bytes,
        });
        Ok(())
    }

    /// What the stage's result takes on disk when it is packed as it is.
    fn packed_size(&self, model: &str, name: &str) -> Result<u64> {
        let packed = self.file(&format!("{name}.kompakt"));
        Stage::new("kompakt-pack").args([model, "--minimal", "--quiet", "-o", &packed]).run()?;
        Ok(std::fs::metadata(&packed).with_context(|| packed.clone())?.len())
    }

    fn pack_and_run(&self, summary: &mut Summary, last: &str) -> Result<()> {
        let input = self.file(&format!("{last}.safetensors"));
        let name =
            format!("{}.kompakt", run_name(&self.net, &self.data.name, "", 0).trim_end_matches("--seed0"));
        let packed = self.file(&name);
        let pack = Stage::new("kompakt-pack").args(&self.recipe.pack).args([&input, "-o", &packed]);
        crate::say(&pack.command_line());
        let pack_cost = pack.run()?;
        let n_bytes = std::fs::metadata(&packed).with_context(|| packed.clone())?.len();

        let run =
            Stage::new("kompakt-run").args([&packed, "--data", &self.data.name, "--split", "test", "--json"]);
        crate::say(&run.command_line());
        let (run_cost, printed) = run.output()?;
        let result: serde_json::Value =
            serde_json::from_str(&printed).context("reading what kompakt-run printed")?;
        let error = result["error"].as_f64().context("kompakt-run reported no error")?;

        let n_nonzero = summary.rows.last().map_or(0, |row| row.n_nonzero);
        for (stage, cost, error) in [("pack", pack_cost, None), ("run", run_cost, Some(error))] {
            summary.rows.push(Row {
                stage: stage.to_string(),
                file: name.clone(),
                n_nonzero,
                n_bytes,
                compression_ratio: summary.dense_bytes as f64 / n_bytes as f64,
                error,
                error_on: if error.is_some() { "test" } else { "" }.to_string(),
                wall_s: cost.wall_s,
                peak_rss_bytes: cost.peak_rss_bytes,
            });
        }
        Ok(())
    }

    fn write_report(&self, summary: &Summary) -> Result<()> {
        let json = self.file("summary.json");
        let text = serde_json::to_string_pretty(summary)?;
        std::fs::write(&json, text + "\n").with_context(|| format!("cannot write {json}"))?;
        let html = self.file("report.html");
        Stage::new("kompakt").args(["report", &json, "-o", &html]).run()?;
        crate::say(&format!("summary: {json}"));
        crate::say(&format!("report:  {html}"));
        Ok(())
    }

    /// Runs a stage, or, when resuming, takes its result from the last run if the command was the same.
    fn run_or_reuse(&self, stage: &Stage, name: &str, result: &str) -> Result<Cost> {
        let command = stage.command_line();
        let note = self.file(&format!("{name}.done"));
        if self.resume
            && Path::new(result).exists()
            && let Some(cost) =
                std::fs::read_to_string(&note).ok().and_then(|text| read_note(&text, &command))
        {
            crate::say(&format!("{command} (done before)"));
            return Ok(cost);
        }
        crate::say(&command);
        let cost = stage.run()?;
        std::fs::write(&note, format!("{command}\n{} {}\n", cost.wall_s, cost.peak_rss_bytes))
            .with_context(|| format!("cannot write {note}"))?;
        Ok(cost)
    }
}

/// The cost in a `.done` note, if it is of this command.
fn read_note(text: &str, command: &str) -> Option<Cost> {
    let (first, second) = text.trim_end().split_once('\n')?;
    let (wall_s, peak_rss_bytes) = second.split_once(' ')?;
    (first == command)
        .then_some(Cost { wall_s: wall_s.parse().ok()?, peak_rss_bytes: peak_rss_bytes.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_names_hold_no_separators() {
        assert_eq!(run_name("nets/my net.json", "mnist", "a", 3), "my-net-mnist-a-seed3");
    }

    #[test]
    fn a_note_of_another_command_is_not_used() {
        let note = "train --seed 1\n12.5 4096\n";
        assert!(read_note(note, "train --seed 2").is_none());
        assert_eq!(read_note(note, "train --seed 1").unwrap().peak_rss_bytes, 4096);
    }
}
