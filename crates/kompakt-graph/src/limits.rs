//! Upper bounds on every graph, so that a reader may add and multiply shapes without overflow.

/// The most nodes a graph may have.
pub const MAX_NODES: usize = 1 << 16;
/// The most dimensions a shape may have (the batch not counted).
pub const MAX_RANK: usize = 6;
/// The largest single dimension.
pub const MAX_DIM: usize = 1 << 28;
/// The most indices of a gather.
pub const MAX_INDICES: usize = 1 << 16;
/// The most bytes of a name.
pub const MAX_NAME_BYTES: usize = 255;
/// The most symbols of a graph.
pub const MAX_SYMBOLS: usize = 16;
/// The most numbers that depend on them.
pub const MAX_PLACES: usize = 1 << 16;
/// The most terms of a size.
pub const MAX_TERMS: usize = 4;
/// The most elements in one value or one parameter.
pub const MAX_ELEMENTS: u64 = 1 << 34;
/// The most elements in one value or one parameter that this machine can address: [`MAX_ELEMENTS`], or less where
/// addresses have fewer than 64 bits (2^29 - 1 of four bytes each for 32). Rule I-11.
pub const MAX_ADDRESSABLE_ELEMENTS: u64 = addressable(isize::MAX as u64);

/// The bound for a machine whose largest object has `bytes` bytes.
const fn addressable(bytes: u64) -> u64 {
    let elements = bytes / 4;
    if elements < MAX_ELEMENTS { elements } else { MAX_ELEMENTS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_elements_where_addresses_are_short() {
        assert_eq!(addressable(i64::MAX as u64), MAX_ELEMENTS);
        assert_eq!(addressable(i32::MAX as u64), (1 << 29) - 1);
    }
}
