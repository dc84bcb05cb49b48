/* The fifth of the nine values around each pixel; outside the image the nearest pixel is used. */
static void prep_median(uint32_t channels, uint32_t height, uint32_t width, const float *x, float *y) {
    uint32_t c, r, s, i, j;
    for (c = 0; c < channels; c++, x += (size_t)height * width) {
        for (r = 0; r < height; r++) {
            for (s = 0; s < width; s++) {
                float nine[9];
                for (i = 0; i < 9; i++) {
                    uint32_t row = r + i / 3, column = s + i % 3;
                    float value;
                    row = row == 0 ? 0 : row - 1 < height ? row - 1 : height - 1;
                    column = column == 0 ? 0 : column - 1 < width ? column - 1 : width - 1;
                    value = x[row * width + column];
                    for (j = i; j > 0 && nine[j - 1] > value; j--) {
                        nine[j] = nine[j - 1];
                    }
                    nine[j] = value;
                }
                *y++ = nine[4];
            }
        }
    }
}
