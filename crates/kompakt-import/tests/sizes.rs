//! Networks with sizes that are left open: imported once, run at several from one file, equal to ONNX Runtime at each.
//! `fixtures/onnx/make_sizes.py` makes them.
#![allow(clippy::unwrap_used)]

#[path = "support/case.rs"]
#[allow(dead_code)]
mod case;

use kompakt_format::Tier;
use kompakt_import::onnx::{Checked, HeldSize, ImportOptions, import_checked, import_with_held};
use kompakt_model::{Model, graph_from_json, graph_to_json};
use kompakt_pack::{InMemory, Options, write};
use kompakt_runtime::{Session, SessionOptions};
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};

/// Largest difference, relative to the largest element.
const TOLERANCE: f32 = 1e-4;

/// Shape, and elements.
type Array = (Vec<usize>, Vec<f32>);

/// A network, and what it answers at several sizes.
struct Network {
    model: Vec<u8>,
    inputs: Vec<String>,
    runs: Vec<(Vec<Array>, Vec<Array>)>,
}

impl Network {
    fn read(name: &str, inputs: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/onnx/sizes");
        let bytes = std::fs::read(folder.join(format!("{name}.safetensors"))).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let list = |run: usize, kind: &str| -> Vec<Array> {
            let tensor = |i| tensors.tensor(&format!("{run}.{kind}.{i}")).ok();
            let floats =
                |data: &[u8]| data.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
            (0..).map_while(tensor).map(|t| (t.shape().to_vec(), floats(t.data()))).collect()
        };
        let runs = (0..).map(|run| (list(run, "input"), list(run, "output")));
        Self {
            model: tensors.tensor("model").unwrap().data().to_vec(),
            inputs: inputs.iter().map(|name| name.to_string()).collect(),
            runs: runs.take_while(|(inputs, _)| !inputs.is_empty()).collect(),
        }
    }

    /// Options for the sizes of the first run.
    fn options(&self) -> ImportOptions {
        let shape = |(name, (dims, _)): (&String, &Array)| (name.clone(), dims[1..].to_vec());
        let input_shapes = self.inputs.iter().zip(&self.runs[0].0).map(shape).collect();
        ImportOptions { input_shapes, ..ImportOptions::default() }
    }

    fn path(&self, folder: &Path) -> PathBuf {
        let path = folder.join("model.onnx");
        std::fs::write(&path, &self.model).unwrap();
        path
    }
}

fn pack(model: &Model, tier: Tier) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.kompakt");
    let mut source = InMemory::new(model.clone()).unwrap();
    write(&mut source, &Options::new(tier), &path, &|_, _| ()).unwrap();
    std::fs::read(&path).unwrap()
}

/// Imports a network once and runs it at the sizes of all runs: the session follows the inputs.
fn runs_at_all_sizes(name: &str, inputs: &[&str], symbols: &[&str], step: usize) {
    let network = Network::read(name, inputs);
    let folder = tempfile::tempdir().unwrap();
    let path = network.path(folder.path());
    let mut run =
        |model: &Model, inputs: &[Vec<f32>], n: usize| case::run_on(model, Tier::Direct, n, inputs, n);
    let (model, checked, held) = import_checked(&path, &network.options(), &mut run, &|_, _| ()).unwrap();
    assert_eq!(held, [], "{name}");
    assert!(matches!(checked, Checked::Equal { .. }), "{name}: {checked:?}");
    // As the interchange has it.
    assert_eq!(graph_from_json(&graph_to_json(&model.graph)).unwrap(), model.graph);
    for tier in [Tier::Direct, Tier::Smallest] {
        let bytes = pack(&model, tier);
        let packed = kompakt_runtime::Model::from_bytes(&bytes).unwrap();
        packed.verify().unwrap();
        let found: Vec<&str> = packed.open_sizes().iter().map(|symbol| symbol.name.as_str()).collect();
        assert_eq!(found, symbols, "{name}");
        assert!(
            packed.open_sizes().iter().all(|s| s.step == step && s.least <= 20),
            "{:?}",
            packed.open_sizes()
        );
        let mut options = SessionOptions::default();
        options.max_batch = 2;
        let mut session = Session::new(&packed, &options).unwrap();
        for (inputs, outputs) in network.runs.iter().chain(network.runs.first()) {
            let batch = inputs[0].0[0];
            let shapes: Vec<&[usize]> = inputs.iter().map(|(dims, _)| &dims[1..]).collect();
            // Where each input has one open dimension, its length says it.
            if symbols.len() > 1 {
                session.resize_to(&shapes).unwrap();
            }
            let values: Vec<&[f32]> = inputs.iter().map(|(_, values)| &values[..]).collect();
            session.run_all(&values, batch).unwrap();
            for (index, (dims, expected)) in outputs.iter().enumerate() {
                let found = session.output(index);
                assert_eq!(found.len(), expected.len(), "{name}: output {index} of {dims:?}");
                let largest = expected.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
                let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
                assert!(off <= TOLERANCE * largest, "{name} at {shapes:?}: off by {off} of {largest}");
            }
        }
        let too_large: Vec<(String, usize)> = vec![(symbols[0].to_string(), 1 << 40)];
        let error = session.resize(&too_large).unwrap_err().to_string();
        assert!(error.contains("is 1099511627776; it may be"), "{error}");
    }
}

