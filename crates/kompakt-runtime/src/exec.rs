//! Running a program: the executor interface, and the executor for the processor.

mod arena;
mod combine;
mod cpu;
mod executor;
mod functions;
mod general;
mod in_place;
mod movement;
mod out_of_place;
#[cfg(feature = "threads")]
mod pool;
mod recurrent;
mod run;
mod threads;
#[cfg(any(test, all(target_arch = "wasm32", target_feature = "atomics")))]
mod workers;

pub(crate) use cpu::Cpu;
pub use executor::{Executor, StepTime};
pub(crate) use in_place::ChannelNumbers;
pub(crate) use threads::{RowLayout, RowsMut, Threads};
#[cfg(all(target_arch = "wasm32", target_feature = "atomics"))]
pub use workers::WORKERS;
#[cfg(any(test, all(target_arch = "wasm32", target_feature = "atomics")))]
pub use workers::Workers;
