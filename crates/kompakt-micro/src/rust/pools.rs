// == pools
struct Window {
    channels: usize,
    height: usize,
    width: usize,
    rows: usize,
    columns: usize,
    kernel_h: usize,
    kernel_w: usize,
    stride_h: usize,
    stride_w: usize,
    top: usize,
    left: usize,
    #[allow(dead_code)]
    bottom: usize,
    #[allow(dead_code)]
    right: usize,
}

/// The part of a window inside the input.
fn inside(at: usize, kernel: usize, before: usize, size: usize) -> core::ops::Range<usize> {
    at.saturating_sub(before)..size.min((at + kernel).saturating_sub(before))
}
// == max_pool
fn max_pool(p: &Window, x: impl Floats, y: &[Cell<f32>]) {
    let mut y = y.iter();
    for c in 0..p.channels {
        let x = x.part(c * p.height * p.width);
        for r in 0..p.rows {
            let rows = inside(r * p.stride_h, p.kernel_h, p.top, p.height);
            for s in 0..p.columns {
                let columns = inside(s * p.stride_w, p.kernel_w, p.left, p.width);
                let mut largest = x.at(rows.start * p.width + columns.start);
                for i in rows.clone() {
                    for j in columns.clone() {
                        let v = x.at(i * p.width + j);
                        largest = if v > largest { v } else { largest };
                    }
                }
                if let Some(y) = y.next() {
                    y.set(largest);
                }
            }
        }
    }
}
// == average_pool
/// If padding counts, the divisor is the part of the window inside the padded image.
fn average_pool(p: &Window, count_padding: usize, x: impl Floats, y: &[Cell<f32>]) {
    let mut y = y.iter();
    for c in 0..p.channels {
        let x = x.part(c * p.height * p.width);
        for r in 0..p.rows {
            let rows = inside(r * p.stride_h, p.kernel_h, p.top, p.height);
            let below = p.height + p.top + p.bottom - r * p.stride_h;
            for s in 0..p.columns {
                let columns = inside(s * p.stride_w, p.kernel_w, p.left, p.width);
                let beside = p.width + p.left + p.right - s * p.stride_w;
                let mut sum = 0.0;
                for i in rows.clone() {
                    for j in columns.clone() {
                        sum += x.at(i * p.width + j);
                    }
                }
                let mut n = rows.len() * columns.len();
                if count_padding != 0 {
                    n = below.min(p.kernel_h) * beside.min(p.kernel_w);
                }
                if let Some(y) = y.next() {
                    y.set(sum / n as f32);
                }
            }
        }
    }
}
// == global_average_pool
fn global_average_pool(channels: usize, area: usize, x: impl Floats, y: &[Cell<f32>]) {
    for c in 0..channels {
        let mut sum = 0.0;
        for i in c * area..(c + 1) * area {
            sum += x.at(i);
        }
        y[c].set(sum / area as f32);
    }
}
