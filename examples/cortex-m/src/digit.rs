//! A digit through a small network: 28 x 28 pixels in, its class out.
//!
//! `digits.kompakt` has 84 weights behind the steps `deskew` and `gradients`, which are part of the file. It was trained on
//! MNIST: `kompakt-train --net lenet-300-100 --prep features --epochs 1 --augment none --seed 1 --limit 10000`, `kompakt-rate
//! --limit 10000 --target-size 468 --levels 4 --steps 3000 --copies 1 --augment none --level-bits 8 --bias-bits 5`,
//! `kompakt-pack --minimal`, `kompakt repack --tier stream`.

use alloc::vec::Vec;
use kompakt_runtime::{Model, RuntimeError, Session, SessionOptions};

static NETWORK: &[u8] = include_bytes!("../digits.kompakt");
/// The heap that opening and running it may take.
pub(crate) const HEAP_BYTES: usize = 128_000;
/// The class of the image.
pub(crate) const CLASS: usize = 7;

/// Drawn for this example.
static PICTURE: [&[u8; 28]; 28] = [
    b"............................",
    b"............................",
    b"............................",
    b"............................",
    b"............................",
    b"............................",
    b"............................",
    b"......##############........",
    b"......###############.......",
    b"......###############.......",
    b"...............#####........",
    b"...............####.........",
    b"..............####..........",
    b"..............####..........",
    b".............####...........",
    b".............####...........",
    b"............####............",
    b"............####............",
    b"...........####.............",
    b"...........####.............",
    b"..........####..............",
    b"..........####..............",
    b".........#####..............",
    b".........####...............",
    b".........###................",
    b"............................",
    b"............................",
    b"............................",
];

/// The likeliest class.
pub(crate) struct Answer {
    pub(crate) class: usize,
    pub(crate) probability: f32,
}

/// Opens the network in place in flash, and runs it once.
pub(crate) fn recognise() -> Result<Answer, RuntimeError> {
    let model = Model::from_bytes(NETWORK)?;
    let mut session = Session::new(&model, &SessionOptions::default())?;
    let pixels: Vec<f32> =
        PICTURE.iter().flat_map(|row| row.iter().map(|&c| f32::from(u8::from(c == b'#')))).collect();
    let best = session.classify(&pixels, 1)?[0];
    Ok(Answer { class: best.class, probability: best.probability })
}
