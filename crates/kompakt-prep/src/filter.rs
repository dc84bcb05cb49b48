//! Noise-reduction steps.

/// Values below `level` become 0. Rule P-15.
pub(crate) fn threshold(x: &[f32], level: f32, y: &mut [f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = if *x < level { 0.0 } else { *x };
    }
}

/// The median of the nine values around each pixel; outside the plane the nearest pixel counts. Rule P-14.
pub(crate) fn median(x: &[f32], height: usize, width: usize, y: &mut [f32]) {
    for row in 0..height {
        for column in 0..width {
            let mut nine = [0.0f32; 9];
            for (i, value) in nine.iter_mut().enumerate() {
                let near_row = (row + i / 3).saturating_sub(1).min(height - 1);
                let near_column = (column + i % 3).saturating_sub(1).min(width - 1);
                *value = x[near_row * width + near_column];
            }
            nine.sort_unstable_by(f32::total_cmp);
            y[row * width + column] = nine[4];
        }
    }
}
