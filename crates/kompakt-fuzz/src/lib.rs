//! Every reader of untrusted input, as a function that a fuzzer calls.
//!
//! A [`Target`] takes any bytes and must return: without a panic, without a disproportionate amount of
//! memory, without hanging. Where several decoders do the same job it also holds them to the same answer.
//! `fuzz/` wraps the targets for cargo-fuzz; the tests of this crate run them over the corpus, and over a
//! bounded number of changes to it, on any toolchain.
//!
//! ```text
//! fixtures/ ─► corpus ─┬─► cargo fuzz run NAME        coverage-guided, for hours
//!                      └─► tests/bounded.rs           the corpus and seeded changes, for seconds
//! ```

mod coders;
mod container;
mod corpus;
mod hostile;
mod images;
mod interchange;
mod mutation;
mod onnx;
mod patches;

pub use container::assemble;
pub use corpus::Fixtures;
pub use hostile::{Hostile, hostile_models};
pub use mutation::{Mutation, mutate};

/// One reader under test.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, also that of the file in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Reads the bytes. Panics where a reader breaks a promise.
    pub run: fn(&[u8]),
    /// Inputs to start from.
    pub corpus: fn(&Fixtures) -> Vec<Vec<u8>>,
}

/// All readers.
pub const TARGETS: [Target; 11] = [
    Target { name: "container", run: container::container, corpus: container::containers },
    Target { name: "directory", run: container::directory, corpus: container::directories },
    Target { name: "smallest", run: coders::smallest, corpus: coders::smallest_corpus },
    Target { name: "stream", run: coders::stream, corpus: coders::stream_corpus },
    Target { name: "rans", run: coders::rans, corpus: coders::rans_corpus },
    Target { name: "direct", run: coders::direct, corpus: coders::direct_corpus },
    Target { name: "interchange", run: interchange::model, corpus: interchange::models },
    Target { name: "json", run: interchange::json, corpus: interchange::documents },
    Target { name: "onnx", run: onnx::onnx, corpus: onnx::models },
    Target { name: "images", run: images::images, corpus: images::files },
    Target { name: "patch", run: patches::patch, corpus: patches::patches },
];

/// The target of that name.
///
/// Panics: if there is none.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("no fuzz target is called {name}")).run)(bytes);
}
