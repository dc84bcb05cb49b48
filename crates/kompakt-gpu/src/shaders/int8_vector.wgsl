// A linear layer over bytes for small batches: one workgroup per row and image, as in matrix_vector.wgsl.
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, lane: Lane) {
    let id = group.x + group.y * groups.x;
    if id >= layer.rows * run.x { return; }
    let r = id % layer.rows;
    let image = id / layer.rows;
    let out = layer.first_row + r;
    let l = lane_of(lane);
    let row = row_at(r);
    let base = image * layer.in_image;
    var sum = 0;
    if row.x >= FIELDS_WITH_ZERO {
        for (var e = l; e < layer.cols / 4u; e += 64u) { sum += dot4(field_element(out, row, e), x[base + e]); }
    } else {
        var code = 0u;
        for (var first = 0u; first < layer.cols; first += 2048u) {
            let col = first + l * 32u;
            let bits = map_bits(row, col);
            let place = scan(lane, countOneBits(bits));
            var index = code + place.x;
            for (var k = 0u; k < 8u; k++) {
                let nibble = (bits >> (k * 4u)) & 15u;
                if nibble != 0u {
                    sum += dot4(mapped_element(out, row.y, index, nibble), x[base + col / 4u + k]);
                    index += countOneBits(nibble);
                }
            }
            code += place.y;
        }
    }
    // A sum of words that wraps is that of signed integers.
    let all = bitcast<i32>(scan(lane, bitcast<u32>(sum)).y);
    if l == 0u { y[image * layer.all_rows + out] = finish(out, f32(all)); }
}
