//! Import options.

/// How to import a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Shapes of inputs that the model leaves open, by name, batch included or not; an empty name is the first input.
    pub input_shapes: Vec<(String, Vec<usize>)>,
}
