//! A session on a device.

use crate::{AdapterSummary, Device, GpuError, GpuOptions};
use kompakt_runtime::{Model, RuntimeError, Session, SessionOptions};

/// A session, and how its device was chosen.
#[derive(Debug)]
pub struct Opened<'m> {
    /// Ready to run.
    pub session: Session<'m>,
    /// For [`Device::Auto`]: what was chosen and why.
    pub note: Option<String>,
}

/// Makes a session on a device: the loader's own for the processor, or one of a `GpuExecutor`.
///
/// A GPU uses only `max_batch`, `sizes` and `activations` of `options`; `gpu_options` apply to a GPU only.
///
/// Errors: as [`Session::new`]; no GPU that fits, a network or options beyond it. Only [`Device::Auto`] falls back on the
/// processor, and never on a broken file.
pub fn session<'m>(
    model: &'m Model<'m>,
    options: &SessionOptions,
    device: &Device,
    gpu_options: &GpuOptions,
) -> Result<Opened<'m>, GpuError> {
    let on_cpu = || Session::new(model, options);
    match device {
        Device::Cpu => Ok(Opened { session: on_cpu()?, note: None }),
        Device::Gpu(name) => {
            Ok(Opened { session: on_gpu(model, options, name.as_deref(), gpu_options, true)?, note: None })
        }
        Device::Auto => match on_gpu(model, options, None, gpu_options, false) {
            Ok(session) => {
                let note = Some(format!("runs on the GPU {:?}", session.plan().device));
                Ok(Opened { session, note })
            }
            Err(error @ GpuError::Runtime(RuntimeError::Format(_))) => Err(error),
            Err(error) => {
                Ok(Opened { session: on_cpu()?, note: Some(format!("runs on the processor: {error}")) })
            }
        },
    }
}

/// `with_software`: whether a software adapter is accepted.
#[cfg(feature = "wgpu")]
fn on_gpu<'m>(
    model: &'m Model<'m>,
    options: &SessionOptions,
    name: Option<&str>,
    gpu_options: &GpuOptions,
    with_software: bool,
) -> Result<Session<'m>, GpuError> {
    let gpu = crate::Gpu::open(name, with_software)?;
    let gpu_options = GpuOptions { activations: options.activations, ..gpu_options.clone() };
    let executor = crate::GpuExecutor::new(&gpu, model, options.max_batch, &gpu_options)?;
    let mut session = Session::with_executor(model, Box::new(executor))?;
    session.resize(&options.sizes)?;
    Ok(session)
}

#[cfg(not(feature = "wgpu"))]
fn on_gpu<'m>(
    _: &'m Model<'m>,
    _: &SessionOptions,
    _: Option<&str>,
    _: &GpuOptions,
    _: bool,
) -> Result<Session<'m>, GpuError> {
    Err(GpuError::NotBuilt)
}

/// The GPUs of this machine, best first.
///
/// Errors: [`GpuError::NotBuilt`].
#[cfg(feature = "wgpu")]
pub fn adapters() -> Result<Vec<AdapterSummary>, GpuError> {
    Ok(crate::adapter::summaries())
}

/// The GPUs of this machine, best first.
///
/// Errors: [`GpuError::NotBuilt`].
#[cfg(not(feature = "wgpu"))]
pub fn adapters() -> Result<Vec<AdapterSummary>, GpuError> {
    Err(GpuError::NotBuilt)
}
