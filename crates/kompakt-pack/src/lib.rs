//! Write a container: deterministic, reads back what it wrote.
