// The largest or smallest elements along a dimension, in order, the first of equals first: one lane per
// column.
struct TopK {
    n: u32,
    k: u32,
    inner: u32,    // stride of the dimension
    outer: u32,
    largest: u32,
    indices: u32,  // whether indices are returned
    unused_0: u32,
    unused_1: u32,
}

@group(0) @binding(0) var<uniform> step: TopK;
@group(0) @binding(1) var<uniform> run: vec4u;
@group(0) @binding(2) var<storage, read> x: array<value>;
@group(0) @binding(3) var<storage, read_write> y: array<value>;

// A sort key in the total order of f32: from -NaN to NaN, -0 before 0; reversed where the largest are wanted.
fn key(v: f32) -> u32 {
    let bits = bitcast<u32>(v);
    let ascending = select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
    return select(ascending, ~ascending, step.largest == 1u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= step.outer * step.inner * run.x { return; }
    let start = i / step.inner * step.n * step.inner + i % step.inner;
    let to = i / step.inner * step.k * step.inner + i % step.inner;
    var last = vec2u(); // key and index of the previous one
    for (var rank = 0u; rank < step.k; rank++) {
        var best = vec2u(0xffffffffu, 0xffffffffu);
        for (var j = 0u; j < step.n; j++) {
            let k = key(f32(x[start + j * step.inner]));
            let is_after = rank == 0u || k > last.x || (k == last.x && j > last.y);
            if is_after && (k < best.x || (k == best.x && j < best.y)) { best = vec2u(k, j); }
        }
        last = best;
        let place = min(best.y, step.n - 1u);
        if step.indices == 1u {
            y[to + rank * step.inner] = value(f32(place));
        } else {
            y[to + rank * step.inner] = x[start + place * step.inner];
        }
    }
}
