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

pub(crate) use cpu::Cpu;
pub use executor::{Executor, StepTime};
pub(crate) use in_place::ChannelNumbers;
pub(crate) use threads::{RowLayout, Threads};
