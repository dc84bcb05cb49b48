//! What the models of a compact stream have read before it: directories of common networks, and lists of numbers like theirs.
//!
//! So a short stream need not teach them what most streams have in common. The primer is a stream itself; what it holds is in the tests.

use super::{
    binary::{Coder, Decoder},
    head::HeadModel,
    numbers::{HALF, NumberModel, Role, SINGLE},
};
use alloc::vec::Vec;

/// The primer's bytes.
pub(crate) static PRIMER: &[u8; 403] =
    b"\x5b\xfe\x23\xd5\x87\x39\x22\x1f\x52\xe2\xf6\x34\x6c\xde\x71\x8a\x61\x61\x14\x2e\xcc\x77\xcf\xf1\
    \x48\x19\xe2\x4c\x60\x7e\x9f\xaf\xc0\x37\xdf\x59\x85\x0c\xb5\x27\x7a\xa8\xec\x1a\xdb\xe8\xcb\x76\
    \xba\x7c\x7a\xf5\x5e\xb2\x5b\x8d\x89\x9d\x1b\xc7\x03\x51\x97\x89\x55\xb9\x15\x95\x56\xc6\x8a\xa5\
    \xc8\x17\x00\xf3\x68\xb0\xf1\x7e\xbe\xbf\xf9\x98\xab\x98\x66\x82\x1a\xef\x36\x6e\x00\x76\x49\x25\
    \x1d\x60\xaf\x31\x55\xf4\x2b\xec\x7a\x6d\x40\x10\x6b\x54\x8a\xfe\xbf\x74\x13\x4d\x18\x29\x59\xfa\
    \xb2\x15\xe4\x67\xe7\x73\x86\x0e\x83\x59\x83\x46\xc7\xd4\xb7\xa9\x17\x2e\x39\xd9\x07\x50\x38\xe6\
    \xca\x9e\x17\x12\x55\xe4\xad\xc5\xc6\xb3\xc7\x85\xc4\xa1\x85\xd1\xbe\xc7\xa2\xab\x0d\x94\x34\xcd\
    \x68\x9e\x10\x8a\x8f\x1a\x92\xdf\xc8\x16\xe2\x26\xa2\x2a\x63\x5c\x04\x49\x8b\x83\xb2\x14\x2b\x0b\
    \xd2\xa7\x95\x26\xe9\x6a\x79\xbe\x57\xf9\x47\x2e\x1b\x7c\xde\xa3\x9b\x25\xb3\x77\x09\xb1\xb3\x2a\
    \x72\x9f\x64\x88\x02\x1f\x2e\xc9\x6f\xc1\xa6\xfe\x56\x07\xf2\xfc\x7c\xe0\x79\x59\x91\xed\x7f\x82\
    \x4e\x25\x4b\xbd\x18\x13\x6f\xfe\x9a\xf3\x63\x6a\xc1\x78\x5f\xf6\x3b\x04\x74\xf6\x99\x45\xad\x6d\
    \x4f\xe3\xe1\xf4\x43\x2f\x2b\x30\x9c\xa8\x37\x2c\x9f\x02\x3c\x0c\xb9\x30\x54\x0e\x34\x15\x42\x52\
    \x6c\x21\x85\x0a\xd9\x9d\x92\x5d\xf1\xbe\x39\x7f\x7c\xb2\x7a\x6f\x8d\x72\xe7\x88\x10\x7d\x8b\x8d\
    \x15\x6a\xc8\xbe\xc6\x7d\x7e\x23\x4e\x2d\xcf\xb6\x62\x08\x4c\xa0\x86\xa7\x2d\x63\x64\x8c\x15\x1f\
    \xe4\x14\x6a\x41\x25\xae\xb3\x7e\xce\xf1\x69\xf1\x8a\xe7\x1a\x8d\xdd\xce\x0e\xc6\x87\x2f\xf6\x71\
    \xb1\x29\xbd\x41\x6b\x73\xd4\xcc\xe4\x4c\xe6\x58\xda\xe3\xb0\x3e\x7f\x99\xa2\x51\x37\xfb\x72\x9e\
    \xc4\x8c\x95\x0f\x4b\xe4\x64\x0f\xfb\x32\xb6\x41\xd3\xa5\x5e\x5b\x8d\xfe\x0a";

