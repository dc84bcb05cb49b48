// Rows of a layer's weights, zeros included: one workgroup per index. Rows that are not in this block are
// skipped.
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, lane: Lane) {
    let id = group.x + group.y * groups.x;
    if id >= layer.in_image * run.x { return; }
    let l = lane_of(lane);
    load_codebook(l);
    let out = row_named(f32(x[id]), layer.all_rows);
    if out < layer.first_row || out >= layer.first_row + layer.rows { return; }
    let row = row_at(out - layer.first_row);
    let start = id * layer.cols;
    if row.x >= FIELDS_WITH_ZERO {
        for (var col = l; col < layer.cols; col += 64u) { y[start + col] = finish(out, field_weight(row, col)); }
        return;
    }
    var code = 0u;
    for (var first = 0u; first < layer.cols; first += 2048u) {
        let col = first + l * 32u;
        let bits = map_bits(row, col);
        let place = scan(lane, countOneBits(bits));
        var index = code + place.x;
        for (var i = 0u; i < 32u && col + i < layer.cols; i++) {
            var w = 0.0;
            if ((bits >> i) & 1u) == 1u {
                w = kept_weight(row.y, index);
                index += 1u;
            }
            y[start + col + i] = finish(out, w);
        }
        code += place.y;
    }
}
