//! Rows that run beside the others, in a process of their own; what they print is shown when they have ended.

use super::root;
use anyhow::{Context, Result, bail};
use std::{
    fs::{self, File},
    process::{Child, Command, Stdio},
};

/// The running process. It is ended when this is dropped, so that a row that fails leaves nothing behind.
pub(super) struct Beside {
    process: Child,
}

impl Beside {
    /// Starts the rows of these names.
    pub(super) fn start<'a>(rows: impl Iterator<Item = &'a str>) -> Result<Self> {
        let path = root().join(LOG);
        fs::create_dir_all(root().join("target")).context("target")?;
        let log = File::create(&path).with_context(|| path.display().to_string())?;
        let mut command = Command::new(std::env::current_exe().context("the path of this program")?);
        command.arg("ci").args(rows).stdin(Stdio::null());
        command.stdout(log.try_clone().context(LOG)?).stderr(log);
        crate::say(&format!("beside, printed at the end ({LOG}): {command:?}"));
        Ok(Self { process: command.spawn().context("cannot start the rows that run beside")? })
    }

    /// Waits for the end, and prints what was printed.
    ///
    /// Errors: a row failed.
    pub(super) fn finish(mut self) -> Result<()> {
        let status = self.process.wait().context("cannot wait for the rows that run beside")?;
        let text = fs::read(root().join(LOG)).context(LOG)?;
        eprintln!("{}", String::from_utf8_lossy(&text));
        if !status.success() {
            bail!("a row that ran beside failed ({status}): see above, or {LOG}");
        }
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Ended already unless a row of this process failed.
        if let Ok(None) = self.process.try_wait() {
            _ = self.process.kill();
            _ = self.process.wait();
        }
    }
}

/// What the rows print, in the workspace's folder.
const LOG: &str = "target/ci-beside.log";
