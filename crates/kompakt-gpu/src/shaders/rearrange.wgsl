// Moves elements: slice, pad, transpose, gather, spread, and the parts of a concatenation.
//
// Index `i` of the result along dimension `d` reads index `(i * times - minus) / by` of the input, and is 0
// where that is out of range or not an integer; along the dimension `table_axis` it reads `table[i]`. `to` is
// the output stride.
struct Rearrange {
    n: u32,        // elements written per image
    x_image: u32,  // elements per image of the input
    y_image: u32,  // elements per image of the result
    y_first: u32,  // offset of the written elements in it
    rank: u32,
    table_axis: u32,
    unused_0: u32,
    unused_1: u32,
    sizes: array<vec4u, 2>,
    x_sizes: array<vec4u, 2>,
    x_strides: array<vec4u, 2>,
    times: array<vec4u, 2>,
    minus: array<vec4i, 2>,
    by: array<vec4u, 2>,
    to: array<vec4u, 2>,
}

@group(0) @binding(0) var<uniform> step: Rearrange;
@group(0) @binding(1) var<uniform> run: vec4u;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read> x: array<value>;
@group(0) @binding(4) var<storage, read_write> y: array<value>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= step.n * run.x { return; }
    let image = i / step.n;
    var rest = i % step.n;
    var base = image * step.x_image;
    var to = image * step.y_image + step.y_first;
    var is_inside = true;
    for (var d = step.rank; d > 0u; d--) {
        let k = d - 1u;
        let size = step.sizes[k / 4u][k % 4u];
        var at = i32(rest % size);
        to += rest % size * step.to[k / 4u][k % 4u];
        rest /= size;
        if k == step.table_axis {
            at = i32(table[at]);
        } else {
            let by = i32(step.by[k / 4u][k % 4u]);
            at = at * i32(step.times[k / 4u][k % 4u]) - step.minus[k / 4u][k % 4u];
            is_inside = is_inside && at >= 0 && at % by == 0 && u32(at / by) < step.x_sizes[k / 4u][k % 4u];
            at = select(0, at / by, is_inside);
        }
        base += u32(at) * step.x_strides[k / 4u][k % 4u];
    }
    var v = value(0.0);
    if is_inside { v = x[base]; }
    y[to] = v;
}
