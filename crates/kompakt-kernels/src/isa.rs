//! Functions compiled once for each instruction set.

pub(crate) use kompakt_isa::Level;

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
                    // SAFETY: the level stands for AVX2 and FMA.
                    unsafe { avx2($($arg),*) }
                }
                #[cfg(target_arch = "x86_64")]
                #[expect(unsafe_code, reason = "the features are there: an Isa of this level proves it")]
                $crate::isa::Level::Avx512 => {
                    // SAFETY: the level stands for these features.
                    unsafe { avx512($($arg),*) }
                }
            }
        }
    };
}
pub(crate) use per_isa;
