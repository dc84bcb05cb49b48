//! `kompakt keygen`: a key pair for signatures.

use crate::{
    password,
    process::{Failure, exit},
};
use anyhow::{Context, Result, bail};
use kompakt_files::Sibling;
use minisign::{KeyPair, PError};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

/// Make a pair of keys: NAME.key signs and stays secret, NAME.pub verifies and is given to everybody
///
/// Both are in minisign's format. The secret key is encrypted with a password, which is asked for on the terminal or taken
/// from the environment variable KOMPAKT_PASSWORD.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Path of both files, without the ending; files that are there are never replaced
    #[arg(value_name = "NAME")]
    name: PathBuf,
    /// Leave the secret key unencrypted: whoever can read the file can sign
    #[arg(long)]
    no_password: bool,
}

#[expect(clippy::print_stderr, reason = "talk of a binary")]
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let [secret, public] = ["key", "pub"].map(|ending| {
        let mut name = arguments.name.clone().into_os_string();
        name.push(format!(".{ending}"));
        PathBuf::from(name)
    });
    for path in [&secret, &public] {
        if path.symlink_metadata().is_ok() {
            let message =
                format!("{} is there already: a key is never replaced, give another name", path.display());
            bail!(Failure { code: exit::USAGE, message });
        }
    }
    let failed =
        |error: PError| Failure { code: exit::FAILURE, message: format!("cannot make keys: {error}") };
    let keys = if arguments.no_password {
        KeyPair::generate_unencrypted_keypair().map_err(failed)?
    } else {
        KeyPair::generate_encrypted_keypair(Some(password::new()?)).map_err(failed)?
    };
    let of_secret = keys.sk.to_box(Some("kompakt: secret key")).map_err(failed)?.into_string();
    let of_public = keys.pk.to_box().map_err(failed)?.into_string();
    // The secret key first: a public key without it would be of no use.
    write(&secret, &of_secret, true)?;
    write(&public, &of_public, false).inspect_err(|_| drop(fs::remove_file(&secret)))?;
    eprintln!("{} signs: keep it to yourself", secret.display());
    eprintln!("{} verifies: {}", public.display(), keys.pk.to_base64());
    Ok(())
}

/// Writes one half; the secret one readable by its owner only.
fn write(path: &Path, text: &str, is_secret: bool) -> Result<()> {
    let what = || format!("cannot write {}", path.display());
    let mut file = Sibling::of(path).with_context(what)?;
    #[cfg(unix)]
    if is_secret {
        use std::os::unix::fs::PermissionsExt;
        file.as_file_mut()
            .and_then(|file| file.set_permissions(fs::Permissions::from_mode(0o600)))
            .with_context(what)?;
    }
    #[cfg(not(unix))]
    let _ = is_secret;
    file.write_all(text.as_bytes()).with_context(what)?;
    file.persist().with_context(what)
}
