// Which weights of a tile are kept: the classes of its rows, the columns, the maps; and the scratch in which that is noted.

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
