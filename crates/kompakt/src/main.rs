//! `kompakt`: the front door for people. Every subcommand is a file of its own.

mod completions;
mod diff;
mod inspect;
mod man;
mod packed;
mod repack;
mod report;
mod unpack;
mod verify;

use clap::{CommandFactory, Parser, Subcommand};
use kompakt_checkpoint::stage;
use std::process::ExitCode;

/// Makes trained networks 40 to 1000 times smaller, and runs them in that form
#[derive(Parser)]
#[command(name = "kompakt", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Inspect(inspect::Arguments),
    Verify(verify::Arguments),
    Diff(diff::Arguments),
    Unpack(unpack::Arguments),
    Repack(repack::Arguments),
    Report(report::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    stage::run("kompakt", || match command {
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Unpack(arguments) => unpack::run(&arguments),
        Command::Repack(arguments) => repack::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments, &mut Arguments::command()),
        Command::Man(arguments) => man::run(&arguments, Arguments::command()),
    })
}
