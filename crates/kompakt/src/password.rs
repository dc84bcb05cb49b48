//! The password of a secret key: from the environment, else from the terminal, without echo.

use crate::process::Failure;
use anyhow::Result;
use std::io::{IsTerminal, stdin};

/// The environment variable that takes precedence.
const VARIABLE: &str = "KOMPAKT_PASSWORD";

/// The password of a key that exists.
pub(crate) fn of_key() -> Result<String> {
    match std::env::var(VARIABLE) {
        Ok(password) => Ok(password),
        Err(_) => ask("Password of the secret key: "),
    }
}

/// A new password, asked for twice.
pub(crate) fn new() -> Result<String> {
    if let Ok(password) = std::env::var(VARIABLE) {
        return Ok(password);
    }
    let password = ask("New password of the secret key: ")?;
    if password.is_empty() {
        return Err(Failure::usage("an empty password protects nothing: use --no-password").into());
    }
    if ask("The same once more: ")? != password {
        return Err(Failure::usage("the two passwords differ").into());
    }
    Ok(password)
}

fn ask(prompt: &str) -> Result<String> {
    if !stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "no terminal to ask for a password: set {VARIABLE}, or use a key without one"
        ))
        .into());
    }
    Ok(rpassword::prompt_password(prompt)?)
}
