//! Training state as a file, so that an interrupted run can be resumed.
//!
//! The file is a safetensors file. Parameter `X` is stored as `X.latent`, and where present `X.mask`, `X.codes`,
//! `X.first` and `X.second` (the optimiser's moments), and `X.mean` (the running mean). One metadata key holds, as JSON, the options, what was
//! finished, and the caller's identifier of the run. Random numbers need no state: they follow from
//! seed, epoch and step.

use crate::{
    average::Means,
    error::EngineError,
    network::NetworkParameter,
    optimizer::Moments,
    options::TrainOptions,
    trainable::{CentroidGradient, Trainable},
    trainer::{EpochReport, Trainer},
};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, io::Write, path::Path};

#[derive(Serialize, Deserialize)]
struct State {
    /// The caller's identifier of the run.
    run: String,
    options: TrainOptions,
    epochs_done: usize,
    last: Option<EpochReport>,
    /// Steps that the running means have seen.
    #[serde(default)]
    mean_steps: u64,
    parameters: Vec<ParameterState>,
}

#[derive(Serialize, Deserialize)]
struct ParameterState {
    name: String,
    kind: Kind,
    trained: bool,
    /// Steps taken with the optimiser's moments.
    steps: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Dense,
    Masked,
    Shared(CentroidGradient),
    Custom,
}

const KEY: &str = "kompakt-training";

impl Trainer {
    /// Writes the state to a file, by way of a temporary one beside it: at any moment there is an old snapshot or a
    /// new one, never a part of one. `run` says which run this is; [`Trainer::restore`] wants the same text.
    pub fn save(&self, path: &Path, run: &str) -> Result<(), EngineError> {
        let mut tensors: Vec<(String, Dtype, Vec<u8>)> = Vec::new();
        let mut parameters = Vec::new();
        for (i, (p, moments)) in self.network.parameters().iter().zip(&self.moments).enumerate() {
            let mut put =
                |part: &str, dtype, bytes| tensors.push((format!("{}.{part}", p.name), dtype, bytes));
            put("latent", Dtype::F32, bytes_of(p.weights.latent()));
            if let Some(mask) = p.weights.mask() {
                put("mask", Dtype::BOOL, mask.iter().map(|&kept| u8::from(kept)).collect());
            }
            if let Trainable::Shared { codes, .. } = &p.weights {
                put("codes", Dtype::U8, codes.clone());
            }
            if !moments.first.is_empty() {
                put("first", Dtype::F32, bytes_of(&moments.first));
            }
            if !moments.second.is_empty() {
                put("second", Dtype::F32, bytes_of(&moments.second));
            }
            if let Some(mean) = self.means.values.get(i) {
                put("mean", Dtype::F32, bytes_of(mean));
            }
            let kind = match &p.weights {
                Trainable::Dense(_) => Kind::Dense,
                Trainable::Masked { .. } => Kind::Masked,
                Trainable::Shared { gradient, .. } => Kind::Shared(*gradient),
                Trainable::Custom(_) => Kind::Custom,
            };
            let (name, trained, steps) = (p.name.clone(), p.trained, moments.steps);
            parameters.push(ParameterState { name, kind, trained, steps });
        }
        let state = State {
            run: run.to_string(),
            options: self.options.clone(),
            epochs_done: self.epochs_done,
            last: self.last,
            mean_steps: self.means.steps,
            parameters,
        };
        write(path, &tensors, &state)
            .map_err(|source| EngineError::Io { path: path.display().to_string(), source })
    }

