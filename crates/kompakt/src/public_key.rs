//! A public key on the command line: a file, or the key itself.

use kompakt_runtime::PublicKey;

/// Reads `RW…`, or the .pub file of that name.
pub(crate) fn public_key(text: &str) -> Result<PublicKey, String> {
    PublicKey::parse(text).or_else(|error| {
        let file = std::fs::read_to_string(text).map_err(|io| format!("{error}; nor is it a file: {io}"))?;
        PublicKey::parse(&file).map_err(|error| error.to_string())
    })
}
