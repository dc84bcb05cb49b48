//! The virtual environments that the other engines live in.

use super::hidden;
use anyhow::{Context, Result, bail};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The rivals, one process per engine.
const PROGRAM: &str = include_str!("rivals.py");
/// A module of theirs.
const LITERT: &str = include_str!("litert.py");

/// Packages and versions; a newer version is a change of the results.
const MAIN: [&str; 6] = [
    "numpy==2.4.6",
    "onnx==1.23.2",
    "onnxruntime==1.32.0",
    "openvino==2026.4.1",
    "ai-edge-litert==2.3.0",
    "tract==0.23.9",
];
/// It needs older packages than the others.
const DEEPSPARSE: [&str; 2] = ["deepsparse==1.8.0", "protobuf<5"];

/// Interpreters that have the engines.
pub(crate) struct Python {
    main: PathBuf,
    /// `None` where it cannot be installed.
    deepsparse: Option<PathBuf>,
    pub(crate) program: PathBuf,
    /// Engines that are not there, and why.
    pub(crate) missing: Vec<(String, String)>,
}

impl Python {
    /// The program about to do something with an engine (`serve`, `once`), if that is there.
    pub(crate) fn about_to(&self, verb: &str, engine: &str) -> Option<Command> {
        if engine != "deepsparse" {
            let mut command = Command::new(&self.main);
            command.arg(&self.program).args([verb, engine]);
            return Some(command);
        }
        let mut command = Command::new(self.deepsparse.as_deref()?);
        command.arg(&self.program).args([verb, engine]);
        if hidden::is_so() {
            // It catches the faults by which instruction sets are hidden, and ends; but it can be told.
            command.env_remove("LD_PRELOAD").env("NM_ARCH", "avx2");
        }
        Some(command)
    }

    /// A call of the program with the main interpreter, to its end.
    pub(crate) fn call(&self, arguments: &[&str]) -> Result<()> {
        let status = Command::new(&self.main).arg(&self.program).args(arguments).status()?;
        if !status.success() {
            bail!("rivals.py {} failed", arguments.join(" "));
        }
        Ok(())
    }
}

/// The engines that are measured, ours aside.
pub(crate) const ENGINES: [&str; 8] = [
    "onnxruntime",
    "onnxruntime-int8",
    "openvino",
    "openvino-int8",
    "litert",
    "litert-int8",
    "tract",
    "deepsparse",
];

/// Versions as they are reported.
pub(crate) fn versions() -> String {
    let all = MAIN.iter().skip(1).chain(&DEEPSPARSE[..1]).map(|p| p.replace("==", " "));
    all.collect::<Vec<_>>().join(", ")
}

/// Makes what is not there yet.
pub(crate) fn set_up(folder: &Path) -> Result<Python> {
    let program = folder.join("rivals.py");
    std::fs::write(&program, PROGRAM)?;
    std::fs::write(folder.join("litert.py"), LITERT)?;
    let main = environment(folder, "venv", &MAIN)?;
    let mut missing = Vec::new();
    let deepsparse = match environment(folder, "venv-deepsparse", &DEEPSPARSE) {
        Ok(python) => Some(python),
        Err(error) => {
            missing.push(("DeepSparse".to_string(), format!("{error:#}")));
            None
        }
    };
    Ok(Python { main, deepsparse, program, missing })
}

fn environment(folder: &Path, name: &str, packages: &[&str]) -> Result<PathBuf> {
    let (venv, stamp) = (folder.join(name), folder.join(format!("{name}.packages")));
    let python = venv.join("bin/python");
    let wanted = packages.join(" ");
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    crate::say(&format!("{name}: {wanted}"));
    let run = |program: &Path, arguments: &[&str]| -> Result<()> {
        let output = Command::new(program)
            .args(arguments)
            .output()
            .with_context(|| format!("starting {}", program.display()))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            bail!("pip: {}", text.lines().last().unwrap_or("failed"));
        }
        Ok(())
    };
    run(Path::new("python3"), &["-m", "venv", &venv.to_string_lossy()])?;
    let mut install = vec!["-m", "pip", "install", "--quiet"];
    install.extend(packages);
    run(&python, &install)?;
    std::fs::write(&stamp, wanted)?;
    Ok(python)
}
