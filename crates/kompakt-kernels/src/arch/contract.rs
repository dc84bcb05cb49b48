//! Conformance tests for instruction sets, method by method, against plain loops.
#![allow(clippy::undocumented_unsafe_blocks, reason = "each call is within the arrays beside it")]

use super::Arch;
use crate::{
    Codebook, HAS_STEPS, InSteps,
    conv::grid::LANES,
    isa::{Isa, Job, Vector, run, run_integers},
    matrix::sliced::FILLER,
};

/// The checks of one instruction set.
struct Contract;

impl Job for Contract {
    type Output = usize;

    fn define(self) -> usize {
        0
    }

    #[inline(always)]
    unsafe fn run<A: Arch>(self) -> usize {
        unsafe {
            vector::<A::Narrow>();
            vector::<A::Wide>();
            arch::<A>();
        }
        <A::Wide as Vector>::N
    }
}

#[test]
fn every_instruction_set_of_the_machine_keeps_the_contract() {
    for isa in Isa::available().filter(|isa| *isa != Isa::SCALAR) {
        let lanes = run(isa, Contract);
        assert!([4, 8, 16].contains(&lanes), "{isa} has vectors of {lanes}");
    }
}

/// The products of bytes of one instruction set.
struct Products;

impl Job for Products {
    type Output = ();

    fn define(self) {}

    #[inline(always)]
    unsafe fn run<A: Arch>(self) {
        unsafe {
            products::<A::Narrow>();
            products::<A::Wide>();
        }
    }
}

#[test]
fn products_of_bytes_are_exact() {
    Isa::available().for_each(|isa| run_integers(isa, Products));
    // Also where the machine has better instructions.
    #[cfg(target_arch = "x86_64")]
    if Isa::by_name("avx2").is_some() {
        unsafe { super::x86_64::Avx2Pairs::run(Products) };
    }
    #[cfg(target_arch = "aarch64")]
    unsafe {
        super::aarch64::NeonPairs::run(Products)
    };
}

unsafe fn products<V: Vector>() {
    assert!(V::INTEGERS && V::SUMS >= 8);
    // Bytes below 128 are the same signed and unsigned; the other test has all.
    let patterns = [[0u8, 1, 127, 64], [127; 4], [3, 0, 99, 1]];
    let weights = [[127i8, 127, 127, 127], [-127, -127, -127, -127], [-1, 0, 127, -128], [5, -7, 0, 1]];
    for (i, w) in (0..12).zip(weights.iter().cycle()) {
        let x: [f32; 16] =
            core::array::from_fn(|lane| f32::from_bits(u32::from_le_bytes(patterns[(i + lane) % 3])));
        let w_ = w.map(i8::cast_unsigned);
        unsafe {
            let weight = V::splat(f32::from_bits(u32::from_le_bytes(w_)));
            let start = V::splat(f32::from_bits((-5i32).cast_unsigned()));
            let sums = lanes(V::load(x.as_ptr()).mul_add(weight, start).add(start));
            let one = V::splat(1.0);
            let (low, high) = (V::splat(-1e9), V::splat(1e9));
            // In a run that fits 16 bits: two products of small weights.
            let small = V::splat(f32::from_bits(u32::from_le_bytes(w.map(|w| (w / 4).cast_unsigned()))));
            let x_ = V::load(x.as_ptr());
            let run = x_.mul_add_short(small, x_.mul_add_short(small, V::splat(0.0)));
            let short = lanes(start.add_short(run));
            let floats = lanes(V::load(sums.as_ptr()).finish(one, V::splat(0.5), low, high));
            for lane in 0..V::N {
                let products =
                    patterns[(i + lane) % 3].iter().zip(w).map(|(&x, &w)| i32::from(x) * i32::from(w));
                let exact = products.sum::<i32>() - 10;
                assert_eq!(sums[lane].to_bits().cast_signed(), exact);
                assert_eq!(floats[lane], exact as f32 + 0.5);
                let small = patterns[(i + lane) % 3].iter().zip(w);
                let exact = small.map(|(&x, w)| 2 * i32::from(x) * i32::from(w / 4)).sum::<i32>() - 5;
                assert_eq!(short[lane].to_bits().cast_signed(), exact);
            }
        }
    }
}

