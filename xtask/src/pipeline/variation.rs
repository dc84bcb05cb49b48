//! Runs that differ from their recipe in one option of one stage: the points of a curve.
//!
//! `rate.target-size=1000,2000,3000` is three runs, `prune.density=0.3,0.1,0.03` as well. Stages before the one that
//! differs run once; files from there on have the value in their names.

use super::{plain_name, recipe::Recipe};
use anyhow::{Context, Result, bail};

/// One option of one stage with another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variation {
    stage: String,
    option: String,
    pub(super) value: String,
}

/// Stages and the numbers that their files begin with.
const STAGES: [(&str, u8); 6] =
    [("train", b'1'), ("prune", b'2'), ("rate", b'2'), ("cluster", b'3'), ("finetune", b'4'), ("pack", b'5')];

impl Variation {
    /// Reads `STAGE.OPTION=VALUE,VALUE…`; values that have commas themselves are separated by `;`.
    ///
    /// Errors: another form, an unknown stage, an empty value.
    pub(super) fn read(text: &str) -> Result<Vec<Self>> {
        let form = "STAGE.OPTION=VALUE,VALUE, for example rate.target-size=1000,2000";
        let (what, values) = text.split_once('=').with_context(|| format!("{text:?} is not {form}"))?;
        let (stage, option) = what.split_once('.').with_context(|| format!("{text:?} is not {form}"))?;
        if !STAGES.iter().any(|(name, _)| *name == stage) {
            bail!("no stage {stage:?}: one of {}", STAGES.map(|(name, _)| name).join(", "));
        }
        if values.split([',', ';']).any(|value| value.trim().is_empty()) {
            bail!("{text:?} has an empty value: {form}");
        }
        let mark = if values.contains(';') { ';' } else { ',' };
        let one = |value: &str| Self {
            stage: stage.to_string(),
            option: format!("--{option}"),
            value: value.trim().to_string(),
        };
        Ok(values.split(mark).map(one).collect())
    }

    /// The recipe with the option changed.
    ///
    /// Errors: the recipe has no such stage.
    pub(super) fn of(&self, recipe: &Recipe) -> Result<Recipe> {
        let mut recipe = recipe.clone();
        let is_paper = recipe.rate.is_none();
        let options = match self.stage.as_str() {
            "train" => Some(&mut recipe.train),
            "prune" if is_paper => Some(&mut recipe.prune),
            "cluster" if is_paper => Some(&mut recipe.cluster),
            "finetune" if is_paper => Some(&mut recipe.finetune),
            "rate" => recipe.rate.as_mut(),
            "pack" => Some(&mut recipe.pack),
            _ => None,
        };
        let options = options.with_context(|| format!("the recipe has no stage {}", self.stage))?;
        match options.iter().position(|o| *o == self.option) {
            Some(at) if at + 1 < options.len() => options[at + 1].clone_from(&self.value),
            _ => options.extend([self.option.clone(), self.value.clone()]),
        }
        Ok(recipe)
    }

    /// The name of a run's file: with the value, if the file may depend on it.
    pub(super) fn name_of(&self, file: &str) -> String {
        let first = STAGES.iter().find(|(name, _)| *name == self.stage).map_or(b'1', |(_, number)| *number);
        let (stem, end) = file.rsplit_once('.').unwrap_or((file, ""));
        match file.as_bytes().first() {
            Some(number) if number.is_ascii_digit() && *number < first => file.to_string(),
            _ => format!("{stem}-{}.{end}", plain_name(&[&format!("{}.", self.value)])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_replaced_or_added() {
        let recipe = Recipe { prune: vec!["--density".to_string(), "0.08".to_string()], ..Recipe::default() };
        let found = Variation::read("prune.density=0.3,0.1").unwrap();
        assert_eq!(found[1].of(&recipe).unwrap().prune, ["--density", "0.1"]);
        let found = Variation::read("cluster.bits=8,8,5,5;4,4,3,3").unwrap();
        assert_eq!(found[0].of(&recipe).unwrap().cluster, ["--bits", "8,8,5,5"]);
        assert!(Variation::read("rate.target-size=1000").unwrap()[0].of(&recipe).is_err());
        assert!(Variation::read("bake.heat=200").is_err() && Variation::read("prune").is_err());
        assert!(Variation::read("prune.density=0.1,").is_err());
    }

    #[test]
    fn files_before_the_stage_keep_their_names() {
        let variation = &Variation::read("prune.density=0.08").unwrap()[0];
        assert_eq!(variation.name_of("1-train.safetensors"), "1-train.safetensors");
        assert_eq!(variation.name_of("2-prune.safetensors"), "2-prune-0-08.safetensors");
        assert_eq!(variation.name_of("lenet5-mnist.kompakt"), "lenet5-mnist-0-08.kompakt");
    }
}
