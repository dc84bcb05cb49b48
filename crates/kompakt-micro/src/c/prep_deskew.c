/* The sum of a pixel's planes, negative sums counting as 0. */
static double prep_mass(const float *x, uint32_t channels, uint32_t plane, uint32_t i) {
    double sum = 0.0;
    uint32_t c;
    for (c = 0; c < channels; c++) {
        sum += (double)x[c * plane + i];
    }
    return sum > 0.0 ? sum : 0.0;
}

/* Shifts the centre of mass to the middle and undoes the slant, by at most max_shear columns per row. */
static void prep_deskew(float max_shear, uint32_t channels, uint32_t height, uint32_t width, const float *x, float *y) {
    uint32_t plane = height * width, r, s, c;
    double m = 0.0, row = 0.0, column = 0.0, both = 0.0, vertical = 0.0;
    prep_map map;
    for (r = 0; r < height; r++) {
        for (s = 0; s < width; s++) {
            double p = prep_mass(x, channels, plane, r * width + s);
            m += p;
            row += p * (double)r;
            column += p * (double)s;
        }
    }
    if (!(m > 0.0)) {
        memcpy(y, x, (size_t)channels * plane * sizeof *y);
        return;
    }
    row /= m;
    column /= m;
    for (r = 0; r < height; r++) {
        double v = (double)r - row;
        for (s = 0; s < width; s++) {
            double p = prep_mass(x, channels, plane, r * width + s);
            both += p * v * ((double)s - column);
            vertical += p * v * v;
        }
    }
    map.middle = (double)(height - 1u) / 2.0;
    map.top = row - map.middle;
    map.left = column - (double)(width - 1u) / 2.0;
    map.step = 1.0;
    map.shear = vertical > 1e-9 * m ? both / vertical : 0.0;
    map.shear = map.shear < -(double)max_shear ? -(double)max_shear : map.shear;
    map.shear = map.shear > (double)max_shear ? (double)max_shear : map.shear;
    map.rows[0] = map.columns[0] = 0;
    map.rows[1] = height;
    map.columns[1] = width;
    for (c = 0; c < channels; c++, x += plane, y += plane) {
        prep_warp(&map, width, height, width, x, y);
    }
}
