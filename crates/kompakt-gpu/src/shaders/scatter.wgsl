// Writes rows to indexed rows, first to last: one lane per element of the result scans all updates.
struct Scatter {
    n: u32,        // rows
    m: u32,        // columns
    k: u32,        // rows that are written
    update: u32,   // 0 set, 1 add, 2 multiply, 3 maximum, 4 minimum
}

@group(0) @binding(0) var<uniform> step: Scatter;
@group(0) @binding(1) var<uniform> run: vec4u;
@group(0) @binding(2) var<storage, read> x: array<value>;
@group(0) @binding(3) var<storage, read> indices: array<value>;
@group(0) @binding(4) var<storage, read> updates: array<value>;
@group(0) @binding(5) var<storage, read_write> y: array<value>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = id.x + id.y * groups.x * 64u;
    let size = step.n * step.m;
    if i >= size * run.x { return; }
    let image = i / size;
    let row = i % size / step.m;
    var v = f32(x[i]);
    for (var j = image * step.k; j < (image + 1u) * step.k; j++) {
        if row_named(f32(indices[j]), step.n) == row {
            let u = f32(updates[j * step.m + i % step.m]);
            switch step.update {
                case 0u: { v = u; }
                case 1u: { v += u; }
                case 2u: { v *= u; }
                case 3u: { v = max(v, u); }
                default: { v = min(v, u); }
            }
        }
    }
    y[i] = value(v);
}
