//! `kompakt data`: fetches data sets into the cache folder.

use crate::{
    job_progress::JobProgress,
    progress::{self, begin},
};
use anyhow::Result;
use kompakt_data::{NAMES, fetch};

/// Fetch data sets into the cache folder ($KOMPAKT_DATA, else the user's cache), checked by hash
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which: mnist, fashion-mnist, cifar10, digits, or all
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let names = arguments.names.iter().flat_map(|name| match name.as_str() {
        "all" => NAMES.to_vec(),
        name => vec![name],
    });
    let _shown = begin(false, &[]);
    for name in names {
        let found = fetch(name, &mut JobProgress::default())?;
        progress::say(&format!("{name}: {found}"));
    }
    Ok(())
}
