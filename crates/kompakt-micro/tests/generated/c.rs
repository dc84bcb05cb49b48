//! C programs.

use super::{Command, Path, PathBuf, fs};
use kompakt_micro::Source;

/// A program that reads the inputs from stdin and writes the outputs to stdout. Memory is exactly as long as the header
/// says, and the sanitizers check it.
pub(crate) fn program(folder: &Path, source: &Source, n_inputs: usize, n_outputs: usize) -> PathBuf {
    let port = |kind: &str, n: usize, i: usize| if n == 1 { kind.to_string() } else { format!("{kind}_{i}") };
    let (mut body, mut arguments, mut after) = (String::new(), Vec::new(), String::new());
    for (kind, n) in [("input", n_inputs), ("output", n_outputs)] {
        for i in 0..n {
            let name = port(kind, n, i);
            let length = format!("NET_{}_LEN", name.to_uppercase());
            body += &format!("    float *{name} = malloc({length} * sizeof(float));\n");
            if kind == "input" {
                body += &format!(
                    "    if (fread({name}, sizeof(float), {length}, stdin) != {length}) return 1;\n"
                );
            } else {
                after += &format!("    fwrite({name}, sizeof(float), {length}, stdout);\n");
            }
            after += &format!("    free({name});\n");
            arguments.push(name);
        }
    }
    let main = format!(
        "#include \"net.h\"\n#include <stdio.h>\n#include <stdlib.h>\n\nint main(void) {{\n\
         float *arena = malloc(NET_ARENA_LEN * sizeof(float));\n{body}    net_run({}, arena);\n{after}    free(arena);\n    return 0;\n}}\n",
        arguments.join(", ")
    );
    fs::write(folder.join("net.c"), &source.code).unwrap();
    fs::write(folder.join("net.h"), &source.header).unwrap();
    fs::write(folder.join("main.c"), main).unwrap();
    let program = folder.join("net");
    let compiled = Command::new("cc")
        .current_dir(folder)
        .args("-std=c11 -O1 -Wall -Wextra -Werror -pedantic -Wconversion -Wno-sign-conversion".split(' '))
        .args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-ffp-contract=off"])
        .args(["net.c", "main.c", "-o", "net"])
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    program
}
