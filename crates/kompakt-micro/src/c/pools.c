/* == pools */
typedef struct {
    uint32_t channels, height, width;
    uint32_t rows, columns;
    uint32_t kernel_h, kernel_w, stride_h, stride_w, top, left, bottom, right;
} window;

/* The part of a window inside the input: from *from up to the result, exclusive. */
static uint32_t inside(uint32_t at, uint32_t kernel, uint32_t before, uint32_t size, uint32_t *from) {
    uint32_t end = at + kernel;
    *from = at < before ? 0 : at - before;
    end = end < before ? 0 : end - before;
    return end < size ? end : size;
}
/* == max_pool */
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
/* == average_pool */
/* If padding counts, the divisor is the part of the window inside the padded image. */
static void average_pool(const window *p, uint32_t count_padding, const float *x, float *y) {
    uint32_t c, r, s, i, j, i0, j0;
    for (c = 0; c < p->channels; c++, x += (size_t)p->height * p->width) {
        for (r = 0; r < p->rows; r++) {
            uint32_t i1 = inside(r * p->stride_h, p->kernel_h, p->top, p->height, &i0);
            uint32_t below = p->height + p->top + p->bottom - r * p->stride_h;
            for (s = 0; s < p->columns; s++) {
                uint32_t j1 = inside(s * p->stride_w, p->kernel_w, p->left, p->width, &j0);
                uint32_t beside = p->width + p->left + p->right - s * p->stride_w;
                uint32_t n = (i1 - i0) * (j1 - j0);
                float sum = 0.0f;
                for (i = i0; i < i1; i++) {
                    for (j = j0; j < j1; j++) {
                        sum += x[i * p->width + j];
                    }
                }
                if (count_padding) {
                    n = (below < p->kernel_h ? below : p->kernel_h) * (beside < p->kernel_w ? beside : p->kernel_w);
                }
                *y++ = sum / (float)n;
            }
        }
    }
}
/* == global_average_pool */
static void global_average_pool(uint32_t channels, uint32_t area, const float *x, float *y) {
    uint32_t c, i;
    for (c = 0; c < channels; c++) {
        float sum = 0.0f;
        for (i = 0; i < area; i++) {
            sum += *x++;
        }
        y[c] = sum / (float)area;
    }
}
