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

// The scratch of a tile: six numbers per row, then, where codes are linked, three per kept weight.
fn class_of(id: u32, row: u32) -> u32 { return row; }
fn row_in_class(id: u32, i: u32) -> u32 { return tiles[id].rows + i; }
fn count_of(id: u32, row: u32) -> u32 { return 2u * tiles[id].rows + row; }
fn first_of(id: u32, row: u32) -> u32 { return 3u * tiles[id].rows + row; }
fn start_of(id: u32, row: u32) -> u32 { return 4u * tiles[id].rows + row; }
fn byte_of(id: u32, row: u32) -> u32 { return 5u * tiles[id].rows + row; }
fn weight_in(id: u32, list: u32, k: u32) -> u32 { return 6u * tiles[id].rows + list * tiles[id].max_kept + k; }
// Where each kept weight is in the tile, class by class; free for another list of weights once that is used.
const PLACES: u32 = 0u;
const LISTED: u32 = 1u;
// Row by row: the bit of its code, and in the highest bit whether it is linked to the weight before it.
const BITS: u32 = 2u;
const LINKED: u32 = 0x80000000u;

// The classes of the rows, the columns of the kept weights, and the maps. Returns how many are kept.
fn columns(lane: Lane, l: u32, id: u32) -> u32 {
    let rows = tiles[id].rows;
    let ways = tiles[id].ways;
    let map_bytes = (decode.cols + 7u) / 8u;
    for (var i = 0u; i < rows; i += ways) {
        let row = i + l;
        let has_turn = l < ways && row < rows;
        var class_number = 1u;
        if tiles[id].class_table != NONE { class_number = next_symbol(lane, id, tiles[id].class_table, has_turn); }
        if has_turn {
            poke(id, class_of(id, row), class_number);
            poke(id, count_of(id, row), 0u);
        }
    }
    synchronise();
    var kept = 0u;
    for (var c = 0u; c < tiles[id].classes; c++) {
        var in_class = 0u;
        for (var i = 0u; i < rows; i += 64u) {
            var is_mine = false;
            if i + l < rows { is_mine = peek(id, class_of(id, i + l)) == c + 1u; }
            let place = ballot(lane, is_mine);
            if is_mine { poke(id, row_in_class(id, in_class + place.x), i + l); }
            in_class += place.y;
        }
        synchronise();
        let cap = tiles[id].caps[c];
        let first_kept = kept;
        let end = in_class * decode.cols;
        var past = 0u; // weights before the next symbol's
        for (var i = 0u; i < tiles[id].gaps[c]; i += ways) {
            let has_turn = l < ways && i + l < tiles[id].gaps[c];
            let symbol = next_symbol(lane, id, tiles[id].gap_tables[c], has_turn);
            let is_kept = has_turn && symbol != cap;
            // The sum of up to 64 gaps of at most 256 is below 2^16.
            let here = select(0u, symbol, has_turn) + select(0u, 0x10001u, is_kept);
            let place = scan(lane, here);
            let at = past + (place.x & 0xffffu) + symbol;
            let k = kept + (place.x >> 16u);
            if is_kept {
                if at < end && k < tiles[id].max_kept {
                    let row = peek(id, row_in_class(id, at / decode.cols));
                    let column = at % decode.cols;
                    if tiles[id].reach > 0u { poke(id, weight_in(id, PLACES, k), row * decode.cols + column); }
                    atomicAdd(&scratch[tiles[id].scratch + count_of(id, row)], 1u);
                    put(tiles[id].maps + row * map_bytes, column, 1u);
                } else {
                    is_broken = true;
                }
            }
            past = min(past + (place.y & 0xffffu), end + 1u);
            kept = min(kept + (place.y >> 16u), tiles[id].max_kept);
        }
        if past > end { is_broken = true; }
        synchronise();
        // How many of the kept weights, class by class, come before each of its rows.
        let n = agree(l, in_class);
        var before = first_kept;
        for (var i = 0u; i < n; i += 64u) {
            var count = 0u;
            var row = 0u;
            if i + l < n {
                row = peek(id, row_in_class(id, i + l));
                count = peek(id, count_of(id, row));
            }
            let place = scan(lane, count);
            if i + l < n { poke(id, first_of(id, row), before + place.x); }
            before += place.y;
        }
        synchronise();
    }
    return agree(l, kept);
}

