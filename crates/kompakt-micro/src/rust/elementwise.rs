// == relu
fn relu(n: usize, x: impl Floats, y: &[Cell<f32>]) {
    for i in 0..n {
        let v = x.at(i);
        y[i].set(if v > 0.0 { v } else { 0.0 });
    }
}
// == clip
fn clip(low: f32, high: f32, n: usize, x: impl Floats, y: &[Cell<f32>]) {
    for i in 0..n {
        let v = x.at(i);
        let v = if v > low { v } else { low };
        y[i].set(if v < high { v } else { high });
    }
}
// == leaky_relu
fn leaky_relu(slope: f32, n: usize, x: impl Floats, y: &[Cell<f32>]) {
    for i in 0..n {
        let v = x.at(i);
        y[i].set(if v < 0.0 { v * slope } else { v });
    }
}
// == scale
fn scale(factor: f32, offset: f32, n: usize, x: impl Floats, y: &[Cell<f32>]) {
    for i in 0..n {
        let v = x.at(i);
        y[i].set(v * factor + offset);
    }
}
// == hard_sigmoid_of
fn hard_sigmoid_of(x: f32, slope: f32, offset: f32) -> f32 {
    (x * slope + offset).clamp(0.0, 1.0)
}
// == hard_sigmoid
fn hard_sigmoid(slope: f32, offset: f32, n: usize, x: impl Floats, y: &[Cell<f32>]) {
    for i in 0..n {
        let v = x.at(i);
        y[i].set(hard_sigmoid_of(v, slope, offset));
    }
}
// == hard_swish
fn hard_swish(n: usize, x: impl Floats, y: &[Cell<f32>]) {
    for i in 0..n {
        let v = x.at(i);
        y[i].set(v * hard_sigmoid_of(v, 1.0 / 6.0, 0.5));
    }
}
// == exponential
/// exp(x) to 2 units in the last place: x = k log 2 + r, |r| <= log(2) / 2, and a polynomial in r.
fn exponential(x: f32) -> f32 {
    if x < -87.33 {
        return 0.0;
    }
    let x = if x > 88.72 { 88.72 } else { x };
    let k = (x * core::f32::consts::LOG2_E + if x < 0.0 { -0.5 } else { 0.5 }) as i32;
    let mut r = x - k as f32 * 0.693359375;
    r += k as f32 * 2.12194440e-4;
    let mut p = 1.0 / 720.0 + r * (1.0 / 5040.0);
    p = 1.0 / 24.0 + r * (1.0 / 120.0 + r * p);
    p = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * p)));
    // In two steps: 2^128 is not a float.
    let power = |k: i32| f32::from_bits(((k + 127) as u32) << 23);
    p * power(k - k / 2) * power(k / 2)
}
// == logarithm
/// log(x) of a normal x > 0: x = 2^k m, m about 1, and the series of log((1 + s) / (1 - s)).
fn logarithm(x: f32) -> f32 {
    let mut k = (x.to_bits() >> 23 & 255) as i32 - 127;
    let mut m = f32::from_bits(x.to_bits() & 0x7f_ffff | 0x3f80_0000);
    if m > core::f32::consts::SQRT_2 {
        m *= 0.5;
        k += 1;
    }
    let s = (m - 1.0) / (m + 1.0);
    let t = s * s;
    let t = 2.0 * s * (1.0 + t * (1.0 / 3.0 + t * (1.0 / 5.0 + t * (1.0 / 7.0 + t * (1.0 / 9.0)))));
    k as f32 * core::f32::consts::LN_2 + t
}
// == sigmoid
fn sigmoid(n: usize, x: impl Floats, y: &[Cell<f32>]) {
    for i in 0..n {
        let v = x.at(i);
        y[i].set(1.0 / (1.0 + exponential(-v)));
    }
}
// == silu
fn silu(n: usize, x: impl Floats, y: &[Cell<f32>]) {
    for i in 0..n {
        let v = x.at(i);
        y[i].set(v / (1.0 + exponential(-v)));
    }
}
// == hyperbolic_tangent_of
fn hyperbolic_tangent_of(v: f32) -> f32 {
    let (size, t) = (if v < 0.0 { -v } else { v }, v * v);
    if size < 0.3 {
        return v * (1.0 - t * (1.0 / 3.0 - t * (2.0 / 15.0 - t * (17.0 / 315.0 - t * (62.0 / 2835.0)))));
    }
    let e = exponential(-2.0 * size);
    let e = (1.0 - e) / (1.0 + e);
    if v < 0.0 { -e } else { e }
}
// == hyperbolic_tangent
fn hyperbolic_tangent(n: usize, x: impl Floats, y: &[Cell<f32>]) {
    for i in 0..n {
        let v = x.at(i);
        y[i].set(hyperbolic_tangent_of(v));
    }
}
