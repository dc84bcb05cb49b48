//! A report of a small synthetic run: complete, self-contained, and safe against names that look like HTML.
#![allow(clippy::unwrap_used)]

use kompakt_graph::{Graph, Op};
use kompakt_model::{Model, Numbers, Parameter, StageRecord};
use kompakt_report::{Evidence, LayerBytes, Row, Summary, html};
use std::collections::BTreeMap;

fn model(clustered: bool) -> Model {
    let graph =
        Graph::chain(&[1, 4, 4], vec![Op::Flatten, Op::Linear { out_features: 3, bias: false }]).unwrap();
    let values: Vec<f32> = (0..48).map(|i| if i % 3 == 0 { 0.0 } else { (i % 2) as f32 - 0.5 }).collect();
    let mask: Vec<bool> = values.iter().map(|v| *v != 0.0).collect();
    let weight = if clustered {
        Parameter::Shared {
            shape: vec![3, 16],
            codebook: Numbers::F32(vec![-0.5, 0.5]),
            codes: values.iter().map(|v| u8::from(*v > 0.0)).collect(),
            mask: Some(mask),
        }
    } else {
        Parameter::Dense { shape: vec![3, 16], values: Numbers::F32(values), mask: Some(mask) }
    };
    let mut model = Model::new(graph, BTreeMap::from([("fc1.weight".to_string(), weight)])).unwrap();
    model.record(StageRecord::new("kompakt-train", "1").option("note", "<script>alert(1)</script>"), None);
    model
}

fn evidence() -> Evidence {
    let row = |stage: &str, n_bytes, error, on: &str| Row {
        stage: stage.to_string(),
        file: String::new(),
        n_nonzero: 32,
        n_bytes,
        compression_ratio: 192.0 / n_bytes as f64,
        error,
        error_on: on.to_string(),
        wall_s: 1.5,
        peak_rss_bytes: 20_000_000,
    };
    Evidence {
        summary: Summary {
            prep: "none".into(),
            net: "mlp".to_string(),
            data: "digits".to_string(),
            data_note: Some("a note".to_string()),
            recipe: "quick".to_string(),
            seed: 1,
            dense_bytes: 192,
            rows: vec![
                row("train", 192, Some(0.02), "validation"),
                row("pack", 60, None, ""),
                row("run", 60, Some(0.025), "test"),
            ],
        },
        models: vec![("train".to_string(), model(false)), ("finetune".to_string(), model(true))],
        bytes: vec![LayerBytes {
            name: "fc1.weight".to_string(),
            parts: vec![("zero map".to_string(), 20), ("codes".to_string(), 10)],
        }],
    }
}

#[test]
fn the_page_says_what_happened_and_loads_nothing() {
    let page = html(&evidence()).unwrap();
    for text in ["3.2 times smaller", "2.50 %", "fc1.weight 3x16", "a note", "32 of 48 weights kept"] {
        assert!(page.contains(text), "{text:?} is missing");
    }
    assert_eq!(page.matches("<svg").count(), 6);
    let without_namespace = page.replace("http://www.w3.org", "");
    for forbidden in ["http", "<script", "src=", "@import"] {
        assert!(!without_namespace.contains(forbidden), "the page holds {forbidden:?}");
    }
}

#[test]
fn equal_runs_give_equal_pages() {
    assert_eq!(html(&evidence()).unwrap(), html(&evidence()).unwrap());
}
