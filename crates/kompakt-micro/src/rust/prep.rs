// == root
/// The square root of x; 0 where there is none.
fn root(x: f64) -> f64 {
    if !(x > 0.0 && x < 1e300) {
        return 0.0;
    }
    let mut guess = if x > 1.0 { x } else { 1.0 };
    loop {
        let next = 0.5 * (guess + x / guess);
        if next >= guess {
            return guess;
        }
        guess = next;
    }
}
// == prep_invert
fn prep_invert(n: usize, x: impl Floats, y: &[Cell<f32>]) {
    for i in 0..n {
        y[i].set(1.0 - x.at(i));
    }
}
// == prep_grayscale
/// Brightness of red, green and blue as in ITU-R BT.601.
fn prep_grayscale(plane: usize, x: impl Floats, y: &[Cell<f32>]) {
    let wide = |i: usize| f64::from(x.at(i));
    for i in 0..plane {
        y[i].set((0.299 * wide(i) + 0.587 * wide(plane + i) + 0.114 * wide(2 * plane + i)) as f32);
    }
}
// == prep_channels
fn prep_channels(order: &[usize], n: usize, plane: usize, x: impl Floats, y: &[Cell<f32>]) {
    for c in 0..n {
        for i in 0..plane {
            y[c * plane + i].set(x.at(order[c] * plane + i));
        }
    }
}
// == prep_normalize
fn prep_normalize(mean: &[f32], std: &[f32], channels: usize, plane: usize, x: impl Floats, y: &[Cell<f32>]) {
    for c in 0..channels {
        for i in c * plane..(c + 1) * plane {
            y[i].set(((f64::from(x.at(i)) - f64::from(mean[c])) / f64::from(std[c])) as f32);
        }
    }
}
// == prep_threshold
fn prep_threshold(level: f32, n: usize, x: impl Floats, y: &[Cell<f32>]) {
    for i in 0..n {
        let v = x.at(i);
        y[i].set(if v < level { 0.0 } else { v });
    }
}
// == prep_median
/// The fifth of the nine values around each pixel; outside the image the nearest pixel is used.
fn prep_median(channels: usize, height: usize, width: usize, x: impl Floats, y: &[Cell<f32>]) {
    let near = |at: usize, i: usize, n: usize| (at + i).saturating_sub(1).min(n - 1);
    let mut y = y.iter();
    for c in 0..channels {
        let x = x.part(c * height * width);
        for r in 0..height {
            for s in 0..width {
                let mut nine = [0.0; 9];
                for i in 0..9 {
                    let value = x.at(near(r, i / 3, height) * width + near(s, i % 3, width));
                    let mut j = i;
                    while j > 0 && nine[j - 1] > value {
                        nine[j] = nine[j - 1];
                        j -= 1;
                    }
                    nine[j] = value;
                }
                if let Some(y) = y.next() {
                    y.set(nine[4]);
                }
            }
        }
    }
}
// == prep_bilinear
/// Pixel centres are at half-integers.
fn prep_neighbours(i: usize, m: usize, n: usize) -> (usize, usize, f64) {
    let at = ((i as f64 + 0.5) * (n as f64 / m as f64) - 0.5).clamp(0.0, (n - 1) as f64);
    let first = at as usize;
    (first, (first + 1).min(n - 1), at - first as f64)
}

fn prep_bilinear(
    channels: usize,
    height: usize,
    width: usize,
    rows: usize,
    columns: usize,
    x: impl Floats,
    y: &[Cell<f32>],
) {
    let mut y = y.iter();
    for c in 0..channels {
        let x = x.part(c * height * width);
        for r in 0..rows {
            let (above, below, v) = prep_neighbours(r, rows, height);
            for s in 0..columns {
                let (left, right, u) = prep_neighbours(s, columns, width);
                let row = |r: usize| {
                    (1.0 - u) * f64::from(x.at(r * width + left)) + u * f64::from(x.at(r * width + right))
                };
                if let Some(y) = y.next() {
                    y.set(((1.0 - v) * row(above) + v * row(below)) as f32);
                }
            }
        }
    }
}
// == prep_area
/// The positions that a cell covers: the first, one past the last, and where it begins and ends.
struct PrepSpan {
    from: usize,
    end: usize,
    begins: f64,
    ends: f64,
}

impl PrepSpan {
    /// Cell i of m, over n positions.
    fn of(i: usize, m: usize, n: usize) -> Self {
        let scale = n as f64 / m as f64;
        let ends = ((i + 1) as f64 * scale).min(n as f64);
        let end = ends as usize;
        let end = if (end as f64) < ends { end + 1 } else { end };
        Self { from: (i as f64 * scale) as usize, end: end.min(n), begins: i as f64 * scale, ends }
    }

    /// How much of a position it covers.
    fn covers(&self, at: usize) -> f64 {
        ((at + 1) as f64).min(self.ends) - (at as f64).max(self.begins)
    }
}

