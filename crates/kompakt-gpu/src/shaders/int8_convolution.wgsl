// A convolution over bytes, or such a linear layer for large batches: one workgroup per row and tile of positions, as in
// convolution.wgsl, with up to 512 elements of the row at a time.
var<workgroup> offsets: array<u32, 512>;
var<workgroup> taps: array<u32, 512>;
var<workgroup> elements: array<u32, 512>;

fn put(at: u32, e: u32, element: u32) {
    let window = layer.kernel_height * layer.kernel_width;
    let tap = e % window;
    let dy = tap / layer.kernel_width * layer.dilation_y;
    let dx = tap % layer.kernel_width * layer.dilation_x;
    offsets[at] = (e / window * layer.in_height + dy) * layer.in_width + dx;
    taps[at] = (dy << 16u) | dx;
    elements[at] = element;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, lane: Lane) {
    let area = layer.out_height * layer.out_width;
    let positions = run.x * area;
    let tiles = (positions + 64u * POSITIONS - 1u) / (64u * POSITIONS);
    let id = group.x + group.y * groups.x;
    if id >= layer.rows * tiles { return; }
    let r = id / tiles;
    let out = layer.first_row + r;
    let l = lane_of(lane);
    let row = row_at(r);

    let plane = layer.in_height * layer.in_width;
    let first_four = out / layer.rows_per_group * layer.in_channels;
    var top: array<i32, POSITIONS>;
    var left: array<i32, POSITIONS>;
    var origin: array<i32, POSITIONS>;
    var sums: array<i32, POSITIONS>;
    for (var p = 0u; p < POSITIONS; p++) {
        let q = min((id % tiles * POSITIONS + p) * 64u + l, positions - 1u);
        let at = q % area;
        top[p] = i32(at / layer.out_width * layer.stride_y) - i32(layer.pad_top);
        left[p] = i32(at % layer.out_width * layer.stride_x) - i32(layer.pad_left);
        let image = q / area * layer.in_image + first_four * plane;
        origin[p] = i32(image) + top[p] * i32(layer.in_width) + left[p];
        sums[p] = 0;
    }

    var code = 0u;
    for (var first = 0u; first < layer.cols; first += 2048u) {
        var n = min(512u, (layer.cols - first) / 4u);
        workgroupBarrier();
        if row.x >= FIELDS_WITH_ZERO {
            for (var j = l; j < n; j += 64u) { put(j, first / 4u + j, field_element(out, row, first / 4u + j)); }
        } else {
            let col = first + l * 32u;
            let bits = map_bits(row, col);
            // The lowest bit of every four that are not all 0.
            let pairs = bits | (bits >> 1u);
            var found = (pairs | (pairs >> 2u)) & 0x11111111u;
            let codes = scan(lane, countOneBits(bits));
            let place = scan(lane, countOneBits(found));
            var at = place.x;
            var index = code + codes.x;
            while found != 0u {
                let shift = countTrailingZeros(found);
                let nibble = (bits >> shift) & 15u;
                put(at, (col + shift) / 4u, mapped_element(out, row.y, index, nibble));
                index += countOneBits(nibble);
                at += 1u;
                found &= found - 1u;
            }
            n = place.y;
            code += codes.y;
        }
        workgroupBarrier();
        for (var j = 0u; j < n; j++) {
            let offset = i32(offsets[j]);
            let dy = i32(taps[j] >> 16u);
            let dx = i32(taps[j] & 65535u);
            let element = elements[j];
            for (var p = 0u; p < POSITIONS; p++) {
                let is_inside = u32(top[p] + dy) < layer.in_height && u32(left[p] + dx) < layer.in_width;
                // Padding is 0, which is the zero point.
                var word = layer.zeros;
                if is_inside { word = x[u32(origin[p] + offset)]; }
                sums[p] += dot4(element, word);
            }
        }
    }

    for (var p = 0u; p < POSITIONS; p++) {
        let q = (id % tiles * POSITIONS + p) * 64u + l;
        if q < positions { y[(q / area * layer.all_rows + out) * area + q % area] = finish(out, f32(sums[p])); }
    }
}
