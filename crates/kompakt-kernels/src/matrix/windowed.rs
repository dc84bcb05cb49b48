//! A matrix for windows of positions, in one of the two forms for them.

#[cfg(target_arch = "x86_64")]
use crate::matrix::panels_in_runs::PanelsInRuns;
use crate::{
    Codebook, Epilogue, Int8Rows, Isa, PanelMatrix, PanelScratch, RowSource, RowWeights, TapLayout,
    TapMatrix, Window, arch::is_fast_in_runs,
};
use alloc::sync::Arc;
use core::ops::Range;

#[cfg(target_arch = "x86_64")]
const WHOLE: &str = "rows are added to a matrix that was made whole";

/// The form of a [`WindowMatrix`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowForm {
    /// Only kept weights: [`TapMatrix`].
    Taps,
    /// All weights: [`PanelMatrix`].
    Panels,
}

/// The weights of a convolution, or of a linear layer over a batch.
#[derive(Debug, Clone)]
pub enum WindowMatrix {
    /// Only kept weights.
    Taps(TapMatrix),
    /// All weights.
    Panels(PanelMatrix),
    /// All weights as bytes, where [`of_bytes`](Self::of_bytes) finds that faster.
    #[cfg(target_arch = "x86_64")]
    PanelsInRuns(PanelsInRuns),
}

impl WindowMatrix {
    /// No rows yet. With a codebook, rows are given as codes, else as values.
    pub fn new(form: WindowForm, layout: &Arc<TapLayout>, codebook: Option<Codebook>) -> Self {
        match form {
            WindowForm::Taps => Self::Taps(TapMatrix::new(layout.clone(), codebook)),
            WindowForm::Panels => Self::Panels(PanelMatrix::new(layout, codebook)),
        }
    }

    /// All rows of `source`. Panics: as [`TapMatrix::build`] and [`PanelMatrix::build`].
    pub fn build(form: WindowForm, layout: &Arc<TapLayout>, source: &dyn RowSource) -> Self {
        match form {
            WindowForm::Taps => Self::Taps(TapMatrix::build(layout.clone(), source)),
            WindowForm::Panels => Self::Panels(PanelMatrix::build(layout, source)),
        }
    }

    /// All rows of a matrix of bytes, in the order that is the fastest on an instruction set, which alone may then run it.
    /// Panics: as [`build`](Self::build).
    pub fn of_bytes(form: WindowForm, layout: &Arc<TapLayout>, source: &Int8Rows, isa: Isa) -> Self {
        let this = Self::build(form, layout, source);
        if is_fast_in_runs(isa) { this.in_runs() } else { this }
    }

    fn in_runs(self) -> Self {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Taps(m) => Self::Taps(m.in_runs()),
            #[cfg(target_arch = "x86_64")]
            Self::Panels(m) => Self::PanelsInRuns(PanelsInRuns::new(&m)),
            other => other,
        }
    }

    /// Its form.
    pub fn form(&self) -> WindowForm {
        match self {
            Self::Taps(_) => WindowForm::Taps,
            Self::Panels(_) => WindowForm::Panels,
            #[cfg(target_arch = "x86_64")]
            Self::PanelsInRuns(_) => WindowForm::Panels,
        }
    }

    /// Removes all rows, sets a new form, layout and codebook, and keeps the memory if the form is the same;
    /// with room for that many rows and kept weights in all.
    pub fn reset(
        &mut self,
        form: WindowForm,
        layout: &Arc<TapLayout>,
        codebook: Option<&Codebook>,
        n_rows: usize,
        n_kept: usize,
    ) {
        if self.form() != form {
            *self = Self::new(form, layout, codebook.cloned());
        }
        match self {
            Self::Taps(m) => {
                m.reset(layout, codebook);
                m.reserve(n_rows, n_kept);
            }
            Self::Panels(m) => {
                m.reset(layout, codebook);
                m.reserve(n_rows);
            }
            #[cfg(target_arch = "x86_64")]
            Self::PanelsInRuns(_) => panic!("{WHOLE}"),
        }
    }

    /// Appends a row that keeps every column, as codes. Panics: as [`TapMatrix::push_full_row`].
    pub fn push_full_row(&mut self, all: &[u8]) {
        match self {
            Self::Taps(m) => m.push_full_row(all),
            Self::Panels(m) => m.push_full_row(all),
            #[cfg(target_arch = "x86_64")]
            Self::PanelsInRuns(_) => panic!("{WHOLE}"),
        }
    }

    /// Appends a row: columns ascending, one weight each. Panics: as [`TapMatrix::push_row`].
    pub fn push_row(&mut self, cols: &[u32], weights: RowWeights<'_>) {
        match self {
            Self::Taps(m) => m.push_row(cols, weights),
            Self::Panels(m) => m.push_row(cols, weights),
            #[cfg(target_arch = "x86_64")]
            Self::PanelsInRuns(_) => panic!("{WHOLE}"),
        }
    }

    /// The bytes it holds, without the layout.
    pub fn n_bytes(&self) -> usize {
        match self {
            Self::Taps(m) => m.n_bytes(),
            Self::Panels(m) => m.n_bytes(),
            #[cfg(target_arch = "x86_64")]
            Self::PanelsInRuns(m) => m.n_bytes(),
        }
    }

    /// `y = epilogue(W x)` over a window of positions, for some rows. Shapes, panics: as [`TapMatrix::apply`].
    #[expect(clippy::too_many_arguments, reason = "a kernel's operands")]
    pub fn apply(
        &self,
        isa: Isa,
        rows: Range<usize>,
        x: &[f32],
        scale: usize,
        window: Window,
        epilogue: Epilogue<'_>,
        y: &mut [f32],
        y_plane: usize,
        scratch: &mut PanelScratch,
    ) {
        match self {
            Self::Taps(m) => m.apply(isa, rows, x, scale, window, epilogue, y, y_plane),
            Self::Panels(m) => m.apply(isa, rows, x, scale, window, epilogue, y, y_plane, scratch),
            #[cfg(target_arch = "x86_64")]
            Self::PanelsInRuns(m) => m.apply(isa, rows, x, scale, window, epilogue, y, y_plane),
        }
    }
}
