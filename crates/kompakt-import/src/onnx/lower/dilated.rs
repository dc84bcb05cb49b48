//! Dilated pools: pixels are gathered so that each window's are contiguous, and pooled without dilation.

use super::{
    Act, Call, Lowering,
    layers::{Window, pair},
};
use crate::onnx::tensor::Tensor;
use kompakt_graph::{Op, Padding};

/// The most pixels along one direction, windows side by side.
const MAX_PIXELS: usize = 1 << 16;

/// One direction of windows that move over an image.
#[derive(Debug, Clone, Copy)]
struct Direction {
    size: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    before: usize,
    after: usize,
    n_windows: usize,
}

impl Direction {
    fn new(window: &Window, d: usize, [before, after]: [i64; 2], ceil_mode: bool) -> Result<Self, String> {
        let size = |v: i64| usize::try_from(v).map_err(|_| "padding below 0".to_string());
        let (before, after) = (size(before)?, size(after)?);
        let (size, stride, reach) = (window.size[d], window.stride[d], window.reach(d));
        let room = (size + before + after).checked_sub(reach);
        let room = room.ok_or_else(|| format!("a window that reaches over {reach} of {size} pixels"))?;
        let mut n_windows = if ceil_mode { room.div_ceil(stride) } else { room / stride } + 1;
        // A window that starts in the padding after the image does not count.
        if ceil_mode && (n_windows - 1) * stride >= size + before {
            n_windows -= 1;
        }
        let (kernel, dilation) = (window.kernel[d], window.dilation[d]);
        if n_windows.checked_mul(kernel).is_none_or(|n| n > MAX_PIXELS) {
            return Err(format!("{n_windows} windows of {kernel} pixels"));
        }
        Ok(Self { size, kernel, stride, dilation, before, after, n_windows })
    }

    /// Positions of a window's pixels, counted from the start of the padding.
    fn places(self, window: usize) -> impl Iterator<Item = usize> {
        (0..self.kernel).map(move |tap| window * self.stride + tap * self.dilation)
    }

    fn is_inside(self, place: usize) -> bool {
        place >= self.before && place < self.before + self.size
    }

    /// The pixels of each window; one outside the image is replaced by one inside, which does not change the
    /// maximum.
    fn of_image(self) -> Result<Vec<usize>, String> {
        let mut all = Vec::new();
        for window in 0..self.n_windows {
            let inside = self.places(window).find(|&p| self.is_inside(p));
            let inside = inside.ok_or("a window that lies in the padding alone")?;
            let taken = self.places(window).map(|p| if self.is_inside(p) { p } else { inside });
            all.extend(taken.map(|p| p - self.before));
        }
        Ok(all)
    }

    /// Zeros after the image, so that each window has all its pixels.
    fn zeros_behind(self) -> usize {
        let end = (self.n_windows - 1) * self.stride + (self.kernel - 1) * self.dilation + 1;
        end.saturating_sub(self.before + self.size)
    }

    /// The factor for the mean of a window's pixels, zeros outside the image.
    fn divisor(self, window: usize, with_padding: bool) -> f32 {
        let counts = |&place: &usize| match with_padding {
            true => place < self.before + self.size + self.after,
            false => self.is_inside(place),
        };
        self.kernel as f32 / self.places(window).filter(counts).count() as f32
    }
}

impl Lowering<'_> {
    pub(super) fn dilated_pool(
        &mut self,
        call: &Call<'_>,
        x: &Act,
        window: &Window,
        padding: [[i64; 2]; 2],
        is_max: bool,
    ) -> Result<Act, String> {
        let ceil_mode = call.node.int("ceil_mode", 0) != 0;
        let directions = [
            Direction::new(window, 0, padding[0], ceil_mode)?,
            Direction::new(window, 1, padding[1], ceil_mode)?,
        ];
        let mut image = self.image(x)?;
        if !is_max {
            let before = vec![0, directions[0].before, directions[1].before];
            let after = vec![0, directions[0].zeros_behind(), directions[1].zeros_behind()];
            if before.iter().chain(&after).any(|&n| n > 0) {
                image = self.builder.op(None, Op::Pad { before, after }, vec![image])?;
            }
        }
        for (d, direction) in directions.iter().enumerate() {
            let indices = match is_max {
                true => direction.of_image()?,
                false => (0..direction.n_windows).flat_map(|w| direction.places(w)).collect(),
            };
            image = self.builder.op(None, Op::Gather { axis: d + 1, indices }, vec![image])?;
        }
        let (kernel, padding) = (pair(window.kernel), Padding::default());
        let op = match is_max {
            true => Op::MaxPool { kernel, stride: kernel, padding, ceil_mode: false },
            false => {
                Op::AvgPool { kernel, stride: kernel, padding, ceil_mode: false, count_include_pad: true }
            }
        };
        let value = self.builder.op(call.name(), op, vec![image])?;
        let y = self.with_batch(value);
        let y = if is_max { y } else { self.divided(call, &y, directions)? };
        self.like_image(x, y.value)
    }

    /// Means over fewer pixels than a full window, at the image's edges.
    fn divided(&mut self, call: &Call<'_>, y: &Act, directions: [Direction; 2]) -> Result<Act, String> {
        let with_padding = call.node.int("count_include_pad", 0) != 0;
        let factors = |d: Direction| (0..d.n_windows).map(move |w| d.divisor(w, with_padding));
        let [vertical, horizontal] = directions;
        let all: Vec<f32> = factors(vertical).flat_map(|v| factors(horizontal).map(move |h| v * h)).collect();
        if all.iter().any(|f| !f.is_finite()) {
            return Err("a window that lies in the padding alone".into());
        }
        if all.iter().all(|&f| f == 1.0) {
            return Ok(y.clone());
        }
        let n_parameters = self.n_parameters;
        let factors = Tensor::floats(vec![1, 1, vertical.n_windows, horizontal.n_windows], all);
        let y = self.with_constant(call, "Mul", y, &factors)?;
        // Not weights of the original network.
        self.n_parameters = n_parameters;
        Ok(y)
    }
}
