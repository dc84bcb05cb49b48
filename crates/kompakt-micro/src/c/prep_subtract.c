/* A small image, enlarged, is subtracted. */
static void prep_subtract(const float *small, uint32_t rows, uint32_t columns, uint32_t channels, uint32_t height, uint32_t width,
                          const float *x, float *y) {
    uint32_t i;
    prep_bilinear(channels, rows, columns, height, width, small, y);
    for (i = 0; i < channels * height * width; i++) {
        y[i] = x[i] - y[i];
    }
}
