//! `cargo xtask bench edge`: networks as C on an emulated Cortex-M4F, beside dense loops written by hand.
//!
//! ```text
//! network ─┬─ kompakt_micro ─► net.c ─┐
//!          └─ dense.c, tables ────────┴─ gcc, size, qemu ─► flash, RAM, stack, instructions ─► results/edge.md
//! ```

mod dense;
mod networks;

use crate::micro::{CORTEX_M4F, Tools};
use anyhow::{Context, Result, anyhow};
use kompakt_format::Container;
use kompakt_micro::{Activations, Input, Options};
use networks::Network;
use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

/// Networks as C on a microcontroller: flash, RAM, stack, instructions
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where the page goes
    #[arg(long, value_name = "FILE", default_value = "results/edge.md")]
    output: PathBuf,
}

/// Seconds after which an emulator is ended.
const LIMIT_S: u32 = 300;
const HEAD: &str = include_str!("edge/head.md");
const NOTES: &str = include_str!("edge/notes.md");

/// What a program takes, the board's support taken off.
struct Row {
    code: usize,
    model: usize,
    /// Input, output and arena.
    ram: usize,
    stack: usize,
    instructions: f64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let tools = Tools::find().map_err(|missing| anyhow!(missing))?;
    let folder = tempfile::tempdir()?;
    let mut page = HEAD.to_string();
    for network in networks::all()? {
        crate::say(network.name);
        let container = Container::parse(&network.file)?;
        let input = if network.pixels.is_some() { Input::Bytes } else { Input::Floats };
        let source = kompakt_micro::c_source(&container, "net", input)?;
        let calibrated = kompakt_compress::calibrated(&network.file, None, &|_, _| ())?;
        let int8 = Options { input, activations: Activations::Int8 };
        let int8 = kompakt_micro::c_source(&Container::parse(&calibrated)?, "net", int8)?;
        let rows = [
            ("kompakt", Some((source.code, source.header, source.memory.constant_bytes))),
            ("kompakt, int8", Some((int8.code, int8.header, int8.memory.constant_bytes))),
            ("dense loops", dense::source(&container)?),
        ];
        for (what, source) in rows {
            let Some((code, header, model)) = source else { continue };
            let row = measure(&tools, folder.path(), &network, &code, &header, model)?;
            let activations = dense::largest_activations(&container);
            let _ = writeln!(
                page,
                "| {} | {what} | {} | {} | {} | {} | {} | {:.2} |",
                network.name,
                row.code,
                row.model,
                row.ram,
                activations,
                row.stack,
                row.instructions / 1e6
            );
        }
    }
    page += NOTES;
    fs::write(&arguments.output, page).with_context(|| arguments.output.display().to_string())
}

/// Compiles and runs a network, and the board's support without it.
fn measure(
    tools: &Tools,
    folder: &Path,
    network: &Network,
    code: &str,
    header: &str,
    model: usize,
) -> Result<Row> {
    let path = |name: &str| folder.join(name);
    fs::write(path("net.h"), header)?;
    fs::write(path("net.c"), code)?;
    fs::write(path("main.c"), main(network))?;
    let signature =
        header.lines().find(|line| line.starts_with("void net_run")).context("a header without it")?;
    let nothing =
        signature.trim_end_matches(';').to_string() + " { (void)input; (void)output; (void)arena; }\n";
    fs::write(path("nothing.c"), format!("#include \"net.h\"\n{nothing}"))?;
    let board = crate::ci::root().join("examples/cortex-m-c/board.c");
    let build = |name: &str| {
        let files = [path("main.c"), board.clone(), path(name)];
        tools.build(&CORTEX_M4F, &files, &path("program.elf"))
    };
    let empty = build("nothing.c")?;
    let sizes = build("net.c")?;
    let run = tools.run(&CORTEX_M4F, &path("program.elf"), folder, LIMIT_S)?;
    let flash = sizes.flash.saturating_sub(empty.flash);
    Ok(Row {
        code: flash.saturating_sub(model),
        model,
        ram: sizes.ram,
        stack: run.stack,
        instructions: run.instructions,
    })
}

/// A program that runs the network once.
fn main(network: &Network) -> String {
    let (kind, values) = match &network.pixels {
        Some(pixels) => ("uint8_t", pixels.iter().map(u8::to_string).collect::<Vec<_>>()),
        None => (
            "float",
            (0..network.n_inputs).map(|i| format!("{:?}f", (i * 37 % 101) as f32 / 101.0)).collect(),
        ),
    };
    format!(
        "#include \"board.h\"\n#include \"net.h\"\n\nstatic {kind} input[] = {{{}}};\n\
         static float output[NET_OUTPUT_LEN], arena[NET_ARENA_LEN];\n\nint main(void) {{\n    uint32_t ticks;\n    board_timer_start();\n\
         \x20   net_run(input, output, arena);\n    ticks = board_timer_ticks();\n    board_print(\"ticks \");\n\
         \x20   board_print_number(ticks);\n    board_print(\"\\nloop \");\n    board_print_number(board_loop_ticks());\n\
         \x20   board_print(\"\\nstack \");\n    board_print_number(board_stack_bytes());\n    board_print(\"\\n\");\n    return 0;\n}}\n",
        values.join(", ")
    )
}
