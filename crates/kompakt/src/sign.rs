//! `kompakt sign`: signatures beside packed files.

use crate::{
    input::present,
    output::Output,
    packed, password,
    process::{Failure, exit},
    progress::begin,
};
use anyhow::{Context, Result, bail};
use ct_codecs::{Base64, Decoder};
use kompakt_runtime::signature::{CONTENT, signature_of};
use minisign::{SecretKey, SecretKeyBox};
use std::path::{Path, PathBuf};

/// Sign packed files: FILE.minisig beside each says who made it
///
/// The signature is Ed25519 over all bytes of the file, in minisign's format: `kompakt verify --key`, `kompakt run --key` and
/// `minisign -V` check it. A file that is repacked is another file and is signed anew.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The .kompakt files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The secret key: a .key file of `kompakt keygen` or minisign. Its password is asked for on the terminal, or taken from
    /// the environment variable KOMPAKT_PASSWORD
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where the signature goes [default: the file's name with .minisig after it]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[expect(clippy::print_stderr, reason = "talk of a binary")]
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.output.is_some() && arguments.files.len() > 1 {
        bail!(Failure::usage("-o is for one file; without it each signature goes beside its file"));
    }
    let inputs: Vec<&Path> = arguments.files.iter().chain([&arguments.key]).map(PathBuf::as_path).collect();
    let outputs: Vec<Output> = arguments
        .files
        .iter()
        .map(|file| Output { output: arguments.output.clone().unwrap_or_else(|| signature_of(file)) })
        .collect();
    outputs.iter().try_for_each(|output| output.check(&inputs))?;
    present(&inputs)?;
    let key = secret_key(&arguments.key)?;
    for (file, output) in arguments.files.iter().zip(&outputs) {
        let bytes = packed::read(file)?;
        let container = packed::parse(file, &bytes)?;
        // A broken file should not be signed.
        {
            let _shown = begin(false, &[]);
            packed::checked(file, &container, 0.0..1.0)?;
        }
        let comment = format!("kompakt {CONTENT}{}", packed::hex(&container.content_hash()));
        let signature =
            minisign::sign(None, &key, &bytes[..], Some(&comment), Some("signature of a .kompakt file"))
                .map_err(|error| Failure { code: exit::FAILURE, message: format!("cannot sign: {error}") })?;
        output.write_with(|path| Ok(std::fs::write(path, signature.to_string())?))?;
        eprintln!("{}: signed, {comment}", output.output.display());
    }
    Ok(())
}

/// Bytes of a secret key.
const LENGTH: usize = 158;
/// Offset of its encryption method.
const KIND_OF_ENCRYPTION: std::ops::Range<usize> = 2..4;

fn secret_key(path: &Path) -> Result<SecretKey> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let refused = |why: &str| Failure::input(format!("{}: {why}", path.display()));
    // A comment, then the key in base64. An unencrypted one has no encryption method; minisign gives it no
    // checksum.
    let key = text.lines().nth(1).and_then(|line| Base64::decode_to_vec(line.trim(), None).ok());
    let Some(key) = key.filter(|key| key.len() == LENGTH) else {
        bail!(refused("not a secret key: `kompakt keygen NAME` makes NAME.key"));
    };
    if key[KIND_OF_ENCRYPTION] == [0, 0] {
        return Ok(SecretKey::from_bytes(&key).map_err(|_| refused("not a secret key"))?);
    }
    let password = password::of_key()?;
    let key = SecretKeyBox::from_string(&text).and_then(|key| key.into_secret_key(Some(password)));
    Ok(key.map_err(|_| refused("wrong password, or not a secret key"))?)
}
