// Gathers along a dimension, at the indices in a second value: one lane per element.
struct Take {
    n: u32,        // size of the dimension
    inner: u32,    // its stride
    k: u32,        // indices per image
    outer: u32,
}

@group(0) @binding(0) var<uniform> step: Take;
@group(0) @binding(1) var<uniform> run: vec4u;
@group(0) @binding(2) var<storage, read> x: array<value>;
@group(0) @binding(3) var<storage, read> indices: array<value>;
@group(0) @binding(4) var<storage, read_write> y: array<value>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = id.x + id.y * groups.x * 64u;
    let part = step.k * step.inner;
    if i >= step.outer * part * run.x { return; }
    let image = i / part / step.outer;
    let row = row_named(f32(indices[image * step.k + i % part / step.inner]), step.n);
    y[i] = x[(i / part * step.n + row) * step.inner + i % step.inner];
}
