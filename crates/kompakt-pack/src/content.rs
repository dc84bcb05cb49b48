//! The content to be packed, from any source.

use crate::{
    ancillary::{self, Frame},
    convert, directory,
    error::PackError,
    order::order_units,
    self_test, simplify,
};
use kompakt_format::{Container, Decoded, SectionKind, SelfTest, ValueRange, ranged_values};
use kompakt_graph::Graph;
use kompakt_model::{Model, ModelFile};
use kompakt_prep::Pipeline;
use std::{collections::BTreeMap, sync::Arc};

/// The content of a container besides its weights.
#[derive(Debug, Clone)]
pub struct About {
    /// The network, as it is stored.
    pub(crate) graph: Graph,
    pub(crate) pipeline: Option<Pipeline>,
    /// Names of inputs and nodes, if they are stored.
    pub(crate) names: Option<Vec<String>>,
    pub(crate) dense_parameters: Option<u64>,
    pub(crate) measured: Vec<(String, f64)>,
    pub(crate) labels: Vec<String>,
    /// JSON.
    pub(crate) provenance: Option<String>,
    pub(crate) self_tests: Vec<SelfTest>,
    pub(crate) ranges: Vec<ValueRange>,
    /// What of it is compressed already, in a container that is repacked.
    pub(crate) frames: Vec<Frame>,
}

/// A source of parameters, one at a time.
pub trait Source {
    /// The content besides the parameters.
    fn about(&self) -> &About;
    /// Returns parameter `index` of the stored graph. Each is requested in order, in tier `stream` in two
    /// rounds.
    fn parameter(&mut self, index: usize) -> Result<Arc<Decoded>, PackError>;
    /// The bytes of a dense parameter's section where it is compressed already, and how many they were before.
    fn compressed(&self, _index: usize) -> Option<(&[u8], usize)> {
        None
    }
}

impl About {
    /// The content of a model besides its parameters. Training-only nodes are removed from the graph.
    pub fn of_model(model: &Model) -> Result<Self, PackError> {
        let graph = simplify::without_idle_nodes(model.graph.clone())?;
        let pipeline = match &model.preprocessing {
            None => None,
            Some(json) => Some(
                serde_json::from_value::<Pipeline>(json.clone())
                    .map_err(|e| PackError::unsupported("preprocessing", e.to_string()))?,
            ),
        };
        let mut measured = BTreeMap::new();
        for (name, value) in model.provenance.iter().flat_map(|record| &record.measured) {
            if name.ends_with("_error") {
                measured.insert(name.clone(), *value);
            }
        }
        let provenance =
            if model.provenance.is_empty() { None } else { serde_json::to_string(&model.provenance).ok() };
        Ok(Self {
            names: directory::names(&graph),
            graph,
            pipeline: pipeline.filter(|p| !p.is_identity()),
            dense_parameters: Some(model.dense_parameters),
            measured: measured.into_iter().collect(),
            labels: model.labels.clone(),
            provenance,
            self_tests: Vec::new(),
            ranges: Vec::new(),
            frames: Vec::new(),
        })
    }

    /// The content of a container besides its parameters.
    pub fn of_container(container: &Container<'_>) -> Result<Self, PackError> {
        let graph = container.graph().clone();
        Ok(Self {
            names: directory::names(&graph),
            graph,
            pipeline: container.pipeline().cloned(),
            dense_parameters: container.dense_parameters(),
            measured: container.measured().to_vec(),
            labels: container.labels()?,
            provenance: container.provenance()?,
            self_tests: container.self_tests()?,
            ranges: container.ranges()?,
            frames: ancillary::frames(container),
        })
    }

    /// Leaves only what the network needs to run.
    pub fn minimal(self) -> Self {
        let Self { graph, pipeline, .. } = self;
        Self {
            graph,
            pipeline,
            names: None,
            dense_parameters: None,
            measured: Vec::new(),
            labels: Vec::new(),
            provenance: None,
            self_tests: Vec::new(),
            ranges: Vec::new(),
            frames: Vec::new(),
        }
    }

    /// Sets the ranges of all values that [have one](ranged_values), or none.
    ///
    /// Errors: of other values, or one that leaves out 0 or is not finite.
    fn set_ranges(&mut self, ranges: Vec<ValueRange>) -> Result<(), PackError> {
        let values = ranged_values(&self.graph);
        let is_range =
            |r: &ValueRange| r.low <= 0.0 && r.high >= 0.0 && r.low.is_finite() && r.high.is_finite();
        if !ranges.is_empty() && !ranges.iter().map(|r| r.value).eq(values) {
            return Err(PackError::unsupported("ranges", "not one for each value that layers read"));
        }
        if let Some(range) = ranges.iter().find(|r| !is_range(r)) {
            let problem = format!("of value {}: from {} to {}", range.value, range.low, range.high);
            return Err(PackError::unsupported("ranges", problem));
        }
        self.frames.retain(|frame| frame.kind != SectionKind::Ranges);
        // One way to write 0.
        self.ranges =
            ranges.into_iter().map(|r| ValueRange { low: r.low + 0.0, high: r.high + 0.0, ..r }).collect();
        Ok(())
    }

