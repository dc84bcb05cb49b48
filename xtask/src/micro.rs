//! A network's C on emulated microcontrollers: compiled, measured, run. For the row `cortex-m-c` and `bench edge`.
//!
//! ```text
//! NAME.c, NAME.h ─┐
//! main.c, board.c ┴─ gcc ─► program ─ size ─► flash, RAM
//!                              └───── qemu ─► lines on the console, instructions, stack
//! ```

use crate::ci::Cross;
use anyhow::{Context, Result, bail};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A board that the emulator has.
pub(crate) struct Board {
    /// Its processor.
    pub(crate) name: &'static str,
    /// The emulator's name for it.
    machine: &'static str,
    flags: &'static [&'static str],
    flash_bytes: usize,
    ram_bytes: usize,
}

/// A processor without floating point, with the memory that large networks take: its instructions are some of the Cortex-M3's
/// that this board has.
pub(crate) const CORTEX_M0_PLUS: Board = Board {
    name: "Cortex-M0+",
    machine: "mps2-an385",
    flags: &["-mcpu=cortex-m0plus", "-mthumb", "-mfloat-abi=soft"],
    flash_bytes: 4 << 20,
    ram_bytes: 4 << 20,
};
/// The boards of the examples: with and without a floating-point unit.
pub(crate) const CORTEX_M4F: Board = Board {
    name: "Cortex-M4F",
    machine: "mps2-an386",
    flags: &["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"],
    flash_bytes: 4 << 20,
    ram_bytes: 4 << 20,
};
pub(crate) const CORTEX_M0: Board = Board {
    name: "Cortex-M0",
    machine: "microbit",
    flags: &["-mcpu=cortex-m0", "-mthumb", "-mfloat-abi=soft"],
    flash_bytes: 256 << 10,
    ram_bytes: 16 << 10,
};

/// The language and its warnings, in every build.
pub(crate) const WARNINGS: &[&str] = &["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic"];

/// What a small program is made with.
const FLAGS: &[&str] = &[
    "-Os",
    "-masm-syntax-unified",
    "-ffunction-sections",
    "-fdata-sections",
    "-nostdlib",
    "-Wl,--gc-sections",
];

/// Instructions of the loop that the program times last.
const LOOP_INSTRUCTIONS: f64 = 400_000.0;

/// Bytes of a program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Code and constants.
    pub(crate) flash: usize,
    /// Variables, without the stack.
    pub(crate) ram: usize,
}

/// What a program said.
#[derive(Debug)]
pub(crate) struct Run {
    /// A class for each image.
    pub(crate) classes: Vec<usize>,
    /// Instructions of the last image's run.
    pub(crate) instructions: f64,
    /// The most bytes of stack in use.
    pub(crate) stack: usize,
}

/// A C compiler for Cortex-M, and the emulator.
pub(crate) struct Tools {
    folder: PathBuf,
    emulator: PathBuf,
}

impl Tools {
    /// Those that `.ci/run` unpacks, or what is missing.
    pub(crate) fn find() -> Result<Self, String> {
        let folder = crate::ci::cross_folder().join("arm/current");
        let emulator = Cross::find("thumbv7em-none-eabihf")?.tool("run-cortex-m");
        if !folder.join("complete").exists() || !emulator.exists() {
            return Err("no C compiler and emulator for Cortex-M: .ci/run unpacks them on Debian".into());
        }
        Ok(Self { folder, emulator })
    }

    fn tool(&self, name: &str) -> Command {
        Command::new(self.folder.join("bin").join(format!("arm-none-eabi-{name}")))
    }

    fn compiler(&self, board: &Board) -> Command {
        let mut gcc = self.tool("gcc");
        gcc.args(board.flags).args(WARNINGS).args(FLAGS);
        // Beside the unpacked compiler, and not where the package would have them.
        gcc.arg("-isystem").arg(self.folder.join("root/usr/include/newlib"));
        gcc
    }

    /// Compiles a C file for the board without linking it.
    ///
    /// Errors: the compiler warns.
    pub(crate) fn check(&self, board: &Board, file: &Path) -> Result<()> {
        said(self.compiler(board).args(["-c", "-o", "/dev/null"]).arg(file)).map(|_| ())
    }

    /// Compiles the C files for the board into `program`.
    ///
    /// Errors: the compiler warns.
    pub(crate) fn build(&self, board: &Board, files: &[PathBuf], program: &Path) -> Result<Sizes> {
        let example = crate::ci::root().join("examples/cortex-m-c");
        let variant = said(self.tool("gcc").args(board.flags).arg("-print-multi-directory"))?;
        let newlib = self.folder.join("root/usr/lib/arm-none-eabi/newlib").join(variant.trim());
        let mut gcc = self.compiler(board);
        gcc.arg("-L").arg(newlib).arg("-I").arg(&example).arg("-T").arg(example.join("link.ld"));
        gcc.arg(format!(
            "-Wl,--defsym=flash_bytes={},--defsym=ram_bytes={}",
            board.flash_bytes, board.ram_bytes
        ));
        gcc.args(files).args(["-lc_nano", "-lgcc", "-o"]).arg(program);
        said(&mut gcc)?;
        // text, data, bss; text includes constants and unwinding tables.
        let table = said(self.tool("size").arg(program))?;
        let numbers: Vec<usize> = table
            .lines()
            .nth(1)
            .unwrap_or_default()
            .split_whitespace()
            .map_while(|n| n.parse().ok())
            .collect();
        let &[text, data, bss, ..] = &numbers[..] else { bail!("size said {table:?}") };
        Ok(Sizes { flash: text + data, ram: data + bss })
    }

    /// Runs it in `folder`, whose files it may read, for at most that many seconds.
    ///
    /// Errors: it fails, or does not end with its figures.
    pub(crate) fn run(&self, board: &Board, program: &Path, folder: &Path, limit_s: u32) -> Result<Run> {
        let mut emulator = Command::new("timeout");
        emulator.arg(limit_s.to_string()).arg(&self.emulator).arg(program);
        emulator.args(["-M", board.machine, "-icount", "shift=0"]).current_dir(folder);
        let text = said(&mut emulator).with_context(|| format!("on an emulated {}", board.name))?;
        let figure = |name: &str| -> Result<f64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
            line.with_context(|| format!("the program did not say {name:?}"))
        };
        Ok(Run {
            classes: text.lines().map_while(|line| line.parse().ok()).collect(),
            instructions: figure("ticks")? * LOOP_INSTRUCTIONS / figure("loop")?,
            stack: figure("stack")? as usize,
        })
    }
}

/// What a program says; semihosting speaks on stderr.
pub(crate) fn said(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot start {name}"))?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if !output.status.success() {
        bail!("{name} failed ({}):\n{text}", output.status);
    }
    Ok(text)
}
