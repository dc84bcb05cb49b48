//! Data sets and image files.
