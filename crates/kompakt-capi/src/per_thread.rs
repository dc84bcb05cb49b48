//! Values that each thread has for itself; in WebAssembly, the page's thread, the only one that calls the interface.

/// As `thread_local!`: a static with the method `with`.
#[cfg(not(target_arch = "wasm32"))]
macro_rules! per_thread {
    (static $name:ident: $type:ty = $value:expr;) => {
        std::thread_local! {
            static $name: $type = $value;
        }
    };
}

#[cfg(target_arch = "wasm32")]
macro_rules! per_thread {
    (static $name:ident: $type:ty = $value:expr;) => {
        static $name: $crate::per_thread::Only<$type> = $crate::per_thread::Only::new(|| $value);
    };
}

/// A value that is made when it is first used.
#[cfg(target_arch = "wasm32")]
pub(crate) struct Only<T>(core::cell::LazyCell<T>);

// SAFETY: one thread calls the interface; Workers of a module with shared memory take part in runs alone, which have no such values.
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "one thread calls the interface")]
unsafe impl<T> Sync for Only<T> {}

#[cfg(target_arch = "wasm32")]
impl<T> Only<T> {
    pub(crate) const fn new(make: fn() -> T) -> Self {
        Self(core::cell::LazyCell::new(make))
    }

    pub(crate) fn with<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        f(&self.0)
    }
}
