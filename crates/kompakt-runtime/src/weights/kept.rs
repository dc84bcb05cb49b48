//! What plans of one model for several sizes share: weights in their forms, tables and numbers, decoded once.
//!
//! Memory is owned by the plans: when the last plan with a form is dropped, so is the form. Only descriptions of weights, and scales
//! and biases of layers, stay.

use super::{CompressedRows, ExactFrom, Parameters, StoredWeights, Table};
use crate::{
    error::RuntimeError,
    exec::{ChannelNumbers, Threads},
    layer::{Form, Target},
    model::Model,
    program::{Affine, Epilogue, ParameterId},
    schedule::{
        LayerSpec, PerChannel,
        forms::{FormKind, tap_layout},
    },
};
use alloc::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    vec::Vec,
};
use kompakt_kernels::{Isa, TapLayout};

/// A form of a weight: its kind, the layout of its columns if it has one, and the form, as long as a plan has it.
type KeptForm = (FormKind, Option<TapLayout>, Weak<Form>);

/// The scale and bias of a layer.
pub(crate) type ScaleAndBias = (Option<Vec<f32>>, Option<Vec<f32>>);

/// See the [module page](self).
#[derive(Debug, Default)]
pub(crate) struct Kept<'m> {
    /// Whether anything is kept.
    is_on: bool,
    threads: Option<Arc<Threads>>,
    /// Weights as they were located in the file, and with their number counted.
    weights: BTreeMap<ParameterId, (StoredWeights<'m>, Option<StoredWeights<'m>>)>,
    forms: BTreeMap<ParameterId, Vec<KeptForm>>,
    tables: BTreeMap<ParameterId, Weak<Table<'m>>>,
    numbers: BTreeMap<ParameterId, Vec<(PerChannel, Weak<ChannelNumbers>)>>,
    epilogues: BTreeMap<ParameterId, Vec<(Epilogue, ScaleAndBias)>>,
    table_bytes: Option<usize>,
}

impl Kept<'_> {
    /// Keeps what plans share from now on, or nothing.
    pub(crate) fn switch(&mut self, is_on: bool) {
        if !is_on {
            *self = Self::default();
        }
        self.is_on = is_on;
    }

    /// The threads of all plans.
    pub(crate) fn threads(&mut self, n: usize) -> Result<Arc<Threads>, RuntimeError> {
        if let Some(threads) = &self.threads {
            return Ok(threads.clone());
        }
        let threads = Arc::new(Threads::new(n)?);
        if self.is_on {
            self.threads = Some(threads.clone());
        }
        Ok(threads)
    }
}

/// The parameters of a model, opened when something is not kept.
pub(crate) struct Source<'k, 'm> {
    kept: &'k mut Kept<'m>,
    model: &'m Model<'m>,
    isa: Isa,
    parameters: Option<Parameters<'m>>,
}

impl<'k, 'm> Source<'k, 'm> {
    pub(crate) fn new(kept: &'k mut Kept<'m>, model: &'m Model<'m>, isa: Isa) -> Self {
        Self { kept, model, isa, parameters: None }
    }

