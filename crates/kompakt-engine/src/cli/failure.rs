//! The exit codes that errors of training and of data stand for.

use crate::error::EngineError;
use kompakt_data::DataError;
use kompakt_model::stage::{Failure, exit};

/// Gives an error of the engine its exit code.
pub fn failure(error: EngineError) -> Failure {
    let code = match &error {
        EngineError::Option { .. } => exit::USAGE,
        EngineError::Unsupported(_)
        | EngineError::Parameter { .. }
        | EngineError::Data(_)
        | EngineError::Graph(_)
        | EngineError::Model(_) => exit::INPUT,
        EngineError::Snapshot { .. } | EngineError::Io { .. } => exit::IO,
        EngineError::Diverged { .. } | EngineError::Threads(_) => exit::FAILURE,
    };
    Failure { code, message: error.to_string() }
}

/// Gives an error of a data set its exit code.
pub fn data_failure(error: DataError) -> Failure {
    let code = match &error {
        DataError::Steps(_) | DataError::Prep(_) | DataError::Inconsistent(_) => exit::INPUT,
        _ => exit::IO,
    };
    Failure { code, message: error.to_string() }
}

/// An input that a stage cannot work on.
pub(super) fn input_failure(message: String) -> Failure {
    Failure { code: exit::INPUT, message }
}
