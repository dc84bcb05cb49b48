//! The parameters of a file, for executors: one layer at a time, decoded or as stored.

use super::{CompressedRows, ExactFrom, SharedTables, StoredWeights};
use crate::{
    error::RuntimeError,
    model::Model,
    program::{Affine, Epilogue, ParameterId},
};
use alloc::vec::Vec;
use kompakt_format::{Container, Pool};
use kompakt_kernels::Isa;

/// Reads the parameters of a model by their numbers in its [program](crate::program).
///
/// Sections shared by several parameters (codebooks, and the tier `smallest`'s packed ones) are decoded on
/// construction; everything else on demand, and not kept. [`container`](Self::container) has the sections as
/// stored in the file, for executors that take compressed tiles.
pub struct Parameters<'m> {
    container: Container<'m>,
    pool: Pool,
    tables: SharedTables,
}

/// A scale and a bias for each channel.
pub(crate) type ScaleAndBias = (Vec<f32>, Vec<f32>);

impl<'m> Parameters<'m> {
    /// Errors: shared sections that are broken.
    pub(crate) fn new(model: &'m Model<'_>, isa: Isa) -> Result<Self, RuntimeError> {
        let container = model.container()?.on(isa);
        let pool = container.pool()?;
        Ok(Self { container, pool, tables: SharedTables::default() })
    }

    /// The file: its graph, its sections, and their tiles.
    pub fn container(&self) -> &Container<'m> {
        &self.container
    }

    /// The kept weights of a layer, decoded: rows are output units, columns all else, in the order of the parameter's
    /// shape.
    ///
    /// Errors: sections that are broken.
    pub fn rows(&mut self, weight: ParameterId) -> Result<CompressedRows, RuntimeError> {
        self.open(weight, &|_, _| f64::INFINITY, false)?.take_rows()
    }

    /// The codebook of a parameter whose codes are stored in tiles; `None` where it has no tiles.
    pub fn codebook(&self, parameter: ParameterId) -> Option<Vec<f32>> {
        self.pool.codebook(parameter).map(|levels| levels.to_f32())
    }

    /// The numbers of a parameter that is not a layer's weight.
    ///
    /// Errors: sections that are broken.
    pub fn numbers(&mut self, parameter: ParameterId) -> Result<Vec<f32>, RuntimeError> {
        match self.pool.get(parameter) {
            Some(decoded) => Ok(decoded.to_f32()),
            None => Ok(self.container.decode_parameter(parameter, &self.pool)?.to_f32()),
        }
    }

    /// Scale and bias of an affine operation, one number per channel each; statistics of a batch norm are
    /// folded in double precision.
    ///
    /// Errors: sections that are broken.
    pub fn affine(&mut self, affine: Affine) -> Result<ScaleAndBias, RuntimeError> {
        match affine {
            Affine::ScaleBias { weight, bias } => Ok((self.numbers(weight)?, self.numbers(bias)?)),
            Affine::BatchNorm { weight, eps } => {
                let mut get = |i| self.numbers(weight + i);
                let (gamma, beta, mean, var) = (get(0)?, get(1)?, get(2)?, get(3)?);
                let scale = |i: usize| f64::from(gamma[i]) / libm::sqrt(f64::from(var[i]) + f64::from(eps));
                let bias = |i: usize| (f64::from(beta[i]) - f64::from(mean[i]) * scale(i)) as f32;
                let n = gamma.len();
                Ok(((0..n).map(|i| scale(i) as f32).collect(), (0..n).map(bias).collect()))
            }
        }
    }

    /// Scale and bias of a layer's epilogue, where there are any: `(sum + b) * s + c = sum * s + (b * s + c)`.
    ///
    /// Errors: sections that are broken.
    #[expect(clippy::type_complexity, reason = "two lists, each there or not")]
    pub fn epilogue(
        &mut self,
        epilogue: &Epilogue,
    ) -> Result<(Option<Vec<f32>>, Option<Vec<f32>>), RuntimeError> {
        let bias = epilogue.bias.map(|bias| self.numbers(bias)).transpose()?;
        let Some(affine) = epilogue.affine else { return Ok((None, bias)) };
        let (scale, mut shift) = self.affine(affine)?;
        if let Some(bias) = bias {
            for ((shift, s), b) in shift.iter_mut().zip(&scale).zip(bias) {
                *shift = (f64::from(b) * f64::from(*s) + f64::from(*shift)) as f32;
            }
        }
        Ok((Some(scale), Some(shift)))
    }

    /// A layer's weights where the file has them; see [`StoredWeights::open`].
    pub(crate) fn open(
        &mut self,
        weight: ParameterId,
        exact_from: &ExactFrom<'_>,
        keep_counted: bool,
    ) -> Result<StoredWeights<'m>, RuntimeError> {
        StoredWeights::open(
            &self.container,
            weight,
            exact_from,
            keep_counted,
            &mut self.pool,
            &mut self.tables,
        )
    }

    /// Bytes of the tables shared by all layers that run from the file.
    pub(crate) fn shared_table_bytes(&self) -> usize {
        self.tables.n_bytes()
    }
}

impl core::fmt::Debug for Parameters<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Parameters").field("tier", &self.container.tier()).finish_non_exhaustive()
    }
}
