//! Convolutions, on their own and one after another.

use super::{
    Layer, Scratch,
    conv_rows::{self, ConvRows, image_of},
    form::Form,
    from_file::{self, FromFile},
};
use crate::{
    exec::{RowLayout, Threads},
    schedule::convolution::{Conv, Method},
    weights::RowScratch,
};
use kompakt_kernels::{Isa, PlanesAt, TapMatrix};
use std::ops::Range;

impl Layer<'_> {
    /// A convolution of `n` images: `x` as `conv.planes` lays it out, `y` `[n, out, oh, ow]`.
    #[expect(clippy::too_many_arguments, reason = "a layer's operands")]
    pub(crate) fn conv(
        &self,
        isa: Isa,
        threads: &Threads,
        scratch: &mut [Scratch],
        conv: &Conv,
        x: &[f32],
        y: &mut [f32],
        n: usize,
    ) {
        let plane = conv.plane();
        let chunk_rows = match conv.method {
            // Every chunk lays out the tiles for itself.
            Method::Grid(grid) if grid.n_tiles() > 1 && self.weights.is_none() => {
                self.n_rows.div_ceil(threads.len())
            }
            _ => self.chunk(threads, 8, plane * n),
        };
        let layout = RowLayout {
            n_images: n,
            image_len: self.n_rows * plane,
            n_rows: self.n_rows,
            row_len: plane,
            chunk_rows,
        };
        let epilogue = self.epilogue();
        scratch.iter_mut().for_each(|scratch| scratch.tile.forget());
        threads.for_rows(y, &layout, scratch, |rows, mut y, scratch| {
            let Scratch { row, taps, tile, .. } = scratch;
            let Some((taps, first)) = self.taps(rows.clone(), row, taps) else { return };
            let part = ConvRows { isa, taps, conv, rows, first, epilogue };
            for image in 0..n {
                let (x, y) = (image_of(x, x.len() / n, image), y.image(image));
                match conv.method {
                    Method::Line => part.lines(x, image, tile, y),
                    Method::Planes(planes) => part.convolve(x, planes.row_stride(), y),
                    Method::Depthwise(depthwise) => part.depthwise(&depthwise, x, y),
                    Method::Grid(grid) => part.on_grid(&grid, x, image, tile, y),
                }
            }
        });
    }

    /// This layer, whose output channels read one input channel each, after the layer that makes those: some channels at
    /// a time, so that what is between them stays in cache.
    ///
    /// Shapes: `x` `[n, in, h, w]`, `y` `[n, out, oh, ow]`; `convs` of the two layers.
    #[expect(clippy::too_many_arguments, reason = "two layers' operands")]
    pub(crate) fn expanded(
        &self,
        expand: &Self,
        convs: &[Conv; 2],
        isa: Isa,
        threads: &Threads,
        scratch: &mut [Scratch],
        x: &[f32],
        y: &mut [f32],
        n: usize,
    ) {
        let (Form::Taps(own), Method::Depthwise(depthwise)) = (&self.form, convs[1].method) else {
            return;
        };
        let (plane, band_rows) = (convs[1].plane(), conv_rows::band_rows(&convs[0], &convs[1]));
        let ([height, across], width) = (convs[1].shape.output, convs[1].shape.size[1]);
        let layout = RowLayout {
            n_images: n,
            image_len: self.n_rows * plane,
            n_rows: self.n_rows,
            row_len: plane,
            chunk_rows: expand.chunk(threads, 8, convs[0].plane() * n),
        };
        scratch.iter_mut().for_each(|scratch| scratch.tile.forget());
        threads.for_rows(y, &layout, scratch, |rows, mut y, scratch| {
            let Scratch { row, taps, tile, .. } = scratch;
            let Some((taps, first)) = expand.taps(rows.clone(), row, taps) else { return };
            let epilogue = expand.epilogue();
            let part = ConvRows { isa, taps, conv: &convs[0], rows: rows.clone(), first, epilogue };
            for image in 0..n {
                let (x, y) = (image_of(x, x.len() / n, image), y.image(image));
                for top in (0..height).step_by(band_rows) {
                    let (from, band) = depthwise.band(top..height.min(top + band_rows));
                    let positions = from.start * width..from.end * width;
                    part.hidden(x, image, positions, tile, |some, hidden, x_plane| {
                        let y = &mut y[(some.start - rows.start) * plane..(some.end - rows.start) * plane];
                        let at = PlanesAt { first: some.start, x_plane, y_plane: plane };
                        band.apply(isa, own, some, 0, hidden, at, self.epilogue(), &mut y[top * across..]);
                    });
                }
            }
        });
    }

    /// Rows of a convolution, and the layer's row that is their first.
    fn taps<'s>(
        &'s self,
        rows: Range<usize>,
        scratch: &mut RowScratch,
        taps: &'s mut Option<TapMatrix>,
    ) -> Option<(&'s TapMatrix, usize)> {
        match (&self.form, &self.weights) {
            (Form::Taps(m), _) => Some((m, 0)),
            (Form::FromFile(FromFile::Taps(layout)), Some(weights)) => {
                Some((from_file::unpacked(layout, weights, rows.clone(), scratch, taps), rows.start))
            }
            _ => None,
        }
    }
}
