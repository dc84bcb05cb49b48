static void max_pool(const window *p, const float *x, float *y) {
    uint32_t c, r, s, i, j, i0, j0;
    for (c = 0; c < p->channels; c++, x += (size_t)p->height * p->width) {
        for (r = 0; r < p->rows; r++) {
            uint32_t i1 = inside(r * p->stride_h, p->kernel_h, p->top, p->height, &i0);
            for (s = 0; s < p->columns; s++) {
                uint32_t j1 = inside(s * p->stride_w, p->kernel_w, p->left, p->width, &j0);
                float largest = x[i0 * p->width + j0];
                for (i = i0; i < i1; i++) {
                    for (j = j0; j < j1; j++) {
                        float value = x[i * p->width + j];
                        largest = value > largest ? value : largest;
                    }
                }
                *y++ = largest;
            }
        }
    }
}
