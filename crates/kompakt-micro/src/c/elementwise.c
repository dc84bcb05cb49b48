/* == relu */
static void relu(uint32_t n, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        y[i] = x[i] > 0.0f ? x[i] : 0.0f;
    }
}
/* == clip */
static void clip(float low, float high, uint32_t n, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        float value = x[i] > low ? x[i] : low;
        y[i] = value < high ? value : high;
    }
}
/* == leaky_relu */
static void leaky_relu(float slope, uint32_t n, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        y[i] = x[i] < 0.0f ? x[i] * slope : x[i];
    }
}
/* == scale */
static void scale(float factor, float offset, uint32_t n, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        y[i] = x[i] * factor + offset;
    }
}
/* == hard_sigmoid_of */
static float hard_sigmoid_of(float x, float slope, float offset) {
    float value = x * slope + offset;
    return value < 0.0f ? 0.0f : value > 1.0f ? 1.0f : value;
}
/* == hard_sigmoid */
static void hard_sigmoid(float slope, float offset, uint32_t n, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        y[i] = hard_sigmoid_of(x[i], slope, offset);
    }
}
/* == hard_swish */
static void hard_swish(uint32_t n, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        y[i] = x[i] * hard_sigmoid_of(x[i], 1.0f / 6.0f, 0.5f);
    }
}
/* == exponential */
/* exp(x) to 2 units in the last place: x = k log 2 + r, |r| <= log(2) / 2, and a polynomial in r. */
static float exponential(float x) {
    float r, p;
    int32_t k;
    uint32_t bits_of_power;
    if (x != x) {
        return x;
    }
    if (x > 88.72f) {
        x = 88.72f;
    }
    if (x < -87.33f) {
        return 0.0f;
    }
    k = (int32_t)(x * 1.44269504f + (x < 0.0f ? -0.5f : 0.5f));
    r = x - (float)k * 0.693359375f;
    r += (float)k * 2.12194440e-4f;
    p = 1.0f / 720.0f + r * (1.0f / 5040.0f);
    p = 1.0f / 24.0f + r * (1.0f / 120.0f + r * p);
    p = 1.0f + r * (1.0f + r * (0.5f + r * (1.0f / 6.0f + r * p)));
    /* In two steps: 2^128 is not a float. */
    bits_of_power = (uint32_t)(k - k / 2 + 127) << 23;
    memcpy(&r, &bits_of_power, sizeof r);
    p *= r;
    bits_of_power = (uint32_t)(k / 2 + 127) << 23;
    memcpy(&r, &bits_of_power, sizeof r);
    return p * r;
}
/* == logarithm */
/* log(x) of a normal x > 0: x = 2^k m, m about 1, and the series of log((1 + s) / (1 - s)). */
static float logarithm(float x) {
    uint32_t bits_of_x;
    int32_t k;
    float s, t;
    memcpy(&bits_of_x, &x, sizeof x);
    k = (int32_t)((bits_of_x >> 23) & 255u) - 127;
    bits_of_x = (bits_of_x & 0x7fffffu) | 0x3f800000u;
    memcpy(&x, &bits_of_x, sizeof x);
    if (x > 1.41421356f) {
        x *= 0.5f;
        k++;
    }
    s = (x - 1.0f) / (x + 1.0f);
    t = s * s;
    t = 2.0f * s * (1.0f + t * (1.0f / 3.0f + t * (1.0f / 5.0f + t * (1.0f / 7.0f + t * (1.0f / 9.0f)))));
    return (float)k * 0.693147182f + t;
}
/* == sigmoid */
static void sigmoid(uint32_t n, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        y[i] = 1.0f / (1.0f + exponential(-x[i]));
    }
}
/* == silu */
static void silu(uint32_t n, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        y[i] = x[i] / (1.0f + exponential(-x[i]));
    }
}
/* == hyperbolic_tangent_of */
static float hyperbolic_tangent_of(float v) {
    float size = v < 0.0f ? -v : v, t = v * v, e;
    if (size < 0.3f) {
        return v * (1.0f - t * (1.0f / 3.0f - t * (2.0f / 15.0f - t * (17.0f / 315.0f - t * (62.0f / 2835.0f)))));
    }
    e = exponential(-2.0f * size);
    e = (1.0f - e) / (1.0f + e);
    return v < 0.0f ? -e : e;
}
/* == hyperbolic_tangent */
static void hyperbolic_tangent(uint32_t n, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        y[i] = hyperbolic_tangent_of(x[i]);
    }
}