fn numbers(n: usize) -> [f32; 64] {
    core::array::from_fn(|i| if i < n { (i * 7 % 13) as f32 - 5.5 } else { f32::NAN })
}

unsafe fn lanes<V: Vector>(v: V) -> [f32; 16] {
    let mut out = [0.0; 16];
    unsafe { v.store(out.as_mut_ptr()) };
    out
}

unsafe fn vector<V: Vector>() {
    let (n, x, y) = (V::N, numbers(64), numbers(40));
    assert!(n.is_power_of_two() && 16 % n == 0 && V::SUMS >= 8);
    unsafe {
        let (a, b) = (V::load(x.as_ptr()), V::load(y.as_ptr().add(3)));
        let each = |v: V, f: &dyn Fn(usize) -> f32| {
            let out = lanes(v);
            (0..n).for_each(|i| {
                assert!(out[i] == f(i) || (out[i].is_nan() && f(i).is_nan()), "lane {i} of {n}")
            });
        };
        each(a, &|i| x[i]);
        each(V::splat(2.5), &|_| 2.5);
        each(a.add(b), &|i| x[i] + y[3 + i]);
        // Rounded once or twice, as declared: (1 + 2^-12)^2 - 1 keeps its last bit only if rounded once.
        let (close, minus_one) = (1.0 + 2f32.powi(-12), V::splat(-1.0));
        let exact = 2f32.powi(-11) + if V::FUSED { 2f32.powi(-24) } else { 0.0 };
        each(V::splat(close).mul_add(V::splat(close), minus_one), &|_| exact);
        each(a.mul_add(b, a), &|i| x[i] * y[3 + i] + x[i]);
        each(a.max_or_self(b), &|i| x[i].max(y[3 + i]));
        each(V::splat(f32::NAN).max_or_self(a), &|_| f32::NAN);
        each(a.min_or_self(b), &|i| x[i].min(y[3 + i]));
        each(V::splat(f32::NAN).min_or_self(a), &|_| f32::NAN);
        let [even, odd] = V::even_odd(V::load(x.as_ptr()), V::load(x.as_ptr().add(n)));
        each(even, &|i| x[2 * i]);
        each(odd, &|i| x[2 * i + 1]);
        let parts = V::even_odd_by_parts(V::load(x.as_ptr()), V::load(x.as_ptr().add(n)));
        let [first, second] = parts.map(|part| part.parts_in_order());
        each(first, &|i| x[2 * i]);
        each(second, &|i| x[2 * i + 1]);
        let [low, high] = V::interleave(even, odd);
        each(low, &|i| x[i]);
        each(high, &|i| x[n + i]);
        for end in 0..=n {
            for from in 0..=end {
                let inside = |i: usize| (from..end).contains(&i);
                each(V::load_masked(x.as_ptr(), V::between(from, end)), &|i| {
                    if inside(i) { x[i] } else { 0.0 }
                });
                let mut out = [9.0; 16];
                a.store_masked(out.as_mut_ptr(), V::between(from, end));
                (0..16).for_each(|i| assert_eq!(out[i], if inside(i) { x[i] } else { 9.0 }));
            }
            if end > 0 {
                each(V::load_masked(x.as_ptr(), V::first(end)), &|i| if i < end { x[i] } else { 0.0 });
            }
        }
        let idx: [u16; 16] = core::array::from_fn(|i| (i * 11 % 40) as u16);
        each(V::gather(idx.as_ptr(), x.as_ptr()), &|i| x[usize::from(idx[i])]);
        let book = Codebook::new(&x[..32]);
        let mut codes: [u8; 16] = core::array::from_fn(|i| (i * 5 % 32) as u8);
        let levels = V::levels(book.table());
        each(V::look_up::<false>(codes.as_ptr(), levels), &|i| book.value(codes[i]));
        (0..16).step_by(3).for_each(|i| codes[i] = FILLER);
        each(V::look_up::<true>(codes.as_ptr(), levels), &|i| {
            if i % 3 == 0 { 0.0 } else { book.value(codes[i]) }
        });
    }
}

