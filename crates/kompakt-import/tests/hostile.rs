//! Broken and hostile models produce errors: no panic, memory bounded by their size, no file outside their
//! folder.
#![allow(clippy::unwrap_used)]

use bytes::{BufMut, BytesMut};
use kompakt_import::onnx::{Checked, ImportOptions, OnnxError, external_files, import, import_checked};
use kompakt_model::Model;
use std::path::{Path, PathBuf};

fn case(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/onnx");
    let bytes = std::fs::read(folder.join(format!("{name}.safetensors"))).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    tensors.tensor("model").unwrap().data().to_vec()
}

fn import_from(folder: &Path, bytes: &[u8]) -> Result<Model, OnnxError> {
    let path = folder.join("model.onnx");
    std::fs::write(&path, bytes).unwrap();
    import(&path, &ImportOptions::default())
}

/// Imports and evaluates; the imported network is not run.
fn check_from(folder: &Path, bytes: &[u8]) -> Result<(Model, Checked), OnnxError> {
    let path = folder.join("model.onnx");
    std::fs::write(&path, bytes).unwrap();
    let mut run = |_: &Model, _: &[Vec<f32>], _: usize| Err(String::new());
    import_checked(&path, &ImportOptions::default(), &mut run, &|_, _| ())
        .map(|(model, found, _)| (model, found))
}

#[test]
fn no_change_of_a_byte_and_no_cut_makes_it_panic() {
    let folder = tempfile::tempdir().unwrap();
    for name in
        ["conv_transpose_shape", "shape_arithmetic", "constants_of_all_kinds", "sparse_weights", "split_old"]
    {
        let bytes = case(name);
        for at in 0..bytes.len() {
            for bits in [0x01, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[at] ^= bits;
                if bits == 0x80 {
                    let _ = check_from(folder.path(), &changed);
                } else {
                    let _ = import_from(folder.path(), &changed);
                }
            }
            if at % 7 == 0 {
                let _ = import_from(folder.path(), &bytes[..at]);
            }
        }
    }
}

fn varint(bytes: &mut BytesMut, mut v: u64) {
    while v >= 0x80 {
        bytes.put_u8(v as u8 | 0x80);
        v >>= 7;
    }
    bytes.put_u8(v as u8);
}

/// A length-delimited field: its number and content.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    varint(&mut bytes, u64::from(number << 3 | 2));
    varint(&mut bytes, content.len() as u64);
    bytes.put_slice(content);
    bytes.to_vec()
}

fn number(field: u32, value: i64) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    varint(&mut bytes, u64::from(field << 3));
    varint(&mut bytes, value as u64);
    bytes.to_vec()
}

/// A model of operator set 13 with one input `x` `[1, 4]`, the given nodes and initialisers, and output `y`.
fn model(nodes: &[Vec<u8>], initial: &[Vec<u8>]) -> Vec<u8> {
    let dims: Vec<u8> = [1, 4].iter().flat_map(|&d| field(1, &number(1, d))).collect();
    let tensor = [number(1, 1), field(2, &dims)].concat();
    let x = [field(1, b"x"), field(2, &field(1, &tensor))].concat();
    let mut graph: Vec<u8> = nodes.iter().flat_map(|n| field(1, n)).collect();
    graph.extend(initial.iter().flat_map(|t| field(5, t)));
    graph.extend(field(11, &x));
    graph.extend(field(12, &field(1, b"y")));
    [number(1, 8), field(7, &graph), field(8, &number(2, 13))].concat()
}

fn node(op: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    let inputs: Vec<u8> = inputs.iter().flat_map(|i| field(1, i.as_bytes())).collect();
    [inputs, field(2, output.as_bytes()), field(3, format!("the {op}").as_bytes()), field(4, op.as_bytes())]
        .concat()
}

/// An integer tensor.
fn list(name: &str, values: &[i64]) -> Vec<u8> {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    [number(1, values.len() as i64), number(2, 7), field(8, name.as_bytes()), field(9, &raw)].concat()
}

