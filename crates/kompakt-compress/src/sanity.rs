//! Checks before and after compression, so that a network is never ruined silently.

use crate::{
    blind::{AIMED, Blind},
    error::CompressError,
    images::Images,
    metric::Metric,
    network::{answers, n_classes, output_shape},
    paired::{Paired, no_better_than_chance},
    target::{Options, Outcome, Target},
};
use kompakt_format::Container;
use kompakt_model::Model;

/// The summed error at which the answers may be pure noise.
const RUINED: f64 = 1.0;
/// Without images: the difference of the answers to synthetic inputs, relative to their energy, that no summed error may have,
/// and one that is doubtful in a file of a given size.
const UNLIKE: f64 = 0.25;
const DOUBTFUL: f64 = 0.1;
/// The share of characters that may become others: of a line of ten, one in five is then misread.
const MISREAD: f64 = 0.02;
/// Fewer characters tell nothing.
const FEW: usize = 30;
/// The share of answers on which the original and the result may always disagree.
const DISAGREEMENT: f64 = 0.05;

/// Measures the original on the validation images, which are those of `source`: reports its accuracy, and
/// refuses images that cannot show anything.
///
/// Errors: too few images to show a loss of accuracy, a target that needs labels where there are none, an
/// original that is no better than chance.
pub fn check_before(
    model: &Model,
    images: &Images,
    source: &str,
    options: &Options,
    say: &dyn Fn(&str),
) -> Result<(), CompressError> {
    if matches!(options.target, Target::Drop(_) | Target::Reach(_)) {
        options.metric.check(output_shape(model))?;
    }
    if let Target::Drop(drop) = options.target {
        enough(images.n, drop)?;
    }
    let is_of_classes = matches!(options.metric, Metric::Top(_));
    let Some(n_classes) = n_classes(model).filter(|_| is_of_classes && !images.labels.is_empty()) else {
        say(&format!(
            "{} validation images without labels ({source}): judged by the original's answers",
            images.n
        ));
        return Ok(());
    };
    let found = answers(model, images)?;
    let paired = Paired::of(&found, &found, &images.labels, images.n, 1);
    let accuracy = 100.0 * paired.share(paired.n_before);
    say(&format!("{} validation images ({source}); accuracy before: {accuracy:.2} %", images.n));
    if no_better_than_chance(&found, &images.labels, n_classes) {
        let steps = match model.preprocessing {
            None => "; it gets raw pixels from 0 to 1: most networks need --prep (see `kompakt prep list`)",
            Some(_) => "; check --prep (see `kompakt prep list`)",
        };
        return Err(CompressError::NotJudged(format!(
            "the network is right on {accuracy:.2} % of {} images ({source}), no better than chance: its labels do not line up \
             with the network's outputs (give --labels, or name classes by number), or its images are not prepared as in \
             training{steps}. --ignore-labels compresses it all the same",
            images.n
        )));
    }
    Ok(())
}

/// Whether that many images can show a loss that small.
fn enough(n: usize, drop: f64) -> Result<(), CompressError> {
    let refused = |message: String| Err(CompressError::Wish(message));
    if drop <= 0.0 {
        let message = "no number of images can show that nothing is lost: ask for a loss above 0";
        return refused(message.into());
    }
    let needed = Paired::needed(drop);
    if n < needed {
        let least = 100.0 * Paired { n, ..Paired::default() }.bound();
        return refused(format!(
            "{n} validation images cannot show a loss of at most {:.2} points: even if none is lost, it may be {least:.2} (95 % \
             confidence, one-sided); {} more are needed (--judge SOURCE gives images of their own, --judges N raises their \
             number)",
            100.0 * drop,
            needed - n
        ));
    }
    Ok(())
}

/// Refuses a result that agrees with the original no better than chance or less often than the target allows;
/// without images, one whose summed error is too large, or that answers synthetic inputs otherwise.
///
/// Errors: [`CompressError::Ruined`].
pub fn check_after(outcome: &Outcome, target: Target) -> Result<(), CompressError> {
    let refused = |message: String| Err(CompressError::Ruined(message));
    if outcome.figure.is_some() {
        return Ok(());
    }
    let Some(paired) = &outcome.paired else {
        let most =
            if let Target::Noise(noise) = target { (10.0 * AIMED * noise).max(UNLIKE) } else { RUINED };
        if let Some(difference) = outcome.blind.as_ref().and_then(|b| b.difference).filter(|d| *d > most) {
            return refused(format!(
                "on synthetic inputs the result's answers differ from the original's by {:.0} % of their energy: it is ruined, or \
                 the inputs are unlike those it is for. Give --data, or ask for a larger file",
                100.0 * difference
            ));
        }
        if outcome.noise > RUINED {
            return refused(format!(
                "summed error {:.2}: above {RUINED} nothing of the network's answers need be left. Ask for \
                 a larger file, or give --data so that its answers can be judged",
                outcome.noise
            ));
        }
        return Ok(());
    };
    let agreement = 100.0 * paired.share(paired.n_same);
    if paired.is_unrelated() {
        return refused(format!(
            "the result answers as the original does on {agreement:.2} % of {} images, no better than chance. \
             Ask for a larger file",
            paired.n
        ));
    }
    let allowed = match target {
        Target::Drop(drop) => (2.0 * drop).max(DISAGREEMENT),
        _ => return Ok(()),
    };
    if paired.share(paired.n_same) < 1.0 - allowed {
        return refused(format!(
            "the result answers as the original does on only {agreement:.2} % of {} images, {:.2} % are needed. \
             Perhaps the labels do not line up with the network's outputs, or the images need --prep",
            paired.n,
            100.0 * (1.0 - allowed)
        ));
    }
    Ok(())
}

