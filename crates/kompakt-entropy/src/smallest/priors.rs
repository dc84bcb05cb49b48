//! All tuned constants of the models. Start weights are in 1/1024, one row per kind of layer.

use super::{kept, magnitude, mixer::Rate, sign};

/// The kept flags: inputs in the order of `kept.rs`.
pub(crate) static KEPT_WEIGHTS: [[i16; kept::N_INPUTS]; 3] = [
    [
        1058, 1004, 122, 206, 933, 427, 200, 429, 453, -242, 878, 462, 82, -93, 261, -94, 242, 466, 408, 62,
        166, 43, 62, 163,
    ],
    [
        1032, 1092, -181, 115, 397, 317, 354, 248, 172, 8, 340, 244, 85, 305, 295, 253, 212, 668, 258, 57,
        347, 6, 130, 119,
    ],
    [
        935, 1155, -317, 65, 311, 284, 125, 307, 307, 307, 307, 264, 6, -10, 77, 307, 307, 489, 292, 5, 452,
        -127, 41, 137,
    ],
];
pub(crate) const KEPT_RATE: Rate = Rate::new(150, 3);
pub(crate) const KEPT_LIMIT: u32 = 1000;
pub(crate) use super::tables::TRUST_5 as KEPT_TRUST;

/// Signs: inputs in the order of `sign.rs`.
pub(crate) static SIGN_WEIGHTS: [[i16; sign::N_INPUTS]; 3] = [
    [478, -116, 125, 644, 701, 391, 283, 1073, -20, -57, 315, 475, 361, 966, 1673, 1287, 466, 79, 537],
    [435, 292, 143, 407, 1, 309, 7, 196, -46, 207, 80, 371, 244, 376, 467, 370, 444, -156, 132],
    [581, 325, 57, 294, 122, 205, 205, 205, 205, 49, 44, 68, 205, 205, 1480, 304, 167, 52, -222],
];
pub(crate) const SIGN_RATE: Rate = Rate::new(341, 5);
pub(crate) const SIGN_LIMIT: u32 = 490;
pub(crate) use super::tables::TRUST_16 as SIGN_TRUST;

/// Magnitudes: inputs in the order of `magnitude.rs`, the same for all kinds of layers.
pub(crate) static MAGNITUDE_WEIGHTS: [i16; magnitude::N_INPUTS] =
    [1007, 319, 474, 306, 46, 193, 20, 256, 288, 273, 292, 166, 312, 308];
pub(crate) const MAGNITUDE_RATE: Rate = Rate::new(328, 5);
pub(crate) const MAGNITUDE_LIMIT: u32 = 128;
/// For the counters that make the base prediction.
pub(crate) use super::tables::TRUST_24 as BASE_TRUST;
pub(crate) use super::tables::TRUST_28 as MAGNITUDE_TRUST;

/// Counts of priors, in 1/65536. How many rows a column's neighbourhood is worth …
pub(crate) const COLUMN_PRIOR: u64 = 196_608;
/// … how many rows of the neighbourhood the whole tensor is worth …
pub(crate) const NEAR_PRIOR: u64 = 393_216;
/// … how many kept weights the earlier rows are worth for this one …
pub(crate) const ROW_PRIOR: u64 = 131_072;
/// … and what steadies a row's ratio of kept to expected …
pub(crate) const RATIO_PRIOR: u64 = 16_384;
/// … and that of a window.
pub(crate) const WINDOW_PRIOR: u64 = 23_593;
/// … and a producer's count.
pub(crate) const PRODUCER_PRIOR: u64 = 19_661;
/// A tensor is taken to have begun with 64 weights of which so many (in 1/65536) were kept.
pub(crate) const TENSOR_PRIOR: u64 = 209_715;
/// What the weights of a trellis's quantiser begin with, half of them kept.
pub(crate) const QUANTISER_PRIOR: u64 = 8;
/// How much of the rows before the last stays in their sum, in 1/256.
pub(crate) const ROW_MEMORY: u64 = 179;
