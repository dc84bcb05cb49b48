// Batched matrix products over the last two dimensions: 16 by 16 elements per workgroup, 16 terms at a time;
// each lane sums 4 elements of a column.
struct MatMul {
    m: u32,
    n: u32,
    k: u32,
    matrices: u32, // per image of the result
    a_image: u32,
    b_image: u32,
    rank: u32,     // dimensions before the last two
    unused_0: u32,
    sizes: array<vec4u, 2>,
    a_strides: array<vec4u, 2>,
    b_strides: array<vec4u, 2>,
}

@group(0) @binding(0) var<uniform> step: MatMul;
@group(0) @binding(1) var<uniform> run: vec4u;
@group(0) @binding(2) var<storage, read> a: array<value>;
@group(0) @binding(3) var<storage, read> b: array<value>;
@group(0) @binding(4) var<storage, read_write> y: array<value>;

var<workgroup> a_tile: array<f32, 256>;
var<workgroup> b_tile: array<f32, 256>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) l: u32,
) {
    let id = group.x + group.y * groups.x;
    let across = (step.n + 15u) / 16u;
    let tiles = across * ((step.m + 15u) / 16u);
    if id >= tiles * step.matrices * run.x { return; }
    let matrix = id / tiles;
    let first_row = id % tiles / across * 16u;
    let first_column = id % tiles % across * 16u;
    let image = matrix / step.matrices;
    var a_start = image * step.a_image;
    var b_start = image * step.b_image;
    var rest = matrix % step.matrices;
    for (var d = step.rank; d > 0u; d--) {
        let q = (d - 1u) / 4u;
        let k = (d - 1u) % 4u;
        a_start += rest % step.sizes[q][k] * step.a_strides[q][k];
        b_start += rest % step.sizes[q][k] * step.b_strides[q][k];
        rest /= step.sizes[q][k];
    }
    var sums = vec4f();
    for (var first = 0u; first < step.k; first += 16u) {
        workgroupBarrier();
        for (var i = l; i < 256u; i += 64u) {
            let r = i / 16u;
            let c = i % 16u;
            var v = 0.0;
            var w = 0.0;
            if first_row + r < step.m && first + c < step.k { v = f32(a[a_start + (first_row + r) * step.k + first + c]); }
            if first + r < step.k && first_column + c < step.n {
                w = f32(b[b_start + (first + r) * step.n + first_column + c]);
            }
            a_tile[i] = v;
            b_tile[i] = w;
        }
        workgroupBarrier();
        let r = l / 16u * 4u;
        for (var k = 0u; k < 16u; k++) {
            let w = b_tile[k * 16u + l % 16u];
            sums += w * vec4f(a_tile[r * 16u + k], a_tile[r * 16u + 16u + k], a_tile[r * 16u + 32u + k], a_tile[r * 16u + 48u + k]);
        }
    }
    let column = first_column + l % 16u;
    for (var j = 0u; j < 4u; j++) {
        let row = first_row + l / 16u * 4u + j;
        if row < step.m && column < step.n { y[(matrix * step.m + row) * step.n + column] = value(sums[j]); }
    }
}
