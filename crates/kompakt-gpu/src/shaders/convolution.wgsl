// A convolution, or a linear layer for large batches: one workgroup per row and tile of positions.
//
// Up to 512 weights of the row at a time are unpacked into a list in workgroup memory, each with its offset
// in the input; then each lane walks the list for its own positions. A position is an output pixel of one of
// the images.
const CHUNK: u32 = 512u;

var<workgroup> offsets: array<u32, 512>;
var<workgroup> taps: array<u32, 512>;
var<workgroup> values: array<f32, 512>;

fn put(at: u32, col: u32, w: f32) {
    let window = layer.kernel_height * layer.kernel_width;
    let channel = col / window;
    let tap = col % window;
    let dy = tap / layer.kernel_width * layer.dilation_y;
    let dx = tap % layer.kernel_width * layer.dilation_x;
    offsets[at] = (channel * layer.in_height + dy) * layer.in_width + dx;
    taps[at] = (dy << 16u) | dx;
    values[at] = w;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, lane: Lane) {
    let area = layer.out_height * layer.out_width;
    let positions = run.x * area;
    let tiles = (positions + 64u * POSITIONS - 1u) / (64u * POSITIONS);
    let id = group.x + group.y * groups.x;
    if id >= layer.rows * tiles { return; }
    let r = id / tiles;
    let l = lane_of(lane);
    load_codebook(l);
    let row = row_at(r);

    let plane = layer.in_height * layer.in_width;
    let first_channel = (layer.first_row + r) / layer.rows_per_group * layer.in_channels;
    var top: array<i32, POSITIONS>;
    var left: array<i32, POSITIONS>;
    var origin: array<i32, POSITIONS>;
    var sums: array<f32, POSITIONS>;
    for (var p = 0u; p < POSITIONS; p++) {
        let q = min((id % tiles * POSITIONS + p) * 64u + l, positions - 1u);
        let at = q % area;
        top[p] = i32(at / layer.out_width * layer.stride_y) - i32(layer.pad_top);
        left[p] = i32(at % layer.out_width * layer.stride_x) - i32(layer.pad_left);
        let image = q / area * layer.in_image + first_channel * plane;
        origin[p] = i32(image) + top[p] * i32(layer.in_width) + left[p];
        sums[p] = 0.0;
    }

    var code = 0u;
    for (var first = 0u; first < layer.cols; first += CHUNK) {
        var n = min(CHUNK, layer.cols - first);
        workgroupBarrier();
        if row.x >= FIELDS_WITH_ZERO {
            for (var j = l; j < n; j += 64u) { put(j, first + j, field_weight(row, first + j)); }
        } else {
            let col = first + l * 8u;
            var bits = map_bits(row, col) & 255u;
            let place = scan(lane, countOneBits(bits));
            var at = place.x;
            while bits != 0u {
                put(at, col + countTrailingZeros(bits), kept_weight(row.y, code + at));
                bits &= bits - 1u;
                at += 1u;
            }
            n = place.y;
        }
        code += n;
        workgroupBarrier();
        for (var j = 0u; j < n; j++) {
            let offset = i32(offsets[j]);
            let dy = i32(taps[j] >> 16u);
            let dx = i32(taps[j] & 65535u);
            let w = values[j];
            for (var p = 0u; p < POSITIONS; p++) {
                let is_inside = u32(top[p] + dy) < layer.in_height && u32(left[p] + dx) < layer.in_width;
                if is_inside { sums[p] += w * f32(x[u32(origin[p] + offset)]); }
            }
        }
    }

    let out = layer.first_row + r;
    for (var p = 0u; p < POSITIONS; p++) {
        let q = (id % tiles * POSITIONS + p) * 64u + l;
        if q < positions { y[(q / area * layer.all_rows + out) * area + q % area] = finish(out, sums[p]); }
    }
}
