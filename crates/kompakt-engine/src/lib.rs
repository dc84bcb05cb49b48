//! Differentiable execution of a graph; the only crate that knows burn.
