//! Steps before a network for photographs, in a few words: `resize=256 mean=0.485,0.456,0.406 std=0.229,0.224,0.225`.
//!
//! ```text
//! picture ──resize──► covers [3, 256, 256] ──bgr──► center crop ──mean, std──► [3, 224, 224]
//! ```
//!
//! | word | meaning |
//! |---|---|
//! | `resize=256` | the shorter side becomes 256, then the middle that the network takes is cut out |
//! | `bgr` | blue, green, red instead of red, green, blue |
//! | `bytes` | the network takes 0 to 255; `mean` and `std` are in the same units |
//! | `mean=A` or `mean=A,B,C` | subtracted: one number, or one per channel, in the network's order |
//! | `mean=FILE.npy` | a mean image, `[channels, height, width]` or `[height, width, channels]`, before or after the crop |
//! | `std=A` or `std=A,B,C` | divided by |

use crate::{error::DataError, mean_image::MeanImage};
use kompakt_prep::{Pipeline, Step};
use std::path::Path;

/// A preset: its name, its words, and what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its expansion; empty for a preset that is not made of words.
    pub words: &'static str,
    /// The networks that use it.
    pub what: &'static str,
}

/// All presets of `--prep`.
pub const NAMED: [Named; 8] = [
    Named { name: "none", words: "", what: "pixels from 0 to 1, as they are" },
    Named { name: "normalize", words: "", what: "mean and deviation of the training images of --data" },
    Named { name: "deskew", words: "", what: "digits: centred and straightened" },
    Named { name: "features", words: "", what: "digits: gradient directions, 716 numbers" },
    Named {
        name: "imagenet",
        words: "resize mean=0.485,0.456,0.406 std=0.229,0.224,0.225",
        what: "PyTorch's torchvision, timm and most others for photographs: an eighth larger, middle, mean and deviation",
    },
    Named {
        name: "inception",
        words: "resize mean=0.5 std=0.5",
        what: "-1 to 1: TensorFlow's MobileNet, Inception, EfficientNet-Lite",
    },
    Named {
        name: "caffe",
        words: "resize bgr bytes mean=104,117,123",
        what: "Caffe, Keras' VGG and ResNet: blue first, bytes less the mean pixel",
    },
    Named { name: "bytes", words: "bytes", what: "pixels from 0 to 255" },
];

/// The mean to subtract.
#[derive(Debug, Clone, PartialEq)]
enum Mean {
    Numbers(Vec<f32>),
    Image(MeanImage),
}

/// See the [module page](self).
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Words {
    /// The shorter side; 0 for an eighth more than the network takes.
    resize: Option<usize>,
    is_bgr: bool,
    are_bytes: bool,
    mean: Option<Mean>,
    std: Option<Vec<f32>>,
}

impl Words {
    /// Reads words; `None` for text that is of another kind (JSON, another preset).
    ///
    /// Errors: a word that is unknown or is given twice, a malformed number, a mean image that cannot be read.
    pub(crate) fn parse(text: &str) -> Option<Result<Self, DataError>> {
        let named = NAMED.iter().find(|named| named.name == text && !named.words.is_empty());
        let text = named.map_or(text, |named| named.words);
        let is_word =
            |word: &str| matches!(word.split('=').next(), Some("resize" | "bgr" | "bytes" | "mean" | "std"));
        text.split_whitespace().next().filter(|word| is_word(word))?;
        let mut words = Self::default();
        Some(text.split_whitespace().try_for_each(|word| words.add(word)).map(|()| words))
    }

    fn add(&mut self, word: &str) -> Result<(), DataError> {
        let wrong = |problem: &str| Err(DataError::Steps(format!("{word:?}: {problem}")));
        match word.split_once('=') {
            None if word == "resize" => self.resize = Some(0),
            None if word == "bgr" => self.is_bgr = true,
            None if word == "bytes" => self.are_bytes = true,
            Some(("resize", side)) => match side.parse() {
                Ok(side @ 1..=4096) => self.resize = Some(side),
                _ => return wrong("a side from 1 to 4096 is needed"),
            },
            Some(("mean", file)) if file.ends_with(".npy") => {
                self.mean = Some(Mean::Image(MeanImage::read(Path::new(file))?));
            }
            Some((name @ ("mean" | "std"), list)) => {
                let numbers: Result<Vec<f32>, _> = list.split(',').map(|n| n.trim().parse::<f32>()).collect();
                match numbers {
                    Ok(numbers) if name == "mean" => self.mean = Some(Mean::Numbers(numbers)),
                    Ok(numbers) => self.std = Some(numbers),
                    Err(_) => return wrong("numbers with commas between are needed"),
                }
            }
            _ => {
                return wrong(
                    "not one of resize, resize=SIDE, bgr, bytes, mean=NUMBERS, mean=FILE.npy, std=NUMBERS",
                );
            }
        }
        Ok(())
    }

