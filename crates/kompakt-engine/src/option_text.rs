//! Optimisers and schedules as text: `nesterov:0.9`, `cosine:0.01`. Formatting and parsing are inverse.

use crate::options::{Optimizer, Schedule};
use std::{fmt, str::FromStr};

impl fmt::Display for Optimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sgd { momentum, .. } => write!(f, "{}:{momentum}", self.name()),
            Self::Adam { beta1, beta2, epsilon } | Self::AdamW { beta1, beta2, epsilon } => {
                write!(f, "{}:{beta1}:{beta2}:{epsilon}", self.name())
            }
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => f.write_str("constant"),
            Self::Cosine { end } => write!(f, "cosine:{end}"),
            Self::Step { every, factor } => write!(f, "step:{every}:{factor}"),
        }
    }
}

impl FromStr for Optimizer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, numbers) = split(text)?;
        let help =
            "an optimiser is sgd[:MOMENTUM], nesterov[:MOMENTUM], adam[:BETA1:BETA2:EPSILON] or adamw[:…]";
        Ok(match (name, &numbers[..]) {
            ("sgd", []) => Self::SGD,
            ("nesterov", []) => Self::NESTEROV,
            ("adam", []) => Self::ADAM,
            ("adamw", []) => Self::ADAMW,
            ("sgd", &[momentum]) => Self::Sgd { momentum, nesterov: false },
            ("nesterov", &[momentum]) => Self::Sgd { momentum, nesterov: true },
            ("adam", &[beta1, beta2, epsilon]) => Self::Adam { beta1, beta2, epsilon },
            ("adamw", &[beta1, beta2, epsilon]) => Self::AdamW { beta1, beta2, epsilon },
            _ => return Err(help.to_string()),
        })
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, numbers) = split(text)?;
        Ok(match (name, &numbers[..]) {
            ("constant", []) => Self::Constant,
            ("cosine", []) => Self::Cosine { end: 0.0 },
            ("cosine", &[end]) => Self::Cosine { end },
            ("step", &[every, factor]) => Self::Step { every, factor },
            _ => return Err("a schedule is constant, cosine[:LAST_FACTOR] or step:EPOCHS:FACTOR".to_string()),
        })
    }
}

fn split(text: &str) -> Result<(&str, Vec<f32>), String> {
    let mut words = text.split(':');
    let name = words.next().unwrap_or_default();
    let numbers = words
        .map(|w| w.parse::<f32>().map_err(|_| format!("{w:?} in {text:?} is not a number")))
        .collect::<Result<_, _>>();
    Ok((name, numbers?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for text in ["sgd:0.9", "nesterov:0.95", "adam:0.9:0.999:0.00000001", "adamw:0.8:0.99:0.001"] {
            assert_eq!(text.parse::<Optimizer>().unwrap().to_string(), text);
        }
        for text in ["constant", "cosine:0.01", "step:10:0.1"] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
        assert_eq!("adam".parse(), Ok(Optimizer::ADAM));
        assert!("rmsprop".parse::<Optimizer>().is_err() && "step:x:1".parse::<Schedule>().is_err());
    }
}