fn message(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    import_from(folder.path(), bytes).unwrap_err().to_string()
}

#[test]
fn what_is_no_model_is_said_in_words() {
    let whole = model(&[node("Relu", &["x"], "y")], &[]);
    for (bytes, says) in [
        (&b""[..], "it has no graph"),
        (b"# Some text", "its bytes are no whole protobuf message"),
        (&whole[..whole.len() / 2], "the file may be cut short"),
    ] {
        let said = message(bytes);
        assert!(said.starts_with("not an ONNX model: ") && said.contains(says), "{said}");
    }
}

#[test]
fn constants_do_not_grow_without_bound() {
    let huge = list("shape", &[1 << 20, 1 << 13]);
    let nodes = [node("ConstantOfShape", &["shape"], "c"), node("Add", &["x", "c"], "y")];
    assert!(message(&model(&nodes, &[huge])).contains("too large"));
    let times = list("times", &[1 << 30]);
    let nodes = [node("Tile", &["small", "times"], "c"), node("Add", &["x", "c"], "y")];
    assert!(message(&model(&nodes, &[times, list("small", &[1, 2, 3, 4])])).contains("the Tile"));
    // A tensor that claims more than it holds.
    let claims = [number(1, 1 << 33), number(2, 1), field(8, b"w"), field(9, &[0; 16])].concat();
    let nodes = [node("MatMul", &["x", "w"], "y")];
    assert!(message(&model(&nodes, &[claims])).contains("4 elements where"));
}

#[test]
fn data_outside_the_models_folder_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(folder.path().join("secret"), [0; 64]).unwrap();
    std::fs::write(inner.join("weights"), [0; 64]).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path().join("secret"), inner.join("link")).unwrap();
    let try_location = |location: &str, offset: &str| {
        let entry = |key: &str, value: &str| {
            field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat())
        };
        let w = [
            number(1, 4),
            number(1, 4),
            number(2, 1),
            field(8, b"w"),
            entry("location", location),
            entry("offset", offset),
            number(14, 1),
        ];
        import_from(&inner, &model(&[node("MatMul", &["x", "w"], "y")], &[w.concat()]))
    };
    assert!(try_location("weights", "0").is_ok());
    assert_eq!(external_files(&inner.join("model.onnx")), [inner.join("weights")]);
    assert!(try_location("weights", "8").unwrap_err().to_string().contains("elements where"));
    assert!(try_location("weights", "80").unwrap_err().to_string().contains("beyond the end"));
    let secret = folder.path().join("secret").display().to_string();
    for location in ["../secret", "./../secret", &secret, "link", ".", ""] {
        let error = try_location(location, "0").unwrap_err().to_string();
        assert!(
            !error.is_empty() && (error.contains("outside") || error.contains("no file")),
            "{location}: {error}"
        );
    }
}

