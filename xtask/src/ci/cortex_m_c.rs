//! The C of a network on microcontrollers: `examples/cortex-m-c` recognises digits on an emulated Cortex-M4F and Cortex-M0,
//! within stated budgets of flash and RAM, and finds the classes that the loader finds here.

use super::{Calls, Outcome, root};
use crate::micro::{Board, CORTEX_M0, CORTEX_M4F, Tools};
use anyhow::{Context, Result, bail};
use kompakt_data::Split;
use kompakt_format::Container;
use kompakt_runtime::{Model, Session, SessionOptions};
use std::{fs, path::Path};

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
    Budget { board: &CORTEX_M4F, flash: 9_000, ram: 9_900, n_images: 200 },
    Budget { board: &CORTEX_M0, flash: 17_200, ram: 9_900, n_images: 40 },
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
    let source = kompakt_micro::c_source(&Container::parse(&bytes)?, "digits")?;
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
    Ok(Outcome::Held)
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
