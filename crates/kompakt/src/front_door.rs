//! `kompakt`: the main program.
//!
//! The stages are their own command lines; every other subcommand is a module of this crate.

use crate::{
    calibrate, completions, compress, data, devices, diff, eval, export, import, inspect, keygen, man, patch,
    prep, process, repack, report, sense, sign,
    stages::{self, Stage},
    unpack, verify,
};
use clap::{CommandFactory, Parser, Subcommand};
use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

/// Makes trained networks 40 to 1000 times smaller, and runs them in that form
#[derive(Parser)]
#[command(name = "kompakt", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[cfg(feature = "train")]
    Train(stages::train::Args),
    Prune(stages::prune::Args),
    Cluster(stages::cluster::Args),
    #[cfg(feature = "train")]
    Finetune(stages::finetune::Args),
    Rate(stages::rate::Args),
    Pack(stages::pack::Args),
    Run(stages::run::Args),
    Compress(compress::Arguments),
    Calibrate(calibrate::Arguments),
    Sense(sense::Arguments),
    Eval(eval::Arguments),
    Import(import::Arguments),
    Export(export::Arguments),
    Inspect(inspect::Arguments),
    Verify(verify::Arguments),
    Keygen(keygen::Arguments),
    Sign(sign::Arguments),
    Diff(diff::Arguments),
    Patch(patch::Arguments),
    Unpack(unpack::Arguments),
    Repack(repack::Arguments),
    Report(report::Arguments),
    Data(data::Arguments),
    Devices(devices::Arguments),
    Prep(prep::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

/// The program `kompakt`, from its command line to its exit code.
pub fn front_door() -> ExitCode {
    ExitCode::from(run(Arguments::parse()))
}

/// The same within another program: `arguments` are those of the command line, the program's name first.
///
/// Returns the exit code; the caller is expected to end the process with it. SIGINT, SIGTERM and SIGHUP end
/// the process from now on.
pub fn front_door_of(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let code = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => run(arguments),
        Err(error) => {
            // A closed stream leaves nowhere to report to.
            let _ = error.print();
            u8::try_from(error.exit_code()).unwrap_or(process::exit::USAGE)
        }
    };
    // Nothing flushes the streams of a library when its process ends.
    match io::stdout().flush() {
        Err(error) if code == 0 && error.kind() == io::ErrorKind::BrokenPipe => process::exit::BROKEN_PIPE,
        Err(_) if code == 0 => process::exit::IO,
        _ => code,
    }
}

fn run(arguments: Arguments) -> u8 {
    process::code_of("kompakt", || match arguments.command {
        #[cfg(feature = "train")]
        Command::Train(args) => args.run(),
        Command::Prune(args) => args.run(),
        Command::Cluster(args) => args.run(),
        #[cfg(feature = "train")]
        Command::Finetune(args) => args.run(),
        Command::Rate(args) => args.run(),
        Command::Pack(args) => args.run(),
        Command::Run(args) => args.run(),
        Command::Compress(arguments) => compress::run(&arguments),
        Command::Calibrate(arguments) => calibrate::run(&arguments),
        Command::Sense(arguments) => sense::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Keygen(arguments) => keygen::run(&arguments),
        Command::Sign(arguments) => sign::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Patch(arguments) => patch::run(&arguments),
        Command::Unpack(arguments) => unpack::run(&arguments),
        Command::Repack(arguments) => repack::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Data(arguments) => data::run(&arguments),
        Command::Devices(arguments) => devices::run(&arguments),
        Command::Prep(arguments) => prep::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments, &mut Arguments::command()),
        Command::Man(arguments) => man::run(&arguments, Arguments::command()),
    })
}
