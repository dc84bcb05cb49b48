//! What ends a WebAssembly module that has met a bug: a trap, which JavaScript sees as a `RuntimeError`. WebAssembly only.

use core::panic::PanicInfo;

// It does not read what happened, so that no code makes the text.
#[panic_handler]
fn trap(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
