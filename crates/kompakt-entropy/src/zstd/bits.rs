//! Bit streams, read forwards and backwards.

/// Bits from the first byte's lowest upwards.
pub(super) struct Forward<'d> {
    data: &'d [u8],
    at: usize,
}

impl<'d> Forward<'d> {
    pub(super) fn new(data: &'d [u8]) -> Self {
        Self { data, at: 0 }
    }

    /// The next `n` bits, at most 16; `None` beyond the end.
    pub(super) fn read(&mut self, n: u32) -> Option<u32> {
        let at = self.at;
        self.at += n as usize;
        (self.at <= 8 * self.data.len()).then(|| crate::bits::read(self.data, at, n))
    }

    /// Bytes used, including a partial last one.
    pub(super) fn n_bytes(&self) -> usize {
        self.at.div_ceil(8)
    }
}

/// Bits from the last byte's highest 1 (which is not one of them) downwards. Below the first byte there are zeros.
pub(super) struct Backward<'d> {
    data: &'d [u8],
    /// Bits left; negative after reading past the end.
    left: i64,
}

impl<'d> Backward<'d> {
    /// `None` without a last byte, or if that is 0.
    pub(super) fn new(data: &'d [u8]) -> Option<Self> {
        let last = data.last().filter(|&&last| last != 0)?;
        let left = 8 * data.len() as i64 - i64::from(last.leading_zeros()) - 1;
        Some(Self { data, left })
    }

    pub(super) fn left(&self) -> i64 {
        self.left
    }

    /// The next `n` bits, at most 31.
    #[inline]
    pub(super) fn read(&mut self, n: u32) -> u32 {
        self.left -= i64::from(n);
        match usize::try_from(self.left) {
            Ok(at) => (window(self.data, at / 8) >> (at % 8)) as u32 & ((1 << n) - 1),
            Err(_) => {
                let missing = self.left.unsigned_abs();
                match u64::from(n).checked_sub(missing) {
                    Some(there) => (window(self.data, 0) as u32 & ((1 << there) - 1)) << missing,
                    None => 0,
                }
            }
        }
    }

    /// The next 57 bits or more, in the highest places; zeros where there are no more.
    #[inline]
    pub(super) fn peek(&self) -> u64 {
        let left = usize::try_from(self.left).unwrap_or(0);
        let end = left.div_ceil(8);
        let window = match end.checked_sub(8) {
            Some(start) => window(self.data, start),
            None if end == 0 => 0,
            None => window(self.data, 0) << (64 - 8 * end),
        };
        window << (8 * end - left)
    }

    #[inline]
    pub(super) fn skip(&mut self, n: u32) {
        self.left -= i64::from(n);
    }
}

/// Eight bytes from `first` on, the first lowest; zeros behind the last.
#[inline]
fn window(data: &[u8], first: usize) -> u64 {
    match data.get(first..).and_then(|rest| rest.first_chunk::<8>()) {
        Some(&chunk) => u64::from_le_bytes(chunk),
        None => {
            let tail = data.get(first..).unwrap_or(&[]);
            tail.iter().rev().fold(0, |window, &byte| window << 8 | u64::from(byte))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_the_front() {
        let mut bits = Forward::new(&[0b1010_0110, 0b0000_0001]);
        assert_eq!([bits.read(3), bits.read(4), bits.read(2)], [Some(6), Some(4), Some(3)]);
        assert_eq!((bits.n_bytes(), bits.read(7), bits.read(1)), (2, Some(0), None));
    }

    #[test]
    fn from_the_back() {
        let bytes = [0x5a, 0xc3, 0x81, 0x7e, 0x99, 0xf0, 0x0f, 0x35, 0x62, 0b0000_1101];
        let mut bits = Backward::new(&bytes).unwrap();
        assert_eq!(bits.left(), 75);
        assert_eq!((bits.read(3), bits.read(8), bits.read(4)), (0b101, 0x62, 3));
        assert_eq!(bits.peek() >> 52, 0x50f);
        bits.skip(52);
        assert_eq!((bits.left(), bits.peek() >> 52), (8, 0x5a0));
        assert_eq!((bits.read(12), bits.left()), (0x5a0, -4));
        assert_eq!((bits.read(3), bits.peek()), (0, 0));
        assert!(Backward::new(&[]).is_none() && Backward::new(&[1, 0]).is_none());
    }
}
