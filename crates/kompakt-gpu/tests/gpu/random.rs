//! Random networks of all operators, against f64.

use super::adapter::{gpu, session};
use kompakt_gpu::GpuOptions;
use kompakt_runtime::Model;
use kompakt_testing::{
    cases::cases,
    models::{TIERS, checkpoint, expected, pack},
    numbers,
    random_network::graph,
};

#[test]
fn random_networks_answer_as_the_reference() {
    let Some(gpu) = gpu() else { return };
    cases(90, |u| {
        let graph = graph(u)?;
        let seed: u64 = u.arbitrary()?;
        let choices = (0..graph.params().len())
            .map(|_| Ok((*u.choose(&[0.05, 0.2, 0.7, 1.0])?, *u.choose(&[0, 1, 2, 16, 31, 100, 256])?)))
            .collect::<arbtest::arbitrary::Result<Vec<(f32, usize)>>>()?;
        let mut next = choices.into_iter();
        let model = checkpoint(graph, seed, |_| next.next().unwrap());
        let (batch, max_batch) = (u.int_in_range(1..=5)?, u.int_in_range(1..=6)?);
        let gpu = if u.arbitrary()? { gpu.clone() } else { gpu.clone().without_subgroups() };
        let len: usize = model.graph.shape(0).iter().product();
        let x: Vec<f32> = numbers(seed ^ 99, len * batch);
        let bytes = pack(&model, *u.choose(&TIERS)?);
        let expected = expected(&bytes, std::slice::from_ref(&x), batch);
        let opened = Model::from_bytes(&bytes).unwrap();
        let mut session = session(&gpu, &opened, max_batch, &GpuOptions::default());
        session.run_all(&[&x], batch).unwrap();
        for output in 0..expected.values.len() {
            expected.assert_close(&format!("{:?}", model.graph), output, session.output(output));
        }
        Ok(())
    });
}
