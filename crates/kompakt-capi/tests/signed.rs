//! Files that must be signed, through the C interface.
#![allow(clippy::unwrap_used)]
#![expect(unsafe_code, reason = "the interface is that of C")]
#![cfg(feature = "signatures")]

use kompakt_capi::{KompaktSession, KompaktStatus, kompakt_close, kompakt_last_error, kompakt_open_signed};
use std::{
    ffi::{CStr, CString},
    path::Path,
    ptr::{null, null_mut},
};

/// Opens a file of `fixtures/` with that key; what was said where it is refused.
fn open(file: &str, key: &str) -> Result<(), (KompaktStatus, String)> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let path = CString::new(fixtures.join(file).to_str().unwrap()).unwrap();
    let key = CString::new(key).unwrap();
    let mut session: *mut KompaktSession = null_mut();
    // SAFETY: texts that end in a zero, and a place for the session.
    unsafe {
        match kompakt_open_signed(path.as_ptr(), key.as_ptr(), null(), &raw mut session) {
            KompaktStatus::Ok => {
                kompakt_close(session);
                Ok(())
            }
            status => Err((status, CStr::from_ptr(kompakt_last_error()).to_str().unwrap().into())),
        }
    }
}

#[test]
fn a_session_is_made_only_of_what_the_key_has_signed() {
    let maker = include_str!("../../../fixtures/signed/maker.pub");
    open("signed/convolutions.kompakt", maker).unwrap();
    open("signed/convolutions.kompakt", maker.lines().nth(1).unwrap()).unwrap();
    // The key of minisign's own documentation.
    let other = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    let (status, said) = open("signed/convolutions.kompakt", other).unwrap_err();
    assert_eq!((status, said.contains("another key")), (KompaktStatus::Signature, true), "{said}");
    let (status, said) = open("good/worked-example.kompakt", maker).unwrap_err();
    assert_eq!((status, said.contains("no signature")), (KompaktStatus::Signature, true), "{said}");
    assert_eq!(open("signed/convolutions.kompakt", "").unwrap_err().0, KompaktStatus::Signature);
}
