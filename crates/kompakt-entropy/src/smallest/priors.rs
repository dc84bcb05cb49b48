//! Every tuned constant of the models. Start weights are in 1/1024, one row a kind of layer.

use super::{counter::Trust, kept, magnitude, mixer::Rate, sign};

/// The kept flags: inputs in the order of `kept.rs`.
pub(crate) static KEPT_WEIGHTS: [[i16; kept::N_INPUTS]; 3] = [
    [
        1044, 944, 82, 431, 729, 618, 200, 416, 495, -294, 912, 606, 99, -93, 367, -94, 326, 485, 392, 62,
        195, 7, 88, 142,
    ],
    [
        1035, 1085, -51, 342, 417, 514, 354, 329, 293, 198, 412, 432, 261, 305, 408, 253, 372, 550, 274, 57,
        362, 28, 133, 180,
    ],
    [
        973, 1134, -159, 161, 360, 554, 125, 307, 307, 307, 307, 407, 63, -10, 274, 307, 307, 472, 283, 5,
        574, -85, 18, 168,
    ],
];
pub(crate) const KEPT_RATE: Rate = Rate::new(79, 5);
pub(crate) const KEPT_LIMIT: u32 = 500;
pub(crate) static KEPT_TRUST: Trust = Trust::new(16);

/// Signs: inputs in the order of `sign.rs`.
pub(crate) static SIGN_WEIGHTS: [[i16; sign::N_INPUTS]; 3] = [
    [468, -10, 157, 512, 645, 397, 377, 760, 219, 33, 180, 328, 281, 583, 1122, 1490, 515, 84, 305],
    [502, 519, 444, 312, 229, 286, 230, 264, 213, 216, 167, 266, 223, 214, 228, 538, 276, 63, 127],
    [537, 435, 244, 247, 203, 205, 205, 205, 205, 206, 82, 144, 205, 205, 1128, 273, 186, -4, -178],
];
pub(crate) const SIGN_RATE: Rate = Rate::new(197, 6);
pub(crate) const SIGN_LIMIT: u32 = 250;
pub(crate) static SIGN_TRUST: Trust = Trust::new(8);

/// Magnitudes: inputs in the order of `magnitude.rs`, the same for all kinds of layers.
pub(crate) static MAGNITUDE_WEIGHTS: [i16; magnitude::N_INPUTS] =
    [977, 208, 458, 352, 33, 182, 46, 480, 384, 561, 379, 55, 260, 100];
pub(crate) const MAGNITUDE_RATE: Rate = Rate::new(197, 6);
pub(crate) const MAGNITUDE_LIMIT: u32 = 250;
pub(crate) static MAGNITUDE_TRUST: Trust = Trust::new(6);
/// For the counters that make the base prediction.
pub(crate) static BASE_TRUST: Trust = Trust::new(12);

/// Counts of priors, in 1/65536. How many rows a column's neighbourhood is worth …
pub(crate) const COLUMN_PRIOR: u64 = 98_304;
/// … how many rows of the neighbourhood the whole tensor is worth …
pub(crate) const NEAR_PRIOR: u64 = 196_608;
/// … how many kept weights the earlier rows are worth for this one …
pub(crate) const ROW_PRIOR: u64 = 163_840;
/// … and what steadies a row's ratio of kept to expected …
pub(crate) const RATIO_PRIOR: u64 = 32_768;
/// … and that of a window.
pub(crate) const WINDOW_PRIOR: u64 = 45_875;
/// … and a producer's count.
pub(crate) const PRODUCER_PRIOR: u64 = 19_661;
/// A tensor is taken to have begun with 64 weights of which so many (in 1/65536) were kept.
pub(crate) const TENSOR_PRIOR: u64 = 251_658;
/// How much of the rows before the last stays in their sum, in 1/256.
pub(crate) const ROW_MEMORY: u64 = 179;