    fn parameters(&mut self) -> Result<&mut Parameters<'m>, RuntimeError> {
        if self.parameters.is_none() {
            self.parameters = Some(Parameters::new(self.model, self.isa)?);
        }
        self.parameters.as_mut().ok_or_else(|| RuntimeError::Executor("no parameters".into()))
    }

    /// A layer's weights where the file has them; see [`StoredWeights::open`].
    pub(crate) fn open(
        &mut self,
        weight: ParameterId,
        exact_from: &ExactFrom<'_>,
        keep_counted: bool,
    ) -> Result<StoredWeights<'m>, RuntimeError> {
        if let Some((located, counted)) = self.kept.weights.get(&weight) {
            match (located.needs_count(exact_from), counted) {
                (false, _) => return Ok(located.again()),
                (true, Some(counted)) => return Ok(counted.again()),
                (true, None) => {}
            }
        }
        let opened = self.parameters()?.open(weight, exact_from, keep_counted)?;
        if self.kept.is_on {
            let entry = self.kept.weights.entry(weight);
            match opened.was_counted() {
                None => {
                    entry.or_insert_with(|| (opened.again(), None));
                }
                Some(before) => {
                    let located = || (opened.before_count(before), None);
                    entry.or_insert_with(located).1 = Some(opened.again());
                }
            }
        }
        Ok(opened)
    }

    /// Numbers of a step without weights.
    pub(crate) fn numbers(&mut self, of: &PerChannel) -> Result<Arc<ChannelNumbers>, RuntimeError> {
        let id = match *of {
            PerChannel::Affine(Affine::ScaleBias { weight, .. } | Affine::BatchNorm { weight, .. }) => weight,
            PerChannel::Numbers(numbers) => numbers,
        };
        let all = self.kept.numbers.get(&id).into_iter().flatten();
        if let Some(found) = all.filter(|(own, _)| own == of).find_map(|(_, numbers)| numbers.upgrade()) {
            return Ok(found);
        }
        let parameters = self.parameters()?;
        let numbers = Arc::new(match *of {
            PerChannel::Affine(affine) => parameters.affine(affine)?,
            PerChannel::Numbers(numbers) => (parameters.numbers(numbers)?, Vec::new()),
        });
        if self.kept.is_on {
            let all = self.kept.numbers.entry(id).or_default();
            all.retain(|(_, numbers)| numbers.strong_count() > 0);
            all.push((*of, Arc::downgrade(&numbers)));
        }
        Ok(numbers)
    }

    /// Scale and bias of a layer.
    pub(crate) fn epilogue(&mut self, spec: &LayerSpec) -> Result<ScaleAndBias, RuntimeError> {
        let all = self.kept.epilogues.get(&spec.weight).into_iter().flatten();
        if let Some((_, found)) = all.into_iter().find(|(own, _)| *own == spec.epilogue) {
            return Ok(found.clone());
        }
        let made = self.parameters()?.epilogue(&spec.epilogue)?;
        if self.kept.is_on {
            self.kept.epilogues.entry(spec.weight).or_default().push((spec.epilogue, made.clone()));
        }
        Ok(made)
    }

    /// The matrix of an embedding.
    pub(crate) fn table(&mut self, weight: ParameterId) -> Result<Arc<Table<'m>>, RuntimeError> {
        if let Some(table) = self.kept.tables.get(&weight).and_then(Weak::upgrade) {
            return Ok(table);
        }
        let weights = self.parameters()?.open(weight, &|_, _| f64::INFINITY, false)?;
        let table = Arc::new(Table::new(weights)?);
        if self.kept.is_on {
            self.kept.tables.insert(weight, Arc::downgrade(&table));
        }
        Ok(table)
    }

    /// The form in memory that a layer is to have.
    ///
    /// Errors: a tile that cannot be decoded.
    pub(crate) fn form(
        &mut self,
        spec: &LayerSpec,
        weights: &mut StoredWeights<'m>,
        target: &Target,
    ) -> Result<Arc<Form>, RuntimeError> {
        let layout = target.form.for_windows().map(|_| tap_layout(spec, weights, target.max_batch));
        let all = self.kept.forms.get(&spec.weight).into_iter().flatten();
        let is_it = |(kind, own, _): &&KeptForm| *kind == target.form && *own == layout;
        if let Some(form) = all.filter(is_it).find_map(|(_, _, form)| form.upgrade()) {
            return Ok(form);
        }
        // The one pass over the file: every form in memory is made from these rows.
        let rows = self.rows(spec.weight, weights)?;
        let form = Arc::new(Form::in_memory(spec, weights, &rows, target));
        if self.kept.is_on && (layout.is_some() || !form.is_for_windows()) {
            let all = self.kept.forms.entry(spec.weight).or_default();
            all.retain(|(_, _, form)| form.strong_count() > 0);
            all.push((target.form, layout, Arc::downgrade(&form)));
        }
        Ok(form)
    }

    fn rows(
        &mut self,
        weight: ParameterId,
        weights: &mut StoredWeights<'m>,
    ) -> Result<CompressedRows, RuntimeError> {
        match weights.has_rows() {
            true => weights.take_rows(),
            false => self.parameters()?.rows(weight),
        }
    }

    /// Bytes of the tables shared by all layers that run from the file.
    pub(crate) fn shared_table_bytes(&mut self) -> usize {
        let bytes = self.parameters.as_ref().map(Parameters::shared_table_bytes).filter(|bytes| *bytes > 0);
        self.kept.table_bytes = bytes.or(self.kept.table_bytes);
        self.kept.table_bytes.unwrap_or(0)
    }

    /// Closes the parameters, with what is decoded of them.
    pub(crate) fn close(&mut self) {
        self.parameters = None;
    }
}
