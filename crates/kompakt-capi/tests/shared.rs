//! Outputs that are written where the caller has them, also where inputs are.
#![allow(clippy::unwrap_used)]
#![expect(unsafe_code, reason = "the interface is that of C")]

use kompakt_capi::{
    KompaktSession, KompaktStatus, kompakt_close, kompakt_input_len_at, kompakt_n_inputs, kompakt_n_outputs,
    kompakt_open, kompakt_output_len_at, kompakt_run_all,
};
use std::{
    ffi::CString,
    path::Path,
    ptr::{null, null_mut},
};

/// A session of a file in `fixtures/good/`, and the lengths of its inputs and outputs.
fn open(path: &Path) -> (*mut KompaktSession, Vec<usize>, Vec<usize>) {
    let path = CString::new(path.to_str().unwrap()).unwrap();
    let mut session = null_mut();
    // SAFETY: a text that ends in a zero, and a place for the session; numbers below those of inputs and outputs.
    unsafe {
        assert!(kompakt_open(path.as_ptr(), null(), &raw mut session) == KompaktStatus::Ok);
        let inputs = (0..kompakt_n_inputs(session)).map(|i| kompakt_input_len_at(session, i)).collect();
        let outputs = (0..kompakt_n_outputs(session)).map(|i| kompakt_output_len_at(session, i)).collect();
        (session, inputs, outputs)
    }
}

fn run(session: *mut KompaktSession, inputs: &[*const f32], outputs: &[*mut f32]) {
    // SAFETY: the session is open; the callers below give as many numbers as it takes and makes.
    let status = unsafe { kompakt_run_all(session, inputs.as_ptr(), 1, outputs.as_ptr()) };
    assert!(status == KompaktStatus::Ok);
}

#[test]
fn outputs_may_lie_where_inputs_do_or_be_left_out() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/good");
    let mut n_files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "kompakt") {
            continue;
        }
        n_files += 1;
        let (session, input_lens, output_lens) = open(&path);
        let given = |len: usize| (0..len).map(|i| (i % 7) as f32 / 7.0).collect::<Vec<f32>>();
        let inputs: Vec<Vec<f32>> = input_lens.iter().map(|&len| given(len)).collect();
        let at: Vec<*const f32> = inputs.iter().map(|x| x.as_ptr()).collect();
        let mut apart: Vec<Vec<f32>> = output_lens.iter().map(|&len| vec![f32::NAN; len]).collect();
        let to: Vec<*mut f32> = apart.iter_mut().map(|y| y.as_mut_ptr()).collect();
        run(session, &at, &to);
        assert!(
            inputs.iter().zip(&input_lens).all(|(x, &len)| *x == given(len)),
            "{path:?}: an input changed"
        );

        // Each output in turn where the first input is; the others are left out.
        for (i, &len) in output_lens.iter().enumerate() {
            let mut both = given(input_lens[0]);
            both.resize(len.max(input_lens[0]), 0.0);
            let place = both.as_mut_ptr();
            let mut at = at.clone();
            at[0] = place;
            let to: Vec<*mut f32> =
                (0..output_lens.len()).map(|other| if other == i { place } else { null_mut() }).collect();
            run(session, &at, &to);
            let same = both[..len].iter().zip(&apart[i]).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{path:?}: output {i}");
        }
        // SAFETY: opened above, closed once.
        unsafe { kompakt_close(session) };
    }
    assert!(n_files > 10, "{n_files} golden files");
}
