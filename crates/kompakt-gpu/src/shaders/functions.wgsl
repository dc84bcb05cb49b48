// Functions of one element. Kinds are numbered as in `Activation`, from 10 on.
fn is_nan(v: f32) -> bool { return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u; }

fn error_function(v: f32) -> f32 {
    let a = abs(v);
    if a < 0.5 {
        // Maclaurin series: the next term is below 3e-8.
        let s = v * v;
        return 1.1283791671 * v * (1.0 - s * (1.0 / 3.0 - s * (0.1 - s * (1.0 / 42.0 - s * (1.0 / 216.0 - s / 1320.0)))));
    }
    // Abramowitz and Stegun, 7.1.26: error at most 1.5e-7.
    let t = 1.0 / (1.0 + 0.3275911 * a);
    let p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    return sign(v) * (1.0 - p * exp(-min(a * a, 80.0)));
}

fn apply_function(kind: u32, v: f32) -> f32 {
    switch kind {
        case 10u: { return abs(v); }
        case 11u: { return select(sign(v), v, is_nan(v)); }
        case 12u: { return floor(v); }
        case 13u: { return ceil(v); }
        case 14u: { return round(v); }
        case 15u: { return trunc(v); }
        case 16u: { return sqrt(v); }
        case 17u: { return 1.0 / v; }
        case 18u: { return exp(v); }
        case 19u: { return log(v); }
        case 20u: { return sin(v); }
        case 21u: { return cos(v); }
        case 22u: { return tan(v); }
        case 23u: { return atan2(v, sqrt((1.0 - v) * (1.0 + v))); }
        case 24u: { return atan2(sqrt((1.0 - v) * (1.0 + v)), v); }
        case 25u: { return atan(v); }
        case 26u: { return select(sinh(v), v * (1.0 + v * v / 6.0), abs(v) < 0.02); }
        case 27u: { return cosh(v); }
        case 28u: {
            let a = abs(v);
            return sign(v) * select(log(a + sqrt(a * a + 1.0)), a * (1.0 - a * a / 6.0), a < 0.02);
        }
        case 29u: { return log(v + sqrt((v - 1.0) * (v + 1.0))); }
        case 30u: { return select(0.5 * log((1.0 + v) / (1.0 - v)), v * (1.0 + v * v / 3.0), abs(v) < 0.02); }
        case 31u: { return error_function(v); }
        case 32u: { return 0.5 * v * (1.0 + error_function(v * 0.70710678)); }
        case 33u: {
            let e = exp(-abs(v));
            return max(v, 0.0) + select(log(1.0 + e), e * (1.0 - 0.5 * e), e < 1e-3);
        }
        case 34u: { return select(0.0, 1.0, v == 0.0); }
        case 35u: { return select(0.0, 1.0, is_nan(v)); }
        case 36u: { return select(0.0, 1.0, (bitcast<u32>(v) & 0x7fffffffu) == 0x7f800000u); }
        default: { return v; }
    }
}
