//! A session allocates what its plan says, and nothing after its first run.
#![allow(clippy::unwrap_used)]

use kompakt_format::Tier;
use kompakt_graph::{Graph, Op, networks};
use kompakt_runtime::{Model, RuntimeError, Session, SessionOptions};
use kompakt_testing::inverted_residuals::inverted_residuals;
use kompakt_testing::models::{TIERS, checkpoint, in_steps, pack};
use kompakt_testing::numbers;
use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);
/// Serialises the tests, because the counters are global.
static TURN: Mutex<()> = Mutex::new(());

#[expect(unsafe_code, reason = "an allocator that counts")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
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

/// Two linear layers, 1.5 million weights.
fn large() -> Graph {
    let ops = vec![
        Op::Linear { out_features: 1200, bias: true },
        Op::Relu,
        Op::Linear { out_features: 300, bias: true },
    ];
    Graph::chain(&[1000], ops).unwrap()
}

#[test]
fn nothing_is_allocated_after_the_first_run() {
    let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    for graph in [networks::lenet5(&[1, 28, 28], 10).unwrap(), large(), inverted_residuals(30)] {
        let len: usize = graph.shape(0).iter().product();
        let model = checkpoint(graph, 3, |_| (0.1, 16));
        let x = numbers(2, len * 6);
        for tier in TIERS {
            let bytes = pack(&model, tier);
            let opened = Model::from_bytes(&bytes).unwrap();
            for (max_batch, threads, small) in
                [(1, 1, false), (4, 1, false), (1, 2, false), (1, 1, true), (4, 2, true)]
            {
                let mut options = SessionOptions::default();
                options.max_batch = max_batch;
                options.threads = threads;
                if small {
                    options.ram_budget = Some(least(&opened, &options));
                }
                let mut session = Session::new(&opened, &options).unwrap();
                let answer = |session: &mut Session<'_>| {
                    session.predict(&x, 6).unwrap();
                    if session.is_classifier() {
                        session.classify(&x[..len], 3).unwrap();
                    }
                };
                let calls_of = |session: &mut Session<'_>| {
                    let before = CALLS.load(Ordering::Relaxed);
                    answer(session);
                    CALLS.load(Ordering::Relaxed) - before
                };
                answer(&mut session);
                if threads == 1 {
                    assert_eq!(calls_of(&mut session), 0, "{tier:?}, batches of {max_batch}, small {small}");
                    continue;
                }
                // Chunks are assigned to threads at random: each thread allocates until it has had the
                // largest, then no more.
                let mut silent = 0;
                let stops = (0..1000).any(|_| {
                    silent = if calls_of(&mut session) == 0 { silent + 1 } else { 0 };
                    silent == 10
                });
                assert!(stops, "{tier:?}, batches of {max_batch}, {threads} threads, small {small}");
            }
        }
    }
}

fn least(model: &Model<'_>, options: &SessionOptions) -> usize {
    let mut options = options.clone();
    options.ram_budget = Some(0);
    match Session::new(model, &options) {
        Err(RuntimeError::Budget { least, .. }) => least,
        other => panic!("a budget of nothing: {other:?}"),
    }
}

/// Live bytes of a session that has run, and its plan's number.
fn held(model: &Model<'_>, options: &SessionOptions) -> (usize, kompakt_runtime::Plan) {
    let before = LIVE.load(Ordering::Relaxed);
    let mut session = Session::new(model, options).unwrap();
    let x = numbers(1, session.input_shape().iter().product::<usize>() * options.max_batch);
    session.run(&x, options.max_batch).unwrap();
    // Inputs and results are the caller's to count.
    let results: usize = (0..2).map(|output| session.output(output).len()).sum();
    (LIVE.load(Ordering::Relaxed) - before - (x.len() + results) * 4, session.plan().clone())
}

#[test]
fn the_plan_is_right_to_a_tenth() {
    let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    let mut models =
        Vec::from([large(), inverted_residuals(96)].map(|graph| checkpoint(graph, 3, |_| (0.1, 16))));
    // Levels in whole steps, few weights far from the others, and many.
    for far in [&[-300][..], &[-300, -299, 299, 300]] {
        let near = if far.len() > 1 { -40..=60 } else { -100..=140 };
        let mut steps: Vec<i16> = far.iter().copied().chain(near.filter(|n| *n != 0)).collect();
        steps.sort_unstable();
        models.push(in_steps(checkpoint(large(), 3, |_| (0.5, steps.len())), &steps));
    }
    for (model, tier) in models.iter().flat_map(|model| TIERS.map(|tier| (model, tier))) {
        let bytes = pack(model, tier);
        let opened = Model::from_bytes(&bytes).unwrap();
        for max_batch in [1, 64] {
            let mut options = SessionOptions::default();
            options.max_batch = max_batch;
            let all = held(&opened, &options);
            let least = least(&opened, &options);
            for budget in [None, Some(least), Some(all.1.anonymous_bytes * 51 / 50)] {
                options.ram_budget = budget;
                let (found, plan) = held(&opened, &options);
                // The bytes of the file are here, not the session's; a model that was read counts them.
                let planned = plan.anonymous_bytes - bytes.len();
                let off = found.abs_diff(planned) as f64 / planned as f64;
                assert!(
                    off <= 0.1 || found.abs_diff(planned) <= 20_000,
                    "{tier:?} batches of {max_batch}, budget {budget:?}: {found} bytes, planned {planned}: {plan:?}"
                );
                assert!(budget.is_none_or(|b| found <= b), "{tier:?}: {found} bytes, budget {budget:?}");
            }
        }
    }
}

#[test]
fn opening_takes_the_plan_and_the_rows_of_one_layer() {
    let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    let model = checkpoint(large(), 3, |_| (0.1, 16));
    // Kept weights of the largest layer, three bytes each, and where its rows begin; a tile's decoder.
    let rows = 1000 * 1200 / 10 * 3 + 1200 * 8 + 64_000;
    for tier in [Tier::Stream, Tier::Direct] {
        let bytes = pack(&model, tier);
        let opened = Model::from_bytes(&bytes).unwrap();
        for max_batch in [1, 64] {
            let mut options = SessionOptions::default();
            options.max_batch = max_batch;
            let before = LIVE.load(Ordering::Relaxed);
            PEAK.store(before, Ordering::Relaxed);
            let session = Session::new(&opened, &options).unwrap();
            let peak = PEAK.load(Ordering::Relaxed) - before;
            let planned = session.plan().anonymous_bytes - bytes.len();
            assert!(peak <= planned + rows, "{tier:?}: {peak} bytes, planned {planned} and rows of {rows}");
        }
    }
}

#[test]
fn a_budget_between_streams_some_layers() {
    let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    let bytes = pack(&checkpoint(large(), 3, |_| (0.1, 16)), Tier::Direct);
    let model = Model::from_bytes(&bytes).unwrap();
    let mut options = SessionOptions::default();
    let most = Session::new(&model, &options).unwrap().plan().anonymous_bytes;
    let least = least(&model, &options);
    assert!(least < most);
    options.ram_budget = Some((least + most) / 2);
    let session = Session::new(&model, &options).unwrap();
    let plan = session.plan();
    assert!(plan.anonymous_bytes <= (least + most) / 2);
    let forms: Vec<&str> = plan.layers.iter().map(|l| l.form).collect();
    assert!(forms.contains(&"from the file") && forms.iter().any(|f| *f != "from the file"), "{forms:?}");
    options.ram_budget = Some(least - 1);
    assert!(matches!(Session::new(&model, &options), Err(RuntimeError::Budget { .. })));
}
