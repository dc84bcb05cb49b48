//! One choice between instruction sets: a [`Job`] is written once, and [`run`] calls the version of it that was compiled for
//! the [`Isa`] it is given.
//!
//! ```text
//! kernel(isa, ...)  ->  run(isa, job)  ->  Level::Scalar    job.define()              plain Rust, the definition
//!                                          any other level  job.run::<its Arch>()     over the vectors of that Arch
//! ```
#![expect(unsafe_code, reason = "what runs over vectors needs their features")]

mod dots;
mod vector;

use crate::arch::{self, Arch};
pub(crate) use dots::{Dot, Dots, Integers};
pub(crate) use kompakt_isa::{Isa, Level};
pub(crate) use vector::Vector;

/// A computation to be run on an instruction set.
pub(crate) trait Job: Sized {
    /// The result.
    type Output;
    /// Whether it is its definition, compiled for the instruction set: one version is then enough where that has no features.
    const IS_PLAIN: bool = false;
    /// Whether there is another for bytes in runs (`int8/runs.rs`): instruction sets that are faster so have no version of this.
    const HAS_RUNS: bool = false;

    /// The definition, in plain Rust.
    fn define(self) -> Self::Output;

    /// The same over vectors. Implementations are `inline(always)`, with all that they call in their loops.
    ///
    /// # Safety
    /// The features of `A`.
    unsafe fn run<A: Arch>(self) -> Self::Output;
}

/// A part of a job over vectors that is compiled as a separate function. Jobs that have many loops of many
/// vectors are split into such parts: compile time grows with the square of a function's loops.
pub(crate) trait SubJob: Sized {
    /// As [`Job::run`].
    ///
    /// # Safety
    /// The features of `A`.
    unsafe fn run<A: Arch>(self);
}

/// Runs a part of a job that runs over the vectors of `A`, out of line.
///
/// # Safety
/// The features of `A`.
#[inline(never)]
pub(crate) unsafe fn out_of_line<A: Arch, P: SubJob>(part: P) {
    struct Alone<P>(P);
    impl<P: SubJob> Job for Alone<P> {
        type Output = ();
        fn define(self) {
            unreachable!("a part of a job over vectors")
        }
        #[inline(always)]
        unsafe fn run<A: Arch>(self) {
            // SAFETY: passed on.
            unsafe { self.0.run::<A>() }
        }
    }
    // SAFETY: promised by the caller.
    unsafe { A::run(Alone(part)) }
}

/// Runs a job on an instruction set.
#[inline(always)]
pub(crate) fn run<J: Job>(isa: Isa, job: J) -> J::Output {
    match isa.level() {
        Level::Scalar if const { J::IS_PLAIN } => plain(job),
        Level::Scalar => job.define(),
        _ => arch::run(isa, job),
    }
}

/// The definition, out of line.
#[inline(never)]
pub(crate) fn plain<J: Job>(job: J) -> J::Output {
    job.define()
}

/// Runs a job over integers: the lanes of its sums are `i32`, and each lane of its factors is four bytes. All instruction
/// sets give the same integers, so there is no separate definition.
#[inline(always)]
pub(crate) fn run_integers<J: Job>(isa: Isa, job: J) -> J::Output {
    arch::run_integers(isa, job)
}

/// Calls a function whose body is plain Rust, compiled once for each instruction set, for loops that the
/// compiler vectorizes. `per_isa! { fn name(args) -> ret = body_function; }` makes `name(isa, args)`. With `= fused body_function;`
/// the body's first argument is whether products and sums are rounded once, as the vectors of the instruction set do it.
macro_rules! per_isa {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? = fused $body:expr;) => {
        $crate::isa::per_isa! {
            @first (false) (<A::Wide as $crate::isa::Vector>::FUSED)
            $(#[$meta])* $vis fn $name($($arg: $ty),*) $(-> $ret)? = $body;
        }
    };
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? = $body:expr;) => {
        $crate::isa::per_isa! { @first () () $(#[$meta])* $vis fn $name($($arg: $ty),*) $(-> $ret)? = $body; }
    };
    // The body's first argument, if it has one: of the definition, and of an instruction set.
    (
        @first ($($defined:expr)?) ($($of_isa:expr)?)
        $(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)? = $body:expr;
    ) => {
        $(#[$meta])*
        $vis fn $name(isa: $crate::Isa, $($arg: $ty),*) $(-> $ret)? {
            struct Call<T>(T);
            impl $crate::isa::Job for Call<($($ty,)*)> {
                type Output = $crate::isa::per_isa!(@output $($ret)?);
                const IS_PLAIN: bool = true;
                #[inline(always)]
                fn define(self) -> Self::Output {
                    let Self(($($arg,)*)) = self;
                    $body($($defined,)? $($arg),*)
                }
                #[inline(always)]
                #[expect(unsafe_code, reason = "plain Rust, compiled with the caller's features")]
                unsafe fn run<A: $crate::arch::Arch>(self) -> Self::Output {
                    let Self(($($arg,)*)) = self;
                    $body($($of_isa,)? $($arg),*)
                }
            }
            $crate::isa::run(isa, Call(($($arg,)*)))
        }
    };
    (@output) => { () };
    (@output $ret:ty) => { $ret };
}
pub(crate) use per_isa;
