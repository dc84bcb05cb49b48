//! All automation of the workspace: `cargo xtask COMMAND`.
#![expect(clippy::print_stderr, clippy::print_stdout, reason = "a command-line program")]

mod bench;
mod bindings;
mod cargo;
mod ci;
mod data;
mod micro;
mod onnx;
mod pipeline;
mod python;
mod release;
mod web;
mod webgpu;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// kompakt's automation: the whole pipeline, data sets, checks
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Pipeline(pipeline::Arguments),
    Curve(pipeline::curve::Arguments),
    Data(data::Arguments),
    Bench(bench::Arguments),
    Bindings(bindings::Arguments),
    /// Hold import and export against ONNX Runtime and the onnx package's tests, in an environment of its own
    Onnx,
    /// Build the package for JavaScript and try it in Node
    Web,
    /// Build the module behind kompakt/webgpu and try it in Chromium, on a GPU in software
    Webgpu,
    Release(release::Arguments),
    Ci(ci::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Pipeline(arguments) => pipeline::run(&arguments),
        Command::Curve(arguments) => pipeline::curve::run(&arguments),
        Command::Data(arguments) => data::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Bindings(arguments) => bindings::run(&arguments),
        Command::Onnx => onnx::run(),
        Command::Web => web::run(),
        Command::Webgpu => webgpu::run(),
        Command::Release(arguments) => release::run(&arguments),
        Command::Ci(arguments) => ci::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Says what is happening, on stderr.
fn say(text: &str) {
    eprintln!("» {text}");
}
