// Binary operations, element by element; operands are broadcast along dimensions of stride 0.
struct Pairwise {
    n: u32,        // elements per image of the result
    a_image: u32,  // elements per image of either operand
    b_image: u32,
    op: u32,       // see `combine`
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

fn truth(is_true: bool) -> f32 { return select(0.0, 1.0, is_true); }

fn power(a: f32, b: f32) -> f32 {
    if b == 0.0 { return 1.0; }
    if a == 0.0 { return select(1.0 / abs(a), 0.0, b > 0.0); }
    let size = exp2(b * log2(abs(a)));
    if a > 0.0 { return size; }
    // A negative base has powers with integer exponents only.
    if b != floor(b) { return bitcast<f32>(0x7fc00000u | (bitcast<u32>(a) & 0u)); }
    return select(size, -size, abs(b % 2.0) == 1.0);
}

// a - q b without a second rounding, corrected where the quotient was rounded past an integer.
fn rest(a: f32, b: f32, q: f32) -> f32 { return fma(-q, b, a); }

fn modulo(a: f32, b: f32) -> f32 {
    var r = rest(a, b, floor(a / b));
    if r != 0.0 && (r < 0.0) != (b < 0.0) { r += b; }
    if abs(r) >= abs(b) { r -= b; }
    return r;
}

fn remainder(a: f32, b: f32) -> f32 {
    var r = rest(a, b, trunc(a / b));
    if r != 0.0 && (r < 0.0) != (a < 0.0) { r += select(-abs(b), abs(b), a > 0.0); }
    if abs(r) >= abs(b) { r -= select(-abs(b), abs(b), a > 0.0); }
    return r;
}

fn combine(op: u32, u: f32, v: f32) -> f32 {
    switch op {
        case 0u: { return u + v; }
        case 1u: { return u * v; }
        case 2u: { return u - v; }
        case 3u: { return u / v; }
        case 4u: { return power(u, v); }
        case 5u: { return select(v, u, is_nan(u) || u > v); }
        case 6u: { return select(v, u, is_nan(u) || u < v); }
        case 7u: { return modulo(u, v); }
        case 8u: { return remainder(u, v); }
        case 9u: { return truth(u == v); }
        case 10u: { return truth(u < v); }
        case 11u: { return truth(u <= v); }
        case 12u: { return truth(u > v); }
        case 13u: { return truth(u >= v); }
        case 14u: { return truth(u != 0.0 && v != 0.0); }
        case 15u: { return truth(u != 0.0 || v != 0.0); }
        default: { return truth((u != 0.0) != (v != 0.0)); }
    }
}

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
    let r = combine(step.op, u, v);
    y[i] = value(activate(step.activation, step.p, step.q, r));
}
