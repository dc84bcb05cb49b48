//! Convolutions whose input is bytes: four channels side by side are one element, and padding is laid out with them.

use super::{
    convolution::{Convolution, Input, planes_of},
    grid::Grid,
    shape::ConvShape,
};
use crate::{Costs, Isa, WindowForm, int8::planes::BytePlanes};

impl Convolution {
    /// The same over a [quantised](Self::byte_planes) input, with the best input layout for weights in that form.
    ///
    /// `None` if it has several groups, of fewer than eight channels or of a number that is no multiple of four: groups
    /// share no element.
    pub fn of_bytes(&self, form: WindowForm, isa: Isa) -> Option<Self> {
        let channels = self.shape.channels;
        if self.groups > 1 && (channels < 8 || !channels.is_multiple_of(4)) {
            return None;
        }
        let planes = self.byte_planes();
        let shape =
            ConvShape { channels: channels.div_ceil(4), size: planes.padded(), before: [0; 2], ..self.shape };
        let of = |input| Self { shape, groups: self.groups, after: [0; 2], input };
        if shape.kernel == [1; 2] && shape.stride == [1; 2] && shape.size == shape.output {
            return Some(of(Input::Lines)).filter(|conv| conv.forms().contains(&form));
        }
        let all =
            [of(Input::Planes(planes_of(&shape, self.groups, [0; 2]))), of(Input::Grid(Grid::new(shape)))];
        let costs = Costs::of_integers(isa);
        let cost = |conv: &Self| conv.cost_by(costs, form, conv.n_weights(), None);
        let best = all.into_iter().reduce(|a, b| if cost(&b) < cost(&a) { b } else { a });
        best.filter(|conv| conv.forms().contains(&form))
    }

    /// How its input is laid out for [`of_bytes`](Self::of_bytes).
    pub fn byte_planes(&self) -> BytePlanes {
        let ConvShape { channels, size, before, .. } = self.shape;
        BytePlanes { channels: self.groups * channels, size, before, after: self.after }
    }

    /// Nanoseconds of one image, of a convolution over bytes of whose elements `n_kept` are kept; laying out its input is
    /// not counted.
    pub fn cost_of_bytes(&self, isa: Isa, form: WindowForm, n_kept: usize) -> f64 {
        self.cost_by(Costs::of_integers(isa), form, n_kept, None)
    }

    /// Positions of a kernel.
    pub fn n_taps(&self) -> usize {
        self.shape.kernel[0] * self.shape.kernel[1]
    }
}
