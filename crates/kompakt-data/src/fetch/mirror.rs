//! Data sets from public mirrors.

use super::{client::unpack, install::install};
use crate::{known::Known, progress::Progress};
use flate2::read::GzDecoder;
use std::time::Duration;

/// Gzipped files below `address`.
pub(super) fn from_mirror(
    address: &str,
    known: &Known,
    folder: &std::path::Path,
    progress: &mut dyn Progress,
) -> Result<(), String> {
    let agent = agent();
    for file in known.files {
        let response = agent.get(format!("{address}/{}.gz", file.name)).call().map_err(|e| e.to_string())?;
        let mut stream = GzDecoder::new(response.into_body().into_reader());
        install(&mut stream, file, folder, progress)?;
    }
    Ok(())
}

/// Plain files below `inside` in the gzipped tar file at `address`.
pub(super) fn from_archive(
    address: &str,
    inside: &str,
    known: &Known,
    folder: &std::path::Path,
    progress: &mut dyn Progress,
) -> Result<(), String> {
    let response = agent().get(address).call().map_err(|e| e.to_string())?;
    let mut stream = GzDecoder::new(response.into_body().into_reader());
    unpack(&mut stream, inside, "", known, folder, progress)
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(15)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .build()
        .into()
}
