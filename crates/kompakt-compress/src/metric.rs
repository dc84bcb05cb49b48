//! What is measured of two networks on the same images.
//!
//! ```text
//! right or wrong, image by image:  top-K, agreement, text   ──► a loss with a bound for other images (Paired)
//! one figure of all images:        cosine, mse, snr, boxes  ──► that figure
//! ```

use crate::{
    detected::Detected, error::CompressError, evaluation::Evaluation, paired::Paired, recognised::Recognised,
};
use std::{fmt, str::FromStr};

/// One figure of an evaluation, by the name that the command line gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// The share of images whose label is among so many likeliest classes. Of a comparison without labels, and with 1: agreement.
    Top(usize),
    /// The share of images with the same likeliest class as the original's.
    Agreement,
    /// The mean cosine of the angle between an answer and the original's.
    Cosine,
    /// The mean squared difference of two scores.
    Mse,
    /// Energy of the original's answers over that of the difference, in decibels.
    Snr,
    /// The share of images that are read alike ([`Recognised`]).
    Text,
    /// Twice the boxes that both find over all boxes of both ([`Detected`]).
    Boxes,
}

impl FromStr for Metric {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let top = text.strip_prefix("top").map(|k| k.trim_start_matches('-').parse());
        match (text, top) {
            (_, Some(Ok(k))) if k > 0 => Ok(Self::Top(k)),
            ("agreement", _) => Ok(Self::Agreement),
            ("cosine", _) => Ok(Self::Cosine),
            ("mse", _) => Ok(Self::Mse),
            ("snr", _) => Ok(Self::Snr),
            ("text", _) => Ok(Self::Text),
            ("boxes", _) => Ok(Self::Boxes),
            _ => Err(format!(
                "no metric {text:?}; there are top-1, top-5, top-K, agreement, cosine, mse, snr, text, boxes"
            )),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top(k) => write!(f, "top-{k}"),
            Self::Agreement => f.write_str("agreement"),
            Self::Cosine => f.write_str("cosine"),
            Self::Mse => f.write_str("mse"),
            Self::Snr => f.write_str("snr"),
            Self::Text => f.write_str("text"),
            Self::Boxes => f.write_str("boxes"),
        }
    }
}

impl Metric {
    /// Whether each image is right or wrong by it, so that the loss on other images has a bound.
    pub fn is_by_image(self) -> bool {
        matches!(self, Self::Top(_) | Self::Agreement | Self::Text)
    }

    /// Whether a smaller figure is better.
    pub fn is_error(self) -> bool {
        self == Self::Mse
    }

    /// Whether answers of this shape, without the batch, can be measured by it.
    ///
    /// Errors: [`CompressError::Wish`], with the shape that is needed.
    pub fn check(self, shape: &[usize]) -> Result<(), CompressError> {
        let (fits, needed) = match self {
            Self::Top(_) | Self::Agreement => {
                (shape.iter().filter(|&&d| d > 1).count() == 1, "that is a list of classes")
            }
            Self::Text => (Recognised::new(shape).is_some(), "[time, classes]"),
            Self::Boxes => (Detected::new(shape).is_some(), "[4 + classes, places]"),
            Self::Cosine | Self::Mse | Self::Snr => (true, ""),
        };
        if fits {
            return Ok(());
        }
        Err(CompressError::Wish(format!(
            "--metric {self} needs an output {needed}; this network's is {shape:?} (agreement and top-K are for classes; others: text, \
             boxes, cosine, mse, snr)"
        )))
    }

    /// Counts right and wrong images, if that is what it does.
    ///
    /// Shapes: `original` and `compressed` `[n, ...shape]`; `labels` `[n]` or none.
    pub(crate) fn paired(
        self,
        original: &[f32],
        compressed: &[f32],
        labels: &[usize],
        n: usize,
        shape: &[usize],
    ) -> Option<Paired> {
        match self {
            Self::Top(k) => Some(Paired::of(original, compressed, labels, n, k)),
            Self::Agreement => Some(Paired::of(original, compressed, &[], n, 1)),
            Self::Text => {
                let reader = Recognised::new(shape)?;
                Some(Paired::alike(&reader.texts(original), &reader.texts(compressed)))
            }
            Self::Cosine | Self::Mse | Self::Snr | Self::Boxes => None,
        }
    }

    /// The one figure of all images, if that is what it is.
    ///
    /// Shapes: `original` and `compressed` `[n, ...shape]`.
    pub(crate) fn figure(self, original: &[f32], compressed: &[f32], shape: &[usize]) -> Option<f64> {
        if self.is_by_image() {
            return None;
        }
        if self == Self::Boxes {
            let mut found = Detected::new(shape)?;
            found.add(compressed, original);
            return Some(found.share());
        }
        let mut found = Evaluation::new(shape.iter().product());
        found.add(compressed, None, Some(original));
        let against = found.against?;
        Some(match self {
            Self::Cosine => against.cosine(),
            Self::Mse => against.mse(),
            _ => against.snr(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        use Metric::{Agreement, Boxes, Cosine, Mse, Snr, Text, Top};
        for metric in [Top(1), Top(5), Agreement, Cosine, Mse, Snr, Text, Boxes] {
            assert_eq!(metric.to_string().parse(), Ok(metric));
        }
        assert_eq!("top3".parse(), Ok(Top(3)));
        assert!("top-0".parse::<Metric>().unwrap_err().contains("top-0"));
    }

    #[test]
    fn text_is_right_or_wrong_image_by_image() {
        // Two images, two times, three classes of which the first is the blank.
        let a = [0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
        let b = [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 2.0, 0.0, 2.0, 0.0, 0.0];
        let paired = Metric::Text.paired(&a, &b, &[], 2, &[2, 3]).unwrap();
        assert_eq!((paired.n, paired.n_before, paired.n_lost, paired.n_same), (2, 2, 1, 1));
        assert_eq!(Metric::Text.figure(&a, &b, &[2, 3]), None);
        assert!(Metric::Text.check(&[10]).unwrap_err().to_string().contains("[time, classes]"));
        assert!(Metric::Agreement.check(&[2, 3]).is_err());
    }

    #[test]
    fn figures_of_all_images_are_those_of_an_evaluation() {
        let (a, b) = ([1.0, 0.0, 3.0, 4.0], [0.0, 1.0, 3.0, 4.0]);
        assert_eq!(Metric::Cosine.figure(&a, &b, &[2]), Some(0.5));
        assert_eq!(Metric::Mse.figure(&a, &b, &[2]), Some(0.5));
        assert!((Metric::Snr.figure(&a, &b, &[2]).unwrap() - 10.0 * 13.0f64.log10()).abs() < 1e-9);
        assert_eq!(Metric::Cosine.paired(&a, &b, &[], 2, &[2]), None);
    }
}
