static void prep_center_crop(uint32_t channels, uint32_t height, uint32_t width, uint32_t rows, uint32_t columns, const float *x,
                             float *y) {
    uint32_t c, r;
    for (c = 0; c < channels; c++, x += (size_t)height * width) {
        for (r = 0; r < rows; r++, y += columns) {
            memcpy(y, x + (size_t)((height - rows) / 2u + r) * width + (width - columns) / 2u, columns * sizeof *y);
        }
    }
}
