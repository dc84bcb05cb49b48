//! The interchange against the safetensors crate, against itself, and against damage.
#![allow(clippy::unwrap_used)]

use kompakt_graph::{Graph, Op};
use kompakt_model::{CheckpointError, Model, ModelFile, Numbers, Parameter, StageRecord};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
};

fn write_and_read(model: &Model) -> Model {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    model.write(&path).unwrap();
    Model::read(File::open(&path).unwrap(), None).unwrap()
}

/// A linear layer in every form a parameter can take: shared with a mask, and a bias as scaled integers.
fn shared() -> Model {
    let graph = Graph::chain(&[3], vec![Op::Linear { out_features: 2, bias: true }, Op::Relu]).unwrap();
    let weight = Parameter::Shared {
        shape: vec![2, 3],
        codebook: Numbers::F16(vec![0xbc00, 0x3800]),
        codes: vec![1, 0, 0, 0, 1, 1],
        mask: Some(vec![true, false, true, true, true, true]),
    };
    let bias = Parameter::Dense {
        shape: vec![2],
        values: Numbers::Scaled { scale: 0.25, integers: vec![-3, 200] },
        mask: None,
    };
    let parameters = BTreeMap::from([("fc1.weight".into(), weight), ("fc1.bias".into(), bias)]);
    let mut model = Model::new(graph, parameters).unwrap();
    model.labels = vec!["a".into(), "b".into()];
    model.record(StageRecord::new("test", "1").option("bits", 1).measure("loss", 0.1), None);
    model
}

fn dense() -> Model {
    let graph = Graph::chain(&[2], vec![Op::Linear { out_features: 1, bias: false }]).unwrap();
    let weight = Parameter::dense(vec![1, 2], vec![1.5, -0.0]);
    Model::new(graph, BTreeMap::from([("fc1.weight".into(), weight)])).unwrap()
}

fn read_bytes(bytes: &[u8]) -> Result<Model, CheckpointError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m");
    fs::write(&path, bytes).unwrap();
    Model::read(File::open(&path).unwrap(), None)
}

fn bytes_of(model: &Model) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m");
    model.write(&path).unwrap();
    fs::read(&path).unwrap()
}

#[test]
fn what_is_written_is_read_back() {
    for model in [shared(), dense()] {
        assert_eq!(write_and_read(&model), model);
        assert_eq!(write_and_read(&model).content_hash(), model.content_hash());
    }
    assert_eq!(shared().parameters["fc1.weight"].to_f32(), [0.5, 0.0, -1.0, -1.0, 0.5, 0.5]);
    assert_eq!(shared().parameters["fc1.bias"].to_f32(), [-0.75, 50.0]);
    assert_eq!(shared().n_nonzero(), 7);
    assert_eq!(shared().dense_bytes(), 32);
}

#[test]
fn equal_models_give_equal_bytes() {
    for _ in 0..8 {
        assert_eq!(bytes_of(&shared()), bytes_of(&shared()));
    }
}

#[test]
fn other_safetensors_readers_see_the_documented_tensors() {
    let bytes = bytes_of(&shared());
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut names = tensors.names();
    names.sort_unstable();
    assert_eq!(
        names,
        ["fc1.bias", "fc1.bias.scale", "fc1.weight.codebook", "fc1.weight.codes", "fc1.weight.mask"]
    );
    assert_eq!(tensors.tensor("fc1.weight.codes").unwrap().data(), [1, 0, 0, 0, 1, 1]);
    assert_eq!(tensors.tensor("fc1.bias").unwrap().dtype(), safetensors::Dtype::I16);
}

