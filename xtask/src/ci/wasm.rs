//! WebAssembly: the package for JavaScript is built and tried in Node, and tests of the kernels run there by WASI.

use super::{
    Outcome,
    calls::{Calls, exists, within},
    cross::{Cross, rust_lld},
    root,
};
use anyhow::Result;

/// Seconds after which tests are ended.
const LIMIT_S: &str = "900";

pub(super) fn run(calls: &mut Calls) -> Result<Outcome> {
    let wasi = match (Cross::find_or_source("wasm32-unknown-unknown"), Cross::find("wasm32-wasip1")) {
        (Ok(_), Ok(wasi)) => wasi,
        (Err(missing), _) | (_, Err(missing)) => return Ok(Outcome::NotTested(missing)),
    };
    let Some(linker) = rust_lld() else {
        return Ok(Outcome::NotTested("this machine's compiler comes without rust-lld".into()));
    };
    if !exists("node") || !exists(wasi.tool("wasm-opt")) {
        return Ok(Outcome::NotTested("needs node, 20 or newer, and wasm-opt (binaryen)".into()));
    }
    crate::web::build(root(), calls)?;
    crate::web::test(root(), calls)?;

    let wasi = match wasi.unpacked("root/usr/lib/wasm32-wasi") {
        // Debian's libc is older than the standard library and lacks two functions that no test calls.
        Some(libc) => {
            let missing = wasi.tool("wasi-missing.o");
            wasi.flag(format!("-Lnative={}", libc.display()))
                .flag(format!("-Clink-arg={}", missing.display()))
        }
        None => wasi,
    };
    // With vectors: those are the kernels that browsers run.
    let wasi = wasi.flag("-Ctarget-feature=+simd128");
    let runner = format!("node --no-warnings {}", root().join(".ci/wasi.mjs").display());
    let mut tests = wasi.cargo("test");
    // Not `guards`, which needs pages without access rights.
    tests.args(["--package", "kompakt-kernels", "--lib", "--test", "matrices", "--test", "planes"]);
    tests.env(wasi.variable("LINKER"), &linker).env(wasi.variable("RUNNER"), runner);
    calls.run(&mut within(LIMIT_S, &tests))?;
    Ok(Outcome::Held)
}
