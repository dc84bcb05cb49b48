//! Small changes to inputs, from a seed.

use kompakt_numbers::SplitMix64;

/// Reproducible random numbers.
#[derive(Debug, Clone)]
pub struct Mutation(SplitMix64);

impl Mutation {
    /// The changes of that seed.
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0.bits()
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n.max(1) as u64) as usize
    }
}

/// Changes one to four places: a bit, a byte, a byte more or less, a run of bytes repeated, the end cut off.
pub fn mutate(bytes: &mut Vec<u8>, random: &mut Mutation) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let Some(byte) = bytes.get_mut(at) else {
            bytes.push(random.bits() as u8);
            continue;
        };
        match random.below(8) {
            0 | 1 => *byte ^= 1 << random.below(8),
            2 => *byte = random.bits() as u8,
            3 => *byte = [0x00, 0x7f, 0x80, 0xff][random.below(4)],
            4 => bytes.insert(at, random.bits() as u8),
            5 => drop(bytes.remove(at)),
            6 => {
                let end = (at + 1 + random.below(8)).min(bytes.len());
                bytes.splice(at..at, bytes[at..end].to_vec());
            }
            _ => bytes.truncate(at + 1),
        }
    }
}
