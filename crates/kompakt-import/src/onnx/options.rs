//! Import options.

/// How to import a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImportOptions {
    /// Shapes of inputs that the model leaves open, by name, batch included or not; an empty name is the first input.
    pub input_shapes: Vec<(String, Vec<usize>)>,
    /// Inputs that always have the same values, by name: they become constants. One number stands for all of an input.
    pub input_values: Vec<(String, Vec<f32>)>,
}
