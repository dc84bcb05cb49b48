//! Sessions on a device, through the C interface: what is refused, and the same answers wherever they come from.
//!
//! With the feature `gpu` and an adapter, a GPU answers too; else the test says that it does not.
#![allow(clippy::unwrap_used, clippy::print_stderr)]
#![expect(unsafe_code, reason = "the interface is that of C")]

use kompakt_capi::{
    KompaktDevice, KompaktSession, KompaktStatus, kompakt_close, kompakt_devices, kompakt_input_len,
    kompakt_last_error, kompakt_n_sizes, kompakt_open_on, kompakt_output_len, kompakt_resize, kompakt_run,
    kompakt_size,
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
    timeout_s: f64,
}

/// What was refused, and what was said.
type Refused = (KompaktStatus, String);

/// The error of this thread's last call.
fn last_error() -> String {
    // SAFETY: a text that ends in a zero, until the next call.
    unsafe { CStr::from_ptr(kompakt_last_error()) }.to_str().unwrap().into()
}

/// Opens a file on a device.
fn open(file: &str, asked: Asked<'_>) -> Result<*mut KompaktSession, Refused> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/good").join(file);
    let path = CString::new(path.to_str().unwrap()).unwrap();
    let [name, decode] = [asked.name, asked.decode].map(|text| text.map(|text| CString::new(text).unwrap()));
    let pointer = |text: &Option<CString>| text.as_ref().map_or(null(), |text| text.as_ptr());
    let device = KompaktDevice {
        name: pointer(&name),
        vram_budget_bytes: asked.vram,
        half_precision: false,
        decode: pointer(&decode),
        timeout_s: asked.timeout_s,
    };
    let mut session: *mut KompaktSession = null_mut();
    // SAFETY: texts that end in a zero.
    match unsafe { kompakt_open_on(path.as_ptr(), null(), &raw const device, &raw mut session) } {
        KompaktStatus::Ok => Ok(session),
        status => Err((status, last_error())),
    }
}

/// Runs one input of these numbers.
fn run(session: *mut KompaktSession, x: &[f32]) -> Result<Vec<f32>, Refused> {
    // SAFETY: the session is open, and places have the lengths that it says.
    unsafe {
        assert_eq!(kompakt_input_len(session), x.len());
        let mut y = vec![0.0; kompakt_output_len(session)];
        match kompakt_run(session, x.as_ptr(), 1, y.as_mut_ptr()) {
            KompaktStatus::Ok => Ok(y),
            status => Err((status, last_error())),
        }
    }
}

/// Opens a file on a device and runs it once.
fn answer(asked: Asked<'_>) -> Result<Vec<f32>, Refused> {
    let session = open("perceptron-stream.kompakt", asked)?;
    let y = run(session, &[0.5; 144]);
    // SAFETY: open, and not used again.
    unsafe { kompakt_close(session) };
    y
}

/// The best GPU of this machine, as a device; where there is none, that is said.
fn gpu() -> Option<String> {
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
        return None;
    };
    Some(format!("gpu:{name}"))
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
    let (status, said) = answer(Asked { timeout_s: -1.0, ..Asked::default() }).unwrap_err();
    assert_eq!((status, said.contains("seconds")), (KompaktStatus::Argument, true), "{said}");
    // Null and `cpu` are the processor; `auto` always runs.
    let expected = answer(Asked::default()).unwrap();
    assert_eq!(on("cpu").unwrap(), expected);
    assert_near(&on("auto").unwrap(), &expected);
}

#[test]
fn a_gpu_answers_as_the_processor() {
    let Some(name) = gpu() else { return };
    let expected = answer(Asked::default()).unwrap();
    let asked = Asked { name: Some(&name), ..Asked::default() };
    for decode in [None, Some("load"), Some("run"), Some("host")] {
        assert_near(&answer(Asked { decode, ..asked }).unwrap(), &expected);
    }
    let (status, said) = answer(Asked { vram: 100, ..asked }).unwrap_err();
    assert_eq!((status, said.contains("least possible")), (KompaktStatus::Resources, true), "{said}");
}

#[test]
fn a_gpu_that_does_not_answer_in_time_is_an_error() {
    let Some(name) = gpu() else { return };
    let asked = Asked { name: Some(&name), ..Asked::default() };
    answer(Asked { timeout_s: 600.0, ..asked }).unwrap();
    let hurried = Asked { timeout_s: 1e-9, ..asked };
    // No GPU answers every time within a nanosecond.
    let said = (0..50).find_map(|_| answer(hurried).err()).unwrap().1;
    assert!(said.contains("has not answered"), "{said}");
}

#[test]
fn a_session_on_a_gpu_takes_other_sizes() {
    let Some(name) = gpu() else { return };
    let asked = Asked { name: Some(&name), ..Asked::default() };
    for file in ["open-sizes-stream.kompakt", "open-sizes-direct.kompakt"] {
        let sessions = [Asked::default(), asked].map(|asked| open(file, asked).unwrap());
        // SAFETY: open.
        let (n, size) = unsafe { (kompakt_n_sizes(sessions[1]), kompakt_size(sessions[1], 0)) };
        assert!(n == 1 && size.most > size.least);
        for to in [size.most, size.least, size.now] {
            let x: Vec<f32> = (0..to).map(|i| (i * 7 % 10) as f32).collect();
            let answers = sessions.map(|session| {
                // SAFETY: open, with one open size.
                assert_eq!(unsafe { kompakt_resize(session, &raw const to) }, KompaktStatus::Ok);
                run(session, &x).unwrap()
            });
            assert_near(&answers[1], &answers[0]);
        }
        // What is impossible leaves it as it is.
        let beyond = size.most + 1;
        // SAFETY: as above.
        assert_eq!(unsafe { kompakt_resize(sessions[1], &raw const beyond) }, KompaktStatus::Argument);
        // SAFETY: open; the second time not used again.
        unsafe {
            assert_eq!(kompakt_size(sessions[1], 0).now, size.now);
            for session in sessions {
                kompakt_close(session);
            }
        }
    }
}

fn assert_near(found: &[f32], expected: &[f32]) {
    let largest = expected.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    let is_near = found.iter().zip(expected).all(|(f, e)| (f - e).abs() <= 1e-4 * largest);
    assert!(is_near, "{found:?} {expected:?}");
}
