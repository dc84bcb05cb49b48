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
