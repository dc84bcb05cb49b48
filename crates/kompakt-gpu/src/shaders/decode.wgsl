// Decodes tiles of the tier `stream` into rows as `block.rs` packs them: one workgroup per tile, one lane per rANS state.
// Lanes whose state has become small take a word each, in the order of the lanes: a ballot says which.
//
// spec/format-stream.md defines the symbols. `result` says of each tile whether it breaks a rule. Nothing is written
// outside of the tile's own part of `out`, whatever the bytes.
struct Decode {
    first_tile: u32,
    tiles: u32,
    cols: u32,
    levels: u32,
    negative: u32,   // levels below zero
    bits: u32,       // per code
    zero_bits: u32,  // per field where pruned weights have one
    unused: u32,
}

struct Tile {
    states: u32,       // first byte of the states
    words: u32,        // 16-bit words after them
    ways: u32,
    rows: u32,
    row_table: u32,    // first word of its rows' offsets in `out`
    maps: u32,         // first byte of its maps, or fields; a whole word
    codes: u32,        // first byte of its codes
    end: u32,          // the word behind the last
    scratch: u32,      // first word
    max_kept: u32,
    form: u32,
    class_table: u32,  // of the classes of rows; all ones: every row is of class 1
    classes: u32,
    reach: u32,
    code_tables: array<u32, 3>,
    // Of each class.
    caps: array<u32, 7>,
    gap_tables: array<u32, 7>,
    gaps: array<u32, 7>,
    unused: array<u32, 2>,
}

const SPARSE: u32 = 0u;
const FIELDS: u32 = 1u;
const FIELDS_WITH_ZERO: u32 = 2u;
const NOTHING_KEPT: u32 = 3u;
const NONE: u32 = 0xffffffffu;

@group(0) @binding(0) var<uniform> decode: Decode;
@group(0) @binding(1) var<storage, read> tiles: array<Tile>;
// The levels, then the tiles.
@group(0) @binding(2) var<storage, read> bytes: array<u32>;
// 4096 transitions per table: symbol, frequency << 8, bias << 20.
@group(0) @binding(3) var<storage, read> slots: array<u32>;
@group(0) @binding(4) var<storage, read_write> scratch: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read_write> out: array<atomic<u32>>;
// Of each tile: lanes that found it broken, kept weights.
@group(0) @binding(6) var<storage, read_write> result: array<u32>;

var<private> state: u32;
var<private> used: u32;
var<private> is_broken: bool;
var<workgroup> agreed: u32;

// A value that all lanes have, as one that branches may depend on.
fn agree(l: u32, v: u32) -> u32 {
    if l == 0u { agreed = v; }
    return workgroupUniformLoad(&agreed);
}

fn synchronise() {
    storageBarrier();
    workgroupBarrier();
}

fn peek(id: u32, at: u32) -> u32 { return atomicLoad(&scratch[tiles[id].scratch + at]); }
fn poke(id: u32, at: u32, v: u32) { atomicStore(&scratch[tiles[id].scratch + at], v); }

fn byte_at(at: u32) -> u32 { return (bytes[at >> 2u] >> ((at & 3u) * 8u)) & 255u; }
fn half_at(at: u32) -> u32 { return byte_at(at) | (byte_at(at + 1u) << 8u); }

// The next symbol of this lane, if it has a turn.
fn next_symbol(lane: Lane, id: u32, table: u32, has_turn: bool) -> u32 {
    let entry = slots[table * 4096u + (state & 4095u)];
    let frequency = (entry >> 8u) & 4095u;
    var is_small = false;
    // Frequency 0: the symbol has all slots and leaves the state as it is.
    if has_turn && frequency != 0u {
        state = frequency * (state >> 12u) + ((state + (entry >> 20u)) & 4095u);
        is_small = state < 65536u;
    }
    let place = ballot(lane, is_small);
    if is_small {
        let word = used + place.x;
        if word < tiles[id].words {
            state = (state << 16u) | half_at(tiles[id].states + 4u * tiles[id].ways + 2u * word);
        } else {
            is_broken = true;
        }
    }
    used += place.y;
    return entry & 255u;
}

// Writes the low bits of `v` at bit `bit` after byte `byte`; what is there is 0.
fn put(byte: u32, bit: u32, v: u32) {
    let low = (byte & 3u) * 8u + (bit & 31u);
    let word = (byte >> 2u) + (bit >> 5u) + (low >> 5u);
    let shift = low & 31u;
    atomicOr(&out[word], v << shift);
    if shift != 0u && (v >> (32u - shift)) != 0u { atomicOr(&out[word + 1u], v >> (32u - shift)); }
}

fn row_starts(id: u32, row: u32, map: u32, codes: u32) {
    atomicStore(&out[tiles[id].row_table + 2u * row], map);
    atomicStore(&out[tiles[id].row_table + 2u * row + 1u], codes);
}

// Every weight has a symbol. Returns how many are kept.
fn dense(lane: Lane, l: u32, id: u32) -> u32 {
    var kept = 0u;
    let has_zero = tiles[id].form == FIELDS_WITH_ZERO;
    let bits = select(decode.bits, decode.zero_bits, has_zero);
    let row_bytes = (decode.cols * bits + 7u) / 8u;
    let n = tiles[id].rows * decode.cols;
    for (var i = 0u; i < n; i += tiles[id].ways) {
        let at = i + l;
        let has_turn = l < tiles[id].ways && at < n;
        let symbol = next_symbol(lane, id, tiles[id].code_tables[0], has_turn);
        if has_turn {
            put(tiles[id].maps + at / decode.cols * row_bytes, at % decode.cols * bits, symbol);
            if !has_zero || symbol != 0u { kept += 1u; }
        }
    }
    for (var row = l; row < tiles[id].rows; row += 64u) {
        row_starts(id, row, select(0xffffffffu, 0xfffffffeu, has_zero), tiles[id].maps + row * row_bytes);
    }
    return scan(lane, kept).y;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, lane: Lane) {
    let number = group.x + group.y * groups.x;
    if number >= decode.tiles { return; }
    let id = decode.first_tile + number;
    let l = lane_of(lane);
    if number == 0u {
        for (var i = l; i < decode.levels; i += 64u) { atomicStore(&out[i], bytes[i]); }
    }
    for (var w = tiles[id].maps / 4u + l; w < tiles[id].end; w += 64u) { atomicStore(&out[w], 0u); }
    state = 65536u;
    if l < tiles[id].ways && tiles[id].form != NOTHING_KEPT {
        let at = tiles[id].states + 4u * l;
        state = half_at(at) | (half_at(at + 2u) << 16u);
    }
    synchronise();
    var kept = 0u;
    if tiles[id].form == FIELDS || tiles[id].form == FIELDS_WITH_ZERO {
        kept = dense(lane, l, id);
    } else {
        kept = columns(lane, l, id);
        lay_out(lane, l, id);
        if tiles[id].reach > 0u {
            codes_by_link(lane, l, id, kept);
        } else {
            codes_in_order(lane, l, id, kept);
        }
    }
    // Rule R-4, and whatever was found on the way.
    let n_broken = ballot(lane, is_broken || state != 65536u || used != tiles[id].words).y;
    if l == 0u {
        result[2u * id] = n_broken;
        result[2u * id + 1u] = kept;
    }
}
