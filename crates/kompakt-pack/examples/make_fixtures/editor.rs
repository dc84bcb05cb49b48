//! A container in parts, to be reassembled wrong.

use kompakt_format::{CRC_BYTES, Container, MAGIC, SectionKind, place};

/// An item of CBOR to be written.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Int(i64),
    Text(&'static str),
    Array(Vec<Item>),
    Bool(bool),
    /// Bytes as they are.
    Raw(Vec<u8>),
}

impl From<i64> for Item {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

/// `[1, [2, 3]]` as an item.
macro_rules! array {
    ($($item:expr),* $(,)?) => { $crate::editor::Item::Array(vec![$($crate::editor::Item::from($item)),*]) };
}
pub(crate) use array;

impl Item {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Int(n) if *n < 0 => head(1, n.unsigned_abs() - 1),
            Self::Int(n) => head(0, n.unsigned_abs()),
            Self::Text(text) => [head(3, text.len() as u64), text.as_bytes().to_vec()].concat(),
            Self::Array(items) => {
                let items = items.iter().flat_map(Self::bytes).collect();
                [head(4, self.len()), items].concat()
            }
            Self::Bool(b) => vec![0xf4 | u8::from(*b)],
            Self::Raw(bytes) => bytes.clone(),
        }
    }

    fn len(&self) -> u64 {
        if let Self::Array(items) = self { items.len() as u64 } else { 1 }
    }
}

fn head(major: u8, n: u64) -> Vec<u8> {
    let major = major << 5;
    match n {
        0..=23 => vec![major | n as u8],
        24..=0xff => vec![major | 24, n as u8],
        0x100..=0xffff => [&[major | 25][..], &(n as u16).to_be_bytes()].concat(),
        0x1_0000..=0xffff_ffff => [&[major | 26][..], &(n as u32).to_be_bytes()].concat(),
        _ => [&[major | 27][..], &n.to_be_bytes()].concat(),
    }
}

/// A section: its table entry besides its length, and its bytes.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) kind: i64,
    /// After kind and length.
    pub(crate) rest: Vec<Item>,
    pub(crate) bytes: Vec<u8>,
}

/// A file in parts. [`Editor::file`] assembles them with correct lengths, offsets and checksums.
#[derive(Debug, Clone)]
pub(crate) struct Editor {
    /// Without key 7.
    pub(crate) keys: Vec<(i64, Vec<u8>)>,
    pub(crate) parts: Vec<Part>,
    /// Instead of the table that the parts imply.
    pub(crate) table: Option<Item>,
    /// Instead of the number of keys.
    pub(crate) n_keys: Option<u64>,
    /// Appended to the directory's map.
    pub(crate) trailing: Vec<u8>,
}

