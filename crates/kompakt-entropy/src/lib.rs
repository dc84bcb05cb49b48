//! Entropy coders, encoder beside decoder, and the bit-packed direct form.
