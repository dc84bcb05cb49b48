//! The computation, call by call, on buffers that have no place yet; of no language.

/// A buffer's index.
pub(crate) type Buffer = usize;

/// Where a buffer is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a parameter of the function, of that name.
    Parameter(String),
    /// In a table, of that name.
    Table(String),
    /// Not placed in the arena yet.
    Unknown,
    /// At that float of the arena.
    Arena(usize),
}

/// An argument of a call, or a member of a record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Argument {
    /// An integer of at least 0.
    Number(usize),
    Float(f32),
    Double(f64),
    /// A function of that name.
    Function(&'static str),
    /// A table, by name.
    Table(String),
    /// A record, by name.
    Record(String),
    /// A table that may be missing.
    Optional(Option<String>),
    /// The operand of that index, from that element on.
    Operand(usize, usize),
    /// The result, from that element on.
    Result(usize),
    /// Memory for the call alone.
    Scratch,
}

/// The first operand.
pub(crate) const X: Argument = Argument::Operand(0, 0);
/// The result.
pub(crate) const Y: Argument = Argument::Result(0);

/// Numbers as arguments.
pub(crate) fn numbers<const N: usize>(numbers: [usize; N]) -> Vec<Argument> {
    numbers.into_iter().map(Argument::Number).collect()
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) function: &'static str,
    pub(crate) arguments: Vec<Argument>,
    /// The operands.
    pub(crate) reads: Vec<Buffer>,
    /// The result.
    pub(crate) writes: Buffer,
    /// Memory for the call alone.
    pub(crate) scratch: Option<Buffer>,
    /// Whether the result may be written in place of the operand of that index, which is as long or longer: float `i` is
    /// written after it was read, and is not read again.
    pub(crate) in_place: Option<usize>,
    /// A description, for the comment beside it.
    pub(crate) what: String,
}

impl Step {
    /// The buffer that an argument names, and the element at which it starts.
    pub(crate) fn buffer(&self, argument: &Argument) -> Option<(Buffer, usize)> {
        match argument {
            Argument::Operand(index, from) => Some((self.reads[*index], *from)),
            Argument::Result(from) => Some((self.writes, *from)),
            Argument::Scratch => self.scratch.map(|buffer| (buffer, 0)),
            Argument::Number(_)
            | Argument::Float(_)
            | Argument::Double(_)
            | Argument::Function(_)
            | Argument::Table(_)
            | Argument::Record(_)
            | Argument::Optional(_) => None,
        }
    }

    /// All buffers that it uses.
    pub(crate) fn buffers(&self) -> impl Iterator<Item = Buffer> {
        self.reads.iter().copied().chain([self.writes]).chain(self.scratch)
    }
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

    /// Whether any call uses the parameter of that name.
    fn use_parameter(&self, name: &str) -> bool {
        let mut used = self.steps.iter().flat_map(Step::buffers);
        used.any(|buffer| matches!(&self.buffers[buffer].1, Place::Parameter(other) if other == name))
    }

    /// Whether any call uses the arena.
    pub(crate) fn use_arena(&self) -> bool {
        let mut used = self.steps.iter().flat_map(Step::buffers);
        used.any(|buffer| matches!(self.buffers[buffer].1, Place::Arena(_)))
    }

    /// Which of these parameters, and the arena, no call uses.
    pub(crate) fn unused<'a>(
        &'a self,
        parameters: impl Iterator<Item = &'a str> + 'a,
    ) -> impl Iterator<Item = &'a str> {
        let arena = Some("arena").filter(|_| !self.use_arena());
        parameters.filter(|name| !self.use_parameter(name)).chain(arena)
    }
}