impl Editor {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let container = Container::parse(bytes).expect("a good file");
        let mut at = container.directory_span().start + 1;
        let mut keys = Vec::new();
        for &(key, length) in container.directory_bytes() {
            let value = bytes[at + Item::Int(key).bytes().len()..at + length].to_vec();
            at += length;
            if key != kompakt_format::key::SECTIONS {
                keys.push((key, value));
            }
        }
        let part = |section: &kompakt_format::Section| {
            let mut rest: Vec<Item> = section.kind.parameter().iter().map(|&p| Item::Int(p as i64)).collect();
            if let Some(tiles) =
                section.kind.parameter().and_then(|p| container.tiles(p)).filter(|t| t.len() > 1)
            {
                rest.push(Item::Int(tiles.rows_per_tile() as i64));
                rest.push(Item::Array(tiles.iter().map(|t| Item::Int(t.bytes.len() as i64)).collect()));
            }
            rest.extend(section.unpacked.map(|n| Item::Int(n as i64)));
            Part { kind: section.kind.code(), rest, bytes: container.section_bytes(section).to_vec() }
        };
        let parts = container.sections().iter().map(part).collect();
        Self { keys, parts, table: None, n_keys: None, trailing: Vec::new() }
    }

    /// Replaces or adds a key's value; a new one at its place in the order.
    pub(crate) fn set(mut self, key: i64, value: impl Into<Item>) -> Self {
        let value = value.into().bytes();
        let rank = |key: i64| (key < 0, key.unsigned_abs());
        match self.keys.iter().position(|(k, _)| rank(*k) >= rank(key)) {
            Some(i) if self.keys[i].0 == key => self.keys[i].1 = value,
            Some(i) => self.keys.insert(i, (key, value)),
            None => self.keys.push((key, value)),
        }
        self
    }

    pub(crate) fn remove(mut self, key: i64) -> Self {
        self.keys.retain(|(k, _)| *k != key);
        self
    }

    pub(crate) fn change(mut self, f: impl FnOnce(&mut Self)) -> Self {
        f(&mut self);
        self
    }

    /// Changes the bytes of a section.
    pub(crate) fn payload(mut self, index: usize, f: impl FnOnce(&mut Vec<u8>)) -> Self {
        f(&mut self.parts[index].bytes);
        self
    }

    fn line(part: &Part) -> Item {
        let fixed = [Item::Int(part.kind), Item::Int(part.bytes.len() as i64)];
        Item::Array(fixed.into_iter().chain(part.rest.iter().cloned()).collect())
    }

    fn directory(&self) -> Vec<u8> {
        let mut keys = self.keys.clone();
        let table = match &self.table {
            Some(table) => Some(table.clone()),
            None if self.parts.len() == 1 && self.parts[0].kind == 0 => None,
            None => Some(Item::Array(self.parts.iter().map(Self::line).collect())),
        };
        if let Some(table) = table {
            let at = keys.iter().position(|(k, _)| *k < 0 || *k > 7).unwrap_or(keys.len());
            keys.insert(at, (7, table.bytes()));
        }
        let mut out = head(5, self.n_keys.unwrap_or(keys.len() as u64));
        for (key, value) in &keys {
            out.extend(Item::Int(*key).bytes());
            out.extend(value);
        }
        out.extend(&self.trailing);
        out
    }

    pub(crate) fn file(&self) -> Vec<u8> {
        let directory = self.directory();
        let header_len = |width| MAGIC.len() + 1 + width + leb128(directory.len()).len() + 4;
        // Wide enough for any total of a fixture, found as a writer would.
        let width = (1..9)
            .find(|&w| leb128(self.tail(header_len(w) + directory.len()).0).len() == w)
            .expect("some width fits");
        let (total, tail) = self.tail(header_len(width) + directory.len());
        assemble(1, &leb128(total), &leb128(directory.len()), &directory, &tail)
    }

    /// Where the file ends, and all bytes from `start` on.
    fn tail(&self, start: usize) -> (usize, Vec<u8>) {
        let mut tail = Vec::new();
        for part in &self.parts {
            // Only whether it is read in place matters.
            let kind = match part.kind {
                3..=5 => SectionKind::Raw { parameter: 0 },
                _ => SectionKind::Pool,
            };
            let at = place(kind, start + tail.len(), part.bytes.len());
            tail.resize(at - start, 0);
            tail.extend(&part.bytes);
            tail.extend(crc32fast::hash(&part.bytes).to_le_bytes());
        }
        debug_assert_eq!(CRC_BYTES, 4);
        (start + tail.len(), tail)
    }
}

/// A file of these parts, with the right checksum of header and directory.
pub(crate) fn assemble(version: u8, total: &[u8], length: &[u8], directory: &[u8], tail: &[u8]) -> Vec<u8> {
    let mut file = [&MAGIC[..], &[version], total, length].concat();
    let mut crc = crc32fast::Hasher::new();
    crc.update(&file);
    crc.update(directory);
    file.extend(crc.finalize().to_le_bytes());
    file.extend(directory);
    file.extend(tail);
    file
}

pub(crate) fn leb128(mut n: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
    out
}
