// Floats to signed bytes, four channels a word: q = round(x / scale) + zero, within -128 and 127 (rule F-27, less 128). Channels
// that the last word lacks are 0.
struct Quantise {
    // Words per image, and positions per channel; channels.
    n: u32,
    plane: u32,
    channels: u32,
    // Four bytes of 0.
    zeros: u32,
    inverse: f32,
    zero: f32,
    unused: vec2u,
}

@group(0) @binding(0) var<uniform> p: Quantise;
@group(0) @binding(1) var<uniform> run: vec4u; // x: images in this run
@group(0) @binding(2) var<storage, read> x: array<value>;
@group(0) @binding(3) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= p.n * run.x { return; }
    let at = i % p.n;
    let first = at / p.plane * 4u;
    var word = p.zeros;
    for (var k = 0u; k < min(4u, p.channels - first); k++) {
        let v = f32(x[(i / p.n * p.channels + first + k) * p.plane + at % p.plane]);
        // Rounded before the zero point, a whole number, is added: halves go to the even one.
        let q = clamp(round(v * p.inverse) + p.zero, -128.0, 127.0);
        word = insertBits(word, u32(i32(q)), k * 8u, 8u);
    }
    y[i] = word;
}
