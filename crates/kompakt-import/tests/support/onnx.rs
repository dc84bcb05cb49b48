//! ONNX files written by hand, field by field: an independent way to make a model for a test.

use bytes::{BufMut, BytesMut};

/// An attribute of a node, with its name.
pub(crate) enum Attribute<'a> {
    Int(&'a str, i64),
    Float(&'a str, f32),
    Ints(&'a str, &'a [i64]),
    Text(&'a str, &'a str),
}

/// A model under construction; each method that adds something returns its name.
pub(crate) struct Net {
    opset: i64,
    nodes: Vec<u8>,
    initial: Vec<u8>,
    n: usize,
    state: u64,
}

fn varint(bytes: &mut BytesMut, mut v: u64) {
    while v >= 0x80 {
        bytes.put_u8(v as u8 | 0x80);
        v >>= 7;
    }
    bytes.put_u8(v as u8);
}

fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    varint(&mut bytes, u64::from(number << 3 | 2));
    varint(&mut bytes, content.len() as u64);
    bytes.put_slice(content);
    bytes.to_vec()
}

fn int(number: u32, value: i64) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    varint(&mut bytes, u64::from(number << 3));
    varint(&mut bytes, value as u64);
    bytes.to_vec()
}

impl Net {
    pub(crate) fn new(opset: i64, seed: u64) -> Self {
        Self { opset, nodes: Vec::new(), initial: Vec::new(), n: 0, state: seed.wrapping_mul(2) + 1 }
    }

    /// A number from 0 to 1, deterministic for a seed.
    pub(crate) fn number(&mut self) -> f32 {
        self.state = self.state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.state >> 40) as f32 / (1 << 24) as f32
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((self.number() * n as f32) as usize).min(n - 1)
    }

    fn name(&mut self, kind: &str) -> String {
        self.n += 1;
        format!("{kind}{}", self.n)
    }

    fn tensor(&mut self, kind: i64, dims: &[i64], raw: &[u8]) -> String {
        let name = self.name("c");
        let dims: Vec<u8> = dims.iter().flat_map(|&d| int(1, d)).collect();
        self.initial
            .extend(field(5, &[dims, int(2, kind), field(8, name.as_bytes()), field(9, raw)].concat()));
        name
    }

    pub(crate) fn floats(&mut self, dims: &[i64], values: &[f32]) -> String {
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.tensor(1, dims, &raw)
    }

    pub(crate) fn ints(&mut self, values: &[i64]) -> String {
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.tensor(7, &[values.len() as i64], &raw)
    }

    /// One number.
    pub(crate) fn scalar(&mut self, value: f32) -> String {
        self.floats(&[], &[value])
    }

    /// Numbers from `centre - width` to `centre + width`.
    pub(crate) fn random(&mut self, dims: &[i64], centre: f32, width: f32) -> String {
        let n: i64 = dims.iter().product();
        let values: Vec<f32> = (0..n).map(|_| centre + width * (2.0 * self.number() - 1.0)).collect();
        self.floats(dims, &values)
    }

    pub(crate) fn add(&mut self, op: &str, inputs: &[&str], attributes: &[Attribute<'_>]) -> String {
        let name = self.name("v");
        let mut node: Vec<u8> = inputs.iter().flat_map(|i| field(1, i.as_bytes())).collect();
        node.extend(field(2, name.as_bytes()));
        node.extend(field(3, format!("{op} of {name}").as_bytes()));
        node.extend(field(4, op.as_bytes()));
        for attribute in attributes {
            let (name, content) = match attribute {
                Attribute::Int(name, v) => (name, [int(3, *v), int(20, 2)].concat()),
                Attribute::Float(name, v) => {
                    (name, [vec![0x15], v.to_le_bytes().to_vec(), int(20, 1)].concat())
                }
                Attribute::Ints(name, v) => {
                    (name, v.iter().flat_map(|&v| int(8, v)).chain(int(20, 7)).collect())
                }
                Attribute::Text(name, v) => (name, [field(4, v.as_bytes()), int(20, 3)].concat()),
            };
            node.extend(field(5, &[field(1, name.as_bytes()), content].concat()));
        }
        self.nodes.extend(field(1, &node));
        name
    }

    /// The file: input `x` `[n, rest…]`, one output.
    pub(crate) fn finish(self, rest: &[i64], output: &str) -> Vec<u8> {
        let dims =
            std::iter::once(field(1, &field(2, b"n"))).chain(rest.iter().map(|&d| field(1, &int(1, d))));
        let dims: Vec<u8> = dims.flatten().collect();
        let x = [field(1, b"x"), field(2, &field(1, &[int(1, 1), field(2, &dims)].concat()))].concat();
        let graph =
            [self.nodes, self.initial, field(11, &x), field(12, &field(1, output.as_bytes()))].concat();
        [int(1, 8), field(7, &graph), field(8, &int(2, self.opset))].concat()
    }
}
