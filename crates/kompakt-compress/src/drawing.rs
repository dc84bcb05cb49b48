//! Synthetic drawings: lines of characters that no script has, or one alone, dark on light or light on dark.
//!
//! Pictures of one channel are often of this kind: most of one is ground, and all that matters are strokes of one width. For the
//! activations that they cause, letters need not be those of an alphabet. Sums, products and roots alone: the same values on
//! every machine.

use crate::random::Random;

/// Characters of a picture, of which lines are made.
const CHARACTERS: usize = 16;
/// Pictures of at most this height hold one line, or one character if they are not wide.
const LOW: usize = 64;
/// Wide: so many times as wide as high.
const WIDE: usize = 3;

/// `[height, width]`, -1 to 1.
pub(crate) fn picture(height: usize, width: usize, random: &mut Random) -> Vec<f32> {
    let mut ink = Ink { cover: vec![0.0; height * width], height, width };
    let alphabet: Vec<Character> = (0..CHARACTERS).map(|_| Character::new(random)).collect();
    if height <= LOW && width < WIDE * height {
        let size = (0.55 + 0.25 * random.uniform()) * height.min(width) as f64;
        let at = [height as f64, width as f64].map(|d| (d - size) * (0.35 + 0.3 * random.uniform()));
        alphabet[0].draw(at, [size, size * (0.6 + 0.4 * random.uniform())], thickness(random), &mut ink);
    } else {
        let n_lines = if height <= LOW { 1.0 } else { 3.0 + 9.0 * random.uniform() }.floor();
        let pitch = height as f64 / n_lines;
        let size = pitch * (0.45 + 0.4 * random.uniform());
        let (narrow, thick) = (0.45 + 0.35 * random.uniform(), thickness(random));
        for line in 0..n_lines as usize {
            let y = line as f64 * pitch + (pitch - size) * random.uniform();
            let mut x = size * random.uniform();
            let end = width as f64 * (0.5 + 0.5 * random.uniform()) - size;
            while x < end {
                if random.uniform() > 0.15 {
                    let which = (random.uniform() * CHARACTERS as f64) as usize;
                    alphabet[which].draw([y, x], [size, size * narrow], thick, &mut ink);
                }
                x += size * (narrow + 0.2);
            }
        }
    }
    let sign = random.sign();
    let (ground, drawn) = (1.0 - 0.4 * random.uniform() as f32, 1.0 - 0.7 * random.uniform() as f32);
    let (grain, tint) = (0.08 * random.uniform() as f32, 0.1 * random.bell());
    let pixel = |c: f32| sign * (ground - c * (ground + drawn + tint));
    ink.cover.into_iter().map(|c| (pixel(c) + grain * random.bell()).clamp(-1.0, 1.0)).collect()
}

/// Half of a stroke's width, as a part of a character's height.
fn thickness(random: &mut Random) -> f64 {
    0.03 + 0.05 * random.uniform()
}

/// How much of each pixel is drawn on.
struct Ink {
    cover: Vec<f32>,
    height: usize,
    width: usize,
}

impl Ink {
    fn dot(&mut self, at: [f64; 2], radius: f64) {
        let range = |d: usize, n: usize| {
            let (low, high) = (at[d] - radius - 1.0, at[d] + radius + 2.0);
            low.clamp(0.0, n as f64) as usize..high.clamp(0.0, n as f64) as usize
        };
        for y in range(0, self.height) {
            for x in range(1, self.width) {
                let (dy, dx) = (y as f64 - at[0], x as f64 - at[1]);
                let inside = (radius + 0.5 - (dy * dy + dx * dx).sqrt()).clamp(0.0, 1.0) as f32;
                let cover = &mut self.cover[y * self.width + x];
                *cover = cover.max(inside);
            }
        }
    }
}

/// Strokes, each a curve by its two ends and what pulls it, in a square of size 1.
struct Character(Vec<[[f64; 2]; 3]>);

impl Character {
    fn new(random: &mut Random) -> Self {
        let strokes = 2 + (3.0 * random.uniform()) as usize;
        // Strokes meet: their ends are on a coarse grid.
        let mut point = |steps: f64| (random.uniform() * (steps + 1.0)).floor() / steps;
        Self((0..strokes).map(|_| [0, 1, 2].map(|_| [point(3.0), point(2.0)])).collect())
    }

    /// `at` is its corner, `size` height and width, `thick` half of the strokes' width relative to the height.
    fn draw(&self, at: [f64; 2], size: [f64; 2], thick: f64, ink: &mut Ink) {
        // Dots two to a pixel, or a small part of their radius apart.
        let steps = (2.0 * size[0]).clamp(2.0, 128.0) as usize;
        for stroke in &self.0 {
            for i in 0..=steps {
                let t = i as f64 / steps as f64;
                let (a, b, c) = ((1.0 - t) * (1.0 - t), 2.0 * t * (1.0 - t), t * t);
                let on =
                    |d: usize| at[d] + size[d] * (a * stroke[0][d] + b * stroke[1][d] + c * stroke[2][d]);
                ink.dot([on(0), on(1)], thick * size[0]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_is_ground_and_some_is_drawn() {
        for [h, w] in [[28, 28], [48, 320], [200, 150]] {
            let mut n_light = 0;
            for seed in 0..20 {
                let pixels = picture(h, w, &mut Random::new(seed));
                assert!(pixels.len() == h * w && pixels.iter().all(|v| v.abs() <= 1.0));
                let light = pixels.iter().filter(|v| **v > 0.0).count() as f64 / pixels.len() as f64;
                let drawn = light.min(1.0 - light);
                assert!(drawn > 0.005 && drawn < 0.45, "{drawn}");
                n_light += usize::from(light > 0.5);
                assert_eq!(pixels, picture(h, w, &mut Random::new(seed)));
            }
            assert!(n_light > 2 && n_light < 18);
        }
    }
}
