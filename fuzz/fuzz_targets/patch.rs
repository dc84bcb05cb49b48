#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kompakt_fuzz::run("patch", bytes));
