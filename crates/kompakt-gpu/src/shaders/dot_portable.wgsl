// The sum of four products of signed bytes, where shaders cannot multiply four at once.
fn bytes(word: u32) -> vec4i {
    return bitcast<vec4i>(vec4u(word) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u);
}

fn dot4(a: u32, b: u32) -> i32 { return dot(bytes(a), bytes(b)); }
