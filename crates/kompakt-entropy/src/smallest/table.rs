//! Functions of small numbers as tables, which the models look up for every bit.
//!
//! The compiler computes them. In a module for browsers they would be a sixth of the text that is downloaded beside code, so there they are
//! computed when the first coder is made ([`prepare`](super::tables::prepare)).

/// Whether tables are computed when the program runs.
macro_rules! when_run {
    ($($item:item)*) => { $(#[cfg(all(target_arch = "wasm32", not(feature = "std")))] $item)* };
}
/// Whether the compiler computes them.
macro_rules! when_compiled {
    ($($item:item)*) => { $(#[cfg(not(all(target_arch = "wasm32", not(feature = "std"))))] $item)* };
}
pub(crate) use {when_compiled, when_run};

when_compiled! {
    /// See the [module page](self).
    pub(crate) struct Table<const N: usize>([u16; N]);

    impl<const N: usize> Table<N> {
        pub(crate) const fn of(entries: [u16; N]) -> Self {
            Self(entries)
        }

        /// Entry `i`. Panics: if there are not so many.
        #[inline(always)]
        pub(crate) fn at(&self, i: usize) -> u16 {
            self.0[i]
        }
    }
}

when_run! {
    /// See the [module page](self). A relaxed load is a load.
    pub(crate) struct Table<const N: usize>([core::sync::atomic::AtomicU16; N]);

    impl<const N: usize> Table<N> {
        pub(crate) const EMPTY: Self = Self([const { core::sync::atomic::AtomicU16::new(0) }; N]);

        pub(crate) fn fill(&self, entries: &[u16; N]) {
            for (to, &entry) in self.0.iter().zip(entries) {
                to.store(entry, core::sync::atomic::Ordering::Relaxed);
            }
        }

        /// Entry `i`. Panics: if there are not so many.
        #[inline(always)]
        pub(crate) fn at(&self, i: usize) -> u16 {
            self.0[i].load(core::sync::atomic::Ordering::Relaxed)
        }
    }
}

/// Tables, each by a `const` expression; and `prepare`, after which they are there.
macro_rules! tables {
    ($($(#[$meta:meta])* $vis:vis static $name:ident: [$n:expr] = $entries:expr;)*) => {
        $crate::smallest::table::when_compiled! {
            $($(#[$meta])* $vis static $name: $crate::smallest::table::Table<{ $n }> =
                $crate::smallest::table::Table::of($entries);)*

            /// To be called before a table is looked up: the compiler has made them.
            #[inline(always)]
            pub(crate) fn prepare() {}
        }
        $crate::smallest::table::when_run! {
            $($(#[$meta])* $vis static $name: $crate::smallest::table::Table<{ $n }> =
                $crate::smallest::table::Table::EMPTY;)*

            /// To be called before a table is looked up: makes them, the first time.
            pub(crate) fn prepare() {
                use core::sync::atomic::{AtomicBool, Ordering};
                static ARE_MADE: AtomicBool = AtomicBool::new(false);
                if !ARE_MADE.load(Ordering::Acquire) {
                    $($name.fill(&$entries);)*
                    ARE_MADE.store(true, Ordering::Release);
                }
            }
        }
    };
}
pub(crate) use tables;
