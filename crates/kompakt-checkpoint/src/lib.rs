//! The interchange between stages and the process contract of a stage.
