//! Matrix products on slices: one safe function over the `gemm` crate.

/// A matrix inside a slice: element `(row, column)` is at `row * row_step + column * column_step`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    /// The elements.
    pub(crate) values: &'a [f32],
    /// Stride between rows.
    pub(crate) row_step: usize,
    /// Stride between columns.
    pub(crate) column_step: usize,
}

impl<'a> Matrix<'a> {
    /// A row-major matrix of `columns` columns.
    pub(crate) fn rows(values: &'a [f32], columns: usize) -> Self {
        Self { values, row_step: columns, column_step: 1 }
    }
    /// A transposed view of the same elements.
    pub(crate) fn transposed(self) -> Self {
        Self { row_step: self.column_step, column_step: self.row_step, ..self }
    }
    fn holds(&self, rows: usize, columns: usize) -> bool {
        (rows - 1) * self.row_step + (columns - 1) * self.column_step < self.values.len()
    }
}

/// Whether a product replaces what is in its destination or is added to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Write {
    Replace,
    Add,
}

/// `C (m, n) = A (m, k) @ B (k, n)`, or `C += A @ B`; `C` row-major, on the calling thread.
///
/// The sum over `k` runs in an order that depends on the shape and the CPU type alone.
pub(crate) fn multiply([m, k, n]: [usize; 3], a: Matrix<'_>, b: Matrix<'_>, c: &mut [f32], write: Write) {
    if m == 0 || n == 0 || k == 0 {
        if write == Write::Replace {
            c.fill(0.0);
        }
        return;
    }
    assert!(a.holds(m, k) && b.holds(k, n) && m * n <= c.len(), "a matrix is smaller than its shape");
    #[expect(unsafe_code, reason = "the gemm crate takes pointers")]
    // SAFETY: the assertion above keeps the last element of each operand inside its slice; all steps are
    // non-negative, so the last element is the farthest. `c` is borrowed mutably, so it overlaps neither operand.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            write == Write::Add,
            a.values.as_ptr(),
            a.column_step as isize,
            a.row_step as isize,
            b.values.as_ptr(),
            b.column_step as isize,
            b.row_step as isize,
            1.0f32,
            1.0f32,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiplies_and_adds() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]; // (2, 3)
        let b = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0]; // (3, 2)
        let mut c = [10.0; 4];
        multiply([2, 3, 2], Matrix::rows(&a, 3), Matrix::rows(&b, 2), &mut c, Write::Replace);
        assert_eq!(c, [4.0, 5.0, 10.0, 11.0]);
        // (a^T)^T @ b once more, added.
        let at = [1.0, 4.0, 2.0, 5.0, 3.0, 6.0];
        multiply([2, 3, 2], Matrix::rows(&at, 2).transposed(), Matrix::rows(&b, 2), &mut c, Write::Add);
        assert_eq!(c, [8.0, 10.0, 20.0, 22.0]);
    }
}
