//! The grammar of per-layer values.
#![allow(clippy::unwrap_used)]

use kompakt_graph::{GraphError, PerLayer, networks};

fn resolve(text: &str) -> Result<Vec<u8>, GraphError> {
    text.parse::<PerLayer<u8>>()?.resolve(&networks::lenet5(&[1, 28, 28], 10).unwrap())
}

#[test]
fn values_reach_their_layers() {
    assert_eq!(resolve("5").unwrap(), [5, 5, 5, 5]);
    assert_eq!(resolve("8,7,6,5").unwrap(), [8, 7, 6, 5]);
    assert_eq!(resolve("conv=8, fc=5").unwrap(), [8, 8, 5, 5]);
    assert_eq!(resolve("5,fc2=6").unwrap(), [5, 5, 5, 6]);
    assert_eq!(resolve("conv=8,fc=5,conv2.weight=3").unwrap(), [8, 3, 5, 5]);
    assert_eq!(resolve("8,7,6,5,fc2=1").unwrap(), [8, 7, 6, 1]);
}

#[test]
fn mistakes_name_the_layers() {
    let message = |text: &str| resolve(text).unwrap_err().to_string();
    assert!(message("1,2,3").contains("conv1, conv2, fc1, fc2"));
    assert!(message("5,fc3=2").contains("fc3"));
    assert!(message("conv=8").contains("\"fc1\""));
    assert!(message("conv1=8,conv1=3").contains("twice"));
    assert!(message("fc=many").contains("fc=many"));
    assert!(resolve("").is_err());
}

#[test]
fn the_canonical_form_reads_back() {
    let graph = networks::lenet5(&[1, 28, 28], 10).unwrap();
    let text = graph.describe_layers(&[8, 8, 5, 5]);
    assert_eq!(text, "conv1=8,conv2=8,fc1=5,fc2=5");
    assert_eq!(resolve(&text).unwrap(), [8, 8, 5, 5]);
}
