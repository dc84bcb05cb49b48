//! A CBOR item as a tree that can be changed and is always written in its deterministic form.

/// An item of a directory.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    /// A number of at least 0.
    Uint(u64),
    /// -1 - n.
    Negative(u64),
    Bytes(Vec<u8>),
    Text(Vec<u8>),
    Array(Vec<Item>),
    /// Keys and values, alternating.
    Map(Vec<Item>),
    /// False, true and floats, as they are written.
    Simple(Vec<u8>),
}

impl Item {
    /// The item at the start of `bytes`, which are well formed, and what is left.
    pub(crate) fn read(bytes: &[u8]) -> (Self, &[u8]) {
        let (first, rest) = (bytes[0], &bytes[1..]);
        let (major, info) = (first >> 5, first & 31);
        let width = if info < 24 { 0 } else { 1 << (info - 24) };
        let (argument, mut rest) = rest.split_at(width);
        if major == 7 {
            return (Self::Simple(bytes[..1 + width].to_vec()), rest);
        }
        let n = argument.iter().fold(0u64, |n, &b| n << 8 | u64::from(b));
        let n = if width == 0 { u64::from(info) } else { n };
        let mut list = |n: u64| {
            let mut items = Vec::new();
            for _ in 0..n {
                let (item, after) = Self::read(rest);
                rest = after;
                items.push(item);
            }
            items
        };
        let item = match major {
            0 => Self::Uint(n),
            1 => Self::Negative(n),
            4 => Self::Array(list(n)),
            5 => Self::Map(list(2 * n)),
            _ => {
                let (text, after) = rest.split_at(usize::try_from(n).unwrap());
                rest = after;
                if major == 2 { Self::Bytes(text.to_vec()) } else { Self::Text(text.to_vec()) }
            }
        };
        (item, rest)
    }

    /// The item in as few bytes as possible.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Uint(n) => head(out, 0, *n),
            Self::Negative(n) => head(out, 1, *n),
            Self::Bytes(bytes) | Self::Text(bytes) => {
                head(out, if matches!(self, Self::Bytes(_)) { 2 } else { 3 }, bytes.len() as u64);
                out.extend(bytes);
            }
            Self::Array(items) => {
                head(out, 4, items.len() as u64);
                items.iter().for_each(|item| item.write(out));
            }
            Self::Map(items) => {
                head(out, 5, items.len() as u64 / 2);
                items.iter().for_each(|item| item.write(out));
            }
            Self::Simple(bytes) => out.extend(bytes),
        }
    }

    fn inner(&mut self) -> Option<&mut Vec<Self>> {
        match self {
            Self::Array(items) | Self::Map(items) => Some(items),
            Self::Uint(_) | Self::Negative(_) | Self::Bytes(_) | Self::Text(_) | Self::Simple(_) => None,
        }
    }

    /// How many items there are, this one included.
    pub(crate) fn count(&mut self) -> usize {
        1 + self.inner().map_or(0, |items| items.iter_mut().map(Self::count).sum())
    }

    /// Calls `change` with item number `at` of the tree, counted from this one.
    pub(crate) fn at(&mut self, mut at: usize, change: &mut dyn FnMut(&mut Self)) {
        if at == 0 {
            return change(self);
        }
        at -= 1;
        for item in self.inner().into_iter().flatten() {
            let n = item.count();
            if at < n {
                return item.at(at, change);
            }
            at -= n;
        }
    }

    /// Changes this item: another kind, another number, one more, one less, one deeper.
    pub(crate) fn change(&mut self, random: &mut impl FnMut(usize) -> usize) {
        const NUMBERS: [u64; 16] =
            [0, 1, 2, 3, 4, 5, 7, 8, 23, 31, 33, 255, 65_536, 1 << 28, 1 << 40, u64::MAX];
        let other = match random(12) {
            0 | 1 => Self::Uint(NUMBERS[random(NUMBERS.len())]),
            2 => Self::Uint(random(40) as u64),
            3 => Self::Negative(random(3) as u64),
            4 => Self::Simple(vec![0xf4 | random(2) as u8]),
            // 1.0, -2.0, 0.5, -0.0
            5 => Self::Simple(
                [[0xf9, 0x3c, 0], [0xf9, 0xc0, 0], [0xf9, 0x38, 0], [0xf9, 0x80, 0]][random(4)].to_vec(),
            ),
            6 => Self::Text(b"text"[..random(5)].to_vec()),
            7 => Self::Array((0..random(4)).map(|_| Self::Uint(random(5) as u64)).collect()),
            8 => Self::Array(vec![self.clone()]),
            9 => match self {
                Self::Uint(n) => {
                    Self::Uint(if random(2) == 0 { n.saturating_add(1) } else { n.saturating_sub(1) })
                }
                _ => Self::Map(Vec::new()),
            },
            10 => Self::Bytes(vec![7; random(9)]),
            _ => {
                // One item fewer, one twice, or two in another order.
                let Some(items) = self.inner().filter(|items| !items.is_empty()) else {
                    return *self = Self::Array(Vec::new());
                };
                let (i, j) = (random(items.len()), random(items.len()));
                match random(3) {
                    0 => drop(items.remove(i)),
                    1 => items.insert(i, items[j].clone()),
                    _ => items.swap(i, j),
                }
                return;
            }
        };
        *self = other;
    }
}

fn head(out: &mut Vec<u8>, major: u8, n: u64) {
    let bytes = n.to_be_bytes();
    let (info, width) = match n {
        0..=23 => (n as u8, 0),
        24..=0xff => (24, 1),
        0x100..=0xffff => (25, 2),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 8),
    };
    out.push(major << 5 | info);
    out.extend(&bytes[8 - width..]);
}
