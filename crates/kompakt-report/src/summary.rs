//! What a run of the pipeline found: for people as a table, for programs as JSON.

use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// One stage's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    /// `train`, `prune`, `cluster`, `finetune`, `pack`, `run`.
    pub stage: String,
    /// The model as the stage left it, relative to the summary.
    pub file: String,
    /// Weights that are not zero.
    pub n_nonzero: u64,
    /// Bytes of the file that `kompakt-pack` makes of the stage's result; of dense floats before pruning.
    pub n_bytes: u64,
    /// Dense bytes divided by `n_bytes`.
    pub compression_ratio: f64,
    /// Fraction of the samples that are classified wrongly, 0..1.
    pub error: Option<f64>,
    /// Which samples: `validation` or `test`.
    pub error_on: String,
    /// From start to end; 0 if nothing is said about it.
    #[serde(default)]
    pub wall_s: f64,
    /// Largest resident set of the stage's process; 0 if nothing is said about it.
    #[serde(default)]
    pub peak_rss_bytes: u64,
}

/// One complete run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Summary {
    /// The network's name or graph file.
    pub net: String,
    /// The data set.
    pub data: String,
    /// Why another data set than the requested one was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_note: Option<String>,
    /// What is done to the images before the network: a preset or a file.
    #[serde(default = "no_prep")]
    pub prep: String,
    /// The recipe's name.
    pub recipe: String,
    /// The seed of the run.
    pub seed: u64,
    /// Parameters of the network as it entered, times 4.
    pub dense_bytes: u64,
    /// One entry per stage, in order.
    pub rows: Vec<Row>,
}

impl Summary {
    /// The packed file's size and its error on the test set.
    pub fn result(&self) -> Option<(u64, f64)> {
        self.rows.last().and_then(|row| Some((row.n_bytes, row.error?)))
    }

    /// The rows as a table of text.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{:<9} {:>10} {:>10} {:>8} {:>9} {:<11} {:>8} {:>9}\n",
            "stage", "non-zeros", "bytes", "ratio", "error", "on", "seconds", "peak RSS"
        );
        for row in &self.rows {
            let error = row.error.map_or_else(|| "-".to_string(), |e| format!("{:.2} %", e * 100.0));
            let _ = writeln!(
                text,
                "{:<9} {:>10} {:>10} {:>7.1}x {:>9} {:<11} {:>8.1} {:>6.0} MB",
                row.stage,
                thousands(row.n_nonzero),
                thousands(row.n_bytes),
                row.compression_ratio,
                error,
                row.error_on,
                row.wall_s,
                row.peak_rss_bytes as f64 / 1e6
            );
        }
        text
    }
}

fn no_prep() -> String {
    "none".to_string()
}

/// The median; the mean of the two middle values for an even count.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    match n {
        0 => f64::NAN,
        _ if n % 2 == 1 => values[n / 2],
        _ => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

/// `1234567` as `1,234,567`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_066_440), "1,066,440");
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
