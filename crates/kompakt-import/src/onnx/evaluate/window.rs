//! Windows of convolutions and pools, in any number of dimensions.

use super::call::{Call, sizes};

/// One direction of a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Direction {
    /// Cells of the input.
    pub(super) size: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) dilation: usize,
    /// Cells added before and after the input.
    pub(super) before: i64,
    pub(super) after: i64,
    /// Number of windows.
    pub(super) n: usize,
}

impl Direction {
    /// Extent of a window in cells, from the first to the last.
    pub(super) fn reach(&self) -> usize {
        (self.kernel - 1) * self.dilation + 1
    }

    /// Whether each window is one cell of the input, in order.
    pub(super) fn is_one_to_one(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.before == 0 && self.n == self.size
    }

    /// The range of windows whose cell under `tap` is inside the input.
    pub(super) fn inside(&self, tap: usize) -> (usize, usize) {
        // For window 0.
        let cell = (tap * self.dilation) as i64 - self.before;
        let up_to = |limit: i64| (limit - cell + self.stride as i64 - 1).max(0) as usize / self.stride;
        let to = up_to(self.size as i64).min(self.n);
        (up_to(0).min(to), to)
    }

    /// The cell under `tap` of a window, if it is inside the input.
    pub(super) fn cell(&self, window: usize, tap: usize) -> Option<usize> {
        let at = (window * self.stride + tap * self.dilation) as i64 - self.before;
        usize::try_from(at).ok().filter(|&at| at < self.size)
    }
}

/// Strides, dilations and padding of a node, with the number of windows.
pub(super) fn directions(
    call: &Call<'_>,
    size: &[usize],
    kernel: &[usize],
) -> Result<Vec<Direction>, String> {
    let n = size.len();
    if kernel.len() != n || kernel.contains(&0) || n == 0 {
        return Err(format!("a window of {kernel:?} over {size:?}"));
    }
    let list = |name: &str| -> Result<Vec<usize>, String> {
        let list = call.node.ints(name).map_or(Ok(vec![1; n]), sizes)?;
        let is_sound = list.len() == n && list.iter().all(|v| (1..1 << 28).contains(v));
        if is_sound { Ok(list) } else { Err(format!("{name} are {list:?}")) }
    };
    let (strides, dilations) = (list("strides")?, list("dilations")?);
    let pads = call.node.ints("pads").map_or_else(|| vec![0; 2 * n], <[i64]>::to_vec);
    if pads.len() != 2 * n || pads.iter().any(|p| p.unsigned_abs() > 1 << 28) {
        return Err(format!("pads are {pads:?}"));
    }
    let is_ceil = call.node.int("ceil_mode", 0) != 0;
    let mut all = Vec::new();
    for d in 0..n {
        let (size, kernel, stride, dilation) = (size[d], kernel[d], strides[d], dilations[d]);
        let mut direction = Direction { size, kernel, stride, dilation, before: 0, after: 0, n: 0 };
        let same = |lower: bool| {
            let n = size.div_ceil(stride);
            let total = (n.max(1) as i64 - 1) * stride as i64 + direction.reach() as i64 - size as i64;
            let total = total.max(0);
            let (less, more) = (total / 2, total - total / 2);
            if lower { (more, less) } else { (less, more) }
        };
        (direction.before, direction.after) = match call.node.text("auto_pad") {
            "SAME_UPPER" => same(false),
            "SAME_LOWER" => same(true),
            "VALID" => (0, 0),
            _ => (pads[d], pads[d + n]),
        };
        let room = size as i64 + direction.before + direction.after - direction.reach() as i64;
        let room = usize::try_from(room).map_err(|_| "a window beyond its input".to_string())?;
        direction.n = if is_ceil { room.div_ceil(stride) } else { room / stride } + 1;
        // A window that would start in the padding after the input does not count.
        if is_ceil && (direction.n - 1) as i64 * stride as i64 >= size as i64 + direction.before {
            direction.n -= 1;
        }
        all.push(direction);
    }
    Ok(all)
}
