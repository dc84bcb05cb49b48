// exp(x) / sum exp(x) along a dimension, or its logarithm: one workgroup per column.
struct Softmax {
    channels: u32,
    area: u32,     // stride of a column
    is_log: u32,
    outer: u32,    // groups of `area` columns per image
}

@group(0) @binding(0) var<uniform> step: Softmax;
@group(0) @binding(1) var<uniform> run: vec4u;
@group(0) @binding(2) var<storage, read> x: array<value>;
@group(0) @binding(3) var<storage, read_write> y: array<value>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, lane: Lane) {
    let id = group.x + group.y * groups.x;
    if id >= step.outer * step.area * run.x { return; }
    let l = lane_of(lane);
    let base = id / step.area * step.channels * step.area + id % step.area;
    var most = -3.4028234e38;
    for (var c = l; c < step.channels; c += 64u) { most = max(most, f32(x[base + c * step.area])); }
    most = largest(lane, most);
    var sum = 0.0;
    for (var c = l; c < step.channels; c += 64u) { sum += exp(f32(x[base + c * step.area]) - most); }
    sum = total(lane, sum);
    for (var c = l; c < step.channels; c += 64u) {
        let v = f32(x[base + c * step.area]) - most;
        if step.is_log == 1u {
            y[base + c * step.area] = value(v - log(sum));
        } else {
            y[base + c * step.area] = value(exp(v) / sum);
        }
    }
}
