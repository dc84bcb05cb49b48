//! The LeNets that are coded: trained briefly by the stages themselves, always the same way.

use super::network::Network;
use crate::pipeline::process::Stage;
use anyhow::{Context, Result};
use kompakt_model::Model;
use kompakt_pack::order_units;
use std::{fs::File, path::Path};

/// Network, epochs of training, epochs of retraining.
const NETWORKS: [(&str, &str, &str); 2] = [("lenet-300-100", "4", "3"), ("lenet5", "2", "1")];
const DENSITIES: [&str; 4] = ["0.08", "0.03", "0.01", "0.003"];
const BITS: [&str; 2] = ["2", "4"];

/// A network at one density and one number of bits.
pub(crate) struct Case {
    network: &'static str,
    epochs: [&'static str; 2],
    density: &'static str,
    bits: &'static str,
}

/// All of them.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (network, train, retrain) in NETWORKS {
        for density in DENSITIES {
            cases.extend(BITS.map(|bits| Case { network, epochs: [train, retrain], density, bits }));
        }
    }
    cases
}

/// The commands of a network, as the page shows them.
pub(crate) fn commands() -> Vec<String> {
    let of = |case: &Case| case.stages(Path::new("")).map(|(stage, _)| stage.command_line());
    let mut lines: Vec<String> = cases().iter().filter(|case| case.bits == "4").flat_map(of).collect();
    let mut seen = std::collections::BTreeSet::new();
    lines.retain(|line| seen.insert(line.clone()));
    lines
}

impl Case {
    pub(crate) fn name(&self) -> String {
        format!("{}-{}-{}", self.network, self.density, self.bits)
    }

    /// The stages, each with the file that it makes.
    fn stages(&self, folder: &Path) -> [(Stage, String); 3] {
        let file =
            |parts: &[&str]| folder.join(format!("{}.safetensors", parts.join("-"))).display().to_string();
        let trained = file(&[self.network, "train"]);
        let pruned = file(&[self.network, self.density]);
        let clustered = file(&[self.network, self.density, self.bits]);
        let train =
            Stage::new("kompakt-train").args(["--net", self.network, "--data", "mnist", "--seed", "1"]);
        let train = train.args(["--epochs", self.epochs[0], "-o", &trained]);
        let prune = Stage::new("kompakt-prune").args(["--data", "mnist", "--density", self.density]);
        let prune = prune.args(["--epochs", self.epochs[1], &trained, "-o", &pruned]);
        let cluster = Stage::new("kompakt-cluster").args(["--bits", self.bits, &pruned, "-o", &clustered]);
        [(train, trained), (prune, pruned), (cluster, clustered)]
    }

    /// Reads the model, after running the stages whose results are not there.
    fn model(&self, folder: &Path) -> Result<Model> {
        let mut path = String::new();
        for (stage, file) in self.stages(folder) {
            if !Path::new(&file).exists() {
                crate::say(&stage.command_line());
                stage.run()?;
            }
            path = file;
        }
        let file = File::open(&path).with_context(|| format!("cannot open {path}"))?;
        Model::read(file, None).with_context(|| path.clone())
    }

    /// The tensors as they were trained, and with their hidden units in the order in which the packer puts them.
    pub(crate) fn tensors(&self, folder: &Path) -> Result<(Network, Network)> {
        let mut model = self.model(folder)?;
        let as_trained = Network::of_model(&self.name(), &model)?;
        order_units(&mut model);
        Ok((as_trained, Network::of_model(&self.name(), &model)?))
    }

    /// How long the packed file is in version 1, `--minimal`, and in version 2, `--compact`.
    pub(crate) fn file_bytes(&self, folder: &Path) -> Result<[u64; 2]> {
        let model = folder.join(format!("{}.safetensors", self.name())).display().to_string();
        let bytes = |form: &str| -> Result<u64> {
            let packed = folder.join(format!("{}{form}.kompakt", self.name()));
            let pack = Stage::new("kompakt-pack").args([form, "--quiet", &model, "-o"]);
            pack.args([packed.display().to_string()]).run()?;
            Ok(std::fs::metadata(&packed)?.len())
        };
        Ok([bytes("--minimal")?, bytes("--compact")?])
    }
}
