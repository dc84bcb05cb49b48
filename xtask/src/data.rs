//! `cargo xtask data`: fetches data sets into the cache folder.

use kompakt_data::{NAMES, Silent, fetch};

/// Fetches data sets into the cache folder ($KOMPAKT_DATA, else the user's cache), checked by hash.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which: mnist, fashion-mnist, cifar10, digits, or all.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

/// Fetches the requested data sets; one that is there already is checked and kept.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut names: Vec<&str> = Vec::new();
    for name in &arguments.names {
        match name.as_str() {
            "all" => names.extend(NAMES),
            name => names.push(name),
        }
    }
    for name in names {
        eprintln!("{name}: {}", fetch(name, &mut Silent)?);
    }
    Ok(())
}
