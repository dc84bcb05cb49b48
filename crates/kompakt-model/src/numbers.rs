//! A list of numbers together with the format they are stored in.

use half::f16;

/// Numbers in the format in which they will be stored. Whoever makes the numbers (clustering, fine-tuning)
/// chooses the format; packing only writes down what is here.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// IEEE single precision.
    F32(Vec<f32>),
    /// IEEE half precision, as bits.
    F16(Vec<u16>),
    /// `value = integer * scale`, computed in f32.
    Scaled {
        /// What one step is worth.
        scale: f32,
        /// The steps.
        integers: Vec<i32>,
    },
}

impl Numbers {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::F16(v) => v.len(),
            Self::Scaled { integers, .. } => integers.len(),
        }
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The values.
    pub fn to_f32(&self) -> Vec<f32> {
        match self {
            Self::F32(v) => v.clone(),
            Self::F16(v) => v.iter().map(|&bits| f16::from_bits(bits).to_f32()).collect(),
            Self::Scaled { scale, integers } => integers.iter().map(|&i| i as f32 * scale).collect(),
        }
    }
    /// The values rounded to half precision.
    pub fn to_f16(&self) -> Self {
        Self::F16(self.to_f32().into_iter().map(|v| f16::from_f32(v).to_bits()).collect())
    }
    /// The values rounded to multiples of a step such that the largest is `2^(bits-1) - 1` steps away from zero.
    ///
    /// `bits` is 2 to 24. All zeros give a step of 1.
    pub fn to_scaled(&self, bits: u32) -> Self {
        let values = self.to_f32();
        let largest = values.iter().fold(0f32, |m, v| m.max(v.abs()));
        let steps = ((1i32 << (bits.clamp(2, 24) - 1)) - 1) as f32;
        let scale = if largest > 0.0 { largest / steps } else { 1.0 };
        let integers = values.iter().map(|v| (v / scale).round() as i32).collect();
        Self::Scaled { scale, integers }
    }
    /// Whether every value is a finite number.
    pub fn is_finite(&self) -> bool {
        match self {
            Self::F32(v) => v.iter().all(|x| x.is_finite()),
            Self::F16(v) => v.iter().all(|&b| f16::from_bits(b).is_finite()),
            Self::Scaled { scale, .. } => scale.is_finite(),
        }
    }
    /// Keeps the entries for which `keep` says so, in order.
    pub fn retain(&mut self, keep: &[bool]) {
        fn apply<T>(v: &mut Vec<T>, keep: &[bool]) {
            let mut i = 0;
            v.retain(|_| {
                i += 1;
                keep[i - 1]
            });
        }
        match self {
            Self::F32(v) => apply(v, keep),
            Self::F16(v) => apply(v, keep),
            Self::Scaled { integers, .. } => apply(integers, keep),
        }
    }
}
