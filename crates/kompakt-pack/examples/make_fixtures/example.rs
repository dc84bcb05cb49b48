//! The worked example of `spec/format.md`, byte by byte.

use kompakt_format::{Container, Decoded, Numbers};
use std::fmt::Write;

const BEGIN: &str = "<!-- worked example -->\n";
const END: &str = "<!-- end of worked example -->";

/// The text with the example of this file between its markers; `None` if the markers are missing.
pub(crate) fn with_example(text: &str, file: &[u8]) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{}\n{END}{after}", example(file)))
}

/// Every byte with its meaning, and what the pool decodes to.
fn example(file: &[u8]) -> String {
    let container = Container::parse(file).expect("a good file");
    let pool = container.sections()[0].length;
    let lines: [(usize, String); 18] = [
        (8, "magic".into()),
        (1, "version 1".into()),
        (1, format!("length of the file: {}", file.len())),
        (1, format!("length of the directory: {}", container.directory_span().len())),
        (4, "CRC-32 of the eleven bytes before it and the directory".into()),
        (1, "directory: a map of 4 keys".into()),
        (10, "key 1, content hash: 8 bytes".into()),
        (3, "key 2, input: shape `[4]`".into()),
        (2, "key 3, nodes: an array of 3".into()),
        (3, "`[0, 3]`: linear, 3 units".into()),
        (1, "`7`: relu".into()),
        (4, "`[0, 2, false]`: linear, 2 units, no bias".into()),
        (2, "key 6, descriptors: an array of 3".into()),
        (1, "22: fc1.weight is scaled (2), masked (4), with a codebook of 2 (16)".into()),
        (1, "2: fc1.bias is scaled, dense".into()),
        (1, "22: fc2.weight as fc1.weight".into()),
        (pool, "the pool: an adaptive stream".into()),
        (4, "CRC-32 of the pool".into()),
    ];
    let mut text = String::from("| at | bytes | |\n|---|---|---|\n");
    let mut at = 0;
    for (n, meaning) in lines {
        let bytes: Vec<String> = file[at..at + n].iter().map(|b| format!("{b:02X}")).collect();
        let _ = writeln!(text, "| {at} | `{}` | {meaning} |", bytes.join(" "));
        at += n;
    }
    assert_eq!(at, file.len(), "the example has other parts than its description");
    text.push_str("\nThe pool holds, one after the other:\n\n");
    text.push_str("| parameter | scale | integers | mask | codes |\n|---|---|---|---|---|\n");
    for (param, decoded) in container.graph().params().iter().zip(container.decode().expect("a good file")) {
        let _ = writeln!(text, "| {} | {} |", param.name, cells(&decoded));
    }
    text.push_str("\nA dot stands for a pruned weight, rows are parted by strokes.\n");
    text
}

fn cells(decoded: &Decoded) -> String {
    let (numbers, weights) = match decoded {
        Decoded::Shared { codebook, weights } => (codebook, Some(weights)),
        Decoded::Dense { numbers, .. } => (numbers, None),
    };
    let Numbers::Scaled { scale, integers } = numbers else { panic!("the example is scaled") };
    let integers: Vec<String> = integers.iter().map(i32::to_string).collect();
    let (mut mask, mut codes) = (String::new(), String::new());
    if let Some(weights) = weights {
        let view = weights.view();
        for i in 0..view.len() {
            if i > 0 && i % view.row_len() == 0 {
                mask.push_str("/ ");
                codes.push_str("/ ");
            }
            let kept = view.is_kept(i);
            let _ = write!(mask, "{} ", u8::from(kept));
            let code = if kept { view.codes[i].to_string() } else { ".".to_string() };
            let _ = write!(codes, "{code} ");
        }
    }
    let bits = scale.to_bits();
    format!("{scale} (`{bits:08X}`) | {} | {} | {}", integers.join(" "), mask.trim_end(), codes.trim_end())
}
