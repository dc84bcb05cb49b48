//! Instruction sets: a value of [`Isa`] proves that the machine has what it names.

use core::fmt;

/// An instruction set that this machine has.
///
/// There is no way to make one without asking the machine, so a kernel that is given an `Isa` may use it.
/// [`Isa::SCALAR`] is the definition of every kernel; the others compute the same sums in another order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Isa(Level);

/// What an [`Isa`] stands for. Only detection makes any but `Scalar`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// Plain Rust, everywhere.
    pub const SCALAR: Self = Self(Level::Scalar);

    /// 256-bit vectors with fused multiply-add, if the machine has them.
    pub fn avx2() -> Option<Self> {
        #[cfg(all(target_arch = "x86_64", feature = "std"))]
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            return Some(Self(Level::Avx2));
        }
        None
    }

    /// 512-bit vectors with masks (F, BW, DQ, VL), if the machine has them.
    pub fn avx512() -> Option<Self> {
        #[cfg(all(target_arch = "x86_64", feature = "std"))]
        if Self::avx2().is_some()
            && std::is_x86_feature_detected!("avx512f")
            && std::is_x86_feature_detected!("avx512bw")
            && std::is_x86_feature_detected!("avx512dq")
            && std::is_x86_feature_detected!("avx512vl")
        {
            return Some(Self(Level::Avx512));
        }
        None
    }

    /// The fastest that the machine has.
    pub fn best() -> Self {
        Self::avx512().or_else(Self::avx2).unwrap_or(Self::SCALAR)
    }

    /// All that the machine has, slowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        [Some(Self::SCALAR), Self::avx2(), Self::avx512()].into_iter().flatten()
    }

    /// The one of that name (`scalar`, `avx2`, `avx512`), if the machine has it.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::available().find(|isa| isa.name() == name)
    }

    /// `scalar`, `avx2` or `avx512`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Level::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
        }
    }

    #[inline(always)]
    pub(crate) fn level(self) -> Level {
        self.0
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

/// Calls a function compiled once for each instruction set. The body is plain Rust, inlined into each.
///
/// `per_isa! { fn name(args) -> ret = body_function; }` makes `name(isa, args)`.
macro_rules! per_isa {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? = $body:expr;) => {
        $(#[$meta])*
        $vis fn $name(isa: $crate::Isa, $($arg: $ty),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $ty),*) $(-> $ret)? {
                $body($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn avx512($($arg: $ty),*) $(-> $ret)? {
                $body($($arg),*)
            }
            match isa.level() {
                $crate::isa::Level::Scalar => $body($($arg),*),
                #[cfg(target_arch = "x86_64")]
                #[expect(unsafe_code, reason = "the features are there: an Isa of this level proves it")]
                $crate::isa::Level::Avx2 => {
                    // SAFETY: `Isa::avx2` is the only maker of this level and has detected AVX2 and FMA.
                    unsafe { avx2($($arg),*) }
                }
                #[cfg(target_arch = "x86_64")]
                #[expect(unsafe_code, reason = "the features are there: an Isa of this level proves it")]
                $crate::isa::Level::Avx512 => {
                    // SAFETY: `Isa::avx512` is the only maker of this level and has detected these features.
                    unsafe { avx512($($arg),*) }
                }
            }
        }
    };
}
pub(crate) use per_isa;

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
    }
}
