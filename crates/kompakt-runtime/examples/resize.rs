//! How long a session takes to get to other sizes: `cargo run --release --example resize -- MODEL.kompakt NAME SIZE...`
//!
//! Each size is visited twice, the second time after all others; the time of the first session is in front.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use kompakt_runtime::{Model, Session, SessionOptions};
use std::time::Instant;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, name, sizes @ ..] = &arguments[..] else { panic!("MODEL NAME SIZE...") };
    let model = Model::map(path).unwrap();
    let start = Instant::now();
    let mut session = Session::new(&model, &SessionOptions::default()).unwrap();
    println!("the session: {:.3} ms", start.elapsed().as_secs_f64() * 1e3);
    for visit in ["first", "second"] {
        for size in sizes {
            let start = Instant::now();
            session.resize(&[(name.clone(), size.parse().unwrap())]).unwrap();
            let took = start.elapsed().as_secs_f64() * 1e3;
            println!(
                "{visit} visit to {size}: {took:.3} ms, {} kB planned",
                session.plan().anonymous_bytes / 1000
            );
        }
    }
}
