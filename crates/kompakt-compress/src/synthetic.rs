//! Synthetic calibration images, for use without data.
//!
//! Discs and boxes of many sizes overlap like leaves on the ground (a dead leaves model); each has a colour
//! and a gradient of light, and a fine texture covers all. Such images have edges, flat parts, shadows and a
//! spectrum as photographs do and noise does not: the activations that they cause are much nearer to those
//! that photographs cause.
//!
//! Of one channel, half of the images are [drawings](crate::drawing).
//!
//! Nothing is taken from any image, and the same values result on every machine: sums, products and roots
//! alone.
//!
//! Source: Lee, Mumford, Huang 2001, "Occlusion models for natural images"; Baradad et al. 2021, "Learning to see by looking
//! at noise".

use crate::{drawing, images::Images, kinds::MOST_CHANNELS, random::Random};

/// Large shapes drawn first, so that no part stays bare.
const GROUND: usize = 16;
/// Shapes drawn over them.
const SHAPES: usize = 100;
/// The radius of the smallest shape, in pixels.
const SMALLEST: f64 = 3.0;
/// Spread of lightness between shapes, and of colour within one.
const LIGHT: f32 = 0.45;
const COLOUR: f32 = 0.18;

/// `n` images `[channels, height, width]`, or `[height, width, channels]` if the last is small, with values
/// of -1 to 1; for any other shape as many values, each correlated with its neighbours. Others for another `seed`.
pub(crate) fn images(shape: &[usize], n: usize, seed: u64) -> Images {
    let len: usize = shape.iter().product();
    let mut values = Vec::with_capacity(n * len);
    for i in 0..n {
        let mut random = Random::new(seed + i as u64 + 1);
        match *shape {
            [h, w, c] if c <= MOST_CHANNELS && h > c && w > c => {
                let planes = one(c, h, w, i, &mut random);
                values.extend((0..len).map(|i| planes[i % c * h * w + i / c]));
            }
            [c, h, w] if h > 1 && w > 1 => values.extend(one(c, h, w, i, &mut random)),
            _ => values.extend(line(len, &mut random)),
        }
    }
    Images::from_values(values, n, Vec::new())
}

/// Number `i`: of one channel every other one is a drawing.
fn one(channels: usize, height: usize, width: usize, i: usize, random: &mut Random) -> Vec<f32> {
    match channels {
        1 if i.is_multiple_of(2) => drawing::picture(height, width, random),
        _ => picture(channels, height, width, random),
    }
}

fn line(len: usize, random: &mut Random) -> Vec<f32> {
    let mut at = 0.0;
    let step = |_| {
        at = 0.9 * at + 0.22 * random.bell();
        at
    };
    (0..len).map(step).collect()
}

fn picture(channels: usize, height: usize, width: usize, random: &mut Random) -> Vec<f32> {
    let mut pixels = vec![0f32; channels * height * width];
    let size = height.max(width) as f64;
    for i in 0..GROUND + SHAPES {
        let radius = if i < GROUND {
            size * (0.2 + 0.4 * random.uniform())
        } else {
            // Scale-invariant: the number of each size keeps the image the same when it is enlarged.
            let u = random.uniform();
            (u / SMALLEST.powi(2) + (1.0 - u) / (0.5 * size).powi(2)).sqrt().recip()
        };
        Leaf::new(radius, channels, height, width, random).lay(&mut pixels, height, width);
    }
    let strength = 0.02 + 0.13 * random.uniform() as f32;
    let texture = texture(height, width, random);
    for plane in pixels.chunks_exact_mut(height * width) {
        plane.iter_mut().zip(&texture).for_each(|(p, t)| *p = (*p + strength * t).clamp(-1.0, 1.0));
    }
    for _ in 0..(random.uniform() * 4.0) as usize {
        pixels = blurred(&pixels, height, width);
    }
    let (contrast, shift) = (0.6 + 0.8 * random.uniform() as f32, 0.15 * random.bell());
    pixels.iter_mut().for_each(|p| *p = (*p * contrast + shift).clamp(-1.0, 1.0));
    pixels
}

/// Each pixel blended with its neighbours.
fn blurred(pixels: &[f32], height: usize, width: usize) -> Vec<f32> {
    let at = |i: usize| {
        let (y, x) = (i / width % height, i % width);
        let up = if y > 0 { i - width } else { i };
        let down = if y + 1 < height { i + width } else { i };
        let row = |i: usize| {
            let left = if x > 0 { i - 1 } else { i };
            let right = if x + 1 < width { i + 1 } else { i };
            0.25 * pixels[left] + 0.5 * pixels[i] + 0.25 * pixels[right]
        };
        0.25 * row(up) + 0.5 * row(i) + 0.25 * row(down)
    };
    (0..pixels.len()).map(at).collect()
}

/// A shape.
struct Leaf {
    centre: [f64; 2],
    /// Direction of its longer side.
    along: [f64; 2],
    sides: [f64; 2],
    is_round: bool,
    colours: Vec<f32>,
    /// How much lighter it is at the end than in the middle.
    slope: f32,
}

