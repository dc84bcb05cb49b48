//! The words of errors. A module that is downloaded to run networks can leave them out (the feature `none`): they are a tenth of
//! it, and another module says them in the rare case.
//!
//! Libraries below the loader make the text of an error by [`words!`] instead of `format!`, and fixed texts by [`fixed`].
#![no_std]

extern crate alloc;

#[doc(hidden)]
pub use alloc::{format, string::String};

/// Whether errors have words in this build.
pub const ARE_THERE: bool = !cfg!(feature = "none");

/// A text, as `format!` makes it; empty where errors have no words.
#[macro_export]
macro_rules! words {
    ($($text:tt)*) => {
        if $crate::ARE_THERE { $crate::format!($($text)*) } else { $crate::String::new() }
    };
}

/// The text; empty where errors have no words.
#[inline(always)]
pub const fn fixed(text: &'static str) -> &'static str {
    if ARE_THERE { text } else { "" }
}

#[cfg(test)]
mod tests {
    use super::{ARE_THERE, fixed};

    #[test]
    fn words_are_there_unless_they_are_left_out() {
        assert_eq!(words!("{} of {}", 1, 2), if ARE_THERE { "1 of 2" } else { "" });
        assert_eq!(fixed("one"), if ARE_THERE { "one" } else { "" });
    }
}
