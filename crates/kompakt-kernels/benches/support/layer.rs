//! A seeded sparse layer with a codebook, as the benchmarks build their matrices from.

use kompakt_kernels::{Codebook, RowSource, RowWeights};

/// Rows with columns and codes.
pub(crate) struct Layer {
    n_cols: usize,
    rows: Vec<(Vec<u32>, Vec<u8>)>,
    pub(crate) book: Codebook,
}

impl RowSource for Layer {
    fn n_rows(&self) -> usize {
        self.rows.len()
    }
    fn n_cols(&self) -> usize {
        self.n_cols
    }
    fn codebook(&self) -> &Codebook {
        &self.book
    }
    fn is_coded(&self) -> bool {
        true
    }
    fn visit(&self, visit: &mut dyn FnMut(usize, &[u32], RowWeights<'_>)) {
        for (i, (cols, codes)) in self.rows.iter().enumerate() {
            visit(i, cols, RowWeights::Codes(codes));
        }
    }
}

/// Numbers in 0..1.
pub(crate) fn dice(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    }
}

impl Layer {
    /// As many rows and columns, that part of them kept, with codes of so many levels.
    pub(crate) fn new(n_rows: usize, n_cols: usize, density: f32, n_levels: usize) -> Self {
        let mut next = dice(1);
        let rows = (0..n_rows)
            .map(|_| {
                let cols: Vec<u32> = (0..n_cols as u32).filter(|_| next() < density).collect();
                let codes = cols.iter().map(|_| (next() * n_levels as f32) as u8).collect();
                (cols, codes)
            })
            .collect();
        let levels: Vec<f32> = (0..n_levels).map(|i| i as f32 - n_levels as f32 / 2.0 + 0.5).collect();
        Self { n_cols, rows, book: Codebook::new(&levels) }
    }

    pub(crate) fn n_kept(&self) -> u64 {
        self.rows.iter().map(|(cols, _)| cols.len() as u64).sum()
    }
}
