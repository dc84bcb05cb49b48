//! Steps that move the image: crop, centre by mass, deskew.

/// The sampling map of a new image: position `(row, column)` of the new one reads
/// `(row * down + top, column * across + left + shear * (row - middle))` of the old one.
struct Map {
    top: f64,
    left: f64,
    down: f64,
    across: f64,
    shear: f64,
    middle: f64,
}

/// A box of rows and columns, ends not included; outside it everything is 0.
#[derive(Clone, Copy)]
struct Bounds {
    rows: [usize; 2],
    columns: [usize; 2],
}

impl Bounds {
    fn all(height: usize, width: usize) -> Self {
        Self { rows: [0, height], columns: [0, width] }
    }

    /// Whether a row and a column are inside.
    fn hold(&self, row: i64, column: i64) -> bool {
        let within = |at: i64, ends: [usize; 2]| at >= ends[0] as i64 && at < ends[1] as i64;
        within(row, self.rows) && within(column, self.columns)
    }

    /// The pixel at `row` and `column`, the ones to the right, below, and below to the right; 0 outside.
    fn four(&self, x: &[f32], width: usize, row: i64, column: i64) -> [f64; 4] {
        if self.hold(row, column) && self.hold(row.saturating_add(1), column.saturating_add(1)) {
            let at = row as usize * width + column as usize;
            return [x[at], x[at + 1], x[at + width], x[at + width + 1]].map(f64::from);
        }
        [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(down, right)| {
            let (row, column) = (row.saturating_add(down), column.saturating_add(right));
            if self.hold(row, column) { f64::from(x[row as usize * width + column as usize]) } else { 0.0 }
        })
    }
}

/// Resamples one plane through `map`, by bilinear interpolation.
fn warp(x: &[f32], width: usize, bounds: Bounds, map: &Map, to: [usize; 2], y: &mut [f32]) {
    for row in 0..to[0] {
        let at_row = row as f64 * map.down + map.top;
        let above = libm::floor(at_row);
        let v = at_row - above;
        let slant = map.shear * (row as f64 - map.middle) + map.left;
        for column in 0..to[1] {
            let at_column = column as f64 * map.across + slant;
            let left = libm::floor(at_column);
            let u = at_column - left;
            // The casts saturate; what is far outside stays outside.
            let [a, b, c, d] = bounds.four(x, width, above as i64, left as i64);
            let top = (1.0 - u) * a + u * b;
            let bottom = (1.0 - u) * c + u * d;
            y[row * to[1] + column] = ((1.0 - v) * top + v * bottom) as f32;
        }
    }
}

/// Centre of mass and slant of an image.
struct Moments {
    row: f64,
    column: f64,
    /// Columns per row: covariance of column and row over the variance of the row.
    shear: f64,
}

/// `None` if there is no mass. Mass is the sum of a pixel's planes, negative sums counting as 0.
fn moments(x: &[f32], [channels, height, width]: [usize; 3]) -> Option<Moments> {
    let plane = height * width;
    let mass = |i: usize| (0..channels).map(|c| f64::from(x[c * plane + i])).sum::<f64>().max(0.0);
    let (mut m, mut rows, mut columns) = (0.0, 0.0, 0.0);
    for row in 0..height {
        for column in 0..width {
            let p = mass(row * width + column);
            m += p;
            rows += p * row as f64;
            columns += p * column as f64;
        }
    }
    if m.is_nan() || m <= 0.0 {
        return None;
    }
    let (row_centre, column_centre) = (rows / m, columns / m);
    let (mut both, mut vertical) = (0.0, 0.0);
    for row in 0..height {
        let v = row as f64 - row_centre;
        for column in 0..width {
            let p = mass(row * width + column);
            both += p * v * (column as f64 - column_centre);
            vertical += p * v * v;
        }
    }
    let shear = if vertical > 1e-9 * m { both / vertical } else { 0.0 };
    Some(Moments { row: row_centre, column: column_centre, shear })
}

/// Shifts the centre of mass to the middle and shears by at most `max_shear`. Rules P-18 and P-19.
pub(crate) fn deskew(x: &[f32], dims: [usize; 3], max_shear: f32, y: &mut [f32]) {
    let [_, height, width] = dims;
    let Some(found) = moments(x, dims) else {
        return y.copy_from_slice(x);
    };
    let limit = f64::from(max_shear);
    let (middle_row, middle_column) = ((height - 1) as f64 / 2.0, (width - 1) as f64 / 2.0);
    let map = Map {
        top: found.row - middle_row,
        left: found.column - middle_column,
        down: 1.0,
        across: 1.0,
        shear: found.shear.clamp(-limit, limit),
        middle: middle_row,
    };
    let plane = height * width;
    for (x, y) in x.chunks_exact(plane).zip(y.chunks_exact_mut(plane)) {
        warp(x, width, Bounds::all(height, width), &map, [height, width], y);
    }
}

/// The smallest box with all pixels above `threshold` in any plane; the entire image if there is none.
fn bounding_box(x: &[f32], [_, height, width]: [usize; 3], threshold: f32) -> Bounds {
    let mut found: Option<Bounds> = None;
    for plane in x.chunks_exact(height * width) {
        for (i, _) in plane.iter().enumerate().filter(|(_, value)| **value > threshold) {
            let (r, c) = (i / width, i % width);
            let b = found.get_or_insert(Bounds { rows: [r, r + 1], columns: [c, c + 1] });
            b.rows = [b.rows[0].min(r), b.rows[1].max(r + 1)];
            b.columns = [b.columns[0].min(c), b.columns[1].max(c + 1)];
        }
    }
    found.unwrap_or(Bounds::all(height, width))
}

/// Fits the bounding box into the middle of a new image, aspect ratio preserved, `margin` pixels left free.
/// Rule P-17.
pub(crate) fn crop(
    x: &[f32],
    dims: [usize; 3],
    threshold: f32,
    margin: usize,
    to: [usize; 2],
    y: &mut [f32],
) {
    let [_, height, width] = dims;
    let bounds = bounding_box(x, dims, threshold);
    let side = |ends: [usize; 2]| (ends[1] - ends[0]) as f64;
    let middle = |ends: [usize; 2]| (ends[0] + ends[1] - 1) as f64 / 2.0;
    let room = |n: usize| (n - 2 * margin) as f64;
    // Old pixels per new pixel: the tighter side decides.
    let step = (side(bounds.rows) / room(to[0])).max(side(bounds.columns) / room(to[1]));
    let map = Map {
        top: middle(bounds.rows) - step * ((to[0] - 1) as f64 / 2.0),
        left: middle(bounds.columns) - step * ((to[1] - 1) as f64 / 2.0),
        down: step,
        across: step,
        shear: 0.0,
        middle: 0.0,
    };
    for (x, y) in x.chunks_exact(height * width).zip(y.chunks_exact_mut(to[0] * to[1])) {
        warp(x, width, bounds, &map, to, y);
    }
}
