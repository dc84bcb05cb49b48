//! The golden files: every operator, in every tier, on every instruction set, from memory and from the file, against
//! the reference in f64.
#![allow(clippy::unwrap_used)]

use kompakt_graph::table::OPERATORS;
use kompakt_pack::reference;
use kompakt_runtime::{Isa, Model, RuntimeError, Session, SessionOptions};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Images per call.
const BATCH: usize = 3;

fn golden_files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let mut found: Vec<PathBuf> = ["good", "compat/v1"]
        .iter()
        .flat_map(|folder| fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "kompakt"))
        .collect();
    found.sort();
    found
}

/// `BATCH` inputs for each input of the network, one after the other, in -1..1.
fn inputs(model: &Model<'_>) -> Vec<Vec<f32>> {
    let container = model.container().unwrap();
    let graph = container.graph();
    let values = |input: usize| {
        let n = graph.shape(input).iter().product::<usize>() * BATCH;
        (0..n).map(|i| ((i * 7919 + input * 31) % 509) as f32 / 254.5 - 1.0).collect()
    };
    (0..graph.inputs().len()).map(values).collect()
}

/// Every output for every image, in f64.
fn expected(model: &Model<'_>, inputs: &[Vec<f32>]) -> Vec<Vec<f64>> {
    let container = model.container().unwrap();
    let graph = container.graph();
    let dense = |d: &kompakt_format::Decoded| d.to_f32().iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
    let parameters: Vec<Vec<f64>> = container.decode().unwrap().iter().map(dense).collect();
    let mut outputs = vec![Vec::new(); graph.outputs().len()];
    for image in 0..BATCH {
        let one = |x: &Vec<f32>| {
            let len = x.len() / BATCH;
            x[image * len..][..len].iter().map(|&v| f64::from(v)).collect()
        };
        let found = reference::evaluate(graph, inputs.iter().map(one).collect(), &|i| &parameters[i]);
        outputs.iter_mut().zip(found).for_each(|(all, value)| all.extend(value.data));
    }
    outputs
}

fn least_budget(model: &Model<'_>, options: &SessionOptions) -> usize {
    let mut options = options.clone();
    options.ram_budget = Some(0);
    match Session::new(model, &options) {
        Err(RuntimeError::Budget { least, .. }) => least,
        other => panic!("a budget of nothing: {other:?}"),
    }
}

#[test]
fn every_golden_file_runs_everywhere() {
    let mut operators = BTreeSet::new();
    for path in golden_files() {
        let bytes = fs::read(&path).unwrap();
        let models = [Model::from_bytes(&bytes).unwrap(), Model::map(&path).unwrap()];
        let container = models[0].container().unwrap();
        operators.extend(container.graph().nodes().iter().map(|n| n.op.name()));
        let inputs = inputs(&models[0]);
        let expected = expected(&models[0], &inputs);
        let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        for isa in Isa::available() {
            // The same bits from memory, from the map, and with the least memory.
            let mut bits: Option<Vec<Vec<f32>>> = None;
            for model in &models {
                let mut options = SessionOptions::default();
                options.isa = isa;
                for budget in [None, Some(least_budget(model, &options))] {
                    options.ram_budget = budget;
                    let mut session = Session::new(model, &options).unwrap();
                    session.run_all(&inputs, BATCH).unwrap();
                    let found: Vec<Vec<f32>> =
                        (0..expected.len()).map(|i| session.output(i).to_vec()).collect();
                    let what = format!("{} {isa} budget {budget:?}", path.display());
                    for (found, expected) in found.iter().zip(&expected) {
                        let largest = expected.iter().fold(0f64, |m, v| m.max(v.abs()));
                        assert_eq!(found.len(), expected.len(), "{what}");
                        for (a, b) in found.iter().zip(expected) {
                            let off = (f64::from(*a) - b).abs();
                            assert!(off <= 1e-5 * largest.max(1.0), "{what}: {a} should be {b}");
                        }
                    }
                    assert_eq!(bits.get_or_insert_with(|| found.clone()), &found, "{what}");
                }
            }
        }
    }
    let all: BTreeSet<&str> = OPERATORS.iter().filter(|o| o.code.is_some()).map(|o| o.name).collect();
    assert_eq!(operators, all, "operators that no golden file has");
}
