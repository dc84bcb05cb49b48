//! The computation, call by call, on buffers that have no place yet.

/// A buffer's index.
pub(crate) type Buffer = usize;

/// Where a buffer is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a parameter of the function, of that name.
    Parameter(String),
    /// Not placed in the arena yet.
    Unknown,
    /// At that float of the arena.
    Arena(usize),
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// The statement, with `{0}`, `{1}`, … for the operands and `{y}` for the result.
    pub(crate) statement: String,
    /// The operands.
    pub(crate) reads: Vec<Buffer>,
    /// The result.
    pub(crate) writes: Buffer,
    /// Whether the result may be written in place of the operand of that index: element `i` is written after
    /// it was read, and is not read again.
    pub(crate) in_place: Option<usize>,
    /// A description, for the comment beside it.
    pub(crate) what: String,
}

/// All calls and all buffers.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    pub(crate) steps: Vec<Step>,
    /// Length in floats, and place.
    pub(crate) buffers: Vec<(usize, Place)>,
}

impl Steps {
    pub(crate) fn buffer(&mut self, len: usize, place: Place) -> Buffer {
        self.buffers.push((len, place));
        self.buffers.len() - 1
    }

    /// A call in C with its names filled in.
    pub(crate) fn statement(&self, step: &Step) -> String {
        let name = |buffer: Buffer| match &self.buffers[buffer].1 {
            Place::Parameter(name) => name.clone(),
            Place::Arena(0) => "arena".into(),
            Place::Arena(at) => format!("arena + {at}"),
            Place::Unknown => String::new(),
        };
        let mut text = step.statement.replace("{y}", &name(step.writes));
        for (i, &read) in step.reads.iter().enumerate() {
            text = text.replace(&format!("{{{i}}}"), &name(read));
        }
        text
    }
}
