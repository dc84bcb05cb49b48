//! Which results of stages are there already.
//!
//! A note beside a result records the command that made it and its cost. A result is taken as it is if its note is of
//! the same command, and either it was made since this program began or the run is one that is taken up again.

use super::process::{Cost, Stage};
use anyhow::{Context, Result};
use std::{
    cell::RefCell,
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// What was made, and what may be used again.
pub(super) struct Ledger {
    resume: bool,
    made: RefCell<BTreeSet<PathBuf>>,
}

impl Ledger {
    /// `resume`: results of earlier runs count too.
    pub(super) fn new(resume: bool) -> Self {
        Self { resume, made: RefCell::default() }
    }

    /// Runs a stage that writes `result`, unless that is there already.
    pub(super) fn run_or_reuse(&self, stage: &Stage, result: &Path) -> Result<Cost> {
        let command = stage.command_line();
        let note = result.with_extension("done");
        let may_reuse = (self.resume || self.made.borrow().contains(result)) && result.exists();
        let noted = may_reuse.then(|| std::fs::read_to_string(&note).ok()).flatten();
        if let Some(cost) = noted.and_then(|text| read_note(&text, &command)) {
            crate::say(&format!("{command} (done before)"));
            return Ok(cost);
        }
        crate::say(&command);
        let cost = stage.run()?;
        std::fs::write(&note, format!("{command}\n{} {}\n", cost.wall_s, cost.peak_rss_bytes))
            .with_context(|| format!("cannot write {}", note.display()))?;
        self.made.borrow_mut().insert(result.to_path_buf());
        Ok(cost)
    }
}

/// The cost in a note, if it is of this command.
fn read_note(text: &str, command: &str) -> Option<Cost> {
    let (first, second) = text.trim_end().split_once('\n')?;
    let (wall_s, peak_rss_bytes) = second.split_once(' ')?;
    (first == command)
        .then_some(Cost { wall_s: wall_s.parse().ok()?, peak_rss_bytes: peak_rss_bytes.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_of_another_command_is_not_used() {
        let note = "train --seed 1\n12.5 4096\n";
        assert!(read_note(note, "train --seed 2").is_none());
        assert_eq!(read_note(note, "train --seed 1").unwrap().peak_rss_bytes, 4096);
    }
}