/// Lengths of the directories. They come twice: what they have in common is to be sure.
pub(crate) const HEADS: [usize; 8] = [35, 36, 47, 49, 55, 35, 54, 26];
/// Entries of the codebooks, and numbers of the lists after them, all integers with their scales.
pub(crate) const LISTS: [(usize, usize); 5] = [(8, 16), (8, 24), (8, 24), (4, 24), (8, 10)];
/// Entries of codebooks of half-precision numbers.
pub(crate) const HALVES: [usize; 2] = [16, 4];
/// Counters of numbers go on as if they had seen no more bits than this.
const SEEN: u32 = 3;

/// The primer's contents: read from it, or (to make it) given.
#[derive(Default)]
pub(crate) struct Contents {
    pub(crate) heads: Vec<Vec<u8>>,
    /// Scale, codebook, scale, numbers.
    pub(crate) lists: Vec<(f32, Vec<i32>, f32, Vec<i32>)>,
    pub(crate) halves: Vec<Vec<u16>>,
}

/// Models that have read the primer.
pub(crate) fn primed() -> (HeadModel, NumberModel) {
    code(&mut Decoder::new(PRIMER), &Contents::default())
}

/// Codes the primer with new models; a reader needs no contents.
pub(crate) fn code<C: Coder>(coder: &mut C, contents: &Contents) -> (HeadModel, NumberModel) {
    let (mut head, mut numbers) = (HeadModel::new(), NumberModel::new());
    for (i, &length) in HEADS.iter().chain(&HEADS).enumerate() {
        let bytes = contents.heads.get(i % HEADS.len());
        for at in 0..length {
            head.byte(coder, bytes.map_or(0, |bytes| bytes[at]));
        }
        head.restart();
    }
    for (i, &(n_levels, n_numbers)) in LISTS.iter().enumerate() {
        let list = contents.lists.get(i);
        scale(&mut numbers, coder, list.map_or(0.0, |list| list.0));
        let mut levels = numbers.integers(Role::Codebook);
        let mut last = 0;
        for j in 0..n_levels {
            let level = list.map_or(0, |list| i64::from(list.1[j]));
            last = match j {
                0 => levels.signed(coder, level),
                _ => last + 1 + levels.unsigned(coder, (level - last - 1) as u64) as i64,
            };
        }
        scale(&mut numbers, coder, list.map_or(0.0, |list| list.2));
        let mut integers = numbers.integers(Role::Plain);
        for j in 0..n_numbers {
            integers.signed(coder, list.map_or(0, |list| i64::from(list.3[j])));
        }
    }
    for (i, &n_levels) in HALVES.iter().enumerate() {
        let given = contents.halves.get(i);
        let number = |j: usize| given.map_or(0, |given| u32::from(given[j]));
        let rank = |bits: u32| HALF.rank(bits).unwrap_or(0);
        let mut levels = numbers.floats(Role::Codebook, HALF);
        levels.spare(coder, HALF.spare((0..n_levels).map(number)));
        levels.code(coder, number(0));
        for j in 1..n_levels {
            levels.gap(coder, rank(number(j)) - rank(number(j - 1)));
        }
    }
    numbers.forget(SEEN);
    (head, numbers)
}

fn scale<C: Coder>(numbers: &mut NumberModel, coder: &mut C, scale: f32) {
    let mut floats = numbers.floats(Role::Plain, SINGLE);
    floats.spare(coder, SINGLE.spare(core::iter::once(scale.to_bits())));
    floats.code(coder, scale.to_bits());
}

