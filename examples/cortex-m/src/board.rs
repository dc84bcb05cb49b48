//! The processor from reset to `main`, and the debugger's console (semihosting), which the emulator answers.

use core::{
    arch::{asm, global_asm},
    fmt,
    panic::PanicInfo,
};

// The first two words of memory are the stack and the reset handler, which turns the floating-point unit on.
global_asm!(
    ".section .vectors, \"a\"",
    ".word _stack",
    ".word reset",
    ".section .text.reset, \"ax\"",
    ".global reset",
    ".thumb_func",
    "reset:",
    "ldr r0, =0xE000ED88",
    "ldr r1, [r0]",
    "orr r1, r1, #0xF00000",
    "str r1, [r0]",
    "dsb",
    "isb",
    "bl main",
);

const WRITE_BYTE: usize = 0x03;
const EXIT_EXTENDED: usize = 0x20;
const APPLICATION_EXIT: usize = 0x20026;

/// Asks the debugger for something.
fn ask(what: usize, argument: *const usize) {
    // SAFETY: the break is the debugger's, who reads the argument and writes r0 alone.
    unsafe { asm!("bkpt 0xAB", inout("r0") what => _, in("r1") argument) };
}

/// Ends the program with that status.
pub(crate) fn exit(status: usize) -> ! {
    let block = [APPLICATION_EXIT, status];
    loop {
        ask(EXIT_EXTENDED, block.as_ptr());
    }
}

/// Text for the debugger.
pub(crate) struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            let word = usize::from(byte);
            ask(WRITE_BYTE, &word);
        }
        Ok(())
    }
}

#[panic_handler]
fn panic(information: &PanicInfo<'_>) -> ! {
    let _ = fmt::Write::write_fmt(&mut Console, format_args!("{information}\n"));
    exit(101)
}