    /// Parameters of the network as it entered the pipeline.
    pub fn dense_parameters(&self) -> Option<u64> {
        self.dense_parameters
    }

    /// The network, as it is stored.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
}

/// A model in memory.
pub struct InMemory {
    about: About,
    parameters: Vec<Option<Arc<Decoded>>>,
}

impl InMemory {
    /// Takes a checked model.
    pub fn new(mut model: Model) -> Result<Self, PackError> {
        let about = About::of_model(&model)?;
        let take = |p: &kompakt_graph::Param| {
            model.parameters.remove(&p.name).map(convert::to_container).map(Arc::new)
        };
        let parameters = about.graph.params().iter().map(take).collect();
        Ok(Self { about, parameters })
    }

    /// Takes a checked model, its hidden units in the order that codes best: the function is unchanged, but
    /// sums run in another order.
    pub fn ordered(mut model: Model) -> Result<Self, PackError> {
        order_units(&mut model);
        Self::new(model)
    }

    /// Adds `n` self-tests, run in double precision.
    ///
    /// Errors: the network has more than one input.
    pub fn add_self_tests(&mut self, n: usize) -> Result<(), PackError> {
        let dense = |p: &Option<Arc<Decoded>>| p.as_ref().map_or_else(Vec::new, |p| p.to_f32());
        let parameters: Vec<Vec<f32>> = self.parameters.iter().map(dense).collect();
        self.about.self_tests = self_test::make(&self.about, &parameters, n)?;
        Ok(())
    }

    /// Adds the ranges of the values that layers read.
    ///
    /// Errors: of other values, or one that leaves out 0 or is not finite.
    pub fn set_ranges(&mut self, ranges: Vec<ValueRange>) -> Result<(), PackError> {
        self.about.set_ranges(ranges)
    }
}

impl Source for InMemory {
    fn about(&self) -> &About {
        &self.about
    }
    fn parameter(&mut self, index: usize) -> Result<Arc<Decoded>, PackError> {
        let name = || self.about.graph.params()[index].name.clone();
        self.parameters[index]
            .clone()
            .ok_or_else(|| PackError::unsupported(name(), "the parameter is missing"))
    }
}

/// A model in an open file, read tensor by tensor.
pub struct Streamed {
    about: About,
    file: ModelFile,
}

impl Streamed {
    /// Over an open model.
    pub fn new(file: ModelFile) -> Result<Self, PackError> {
        Ok(Self { about: About::of_model(&file.without_parameters())?, file })
    }
}

impl Source for Streamed {
    fn about(&self) -> &About {
        &self.about
    }
    fn parameter(&mut self, index: usize) -> Result<Arc<Decoded>, PackError> {
        let name = &self.about.graph.params()[index].name;
        Ok(Arc::new(convert::to_container(self.file.parameter(name)?)))
    }
}

/// A container that is repacked.
pub struct Packed<'c, 'a> {
    about: About,
    container: &'c Container<'a>,
    pool: kompakt_format::Pool,
}

impl<'c, 'a> Packed<'c, 'a> {
    /// Decodes the pool.
    pub fn new(container: &'c Container<'a>) -> Result<Self, PackError> {
        Ok(Self { about: About::of_container(container)?, pool: container.pool()?, container })
    }

    /// Replaces the ranges of the values that layers read; an empty list removes them.
    ///
    /// Errors: of other values, or one that leaves out 0 or is not finite.
    pub fn set_ranges(&mut self, ranges: Vec<ValueRange>) -> Result<(), PackError> {
        self.about.set_ranges(ranges)
    }
}

impl Source for Packed<'_, '_> {
    fn about(&self) -> &About {
        &self.about
    }
    fn parameter(&mut self, index: usize) -> Result<Arc<Decoded>, PackError> {
        Ok(Arc::new(self.container.decode_parameter(index, &self.pool)?))
    }
    fn compressed(&self, index: usize) -> Option<(&[u8], usize)> {
        let section = self.container.section_of(index)?;
        let is_raw = matches!(section.kind, SectionKind::Raw { .. });
        section.unpacked.filter(|_| is_raw).map(|unpacked| (self.container.section_bytes(section), unpacked))
    }
}
