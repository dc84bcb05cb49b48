// == double_of
// == not_a_number
// == infinity
// == wide_exp
/// `e^x = 2^k e^r`, and a polynomial in r.
fn wide_exp(x: f64) -> f64 {
    if x > 709.0 {
        return f64::INFINITY;
    }
    if x < -708.0 {
        return 0.0;
    }
    let k = (x * core::f64::consts::LOG2_E + if x < 0.0 { -0.5 } else { 0.5 }) as i32;
    let mut r = x - f64::from(k) * 6.93147180369123816490e-01;
    r -= f64::from(k) * 1.90821492927058770002e-10;
    let mut sum = 1.0;
    for i in (1..=13).rev() {
        sum = 1.0 + r * sum / f64::from(i);
    }
    sum * f64::from_bits(((k + 1023) as u64) << 52)
}
// == wide_log
/// log(x) of a normal x: `x = 2^k m`, m about 1, and the series of log((1 + s) / (1 - s)).
fn wide_log(x: f64) -> f64 {
    if !(x > 0.0) {
        return if x == 0.0 { f64::NEG_INFINITY } else { f64::NAN };
    }
    if x > 1.7e308 {
        return x;
    }
    let mut k = (x.to_bits() >> 52) as i32 - 1023;
    let mut m = f64::from_bits(x.to_bits() & 0xf_ffff_ffff_ffff | 0x3ff0_0000_0000_0000);
    if m > core::f64::consts::SQRT_2 {
        m *= 0.5;
        k += 1;
    }
    let s = (m - 1.0) / (m + 1.0);
    let mut sum = 0.0;
    for i in (3..=21).rev().step_by(2) {
        sum = (sum + 1.0 / f64::from(i)) * (s * s);
    }
    f64::from(k) * core::f64::consts::LN_2 + 2.0 * s * (1.0 + sum)
}
// == wide_sine
/// The sine, or with a quarter of 1 the cosine; for |x| up to 10^6 to single precision, past 10^9 not a number.
fn wide_sine(x: f64, quarter: i32) -> f64 {
    if !(x < 1e9 && x > -1e9) {
        return f64::NAN;
    }
    let k = (x * core::f64::consts::FRAC_2_PI + if x < 0.0 { -0.5 } else { 0.5 }) as i32;
    let mut r = x - f64::from(k) * 1.57079632673412561417e+00;
    r -= f64::from(k) * 6.07710050650619224932e-11;
    let t = r * r;
    let quarter = (quarter + k) & 3;
    let v = if quarter & 1 != 0 {
        let v = 1.0 - t / 132.0;
        let v = 1.0 - t / 30.0 * (1.0 - t / 56.0 * (1.0 - t / 90.0 * v));
        1.0 - t / 2.0 * (1.0 - t / 12.0 * v)
    } else {
        let v = 1.0 - t / 156.0;
        let v = 1.0 - t / 42.0 * (1.0 - t / 72.0 * (1.0 - t / 110.0 * v));
        r * (1.0 - t / 6.0 * (1.0 - t / 20.0 * v))
    };
    if quarter & 2 != 0 { -v } else { v }
}
// == wide_atan
fn wide_atan(x: f64) -> f64 {
    let (mut size, mut from) = (if x < 0.0 { -x } else { x }, 0.0);
    if size > 2.414213562373095 {
        from = core::f64::consts::FRAC_PI_2;
        size = -1.0 / size;
    } else if size > 0.4142135623730951 {
        from = core::f64::consts::FRAC_PI_4;
        size = (size - 1.0) / (size + 1.0);
    }
    let mut sum = 0.0;
    for i in (3..=25).rev().step_by(2) {
        sum = (1.0 / f64::from(i) - sum) * (size * size);
    }
    size = from + size * (1.0 - sum);
    if x < 0.0 { -size } else { size }
}
// == wide_erf
/// A series of positive terms.
fn wide_erf(x: f64) -> f64 {
    let (size, t) = (if x < 0.0 { -x } else { x }, x * x);
    if size > 6.0 {
        return if x < 0.0 { -1.0 } else { 1.0 };
    }
    let (mut term, mut sum) = (size, size);
    for i in 1..200 {
        if !(term > sum * 1e-17) {
            break;
        }
        term *= 2.0 * t / f64::from(2 * i + 1);
        sum += term;
    }
    sum *= core::f64::consts::FRAC_2_SQRT_PI * wide_exp(-t);
    if x < 0.0 { -sum } else { sum }
}
// == wide_asin
fn wide_asin(x: f64) -> f64 {
    let other = (1.0 - x) * (1.0 + x);
    if !(other >= 0.0) {
        return f64::NAN;
    }
    if other > 0.0 { wide_atan(x / root(other)) } else { x * core::f64::consts::FRAC_PI_2 }
}
// == absolute_of
fn absolute_of(x: f32) -> f32 {
    if x < 0.0 { -x } else { x }
}
// == sign_of
fn sign_of(x: f32) -> f32 {
    if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { x }
}
// == truncate_of
/// From 2^23 on every float is an integer. A zero keeps the sign.
fn truncate_of(x: f32) -> f32 {
    let whole = if x < 8388608.0 && x > -8388608.0 { x as i32 as f32 } else { x };
    if whole == 0.0 { x * 0.0 } else { whole }
}
// == floor_of
fn floor_of(x: f32) -> f32 {
    let whole = truncate_of(x);
    if whole > x { whole - 1.0 } else { whole }
}
// == ceiling_of
fn ceiling_of(x: f32) -> f32 {
    let whole = truncate_of(x);
    if whole < x { whole + 1.0 } else { whole }
}
// == round_of
/// Ties go to the even one.
fn round_of(x: f32) -> f32 {
    let whole = floor_of(x);
    let rest = x - whole;
    let is_odd = whole - 2.0 * floor_of(whole * 0.5) != 0.0;
    let whole = if rest > 0.5 || (rest == 0.5 && is_odd) { whole + 1.0 } else { whole };
    if whole == 0.0 { x * 0.0 } else { whole }
}
// == square_root_of
fn square_root_of(x: f32) -> f32 {
    if x > 0.0 && x < 3.4e38 {
        root(f64::from(x)) as f32
    } else if x < 0.0 {
        f32::NAN
    } else {
        x
    }
}
// == reciprocal_of
fn reciprocal_of(x: f32) -> f32 {
    1.0 / x
}
// == exponential_of
fn exponential_of(x: f32) -> f32 {
    wide_exp(f64::from(x)) as f32
}
// == logarithm_of
fn logarithm_of(x: f32) -> f32 {
    wide_log(f64::from(x)) as f32
}
// == sine_of
fn sine_of(x: f32) -> f32 {
    wide_sine(f64::from(x), 0) as f32
}
// == cosine_of
fn cosine_of(x: f32) -> f32 {
    wide_sine(f64::from(x), 1) as f32
}
// == tangent_of
fn tangent_of(x: f32) -> f32 {
    (wide_sine(f64::from(x), 0) / wide_sine(f64::from(x), 1)) as f32
}
// == arcsine_of
fn arcsine_of(x: f32) -> f32 {
    wide_asin(f64::from(x)) as f32
}
// == arccosine_of
fn arccosine_of(x: f32) -> f32 {
    (core::f64::consts::FRAC_PI_2 - wide_asin(f64::from(x))) as f32
}
// == arctangent_of
fn arctangent_of(x: f32) -> f32 {
    wide_atan(f64::from(x)) as f32
}
// == hyperbolic_sine_of
fn hyperbolic_sine_of(x: f32) -> f32 {
    let x = f64::from(x);
    let t = x * x;
    if t < 0.01 {
        return (x * (1.0 + t / 6.0 * (1.0 + t / 20.0 * (1.0 + t / 42.0)))) as f32;
    }
    (0.5 * (wide_exp(x) - wide_exp(-x))) as f32
}
// == hyperbolic_cosine_of
fn hyperbolic_cosine_of(x: f32) -> f32 {
    (0.5 * (wide_exp(f64::from(x)) + wide_exp(f64::from(-x)))) as f32
}
// == area_sine_of
fn area_sine_of(x: f32) -> f32 {
    let size = f64::from(absolute_of(x));
    let t = size * size;
    let y = if t < 1e-6 { size * (1.0 - t / 6.0) } else { wide_log(size + root(t + 1.0)) };
    (if x < 0.0 { -y } else { y }) as f32
}
// == area_cosine_of
fn area_cosine_of(x: f32) -> f32 {
    let x = f64::from(x);
    (if x < 1.0 { f64::NAN } else { wide_log(x + root((x - 1.0) * (x + 1.0))) }) as f32
}
// == area_tangent_of
fn area_tangent_of(x: f32) -> f32 {
    let x = f64::from(x);
    let t = x * x;
    (if t < 1e-6 { x * (1.0 + t / 3.0) } else { 0.5 * wide_log((1.0 + x) / (1.0 - x)) }) as f32
}
// == error_function_of
fn error_function_of(x: f32) -> f32 {
    wide_erf(f64::from(x)) as f32
}
// == gelu_of
fn gelu_of(x: f32) -> f32 {
    let x = f64::from(x);
    (0.5 * x * (1.0 + wide_erf(x * core::f64::consts::FRAC_1_SQRT_2))) as f32
}
// == softplus_of
fn softplus_of(x: f32) -> f32 {
    let e = wide_exp(f64::from(if x < 0.0 { x } else { -x }));
    let e = if e < 1e-5 { e - 0.5 * e * e } else { wide_log(1.0 + e) };
    (if x > 0.0 { f64::from(x) + e } else { e }) as f32
}
// == not_of
fn not_of(x: f32) -> f32 {
    if x == 0.0 { 1.0 } else { 0.0 }
}
// == is_nan_of
fn is_nan_of(x: f32) -> f32 {
    if x.is_nan() { 1.0 } else { 0.0 }
}
// == is_infinite_of
fn is_infinite_of(x: f32) -> f32 {
    if x.is_infinite() { 1.0 } else { 0.0 }
}
// == add_of
fn add_of(a: f32, b: f32) -> f32 {
    a + b
}
// == subtract_of
fn subtract_of(a: f32, b: f32) -> f32 {
    a - b
}
// == multiply_of
fn multiply_of(a: f32, b: f32) -> f32 {
    a * b
}
// == divide_of
fn divide_of(a: f32, b: f32) -> f32 {
    a / b
}
// == power_of
fn power_of(a: f32, b: f32) -> f32 {
    let (size, whole) = (f64::from(if a < 0.0 { -a } else { a }), truncate_of(b));
    let is_odd = whole == b && whole * 0.5 != truncate_of(whole * 0.5);
    if b == 0.0 || a == 1.0 {
        return 1.0;
    }
    if a.is_nan() || b.is_nan() || (a < 0.0 && whole != b) {
        return f32::NAN;
    }
    let power = if size == 1.0 { 1.0 } else { wide_exp(f64::from(b) * wide_log(size)) };
    (if a < 0.0 && is_odd { -power } else { power }) as f32
}
// == maximum_of
fn maximum_of(a: f32, b: f32) -> f32 {
    if a.is_nan() || a > b { a } else { b }
}
// == minimum_of
fn minimum_of(a: f32, b: f32) -> f32 {
    if a.is_nan() || a < b { a } else { b }
}
// == modulo_of
fn modulo_of(a: f32, b: f32) -> f32 {
    let (a, b) = (f64::from(a), f64::from(b));
    let q = a / b;
    let mut whole = q;
    if q < 9e15 && q > -9e15 {
        whole = q as i64 as f64;
        whole = if whole > q { whole - 1.0 } else { whole };
    }
    (a - whole * b) as f32
}
// == remainder_of
fn remainder_of(a: f32, b: f32) -> f32 {
    a % b
}
// == equal_of
fn equal_of(a: f32, b: f32) -> f32 {
    if a == b { 1.0 } else { 0.0 }
}
// == less_of
fn less_of(a: f32, b: f32) -> f32 {
    if a < b { 1.0 } else { 0.0 }
}
// == less_or_equal_of
fn less_or_equal_of(a: f32, b: f32) -> f32 {
    if a <= b { 1.0 } else { 0.0 }
}
// == greater_of
fn greater_of(a: f32, b: f32) -> f32 {
    if a > b { 1.0 } else { 0.0 }
}
// == greater_or_equal_of
fn greater_or_equal_of(a: f32, b: f32) -> f32 {
    if a >= b { 1.0 } else { 0.0 }
}
// == and_of
fn and_of(a: f32, b: f32) -> f32 {
    if a != 0.0 && b != 0.0 { 1.0 } else { 0.0 }
}
// == or_of
fn or_of(a: f32, b: f32) -> f32 {
    if a != 0.0 || b != 0.0 { 1.0 } else { 0.0 }
}
// == xor_of
fn xor_of(a: f32, b: f32) -> f32 {
    if (a != 0.0) != (b != 0.0) { 1.0 } else { 0.0 }
}
