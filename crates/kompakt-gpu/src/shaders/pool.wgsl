// The maximum or mean of a window, one lane per element of the result.
struct Pool {
    planes: u32,   // channels
    in_height: u32,
    in_width: u32,
    out_height: u32,
    out_width: u32,
    kernel_height: u32,
    kernel_width: u32,
    stride_y: u32,
    stride_x: u32,
    pad_top: u32,
    pad_left: u32,
    pad_bottom: u32,
    pad_right: u32,
    // 0: maximum; 1: mean over the elements inside the image; 2: mean over those inside the padded image
    mode: u32,
    unused_0: u32,
    unused_1: u32,
}

@group(0) @binding(0) var<uniform> step: Pool;
@group(0) @binding(1) var<uniform> run: vec4u;
@group(0) @binding(2) var<storage, read> x: array<value>;
@group(0) @binding(3) var<storage, read_write> y: array<value>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = id.x + id.y * groups.x * 64u;
    let area = step.out_height * step.out_width;
    if i >= step.planes * area * run.x { return; }
    let base = i / area * step.in_height * step.in_width;
    let top = i32(i % area / step.out_width * step.stride_y) - i32(step.pad_top);
    let left = i32(i % step.out_width * step.stride_x) - i32(step.pad_left);
    let bottom = min(top + i32(step.kernel_height), i32(step.in_height + step.pad_bottom));
    let right = min(left + i32(step.kernel_width), i32(step.in_width + step.pad_right));
    let padded = (bottom - top) * (right - left);
    var most = -3.4028234e38;
    var sum = 0.0;
    var n = 0;
    for (var r = max(top, 0); r < min(bottom, i32(step.in_height)); r++) {
        for (var c = max(left, 0); c < min(right, i32(step.in_width)); c++) {
            let v = f32(x[base + u32(r) * step.in_width + u32(c)]);
            most = max(most, v);
            sum += v;
            n += 1;
        }
    }
    if step.mode == 0u {
        y[i] = value(most);
    } else {
        y[i] = value(sum / f32(select(n, padded, step.mode == 2u)));
    }
}