/// Nodes that depend on a failed value are checked too: by operator, or by shape if that is known.
#[test]
fn everything_unsupported_is_in_one_list() {
    let nodes = [
        node("Einsum", &["x"], "a"),
        node("Relu", &["x"], "b"),
        node("Loop", &["b"], "c"),
        node("Det", &["x"], "l"),
        node("Pad", &["l"], "t"),
        node("Add", &["a", "c"], "d"),
        node("Floor", &["d"], "e"),
        node("Shape", &["d"], "s"),
        node("Floor", &["s"], "f"),
        node("Unique", &["e", "f"], "y"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let error = import_from(folder.path(), &model(&nodes, &[])).unwrap_err();
    let text = error.to_string();
    let OnnxError::Unsupported(problems) = error else { panic!("{text}") };
    let named: Vec<&str> = problems.iter().map(|p| p.node.as_str()).collect();
    // Both Floors are supported; their input is not.
    assert_eq!(named, ["the Einsum", "the Loop", "the Det", "the Unique"]);
    assert!(text.contains("4 of the model's nodes cannot be imported (Einsum 1, Loop 1, Det 1"), "{text}");
}

/// A model with one input of the given type and sizes (0 is open) and the given nodes.
fn model_of(kind: i64, sizes: &[i64], nodes: &[Vec<u8>], initial: &[Vec<u8>]) -> Vec<u8> {
    let open = |d: i64| if d > 0 { number(1, d) } else { field(2, b"s") };
    let dims: Vec<u8> = sizes.iter().flat_map(|&d| field(1, &open(d))).collect();
    let x = [field(1, b"photo"), field(2, &field(1, &[number(1, kind), field(2, &dims)].concat()))].concat();
    let mut graph: Vec<u8> = nodes.iter().flat_map(|n| field(1, n)).collect();
    graph.extend(initial.iter().flat_map(|t| field(5, t)));
    graph.extend(field(11, &x));
    graph.extend(field(12, &field(1, b"y")));
    [number(1, 8), field(7, &graph), field(8, &number(2, 13))].concat()
}

/// Open sizes and integer inputs hide nothing, and a sufficient shape is written out.
#[test]
fn inputs_hide_nothing() {
    let weight = [
        number(1, 2),
        number(1, 4),
        number(1, 1),
        number(1, 1),
        number(2, 1),
        field(8, b"w"),
        field(9, &[0; 32]),
    ];
    let nodes = [node("Conv", &["photo", "w"], "c"), node("Relu", &["c"], "y")];
    let open = model_of(1, &[0, 0, 0, 0], &nodes, &[weight.concat()]);
    assert!(message(&open).contains("as --input-shape photo=4,224,224"), "{}", message(&open));
    let nodes = [node("Conv", &["photo", "w"], "c"), node("Det", &["c"], "d"), node("Unique", &["d"], "y")];
    let open = model_of(1, &[1, 4, 0, 64], &nodes, &[weight.concat()]);
    let text = message(&open);
    for part in ["2 of the model's nodes", "--input-shape photo=4,224,64", "(Det)", "(Unique)"] {
        assert!(text.contains(part), "{text}");
    }
    let texts = message(&model_of(8, &[1, 4, 8, 8], &nodes, &[weight.concat()]));
    assert!(texts.contains("something other than numbers") && texts.contains("(Unique)"), "{texts}");
    // A shape that is given fits what the file fixes.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let given = |shape: &[usize]| {
        let nodes = [node("Conv", &["photo", "w"], "c"), node("Relu", &["c"], "y")];
        std::fs::write(&path, model_of(1, &[0, 4, 0, 64], &nodes, &[weight.concat()])).unwrap();
        let options =
            ImportOptions { input_shapes: vec![(String::new(), shape.to_vec())], ..ImportOptions::default() };
        import(&path, &options).map(|m| m.graph.inputs()[0].shape.clone()).map_err(|e| e.to_string())
    };
    assert_eq!(given(&[4, 32, 64]).unwrap(), [4, 32, 64]);
    assert_eq!(given(&[2, 4, 32, 64]).unwrap(), [4, 32, 64]);
    assert!(given(&[4, 32, 32]).unwrap_err().contains("32 where the file fixes 64: [?, 4, ?, 64]"));
    assert!(
        given(&[32, 64])
            .unwrap_err()
            .contains("2 sizes; it takes 3 without the batch, as --input-shape photo=4,")
    );
}

#[test]
fn a_window_of_no_size_is_refused() {
    let same = [field(1, b"auto_pad"), field(4, b"SAME_UPPER"), number(20, 3)].concat();
    let nodes = [
        node("Reshape", &["x", "shape"], "image"),
        [node("MaxPool", &["image"], "y"), field(5, &same)].concat(),
    ];
    assert!(message(&model(&nodes, &[list("shape", &[1, 1, 2, 2])])).contains("the MaxPool"));
}
