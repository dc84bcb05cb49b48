//! One parameter of a network, plain or with shared weights.

use crate::error::CheckpointError;
use kompakt_numbers::Numbers;

/// A parameter in one of the two forms it takes on its way through the stages.
#[derive(Debug, Clone, PartialEq)]
pub enum Parameter {
    /// One value per weight.
    Dense {
        /// PyTorch's layout, output units first.
        shape: Vec<usize>,
        /// Row-major; 0 where the mask is false.
        values: Numbers,
        /// True = kept; `None` when all are.
        mask: Option<Vec<bool>>,
    },
    /// One code per weight, an index into a codebook.
    Shared {
        /// PyTorch's layout, output units first.
        shape: Vec<usize>,
        /// 1 to 256 values, strictly ascending, none of them zero.
        codebook: Numbers,
        /// Row-major; below the codebook's length, 0 where the mask is false.
        codes: Vec<u8>,
        /// True = kept; `None` when all are.
        mask: Option<Vec<bool>>,
    },
}

impl Parameter {
    /// A dense parameter with nothing pruned.
    pub fn dense(shape: Vec<usize>, values: Vec<f32>) -> Self {
        Self::Dense { shape, values: Numbers::F32(values), mask: None }
    }
    /// Its shape.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Dense { shape, .. } | Self::Shared { shape, .. } => shape,
        }
    }
    /// How many weights it has, kept or not.
    pub fn len(&self) -> usize {
        self.shape().iter().product()
    }
    /// Whether it has no weights.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// True = kept; `None` when all are.
    pub fn mask(&self) -> Option<&[bool]> {
        match self {
            Self::Dense { mask, .. } | Self::Shared { mask, .. } => mask.as_deref(),
        }
    }
    /// How many weights are kept.
    pub fn n_kept(&self) -> usize {
        self.mask().map_or(self.len(), |m| m.iter().filter(|&&k| k).count())
    }
    /// All weights decoded, zeros included: the dense matrix that this parameter stands for.
    pub fn to_f32(&self) -> Vec<f32> {
        match self {
            Self::Dense { values, .. } => values.to_f32(),
            Self::Shared { codebook, codes, mask, .. } => {
                let codebook = codebook.to_f32();
                let value = |code: &u8| codebook[usize::from(*code)];
                match mask {
                    None => codes.iter().map(value).collect(),
                    Some(mask) => {
                        codes.iter().zip(mask).map(|(c, &kept)| if kept { value(c) } else { 0.0 }).collect()
                    }
                }
            }
        }
    }

    /// Checks what the fields' docs promise; `name` is for the message.
    pub fn check(&self, name: &str) -> Result<(), CheckpointError> {
        let fail = |problem: String| Err(CheckpointError::tensor(name, problem));
        let n = self.len();
        if let Some(mask) = self.mask()
            && mask.len() != n
        {
            return fail(format!(
                "the mask has {} entries, the shape {:?} asks for {n}",
                mask.len(),
                self.shape()
            ));
        }
        match self {
            Self::Dense { values, mask, shape } => {
                if values.len() != n {
                    return fail(format!("{} values, the shape {shape:?} asks for {n}", values.len()));
                }
                if !values.is_finite() {
                    return fail("holds NaN or infinity".to_string());
                }
                if let Some(mask) = mask
                    && values.to_f32().iter().zip(mask).any(|(&v, &kept)| !kept && v != 0.0)
                {
                    return fail("a weight that the mask removes is not zero".to_string());
                }
            }
            Self::Shared { codebook, codes, mask, shape } => {
                check_codebook(name, codebook)?;
                if codes.len() != n {
                    return fail(format!("{} codes, the shape {shape:?} asks for {n}", codes.len()));
                }
                if let Some(code) = codes.iter().find(|&&c| usize::from(c) >= codebook.len()) {
                    return fail(format!("code {code} is outside its codebook of {}", codebook.len()));
                }
                if let Some(mask) = mask
                    && codes.iter().zip(mask).any(|(&c, &kept)| !kept && c != 0)
                {
                    return fail("a code that the mask removes is not 0".to_string());
                }
            }
        }
        Ok(())
    }
}

fn check_codebook(name: &str, codebook: &Numbers) -> Result<(), CheckpointError> {
    let values = codebook.to_f32();
    let problem = if values.is_empty() || values.len() > 256 {
        format!("a codebook of {} entries; 1 to 256 are possible", values.len())
    } else if values.iter().any(|v| !v.is_finite()) {
        "the codebook holds NaN or infinity".to_string()
    } else if values.contains(&0.0) {
        "the codebook holds a zero; zeros are what the mask says".to_string()
    } else if values.windows(2).any(|w| w[0] >= w[1]) {
        "the codebook is not strictly ascending".to_string()
    } else {
        return Ok(());
    };
    Err(CheckpointError::tensor(name, problem))
}
