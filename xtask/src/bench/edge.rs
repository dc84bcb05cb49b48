//! `cargo xtask bench edge`: networks as C on an emulated Cortex-M4F and Cortex-M0+, beside dense loops written by hand.
//!
//! ```text
//! network ─┬─ kompakt_micro ─► net.c ─┐
//!          └─ dense.c, tables ────────┴─ gcc, size, qemu ─► flash, RAM, stack, instructions ─► results/edge.md
//! ```

mod dense;
mod networks;

use crate::micro::{Board, CORTEX_M0_PLUS, CORTEX_M4F, Tools};
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
const LIMIT_S: u32 = 600;
const HEAD: &str = include_str!("edge/head.md");
/// The boards, with what is said before the table of each.
const BOARDS: [(&Board, &str); 2] = [
    (&CORTEX_M4F, "## With floating point: Cortex-M4F"),
    (&CORTEX_M0_PLUS, "## Without floating point: Cortex-M0+"),
];
const COLUMNS: &str = "| network | program | code | model | RAM | of it activations | stack | million instructions |\n\
                       |---|---|---|---|---|---|---|---|\n";
const NOTES: &str = include_str!("edge/notes.md");

/// A network's source.
struct Program<'a> {
    network: &'a Network,
    code: &'a str,
    header: &'a str,
    /// Bytes of constants.
    model: usize,
}

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
    let mut tables = BOARDS.map(|(_, title)| format!("\n{title}\n\n{COLUMNS}"));
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
            let activations = dense::largest_activations(&container);
            for ((board, _), table) in BOARDS.iter().zip(&mut tables) {
                let program = Program { network: &network, code: &code, header: &header, model };
                let row = measure(&tools, folder.path(), board, &program)?;
                let Row { code, model, ram, stack, instructions } = row;
                let instructions = instructions / 1e6;
                let _ = writeln!(
                    table,
                    "| {} | {what} | {code} | {model} | {ram} | {activations} | {stack} | {instructions:.2} |",
                    network.name
                );
            }
        }
    }
    let page = [HEAD, &tables.concat(), NOTES].concat();
    fs::write(&arguments.output, page).with_context(|| arguments.output.display().to_string())
}

/// Compiles and runs a network, and the board's support without it.
fn measure(tools: &Tools, folder: &Path, board: &Board, program: &Program<'_>) -> Result<Row> {
    let &Program { network, code, header, model } = program;
    let path = |name: &str| folder.join(name);
    fs::write(path("net.h"), header)?;
    fs::write(path("net.c"), code)?;
    fs::write(path("main.c"), main(network))?;
    let signature =
        header.lines().find(|line| line.starts_with("void net_run")).context("a header without it")?;
    let nothing =
        signature.trim_end_matches(';').to_string() + " { (void)input; (void)output; (void)arena; }\n";
    fs::write(path("nothing.c"), format!("#include \"net.h\"\n{nothing}"))?;
    let support = crate::ci::root().join("examples/cortex-m-c/board.c");
    let build = |name: &str| {
        let files = [path("main.c"), support.clone(), path(name)];
        tools.build(board, &files, &path("program.elf"))
    };
    let empty = build("nothing.c")?;
    let sizes = build("net.c")?;
    let run = tools.run(board, &path("program.elf"), folder, LIMIT_S)?;
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
