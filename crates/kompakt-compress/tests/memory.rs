//! Memory while a network is compressed: bounded by the network, whatever the number of images.
#![allow(clippy::unwrap_used)]

use kompakt_compress::{Images, Options, compress, sense};
use kompakt_format::Tier;
use kompakt_graph::{Graph, Op, Padding, Pair};
use kompakt_model::{Model, Parameter};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "an allocator that counts")]
// SAFETY: every call is forwarded unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Peak allocated bytes while `work` ran, beyond those before it.
fn peak(work: impl FnOnce()) -> usize {
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    work();
    PEAK.load(Ordering::Relaxed) - before
}

/// Inverted residuals of 384 channels on 8 x 8 planes: wide depthwise convolutions, few weights.
fn model(blocks: usize) -> Model {
    let conv = |out_channels, kernel: usize, stride, groups| Op::Conv2d {
        out_channels,
        kernel: Pair::square(kernel),
        stride: Pair::square(stride),
        padding: if kernel == 3 { Padding::all(1) } else { Padding::default() },
        dilation: Pair::square(1),
        groups,
        bias: true,
    };
    let mut ops = vec![conv(64, 3, 2, 1), Op::Relu];
    for _ in 0..blocks {
        ops.extend([conv(384, 1, 1, 1), Op::Relu, conv(384, 3, 1, 384), Op::Relu, conv(64, 1, 1, 1)]);
    }
    ops.extend([Op::GlobalAvgPool, Op::Flatten, Op::Linear { out_features: 10, bias: true }]);
    let graph = Graph::chain(&[3, 16, 16], ops).unwrap();
    let mut parameters = BTreeMap::new();
    for (seed, p) in graph.params().iter().enumerate() {
        let fan_in: usize = p.shape[1..].iter().product();
        let values = (0..p.len()).map(|i| pseudo(i + 7919 * seed) * 2.0 / (fan_in as f32).sqrt());
        parameters.insert(p.name.clone(), Parameter::dense(p.shape.clone(), values.collect()));
    }
    Model::new(graph, parameters).unwrap()
}

/// -1 to 1.
fn pseudo(i: usize) -> f32 {
    let mixed = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40) as f32 / 8_388_608.0 - 1.0
}

fn images(n: usize) -> Images {
    let len = 3 * 16 * 16;
    Images::new(len, n, Vec::new(), move |first, to| {
        to.iter_mut().enumerate().for_each(|(i, x)| *x = pseudo(first * len + i));
    })
}

#[test]
fn memory_is_bounded_by_the_network_whatever_the_number_of_images() {
    let model = model(8);
    let most = 12 * model.dense_bytes() as usize + 300_000_000;
    let options = Options::new(None, Some(200_000), None, Tier::Smallest);
    let mut peaks = Vec::new();
    for n in [60, 240] {
        let images = images(n);
        let sensing = peak(|| drop(sense(&model, Some(&images), &|_, _| ()).unwrap()));
        let compressing =
            peak(|| drop(compress(&model, &options, Some(&images), None, None, &|_, _| ()).unwrap()));
        assert!(sensing < most && compressing < most, "{n}: {sensing} {compressing} of {most}");
        peaks.push(sensing.max(compressing));
    }
    assert!(peaks[1] < peaks[0] + peaks[0] / 10, "{peaks:?}");
    let without = peak(|| drop(compress(&model, &options, None, None, None, &|_, _| ()).unwrap()));
    assert!(without < most, "{without} of {most}");
}
