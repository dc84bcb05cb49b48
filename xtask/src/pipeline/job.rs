//! One run of all stages, each a program of its own.

use super::{data, ledger::Ledger, plain_name, process::Stage, recipe::Recipe, variation::Variation};
use anyhow::{Context, Result};
use kompakt_model::ModelFile;
use kompakt_report::{Row, Summary};
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// The preset that leaves images as they are.
pub(super) const NO_PREP: &str = "none";

/// One run of all stages.
pub(super) struct Job<'a> {
    /// The network's name or graph file.
    pub(super) net: String,
    pub(super) data: data::Choice,
    /// What is done to the images: a preset or a file of steps.
    pub(super) prep: String,
    pub(super) recipe_name: String,
    pub(super) recipe: Recipe,
    pub(super) seed: u64,
    /// The option in which this run differs from its recipe; the stages before are shared with other such
    /// runs.
    pub(super) variation: Option<Variation>,
    /// Where everything goes.
    pub(super) folder: PathBuf,
    /// Where teachers go, which other runs may learn from as well.
    pub(super) teachers: PathBuf,
    /// Where augmented examples are kept for other runs; none: they are made anew.
    pub(super) cache: Option<&'a Path>,
    pub(super) ledger: &'a Ledger,
}

impl Job<'_> {
    /// Runs it: the summary is returned, and written beside the models with the report.
    pub(super) fn run(&self) -> Result<Summary> {
        make_folder(&self.folder)?;
        let mut summary = Summary {
            net: self.net.clone(),
            data: self.data.name.clone(),
            data_note: self.data.note.clone(),
            prep: self.prep.clone(),
            recipe: self.recipe_name.clone(),
            seed: self.seed,
            dense_bytes: 0,
            rows: Vec::new(),
        };
        let seed = self.seed.to_string();
        let data = self.data.name.as_str();
        let train = ["--net", &self.net, "--data", data, "--seed", &seed];
        let checkpoint = self.file("1-train.resume");
        let mut train = Stage::new("kompakt-train").args(train).args(["--checkpoint", &checkpoint]);
        if self.prep != NO_PREP {
            train = train.args(["--prep", &self.prep]);
        }
        self.model_stage(&mut summary, train.args(&self.recipe.train), None, "1-train")?;
        let last = match &self.recipe.rate {
            Some(options) => self.rate_stage(&mut summary, options, &seed)?,
            None => self.paper_stages(&mut summary)?,
        };
        self.pack_and_run(&mut summary, last)?;
        self.write_report(&summary)?;
        Ok(summary)
    }

    /// Prune, cluster and fine-tune; the name of the result.
    fn paper_stages(&self, summary: &mut Summary) -> Result<&'static str> {
        let stages = [
            ("prune", "2-prune", &self.recipe.prune, true),
            ("cluster", "3-cluster", &self.recipe.cluster, false),
            ("finetune", "4-finetune", &self.recipe.finetune, true),
        ];
        let mut previous = "1-train";
        for (name, file, options, needs_data) in stages {
            let mut stage = Stage::new(&format!("kompakt-{name}"));
            if needs_data {
                stage = stage.args(["--data", &self.data.name]);
            }
            self.model_stage(summary, stage.args(options), Some(previous), file)?;
            previous = file;
        }
        Ok(previous)
    }

    /// Train the teachers, then the network for its size; the name of the result.
    fn rate_stage(&self, summary: &mut Summary, options: &[String], seed: &str) -> Result<&'static str> {
        let mut stage = Stage::new("kompakt-rate").args(["--data", &self.data.name, "--seed", seed]);
        stage = stage.args(["--checkpoint", &self.file("2-rate.resume")]);
        if let Some(folder) = self.cache {
            make_folder(folder)?;
            stage = stage.args(["--cache", &folder.display().to_string()]);
        }
        for (index, teacher) in self.recipe.teachers.iter().enumerate() {
            make_folder(&self.teachers)?;
            // Teachers differ by their seeds.
            let seed = self.seed + 1000 * index as u64;
            let name = format!("{}-seed{seed}", plain_name(&[&teacher.net, &self.data.name]));
            let beside = |end: &str| self.teachers.join(format!("{name}.{end}")).display().to_string();
            let path = beside("safetensors");
            let train = Stage::new("kompakt-train").args(["--net", &teacher.net, "--data", &self.data.name]);
            let train = train.args(["--seed", &seed.to_string(), "--checkpoint", &beside("resume")]);
            self.ledger.run_or_reuse(&train.args(&teacher.train).args(["-o", &path]), Path::new(&path))?;
            stage = stage.args(["--teacher", &path]);
        }
        self.model_stage(summary, stage.args(options), Some("1-train"), "2-rate")?;
        Ok("2-rate")
    }

    /// The name of a file of this run; what the variation changes has its value in it.
    fn name(&self, name: &str) -> String {
        match &self.variation {
            Some(variation) => variation.name_of(name),
            None => name.to_string(),
        }
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(self.name(name)).display().to_string()
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
        let cost = self.ledger.run_or_reuse(&stage, Path::new(&path))?;
        let file = File::open(&path).with_context(|| format!("cannot open {path}"))?;
        let model = ModelFile::open(file, None).with_context(|| path.clone())?.without_parameters();
        let record = model.provenance.last().context("the stage left no record of itself")?;
        let error = record.measured.get("validation_error").copied();
        summary.dense_bytes = model.dense_bytes();
        let n_bytes = if input.is_none() { model.dense_bytes() } else { self.packed_size(&path, output)? };
        let (_, name) = output.split_once('-').unwrap_or(("", output));
        summary.rows.push(Row {
            stage: name.to_string(),
            file: self.name(&format!("{output}.safetensors")),
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
        let name = format!("{}.kompakt", plain_name(&[&self.net, &self.data.name]));
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
                file: self.name(&name),
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
}

fn make_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))
}
