// Pointwise operations: scale and bias per channel, or a slope below zero, then an activation.
struct Pointwise {
    n: u32,         // elements per image
    channels: u32,
    area: u32,      // elements per channel
    mode: u32,      // per channel: 1 scale, then bias; 2 slope below zero; 3 its value; 0: no channels
    activation: u32,
    a: f32,
    b: f32,
    unused: u32,
}

@group(0) @binding(0) var<uniform> step: Pointwise;
@group(0) @binding(1) var<uniform> run: vec4u;
@group(0) @binding(2) var<storage, read> channels: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<value>;
@group(0) @binding(4) var<storage, read_write> y: array<value>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= step.n * run.x { return; }
    let channel = i % step.n / step.area;
    var v = 0.0;
    if step.mode != 3u { v = f32(x[i]); }
    if step.mode == 3u {
        v = channels[channel];
    } else if step.mode == 1u {
        v = v * channels[channel] + channels[step.channels + channel];
    } else if step.mode == 2u {
        v = select(v, v * channels[channel], v < 0.0);
    }
    y[i] = value(activate(step.activation, step.a, step.b, v));
}
