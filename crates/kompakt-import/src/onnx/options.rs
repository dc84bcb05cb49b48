//! Import options.

/// How to import a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImportOptions {
    /// Shapes of inputs that the model leaves open, by name, batch included or not; an empty name is the first input. A network
    /// that works at other sizes too is stored at these.
    pub input_shapes: Vec<(String, Vec<usize>)>,
    /// Inputs that always have the same values, by name: they become constants. One number stands for all of an input.
    pub input_values: Vec<(String, Vec<f32>)>,
    /// The greatest sizes of what the model leaves open, by the names that it gives them.
    pub max_sizes: Vec<(String, usize)>,
    /// Whether sizes that the model leaves open are fixed to those of `input_shapes`.
    pub fixed: bool,
}
