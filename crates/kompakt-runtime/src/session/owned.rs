//! A session that owns its model, for code that cannot borrow, such as bindings to other languages.

use super::{Session, SessionOptions};
use crate::{error::RuntimeError, model::Model};

self_cell::self_cell! {
    struct Cell {
        owner: Model<'static>,
        #[not_covariant]
        dependent: Session,
    }
}

/// A [`Session`] together with the [`Model`] that it runs.
///
/// ```no_run
/// # use kompakt_runtime::{Model, OwnedSession, SessionOptions};
/// let model = Model::map("digits.kompakt")?;
/// let mut session = OwnedSession::new(model, &SessionOptions::default())?;
/// let image = vec![0.0; 784];
/// let best = session.with(|session| session.classify(&image, 1).map(|found| found[0].class))?;
/// # Ok::<(), kompakt_runtime::RuntimeError>(())
/// ```
pub struct OwnedSession(Cell);

impl OwnedSession {
    /// As [`Session::new`], taking ownership of the model.
    pub fn new(model: Model<'static>, options: &SessionOptions) -> Result<Self, RuntimeError> {
        Self::with_session(model, |model| Session::new(model, options))
    }

    /// The session that `make` creates from the model, for example one with another executor.
    ///
    /// Errors: those of `make`.
    pub fn with_session<E>(
        model: Model<'static>,
        make: impl for<'m> FnOnce(&'m Model<'m>) -> Result<Session<'m>, E>,
    ) -> Result<Self, E> {
        Cell::try_new(model, |model| make(model)).map(Self)
    }

    /// The model.
    pub fn model(&self) -> &Model<'static> {
        self.0.borrow_owner()
    }

    /// Calls a function with a shared reference to the session.
    pub fn look<T>(&self, f: impl FnOnce(&Session<'_>) -> T) -> T {
        self.0.with_dependent(|_, session| f(session))
    }

    /// Calls a function with a mutable reference to the session.
    pub fn with<T>(&mut self, f: impl FnOnce(&mut Session<'_>) -> T) -> T {
        self.0.with_dependent_mut(|_, session| f(session))
    }
}

impl core::fmt::Debug for OwnedSession {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.look(|session| f.debug_tuple("OwnedSession").field(session).finish())
    }
}