impl Leaf {
    fn new(radius: f64, channels: usize, height: usize, width: usize, random: &mut Random) -> Self {
        let light = LIGHT * random.bell();
        Self {
            centre: [random.uniform() * height as f64, random.uniform() * width as f64],
            along: random.direction(),
            sides: [radius, radius * (0.4 + 0.6 * random.uniform())],
            is_round: random.uniform() < 0.5,
            colours: (0..channels).map(|_| light + COLOUR * random.bell()).collect(),
            slope: 0.25 * random.bell(),
        }
    }

    fn lay(&self, pixels: &mut [f32], height: usize, width: usize) {
        let reach = self.sides[0] + self.sides[1];
        let range = |d: usize, n: usize| {
            let (low, high) = (self.centre[d] - reach, self.centre[d] + reach + 1.0);
            low.clamp(0.0, n as f64) as usize..high.clamp(0.0, n as f64) as usize
        };
        for y in range(0, height) {
            for x in range(1, width) {
                let (dy, dx) = (y as f64 - self.centre[0], x as f64 - self.centre[1]);
                let u = (dx * self.along[0] + dy * self.along[1]) / self.sides[0];
                let v = (dy * self.along[0] - dx * self.along[1]) / self.sides[1];
                let inside = if self.is_round { u * u + v * v < 1.0 } else { u.abs() < 1.0 && v.abs() < 1.0 };
                if inside {
                    for (c, colour) in self.colours.iter().enumerate() {
                        pixels[(c * height + y) * width + x] = colour + self.slope * u as f32;
                    }
                }
            }
        }
    }
}

/// Noise of all octaves, equally strong: `[height, width]`, about 1 in size.
fn texture(height: usize, width: usize, random: &mut Random) -> Vec<f32> {
    let mut sum = vec![0f32; height * width];
    let (mut step, mut octaves) = (1, 0);
    while step <= height.max(width) / 2 {
        let (h, w) = (height / step + 2, width / step + 2);
        let coarse: Vec<f32> = (0..h * w).map(|_| random.bell()).collect();
        for y in 0..height {
            let (y0, fy) = (y / step, (y % step) as f32 / step as f32);
            for x in 0..width {
                let (x0, fx) = (x / step, (x % step) as f32 / step as f32);
                let row = |r: usize| coarse[r * w + x0] * (1.0 - fx) + coarse[r * w + x0 + 1] * fx;
                sum[y * width + x] += row(y0) * (1.0 - fy) + row(y0 + 1) * fy;
            }
        }
        step *= 2;
        octaves += 1;
    }
    let scale = 1.5 / f32::max(octaves as f32, 1.0).sqrt();
    sum.iter_mut().for_each(|s| *s *= scale);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in photographs, and unlike in noise, a pixel is strongly correlated with its neighbour, less with
    /// those further off, and the differences of neighbours have a far longer tail than a Gaussian's, whose
    /// fourth moment is 3.
    #[test]
    fn near_to_photographs() {
        let (h, w) = (96, 96);
        let pixels = |images: Images| {
            let mut values = vec![0.0; images.n * images.len_each()];
            images.read(0, &mut values);
            values
        };
        let values = pixels(images(&[3, h, w], 8, 0));
        assert!(values.iter().all(|v| v.abs() <= 1.0));
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let covariance = |by: usize| -> f64 {
            let rows = values.chunks_exact(w);
            let row = |r: &[f32]| -> f64 {
                (0..w - by).map(|x| f64::from((r[x] - mean) * (r[x + by] - mean))).sum::<f64>()
                    / (w - by) as f64
            };
            rows.map(row).sum()
        };
        let (near, far) = (covariance(1) / covariance(0), covariance(16) / covariance(0));
        assert!(near > 0.8 && near < 0.99 && far > 0.1 && far < 0.8, "{near} {far}");
        let steps: Vec<f64> =
            values.chunks_exact(w).flat_map(|r| r.windows(2).map(|p| f64::from(p[1] - p[0]))).collect();
        let moment = |power: i32| steps.iter().map(|s| s.powi(power)).sum::<f64>() / steps.len() as f64;
        let tail = moment(4) / moment(2).powi(2);
        assert!(tail > 6.0, "{tail}");
        assert_eq!(values, pixels(images(&[3, h, w], 8, 0)));
        assert_eq!(pixels(images(&[20], 3, 0)).len(), 60);
        let last = pixels(images(&[h, w, 3], 1, 0));
        assert_eq!((last[0], last[4]), (values[0], values[h * w + 1]));
    }

    /// Of one channel every other image is a drawing, with ground on half of it at least; of three none is.
    #[test]
    fn half_of_one_channel_are_drawings() {
        for (channels, wanted) in [(1, [true, false]), (3, [false, false])] {
            let (n, len) = (16, channels * 28 * 28);
            let mut values = vec![0.0; n * len];
            images(&[channels, 28, 28], n, 5).read(0, &mut values);
            for (i, image) in values.chunks_exact(len).enumerate() {
                let mut sorted = image.to_vec();
                sorted.sort_unstable_by(f32::total_cmp);
                let spread = |part: &[f32]| part[part.len() - 1] - part[0];
                let least = sorted.windows(len / 2).map(spread).fold(f32::INFINITY, f32::min);
                let is_drawing = drawing::picture(28, 28, &mut Random::new(5 + i as u64 + 1)) == image;
                assert_eq!(is_drawing, wanted[i % 2], "{i}");
                assert!(!is_drawing || least < 0.3, "{least}");
            }
        }
    }
}
