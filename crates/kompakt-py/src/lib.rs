//! The native half of the Python package `kompakt`: the libraries with NumPy arrays in and out. What a person calls, and its
//! documentation, is in `python/kompakt`.

mod array;
mod arrays;
mod background;
mod command;
mod compress;
mod container;
mod error;
mod model;
mod weights;

/// The native half of kompakt; use the package.
///
/// On free-threaded builds of Python nothing in it needs the global lock.
#[pyo3::pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use super::arrays::{decode, encode};
    #[pymodule_export]
    use super::command::main;
    #[pymodule_export]
    use super::compress::{check_output, compress_network, pack_network, write_whole};
    #[pymodule_export]
    use super::container::Container;
    #[pymodule_export]
    use super::error::TargetMissed;
    #[pymodule_export]
    use super::model::{Model, devices};
    #[pymodule_export]
    use super::weights::{masks, share};

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "Python's name for it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
