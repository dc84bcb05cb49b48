//! `cargo xtask bench WHAT`: measurements against other programs, written to `results/`.

mod codec;
mod edge;
mod gpu;
mod operators;
mod peers;
mod ptq;
pub(crate) mod web;

use anyhow::Result;

/// Measure against other programs; the results go to results/
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    Codec(codec::Arguments),
    Edge(edge::Arguments),
    Gpu(gpu::Arguments),
    Operators(operators::Arguments),
    Peers(peers::Arguments),
    Ptq(ptq::Arguments),
    Web(web::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.what {
        What::Codec(arguments) => codec::run(arguments),
        What::Edge(arguments) => edge::run(arguments),
        What::Gpu(arguments) => gpu::run(arguments),
        What::Operators(arguments) => operators::run(arguments),
        What::Peers(arguments) => peers::run(arguments),
        What::Ptq(arguments) => ptq::run(arguments),
        What::Web(arguments) => web::run(arguments),
    }
}
