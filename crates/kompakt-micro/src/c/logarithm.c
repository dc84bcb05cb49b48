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
