//! Sessions on a device, through the C interface: what is refused, and the same answers wherever they come from.
//!
//! With the feature `gpu` and an adapter, a GPU answers too; else the test says that it does not.
#![allow(clippy::unwrap_used)]
#![expect(unsafe_code, reason = "the interface is that of C")]

use kompakt_capi::{
    KompaktDevice, KompaktSession, KompaktStatus, kompakt_close, kompakt_devices, kompakt_last_error,
    kompakt_open_on, kompakt_run,
};
use std::{
    ffi::{CStr, CString, c_char},
    path::Path,
    ptr::{null, null_mut},
};

/// What a device is asked for.
#[derive(Default, Clone, Copy)]
struct Asked<'a> {
    name: Option<&'a str>,
    decode: Option<&'a str>,
    vram: usize,
}

/// Values of a raw input of the file.
const N_INPUTS: usize = 144;

/// Runs a file of 10 outputs on a device; what was said where that is refused.
fn answer(asked: Asked<'_>) -> Result<[f32; 10], (KompaktStatus, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/good/perceptron-stream.kompakt");
    let path = CString::new(path.to_str().unwrap()).unwrap();
    let [name, decode] = [asked.name, asked.decode].map(|text| text.map(|text| CString::new(text).unwrap()));
    let pointer = |text: &Option<CString>| text.as_ref().map_or(null(), |text| text.as_ptr());
    let device = KompaktDevice {
        name: pointer(&name),
        vram_budget_bytes: asked.vram,
        half_precision: false,
        decode: pointer(&decode),
    };
    let mut session: *mut KompaktSession = null_mut();
    let x = [0.5f32; N_INPUTS];
    let mut y = [0.0f32; 10];
    // SAFETY: texts that end in a zero, and places of the lengths that are said.
    unsafe {
        match kompakt_open_on(path.as_ptr(), null(), &raw const device, &raw mut session) {
            KompaktStatus::Ok => {
                let status = kompakt_run(session, x.as_ptr(), 1, y.as_mut_ptr());
                kompakt_close(session);
                assert_eq!(status, KompaktStatus::Ok);
                Ok(y)
            }
            status => Err((status, CStr::from_ptr(kompakt_last_error()).to_str().unwrap().into())),
        }
    }
}

#[test]
fn what_is_not_there_is_refused_in_words() {
    let on = |name| answer(Asked { name: Some(name), ..Asked::default() });
    let (status, said) = on("tpu").unwrap_err();
    assert_eq!((status, said.contains("gpu:NAME")), (KompaktStatus::Argument, true), "{said}");
    let (status, said) = on("gpu:no such GPU").unwrap_err();
    assert_eq!((status, said.contains("cpu")), (KompaktStatus::Resources, true), "{said}");
    let later = Asked { decode: Some("later"), ..Asked::default() };
    assert_eq!(answer(later).unwrap_err().0, KompaktStatus::Argument);
    // Null and `cpu` are the processor; `auto` always runs.
    let expected = answer(Asked::default()).unwrap();
    assert_eq!(on("cpu").unwrap(), expected);
    assert_near(&on("auto").unwrap(), &expected);
}

#[test]
fn a_gpu_answers_as_the_processor() {
    let mut names = [0 as c_char; 4096];
    // SAFETY: the room that is said.
    let n_bytes = unsafe { kompakt_devices(names.as_mut_ptr(), names.len()) };
    // SAFETY: a text that ends in a zero.
    let names = unsafe { CStr::from_ptr(names.as_ptr()) }.to_str().unwrap();
    assert_eq!(n_bytes, names.len() + 1);
    let Some(name) = names.lines().next() else {
        let is_asked_for = cfg!(feature = "gpu") && std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(!is_asked_for, "no adapter");
        eprintln!("not tested here: no adapter");
        return;
    };
    let expected = answer(Asked::default()).unwrap();
    let name = format!("gpu:{name}");
    let asked = Asked { name: Some(&name), ..Asked::default() };
    for decode in [None, Some("load"), Some("run"), Some("host")] {
        assert_near(&answer(Asked { decode, ..asked }).unwrap(), &expected);
    }
    let (status, said) = answer(Asked { vram: 100, ..asked }).unwrap_err();
    assert_eq!((status, said.contains("least possible")), (KompaktStatus::Resources, true), "{said}");
}

fn assert_near(found: &[f32], expected: &[f32]) {
    let largest = expected.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    let is_near = found.iter().zip(expected).all(|(f, e)| (f - e).abs() <= 1e-4 * largest);
    assert!(is_near, "{found:?} {expected:?}");
}
