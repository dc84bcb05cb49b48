static void hyperbolic_tangent(uint32_t n, const float *x, float *y) {
    uint32_t i;
    for (i = 0; i < n; i++) {
        float v = x[i], size = v < 0.0f ? -v : v, t = v * v, e;
        if (size < 0.3f) {
            y[i] = v * (1.0f - t * (1.0f / 3.0f - t * (2.0f / 15.0f - t * (17.0f / 315.0f - t * (62.0f / 2835.0f)))));
        } else {
            e = exponential(-2.0f * size);
            e = (1.0f - e) / (1.0f + e);
            y[i] = v < 0.0f ? -e : e;
        }
    }
}
