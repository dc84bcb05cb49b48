//! CRC-32 (IEEE 802.3) of bytes that come in parts.
//!
//! On most machines that is `crc32fast`. In WebAssembly, which has no instructions for it and where every byte is downloaded,
//! its 16 kB of tables are replaced by one of sixteen entries, and by eight of 256 that are made when there is much to read.

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crc32fast::Hasher as Crc;
#[cfg(target_arch = "wasm32")]
pub(crate) use small::Crc;

#[cfg(any(target_arch = "wasm32", test))]
mod small {
    use alloc::boxed::Box;

    /// The polynomial, lowest power last.
    const POLYNOMIAL: u32 = 0xedb8_8320;
    /// Parts from this length on are worth the large tables.
    const LONG_BYTES: usize = 4096;

    /// The checksum of each number of four bits.
    const NIBBLES: [u32; 16] = {
        let mut table = [0; 16];
        let mut i = 0;
        while i < 16 {
            table[i as usize] = step(i, 4);
            i += 1;
        }
        table
    };

    const fn step(mut value: u32, n_bits: usize) -> u32 {
        let mut bit = 0;
        while bit < n_bits {
            value = if value & 1 == 1 { (value >> 1) ^ POLYNOMIAL } else { value >> 1 };
            bit += 1;
        }
        value
    }

    /// As `crc32fast::Hasher`.
    pub(crate) struct Crc {
        state: u32,
        /// Entry `b` of table `k`: the checksum of the byte `b` with `k` zeros after it.
        tables: Option<Box<[[u32; 256]; 8]>>,
    }

    impl Crc {
        pub(crate) fn new() -> Self {
            Self { state: !0, tables: None }
        }

        pub(crate) fn update(&mut self, bytes: &[u8]) {
            let (eights, rest) = bytes.as_chunks::<8>();
            if bytes.len() < LONG_BYTES {
                eights.iter().for_each(|eight| self.short(eight));
            } else {
                let tables = self.tables.get_or_insert_with(tables);
                for eight in eights {
                    let word = u64::from_le_bytes(*eight) ^ u64::from(self.state);
                    let parts = tables.iter().rev().zip(word.to_le_bytes());
                    self.state = parts.fold(0, |sum, (table, byte)| sum ^ entry(table, byte.into()));
                }
            }
            self.short(rest);
        }

        fn short(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.state ^= u32::from(*byte);
                for _ in 0..2 {
                    self.state = (self.state >> 4) ^ entry(&NIBBLES, self.state & 15);
                }
            }
        }

        pub(crate) fn finalize(self) -> u32 {
            !self.state
        }
    }

    /// An entry that is there.
    #[inline(always)]
    fn entry(table: &[u32], at: u32) -> u32 {
        table.get(at as usize).copied().unwrap_or(0)
    }

    fn tables() -> Box<[[u32; 256]; 8]> {
        let mut tables = Box::new([[0; 256]; 8]);
        for byte in 0..=255u8 {
            let mut value = u32::from(byte);
            for table in tables.iter_mut() {
                value = step(value, 8);
                if let Some(entry) = table.get_mut(usize::from(byte)) {
                    *entry = value;
                }
            }
        }
        tables
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    #[test]
    fn the_small_one_agrees() {
        let bytes: Vec<u8> = (0..20_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for cuts in
            [&[0, 20_000][..], &[0, 1, 8, 4_097, 9_000, 9_001, 20_000], &[0, 4_096, 8_191, 19_993, 20_000]]
        {
            let mut crc = super::small::Crc::new();
            cuts.windows(2).for_each(|cut| crc.update(&bytes[cut[0]..cut[1]]));
            assert_eq!(crc.finalize(), crc32fast::hash(&bytes));
        }
    }
}
