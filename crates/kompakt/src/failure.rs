//! Exit codes of the libraries' errors.

use crate::process::{Failure, exit};
use kompakt_cluster::ClusterError;
use kompakt_data::DataError;
use kompakt_delta::DeltaError;
use kompakt_pack::PackError;
use kompakt_prune::PruneError;
use kompakt_rate::RateError;
#[cfg(feature = "train")]
use {
    kompakt_engine::EngineError,
    kompakt_training::{finetune::FinetuneError, retrain::RetrainError, train::TrainError},
};

/// A library's error on its way to an exit code.
pub trait IntoAnyhow {
    /// The error in the form that decides the exit code (see [`crate::process`]).
    fn into_anyhow(self) -> anyhow::Error;
}

impl IntoAnyhow for PackError {
    fn into_anyhow(self) -> anyhow::Error {
        match self {
            Self::Model(error) => error.into(),
            Self::Format(_) | Self::Graph(_) | Self::Unsupported { .. } => Failure::input(self).into(),
            other => other.into(),
        }
    }
}

impl IntoAnyhow for DeltaError {
    fn into_anyhow(self) -> anyhow::Error {
        Failure::input(self).into()
    }
}

impl IntoAnyhow for DataError {
    fn into_anyhow(self) -> anyhow::Error {
        data_failure(self).into()
    }
}

impl IntoAnyhow for ClusterError {
    fn into_anyhow(self) -> anyhow::Error {
        Failure::usage(self).into()
    }
}

impl IntoAnyhow for PruneError {
    fn into_anyhow(self) -> anyhow::Error {
        let code = match &self {
            Self::AlreadyShared { .. } | Self::NoPaperDensities | Self::Model(_) => exit::INPUT,
            Self::Density(_) | Self::Quality(_) | Self::Count { .. } | Self::Schedule(_) => exit::USAGE,
            _ => exit::FAILURE,
        };
        Failure { code, message: self.to_string() }.into()
    }
}

impl IntoAnyhow for RateError {
    fn into_anyhow(self) -> anyhow::Error {
        let code = match &self {
            Self::Option { .. } => exit::USAGE,
            Self::Unsupported { .. } | Self::Data(_) | Self::Model(_) | Self::Prune(_) => exit::INPUT,
            Self::Io { .. } | Self::Snapshot(_) => exit::IO,
            _ => exit::FAILURE,
        };
        Failure { code, message: self.to_string() }.into()
    }
}

#[cfg(feature = "train")]
impl IntoAnyhow for TrainError {
    fn into_anyhow(self) -> anyhow::Error {
        match self {
            Self::Engine(error) => failure(error).into(),
            Self::State(error) => anyhow::Error::from(failure(error)).context("cannot keep the state"),
            Self::Data(error) => data_failure(error).into(),
            Self::Components(error) => Failure::usage(error).into(),
            Self::Graph(error) => error.into(),
            Self::Model(error) => error.into(),
            other => other.into(),
        }
    }
}

#[cfg(feature = "train")]
impl IntoAnyhow for RetrainError {
    fn into_anyhow(self) -> anyhow::Error {
        match self {
            Self::Prune(error) => error.into_anyhow(),
            Self::Engine(error) => failure(error).into(),
            other => other.into(),
        }
    }
}

#[cfg(feature = "train")]
impl IntoAnyhow for FinetuneError {
    fn into_anyhow(self) -> anyhow::Error {
        match self {
            Self::Engine(error) => failure(error).into(),
            error => Failure::input(error).into(),
        }
    }
}

/// Gives an error of the engine its exit code.
#[cfg(feature = "train")]
pub(crate) fn failure(error: EngineError) -> Failure {
    let code = match &error {
        EngineError::Option { .. } => exit::USAGE,
        EngineError::Unsupported(_)
        | EngineError::Parameter { .. }
        | EngineError::Data(_)
        | EngineError::Graph(_)
        | EngineError::Model(_) => exit::INPUT,
        EngineError::Snapshot { .. } | EngineError::Io { .. } => exit::IO,
        _ => exit::FAILURE,
    };
    Failure { code, message: error.to_string() }
}

/// Gives an error of a data set its exit code.
pub(crate) fn data_failure(error: DataError) -> Failure {
    let code = match &error {
        DataError::Steps(_)
        | DataError::Prep(_)
        | DataError::Inconsistent(_)
        | DataError::Classes(_)
        | DataError::Line { .. } => exit::INPUT,
        _ => exit::IO,
    };
    Failure { code, message: error.to_string() }
}
