//! The loader on a microcontroller, with no operating system, in a stated amount of memory: verifies files of each tier (every
//! checksum, payload and content hash), then recognises a digit. Run by `cargo xtask ci cortex-m` in an emulator.
#![no_std]
#![no_main]

extern crate alloc;

mod board;
mod digit;
mod heap;

use core::fmt::{Display, Write};
use kompakt_format::Container;

/// Name, file (in flash, as it would be in a product), and the heap that verifying it may take.
static FILES: [(&str, &[u8], usize); 5] = [
    ("perceptron-direct", include_bytes!("../../../fixtures/good/perceptron-direct.kompakt"), 32_000),
    ("perceptron-stream", include_bytes!("../../../fixtures/good/perceptron-stream.kompakt"), 64_000),
    ("perceptron-smallest", include_bytes!("../../../fixtures/good/perceptron-smallest.kompakt"), 1_000_000),
    ("convolutions-stream", include_bytes!("../../../fixtures/good/convolutions-stream.kompakt"), 64_000),
    ("convolutions-smallest", include_bytes!("../../../fixtures/good/convolutions-smallest.kompakt"), 1_000_000),
];

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    heap::give();
    for (name, bytes, most) in &FILES {
        heap::restart();
        match Container::parse(bytes).and_then(|container| container.verify()) {
            Ok(()) => {
                let peak = heap::peak_bytes();
                let _ = writeln!(board::Console, "{name}: {} bytes verified, heap {peak} of {most} bytes", bytes.len());
                if peak > *most {
                    board::exit(2);
                }
            }
            Err(error) => fail(name, &error),
        }
    }
    heap::restart();
    match digit::recognise() {
        Ok(digit::Answer { class, probability }) => {
            let (peak, most) = (heap::peak_bytes(), digit::HEAP_BYTES);
            let _ = writeln!(board::Console, "digit: {class}, {probability:.4}, heap {peak} of {most} bytes");
            if peak > most || class != digit::CLASS {
                board::exit(2);
            }
        }
        Err(error) => fail("digit", &error),
    }
    board::exit(0)
}

fn fail(what: &str, error: &dyn Display) -> ! {
    let _ = writeln!(board::Console, "{what}: {error}");
    board::exit(1)
}
