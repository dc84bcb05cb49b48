//! Seconds per epoch, on synthetic data of MNIST's shape: `speed [lenet-300-100|lenet5|resnet20] [batch] [threads]`.
#![expect(clippy::print_stdout, reason = "a measuring tool")]

use kompakt_engine::{CrossEntropy, ExampleTable, Network, Optimizer, Random, TrainOptions, Trainer};
use kompakt_graph::networks;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |i: usize, default: &str| arguments.get(i).cloned().unwrap_or(default.to_string());
    let name = argument(0, "lenet-300-100");
    let batch = argument(1, "64").parse()?;
    let threads = argument(2, "0").parse()?;
    let n: usize = argument(3, "10000").parse()?;
    let shape = if name == "resnet20" { vec![3, 32, 32] } else { vec![1, 28, 28] };
    let graph = networks::by_name(&name, &shape, 10).ok_or("no such network")??;
    let len: usize = shape.iter().product();
    let mut random = Random::at(&[1]);
    let values = (0..n * len).map(|_| random.unit()).collect();
    let labels = (0..n).map(|_| random.below(10)).collect();
    let data = ExampleTable { shape, values, labels };
    let options = TrainOptions { epochs: 3, batch, optimizer: Optimizer::SGD, ..TrainOptions::default() };
    let mut trainer = Trainer::new(Network::random(&graph, 1)?, options, threads)?;
    while !trainer.is_finished() {
        let start = Instant::now();
        let report = trainer.epoch(&data, &CrossEntropy::default(), &mut ())?;
        let seconds = start.elapsed().as_secs_f64();
        let per_epoch = seconds * 60_000.0 / n as f64;
        println!(
            "{name} batch {batch}: {seconds:.2} s for {n}, {per_epoch:.2} s for 60000, loss {:.6}",
            report.loss
        );
        let start = Instant::now();
        trainer.evaluate(&data)?;
        println!("  evaluation {:.2} s", start.elapsed().as_secs_f64());
    }
    Ok(())
}
