/* Dense layers as one writes them by hand: every weight a float in flash, no preprocessing, no codebooks. */
#include "net.h"

static void linear(const float *w, const float *bias, int n_in, int n_out, const float *x, float *y) {
    for (int o = 0; o < n_out; o++, w += n_in) {
        float sum = bias[o];
        for (int i = 0; i < n_in; i++) {
            sum += w[i] * x[i];
        }
        y[o] = sum;
    }
}

static void convolution(const float *w, const float *bias, const int g[15], const float *x, float *y) {
    int channels = g[0], height = g[1], width = g[2], out = g[3], rows = g[4], columns = g[5], kh = g[6], kw = g[7];
    int per_group = channels / g[14];
    for (int o = 0; o < out; o++, w += per_group * kh * kw) {
        const float *group = x + o / (out / g[14]) * per_group * height * width;
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < columns; c++) {
                float sum = bias[o];
                for (int k = 0; k < per_group; k++) {
                    for (int i = 0; i < kh; i++) {
                        int row = r * g[8] + i - g[12];
                        if (row < 0 || row >= height) {
                            continue;
                        }
                        for (int j = 0; j < kw; j++) {
                            int column = c * g[9] + j - g[13];
                            if (column >= 0 && column < width) {
                                sum += w[(k * kh + i) * kw + j] * group[(k * height + row) * width + column];
                            }
                        }
                    }
                }
                *y++ = sum;
            }
        }
    }
}

static void relu(int n, float *x) {
    for (int i = 0; i < n; i++) {
        x[i] = x[i] > 0.0f ? x[i] : 0.0f;
    }
}

static void max_pool(int channels, int height, int width, int size, const float *x, float *y) {
    for (int c = 0; c < channels; c++, x += height * width) {
        for (int r = 0; r + size <= height; r += size) {
            for (int s = 0; s + size <= width; s += size) {
                float largest = x[r * width + s];
                for (int i = 0; i < size * size; i++) {
                    float v = x[(r + i / size) * width + s + i % size];
                    largest = v > largest ? v : largest;
                }
                *y++ = largest;
            }
        }
    }
}

static void mean(int channels, int area, const float *x, float *y) {
    for (int c = 0; c < channels; c++, x += area) {
        float sum = 0.0f;
        for (int i = 0; i < area; i++) {
            sum += x[i];
        }
        y[c] = sum / (float)area;
    }
}

static void use_all(void) {
    (void)linear;
    (void)convolution;
    (void)relu;
    (void)max_pool;
    (void)mean;
}