    /// Restores the state that [`Trainer::save`] wrote. The trainer must have been made as it was then: the same
    /// graph and options, and `run` the same text.
    ///
    /// Errors: a file that cannot be read, or of another run; the trainer is unchanged then.
    pub fn restore(&mut self, path: &Path, run: &str) -> Result<(), EngineError> {
        let wrong = |problem: String| EngineError::Snapshot { path: path.display().to_string(), problem };
        let bytes = std::fs::read(path)
            .map_err(|source| EngineError::Io { path: path.display().to_string(), source })?;
        let damaged = |e: String| wrong(format!("damaged or not a snapshot ({e}); delete it to start anew"));
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(e.to_string()))?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|e| damaged(e.to_string()))?;
        let text = metadata.metadata().as_ref().and_then(|m| m.get(KEY));
        let text = text.ok_or_else(|| damaged(format!("no {KEY} entry")))?;
        let state: State = serde_json::from_str(text).map_err(|e| damaged(e.to_string()))?;
        if state.run != run || state.options != self.options {
            return Err(wrong(
                "it is of a run with other options or data; delete it to start anew".to_string(),
            ));
        }
        let same = |(p, s): (&NetworkParameter, &ParameterState)| p.name == s.name;
        let parameters = self.network.parameters();
        if state.parameters.len() != parameters.len() || !parameters.iter().zip(&state.parameters).all(same) {
            return Err(wrong("it is of another network".to_string()));
        }
        let mut network = self.network.clone();
        let mut all_moments = Vec::with_capacity(self.moments.len());
        let mut means = Means { values: Vec::new(), steps: state.mean_steps };
        for (p, s) in network.parameters_mut().iter_mut().zip(&state.parameters) {
            let problem = |part: &str| wrong(format!("{}.{part} does not fit", p.name));
            let floats = |part: &str| numbers(&tensors, &p.name, part).ok_or_else(|| problem(part));
            let optional = |part: &str| numbers(&tensors, &p.name, part).unwrap_or_default();
            let latent = floats("latent")?;
            let bytes =
                |part: &str| tensors.tensor(&format!("{}.{part}", p.name)).ok().map(|t| t.data().to_vec());
            let mask = bytes("mask").map(|m| m.iter().map(|&b| b != 0).collect());
            let weights = match s.kind {
                Kind::Dense => Trainable::Dense(latent),
                Kind::Masked => {
                    Trainable::Masked { values: latent, mask: mask.ok_or_else(|| problem("mask"))? }
                }
                Kind::Shared(gradient) => {
                    let codes = bytes("codes").ok_or_else(|| problem("codes"))?;
                    Trainable::Shared { codebook: latent, codes, mask, gradient }
                }
                Kind::Custom => {
                    let mut weights = p.weights.clone();
                    let numbers = weights.latent_mut();
                    if numbers.len() != latent.len() {
                        return Err(problem("latent"));
                    }
                    numbers.copy_from_slice(&latent);
                    weights
                }
            };
            all_moments.push(Moments {
                first: optional("first"),
                second: optional("second"),
                steps: s.steps,
            });
            if state.mean_steps > 0 {
                means.values.push(floats("mean")?);
            }
            p.weights = weights;
            p.trained = s.trained;
        }
        network.check()?;
        self.network = network;
        self.moments = all_moments;
        self.means = means;
        self.epochs_done = state.epochs_done;
        self.last = state.last;
        Ok(())
    }
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn numbers(tensors: &SafeTensors<'_>, name: &str, part: &str) -> Option<Vec<f32>> {
    let tensor = tensors.tensor(&format!("{name}.{part}")).ok()?;
    if tensor.dtype() != Dtype::F32 {
        return None;
    }
    let (words, _) = tensor.data().as_chunks();
    Some(words.iter().map(|&word| f32::from_le_bytes(word)).collect())
}

fn write(path: &Path, tensors: &[(String, Dtype, Vec<u8>)], state: &State) -> std::io::Result<()> {
    let views = tensors
        .iter()
        .map(|(name, dtype, bytes)| {
            let size = if *dtype == Dtype::F32 { 4 } else { 1 };
            Ok((
                name,
                TensorView::new(*dtype, vec![bytes.len() / size], bytes).map_err(std::io::Error::other)?,
            ))
        })
        .collect::<std::io::Result<Vec<_>>>()?;
    let metadata = HashMap::from([(KEY.to_string(), serde_json::to_string(state)?)]);
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(std::io::Error::other)?;
    let mut file = kompakt_files::Sibling::of(path)?;
    file.write_all(&bytes)?;
    file.persist()
}
