// Bilinear interpolation: pixel i samples the input at i * step + offset, clamped to its first and last
// pixel.
struct Resize {
    planes: u32,
    in_height: u32,
    in_width: u32,
    out_height: u32,
    out_width: u32,
    step_y: f32,
    step_x: f32,
    offset_y: f32,
    offset_x: f32,
    unused_0: u32,
    unused_1: u32,
    unused_2: u32,
}

@group(0) @binding(0) var<uniform> step: Resize;
@group(0) @binding(1) var<uniform> run: vec4u;
@group(0) @binding(2) var<storage, read> x: array<value>;
@group(0) @binding(3) var<storage, read_write> y: array<value>;

fn pixel(base: u32, row: u32, col: u32) -> f32 { return f32(x[base + row * step.in_width + col]); }

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = id.x + id.y * groups.x * 64u;
    let area = step.out_height * step.out_width;
    if i >= step.planes * area * run.x { return; }
    let base = i / area * step.in_height * step.in_width;
    let at = i % area;
    let v = clamp(f32(at / step.out_width) * step.step_y + step.offset_y, 0.0, f32(step.in_height - 1u));
    let u = clamp(f32(at % step.out_width) * step.step_x + step.offset_x, 0.0, f32(step.in_width - 1u));
    let top = u32(v);
    let left = u32(u);
    let bottom = min(top + 1u, step.in_height - 1u);
    let right = min(left + 1u, step.in_width - 1u);
    let down = v - f32(top);
    let across = u - f32(left);
    let above = mix(pixel(base, top, left), pixel(base, top, right), across);
    let below = mix(pixel(base, bottom, left), pixel(base, bottom, right), across);
    y[i] = value(mix(above, below, down));
}
