// The activation after a step; `functions.wgsl` has the rest of the kinds. Kinds are numbered as in
// `Activation::code`.
fn activate(kind: u32, a: f32, b: f32, v: f32) -> f32 {
    switch kind {
        case 1u: { return max(v, 0.0); }
        case 2u: { return 1.0 / (1.0 + exp(-clamp(v, -80.0, 80.0))); }
        case 3u: { return tanh(clamp(v, -20.0, 20.0)); }
        case 4u: { return a * v + b; }
        case 5u: { return min(max(v, a), b); }
        case 6u: { return select(v, a * v, v < 0.0); }
        case 7u: { return clamp(a * v + b, 0.0, 1.0); }
        case 8u: { return v * clamp(v / 6.0 + 0.5, 0.0, 1.0); }
        case 9u: { return v / (1.0 + exp(-clamp(v, -80.0, 80.0))); }
        default: { return apply_function(kind, v); }
    }
}
