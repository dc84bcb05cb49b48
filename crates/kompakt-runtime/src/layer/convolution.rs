//! Convolutions, single and fused in pairs.

use super::{
    PreparedLayer, Scratch,
    form::Form,
    from_file::{self, FromFile},
};
use crate::{
    RUNS_FROM_FILE,
    exec::{RowLayout, Threads},
    weights::RowScratch,
};
use core::ops::Range;
use kompakt_kernels::{ConvRows, Convolution, ExpandedDepthwise, Isa, WindowMatrix};

impl PreparedLayer<'_> {
    /// A convolution of `n` images: `x` as [`Convolution::lay_out`] leaves each, `y` `[n, out, oh, ow]`.
    #[expect(clippy::too_many_arguments, reason = "a layer's operands")]
    pub(crate) fn conv(
        &self,
        isa: Isa,
        threads: &Threads,
        scratch: &mut [Scratch],
        conv: &Convolution,
        x: &[f32],
        y: &mut [f32],
        n: usize,
    ) {
        let plane = conv.plane();
        // Each chunk lays out the tiles for itself.
        let chunk_rows = if conv.is_cut() && self.weights.is_none() {
            self.n_rows.div_ceil(threads.len())
        } else {
            self.chunk(threads, 8, plane * n)
        };
        let epilogue = self.epilogue();
        scratch.iter_mut().for_each(|scratch| scratch.conv.forget());
        threads.for_rows(y, &self.planes(plane, chunk_rows, n), scratch, |rows, mut y, scratch| {
            let Scratch { row, unpacked, conv: memory, .. } = scratch;
            let Some((weights, first)) = self.rows(rows.clone(), row, unpacked) else { return };
            let part = ConvRows { isa, conv, weights, first, rows, epilogue };
            for image in 0..n {
                part.run(image_of(x, x.len() / n, image), image, memory, y.image(image));
            }
        });
    }

    /// This depthwise layer, fused with the layer before it: some channels at
    /// a time, so that the intermediate values stay in cache.
    ///
    /// Shapes: `x` `[n, in, h, w]`, `y` `[n, out, oh, ow]`.
    #[expect(clippy::too_many_arguments, reason = "two layers' operands")]
    pub(crate) fn expanded(
        &self,
        expand: &Self,
        convs: &ExpandedDepthwise,
        isa: Isa,
        threads: &Threads,
        scratch: &mut [Scratch],
        x: &[f32],
        y: &mut [f32],
        n: usize,
    ) {
        let Form::Windows(own) = &*self.form else { return };
        let conv = convs.expand();
        let chunk_rows = expand.chunk(threads, 8, conv.plane() * n);
        scratch.iter_mut().for_each(|scratch| scratch.conv.forget());
        threads.for_rows(y, &self.planes(convs.plane(), chunk_rows, n), scratch, |rows, mut y, scratch| {
            let Scratch { row, unpacked, conv: memory, .. } = scratch;
            let Some((weights, first)) = expand.rows(rows.clone(), row, unpacked) else { return };
            let part = ConvRows { isa, conv, weights, first, rows, epilogue: expand.epilogue() };
            for image in 0..n {
                let x = image_of(x, x.len() / n, image);
                convs.run(&part, own, self.epilogue(), x, image, memory, y.image(image));
            }
        });
    }

    /// The output of a convolution, `chunk_rows` channels at a time.
    fn planes(&self, plane: usize, chunk_rows: usize, n: usize) -> RowLayout {
        let n_rows = self.n_rows;
        RowLayout { n_images: n, image_len: n_rows * plane, n_rows, row_len: plane, chunk_rows }
    }

    /// Rows of a convolution, and the layer's row that is their first.
    fn rows<'s>(
        &'s self,
        rows: Range<usize>,
        scratch: &mut RowScratch,
        unpacked: &'s mut Option<WindowMatrix>,
    ) -> Option<(&'s WindowMatrix, usize)> {
        match (&*self.form, &self.weights) {
            (Form::Windows(m), _) => Some((m, 0)),
            (Form::FromFile(FromFile::Windows(form, layout)), Some(weights)) if RUNS_FROM_FILE => {
                let of = (*form, layout);
                Some((from_file::unpacked(of, weights, rows.clone(), scratch, unpacked), rows.start))
            }
            _ => None,
        }
    }
}

/// One of several images.
fn image_of(x: &[f32], len: usize, image: usize) -> &[f32] {
    &x[image * len..(image + 1) * len]
}