// How many kept weights come before each row, and where its codes begin.
fn lay_out(lane: Lane, l: u32, id: u32) {
    let map_bytes = (decode.cols + 7u) / 8u;
    var before = 0u;
    var byte = 0u;
    for (var i = 0u; i < tiles[id].rows; i += 64u) {
        let row = i + l;
        let is_there = row < tiles[id].rows;
        var count = 0u;
        if is_there { count = peek(id, count_of(id, row)); }
        let start = scan(lane, count);
        let at = scan(lane, (count * decode.bits + 7u) / 8u);
        if is_there {
            poke(id, start_of(id, row), before + start.x);
            poke(id, byte_of(id, row), byte + at.x);
            row_starts(id, row, tiles[id].maps + row * map_bytes, tiles[id].codes + byte + at.x);
        }
        before += start.y;
        byte += at.y;
    }
    synchronise();
}

// The codes, row by row.
fn codes_in_order(lane: Lane, l: u32, id: u32, kept: u32) {
    for (var i = 0u; i < kept; i += tiles[id].ways) {
        let k = i + l;
        let has_turn = l < tiles[id].ways && k < kept;
        let code = next_symbol(lane, id, tiles[id].code_tables[0], has_turn);
        if has_turn {
            // The last row that starts at or before it.
            var low = 0u;
            var high = tiles[id].rows;
            while high - low > 1u {
                let middle = (low + high) / 2u;
                if peek(id, start_of(id, middle)) <= k { low = middle; } else { high = middle; }
            }
            let bit = (k - peek(id, start_of(id, low))) * decode.bits;
            put(tiles[id].codes + peek(id, byte_of(id, low)), bit, code);
        }
    }
}

// The codes: the starts, then the weights linked to them, then those linked to these, and so on.
fn codes_by_link(lane: Lane, l: u32, id: u32, kept: u32) {
    for (var k = l; k < kept; k += 64u) {
        let place = peek(id, weight_in(id, PLACES, k));
        let row = min(place / decode.cols, tiles[id].rows - 1u);
        let j = k - peek(id, first_of(id, row));
        let i = peek(id, start_of(id, row)) + j;
        var bit = 8u * peek(id, byte_of(id, row)) + j * decode.bits;
        if j > 0u && k > 0u && place - peek(id, weight_in(id, PLACES, k - 1u)) <= tiles[id].reach { bit |= LINKED; }
        if i < kept { poke(id, weight_in(id, BITS, i), bit); } else { is_broken = true; }
    }
    synchronise();
    // A list has weights linked to a negative one from its beginning on, and the others from its end back.
    var here = vec2u();
    for (var i = 0u; i < kept; i += 64u) {
        var is_start = false;
        if i + l < kept { is_start = peek(id, weight_in(id, BITS, i + l)) < LINKED; }
        let place = ballot(lane, is_start);
        if is_start { poke(id, weight_in(id, LISTED, here.x + place.x), i + l); }
        here.x += place.y;
    }
    synchronise();
    var generation = 0u;
    var first = agree(l, here.x);
    var second = 0u;
    while first + second > 0u {
        let list = LISTED - (generation & 1u);
        let next_list = 1u - list;
        var following = vec2u();
        for (var which = 0u; which < 2u; which++) {
            let n = select(first, second, which == 1u);
            let kind = select(which + 1u, 0u, generation == 0u);
            for (var i = 0u; i < n; i += tiles[id].ways) {
                let has_turn = l < tiles[id].ways && i + l < n;
                let code = next_symbol(lane, id, tiles[id].code_tables[kind], has_turn);
                var number = 0u;
                var is_followed = false;
                if has_turn {
                    let at = select(i + l, tiles[id].max_kept - 1u - (i + l), which == 1u);
                    number = peek(id, weight_in(id, list, at));
                    put(tiles[id].codes, peek(id, weight_in(id, BITS, number)) & ~LINKED, code);
                    if number + 1u < kept { is_followed = peek(id, weight_in(id, BITS, number + 1u)) >= LINKED; }
                }
                let is_negative = code < decode.negative;
                let place = scan(lane, select(0u, select(0x10000u, 1u, is_negative), is_followed));
                if is_followed {
                    let before = following + vec2u(place.x & 0xffffu, place.x >> 16u);
                    let to = select(tiles[id].max_kept - 1u - before.y, before.x, is_negative);
                    poke(id, weight_in(id, next_list, to), number + 1u);
                }
                following += vec2u(place.y & 0xffffu, place.y >> 16u);
            }
        }
        synchronise();
        first = agree(l, following.x);
        second = agree(l, following.y);
        generation += 1u;
    }
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
