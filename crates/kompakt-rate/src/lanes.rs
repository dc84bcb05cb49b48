//! Examples side by side (SIMD lanes): one value of a network for `8 K` examples.
//!
//! ```text
//! acc[lane] = x[lane] * w + acc[lane]          one weight, all examples
//! ```
//!
//! Sums over lanes are taken in one fixed order and products are fused everywhere, so results do not depend
//! on the machine. [`vectorized`] also compiles its argument for vectors of 256 and of 512 bits and dispatches at run
//! time.

use pulp::NullaryFnOnce;

/// One value for `8 K` examples.
pub(crate) type Lanes<const K: usize> = [[f32; 8]; K];

/// One value of a framed image, for eight examples.
pub(crate) type Cell = Lanes<1>;

/// All zero.
#[inline(always)]
pub(crate) fn zero<const K: usize>() -> Lanes<K> {
    [[0.0; 8]; K]
}

/// `acc += x w`.
#[inline(always)]
pub(crate) fn add_scaled<const K: usize>(acc: &mut Lanes<K>, x: &Lanes<K>, w: f32) {
    // In copies, so that the compiler need not check for aliasing.
    let (mut sum, x) = (*acc, *x);
    for k in 0..K {
        for l in 0..8 {
            sum[k][l] = x[k][l].mul_add(w, sum[k][l]);
        }
    }
    *acc = sum;
}

/// `acc += x y`, lane by lane.
#[inline(always)]
pub(crate) fn add_product<const K: usize>(acc: &mut Lanes<K>, x: &Lanes<K>, y: &Lanes<K>) {
    for (acc, (x, y)) in acc.iter_mut().zip(x.iter().zip(y)) {
        for (acc, (x, y)) in acc.iter_mut().zip(x.iter().zip(y)) {
            *acc = x.mul_add(*y, *acc);
        }
    }
}

/// `acc += x`.
#[inline(always)]
pub(crate) fn add<const K: usize>(acc: &mut Lanes<K>, x: &Lanes<K>) {
    for (acc, x) in acc.iter_mut().zip(x) {
        for (acc, x) in acc.iter_mut().zip(x) {
            *acc += x;
        }
    }
}

/// The sum of all lanes: blocks of eight first, then halves.
#[inline(always)]
pub(crate) fn sum<const K: usize>(lanes: &Lanes<K>) -> f32 {
    let mut x = [0.0; 8];
    for eight in lanes {
        for (x, lane) in x.iter_mut().zip(eight) {
            *x += lane;
        }
    }
    let four = [x[0] + x[4], x[1] + x[5], x[2] + x[6], x[3] + x[7]];
    let two = [four[0] + four[2], four[1] + four[3]];
    two[0] + two[1]
}

/// `e^x` from -87 to 88, within `2e-7 (1 + |x|)` relative error; bit-identical everywhere.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let t = x.clamp(-87.0, 88.0) * std::f32::consts::LOG2_E;
    let whole = (t + 12_582_912.0) - 12_582_912.0;
    let f = t - whole;
    // 2^f for f in -0.5 ..= 0.5.
    let mut p = 1.535_336_2e-4_f32;
    for c in [1.339_887_4e-3, 9.618_437e-3, 5.550_332_5e-2, 2.402_264_8e-1, std::f32::consts::LN_2, 1.0] {
        p = p.mul_add(f, c);
    }
    p * f32::from_bits(((whole as i32 + 127) as u32) << 23)
}

/// Vectors that work can be compiled for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Vectors {
    /// What the build assumes.
    Plain,
    /// Of 256 bits (AVX2).
    #[cfg(target_arch = "x86_64")]
    V3(pulp::x86::V3),
    /// Of 512 bits (AVX-512).
    #[cfg(target_arch = "x86_64")]
    V4(pulp::x86::V4),
}

impl Vectors {
    /// Those of this machine, the widest first.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let wide = [pulp::x86::V4::try_new().map(Self::V4), pulp::x86::V3::try_new().map(Self::V3)];
        #[cfg(not(target_arch = "x86_64"))]
        let wide: [Option<Self>; 0] = [];
        wide.into_iter().flatten().chain([Self::Plain])
    }

    /// Runs `work`, compiled for these vectors. Its `call` and everything in it must be `inline(always)`: a closure is
    /// not, and would not be vectorised.
    #[inline]
    pub(crate) fn run<W: NullaryFnOnce>(self, work: W) -> W::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::V4(simd) => pulp::Simd::vectorize(simd, work),
            #[cfg(target_arch = "x86_64")]
            Self::V3(simd) => pulp::Simd::vectorize(simd, work),
            Self::Plain => work.call(),
        }
    }

    /// The same of tiled work.
    #[inline]
    pub(crate) fn run_tiled<W: Tiled>(self, work: W) -> W::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::V4(_) => self.run(AtWidth::<W, 16>(work)),
            _ => self.run(AtWidth::<W, 8>(work)),
        }
    }
}

/// Work on framed images, which can be compiled for tiles of up to `T` cells ([`tiled`]).
pub(crate) trait Tiled {
    type Output;
    fn call<const T: usize>(self) -> Self::Output;
}

/// Tiled work at one width.
struct AtWidth<W, const T: usize>(W);

impl<W: Tiled, const T: usize> NullaryFnOnce for AtWidth<W, T> {
    type Output = W::Output;

    #[inline(always)]
    fn call(self) -> W::Output {
        self.0.call::<T>()
    }
}

/// Runs tiled work on the widest vectors of this machine, in tiles that its registers hold: as [`vectorized`].
pub(crate) fn tiled<W: Tiled>(work: W) -> W::Output {
    Vectors::all().next().unwrap_or(Vectors::Plain).run_tiled(work)
}

/// Runs `work` on the widest vectors of this machine ([`Vectors::run`]).
pub(crate) fn vectorized<W: NullaryFnOnce>(work: W) -> W::Output {
    Vectors::all().next().unwrap_or(Vectors::Plain).run(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_that_of_double_precision() {
        for i in -870..880 {
            let x = i as f32 * 0.1;
            let wanted = f64::from(x).exp();
            assert!((f64::from(exp(x)) - wanted).abs() <= wanted * 2e-7 * (1.0 + f64::from(x.abs())), "{x}");
        }
    }
}
