//! Shapes and sizes as shaders take them.

/// Sizes are checked before steps are run: values have at most 2^31 elements.
pub(crate) fn word(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

pub(super) fn signed(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Errors: sides, padding included, that are too long for a shader's arithmetic.
pub(crate) fn check_extent(parts: [usize; 5]) -> Result<(), String> {
    let sum = parts.into_iter().try_fold(0usize, usize::checked_add);
    sum.filter(|sum| *sum <= 1 << 30).map(|_| ()).ok_or_else(|| "more than 2^30 places along a side".into())
}

/// As channels, height and width.
pub(crate) fn image(shape: &[usize]) -> Result<[usize; 3], String> {
    shape.try_into().map_err(|_| format!("images have three dimensions, not {}", shape.len()))
}

/// The channel dimension.
pub(super) fn first(shape: &[usize]) -> Result<usize, String> {
    shape.first().copied().ok_or_else(|| "a value without channels".to_string())
}

pub(super) fn without_batch(axis: usize) -> Result<usize, String> {
    axis.checked_sub(1).ok_or_else(|| "it works across images".to_string())
}

/// A list with one number per axis, without the batch axis, whose number must be `batch`.
pub(super) fn of_image(list: &[usize], batch: usize) -> Result<&[usize], String> {
    match list {
        [first, rest @ ..] if *first == batch => Ok(rest),
        _ => Err("it works across images".into()),
    }
}

/// Padded to the two vectors of four that a uniform buffer holds.
pub(super) fn eight(values: &[usize]) -> Result<[u32; 8], String> {
    if values.len() > 8 {
        return Err("more than eight dimensions".into());
    }
    let mut words = [1; 8];
    for (to, &from) in words.iter_mut().zip(values) {
        *to = word(from);
    }
    Ok(words)
}

/// Row-major.
pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for d in (1..shape.len()).rev() {
        strides[d - 1] = strides[d] * shape[d];
    }
    strides
}

/// The same, 0 along broadcast dimensions.
pub(super) fn repeated_strides(shape: &[usize]) -> Vec<usize> {
    strides(shape).into_iter().zip(shape).map(|(stride, &size)| if size == 1 { 0 } else { stride }).collect()
}
