/* The smallest box with all pixels above the threshold, fitted into the middle of a new image. */
static void prep_crop(float threshold, uint32_t margin, uint32_t channels, uint32_t height, uint32_t width, uint32_t rows,
                      uint32_t columns, const float *x, float *y) {
    uint32_t plane = height * width, i, c;
    double down, across;
    prep_map map;
    map.rows[0] = height;
    map.columns[0] = width;
    map.rows[1] = map.columns[1] = 0;
    for (i = 0; i < channels * plane; i++) {
        if (x[i] > threshold) {
            uint32_t r = i % plane / width, s = i % plane % width;
            map.rows[0] = r < map.rows[0] ? r : map.rows[0];
            map.rows[1] = r + 1u > map.rows[1] ? r + 1u : map.rows[1];
            map.columns[0] = s < map.columns[0] ? s : map.columns[0];
            map.columns[1] = s + 1u > map.columns[1] ? s + 1u : map.columns[1];
        }
    }
    if (map.rows[1] == 0) {
        map.rows[0] = map.columns[0] = 0;
        map.rows[1] = height;
        map.columns[1] = width;
    }
    down = (double)(map.rows[1] - map.rows[0]) / (double)(rows - 2u * margin);
    across = (double)(map.columns[1] - map.columns[0]) / (double)(columns - 2u * margin);
    map.step = down > across ? down : across;
    map.top = (double)(map.rows[0] + map.rows[1] - 1u) / 2.0 - map.step * ((double)(rows - 1u) / 2.0);
    map.left = (double)(map.columns[0] + map.columns[1] - 1u) / 2.0 - map.step * ((double)(columns - 1u) / 2.0);
    map.shear = map.middle = 0.0;
    for (c = 0; c < channels; c++, x += plane, y += (size_t)rows * columns) {
        prep_warp(&map, width, rows, columns, x, y);
    }
}
