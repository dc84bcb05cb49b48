//! `kompakt verify`: checks every byte of a file.

use crate::{
    input::present,
    packed,
    process::{Failure, exit},
    progress::{Steps, begin, tell},
    public_key::public_key,
};
use anyhow::{Context, Result, bail};
use kompakt_format::{Container, self_test_input};
use kompakt_pack::reference;
use kompakt_runtime::{Isa, Model, PublicKey, SessionOptions, signature::signature_of};
use std::path::{Path, PathBuf};

/// Check every byte of packed files: checksums, payloads, content hash, self-tests
///
/// A file passes if all is as spec/format.md says; else the first rule that is broken is named, with the byte.
/// Stored self-tests are run by the loader, with the layers in memory and from the file, and once more in double precision.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The .kompakt files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Ask for a signature by this key: a .pub file of `kompakt keygen` or minisign, or the key itself (RW...)
    #[arg(long, value_name = "KEY", value_parser = public_key)]
    key: Option<PublicKey>,
    /// The signature [default: the file's name with .minisig after it]
    #[arg(long, value_name = "FILE", requires = "key")]
    signature: Option<PathBuf>,
}

const STEPS: Steps = &[(packed::CHECKING, 1.0), (SELF_TESTS, 1.0)];
const SELF_TESTS: &str = "running self-tests";

#[expect(clippy::print_stdout, reason = "data of a binary")]
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.signature.is_some() && arguments.files.len() > 1 {
        bail!(Failure::usage(
            "--signature is for one file; without it each signature is looked for beside its file"
        ));
    }
    present(&arguments.files.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
    for path in &arguments.files {
        // Lines of files that are done stay between two bars.
        let shown = begin(false, STEPS);
        let bytes = packed::read(path)?;
        let container = packed::parse(path, &bytes)?;
        packed::checked(path, &container, 0.0..1.0)?;
        let signed = match &arguments.key {
            Some(key) => {
                let beside = arguments.signature.clone().unwrap_or_else(|| signature_of(path));
                signature(path, &bytes, key, &beside)?;
                ", signed by this key"
            }
            None => "",
        };
        tell(SELF_TESTS, f64::NAN);
        let n_tests = self_tests(path, &bytes, &container)?;
        drop(shown);
        let tests = match n_tests {
            0 => String::new(),
            n => format!(", {n} self-tests pass (loader on {}, double precision)", Isa::best()),
        };
        println!(
            "{}: good: {} bytes, tier {}, content {}{tests}{signed}",
            path.display(),
            bytes.len(),
            container.tier().name(),
            packed::hex(&container.content_hash()),
        );
    }
    Ok(())
}

/// Checks the signature in the file `beside`.
fn signature(path: &Path, bytes: &[u8], key: &PublicKey, beside: &Path) -> Result<()> {
    let text = std::fs::read_to_string(beside)
        .with_context(|| format!("no signature of {}: cannot read {}", path.display(), beside.display()))?;
    let refused = |error| Failure::input(format!("{}: {error}", path.display()));
    Model::from_bytes(bytes)?.require_signature(key, &text).map_err(refused)?;
    Ok(())
}

/// Runs the stored self-tests by the loader, then by the reference; returns their number.
fn self_tests(path: &Path, bytes: &[u8], container: &Container<'_>) -> Result<usize> {
    let model = Model::from_bytes(bytes)?;
    for from_file in [false, true] {
        let mut options = SessionOptions::default();
        (options.from_file, options.small_bytes) = (from_file, 0);
        model.self_test(&options).map_err(|error| Failure {
            code: exit::INPUT,
            message: format!("{}: {error}", path.display()),
        })?;
    }
    let tests = container.self_tests().map_err(|e| packed::broken(path, &e))?;
    let [input] = container.graph().inputs() else { return Ok(0) };
    if tests.is_empty() {
        return Ok(0);
    }
    let decoded = container.decode().map_err(|e| packed::broken(path, &e))?;
    let parameters: Vec<Vec<f64>> =
        decoded.iter().map(|d| d.to_f32().into_iter().map(f64::from).collect()).collect();
    let n = container.pipeline().map_or(input.shape.iter().product(), |p| p.input_shape().len());
    for (i, test) in tests.iter().enumerate() {
        let raw = self_test_input(test.seed, n);
        let x = container.pipeline().map_or_else(|| raw.clone(), |p| p.apply_to(&raw));
        let x = x.into_iter().map(f64::from).collect();
        let y = reference::evaluate(container.graph(), vec![x], &|i| &parameters[i]);
        let largest = test.expected.iter().fold(0.0, |m, v| f64::from(v.abs()).max(m));
        let worst = y[0].data.iter().zip(&test.expected).map(|(a, b)| (a - f64::from(*b)).abs());
        if worst.fold(0.0, f64::max) > 1e-5 * largest {
            let message = format!("{}: self-test {i} gives other numbers than are stored", path.display());
            bail!(Failure { code: exit::INPUT, message });
        }
    }
    Ok(tests.len())
}
