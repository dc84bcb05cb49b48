//! The table at the end: what each row took.

use super::{Outcome, calls::Calls};
use std::fmt;

/// Rows that have ended.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Name, seconds, CPU seconds, outcome.
    rows: Vec<(&'static str, f64, f64, Outcome)>,
}

impl Ledger {
    pub(crate) fn add(&mut self, name: &'static str, calls: Calls, outcome: Outcome) {
        let (wall, cpu) = calls.seconds();
        self.rows.push((name, wall, cpu, outcome));
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:12}{:>9}{:>13}", "row", "seconds", "CPU seconds")?;
        for (name, wall, cpu, outcome) in &self.rows {
            match outcome {
                Outcome::Held => writeln!(f, "{name:12}{wall:9.1}{cpu:13.1}")?,
                Outcome::NotTested(why) => writeln!(f, "{name:12}not tested here: {why}")?,
            }
        }
        let sum = |pick: fn(&(&str, f64, f64, Outcome)) -> f64| self.rows.iter().map(pick).sum::<f64>();
        writeln!(f, "{:12}{:9.1}{:13.1}", "all", sum(|row| row.1), sum(|row| row.2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_was_not_tested_says_why() {
        let mut ledger = Ledger::default();
        ledger.add("format", Calls::default(), Outcome::Held);
        ledger.add("wasm", Calls::default(), Outcome::NotTested("no compiler".into()));
        let text = ledger.to_string();
        assert!(text.contains("\nwasm        not tested here: no compiler\n"), "{text}");
        assert_eq!(text.lines().count(), 4);
    }
}
