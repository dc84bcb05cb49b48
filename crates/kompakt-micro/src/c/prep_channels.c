static void prep_channels(const uint32_t *order, uint32_t n, uint32_t plane, const float *x, float *y) {
    uint32_t c;
    for (c = 0; c < n; c++, y += plane) {
        memcpy(y, x + (size_t)order[c] * plane, plane * sizeof *y);
    }
}
