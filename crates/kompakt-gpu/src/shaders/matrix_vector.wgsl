// A linear layer for small batches: one workgroup per row and image, its lanes stride over the columns.
//
// W (rows, cols) @ x (cols) -> y (rows). Each lane reads 32 bits of the map at a time; a prefix sum over the
// lanes locates its first code.
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, lane: Lane) {
    let id = group.x + group.y * groups.x;
    if id >= layer.rows * run.x { return; }
    let r = id % layer.rows;
    let image = id / layer.rows;
    let l = lane_of(lane);
    load_codebook(l);
    let row = row_at(r);
    let base = image * layer.in_image;
    var sum = 0.0;
    if row.x >= FIELDS_WITH_ZERO {
        for (var col = l; col < layer.cols; col += 64u) { sum += field_weight(row, col) * f32(x[base + col]); }
    } else {
        var code = 0u;
        for (var first = 0u; first < layer.cols; first += 2048u) {
            let col = first + l * 32u;
            var bits = map_bits(row, col);
            let place = scan(lane, countOneBits(bits));
            var index = code + place.x;
            while bits != 0u {
                sum += kept_weight(row.y, index) * f32(x[base + col + countTrailingZeros(bits)]);
                bits &= bits - 1u;
                index += 1u;
            }
            code += place.y;
        }
    }
    let all = total(lane, sum);
    if l == 0u {
        let out = layer.first_row + r;
        y[image * layer.all_rows + out] = finish(out, all);
    }
}
