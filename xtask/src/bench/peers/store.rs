//! What was measured on each kind of processor: `results/peers/KIND.jsonl`, a line about the machine, then one for each
//! network. The page has a table for each file; a file `KIND.md` beside it has remarks, which the page repeats.

use super::{record::Record, subject::place, venv};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A kind of processor, and all that was measured on it.
pub(crate) struct Kind {
    path: PathBuf,
    pub(crate) about: About,
    records: Vec<Line>,
}

/// The machine.
#[derive(Serialize, Deserialize)]
pub(crate) struct About {
    /// The processor and its instruction set.
    pub(crate) title: String,
    pub(crate) machine: String,
    pub(crate) engines: String,
}

#[derive(Serialize, Deserialize)]
struct Line {
    name: String,
    #[serde(flatten)]
    record: Record,
}

impl Kind {
    /// This machine's.
    pub(crate) fn here(results: &Path, is_hidden: bool) -> Result<Self> {
        let (cpu, isa) = (processor(), kompakt_runtime::Isa::best());
        let path = results.join("peers").join(format!("{}-{isa}.jsonl", slug(&cpu)));
        if path.exists() {
            return Self::read(path);
        }
        let n = std::thread::available_parallelism().map_or(1, usize::from);
        let hidden = if is_hidden { "; wider instruction sets hidden from every engine" } else { "" };
        let about = About {
            title: format!("{cpu}, {isa}"),
            machine: format!("{n} cores, shared with other work{hidden}"),
            engines: venv::versions(),
        };
        Ok(Self { path, about, records: Vec::new() })
    }

    /// All that there are, by name.
    pub(crate) fn all(results: &Path) -> Result<Vec<Self>> {
        let mut paths = fs::read_dir(results.join("peers"))?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<Vec<PathBuf>>>()?;
        paths.retain(|path| path.extension().is_some_and(|e| e == "jsonl"));
        paths.sort();
        paths.into_iter().map(Self::read).collect()
    }

    fn read(path: PathBuf) -> Result<Self> {
        let text = fs::read_to_string(&path)?;
        let mut lines = text.lines();
        let broken = || format!("{} is not a line about a machine, then one a network", path.display());
        let about = serde_json::from_str(lines.next().with_context(broken)?).with_context(broken)?;
        let records = lines.map(serde_json::from_str).collect::<Result<_, _>>().with_context(broken)?;
        Ok(Self { path, about, records })
    }

    /// Replaces it, and remembers what this run used.
    pub(crate) fn write(&mut self) -> Result<()> {
        self.about.engines = venv::versions();
        self.records.sort_by_key(|line| (place(&line.name), line.name.clone()));
        let mut text = serde_json::to_string(&self.about)? + "\n";
        for line in &self.records {
            text += &(serde_json::to_string(line)? + "\n");
        }
        let folder = self.path.parent().context("a file without a folder")?;
        fs::create_dir_all(folder)?;
        fs::write(&self.path, text).with_context(|| self.path.display().to_string())
    }

    /// What is there of a network, perhaps nothing yet.
    pub(crate) fn record(&mut self, name: &str) -> &mut Record {
        let at = self.records.iter().position(|line| line.name == name).unwrap_or_else(|| {
            self.records.push(Line { name: name.into(), record: Record::default() });
            self.records.len() - 1
        });
        &mut self.records[at].record
    }

    /// All networks that were measured.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().map(|line| &line.record).filter(|record| !record.speeds.is_empty())
    }

    /// Its name in files and links.
    pub(crate) fn name(&self) -> String {
        self.path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
    }

    /// Remarks on these measurements, written by hand.
    pub(crate) fn remarks(&self) -> String {
        fs::read_to_string(self.path.with_extension("md")).unwrap_or_default()
    }
}

/// The processor's name, with its family and model, since several have the same name in a virtual machine.
fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find(|l| l.split(':').next().is_some_and(|key| key.trim() == name))?;
        line.split_once(':').map(|(_, value)| value.trim().to_string())
    };
    let name = field("model name").unwrap_or_else(|| std::env::consts::ARCH.into());
    let name = name.replace("(R)", "").replace("(TM)", "");
    match (field("cpu family"), field("model")) {
        (Some(family), Some(model)) => format!("{name} (family {family}, model {model})"),
        _ => name,
    }
}

/// Letters and digits, with one hyphen for all between.
fn slug(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut kind = Kind::here(folder.path(), false).unwrap();
        assert_eq!(slug("Intel Xeon (family 6, model 143)"), "intel-xeon-family-6-model-143");
        kind.record("vgg16").title = "VGG-16".into();
        kind.record("lenet5").n_parameters = 7;
        kind.write().unwrap();
        let mut again = Kind::all(folder.path()).unwrap().remove(0);
        assert_eq!(again.about.title, kind.about.title);
        assert_eq!(again.record("vgg16").title, "VGG-16");
        assert_eq!(again.record("lenet5").n_parameters, 7);
        assert_eq!(again.records[0].name, "lenet5", "in the order of the networks");
    }
}
