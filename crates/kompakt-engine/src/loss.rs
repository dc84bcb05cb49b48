//! Training objectives: functions of the network's outputs.
//!
//! A loss sees a part of a batch at a time, and returns its value and its gradient by the outputs; the rest
//! of the backward pass is the engine's work. Terms that depend on the weights themselves belong in
//! [`Hooks::penalty`](crate::Hooks::penalty).

/// Examples that went through the network together: a batch, or a part of one.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// The inputs as the network saw them (augmented), one after the other.
    pub inputs: &'a [f32],
    /// Their classes.
    pub labels: &'a [usize],
    /// Their indices in the data set.
    pub examples: &'a [usize],
    /// What was mixed into each: a class, and the part of the target that is left to the label. Empty: nothing was.
    pub mixtures: &'a [(usize, f32)],
}

/// A loss by the outputs of a network.
pub trait Loss: Sync {
    /// Returns the sum of the losses of the examples, and writes its gradient by `outputs`.
    ///
    /// Shapes: `outputs` and `gradient` `[n, classes]`, row-major.
    fn evaluate(&self, batch: &Batch<'_>, outputs: &[f32], gradient: &mut [f32]) -> f64;
}

/// Softmax cross-entropy, in nats.
#[derive(Debug, Clone, Copy, Default)]
pub struct CrossEntropy {
    /// Share of the target that is spread over all classes, 0 to 1. Source: Szegedy 2016.
    pub label_smoothing: f32,
}

impl Loss for CrossEntropy {
    fn evaluate(&self, batch: &Batch<'_>, outputs: &[f32], gradient: &mut [f32]) -> f64 {
        let classes = outputs.len() / batch.labels.len();
        let spread = self.label_smoothing / classes as f32;
        let rows = outputs.chunks_exact(classes).zip(gradient.chunks_exact_mut(classes));
        let mut sum = 0.0;
        for (i, ((outputs, gradient), &label)) in rows.zip(batch.labels).enumerate() {
            let (other, own) = batch.mixtures.get(i).copied().unwrap_or((label, 1.0));
            sum += soft_cross_entropy(outputs, gradient, |class| {
                let of_label = if class == label { own } else { 0.0 };
                let of_other = if class == other { 1.0 - own } else { 0.0 };
                spread + (1.0 - self.label_smoothing) * (of_label + of_other)
            });
        }
        sum
    }
}

/// Cross-entropy against a target distribution (that sums to 1) over one example's classes.
///
/// Writes the gradient by `outputs` (softmax minus target) and returns the loss.
pub fn soft_cross_entropy(outputs: &[f32], gradient: &mut [f32], target: impl Fn(usize) -> f32) -> f64 {
    let max = outputs.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
    let mut total = 0.0;
    for (g, &z) in gradient.iter_mut().zip(outputs) {
        *g = (z - max).exp();
        total += *g;
    }
    let log_total = total.ln() + max;
    let mut loss = 0.0f64;
    for (class, (g, &z)) in gradient.iter_mut().zip(outputs).enumerate() {
        let target = target(class);
        loss += f64::from(target * (log_total - z));
        *g = *g / total - target;
    }
    loss
}

/// Cross-entropy against the labels, mixed with that against a teacher's outputs. Source: Hinton 2015.
///
/// `loss = (1 - share) * CE(label) + share * T^2 * CE(softmax(teacher / T), softmax(outputs / T))`
pub struct Distillation<'a> {
    /// The part for the labels.
    pub labels: CrossEntropy,
    /// The teacher: maps a batch to outputs `[n, classes]`.
    pub teacher: &'a (dyn Fn(&Batch<'_>) -> Vec<f32> + Sync),
    /// `T`, above 0.
    pub temperature: f32,
    /// Weight of the teacher's term, 0 to 1.
    pub share: f32,
}