/// What must be said of a result that no images have judged; `None` where nothing speaks against it.
pub fn doubts(outcome: &Outcome, target: Target) -> Option<String> {
    let blind = outcome.blind.as_ref().filter(|_| outcome.noise > 0.0)?;
    let aimed = if let Target::Noise(noise) = target { AIMED * noise } else { DOUBTFUL };
    let why = match blind.difference {
        Some(difference) if difference > aimed => format!(
            "on synthetic inputs its answers differ from the original's by {:.1} % of their energy, where {:.1} % were aimed at",
            100.0 * difference,
            100.0 * aimed
        ),
        Some(_) if blind.characters.is_some_and(|found| found.n < FEW) => {
            "if it reads text, there is hardly any in the synthetic inputs, so that nothing tells how many characters become others"
                .into()
        }
        Some(_) if misread(blind) > MISREAD => format!(
            "if it reads text, {:.1} % of the characters that it sees in synthetic inputs become others",
            100.0 * misread(blind)
        ),
        None => "its answers to synthetic inputs do not depend on them, or are not numbers".into(),
        Some(_) if !blind.unknown.is_empty() => format!(
            "what kind of numbers {} takes cannot be told from the network, so that the synthetic ones may be unlike real ones",
            blind.unknown.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
        ),
        Some(_) => return None,
    };
    Some(format!(
        "WARNING: this network may be worse than it seems: {why}. Give --data, or compare it with `kompakt eval --against`"
    ))
}

/// The share of characters in synthetic inputs that become others.
fn misread(blind: &Blind) -> f64 {
    blind.characters.map_or(0.0, |found| found.n_changed as f64 / found.n.max(1) as f64)
}

/// Reads a written file back, as any reader would.
///
/// Errors: it cannot be read, which is a bug in this software.
pub fn check_file(packed: &[u8]) -> Result<(), CompressError> {
    Container::parse(packed).and_then(|file| file.verify()).map_err(CompressError::NotReadBack)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recognised::Characters;

    fn outcome(noise: f64, paired: Option<Paired>) -> Outcome {
        Outcome { noise, paired, ..Outcome::default() }
    }

    /// `n_same` of 1000 images, with ten classes.
    fn agreeing(n_same: usize) -> Option<Paired> {
        Some(Paired { n: 1000, n_same, by_chance: 100_000, ..Paired::default() })
    }

    #[test]
    fn a_ruined_network_is_refused() {
        let noise = Target::Noise(3.0);
        assert!(check_after(&outcome(0.9, None), noise).is_ok());
        assert!(
            check_after(&outcome(1.1, None), noise).unwrap_err().to_string().contains("summed error 1.10")
        );
        assert!(check_after(&outcome(1.1, agreeing(400)), noise).is_ok());
        assert!(check_after(&outcome(0.5, agreeing(105)), noise).unwrap_err().to_string().contains("chance"));
        assert!(check_after(&outcome(0.5, agreeing(951)), Target::Drop(0.01)).is_ok());
        assert!(check_after(&outcome(0.5, agreeing(949)), Target::Drop(0.01)).is_err());
        assert!(check_after(&outcome(0.5, agreeing(801)), Target::Drop(0.1)).is_ok());
    }

    /// Without images the answers to synthetic inputs refuse a result, or cast doubt on it.
    #[test]
    fn without_images_synthetic_inputs_judge() {
        let blind = |difference: Option<f64>, unknown: &[&str]| Outcome {
            noise: 0.005,
            blind: Some(Blind {
                unknown: unknown.iter().map(ToString::to_string).collect(),
                difference,
                ..Blind::default()
            }),
            ..Outcome::default()
        };
        let (noise, bytes) = (Target::Noise(0.005), Target::Bytes(1000));
        let error = check_after(&blind(Some(2.9), &[]), noise).unwrap_err().to_string();
        assert!(error.contains("290 %") && error.contains("--data"), "{error}");
        assert!(check_after(&blind(Some(0.26), &[]), noise).is_err());
        assert!(check_after(&blind(Some(0.26), &[]), bytes).is_ok());
        assert!(check_after(&blind(Some(1.1), &[]), bytes).is_err());
        let says = |outcome: &Outcome, target, part: &str| doubts(outcome, target).unwrap().contains(part);
        assert!(says(&blind(Some(0.03), &[]), noise, "3.0 % of their energy, where 2.0 % were aimed at"));
        assert!(says(&blind(Some(0.01), &["x"]), noise, "numbers \"x\" takes cannot be told"));
        assert!(says(&blind(None, &[]), noise, "do not depend on them"));
        assert!(says(&blind(Some(0.2), &[]), bytes, "--data"));
        assert_eq!(doubts(&blind(Some(0.01), &[]), noise), None);
        let mut reader = blind(Some(0.01), &[]);
        let mut reads = |n, n_changed| {
            reader.blind.as_mut().unwrap().characters = Some(Characters { n, n_changed });
            doubts(&reader, noise)
        };
        assert_eq!(reads(200, 3), None);
        assert!(reads(200, 10).unwrap().contains("5.0 % of the characters"));
        assert!(reads(20, 0).unwrap().contains("hardly any"));
        assert_eq!(doubts(&outcome(0.005, agreeing(900)), noise), None);
    }

    #[test]
    fn few_images_cannot_keep_a_promise() {
        let error = enough(66, 0.01).unwrap_err().to_string();
        assert!(error.contains("66 validation images") && error.contains("202 more"), "{error}");
        assert!(enough(268, 0.01).is_ok());
        assert!(enough(1_000_000, 0.0).is_err());
    }
}
