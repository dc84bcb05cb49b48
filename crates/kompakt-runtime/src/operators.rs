//! Operators that need nothing of the compiler but a buffer: what changes elements in place, and what puts them
//! elsewhere.

use kompakt_graph::{MAX_RANK, Op};
use kompakt_kernels::{
    Isa, Pairwise, activations, elementwise,
    normalise::{self, ResponseNorm},
    pairwise as kernel, rearrange,
};

/// What changes each element on its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Map {
    Scale { factor: f32, offset: f32 },
    Clip { low: f32, high: f32 },
    LeakyRelu(f32),
    HardSigmoid { slope: f32, offset: f32 },
    HardSwish,
    Silu,
}

impl Map {
    pub(crate) fn of(op: &Op) -> Option<Self> {
        Some(match *op {
            Op::Scale { factor, offset } => Self::Scale { factor, offset },
            Op::Clip { low, high } => Self::Clip { low, high },
            Op::LeakyRelu { slope } => Self::LeakyRelu(slope),
            Op::HardSigmoid { slope, offset } => Self::HardSigmoid { slope, offset },
            Op::HardSwish => Self::HardSwish,
            Op::Silu => Self::Silu,
            _ => return None,
        })
    }

    /// Whether many of its results are zero.
    pub(crate) fn makes_zeros(self) -> bool {
        matches!(self, Self::Clip { low: 0.0, .. } | Self::HardSwish)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Scale { .. } => "scale",
            Self::Clip { .. } => "clip",
            Self::LeakyRelu(_) => "leaky_relu",
            Self::HardSigmoid { .. } => "hard_sigmoid",
            Self::HardSwish => "hard_swish",
            Self::Silu => "silu",
        }
    }

    pub(crate) fn run(self, isa: Isa, x: &mut [f32]) {
        match self {
            Self::Scale { factor, offset } => elementwise::affine(isa, factor, offset, false, x),
            Self::Clip { low, high } => activations::clip(isa, low, high, x),
            Self::LeakyRelu(slope) => activations::leaky_relu(isa, slope, x),
            Self::HardSigmoid { slope, offset } => activations::hard_sigmoid(isa, slope, offset, x),
            Self::HardSwish => activations::hard_swish(isa, x),
            Self::Silu => activations::silu(isa, x),
        }
    }
}

/// What reads one buffer and writes another. Shapes are those of the input, batch left out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Apart {
    Transpose {
        from: Vec<usize>,
        axes: Vec<usize>,
    },
    /// Elements along the axis and after it.
    Gather {
        len: usize,
        inner: usize,
        is_vector: bool,
        indices: Vec<usize>,
    },
    Resize {
        size: [usize; 2],
        rows: rearrange::Places,
        columns: rearrange::Places,
    },
    Spread {
        size: [usize; 2],
        step: [usize; 2],
    },
    ResponseNorm {
        norm: ResponseNorm,
        plane: usize,
        is_vector: bool,
    },
    LogSoftmax {
        inner: usize,
        is_vector: bool,
    },
}

impl Apart {
    pub(crate) fn of(op: &Op, from: &[usize]) -> Option<Self> {
        let is_vector = from.len() == 1;
        let inner = from[1..].iter().product();
        Some(match op {
            Op::Transpose { axes } => Self::Transpose { from: from.to_vec(), axes: axes.clone() },
            Op::Gather { axis, indices } => Self::Gather {
                len: from[*axis],
                inner: from[axis + 1..].iter().product(),
                is_vector,
                indices: indices.clone(),
            },
            Op::Resize { size, step, offset } => Self::Resize {
                size: [from[1], from[2]],
                rows: rearrange::Places::new(from[1], size.h, step[0], offset[0]),
                columns: rearrange::Places::new(from[2], size.w, step[1], offset[1]),
            },
            Op::Spread { step } => Self::Spread { size: [from[1], from[2]], step: [step.h, step.w] },
            &Op::LocalResponseNorm { size, alpha, beta, bias } => {
                Self::ResponseNorm { norm: ResponseNorm { size, alpha, beta, bias }, plane: inner, is_vector }
            }
            Op::LogSoftmax => Self::LogSoftmax { inner, is_vector },
            _ => return None,
        })
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Transpose { .. } => "transpose",
            Self::Gather { .. } => "gather",
            Self::Resize { .. } => "resize",
            Self::Spread { .. } => "spread",
            Self::ResponseNorm { .. } => "local_response_norm",
            Self::LogSoftmax { .. } => "log_softmax",
        }
    }

    /// Runs it for `n` images.
    pub(crate) fn run(&self, isa: Isa, x: &[f32], y: &mut [f32], n: usize) {
        let each = |is_vector: bool| if is_vector { y.len() } else { y.len() / n };
        match self {
            Self::Transpose { from, axes } => {
                let len = each(false);
                for (x, y) in x.chunks_exact(len).zip(y.chunks_exact_mut(len)) {
                    rearrange::transpose(x, from, axes, y);
                }
            }
            Self::Gather { len, inner, is_vector, indices } => {
                let inner = if *is_vector { n } else { *inner };
                rearrange::gather(x, *len, inner, indices, y);
            }
            Self::Resize { size, rows, columns } => rearrange::resize(isa, x, size, rows, columns, y),
            Self::Spread { size, step } => rearrange::spread(x, *size, *step, y),
            Self::ResponseNorm { norm, plane, is_vector } => {
                let (len, plane) = (each(*is_vector), if *is_vector { n } else { *plane });
                for (x, y) in x.chunks_exact(len).zip(y.chunks_exact_mut(len)) {
                    normalise::response_norm(isa, norm, plane, x, y);
                }
            }
            Self::LogSoftmax { inner, is_vector } => {
                let (len, inner) = (each(*is_vector), if *is_vector { n } else { *inner });
                y.copy_from_slice(x);
                y.chunks_exact_mut(len).for_each(|y| normalise::log_softmax(isa, inner, y));
            }
        }
    }
}

/// `y = y op x` for `n` images: images are one more dimension, the first, or for vectors the last.
pub(crate) fn pairwise(
    isa: Isa,
    op: Pairwise,
    (x, from): (&[f32], &[usize]),
    (y, to): (&mut [f32], &[usize]),
    is_vector: bool,
    n: usize,
) {
    let with_images = |shape: &[usize]| {
        let mut all = [n; MAX_RANK + 1];
        let first = usize::from(!is_vector);
        all[first..first + shape.len()].copy_from_slice(shape);
        all
    };
    let dims = from.len() + 1;
    kernel::pairwise(isa, op, (x, &with_images(from)[..dims]), (y, &with_images(to)[..dims]));
}
