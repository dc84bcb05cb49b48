//! A case of the operator suite: a model with inputs and the outputs of ONNX Runtime. See
//! `fixtures/onnx/make_cases.py`.

use kompakt_format::Tier;
use kompakt_model::Model;
use kompakt_pack::{InMemory, Options, write};
use kompakt_runtime::{Session, SessionOptions};
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};

/// See the module.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) model: Vec<u8>,
    /// The same model with all inputs but the first as constants, where there are several.
    pub(crate) with_constants: Option<Vec<u8>>,
    pub(crate) inputs: Vec<Vec<f32>>,
    pub(crate) outputs: Vec<Vec<f32>>,
    /// Their shapes.
    pub(crate) shapes: Vec<Vec<usize>>,
    /// The minimum tolerance: for answers in a type of fewer digits.
    pub(crate) tolerance: f32,
    /// Images.
    pub(crate) batch: usize,
}

impl Case {
    /// All of the operator suite, by name.
    pub(crate) fn all() -> Vec<Self> {
        Self::all_of(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/onnx"))
    }

    /// All of a folder, by name.
    pub(crate) fn all_of(folder: &Path) -> Vec<Self> {
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|p| p.extension().is_some_and(|e| e == "safetensors"));
        paths.sort();
        paths.iter().map(Self::read).collect()
    }

    /// One of a folder.
    pub(crate) fn named(folder: &Path, name: &str) -> Self {
        Self::read(&folder.join(format!("{name}.safetensors")))
    }

    fn read(path: &PathBuf) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let list = |kind: &str| -> Vec<Vec<f32>> {
            (0..)
                .map_while(|i| tensors.tensor(&format!("{kind}.{i}")).ok())
                .map(|t| t.data().as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect())
                .collect()
        };
        Self {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            model: tensors.tensor("model").unwrap().data().to_vec(),
            with_constants: tensors.tensor("model.constants").ok().map(|t| t.data().to_vec()),
            tolerance: tensors
                .tensor("tolerance")
                .map_or(0.0, |t| f32::from_le_bytes(t.data()[..4].try_into().unwrap())),
            inputs: list("input"),
            outputs: list("output"),
            shapes: (0..)
                .map_while(|i| tensors.tensor(&format!("output.{i}")).ok())
                .map(|t| t.shape().to_vec())
                .collect(),
            batch: tensors.tensor("input.0").map_or(1, |t| t.shape().first().copied().unwrap_or(1)),
        }
    }

    /// The largest difference from the expected answers, relative to the largest element.
    pub(crate) fn difference(&self, found: &[Vec<f32>]) -> f32 {
        let of = |((found, expected), shape): ((&Vec<f32>, &Vec<f32>), &Vec<usize>)| {
            let largest = expected.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
            let cut = unpadded(found, shape);
            let found = cut.as_ref().unwrap_or(found);
            found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max) / largest
        };
        found.iter().zip(&self.outputs).zip(&self.shapes).map(of).fold(0f32, f32::max)
    }

    /// Compares answers. Errors: the first one beyond the tolerance.
    pub(crate) fn compare(&self, found: &[Vec<f32>], tolerance: f32) -> Result<(), String> {
        let tolerance = tolerance.max(self.tolerance);
        if found.len() != self.outputs.len() {
            return Err(format!("{} outputs, {} expected", found.len(), self.outputs.len()));
        }
        for (i, (found, expected)) in found.iter().zip(&self.outputs).enumerate() {
            let cut = unpadded(found, &self.shapes[i]);
            let found = cut.as_ref().unwrap_or(found);
            if found.len() != expected.len() {
                return Err(format!("output {i}: {} numbers, {} expected", found.len(), expected.len()));
            }
            let largest = expected.iter().filter(|v| v.is_finite()).fold(0f32, |m, v| m.max(v.abs()));
            let is_same = |a: f32, b: f32| a == b || (a.is_nan() && b.is_nan());
            let off = found
                .iter()
                .zip(expected)
                .map(|(&a, &b)| if is_same(a, b) { 0.0 } else { (a - b).abs() })
                .fold(0f32, |m, d| if d > m || d.is_nan() { d } else { m });
            if off.is_nan() || off > tolerance * largest.max(1e-6) {
                return Err(format!("output {i}: off by {off} where the largest is {largest}"));
            }
        }
        Ok(())
    }
}

/// What is left of an output with a dimension whose length the data decide: it is -1 from there on. `None` if it is not longer
/// than `shape`, or there are other numbers.
fn unpadded(found: &[f32], shape: &[usize]) -> Option<Vec<f32>> {
    if found.len() <= shape.iter().product::<usize>() {
        return None;
    }
    (0..shape.len()).find_map(|axis| {
        let (outer, inner) =
            (shape[..axis].iter().product::<usize>(), shape[axis + 1..].iter().product::<usize>());
        let whole = found.len() / (outer * inner).max(1);
        if outer * inner * whole != found.len() {
            return None;
        }
        let rows = || found.chunks(whole * inner).map(|row| row.split_at(shape[axis] * inner));
        let is_padding = rows().all(|(_, rest)| rest.iter().all(|v| *v == -1.0));
        is_padding.then(|| rows().flat_map(|(kept, _)| kept).copied().collect())
    })
}

/// Packs a model and runs it on the inputs of a case.
pub(crate) fn run(model: &Model, tier: Tier, max_batch: usize, case: &Case) -> Result<Vec<Vec<f32>>, String> {
    // Networks without a batch take an entire input as one image.
    let len: usize = model.graph.inputs()[0].shape.iter().product();
    let batch = case.inputs[0].len() / len.max(1);
    run_on(model, tier, max_batch, &case.inputs[..model.graph.inputs().len()], batch)
}

/// Packs a model and runs it on `batch` images.
pub(crate) fn run_on(
    model: &Model,
    tier: Tier,
    max_batch: usize,
    inputs: &[Vec<f32>],
    batch: usize,
) -> Result<Vec<Vec<f32>>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.kompakt");
    let mut source = InMemory::new(model.clone()).map_err(|e| e.to_string())?;
    write(&mut source, &Options::new(tier), &path, &|_, _| ()).map_err(|e| e.to_string())?;
    let bytes = std::fs::read(&path).unwrap();
    let n_outputs = model.graph.outputs().len();
    let model = kompakt_runtime::Model::from_bytes(&bytes).map_err(|e| e.to_string())?;
    let mut options = SessionOptions::default();
    options.max_batch = max_batch;
    let mut session = Session::new(&model, &options).map_err(|e| e.to_string())?;
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    session.run_all(&inputs, batch).map_err(|e| e.to_string())?;
    Ok((0..n_outputs).map(|i| session.output(i).to_vec()).collect())
}
