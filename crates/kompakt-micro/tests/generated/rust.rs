//! Rust programs.

use super::{Command, Path, PathBuf, fs};
use kompakt_micro::Crate;

/// A program that reads the inputs from stdin and writes the outputs to stdout. Overflow panics, and unsafe code is
/// forbidden.
pub(crate) fn program(folder: &Path, source: &Crate, n_inputs: usize, n_outputs: usize) -> PathBuf {
    let port = |kind: &str, n: usize, i: usize| if n == 1 { kind.to_string() } else { format!("{kind}_{i}") };
    let (mut body, mut arguments, mut after) = (String::new(), Vec::new(), String::new());
    for i in 0..n_inputs {
        let name = port("input", n_inputs, i);
        let length = format!("net::{}_LEN", name.to_uppercase());
        body += &format!("    let mut {name} = vec![0.0f32; {length}];\n");
        body += &format!(
            "    for v in &mut {name} {{\n        let mut b = [0; 4];\n        stdin.read_exact(&mut b).unwrap();\n        *v = f32::from_le_bytes(b);\n    }}\n"
        );
        arguments.push(format!("(&{name}[..]).try_into().unwrap()"));
    }
    for i in 0..n_outputs {
        let name = port("output", n_outputs, i);
        body += &format!("    let mut {name} = vec![0.0f32; net::{}_LEN];\n", name.to_uppercase());
        after +=
            &format!("    for v in {name} {{\n        out.write_all(&v.to_le_bytes()).unwrap();\n    }}\n");
        arguments.push(format!("(&mut {name}[..]).try_into().unwrap()"));
    }
    let main = format!(
        "use std::io::{{Read, Write}};\n\nfn main() {{\n    let mut stdin = std::io::BufReader::new(std::io::stdin());\n\
         \x20   let mut out = std::io::BufWriter::new(std::io::stdout());\n    let mut arena = vec![f32::NAN; net::ARENA_LEN];\n\
         {body}    net::run({}, (&mut arena[..]).try_into().unwrap());\n{after}}}\n",
        arguments.join(", ")
    );
    program_files(folder, source);
    fs::write(folder.join("main.rs"), main).unwrap();
    let common = "--edition 2021 -Copt-level=1 -Cdebug-assertions=on -Coverflow-checks=on -Dwarnings";
    for arguments in
        ["--crate-name net --crate-type rlib src/lib.rs", "--extern net=libnet.rlib -o net main.rs"]
    {
        let compiled = Command::new("rustc")
            .current_dir(folder)
            .args(common.split(' ').chain(arguments.split(' ')))
            .output()
            .unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    }
    folder.join("net")
}

/// The crate builds offline, by itself, with Cargo.
#[test]
fn the_crate_builds_with_cargo() {
    let bytes =
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/cortex-m/digits.kompakt"))
            .unwrap();
    let container = kompakt_format::Container::parse(&bytes).unwrap();
    let source = kompakt_micro::rust_crate(&container, "digits", kompakt_micro::Input::Bytes).unwrap();
    let folder = tempfile::tempdir().unwrap();
    program_files(folder.path(), &source);
    let built = Command::new(env!("CARGO"))
        .current_dir(folder.path())
        .args(["build", "--release", "--offline", "--quiet"])
        .env("CARGO_TARGET_DIR", folder.path().join("target"))
        .env("RUSTFLAGS", "-Dwarnings")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    assert!(source.code.contains("pub const ARENA_LEN: usize = "), "{}", source.code);
}

fn program_files(folder: &Path, source: &Crate) {
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("Cargo.toml"), &source.manifest).unwrap();
    fs::write(folder.join("src/lib.rs"), &source.code).unwrap();
}
