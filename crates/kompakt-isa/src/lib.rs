//! Instruction sets: a value of [`Isa`] proves that the machine has what it names.
//!
//! Kernels and decoders take an [`Isa`] and have code for some of its [`Level`]s. This crate alone asks the processor, and
//! one choice (`--isa`, say) holds for all of them.
//!
//! A new instruction set is one row of the table below; what else it needs is listed where its code goes, in
//! `kompakt-kernels/src/arch.rs`.
#![no_std]

#[cfg(feature = "std")]
extern crate std;

use core::fmt;

/// An instruction set that this machine has.
///
/// There is no way to make one without asking the machine, so code that is given an `Isa` may use what its level needs.
/// [`Isa::SCALAR`] is the definition of everything that takes one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Isa {
    /// Only detection makes any but `Scalar`.
    level: Level,
}

macro_rules! instruction_sets {
    ($($(#[doc = $doc:literal])* $(#[cfg($cfg:meta)])? $level:ident $name:literal if $detected:expr;)*) => {
        /// What an [`Isa`] stands for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Level {$(
            $(#[doc = $doc])*
            $(#[cfg($cfg)])?
            $level,
        )*}

        impl Isa {
            /// All that the machine has, slowest first.
            pub fn available() -> impl Iterator<Item = Self> {
                [$(
                    $(#[cfg($cfg)])?
                    ($detected).then_some(Self { level: Level::$level }),
                )*].into_iter().flatten()
            }

            /// The name that [`by_name`](Self::by_name) knows it by.
            pub fn name(self) -> &'static str {
                match self.level {$(
                    $(#[cfg($cfg)])?
                    Level::$level => $name,
                )*}
            }
        }
    };
}

/// Whether the processor has a feature; without `std`, whether every processor that this was built for has it.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! has {
    ($($feature:tt)*) => {{
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        let found = $(std::is_x86_feature_detected!($feature))&&*;
        #[cfg(all(feature = "std", target_arch = "aarch64"))]
        let found = $(std::arch::is_aarch64_feature_detected!($feature))&&*;
        #[cfg(not(feature = "std"))]
        let found = $(cfg!(target_feature = $feature))&&*;
        found
    }};
}

// Level, name, when the machine has it; slowest first.
instruction_sets! {
    /// Plain Rust, everywhere: the definition.
    Scalar "scalar" if true;
    /// Plain Rust over arrays of four, everywhere: what the compiler makes of them is up to it. A module of WebAssembly
    /// with vectors is without it: there is nothing that it would be the best of, and every byte is sent.
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    Portable "portable" if true;
    /// 256-bit vectors: AVX2, FMA, POPCNT, BMI1, BMI2, LZCNT.
    #[cfg(target_arch = "x86_64")]
    Avx2 "avx2" if has_avx2();
    /// 512-bit vectors with masks: AVX-512 F, BW, DQ, VL, and what AVX2 stands for.
    #[cfg(target_arch = "x86_64")]
    Avx512 "avx512" if has_avx2() && has!("avx512f" "avx512bw" "avx512dq" "avx512vl");
    /// 128-bit vectors of 64-bit Arm.
    #[cfg(target_arch = "aarch64")]
    Neon "neon" if has!("neon");
    /// 128-bit WebAssembly vectors: a module has them or not.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Simd128 "simd128" if true;
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    has!("avx2" "fma" "popcnt" "bmi1" "bmi2" "lzcnt")
}

impl Isa {
    /// Plain Rust, everywhere.
    pub const SCALAR: Self = Self { level: Level::Scalar };

    /// The fastest that the machine has.
    pub fn best() -> Self {
        Self::available().last().unwrap_or(Self::SCALAR)
    }

    /// The one of that name, if the machine has it.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::available().find(|isa| isa.name() == name)
    }

    /// What it stands for.
    #[inline(always)]
    pub fn level(self) -> Level {
        self.level
    }

    /// Whether there is AVX-512 VBMI2 beside the level `Avx512`: lanes under a mask pushed together.
    pub fn has_vbmi2(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        if self.level == Level::Avx512 {
            return has!("avx512vbmi2");
        }
        false
    }
}

impl fmt::Debug for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Isa;

    #[test]
    fn names_lead_back() {
        for isa in Isa::available() {
            assert_eq!(Isa::by_name(isa.name()), Some(isa));
        }
        assert_eq!(Isa::by_name("sse9"), None);
        assert!(Isa::available().any(|isa| isa == Isa::best()));
        assert_eq!(Isa::available().next(), Some(Isa::SCALAR));
    }
}