impl Loss for Distillation<'_> {
    fn evaluate(&self, batch: &Batch<'_>, outputs: &[f32], gradient: &mut [f32]) -> f64 {
        let classes = outputs.len() / batch.labels.len();
        let by_labels = self.labels.evaluate(batch, outputs, gradient) * f64::from(1.0 - self.share);
        gradient.iter_mut().for_each(|g| *g *= 1.0 - self.share);
        let t = self.temperature;
        let mut teacher = (self.teacher)(batch);
        let mut soft = vec![0.0; classes];
        let mut sum = 0.0;
        let rows = outputs.chunks_exact(classes).zip(gradient.chunks_exact_mut(classes));
        for ((outputs, gradient), teacher) in rows.zip(teacher.chunks_exact_mut(classes)) {
            softmax(teacher, t);
            let scaled: Vec<f32> = outputs.iter().map(|z| z / t).collect();
            sum += soft_cross_entropy(&scaled, &mut soft, |class| teacher[class]);
            // d/dz of T^2 CE(z / T) is T times the gradient by z / T.
            gradient.iter_mut().zip(&soft).for_each(|(g, s)| *g += self.share * t * s);
        }
        by_labels + f64::from(self.share * t * t) * sum
    }
}

/// Turns outputs into probabilities in place, at a temperature.
pub fn softmax(outputs: &mut [f32], temperature: f32) {
    let max = outputs.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
    outputs.iter_mut().for_each(|z| *z = ((*z - max) / temperature).exp());
    let total: f32 = outputs.iter().sum();
    outputs.iter_mut().for_each(|z| *z /= total);
}

/// How many examples of `outputs` `[n, classes]` have their largest output elsewhere than at their label. Ties
/// and NaN count as errors.
pub(crate) fn count_errors(labels: &[usize], outputs: &[f32]) -> usize {
    if labels.is_empty() {
        return 0;
    }
    let classes = outputs.len() / labels.len();
    let wrong = |(row, &label): (&[f32], &usize)| {
        let best = row[label];
        row.iter().enumerate().any(|(class, &z)| class != label && (z >= best || z.is_nan())) || best.is_nan()
    };
    outputs.chunks_exact(classes).zip(labels).filter(|&(row, label)| wrong((row, label))).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_gradient(loss: &dyn Loss, labels: &[usize], outputs: &[f32]) {
        let mixtures = [(1, 0.7), (1, 0.6)];
        check_mixed(loss, labels, outputs, &mixtures);
        check_mixed(loss, labels, outputs, &[]);
    }

    fn check_mixed(loss: &dyn Loss, labels: &[usize], outputs: &[f32], mixtures: &[(usize, f32)]) {
        let batch = Batch { inputs: &[], labels, examples: &[], mixtures };
        let mut gradient = vec![0.0; outputs.len()];
        loss.evaluate(&batch, outputs, &mut gradient);
        let mut scratch = gradient.clone();
        for i in 0..outputs.len() {
            let mut at = |step: f32| {
                let mut moved = outputs.to_vec();
                moved[i] += step;
                loss.evaluate(&batch, &moved, &mut scratch)
            };
            let measured = (at(1e-2) - at(-1e-2)) / 2e-2;
            assert!((measured - f64::from(gradient[i])).abs() < 1e-3, "{i}: {measured} {}", gradient[i]);
        }
    }

    #[test]
    fn gradients_agree_with_differences() {
        let outputs = [0.3, -1.0, 2.0, 0.1, 0.2, -0.4];
        check_gradient(&CrossEntropy::default(), &[2, 0], &outputs);
        check_gradient(&CrossEntropy { label_smoothing: 0.2 }, &[2, 0], &outputs);
        let distillation = Distillation {
            labels: CrossEntropy::default(),
            teacher: &|_| vec![1.0, 0.0, -1.0, 0.0, 0.5, 2.0],
            temperature: 3.0,
            share: 0.7,
        };
        check_gradient(&distillation, &[2, 0], &outputs);
    }

    #[test]
    fn cross_entropy_of_equal_outputs_is_log_classes() {
        let mut gradient = [0.0; 4];
        let batch = Batch { inputs: &[], labels: &[1], examples: &[], mixtures: &[] };
        let loss = CrossEntropy::default().evaluate(&batch, &[5.0; 4], &mut gradient);
        assert!((loss - 4f64.ln()).abs() < 1e-6);
    }

    #[test]
    fn ties_and_nan_are_errors() {
        assert_eq!(count_errors(&[0, 0, 0], &[2.0, 1.0, 1.0, 1.0, f32::NAN, 0.0]), 2);
    }
}
