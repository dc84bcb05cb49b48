// x / (bias + alpha / size * sum x^2)^beta, the sum over the `size` channels around each.
struct Norm {
    channels: u32,
    area: u32,
    size: u32,
    alpha: f32,
    beta: f32,
    bias: f32,
    unused_0: u32,
    unused_1: u32,
}

@group(0) @binding(0) var<uniform> step: Norm;
@group(0) @binding(1) var<uniform> run: vec4u;
@group(0) @binding(2) var<storage, read> x: array<value>;
@group(0) @binding(3) var<storage, read_write> y: array<value>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= step.channels * step.area * run.x { return; }
    let channel = i / step.area % step.channels;
    let before = min(channel, (step.size - 1u) / 2u);
    let after = min(step.size / 2u, step.channels - 1u - channel);
    var sum = 0.0;
    for (var c = 0u; c <= before + after; c++) {
        let v = f32(x[i + c * step.area - before * step.area]);
        sum += v * v;
    }
    y[i] = value(f32(x[i]) / pow(step.bias + step.alpha / f32(step.size) * sum, step.beta));
}
