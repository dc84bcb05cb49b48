// Common to layers over bytes: columns come in fours, the elements of a row; inputs are words of four bytes.
@group(0) @binding(4) var<storage, read> tables: array<u32>;
@group(0) @binding(5) var<storage, read> x: array<u32>;
@group(0) @binding(6) var<storage, read_write> y: array<value>;

// The byte of a code in a row of the layer, in place `k` of a word.
fn byte_of(row: u32, code: u32, k: u32) -> u32 {
    let word = tables[row * layer.table_words + (code >> 2u)];
    return ((word >> ((code & 3u) * 8u)) & 255u) << (k * 8u);
}

// The element of those columns that `nibble` marks, whose codes begin with number `first`.
fn mapped_element(row: u32, codes: u32, first: u32, nibble: u32) -> u32 {
    var word = 0u;
    var index = first;
    for (var k = 0u; k < 4u; k++) {
        if (nibble & (1u << k)) != 0u {
            word |= byte_of(row, field(codes, index * layer.bits, layer.bits), k);
            index++;
        }
    }
    return word;
}

// Element `e` of a row of fields.
fn field_element(row: u32, at: vec2u, e: u32) -> u32 {
    var word = 0u;
    for (var k = 0u; k < 4u; k++) {
        let col = e * 4u + k;
        if at.x == FIELDS {
            word |= byte_of(row, field(at.y, col * layer.bits, layer.bits), k);
        } else {
            let code = field(at.y, col * layer.zero_bits, layer.zero_bits);
            if code != 0u { word |= byte_of(row, code - 1u, k); }
        }
    }
    return word;
}
