//! Preprocessing as a typed list of steps, one scalar f32 implementation shared by training and loader.