    /// The steps for a network with inputs of `network`. `raw` is the shape of the images where it is given (arrays); pictures
    /// are scaled to the shape that the steps take.
    ///
    /// Errors: a network that takes no images, a mean image of another size, steps that do not fit.
    pub(crate) fn pipeline(&self, network: &[usize], raw: Option<&[usize]>) -> Result<Pipeline, DataError> {
        let size = |dims: &[usize]| <[usize; 3]>::try_from(dims).ok();
        let input = match (raw, size(network)) {
            (Some(raw), _) => raw.to_vec(),
            (None, Some(to)) => self.covering(to).to_vec(),
            (None, None) => network.to_vec(),
        };
        let mut steps = Vec::new();
        if self.is_bgr {
            steps.push(Step::Channels { order: vec![2, 1, 0] });
        }
        let unit = if self.are_bytes { 255.0 } else { 1.0 };
        let mut mean_image = match &self.mean {
            Some(Mean::Image(image)) => Some(image.clone().scaled(1.0 / unit)),
            _ => None,
        };
        let mut subtract = |dims: &[usize], steps: &mut Vec<Step>| -> Result<(), DataError> {
            if let Some(image) = mean_image.take_if(|image| image.dims() == dims) {
                steps.push(image.step()?);
            }
            Ok(())
        };
        subtract(&input, &mut steps)?;
        if let (Some(from), Some(to)) = (size(&input), size(network))
            && from[1..] != to[1..]
        {
            steps.push(Step::CenterCrop { height: to[1], width: to[2] });
        }
        subtract(network, &mut steps)?;
        if let Some(image) = mean_image {
            return Err(DataError::Steps(format!(
                "the mean image is {:?}; {input:?} or {network:?} is needed",
                image.dims()
            )));
        }
        let mean = match &self.mean {
            Some(Mean::Numbers(mean)) => mean.clone(),
            _ => vec![0.0],
        };
        let std = self.std.clone().unwrap_or_else(|| vec![1.0]);
        if unit != 1.0 || mean.iter().any(|m| *m != 0.0) || std.iter().any(|s| *s != 1.0) {
            let (mean, std) = alike(mean, std);
            let over = |values: Vec<f32>| values.into_iter().map(|v| v / unit).collect();
            steps.push(Step::Normalize { mean: over(mean), std: over(std) });
        }
        Ok(Pipeline::new(&input, steps)?)
    }

    /// The size that pictures are scaled to, before the centre crop.
    fn covering(&self, [channels, height, width]: [usize; 3]) -> [usize; 3] {
        let shorter = height.min(width);
        let side = match self.resize {
            None => return [channels, height, width],
            Some(0) => (shorter * 8).div_ceil(7),
            Some(side) => side,
        };
        // The network's aspect, at least its size.
        let scaled = |n: usize| ((n * side + shorter / 2) / shorter).max(n);
        [channels, scaled(height), scaled(width)]
    }
}

/// A single mean for many deviations, or the other way round, applies to all.
pub(crate) fn alike(mut mean: Vec<f32>, mut std: Vec<f32>) -> (Vec<f32>, Vec<f32>) {
    if mean.len() == 1 && std.len() > 1 {
        mean = vec![mean[0]; std.len()];
    } else if std.len() == 1 && mean.len() > 1 {
        std = vec![std[0]; mean.len()];
    }
    (mean, std)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Words {
        Words::parse(text).unwrap().unwrap()
    }

    #[test]
    fn the_usual_evaluation_is_256_then_224() {
        let steps = words("imagenet").pipeline(&[3, 224, 224], None).unwrap();
        assert_eq!(steps.input_shape().dims(), [3, 256, 256]);
        assert_eq!(steps.steps()[0], Step::CenterCrop { height: 224, width: 224 });
        assert_eq!(steps.steps()[1].name(), "normalize");
        assert_eq!(steps.output_shape().dims(), [3, 224, 224]);
        // Arrays of the network's own size are not cut.
        let steps = words("imagenet").pipeline(&[3, 32, 32], Some(&[3, 32, 32])).unwrap();
        assert_eq!(steps.steps().len(), 1);
        assert_eq!(words("resize=300 std=2").covering([3, 200, 400]), [3, 300, 600]);
    }

    #[test]
    fn several_means_may_have_one_deviation() {
        let steps = words("bgr bytes mean=104,117,123 std=2").pipeline(&[3, 4, 4], None).unwrap();
        let over = |v: &[f32]| v.iter().map(|v| v / 255.0).collect::<Vec<f32>>();
        let normalize = Step::Normalize { mean: over(&[104.0, 117.0, 123.0]), std: over(&[2.0; 3]) };
        assert_eq!(steps.steps(), [Step::Channels { order: vec![2, 1, 0] }, normalize]);
    }

    #[test]
    fn what_is_no_word_is_said() {
        assert!(
            Words::parse("[]").is_none() && Words::parse("deskew").is_none() && Words::parse("").is_none()
        );
        for text in ["resize=0", "mean=a", "bgr blue", "mean=nowhere.npy"] {
            assert!(Words::parse(text).unwrap().is_err(), "{text}");
        }
    }
}
