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
