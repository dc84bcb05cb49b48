//! A compiler for another machine, and Cargo set up to use it.
//!
//! Two places are looked at: the folder into which `.ci/cross` unpacks Debian's compiler (`KOMPAKT_CROSS`, else
//! `target/cross`), and this machine's own compiler with a target that was added to it (`rustup target add`).

use super::root;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// See the [module page](self).
pub(crate) struct Cross {
    /// The target's triple.
    target: &'static str,
    /// What `.ci/cross` unpacked, where the compiler is that one.
    unpacked: Option<PathBuf>,
    /// What the target's programs need of the compiler.
    flags: Vec<String>,
}

impl Cross {
    /// A compiler with the target's standard library, or what is missing.
    pub(crate) fn find(target: &'static str) -> Result<Self, String> {
        let unpacked = cross_folder().join("current");
        let has_library = |library: &Path| {
            let files = std::fs::read_dir(library).into_iter().flatten().flatten();
            files.into_iter().any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
        };
        if has_library(&unpacked.join("root/usr/lib/rustlib").join(target).join("lib")) {
            return Ok(Self { target, unpacked: Some(unpacked), flags: Vec::new() });
        }
        if rustc(&["--print", "target-libdir", "--target", target])
            .is_some_and(|path| has_library(Path::new(&path)))
        {
            return Ok(Self { target, unpacked: None, flags: Vec::new() });
        }
        Err(format!(
            "no standard library for {target}: .ci/run unpacks one on Debian, or `rustup target add {target}`"
        ))
    }

    /// A compiler with the target's standard library, or with its source, for builds that compile it themselves; or what is
    /// missing.
    pub(crate) fn find_or_source(target: &'static str) -> Result<Self, String> {
        Self::find(target).or_else(|missing| {
            let unpacked = cross_folder().join("current");
            let cross = Self { target, unpacked: unpacked.exists().then_some(unpacked), flags: Vec::new() };
            if cross.has_std_source() { Ok(cross) } else { Err(missing) }
        })
    }

    /// Compiles with this flag too.
    pub(crate) fn flag(mut self, flag: impl Into<String>) -> Self {
        self.flags.push(flag.into());
        self
    }

    /// A file that `.ci/cross` unpacked or made.
    pub(super) fn unpacked(&self, path: &str) -> Option<PathBuf> {
        self.unpacked.as_ref().map(|folder| folder.join(path))
    }

    /// Whether the compiler comes with the source of the standard library.
    pub(crate) fn has_std_source(&self) -> bool {
        let within = "lib/rustlib/src/rust/library/core/Cargo.toml";
        match &self.unpacked {
            Some(folder) => folder.join("root/usr").join(within).exists(),
            None => rustc(&["--print", "sysroot"]).is_some_and(|root| Path::new(&root).join(within).exists()),
        }
    }

    /// A tool that `.ci/cross` unpacked, else that of the same name on the path.
    pub(crate) fn tool(&self, name: &str) -> PathBuf {
        self.unpacked(&format!("bin/{name}")).unwrap_or_else(|| name.into())
    }

    /// Cargo's name for the target in the environment, with that ending.
    pub(crate) fn variable(&self, ending: &str) -> String {
        format!("CARGO_TARGET_{}_{ending}", self.target.to_uppercase().replace('-', "_"))
    }

    /// Cargo for this target in the release profile.
    pub(super) fn cargo(&self, subcommand: &str) -> Command {
        self.cargo_with(subcommand, "release")
    }

    /// Cargo for this target, in a folder of its own: another compiler's results would replace those of this machine's.
    pub(crate) fn cargo_with(&self, subcommand: &str, profile: &str) -> Command {
        let mut cargo = crate::cargo::cargo();
        cargo.args([subcommand, "--profile", profile, "--target", self.target]);
        cargo.env("CARGO_TARGET_DIR", target_folder());
        cargo.env(self.variable("RUSTFLAGS"), self.flags.join(" "));
        if self.unpacked.is_some() {
            cargo.env("RUSTC", self.tool("rustc")).env("RUSTDOC", self.tool("rustdoc"));
        }
        cargo
    }

    /// Where a build in that profile leaves the file.
    pub(crate) fn output(&self, profile: &str, file: &str) -> PathBuf {
        target_folder().join(self.target).join(profile).join(file)
    }
}

/// The folder into which `.ci/run` unpacks compilers and emulators.
pub(crate) fn cross_folder() -> PathBuf {
    std::env::var_os("KOMPAKT_CROSS").map_or_else(|| root().join("target/cross"), PathBuf::from)
}

fn target_folder() -> PathBuf {
    root().join("target/machines")
}

/// The linker for WebAssembly that comes with this machine's compiler.
pub(crate) fn rust_lld() -> Option<PathBuf> {
    let libraries = PathBuf::from(rustc(&["--print", "target-libdir"])?);
    let linker = libraries.parent()?.join("bin/rust-lld");
    linker.exists().then_some(linker)
}

fn rustc(arguments: &[&str]) -> Option<String> {
    let output = Command::new("rustc").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}