/// Each pixel is the mean over the area that it covers.
fn prep_area(
    channels: usize,
    height: usize,
    width: usize,
    rows: usize,
    columns: usize,
    x: impl Floats,
    y: &[Cell<f32>],
) {
    let mut y = y.iter();
    for c in 0..channels {
        let x = x.part(c * height * width);
        for r in 0..rows {
            let down = PrepSpan::of(r, rows, height);
            for s in 0..columns {
                let over = PrepSpan::of(s, columns, width);
                let mut sum = 0.0;
                for i in down.from..down.end {
                    let mut across = 0.0;
                    for j in over.from..over.end {
                        across += over.covers(j).max(0.0) * f64::from(x.at(i * width + j));
                    }
                    sum += down.covers(i).max(0.0) * across;
                }
                let area = (down.ends - down.begins) * (over.ends - over.begins);
                if let Some(y) = y.next() {
                    y.set((sum / area) as f32);
                }
            }
        }
    }
}
// == prep_warp
/// Source positions of a new image's pixels, and the box outside of which everything is 0.
struct PrepMap {
    top: f64,
    left: f64,
    step: f64,
    shear: f64,
    middle: f64,
    rows: [usize; 2],
    columns: [usize; 2],
}

/// The largest integer up to x, for |x| < 2^31.
fn prep_floor(x: f64) -> f64 {
    let whole = f64::from(x as i32);
    if whole > x { whole - 1.0 } else { whole }
}

fn prep_warp(map: &PrepMap, width: usize, rows: usize, columns: usize, x: impl Floats, y: &[Cell<f32>]) {
    let pixel = |row: f64, column: f64| {
        let inside = |at: f64, range: [usize; 2]| at >= range[0] as f64 && at < range[1] as f64;
        if inside(row, map.rows) && inside(column, map.columns) {
            f64::from(x.at(row as usize * width + column as usize))
        } else {
            0.0
        }
    };
    for r in 0..rows {
        let at_row = r as f64 * map.step + map.top;
        let above = prep_floor(at_row);
        let v = at_row - above;
        let slant = map.shear * (r as f64 - map.middle) + map.left;
        for s in 0..columns {
            let at_column = s as f64 * map.step + slant;
            let left = prep_floor(at_column);
            let u = at_column - left;
            let top = (1.0 - u) * pixel(above, left) + u * pixel(above, left + 1.0);
            let bottom = (1.0 - u) * pixel(above + 1.0, left) + u * pixel(above + 1.0, left + 1.0);
            y[r * columns + s].set(((1.0 - v) * top + v * bottom) as f32);
        }
    }
}
// == prep_deskew
/// Shifts the centre of mass to the middle and undoes the slant, by at most max_shear columns per row.
fn prep_deskew(max_shear: f32, channels: usize, height: usize, width: usize, x: impl Floats, y: &[Cell<f32>]) {
    let plane = height * width;
    // The sum of a pixel's planes, negative sums counting as 0.
    let mass = |i: usize| {
        let mut sum = 0.0;
        for c in 0..channels {
            sum += f64::from(x.at(c * plane + i));
        }
        if sum > 0.0 { sum } else { 0.0 }
    };
    let (mut m, mut row, mut column, mut both, mut vertical) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for i in 0..plane {
        let p = mass(i);
        m += p;
        row += p * (i / width) as f64;
        column += p * (i % width) as f64;
    }
    if !(m > 0.0) {
        for i in 0..channels * plane {
            y[i].set(x.at(i));
        }
        return;
    }
    row /= m;
    column /= m;
    for i in 0..plane {
        let (p, v) = (mass(i), (i / width) as f64 - row);
        both += p * v * ((i % width) as f64 - column);
        vertical += p * v * v;
    }
    let (middle, most) = ((height - 1) as f64 / 2.0, f64::from(max_shear));
    let shear = if vertical > 1e-9 * m { both / vertical } else { 0.0 };
    let map = PrepMap {
        top: row - middle,
        left: column - (width - 1) as f64 / 2.0,
        step: 1.0,
        shear: shear.max(-most).min(most),
        middle,
        rows: [0, height],
        columns: [0, width],
    };
    for c in 0..channels {
        prep_warp(&map, width, height, width, x.part(c * plane), &y[c * plane..]);
    }
}
// == prep_crop
/// The smallest box with all pixels above the threshold, fitted into the middle of a new image.
fn prep_crop(
    threshold: f32,
    margin: usize,
    channels: usize,
    height: usize,
    width: usize,
    rows: usize,
    columns: usize,
    x: impl Floats,
    y: &[Cell<f32>],
) {
    let plane = height * width;
    let mut map = PrepMap {
        top: 0.0,
        left: 0.0,
        step: 0.0,
        shear: 0.0,
        middle: 0.0,
        rows: [height, 0],
        columns: [width, 0],
    };
    for i in 0..channels * plane {
        if x.at(i) > threshold {
            let (r, s) = (i % plane / width, i % plane % width);
            map.rows = [map.rows[0].min(r), map.rows[1].max(r + 1)];
            map.columns = [map.columns[0].min(s), map.columns[1].max(s + 1)];
        }
    }
    if map.rows[1] == 0 {
        map.rows = [0, height];
        map.columns = [0, width];
    }
    let down = (map.rows[1] - map.rows[0]) as f64 / (rows - 2 * margin) as f64;
    let across = (map.columns[1] - map.columns[0]) as f64 / (columns - 2 * margin) as f64;
    map.step = if down > across { down } else { across };
    map.top = (map.rows[0] + map.rows[1] - 1) as f64 / 2.0 - map.step * ((rows - 1) as f64 / 2.0);
    map.left = (map.columns[0] + map.columns[1] - 1) as f64 / 2.0 - map.step * ((columns - 1) as f64 / 2.0);
    for c in 0..channels {
        prep_warp(&map, width, rows, columns, x.part(c * plane), &y[c * rows * columns..]);
    }
}
// == prep_gradients
/// How position i of n is shared between the cells whose centres are beside it: cell and share of each.
fn prep_shares(i: usize, n: usize, side: usize) -> [(usize, f64); 2] {
    let at = (i as f64 + 0.5) * (side as f64 / n as f64) - 0.5;
    let low = if at < 0.0 { -1 } else { at as i32 };
    let second = at - f64::from(low);
    let first = if low < 0 { (0, 0.0) } else { (low as usize, 1.0 - second) };
    let next = (low + 1) as usize;
    [first, if next >= side { (0, 0.0) } else { (next, second) }]
}

