/* == double_of */
static double double_of(uint64_t bits_of_x) {
    double x;
    memcpy(&x, &bits_of_x, sizeof x);
    return x;
}
/* == not_a_number */
static double not_a_number(void) {
    return double_of(0x7ff8000000000000u);
}
/* == infinity */
static double infinity(void) {
    return double_of(0x7ff0000000000000u);
}
/* == wide_exp */
/* e^x = 2^k e^r, and a polynomial in r. */
static double wide_exp(double x) {
    double r, sum = 1.0;
    int32_t k, i;
    if (x != x || x > 709.0) {
        return x != x ? x : infinity();
    }
    if (x < -708.0) {
        return 0.0;
    }
    k = (int32_t)(x * 1.4426950408889634 + (x < 0.0 ? -0.5 : 0.5));
    r = x - (double)k * 6.93147180369123816490e-01;
    r -= (double)k * 1.90821492927058770002e-10;
    for (i = 13; i > 0; i--) {
        sum = 1.0 + r * sum / (double)i;
    }
    return sum * double_of((uint64_t)(k + 1023) << 52);
}
/* == wide_log */
/* log(x) of a normal x: x = 2^k m, m about 1, and the series of log((1 + s) / (1 - s)). */
static double wide_log(double x) {
    uint64_t bits_of_x;
    double m, s, t, sum = 0.0;
    int32_t k, i;
    if (!(x > 0.0)) {
        return x == 0.0 ? -infinity() : not_a_number();
    }
    if (x > 1.7e308) {
        return x;
    }
    memcpy(&bits_of_x, &x, sizeof x);
    k = (int32_t)(bits_of_x >> 52) - 1023;
    m = double_of((bits_of_x & 0xfffffffffffffu) | 0x3ff0000000000000u);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        k++;
    }
    s = (m - 1.0) / (m + 1.0);
    t = s * s;
    for (i = 21; i > 1; i -= 2) {
        sum = (sum + 1.0 / (double)i) * t;
    }
    return (double)k * 0.6931471805599453 + 2.0 * s * (1.0 + sum);
}
/* == wide_sine */
/* The sine, or with a quarter of 1 the cosine; for |x| up to 10^6 to single precision, past 10^9 not a number. */
static double wide_sine(double x, uint32_t quarter) {
    double r, t, v;
    int32_t k;
    if (!(x < 1e9 && x > -1e9)) {
        return not_a_number();
    }
    k = (int32_t)(x * 0.6366197723675814 + (x < 0.0 ? -0.5 : 0.5));
    r = x - (double)k * 1.57079632673412561417e+00;
    r -= (double)k * 6.07710050650619224932e-11;
    t = r * r;
    quarter = (quarter + (uint32_t)k) & 3u;
    if ((quarter & 1u) != 0) {
        v = 1.0 - t / 132.0;
        v = 1.0 - t / 30.0 * (1.0 - t / 56.0 * (1.0 - t / 90.0 * v));
        v = 1.0 - t / 2.0 * (1.0 - t / 12.0 * v);
    } else {
        v = 1.0 - t / 156.0;
        v = 1.0 - t / 42.0 * (1.0 - t / 72.0 * (1.0 - t / 110.0 * v));
        v = r * (1.0 - t / 6.0 * (1.0 - t / 20.0 * v));
    }
    return (quarter & 2u) != 0 ? -v : v;
}
/* == wide_atan */
static double wide_atan(double x) {
    double size = x < 0.0 ? -x : x, from = 0.0, t, sum = 0.0;
    int32_t i;
    if (x != x) {
        return x;
    }
    if (size > 2.414213562373095) {
        from = 1.5707963267948966;
        size = -1.0 / size;
    } else if (size > 0.4142135623730951) {
        from = 0.7853981633974483;
        size = (size - 1.0) / (size + 1.0);
    }
    t = size * size;
    for (i = 25; i > 1; i -= 2) {
        sum = (1.0 / (double)i - sum) * t;
    }
    size = from + size * (1.0 - sum);
    return x < 0.0 ? -size : size;
}
/* == wide_erf */
/* A series of positive terms. */
static double wide_erf(double x) {
    double size = x < 0.0 ? -x : x, t = x * x, term = size, sum = size;
    int32_t i;
    if (x != x) {
        return x;
    }
    if (size > 6.0) {
        return x < 0.0 ? -1.0 : 1.0;
    }
    for (i = 1; i < 200 && term > sum * 1e-17; i++) {
        term *= 2.0 * t / (double)(2 * i + 1);
        sum += term;
    }
    sum *= 1.1283791670955126 * wide_exp(-t);
    return x < 0.0 ? -sum : sum;
}
/* == absolute_of */
static float absolute_of(float x) {
    return x < 0.0f ? -x : x;
}
/* == sign_of */
static float sign_of(float x) {
    return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x;
}
/* == truncate_of */
/* From 2^23 on every float is an integer. A zero keeps the sign. */
static float truncate_of(float x) {
    float whole = x < 8388608.0f && x > -8388608.0f ? (float)(int32_t)x : x;
    return whole == 0.0f ? x * 0.0f : whole;
}
/* == floor_of */
static float floor_of(float x) {
    float whole = truncate_of(x);
    return whole > x ? whole - 1.0f : whole;
}
/* == ceiling_of */
static float ceiling_of(float x) {
    float whole = truncate_of(x);
    return whole < x ? whole + 1.0f : whole;
}
/* == round_of */
/* Ties go to the even one. */
static float round_of(float x) {
    float whole = floor_of(x), rest = x - whole;
    int is_odd = whole - 2.0f * floor_of(whole * 0.5f) != 0.0f;
    whole = rest > 0.5f || (rest == 0.5f && is_odd) ? whole + 1.0f : whole;
    return whole == 0.0f ? x * 0.0f : whole;
}
/* == square_root_of */
static float square_root_of(float x) {
    return x > 0.0f && x < 3.4e38f ? (float)root((double)x) : x < 0.0f ? (float)not_a_number() : x;
}
/* == reciprocal_of */
static float reciprocal_of(float x) {
    return 1.0f / x;
}
/* == exponential_of */
static float exponential_of(float x) {
    return (float)wide_exp((double)x);
}
/* == logarithm_of */
static float logarithm_of(float x) {
    return (float)wide_log((double)x);
}
/* == sine_of */
static float sine_of(float x) {
    return (float)wide_sine((double)x, 0);
}
/* == cosine_of */
static float cosine_of(float x) {
    return (float)wide_sine((double)x, 1);
}
/* == tangent_of */
static float tangent_of(float x) {
    return (float)(wide_sine((double)x, 0) / wide_sine((double)x, 1));
}
/* == wide_asin */
static double wide_asin(double x) {
    double other = (1.0 - x) * (1.0 + x);
    if (!(other >= 0.0)) {
        return not_a_number();
    }
    return other > 0.0 ? wide_atan(x / root(other)) : x * 1.5707963267948966;
}
/* == arcsine_of */
static float arcsine_of(float x) {
    return (float)wide_asin((double)x);
}
/* == arccosine_of */
static float arccosine_of(float x) {
    return (float)(1.5707963267948966 - wide_asin((double)x));
}
/* == arctangent_of */
static float arctangent_of(float x) {
    return (float)wide_atan((double)x);
}
/* == hyperbolic_sine_of */
static float hyperbolic_sine_of(float v) {
    double x = (double)v, t = x * x;
    if (t < 0.01) {
        return (float)(x * (1.0 + t / 6.0 * (1.0 + t / 20.0 * (1.0 + t / 42.0))));
    }
    return (float)(0.5 * (wide_exp(x) - wide_exp(-x)));
}
/* == hyperbolic_cosine_of */
static float hyperbolic_cosine_of(float x) {
    return (float)(0.5 * (wide_exp((double)x) + wide_exp(-(double)x)));
}
/* == area_sine_of */
static float area_sine_of(float v) {
    double x = (double)absolute_of(v), t = x * x;
    x = t < 1e-6 ? x * (1.0 - t / 6.0) : wide_log(x + root(t + 1.0));
    return (float)(v < 0.0f ? -x : x);
}
/* == area_cosine_of */
static float area_cosine_of(float v) {
    double x = (double)v;
    return (float)(x < 1.0 ? not_a_number() : wide_log(x + root((x - 1.0) * (x + 1.0))));
}
/* == area_tangent_of */
static float area_tangent_of(float v) {
    double x = (double)v, t = x * x;
    return (float)(t < 1e-6 ? x * (1.0 + t / 3.0) : 0.5 * wide_log((1.0 + x) / (1.0 - x)));
}
/* == error_function_of */
static float error_function_of(float x) {
    return (float)wide_erf((double)x);
}
/* == gelu_of */
static float gelu_of(float x) {
    return (float)(0.5 * (double)x * (1.0 + wide_erf((double)x * 0.7071067811865476)));
}
/* == softplus_of */
static float softplus_of(float x) {
    double e = wide_exp(x < 0.0f ? (double)x : -(double)x);
    e = e < 1e-5 ? e - 0.5 * e * e : wide_log(1.0 + e);
    return (float)(x > 0.0f ? (double)x + e : e);
}
/* == not_of */
static float not_of(float x) {
    return x == 0.0f ? 1.0f : 0.0f;
}
/* == is_nan_of */
static float is_nan_of(float x) {
    return x != x ? 1.0f : 0.0f;
}
/* == is_infinite_of */
static float is_infinite_of(float x) {
    return x == x && x - x != 0.0f ? 1.0f : 0.0f;
}
/* == add_of */
static float add_of(float a, float b) {
    return a + b;
}
/* == subtract_of */
static float subtract_of(float a, float b) {
    return a - b;
}
/* == multiply_of */
static float multiply_of(float a, float b) {
    return a * b;
}
/* == divide_of */
static float divide_of(float a, float b) {
    return a / b;
}
/* == power_of */
static float power_of(float a, float b) {
    double size = a < 0.0f ? -(double)a : (double)a, power;
    float whole = truncate_of(b);
    int is_odd = whole == b && whole * 0.5f != truncate_of(whole * 0.5f);
    if (b == 0.0f || a == 1.0f) {
        return 1.0f;
    }
    if (a != a || b != b || (a < 0.0f && whole != b)) {
        return (float)not_a_number();
    }
    power = size == 1.0 ? 1.0 : wide_exp((double)b * wide_log(size));
    return (float)(a < 0.0f && is_odd ? -power : power);
}
/* == maximum_of */
static float maximum_of(float a, float b) {
    return a != a || a > b ? a : b;
}
/* == minimum_of */
static float minimum_of(float a, float b) {
    return a != a || a < b ? a : b;
}
/* == modulo_of */
static float modulo_of(float x, float y) {
    double a = (double)x, b = (double)y, q = a / b, whole = q;
    if (q < 9e15 && q > -9e15) {
        whole = (double)(int64_t)q;
        whole = whole > q ? whole - 1.0 : whole;
    }
    return (float)(a - whole * b);
}
/* == remainder_of */
/* With the sign of a; every difference is exact. */
static float remainder_of(float a, float b) {
    double rest = a < 0.0f ? -(double)a : (double)a, by = b < 0.0f ? -(double)b : (double)b, part = by;
    if (!(rest < 3.5e38 && by > 0.0)) {
        return (float)not_a_number();
    }
    while (part <= rest) {
        part *= 2.0;
    }
    while (part > by) {
        part *= 0.5;
        rest = rest >= part ? rest - part : rest;
    }
    return (float)(a < 0.0f ? -rest : rest);
}
/* == equal_of */
static float equal_of(float a, float b) {
    return a == b ? 1.0f : 0.0f;
}
/* == less_of */
static float less_of(float a, float b) {
    return a < b ? 1.0f : 0.0f;
}
/* == less_or_equal_of */
static float less_or_equal_of(float a, float b) {
    return a <= b ? 1.0f : 0.0f;
}
/* == greater_of */
static float greater_of(float a, float b) {
    return a > b ? 1.0f : 0.0f;
}
/* == greater_or_equal_of */
static float greater_or_equal_of(float a, float b) {
    return a >= b ? 1.0f : 0.0f;
}
/* == and_of */
static float and_of(float a, float b) {
    return a != 0.0f && b != 0.0f ? 1.0f : 0.0f;
}
/* == or_of */
static float or_of(float a, float b) {
    return a != 0.0f || b != 0.0f ? 1.0f : 0.0f;
}
/* == xor_of */
static float xor_of(float a, float b) {
    return (a != 0.0f) != (b != 0.0f) ? 1.0f : 0.0f;
}
