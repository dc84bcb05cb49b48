// A convolution over bytes, or such a linear layer for large batches, whose rows keep most of their weights: 32 rows and 32
// positions per workgroup, as in tile.wgsl, 16 elements at a time.
const CHUNK: u32 = 16u;

// [element][row] and [element][position].
var<workgroup> w_tile: array<u32, 512>;
var<workgroup> x_tile: array<u32, 512>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) l: u32,
) {
    let area = layer.out_height * layer.out_width;
    let positions = run.x * area;
    let tiles = (positions + 31u) / 32u;
    let id = group.x + group.y * groups.x;
    if id >= (layer.rows + 31u) / 32u * tiles { return; }

    // The elements that this lane loads: 8 of one row and of one position.
    let first_row = id / tiles * 32u;
    let first_position = id % tiles * 32u;
    let brought_row = first_row + l % 32u;
    let row = row_at(min(brought_row, layer.rows - 1u));
    let q = first_position + l % 32u;
    let at = min(q, positions - 1u);
    let top = i32(at % area / layer.out_width * layer.stride_y) - i32(layer.pad_top);
    let left = i32(at % layer.out_width * layer.stride_x) - i32(layer.pad_left);
    let image = at / area * layer.in_image;
    let window = layer.kernel_height * layer.kernel_width;

    // Its accumulators.
    let r = l / 8u * 4u;
    let p = l % 8u * 4u;
    var sums = array<vec4i, 4>(vec4i(), vec4i(), vec4i(), vec4i());
    for (var first = 0u; first < layer.cols / 4u; first += CHUNK) {
        workgroupBarrier();
        for (var j = 0u; j < 8u; j++) {
            let k = l / 32u * 8u + j;
            let e = first + k;
            var w = 0u;
            var v = layer.zeros;
            if e < layer.cols / 4u {
                if brought_row < layer.rows { w = field_element(layer.first_row + brought_row, row, e); }
                let tap = e % window;
                let iy = top + i32(tap / layer.kernel_width * layer.dilation_y);
                let ix = left + i32(tap % layer.kernel_width * layer.dilation_x);
                if u32(iy) < layer.in_height && u32(ix) < layer.in_width {
                    let plane = e / window * layer.in_height;
                    v = x[image + (plane + u32(iy)) * layer.in_width + u32(ix)];
                }
            }
            w_tile[k * 32u + l % 32u] = w;
            x_tile[k * 32u + l % 32u] = v;
        }
        workgroupBarrier();
        for (var k = 0u; k < CHUNK; k++) {
            for (var i = 0u; i < 4u; i++) {
                let w = w_tile[k * 32u + r + i];
                let b = k * 32u + p;
                sums[i] += vec4i(dot4(w, x_tile[b]), dot4(w, x_tile[b + 1u]), dot4(w, x_tile[b + 2u]), dot4(w, x_tile[b + 3u]));
            }
        }
    }

    for (var i = 0u; i < 4u; i++) {
        let out = layer.first_row + first_row + r + i;
        if first_row + r + i < layer.rows {
            for (var j = 0u; j < 4u; j++) {
                let to = first_position + p + j;
                if to < positions { y[(to / area * layer.all_rows + out) * area + to % area] = finish(out, f32(sums[i][j])); }
            }
        }
    }
}
