//! Compression followed by training: the guarantees hold for the trained network.

use crate::{compress::Work, network::failed, training::FineTuning};
use anyhow::Result;
use kompakt_compress::{Compressed, Options, Target, answers, output_shape, packed};

/// How often a size is retried with a little less, because training has made the file a little larger.
const AGAIN: usize = 3;
/// The ratio of one tried size to the one before, while accuracy allows.
const SMALLER: f64 = 0.8;
/// How many smaller sizes are tried.
const TRIALS: usize = 6;

/// A network on its way to a target.
pub(crate) struct Tuning<'t> {
    pub(crate) work: &'t mut Work,
    pub(crate) fine_tuning: &'t FineTuning,
    pub(crate) options: &'t Options,
}

impl Tuning<'_> {
    /// Compresses and trains until the target is met, or as close as it gets.
    pub(crate) fn run(mut self) -> Result<Compressed> {
        match self.options.target {
            Target::Bytes(bytes) => self.within(bytes),
            Target::Drop(_) | Target::Reach(_) => self.keeping(),
            Target::Noise(_) => {
                let made = self.work.compress(self.options)?;
                self.tuned(made)
            }
        }
    }

    /// The best network of at most this many bytes: where the record of training takes bytes that the answers miss more than
    /// training gains, or does not fit at all, that is one without.
    fn within(&mut self, bytes: u64) -> Result<Compressed> {
        let untrained = self.work.compress(self.options)?;
        if !untrained.outcome.met {
            let mut tuned = self.tuned(untrained)?;
            tuned.outcome.met = tuned.outcome.bytes <= bytes;
            return Ok(tuned);
        }
        let (mut aim, mut made) = (bytes, untrained.clone());
        for trial in 1..=AGAIN {
            // Training is worth its time only if its history record fits too.
            let will_be = packed(&self.fine_tuning.with_record(&made.model), self.options.tier)
                .map_err(failed)?
                .len() as u64;
            let mut over = will_be.saturating_sub(bytes);
            if over == 0 {
                let mut tuned = self.tuned(made)?;
                over = tuned.outcome.bytes.saturating_sub(bytes);
                if over == 0 {
                    tuned.outcome.met = true;
                    return Ok(if self.is_worse(&tuned, &untrained) { untrained } else { tuned });
                }
            }
            if trial == AGAIN {
                break;
            }
            aim = aim.saturating_sub(over + over / 8 + 16);
            made = self.work.compress(&Options { target: Target::Bytes(aim), ..self.options.clone() })?;
        }
        self.fine_tuning.say(&format!(
            "a trained network and its record do not fit in {bytes} bytes: the network stays as it was"
        ));
        Ok(untrained)
    }

    /// The smallest network that is good enough on the validation images: from one that needs no training to smaller and
    /// smaller ones.
    fn keeping(&mut self) -> Result<Compressed> {
        let made = self.work.compress(self.options)?;
        let met = made.outcome.met;
        let mut best = self.tuned(made)?;
        best.outcome.met = met || self.is_good(&best);
        let (mut good, mut bad) = (best.outcome.bytes, None);
        for _ in 0..TRIALS {
            if !best.outcome.met {
                break;
            }
            let bytes = match bad {
                None => (good as f64 * SMALLER) as u64,
                Some(bad) if (good as f64) < 1.06 * bad as f64 => break,
                Some(bad) => u64::midpoint(good, bad),
            };
            let target = Options { target: Target::Bytes(bytes), most_bytes: None, ..self.options.clone() };
            let made = self.work.compress(&target)?;
            let was_met = made.outcome.met;
            let mut tuned = self.tuned(made)?;
            if was_met && self.is_good(&tuned) && tuned.outcome.bytes < good {
                tuned.outcome.met = true;
                good = tuned.outcome.bytes;
                best = tuned;
            } else {
                bad = Some(bytes);
            }
        }
        if let Some(most) = self.options.most_bytes {
            best.outcome.met &= best.outcome.bytes <= most;
        }
        Ok(best)
    }

    fn is_good(&self, tuned: &Compressed) -> bool {
        self.options.excess(&tuned.outcome) <= 0.0
    }

    /// Trains, and measures anew. A network that training made worse on the validation images is kept
    /// untrained.
    fn tuned(&self, untrained: Compressed) -> Result<Compressed> {
        let mut made = untrained.clone();
        made.model = self.fine_tuning.tune(&made.model)?;
        made.packed = packed(&made.model, self.options.tier).map_err(failed)?;
        made.outcome.bytes = made.packed.len() as u64;
        if let Some((_, validation)) = &self.work.images {
            let theirs = answers(&self.work.model, validation).map_err(failed)?;
            let own = answers(&made.model, validation).map_err(failed)?;
            let shape = output_shape(&made.model).to_vec();
            made.outcome.compare(&theirs, &own, validation, self.options.metric, &shape);
        }
        Ok(if self.is_worse(&made, &untrained) { untrained } else { made })
    }

    /// Whether the answers of a trained network are worse on the validation images; if so, it is said.
    fn is_worse(&self, trained: &Compressed, untrained: &Compressed) -> bool {
        let (before, after) = (&untrained.outcome, &trained.outcome);
        let change = match (before.figure, after.figure, &before.paired, &after.paired) {
            (Some(before), Some(after), ..)
                if if self.options.metric.is_error() { after > before } else { after < before } =>
            {
                format!("{} from {before:.6} to {after:.6}", self.options.metric)
            }
            (_, _, Some(before), Some(after)) if after.n_after < before.n_after => {
                let percent = [before, after].map(|paired| 100.0 * paired.share(paired.n_after));
                format!("the accuracy from {:.2} to {:.2} %", percent[0], percent[1])
            }
            _ => return false,
        };
        self.fine_tuning
            .say(&format!("training took {change}: the network stays as it was; more epochs may help"));
        true
    }
}
