// Two values, element by element, each repeated along the dimensions where its stride is 0.
struct Pairwise {
    n: u32,        // elements of an image of the result
    a_image: u32,  // elements of an image of either
    b_image: u32,
    op: u32,       // 0 add, 1 multiply, 2 subtract, 3 divide
    activation: u32,
    p: f32,
    q: f32,
    rank: u32,
    sizes: array<vec4u, 2>,
    a_strides: array<vec4u, 2>,
    b_strides: array<vec4u, 2>,
}

@group(0) @binding(0) var<uniform> step: Pairwise;
@group(0) @binding(1) var<uniform> run: vec4u;
@group(0) @binding(2) var<storage, read> a: array<value>;
@group(0) @binding(3) var<storage, read> b: array<value>;
@group(0) @binding(4) var<storage, read_write> y: array<value>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= step.n * run.x { return; }
    let image = i / step.n;
    var rest = i % step.n;
    var from_a = image * step.a_image;
    var from_b = image * step.b_image;
    for (var d = step.rank; d > 0u; d--) {
        let k = d - 1u;
        let size = step.sizes[k / 4u][k % 4u];
        let at = rest % size;
        rest /= size;
        from_a += at * step.a_strides[k / 4u][k % 4u];
        from_b += at * step.b_strides[k / 4u][k % 4u];
    }
    let u = f32(a[from_a]);
    let v = f32(b[from_b]);
    var r = u + v;
    switch step.op {
        case 1u: { r = u * v; }
        case 2u: { r = u - v; }
        case 3u: { r = u / v; }
        default: {}
    }
    y[i] = value(activate(step.activation, step.p, step.q, r));
}