/// One grid of histograms of gradient directions, contrast-normalised. `circle`: cosine and sine of each direction, then of
/// the first again; `sine`: of the angle between adjacent directions.
fn prep_gradients(
    directions: usize,
    circle: &[f64],
    sine: f64,
    side: usize,
    locality: f32,
    roots: usize,
    height: usize,
    width: usize,
    x: impl Floats,
    y: &[Cell<f32>],
) {
    let cells = side * side;
    let y = &y[..directions * cells];
    y.iter().for_each(|y| y.set(0.0));
    let wide = |i: usize| f64::from(x.at(i));
    for r in 0..height {
        let rows = prep_shares(r, height, side);
        for s in 0..width {
            let left = if s > 0 { wide(r * width + s - 1) } else { 0.0 };
            let right = if s + 1 < width { wide(r * width + s + 1) } else { 0.0 };
            let above = if r > 0 { wide((r - 1) * width + s) } else { 0.0 };
            let below = if r + 1 < height { wide((r + 1) * width + s) } else { 0.0 };
            let (across, down) = (right - left, below - above);
            if across == 0.0 && down == 0.0 {
                continue;
            }
            let turned = |k: usize| circle[2 * k] * down - circle[2 * k + 1] * across;
            let Some(k) = (0..directions).find(|&k| turned(k) >= 0.0 && turned(k + 1) < 0.0) else { continue };
            for (row, row_share) in rows {
                for (column, column_share) in prep_shares(s, width, side) {
                    let share = row_share * column_share;
                    let add = |k: usize, v: f64| {
                        let y = &y[k * cells + row * side + column];
                        y.set(y.get() + (share * v) as f32);
                    };
                    add(k, -turned(k + 1) / sine);
                    add((k + 1) % directions, turned(k) / sine);
                }
            }
        }
    }
    let square = |y: &Cell<f32>| f64::from(y.get()) * f64::from(y.get());
    let mut all = 0.0;
    y.iter().for_each(|y| all += square(y));
    all /= (directions * cells) as f64;
    let locality = f64::from(locality);
    for i in 0..cells {
        let mut own = 0.0;
        for k in 0..directions {
            own += square(&y[k * cells + i]);
        }
        let norm = root(locality * (own / directions as f64) + (1.0 - locality) * all);
        for k in 0..directions {
            let y = &y[k * cells + i];
            let value = if norm > 0.0 { f64::from(y.get()) / norm } else { 0.0 };
            y.set((if roots != 0 { root(value) } else { value }) as f32);
        }
    }
}
// == prep_center_crop
fn prep_center_crop(
    channels: usize,
    height: usize,
    width: usize,
    rows: usize,
    columns: usize,
    x: impl Floats,
    y: &[Cell<f32>],
) {
    for c in 0..channels {
        for r in 0..rows {
            let from = ((c * height) + (height - rows) / 2 + r) * width + (width - columns) / 2;
            for s in 0..columns {
                y[(c * rows + r) * columns + s].set(x.at(from + s));
            }
        }
    }
}
// == prep_subtract
/// A small image, enlarged, is subtracted.
fn prep_subtract(
    small: &[f32],
    rows: usize,
    columns: usize,
    channels: usize,
    height: usize,
    width: usize,
    x: impl Floats,
    y: &[Cell<f32>],
) {
    prep_bilinear(channels, rows, columns, height, width, small, y);
    for i in 0..channels * height * width {
        y[i].set(x.at(i) - y[i].get());
    }
}
