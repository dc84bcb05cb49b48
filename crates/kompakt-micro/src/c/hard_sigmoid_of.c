static float hard_sigmoid_of(float x, float slope, float offset) {
    float value = x * slope + offset;
    return value < 0.0f ? 0.0f : value > 1.0f ? 1.0f : value;
}
