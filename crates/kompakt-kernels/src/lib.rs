//! The hot loops: sparse and codebook matrix products and convolutions.
