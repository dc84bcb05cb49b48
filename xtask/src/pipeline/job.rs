//! One run of all stages, each a program of its own.

use super::{
    data, plain_name,
    process::{Cost, Stage},
    recipe::Recipe,
};
use anyhow::{Context, Result};
use kompakt_checkpoint::ModelFile;
use kompakt_report::{Row, Summary};
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// The preset that leaves images as they are.
pub(super) const NO_PREP: &str = "none";

/// One run of all stages.
pub(super) struct Job {
    /// The network's name or graph file.
    pub(super) net: String,
    pub(super) data: data::Choice,
    /// What is done to the images: a preset or a file of steps.
    pub(super) prep: String,
    pub(super) recipe_name: String,
    pub(super) recipe: Recipe,
    pub(super) seed: u64,
    /// Where everything goes.
    pub(super) folder: PathBuf,
    /// Whether finished stages are taken as they are.
    pub(super) resume: bool,
}

impl Job {
    /// Runs it: the summary is returned, and written beside the models with the report.
    pub(super) fn run(&self) -> Result<Summary> {
        std::fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make the folder {}", self.folder.display()))?;
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
        for (index, teacher) in self.recipe.teachers.iter().enumerate() {
            let name = format!("0-teacher-{}", index + 1);
            let path = self.file(&format!("{name}.safetensors"));
            let train = Stage::new("kompakt-train").args(["--net", &teacher.net, "--data", &self.data.name]);
            // Teachers differ by their seeds.
            let seed = (self.seed + 1000 * index as u64).to_string();
            let train = train.args(["--seed", &seed, "--checkpoint", &self.file(&format!("{name}.resume"))]);
            self.run_or_reuse(&train.args(&teacher.train).args(["-o", &path]), &name, &path)?;
            stage = stage.args(["--teacher", &path]);
        }
        self.model_stage(summary, stage.args(options), Some("1-train"), "2-rate")?;
        Ok("2-rate")
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
    fn a_note_of_another_command_is_not_used() {
        let note = "train --seed 1\n12.5 4096\n";
        assert!(read_note(note, "train --seed 2").is_none());
        assert_eq!(read_note(note, "train --seed 1").unwrap().peak_rss_bytes, 4096);
    }
}
