// Common to all shaders of layers with weights: the geometry, and the weights as `block.rs` packs them.
struct Layer {
    // Rows of this block of the matrix, and columns.
    rows: u32,
    cols: u32,
    // Bits per code (32: an f32 instead), and per field where pruned weights have one; entries of the
    // codebook.
    bits: u32,
    zero_bits: u32,
    levels: u32,
    // Index of the block's first row in the layer's output, and the number of rows of all blocks.
    first_row: u32,
    all_rows: u32,
    rows_per_group: u32,
    // Elements per image of the input; its channels per group.
    in_image: u32,
    in_channels: u32,
    in_height: u32,
    in_width: u32,
    out_height: u32,
    out_width: u32,
    kernel_height: u32,
    kernel_width: u32,
    stride_y: u32,
    stride_x: u32,
    pad_top: u32,
    pad_left: u32,
    dilation_y: u32,
    dilation_x: u32,
    activation: u32,
    a: f32,
    b: f32,
    // Of a recurrent layer.
    cell: u32,
    is_reverse: u32,
    // Of a layer over bytes: words from the table of a row to the next (0: all have the same), and four bytes of 0.
    table_words: u32,
    zeros: u32,
    unused_a: u32,
    unused_b: u32,
    unused_c: u32,
}

@group(0) @binding(0) var<uniform> layer: Layer;
@group(0) @binding(1) var<uniform> run: vec4u; // x: images in this run
@group(0) @binding(2) var<storage, read> weights: array<u32>;
// Scale, then shift, of each row of the layer.
@group(0) @binding(3) var<storage, read> epilogue: array<f32>;

const FIELDS: u32 = 0xffffffffu;
const FIELDS_WITH_ZERO: u32 = 0xfffffffeu;

// 0, then the levels.
var<workgroup> codebook: array<f32, 257>;

// Called by all 64 lanes; ends with a barrier.
fn load_codebook(lane: u32) {
    if lane == 0u { codebook[0] = 0.0; }
    for (var i = lane; i < layer.levels; i += 64u) { codebook[i + 1u] = bitcast<f32>(weights[i]); }
    workgroupBarrier();
}

// Byte offsets of a row's map and codes; in place of a map offset, the constants above.
fn row_at(row: u32) -> vec2u {
    let at = layer.levels + 2u * row;
    return vec2u(weights[at], weights[at + 1u]);
}

// `n` bits, 1 to 32, from bit `at` after byte `byte`.
fn field(byte: u32, at: u32, n: u32) -> u32 {
    let low = (byte & 3u) * 8u + (at & 31u);
    let word = (byte >> 2u) + (at >> 5u) + (low >> 5u);
    let shift = low & 31u;
    var bits = weights[word] >> shift;
    if shift + n > 32u { bits |= weights[word + 1u] << (32u - shift); }
    return bits & (0xffffffffu >> (32u - n));
}

// Weight number `index` of those that have a code.
fn kept_weight(codes: u32, index: u32) -> f32 {
    let code = field(codes, index * layer.bits, layer.bits);
    if layer.bits == 32u { return bitcast<f32>(code); }
    return codebook[min(code, 255u) + 1u];
}

// The weight of a column in a row of fields.
fn field_weight(row: vec2u, col: u32) -> f32 {
    if row.x == FIELDS { return kept_weight(row.y, col); }
    return codebook[min(field(row.y, col * layer.zero_bits, layer.zero_bits), 256u)];
}

// 32 bits of a row's map, from column `col` on: bits past the last column are 0.
fn map_bits(row: vec2u, col: u32) -> u32 {
    if col >= layer.cols { return 0u; }
    let bits = field(row.x, col, 32u);
    let left = layer.cols - col;
    if left < 32u { return bits & ((1u << left) - 1u); }
    return bits;
}

fn finish(row: u32, sum: f32) -> value {
    let v = sum * epilogue[row] + epilogue[layer.all_rows + row];
    return value(activate(layer.activation, layer.a, layer.b, v));
}
