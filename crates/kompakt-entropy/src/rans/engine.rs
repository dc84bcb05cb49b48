//! Which instruction set decodes.

/// A decoder that this machine can run. All give the same result.
///
/// Holding one is proof that the processor has what it needs: only [`detect`](Self::detect) and
/// [`all`](Self::all) make any but the scalar one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Engine(pub(super) Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar,
    #[cfg(all(target_arch = "x86_64", feature = "std"))]
    Avx2(super::avx2::Avx2),
    #[cfg(all(target_arch = "x86_64", feature = "std"))]
    Avx512(super::avx512::Avx512, super::avx2::Avx2),
}

impl Engine {
    /// Plain code, on any processor.
    pub const SCALAR: Self = Self(Kind::Scalar);

    /// The fastest that this processor can run. Without the feature `std`, the scalar one.
    pub fn detect() -> Self {
        Self::all().last().unwrap_or(Self::SCALAR)
    }

    /// Every one that this processor can run, slowest first.
    pub fn all() -> impl Iterator<Item = Self> {
        #[cfg(all(target_arch = "x86_64", feature = "std"))]
        let vectors = [
            super::avx2::Avx2::detect().map(|token| Self(Kind::Avx2(token))),
            super::avx512::Avx512::detect()
                .zip(super::avx2::Avx2::detect())
                .map(|(wide, narrow)| Self(Kind::Avx512(wide, narrow))),
        ];
        #[cfg(not(all(target_arch = "x86_64", feature = "std")))]
        let vectors = [None; 0];
        core::iter::once(Self::SCALAR).chain(vectors.into_iter().flatten())
    }

    /// The proof of AVX-512, if that is what this engine is.
    #[cfg(all(target_arch = "x86_64", feature = "std"))]
    pub(crate) fn avx512(self) -> Option<super::avx512::Avx512> {
        match self.0 {
            Kind::Avx512(token, _) => Some(token),
            _ => None,
        }
    }

    /// `scalar`, `avx2` or `avx512`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Scalar => "scalar",
            #[cfg(all(target_arch = "x86_64", feature = "std"))]
            Kind::Avx2(_) => "avx2",
            #[cfg(all(target_arch = "x86_64", feature = "std"))]
            Kind::Avx512(..) => "avx512",
        }
    }
}
