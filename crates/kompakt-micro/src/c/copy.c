/* A box of elements from x to y, each with its own strides. */
static void copy(uint32_t rank, const uint32_t *dims, const uint32_t *x_step, const uint32_t *y_step, const float *x, float *y) {
    uint32_t index[8] = {0};
    for (;;) {
        uint32_t d = rank;
        *y = *x;
        for (;;) {
            if (d == 0) {
                return;
            }
            d--;
            if (++index[d] < dims[d]) {
                x += x_step[d];
                y += y_step[d];
                break;
            }
            x -= (size_t)x_step[d] * (dims[d] - 1u);
            y -= (size_t)y_step[d] * (dims[d] - 1u);
            index[d] = 0;
        }
    }
}
