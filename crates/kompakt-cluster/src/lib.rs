//! One-dimensional weight sharing: codebooks and codes.