#[cfg(test)]
mod tests {
    use super::{super::binary::Encoder, *};
    use alloc::{format, string::String, vec::Vec};

    /// Networks that are often packed, or the beginning of one: the map's head, then inputs, nodes and descriptors.
    const DIRECTORIES: [&str; HEADS.len()] = [
        "a4028301181c181c03860d82001896078200185a0782000a0686182502182502182502",
        "a4028301181c181c03860d820019012c07820018640782000a0686188502188502188502",
        "a4028301181c181c038883010805820402830110058204020d820018200782000a0688184602184602184602184602",
        "a4028301181c181c03888301140582040283011832058204020d82001901f40782000a0688188502188502188502188502",
        "a502811902cc03858200182807820018200782000a05838301181c181c820af93c00870b080ef900000107040686182602182602182602",
        "a4028301181c181c03860d8200186407820018320782000a0686184602184602184602",
        "a402830318201820039846850110030101078801100301010101f403078801100301010101f403828201060b07850118200301010107",
        "a4028301181c181c03840d820018400782000a06840e02188e02",
    ];

    const INTEGERS: [(f32, &[i32], f32, &[i32]); LISTS.len()] = [
        (
            0.001953125,
            &[-209, -156, -104, -65, 80, 115, 126, 159],
            0.015625,
            &[-4, 10, -16, -12, 3, -17, -16, -18, -8, 17, 21, -5, -8, 11, -1, 3],
        ),
        (
            0.001953125,
            &[-198, -154, -132, -83, 68, 98, 131, 186],
            0.03125,
            &[-7, -4, 2, -5, -7, 8, -5, -7, 12, 1, -4, 1, 11, 2, -9, -7, -1, 5, 9, 8, 6, 8, -3, -2],
        ),
        (
            0.0023996541,
            &[-250, -170, -110, -60, 50, 100, 160, 240],
            0.0018385848,
            &[
                13, 11, 43, 22, 38, 46, -11, 13, 15, -1, 39, 24, 32, -4, 54, 65, -25, 36, 89, 53, 59, -56,
                41, 17,
            ],
        ),
        (
            0.00390625,
            &[-300, -160, 80, 170],
            0.015625,
            &[14, 16, -4, 40, 4, -30, -23, 5, -8, -27, -44, 9, 39, -2, 19, 12, -6, 25, 5, -17, -1, -7, 4, 17],
        ),
        (
            0.00390625,
            &[-160, -130, -118, -92, 91, 107, 129, 159],
            0.0625,
            &[-9, 5, -7, 3, 5, 15, -13, -11, -1, 3],
        ),
    ];

    const FLOATS: [&[u16]; HALVES.len()] = [
        &[
            47549, 47394, 47250, 47105, 46892, 46756, 46644, 46538, 46428, 46234, 45755, 13677, 13962, 14117,
            14259, 14390,
        ],
        &[46292, 45595, 12904, 13619],
    ];

    fn contents() -> Contents {
        let bytes = |text: &&str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
        };
        Contents {
            heads: DIRECTORIES.iter().map(bytes).collect(),
            lists: INTEGERS.iter().map(|&(a, b, c, d)| (a, b.to_vec(), c, d.to_vec())).collect(),
            halves: FLOATS.iter().map(|half| half.to_vec()).collect(),
        }
    }

    /// Prints the primer where it is another.
    #[test]
    fn the_primer_holds_this() {
        let contents = contents();
        assert!(contents.heads.iter().map(Vec::len).eq(HEADS), "lengths of the directories");
        assert!(
            contents.lists.iter().map(|list| (list.1.len(), list.3.len())).eq(LISTS),
            "lengths of the lists"
        );
        let mut coder = Encoder::new();
        code(&mut coder, &contents);
        let bytes = coder.finish();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(PRIMER[..] == bytes, "{} bytes\n{hex}", bytes.len());
        let mut coder = Decoder::new(PRIMER);
        code(&mut coder, &Contents::default());
        coder.finish().unwrap();
    }
}
