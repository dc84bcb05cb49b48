//! Splits are fixed by the data set, cover it, and do not overlap.

use kompakt_data::{Split, is_test, is_validation, load};

#[test]
fn digits_split_once_and_for_ever() {
    let count = |split| load("digits", split).unwrap().len();
    let (train, validation, test) = (count(Split::Train), count(Split::Validation), count(Split::Test));
    assert_eq!((train, validation, test), (1271, 155, 371));
    assert_eq!(train + validation + test, 1797);
    assert_eq!(count(Split::TrainAndValidation), train + validation);
}

/// Against the same formula in another language.
#[test]
fn the_first_validation_and_test_images_are_these() {
    let first = |chosen: fn(usize) -> bool| (0..60).filter(|i| chosen(*i)).collect::<Vec<_>>();
    assert_eq!(first(is_validation), [2, 18, 29, 30, 31, 43]);
    assert_eq!(first(is_test), [0, 4, 7, 10, 17, 20, 21, 27, 28, 44, 50, 54, 55, 58]);
}
