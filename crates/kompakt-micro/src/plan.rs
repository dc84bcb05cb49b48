//! A network as a plan: calls, constants and the arena's layout; of no language.

use crate::{
    Activations, Input, MAX_LEN, MicroError, Options, arena,
    constants::Constants,
    nodes::Nodes,
    preparation,
    step::{Argument, Place, Step, Steps, X, Y},
};
use kompakt_format::Container;
use std::collections::{BTreeMap, BTreeSet};

/// A parameter of the function that runs the network.
pub(crate) struct Port {
    /// Its name, which is valid in both languages.
    pub(crate) name: String,
    /// The same in capitals.
    pub(crate) upper: String,
    pub(crate) shape: Vec<usize>,
}

impl Port {
    /// Number of elements.
    pub(crate) fn n(&self) -> usize {
        self.shape.iter().product()
    }
}

/// See the [module page](self).
pub(crate) struct Plan {
    pub(crate) input: Input,
    pub(crate) inputs: Vec<Port>,
    pub(crate) outputs: Vec<Port>,
    pub(crate) steps: Steps,
    pub(crate) constants: Constants,
    /// Floats.
    pub(crate) arena_len: usize,
    /// Of the network, in hexadecimal.
    pub(crate) content_hash: String,
}

/// The inputs or outputs, with names that are valid in C; a single one is called `alone`.
fn ports(shapes: Vec<Vec<usize>>, alone: &str) -> Vec<Port> {
    let is_alone = shapes.len() == 1;
    let port = |(i, shape)| {
        let name = if is_alone { alone.to_string() } else { format!("{alone}_{i}") };
        Port { upper: name.to_uppercase(), name, shape }
    };
    shapes.into_iter().enumerate().map(port).collect()
}

impl Plan {
    /// Plans the network of a container.
    pub(crate) fn of(container: &Container<'_>, options: Options) -> Result<Self, MicroError> {
        let input = options.input;
        let ranges = match options.activations {
            Activations::F32 => Vec::new(),
            Activations::Int8 => container.ranges()?,
        };
        if options.activations == Activations::Int8 && ranges.is_empty() {
            return Err(MicroError::NoRanges);
        }
        let (graph, pipeline) = (container.graph(), container.pipeline());
        let raw_shape = |shape: &[usize]| pipeline.map_or_else(|| shape.to_vec(), |p| p.input_shape().dims());
        let inputs = ports(graph.inputs().iter().map(|input| raw_shape(&input.shape)).collect(), "input");
        let outputs =
            ports(graph.outputs().iter().map(|&value| graph.shape(value).to_vec()).collect(), "output");
        let (mut steps, mut constants, mut buffers) =
            (Steps::default(), Constants::default(), BTreeMap::new());
        for (value, port) in inputs.iter().enumerate() {
            let n = port.n();
            if n > MAX_LEN {
                return Err(MicroError::TooLarge { what: port.name.clone(), n, limit: MAX_LEN });
            }
            let mut raw = steps.buffer(n, Place::Parameter(port.name.clone()));
            if input == Input::Bytes {
                let floats = steps.buffer(n, Place::Unknown);
                steps.steps.push(Step {
                    function: "from_bytes",
                    arguments: vec![Argument::Number(n), X, Y],
                    reads: vec![raw],
                    writes: floats,
                    scratch: None,
                    in_place: None,
                    what: port.name.clone(),
                });
                raw = floats;
            }
            let prepared = match pipeline {
                Some(pipeline) => preparation::add(pipeline, raw, &mut steps, &mut constants)?,
                None => raw,
            };
            buffers.insert(value, prepared);
        }
        let to: Vec<usize> = (outputs.iter())
            .map(|port| steps.buffer(port.n(), Place::Parameter(port.name.clone())))
            .collect();
        let parameters = container.decode()?;
        let mut nodes = Nodes {
            graph,
            parameters: &parameters,
            ranges: &ranges,
            steps: &mut steps,
            constants: &mut constants,
            buffers,
        };
        nodes.add(&to)?;
        let arena_len = arena::place(&mut steps);
        let content_hash = container.content_hash().map(|byte| format!("{byte:02x}")).concat();
        Ok(Self { input, inputs, outputs, steps, constants, arena_len, content_hash })
    }

    /// Names of the functions that its calls name.
    pub(crate) fn functions(&self) -> BTreeSet<&'static str> {
        let named = |step: &Step| {
            let arguments = step.arguments.iter().filter_map(|argument| match argument {
                Argument::Function(name) => Some(*name),
                _ => None,
            });
            arguments.chain([step.function]).collect::<Vec<_>>()
        };
        self.steps.steps.iter().flat_map(named).collect()
    }
}