#[test]
fn bert_of_any_length() {
    runs_at_all_sizes("bert", &["ids", "mask"], &["seq"], 1);
}

#[test]
fn a_decoder_with_a_cache_of_any_length() {
    runs_at_all_sizes("gpt_block", &["x", "past_key", "past_value"], &["seq", "past"], 1);
}

#[test]
fn sound_of_any_length() {
    let network = Network::read("sound", &["sound"]);
    let folder = tempfile::tempdir().unwrap();
    let (model, held) = import_with_held(&network.path(folder.path()), &network.options()).unwrap();
    assert_eq!(held, []);
    let symbol = &model.graph.sizes().unwrap().symbols[0];
    assert_eq!((symbol.stored, symbol.step), (400, 1));
    let bytes = pack(&model, Tier::Direct);
    let packed = kompakt_runtime::Model::from_bytes(&bytes).unwrap();
    let mut session = Session::new(&packed, &SessionOptions::default()).unwrap();
    for (inputs, outputs) in &network.runs {
        session.run_all(&[&inputs[0].1], inputs[0].0[0]).unwrap();
        let largest = outputs[0].1.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
        let off =
            session.output(0).iter().zip(&outputs[0].1).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        assert!(session.output(0).len() == outputs[0].1.len() && off <= TOLERANCE * largest, "off by {off}");
    }
}

#[test]
fn a_tagger_of_any_length() {
    runs_at_all_sizes("tagger", &["ids"], &["seq"], 1);
}

#[test]
fn a_u_net_of_any_height_and_width() {
    runs_at_all_sizes("u_net", &["image"], &["height", "width"], 4);
}

#[test]
fn a_line_of_any_width() {
    runs_at_all_sizes("crnn", &["line"], &["width"], 1);
}

#[test]
fn options_decide() {
    let network = Network::read("bert", &["ids", "mask"]);
    let folder = tempfile::tempdir().unwrap();
    let path = network.path(folder.path());
    let fixed = ImportOptions { fixed: true, ..network.options() };
    assert_eq!(import_with_held(&path, &fixed).unwrap().0.graph.sizes(), None);
    // The table of positions has 48 rows.
    let most = |size: usize| {
        let max_sizes = vec![("seq".to_string(), size)];
        import_with_held(&path, &ImportOptions { max_sizes, ..network.options() })
    };
    assert_eq!(most(40).unwrap().0.graph.sizes().unwrap().symbols[0].most, 40);
    let held: Vec<HeldSize> = most(49).unwrap().1;
    assert_eq!((held[0].name.as_str(), held[0].size), ("seq", 16));
    let error = most(8).unwrap_err().to_string();
    assert_eq!(error, "the greatest size 8 of \"seq\" is not between 16 and 268435456");
    let other = ImportOptions { max_sizes: vec![("length".into(), 20)], ..network.options() };
    let error = import_with_held(&path, &other).unwrap_err().to_string();
    assert_eq!(error, "the model leaves no size \"length\" open; those it does: seq");
    // Without shapes, likely ones are taken where the network is open.
    let (model, held) = import_with_held(&path, &ImportOptions::default()).unwrap();
    assert_eq!((held, model.graph.sizes().unwrap().symbols[0].stored), (vec![], 32));
}
