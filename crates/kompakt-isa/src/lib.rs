//! Instruction sets: a value of type [`Isa`] proves that the machine supports it.
//!
//! Kernels and decoders take an [`Isa`] and have code for some of its [`Level`]s. Only this crate queries the
//! processor, and one choice (such as `--isa`) applies to all of them.
//!
//! A new instruction set is one row of the table below; what else it needs is listed where its code goes, in
//! `kompakt-kernels/src/arch.rs`.
#![no_std]

#[cfg(feature = "std")]
extern crate std;

use core::fmt;

/// An instruction set that this machine supports.
///
/// An `Isa` can only be made by detection, so code that is given one may use the instructions of its level.
/// [`Isa::SCALAR`] is the reference for all code that takes one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Isa {
    /// Only detection makes any but `Scalar`.
    level: Level,
    /// Whether instructions that add up products of bytes are left alone.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    without_dot: bool,
}

macro_rules! instruction_sets {
    ($($(#[doc = $doc:literal])* $(#[cfg($cfg:meta)])? $level:ident $name:literal if $detected:expr;)*) => {
        /// The instructions of an [`Isa`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Level {$(
            $(#[doc = $doc])*
            $(#[cfg($cfg)])?
            $level,
        )*}

        impl Isa {
            /// All that the machine supports, slowest first.
            pub fn available() -> impl Iterator<Item = Self> {
                [$(
                    $(#[cfg($cfg)])?
                    ($detected).then_some(Self { level: Level::$level, ..Self::SCALAR }),
                )*].into_iter().flatten()
            }

            /// The name that [`by_name`](Self::by_name) accepts.
            pub fn name(self) -> &'static str {
                match self.level {$(
                    $(#[cfg($cfg)])?
                    Level::$level => $name,
                )*}
            }
        }
    };
}

/// Whether the processor has a feature; without `std`, whether the build target guarantees it.
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

// Level, name, condition for support; slowest first.
instruction_sets! {
    /// Plain Rust, on all machines: the reference.
    Scalar "scalar" if true;
    /// Vectors of four, on all machines: SSE2 on x86-64, elsewhere arrays, whose vectorizing is left to the compiler. A WebAssembly
    /// module with vectors leaves it out: it would never be the fastest, and it would add to the download.
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    Portable "portable" if true;
    /// 256-bit vectors: AVX2, FMA, POPCNT, BMI1, BMI2, LZCNT.
    #[cfg(target_arch = "x86_64")]
    Avx2 "avx2" if has_avx2();
    /// 512-bit vectors with masks: AVX-512 F, BW, DQ, VL, and all of `Avx2`.
    #[cfg(target_arch = "x86_64")]
    Avx512 "avx512" if has_avx2() && has!("avx512f" "avx512bw" "avx512dq" "avx512vl");
    /// 128-bit vectors of 64-bit Arm.
    #[cfg(target_arch = "aarch64")]
    Neon "neon" if has!("neon");
    /// 128-bit WebAssembly vectors: a module has them or not.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Simd128 "simd128" if true;
}

/// What a WebAssembly module of one instruction set runs, whatever an [`Isa`] says: the others are not compiled into it.
#[cfg(all(feature = "single", target_arch = "wasm32", target_feature = "simd128"))]
const ONLY: Level = Level::Simd128;
#[cfg(all(feature = "single", target_arch = "wasm32", not(target_feature = "simd128")))]
const ONLY: Level = Level::Portable;

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    has!("avx2" "fma" "popcnt" "bmi1" "bmi2" "lzcnt")
}

impl Isa {
    /// Plain Rust, on all machines. Its level is that of `portable` where a build is without the feature `scalar`, but for WebAssembly.
    pub const SCALAR: Self = Self {
        level: Level::Scalar,
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        without_dot: false,
    };

    /// The fastest that the machine supports.
    pub fn best() -> Self {
        Self::available().last().unwrap_or(Self::SCALAR)
    }

    /// The one of that name, if the machine supports it.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::available().find(|isa| isa.name() == name)
    }

    /// Its level.
    #[inline(always)]
    pub fn level(self) -> Level {
        #[cfg(all(feature = "single", target_arch = "wasm32"))]
        return ONLY;
        // The compiler then finds that code for it is dead.
        #[cfg(not(any(feature = "scalar", target_arch = "wasm32")))]
        if self.level == Level::Scalar {
            return Level::Portable;
        }
        #[cfg(not(all(feature = "single", target_arch = "wasm32")))]
        self.level
    }

    /// Whether there is AVX-512 VBMI2 in addition to the level `Avx512`: compress and expand of 8- and 16-bit lanes.
    pub fn has_vbmi2(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        if self.level == Level::Avx512 {
            return has!("avx512vbmi2");
        }
        false
    }

    /// Whether an instruction that gathers sixteen elements, in addition to the level `Avx512`, is faster than loading them one by
    /// one: so it is on Intel's processors from Sapphire Rapids on, which have half-precision arithmetic. It is slow on AMD's, and on
    /// Intel's older ones where they are kept from leaking what was gathered.
    pub fn has_fast_gather(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        if self.level == Level::Avx512 {
            return has!("avx512fp16");
        }
        false
    }

    /// Whether there are instructions that multiply bytes and add up four products each, in addition to those of its
    /// level: AVX-VNNI, AVX-512 VNNI, the dot product of Arm.
    pub fn has_dot(self) -> bool {
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        if self.without_dot {
            return false;
        }
        match self.level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => has!("avxvnni"),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => has!("avx512vnni"),
            #[cfg(target_arch = "aarch64")]
            Level::Neon => has!("dotprod"),
            _ => false,
        }
    }
}

impl Isa {
    /// The same on a machine without [those instructions](Self::has_dot): to test and measure what such a machine runs.
    pub fn without_dot(self) -> Self {
        Self {
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            without_dot: true,
            ..self
        }
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
