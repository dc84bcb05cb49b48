//! Vectors of four floats, on any machine: plain arrays, or what every processor of the kind has.
#![expect(unsafe_code, reason = "the trait's loads and stores are through pointers")]

#[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
mod arrays;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
mod sse2;

use super::Arch;
use crate::{
    Costs,
    isa::{Dots, Job, plain},
};
#[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
pub(crate) use arrays::Four;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
pub(crate) use sse2::Four;

/// Four at a time.
pub(crate) struct Portable;

impl Arch for Portable {
    type Narrow = Four;
    type Wide = Four;
    const COSTS: Costs = Costs {
        sliced_codes: 520.0,
        sliced_values: 400.0,
        page: f64::INFINITY,
        column_weight: 449.0,
        column_input: 78.0,
        dense_codes: [248.0, 247.0, 246.0, 247.0, 248.0],
        dense_steps: 248.0,
        dense_values: 126.0,
        narrow: 4,
        wide: 4,
        tap: 794.0,
        tap_vector: 1122.0,
        plane_vector: 1149.0,
        panel_codes: [172.0, 192.0],
        panel_steps: 192.0,
        panel_vector: 980.0,
        plane_input: 135.0,
        grid_input: 374.0,
        grid_output: 287.0,
        winograd_input: 2700.0,
        winograd_output: 4800.0,
        winograd_kernel: 5000.0,
        depthwise_vector: 2980.0,
    };

    /// Where it is the fastest, machines are small or old.
    const IS_COMPACT: bool = true;

    // A separate function, because callers contain the versions for other instruction sets too.
    #[inline(always)]
    unsafe fn run<J: Job>(job: J) -> J::Output {
        if const { J::IS_PLAIN } {
            return plain(job);
        }
        #[inline(never)]
        fn run<J: Job>(job: J) -> J::Output {
            // SAFETY: it needs no features.
            unsafe { job.run::<Portable>() }
        }
        run(job)
    }
}

/// The same over integers.
pub(crate) struct PortableDot;

impl Arch for PortableDot {
    type Narrow = Dots<Four, FourDot>;
    type Wide = Dots<Four, FourDot>;
    const IS_COMPACT: bool = true;
    const COSTS: Costs = Costs {
        sliced_values: 2000.0,
        dense_values: 1500.0,
        tap: 0.0,
        tap_vector: 2850.0,
        plane_vector: 3030.0,
        panel_vector: 2540.0,
        ..Portable::COSTS
    };

    #[inline(never)]
    unsafe fn run<J: Job>(job: J) -> J::Output {
        // SAFETY: it needs no features.
        unsafe { job.run::<Self>() }
    }
}

/// Products of bytes.
#[derive(Clone, Copy)]
pub(crate) struct FourDot;

/// Lanes `from..end` of four: the mask of vectors whose instruction set has none.
#[derive(Clone, Copy)]
pub(crate) struct FourLanes {
    from: u8,
    end: u8,
}

impl FourLanes {
    #[inline(always)]
    pub(super) fn between(from: usize, end: usize) -> Self {
        debug_assert!(from <= end && end <= 4);
        Self { from: from as u8, end: end as u8 }
    }

    #[inline(always)]
    pub(super) fn is_all(self) -> bool {
        self.from == 0 && self.end == 4
    }

    /// Loads these lanes; the others are zero and not read.
    ///
    /// # Safety
    /// A float at each of these lanes.
    // Not inlined: kernels have a masked load in each tile, and most masks include all lanes.
    #[inline(never)]
    pub(super) unsafe fn load(self, at: *const f32) -> [f32; 4] {
        let mut lanes = [0.0; 4];
        for lane in self.from..self.end {
            // SAFETY: promised by the caller.
            lanes[usize::from(lane)] = unsafe { *at.wrapping_add(lane.into()) };
        }
        lanes
    }

    /// Writes these lanes.
    ///
    /// # Safety
    /// Room for a float at each of these lanes.
    #[inline(never)]
    pub(super) unsafe fn store(self, lanes: [f32; 4], at: *mut f32) {
        for lane in self.from..self.end {
            // SAFETY: promised by the caller.
            unsafe { *at.wrapping_add(lane.into()) = lanes[usize::from(lane)] }
        }
    }
}