#[test]
fn the_notes_arithmetic_holds() {
    // An n x n float32 matrix as 8-bit codes is a quarter of its size, as 4-bit codes an eighth, plus its codebook.
    let n = 1000;
    let float_bytes = 4 * n * n;
    for (bits, part) in [(8, 4), (4, 8)] {
        let codes_bytes = n * n * bits / 8;
        let codebook_bytes = 4 * (1 << bits);
        assert_eq!(codes_bytes * part, float_bytes);
        assert!((codes_bytes + codebook_bytes) as f64 <= float_bytes as f64 / part as f64 * 1.002);
    }
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = bytes_of(&shared());
    for n in 0..bytes.len() {
        assert!(read_bytes(&bytes[..n]).is_err(), "cut to {n} bytes");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(matches!(read_bytes(&longer), Err(CheckpointError::Length { .. })));
    assert!(matches!(read_bytes(b""), Err(CheckpointError::Empty)));
    assert!(matches!(read_bytes(b"\x89KPT\r\n\x1a\n rest"), Err(CheckpointError::IsContainer)));
}

#[test]
fn random_damage_never_panics() {
    let bytes = bytes_of(&shared());
    arbtest::arbtest(|u| {
        let mut damaged = bytes.clone();
        for _ in 0..u.int_in_range(1..=8)? {
            let at = u.choose_index(damaged.len())?;
            damaged[at] = u.arbitrary()?;
        }
        let _ = read_bytes(&damaged);
        Ok(())
    })
    .budget_ms(2_000);
}

#[test]
fn inconsistent_models_are_refused_by_name() {
    let mut zero = shared();
    let weight = zero.parameters.get_mut("fc1.weight").unwrap();
    if let Parameter::Shared { codebook, .. } = weight {
        *codebook = Numbers::F32(vec![0.0, 1.0]);
    }
    assert!(zero.check().unwrap_err().to_string().contains("fc1.weight"));

    let mut missing = shared();
    missing.parameters.remove("fc1.bias");
    assert!(missing.check().unwrap_err().to_string().contains("missing"));

    let mut nan = dense();
    nan.parameters.insert("fc1.weight".into(), Parameter::dense(vec![1, 2], vec![f32::NAN, 0.0]));
    assert!(nan.check().is_err());

    let mut extra = dense();
    extra.parameters.insert("fc9.weight".into(), Parameter::dense(vec![1], vec![0.0]));
    assert!(extra.check().unwrap_err().to_string().contains("fc9"));
}

#[test]
fn a_plain_pytorch_file_needs_a_graph_and_takes_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("torch.safetensors");
    let data: Vec<u8> = [1.5f32, 2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![1, 2], &data).unwrap();
    fs::write(&path, safetensors::serialize([("fc1.weight", view)], None).unwrap()).unwrap();
    let open = |path: &Path| File::open(path).unwrap();
    assert!(matches!(ModelFile::open(open(&path), None), Err(CheckpointError::NoGraph)));
    let model = Model::read(open(&path), Some(dense().graph)).unwrap();
    assert_eq!(model.parameters["fc1.weight"].to_f32(), [1.5, 2.0]);
    assert_eq!(model.dense_parameters, 2);
}

#[test]
fn graphs_by_hand_may_leave_out_what_follows() {
    let json = serde_json::json!({
        "inputs": [{"name": "image", "shape": [1, 4, 4]}],
        "nodes": [
            {"op": "conv2d", "out_channels": 2, "kernel": 3, "padding": 1},
            {"op": "relu"},
            {"op": "add", "inputs": ["conv1", "relu1"], "name": "sum"},
            {"op": "flatten"},
            {"op": "linear", "out_features": 10, "name": "head"}
        ]
    });
    let graph = kompakt_model::graph_from_json(&json).unwrap();
    assert_eq!(graph.params()[2].name, "head.weight");
    let again = kompakt_model::graph_from_json(&kompakt_model::graph_to_json(&graph)).unwrap();
    assert_eq!(again, graph);

    // What is not known is refused by name, also where an operator has no attributes.
    for (node, unknown) in [
        (serde_json::json!({"op": "linear", "out_feature": 10, "name": "head"}), "out_feature"),
        (serde_json::json!({"op": "relu", "slope": 0.1, "name": "head"}), "slope"),
    ] {
        let json = serde_json::json!({"inputs": [{"name": "x", "shape": [4]}], "nodes": [node]});
        let message = kompakt_model::graph_from_json(&json).unwrap_err().to_string();
        assert!(message.contains("head") && message.contains(unknown), "{message}");
    }
}

#[test]
fn a_model_written_one_parameter_at_a_time_has_the_same_bytes() {
    let ops =
        vec![Op::Linear { out_features: 1100, bias: true }, Op::Linear { out_features: 1000, bias: true }];
    let graph = Graph::chain(&[1000], ops).unwrap();
    let n = 1_100_000;
    let mask: Vec<bool> = (0..n).map(|i| i % 5 == 0).collect();
    let shared = Parameter::Shared {
        shape: vec![1100, 1000],
        codebook: Numbers::F32(vec![-0.5, 0.25]),
        codes: mask.iter().enumerate().map(|(i, &kept)| u8::from(kept && i % 3 == 0)).collect(),
        mask: Some(mask.clone()),
    };
    let values = Numbers::F32((0..n).map(|i| i as f32).collect());
    let masked = Parameter::Dense { shape: vec![1000, 1100], values, mask: None };
    let bias = |n: usize| Parameter::dense(vec![n], vec![0.5; n]);
    let parameters = BTreeMap::from([
        ("fc1.weight".to_string(), shared),
        ("fc1.bias".to_string(), bias(1100)),
        ("fc2.weight".to_string(), masked),
        ("fc2.bias".to_string(), bias(1000)),
    ]);
    let mut model = Model::new(graph, parameters).unwrap();
    let whole = bytes_of(&model);
    let parameters = std::mem::take(&mut model.parameters);
    let path = tempfile::tempdir().unwrap().keep().join("m");
    let fetch = |name: &str| Ok::<_, CheckpointError>(parameters[name].clone());
    model.write_fetching(&path, fetch).unwrap();
    assert!(fs::read(&path).unwrap() == whole);

    // What fails in the middle is an error, not a file with holes.
    let count = std::cell::Cell::new(0);
    let failing = |name: &str| {
        count.set(count.get() + 1);
        let late = CheckpointError::NotSafetensors("late".to_string());
        if count.get() > 5 { Err(late) } else { Ok(parameters[name].clone()) }
    };
    assert!(matches!(model.write_fetching(&path, failing), Err(CheckpointError::NotSafetensors(_))));
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}
