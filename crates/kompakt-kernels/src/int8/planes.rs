//! The layout of a quantised image.

/// Planes of elements, each the bytes of four channels, with their padding around them: `[channels / 4, height, width]`.
///
/// Channels that a last element lacks repeat those before it; their weights are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BytePlanes {
    /// Channels of the input.
    pub channels: usize,
    /// Its height and width.
    pub size: [usize; 2],
    /// Padding above and to the left.
    pub before: [usize; 2],
    /// Padding below and to the right.
    pub after: [usize; 2],
}

impl BytePlanes {
    /// A line of `n` positions for each channel.
    pub fn lines(channels: usize, n: usize) -> Self {
        Self { channels, size: [1, n], before: [0; 2], after: [0; 2] }
    }

    /// Height and width with padding.
    pub fn padded(&self) -> [usize; 2] {
        [0, 1].map(|i| self.before[i] + self.size[i] + self.after[i])
    }

    /// Elements of the input.
    pub fn input_len(&self) -> usize {
        self.channels * self.size[0] * self.size[1]
    }

    /// Elements of the layout, four bytes each.
    pub fn len(&self) -> usize {
        let [h, w] = self.padded();
        self.channels.div_ceil(4) * h * w
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
