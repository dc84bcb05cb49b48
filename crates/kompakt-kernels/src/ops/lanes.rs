//! Lanes that are folded side by side, as one number.

/// All lanes as one number: the upper half joined to the lower half, again and again; `N` is a power of two from 4 to 32.
///
/// Not inlined: seen together with the loop that fills the lanes, the compiler vectorizes that loop across halves, at half the speed.
/// Each half has a fixed size: in a loop over halves the lanes would stay in memory.
#[inline(never)]
pub(super) fn joined<T: Copy, const N: usize>(mut lanes: [T; N], join: impl Fn(T, T) -> T) -> T {
    const { assert!(N.is_power_of_two() && N >= 4 && N <= 32) };
    if N > 16 {
        (0..16).for_each(|i| lanes[i] = join(lanes[i], lanes[i + 16]));
    }
    if N > 8 {
        (0..8).for_each(|i| lanes[i] = join(lanes[i], lanes[i + 8]));
    }
    if N > 4 {
        (0..4).for_each(|i| lanes[i] = join(lanes[i], lanes[i + 4]));
    }
    join(join(lanes[0], lanes[2]), join(lanes[1], lanes[3]))
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn every_lane_counts_once() {
        let add = |a: u64, b: u64| a + b;
        assert_eq!(joined::<u64, 4>(core::array::from_fn(|i| 1 << i), add), 15);
        assert_eq!(joined::<u64, 8>(core::array::from_fn(|i| 1 << i), add), 255);
        assert_eq!(joined::<u64, 16>(core::array::from_fn(|i| 1 << i), add), 65_535);
        assert_eq!(joined::<u64, 32>(core::array::from_fn(|i| 1 << i), add), 4_294_967_295);
    }
}
