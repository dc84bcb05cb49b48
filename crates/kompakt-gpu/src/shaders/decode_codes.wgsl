// The codes of a tile's kept weights, in the order of the maps or along links.

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
