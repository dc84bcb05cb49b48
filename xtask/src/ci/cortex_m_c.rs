//! Networks as source on microcontrollers: `examples/cortex-m-c` recognises digits on an emulated Cortex-M4F and Cortex-M0,
//! within stated budgets of flash and RAM, and finds the classes that the loader finds here. The C of every golden file
//! compiles without a warning for both and for 64-bit Arm, its Rust for the Cortex-M4F.

use super::{Calls, Cross, Outcome, root};
use crate::micro::{Board, CORTEX_M0, CORTEX_M4F, Tools, WARNINGS, said};
use anyhow::{Context, Result, bail};
use kompakt_data::Split;
use kompakt_format::Container;
use kompakt_micro::{Activations, Input, Options};
use kompakt_runtime::{Model, Session, SessionOptions};
use std::{collections::BTreeSet, fs, path::Path, process::Command};

/// A board, and the most that the example may take there.
struct Budget {
    board: &'static Board,
    /// Bytes of code and constants: the network, the board's support and the C library's part.
    flash: usize,
    /// Bytes of variables and stack.
    ram: usize,
    n_images: usize,
}

const BUDGETS: [Budget; 2] = [
    Budget { board: &CORTEX_M4F, flash: 9_000, ram: 8_000, n_images: 200 },
    Budget { board: &CORTEX_M0, flash: 16_000, ram: 8_000, n_images: 40 },
];

/// Seconds after which an emulator is ended.
const LIMIT_S: u32 = 120;

pub(super) fn run(_: &mut Calls) -> Result<Outcome> {
    let tools = match Tools::find() {
        Ok(tools) => tools,
        Err(missing) => return Ok(Outcome::NotTested(missing)),
    };
    let example = root().join("examples/cortex-m-c");
    let bytes = fs::read(root().join("examples/cortex-m/digits.kompakt")).context("digits.kompakt")?;
    let source = kompakt_micro::c_source(&Container::parse(&bytes)?, "digits", Input::Bytes)?;
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    fs::write(path("digits.c"), &source.code)?;
    fs::write(path("digits.h"), &source.header)?;
    fs::copy(example.join("main.c"), path("main.c"))?;
    for Budget { board, flash, ram, n_images } in &BUDGETS {
        let expected = classes(&bytes, &path("digits.bin"), *n_images)?;
        let program = path("program.elf");
        let files = [path("main.c"), example.join("board.c"), path("digits.c")];
        let sizes = tools.build(board, &files, &program)?;
        let run = tools.run(board, &program, folder.path(), LIMIT_S)?;
        crate::say(&format!(
            "{}: {} of {flash} bytes of flash, {} + {} of {ram} bytes of RAM, {:.0} instructions an image",
            board.name, sizes.flash, sizes.ram, run.stack, run.instructions
        ));
        if run.classes != expected {
            bail!("{}: not the loader's classes", board.name);
        }
        if sizes.flash > *flash || sizes.ram + run.stack > *ram {
            bail!("{}: more than its budget", board.name);
        }
    }
    golden_files(&tools)?;
    Ok(Outcome::Held)
}

/// Compiles the source of every golden file; tiers have the same.
fn golden_files(tools: &Tools) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut n, mut n_int8, mut seen) = (0, 0, BTreeSet::new());
    for entry in fs::read_dir(root().join("fixtures/good"))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "kompakt") {
            continue;
        }
        let bytes = fs::read(&path)?;
        let container = Container::parse(&bytes)?;
        if !seen.insert(container.content_hash()) {
            continue;
        }
        let mut arithmetic = vec![Activations::F32];
        if !container.ranges()?.is_empty() {
            arithmetic.push(Activations::Int8);
            n_int8 += 1;
        }
        for activations in arithmetic {
            let options = Options { input: Input::Floats, activations };
            compile(tools, &container, options, folder.path()).with_context(|| path.display().to_string())?;
        }
        n += 1;
    }
    if n_int8 == 0 {
        bail!("no golden file has the ranges of int8 activations");
    }
    crate::say(&format!(
        "{n} golden files compile, {n_int8} of them also over integers: Cortex-M4F, Cortex-M0, aarch64; as Rust for Cortex-M4F"
    ));
    Ok(())
}

/// Compiles a network's C and Rust for every machine.
fn compile(tools: &Tools, container: &Container<'_>, options: Options, folder: &Path) -> Result<()> {
    let (file, rust) = (folder.join("net.c"), folder.join("net.rs"));
    let source = kompakt_micro::c_source(container, "net", options)?;
    fs::write(&file, &source.code)?;
    fs::write(file.with_extension("h"), &source.header)?;
    fs::write(&rust, kompakt_micro::rust_crate(container, "net", options)?.code)?;
    tools.check(&CORTEX_M4F, &file)?;
    tools.check(&CORTEX_M0, &file)?;
    let cross = Cross::find("thumbv7em-none-eabihf").map_err(anyhow::Error::msg)?;
    let mut gcc = Command::new(cross.tool("aarch64-linux-gnu-gcc"));
    said(gcc.args(WARNINGS).args(["-O2", "-c", "-o", "/dev/null"]).arg(&file))?;
    let mut rustc = Command::new(cross.tool("rustc"));
    rustc.args(["--edition", "2021", "--crate-type", "rlib", "-Dwarnings", "-Copt-level=s"]);
    rustc.args(["--target", "thumbv7em-none-eabihf", "-o"]).arg(folder.join("libnet.rlib"));
    said(rustc.arg(&rust))?;
    Ok(())
}

/// Writes images as bytes; returns their classes by the loader.
fn classes(network: &[u8], file: &Path, n: usize) -> Result<Vec<usize>> {
    let images = kompakt_data::load("digits", Split::Test)?.first(n);
    let model = Model::from_bytes(network)?;
    let mut session = Session::new(&model, &SessionOptions::default())?;
    let mut image = vec![0.0; images.shape().len()];
    let (mut bytes, mut classes) = (Vec::new(), Vec::new());
    for i in 0..images.len() {
        images.image(i, &mut image);
        let pixels: Vec<u8> = image.iter().map(|v| (v * 255.0).round() as u8).collect();
        // The program reads bytes: the loader sees the same pixels.
        let rounded: Vec<f32> = pixels.iter().map(|&b| f32::from(b) / 255.0).collect();
        bytes.extend(pixels);
        classes.push(session.classify(&rounded, 1)?[0].class);
    }
    fs::write(file, bytes).context("the images")?;
    Ok(classes)
}
