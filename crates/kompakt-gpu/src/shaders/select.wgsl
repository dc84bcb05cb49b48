// One of two values, element by element, selected by a third; operands are broadcast along dimensions of
// stride 0.
struct Select {
    n: u32,        // elements per image of the result
    c_image: u32,  // elements per image of each operand
    a_image: u32,
    b_image: u32,
    rank: u32,
    unused_0: u32,
    unused_1: u32,
    unused_2: u32,
    sizes: array<vec4u, 2>,
    c_strides: array<vec4u, 2>,
    a_strides: array<vec4u, 2>,
    b_strides: array<vec4u, 2>,
}

@group(0) @binding(0) var<uniform> step: Select;
@group(0) @binding(1) var<uniform> run: vec4u;
@group(0) @binding(2) var<storage, read> c: array<value>;
@group(0) @binding(3) var<storage, read> a: array<value>;
@group(0) @binding(4) var<storage, read> b: array<value>;
@group(0) @binding(5) var<storage, read_write> y: array<value>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= step.n * run.x { return; }
    let image = i / step.n;
    var rest = i % step.n;
    var at = vec3u(image * step.c_image, image * step.a_image, image * step.b_image);
    for (var d = step.rank; d > 0u; d--) {
        let q = (d - 1u) / 4u;
        let k = (d - 1u) % 4u;
        at += rest % step.sizes[q][k] * vec3u(step.c_strides[q][k], step.a_strides[q][k], step.b_strides[q][k]);
        rest /= step.sizes[q][k];
    }
    var v = b[at.z];
    if f32(c[at.x]) != 0.0 { v = a[at.y]; }
    y[i] = v;
}
