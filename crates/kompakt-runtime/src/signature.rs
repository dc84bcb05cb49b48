//! Signatures: they authenticate a file, where checksums only detect accidental damage.
//!
//! ```text
//! net.kompakt            net.kompakt.minisig
//!   all bytes ─BLAKE2b─►   Ed25519 over the hash; over that and the trusted comment once more
//!   content hash ◄───────  trusted comment "kompakt content:245a49ea011eec96"
//! ```
//!
//! The format is [minisign](https://jedisct1.github.io/minisign/)'s, so that its tool verifies the same files. What a
//! signature covers is in spec/format.md, "Security".

use crate::{Model, RuntimeError};
use alloc::{borrow::ToOwned, format, string::String};
use std::path::{Path, PathBuf};

/// The prefix in the trusted comment, followed by the content hash in 16 hexadecimal digits.
pub const CONTENT: &str = "content:";

/// The suffix of signature files.
pub const SUFFIX: &str = ".minisig";

/// The key for verifying signatures.
#[derive(Debug, Clone)]
pub struct PublicKey(minisign_verify::PublicKey);

impl PublicKey {
    /// Reads a key: the text of a `.pub` file, or only its second line (`RW…`, 56 characters).
    ///
    /// Errors: [`RuntimeError::Signature`] if it is neither.
    pub fn parse(text: &str) -> Result<Self, RuntimeError> {
        let text = text.trim();
        let key = match text.contains('\n') {
            true => minisign_verify::PublicKey::decode(text),
            false => minisign_verify::PublicKey::from_base64(text),
        };
        key.map(Self).map_err(|_| {
            RuntimeError::Signature(
                "not a public key: the text of a minisign .pub file, or its line that begins with RW".into(),
            )
        })
    }
}

impl<'a> Model<'a> {
    /// Returns the model only if `signature`, the text of a `.minisig` file, was made for exactly these bytes
    /// with the secret half of `key`.
    ///
    /// All bytes are read once. For a mapped file, the check covers the bytes at this time: where others may
    /// write to the file, open it by [`Model::read`].
    ///
    /// Errors: [`RuntimeError::Signature`], which says whether the signature cannot be read, is by another
    /// key, is for other bytes, or names another content hash.
    ///
    /// ```no_run
    /// use kompakt_runtime::{Model, PublicKey};
    ///
    /// let key = PublicKey::parse(&std::fs::read_to_string("maker.pub").unwrap())?;
    /// let signature = std::fs::read_to_string("lenet5.kompakt.minisig").unwrap();
    /// let model = Model::map("lenet5.kompakt")?.require_signature(&key, &signature)?;
    /// # Ok::<(), kompakt_runtime::RuntimeError>(())
    /// ```
    pub fn require_signature(self, key: &PublicKey, signature: &str) -> Result<Self, RuntimeError> {
        use minisign_verify::{Error, Signature};
        let refused = |why: &str| Err(RuntimeError::Signature(why.into()));
        let Ok(signature) = Signature::decode(signature) else {
            return refused("the signature is not in minisign's format");
        };
        match key.0.verify(self.bytes(), &signature, false) {
            Ok(()) => {}
            Err(Error::UnexpectedKeyId) => {
                return refused("the signature is by another key than the one that is required");
            }
            Err(Error::UnexpectedAlgorithm | Error::UnsupportedAlgorithm | Error::UnsupportedLegacyMode) => {
                return refused(
                    "the signature is of a kind that is not taken: sign again with a newer minisign",
                );
            }
            Err(_) => {
                return refused("the signature is not of these bytes: the file or its signature was changed");
            }
        }
        let signed =
            signature.trusted_comment().split_whitespace().find_map(|word| word.strip_prefix(CONTENT));
        let content = self.container()?.content_hash().map(|byte| format!("{byte:02x}")).concat();
        match signed {
            Some(signed) if signed != content => refused(&format!(
                "the signature is of the content {signed}, and the file says that it holds {content}"
            )),
            _ => Ok(self),
        }
    }
}

impl Model<'static> {
    /// Maps a file and accepts it only with a valid signature in `PATH.minisig`, as
    /// [`require_signature`](Model::require_signature) does.
    ///
    /// Errors: as [`Model::map`] and [`Model::require_signature`]; [`RuntimeError::Signature`] if there is no
    /// signature.
    pub fn map_signed(path: impl AsRef<Path>, key: &PublicKey) -> Result<Self, RuntimeError> {
        Self::map(&path)?.require_signature(key, &beside(path.as_ref())?)
    }

    /// As [`map_signed`](Self::map_signed), with the file read into memory: the bytes that were checked are
    /// those that run, even if others write to the file.
    ///
    /// Errors: as [`Model::read`] and [`Model::map_signed`].
    pub fn read_signed(path: impl AsRef<Path>, key: &PublicKey) -> Result<Self, RuntimeError> {
        Self::read(&path)?.require_signature(key, &beside(path.as_ref())?)
    }
}

/// The text of the signature of a file.
fn beside(path: &Path) -> Result<String, RuntimeError> {
    let path = signature_of(path);
    std::fs::read_to_string(&path)
        .map_err(|error| RuntimeError::Signature(format!("no signature {}: {error}", path.display())))
}

/// The path of a file's signature: its own with `.minisig` appended.
pub fn signature_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(SUFFIX);
    name.into()
}