unsafe fn arch<A: Arch>() {
    let x = numbers(64);
    unsafe {
        let mut y = [0.0; 64];
        A::transpose(x.as_ptr(), 5, y.as_mut_ptr(), 7);
        (0..16).for_each(|i| assert_eq!(y[i / 4 * 7 + i % 4], x[i % 4 * 5 + i / 4]));
        let mut lanes = [0.0; 4 * LANES];
        A::spread(&x, [0, 20, 3, 9], 5, 3, &mut lanes);
        for (t, i) in (0..3).flat_map(|t| (0..LANES).map(move |i| (t, i))) {
            assert_eq!(lanes[t * LANES + i], x[[0, 20, 3, 9][i / 4] + i % 4 * 5 + t]);
        }
        let sums: [f32; 8 * LANES] = core::array::from_fn(|i| i as f32);
        for n in 1..=8 {
            // Two lines of eight lanes, the second after a gap of three.
            let fours = [0, 4 * n, 8 * n + 3, 12 * n + 3];
            let mut lines = [f32::NAN; 131];
            A::collect(&sums[..n.max(4) * LANES], n, fours, &mut lines[..15 * n + 3 + n.max(4)]);
            for (lane, t) in (0..LANES).flat_map(|lane| (0..n).map(move |t| (lane, t))) {
                assert_eq!(lines[fours[lane / 4] + lane % 4 * n + t], sums[t * LANES + lane], "{n} elements");
            }
            assert!(n < 4 || lines[8 * n..8 * n + 3].iter().all(|gap| gap.is_nan()), "written past a line");
        }
        for n_levels in [5, 20, 40, 100, 256] {
            let levels: [f32; 256] = core::array::from_fn(|i| i as f32 - 3.0);
            let book = Codebook::new(&levels[..n_levels]);
            for n in [0, 1, 15, 16, 17, 40, 64] {
                let codes: [u8; 64] = core::array::from_fn(|i| (i * 37 % n_levels) as u8);
                let cols: [u32; 64] = core::array::from_fn(|i| (i * 11 % 64) as u32);
                let exact: f32 = (0..n).map(|i| book.value(codes[i]) * x[i]).sum();
                assert_eq!(A::dot_codes(&codes[..n], &book, &x[..n]), exact);
                let mut values = [f32::NAN; 64];
                A::look_up(&codes[..n], &book, &mut values[..n]);
                assert!((0..n).all(|i| values[i] == book.value(codes[i])), "{n_levels} levels, {n} codes");
                let exact: f32 = (0..n).map(|i| book.value(codes[i]) * x[cols[i] as usize]).sum();
                assert_eq!(A::dot_sparse(&cols[..n], &codes[..n], &book, &x), exact);
            }
        }
        // As numbers of steps, levels and sums have the same bits.
        let levels: [f32; 200] = core::array::from_fn(|i| 0.3 * (i as f32 - 39.0));
        let book = Codebook::new(&levels);
        if HAS_STEPS {
            let InSteps { book: in_steps, codes: code, n_far: 0 } = book.in_steps().unwrap() else {
                panic!("far levels")
            };
            for n in [0, 1, 7, 8, 16, 31, 64] {
                let codes: [u8; 64] = core::array::from_fn(|i| (i * 37 % 200) as u8);
                let steps = codes.map(|c| code[usize::from(c)].unwrap());
                let [a, b] =
                    [(&codes, &book), (&steps, &in_steps)].map(|(c, b)| A::dot_codes(&c[..n], b, &x[..n]));
                assert_eq!(a.to_bits(), b.to_bits(), "{n} codes");
                let mut values = [f32::NAN; 64];
                A::look_up(&steps[..n], &in_steps, &mut values[..n]);
                assert!((0..n).all(|i| values[i] == book.value(codes[i])), "{n} codes");
            }
        }
        let zeros: [f32; 50] = core::array::from_fn(|i| if i % 3 == 0 { 0.0 } else { x[i] });
        let mut active = [0; 66];
        let n = A::nonzero(&zeros, &mut active);
        assert!((0..50u32).filter(|&i| zeros[i as usize] != 0.0).eq(active[..n].iter().copied()));
    }
}
