//! Convolutions, single and fused in pairs.

use super::{
    PreparedLayer, Scratch, WORTH,
    form::Form,
    from_file::{self, FromFile},
};
use crate::{
    RUNS_FROM_FILE,
    exec::{RowLayout, RowsMut, Threads},
    weights::RowScratch,
};
use core::ops::Range;
use kompakt_kernels::{ConvRows, Convolution, ExpandedDepthwise, Isa, PlaneParts, WindowMatrix, elementwise};

impl PreparedLayer<'_> {
    /// A convolution of `n` images, and the sum of it and another value: `x` as [`Convolution::lay_out`] leaves each image,
    /// `y` `[n, out, oh, ow]`.
    #[expect(clippy::too_many_arguments, reason = "a layer's operands")]
    pub(crate) fn conv(
        &self,
        isa: Isa,
        threads: &Threads,
        scratch: &mut [Scratch],
        conv: &Convolution,
        x: &[f32],
        added: Option<Added<'_>>,
        y: &mut [f32],
        n: usize,
    ) {
        let plane = conv.plane();
        if let (Form::Windows(weights), Some(part_rows)) = (&*self.form, self.part_rows(threads, conv, n)) {
            return self.conv_parts(isa, threads, scratch, (conv, weights), part_rows, x, added, y, n);
        }
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
            let part = ConvRows { isa, conv, weights, first, rows: rows.clone(), epilogue };
            for image in 0..n {
                let y = y.image(image);
                part.run(image_of(x, x.len() / n, image), image, memory, y);
                if let Some(added) = added {
                    added.to(isa, (image * self.n_rows + rows.start) * plane, y);
                }
            }
        });
    }

    /// Rows of the output for each thread, where it is better divided by them than by channels.
    fn part_rows(&self, threads: &Threads, conv: &Convolution, n: usize) -> Option<usize> {
        let n_products = self.n_kept * conv.plane() * n;
        (threads.len() > 1 && n_products >= WORTH).then(|| conv.part_rows(threads.len())).flatten()
    }

    /// The same convolution, divided by rows of the output: a thread reads what it wrote in the layer before, but for a few rows.
    #[expect(clippy::too_many_arguments, reason = "a layer's operands")]
    fn conv_parts(
        &self,
        isa: Isa,
        threads: &Threads,
        scratch: &mut [Scratch],
        (conv, weights): (&Convolution, &WindowMatrix),
        part_rows: usize,
        x: &[f32],
        added: Option<Added<'_>>,
        y: &mut [f32],
        n: usize,
    ) {
        let (n_channels, [height, width]) = (self.n_rows, conv.output_size());
        let layout = RowLayout {
            n_images: n * n_channels,
            image_len: height * width,
            n_rows: height,
            row_len: width,
            chunk_rows: part_rows,
        };
        threads.for_rows(y, &layout, scratch, |output, y, scratch| {
            let (rows, epilogue) = (0..n_channels, self.epilogue());
            let part = ConvRows { isa, conv, weights, first: 0, rows, epilogue };
            let mut y = PartsOf { planes: y, first: 0 };
            for image in 0..n {
                y.first = image * n_channels;
                part.run_part(image_of(x, x.len() / n, image), output.clone(), &mut scratch.conv, &mut y);
                let Some(added) = added else { continue };
                for row in 0..n_channels {
                    let at = ((y.first + row) * height + output.start) * width;
                    added.to(isa, at, y.part(row));
                }
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

/// A value that is added to a layer's output, perhaps with a ReLU after it, while that is in a thread's cache.
#[derive(Clone, Copy)]
pub(crate) struct Added<'a> {
    /// Of the output's shape.
    pub(crate) term: &'a [f32],
    pub(crate) relu: bool,
}

impl Added<'_> {
    /// Adds what begins at an element to the part of the output that begins there.
    fn to(&self, isa: Isa, at: usize, y: &mut [f32]) {
        elementwise::add(isa, &self.term[at..at + y.len()], self.relu, y);
    }
}

/// Parts of the output channels of an image.
struct PartsOf<'a> {
    planes: RowsMut<'a>,
    /// The image's first channel, counted over all images.
    first: usize,
}

impl PlaneParts for PartsOf<'_> {
    fn part(&mut self, row: usize) -> &mut [f32] {
        self.planes.image(self.first + row)
    }
}

/// One of several images.
fn image_of(x: &[f32], len: usize, image: usize) -> &[f32] {
    &x[image * len..(image + 1) * len]
}
