//! The command line of `kompakt-prune`.

#[cfg(feature = "train")]
mod retrain;

use super::Stage;
#[cfg(feature = "train")]
use crate::failure::data_failure;
use crate::{
    failure::IntoAnyhow,
    input::{Input, present},
    output::Output,
    process::Failure,
};
use anyhow::Result;
use kompakt_graph::PerLayer;
use kompakt_model::{Block, Model, StageRecord};
use kompakt_prune::{PruneError, Rule, Target, density_text, norms, prune, remove_dead_units, weights_of};
use std::io::Write;

#[cfg(feature = "train")]
pub use retrain::{Pruning, RetrainArgs};

const AFTER_HELP: &str = "Examples:
  kompakt-train --net lenet5 --data mnist | kompakt-prune --density 0.08 --data mnist | kompakt-cluster > small.safetensors
  kompakt-train --net lenet5 | kompakt-prune --density 0.1 --block 1x4 --data mnist | kompakt-cluster -o blocks.safetensors
  kompakt-prune model.safetensors --graph net.json --density conv=0.5,fc=0.1 -o pruned.safetensors

Values by layer: one for all (0.1), one a layer in the network's order (0.66,0.12,0.08,0.19), by kind (conv=0.5,fc=0.1), \
or with exceptions by name (0.1,fc2=0.3). A single density is the share of all weights together, and --rule says \
which layers keep more.";

/// Prune a network: set the weights that matter least to zero.
///
/// With --data the network is retrained, its masks held, and weights go little by little; without, they go at once
/// and nothing is retrained. Units left with no input or no output are removed from the network.
#[derive(Debug, clap::Parser)]
#[command(name = "kompakt-prune", version, after_help = AFTER_HELP)]
pub struct Args {
    /// Where the model comes from
    #[command(flatten)]
    pub input: Input,
    /// Share of weights that are kept, overall or by layer, or `paper` (Han 2015; lenet-300-100 and lenet5)
    #[arg(long, value_name = "DENSITY", required_unless_present = "quality")]
    pub density: Option<DensityArg>,
    /// Keep what exceeds QUALITY standard deviations of its layer's weights, overall or by layer
    #[arg(long, value_name = "QUALITY", conflicts_with = "density")]
    pub quality: Option<PerLayer<f64>>,
    /// Which layers keep more when one density is given: lamp, global, uniform, erk
    #[arg(long, default_value_t = Rule::Lamp)]
    pub rule: Rule,
    /// Keep or drop blocks of weights instead of single ones, by their norms: 1x4 is one output by four inputs, or four input
    /// channels at one place of the kernel (1x2, 1x4, 1x8). Layers multiplied with 8 bits skip blocks of 1x4
    #[arg(long, value_name = "1xN", default_value_t = Block::SINGLE)]
    pub block: Block,
    /// Leave units that have no input or no output in the network
    #[arg(long)]
    pub keep_dead_units: bool,
    /// Say nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
    /// How to retrain
    #[cfg(feature = "train")]
    #[command(flatten)]
    pub retrain: RetrainArgs,
    /// Where the result goes
    #[command(flatten)]
    pub output: Output,
}

/// The values of `--density`.
#[derive(Debug, Clone, PartialEq)]
pub enum DensityArg {
    /// The paper's densities.
    Paper,
    /// Shares, overall or by layer.
    Shares(PerLayer<f64>),
}

impl std::str::FromStr for DensityArg {
    type Err = kompakt_graph::GraphError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "paper" { Ok(Self::Paper) } else { Ok(Self::Shares(text.parse()?)) }
    }
}

impl Stage for Args {
    const PROGRAM: &str = "kompakt-prune";

    fn run(&self) -> Result<()> {
        let inputs: Vec<&std::path::Path> = self.input.files().into_iter().chain(self.data()).collect();
        self.output.check(&inputs)?;
        present(&self.input.files())?;
        #[cfg(feature = "train")]
        if let Some(data) = &self.retrain.data {
            kompakt_data::find(data).map_err(data_failure)?;
        }
        let mut model = self.input.read()?;
        let input = model.content_hash();
        let target = self.target(&model)?;
        #[cfg(feature = "train")]
        let record = match self.retrain.data {
            Some(_) => self.retrain.run(self, &mut model, &target)?,
            None => {
                self.retrain.check_unused()?;
                self.prune_only(&mut model, &target)?
            }
        };
        #[cfg(not(feature = "train"))]
        let record = self.prune_only(&mut model, &target)?;
        model.record(record, Some(input));
        self.output.write(&model)?;
        self.say(&density_text(&model))
    }
}

impl Args {
    /// The data it retrains on, where that is a file or a folder.
    fn data(&self) -> Option<&std::path::Path> {
        #[cfg(feature = "train")]
        return self.retrain.data.as_deref().map(std::path::Path::new);
        #[cfg(not(feature = "train"))]
        None
    }

    fn prune_only(&self, model: &mut Model, target: &Target) -> Result<StageRecord> {
        prune(model, target, self.block).map_err(PruneError::into_anyhow)?;
        let record = self.record(model, target).option("pruning", "one-shot");
        self.drop_dead_units(model)?;
        Ok(record)
    }

    /// Removes dead units unless told not to, and reports them.
    fn drop_dead_units(&self, model: &mut Model) -> Result<()> {
        if self.keep_dead_units {
            return Ok(());
        }
        for removed in remove_dead_units(model, self.block).map_err(PruneError::into_anyhow)? {
            self.say(&format!(
                "{}: {} units without input or output removed",
                removed.layer, removed.n_units
            ))?;
        }
        Ok(())
    }

    fn target(&self, model: &Model) -> Result<Target> {
        let weights = weights_of(model).map_err(PruneError::into_anyhow)?;
        let views: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
        let graph = &model.graph;
        let norms = norms(graph, &views, self.block);
        let views: Vec<&[f32]> = norms.iter().map(Vec::as_slice).collect();
        let target = match (&self.density, &self.quality) {
            (_, Some(quality)) => {
                let quality = quality.resolve(graph).map_err(Failure::usage)?;
                Target::from_quality(&views, &quality).map_err(PruneError::into_anyhow)?
            }
            (Some(DensityArg::Paper), _) => Target::paper(graph).map_err(PruneError::into_anyhow)?,
            (Some(DensityArg::Shares(shares)), _) => match shares.single() {
                Some(&density) => Target::Overall { density, rule: self.rule },
                None => Target::Layers(shares.resolve(graph).map_err(Failure::usage)?),
            },
            (None, None) => return Err(Failure::usage("--density or --quality is needed").into()),
        };
        target.check(graph).map_err(PruneError::into_anyhow)?;
        Ok(target)
    }

    /// The description of this stage, with the options that decide the masks.
    fn record(&self, model: &Model, target: &Target) -> StageRecord {
        let record = StageRecord::new("kompakt-prune", env!("CARGO_PKG_VERSION"))
            .option("keep_dead_units", self.keep_dead_units);
        let record = if self.block.is_single() { record } else { record.option("block", self.block) };
        match target {
            Target::Overall { density, rule } => record.option("density", density).option("rule", rule),
            Target::Layers(densities) => record.option("density", model.graph.describe_layers(densities)),
        }
    }

    fn say(&self, text: &str) -> Result<()> {
        if !self.quiet {
            writeln!(std::io::stderr().lock(), "kompakt-prune: {text}")?;
        }
        Ok(())
    }
}
