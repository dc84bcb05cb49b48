//! `results/onnx.md`: what becomes of every spelling.

use anyhow::{Context, Result, bail};
use std::{collections::BTreeSet, fmt::Write};

/// A case as the example `spellings` reports it.
struct Line<'l> {
    function: &'l str,
    spelling: &'l str,
    verdict: &'l str,
    detail: &'l str,
}

/// Tests of the package for these operator sets that are not run, and count as refused: of sequences and optional values, of
/// texts and complex numbers, and those where ONNX Runtime answers otherwise.
const LEFT_OUT: [usize; 3] = [23, 22, 2];

/// The onnx package's tests, from what the example `cases` says of them.
fn tests(output: &str) -> Result<String> {
    let last = output.lines().last().context("nothing about the package's tests")?;
    let numbers: Vec<usize> = last.split([' ', ':', ',']).filter_map(|word| word.parse().ok()).collect();
    let [all, right, ..] = numbers[..] else { bail!("not a count of cases: {last:?}") };
    let n_left_out: usize = LEFT_OUT.iter().sum();
    let percent = 100.0 * right as f64 / (all + n_left_out) as f64;
    let [of_sequences, of_texts, others] = LEFT_OUT.map(|n| n.to_string());
    let head = include_str!("tests.md")
        .replace("{left out}", &n_left_out.to_string())
        .replace("{of sequences}", &of_sequences)
        .replace("{of texts}", &of_texts)
        .replace("{others}", &others);
    let mut text = format!(
        "{head}{last}. With those left out, {percent:.1} % of {} are right.\n\n| refused at | tests | the first reason |\n|---|---|---|\n",
        all + n_left_out
    );
    for line in output.lines() {
        if let ["reason", operator, n, reason] = line.split('\t').collect::<Vec<_>>()[..] {
            writeln!(text, "| {operator} | {n} | {} |", reason.replace('|', "/"))?;
        }
    }
    Ok(text)
}

/// Makes the page of the outputs of the examples `spellings` and `cases`. Errors: lines of another form.
pub(super) fn page(output: &str, cases: &str) -> Result<String> {
    let mut lines = Vec::new();
    for line in output.lines() {
        let mut fields = line.split('\t');
        let (Some(name), Some(verdict), Some(detail)) = (fields.next(), fields.next(), fields.next()) else {
            bail!("not a line of the example: {line:?}");
        };
        let (function, rest) = name.split_once("--").context("a case without a function")?;
        let (spelling, _) = rest.rsplit_once('-').context("a case without a number")?;
        lines.push(Line { function, spelling, verdict, detail });
    }
    let mut rows = String::new();
    let (mut seen, mut counts) = (BTreeSet::new(), [0usize; 3]);
    for line in &lines {
        if !seen.insert((line.function, line.spelling)) {
            continue;
        }
        let same: Vec<&Line<'_>> =
            lines.iter().filter(|l| (l.function, l.spelling) == (line.function, line.spelling)).collect();
        let (verdict, detail) = match same.iter().find(|l| l.verdict != "right") {
            Some(other) => {
                (other.verdict, other.detail.rsplit_once("): ").map_or(other.detail, |d| d.1).to_string())
            }
            None => {
                let difference = |l: &&Line<'_>| l.detail.parse::<f64>().unwrap_or(f64::INFINITY);
                ("right", format!("{:.0e}", same.iter().map(difference).fold(0.0, f64::max)))
            }
        };
        counts[["right", "refused", "wrong"].iter().position(|v| *v == verdict).unwrap_or(2)] += 1;
        writeln!(rows, "| {} | {} | {verdict} | {detail} |", line.function, line.spelling)?;
    }
    let functions: BTreeSet<&str> = lines.iter().map(|l| l.function).collect();
    let [right, refused, wrong] = counts;
    let summary = format!(
        "{} spellings of {} functions: {right} right, {refused} refused by name, {wrong} wrong.\n",
        right + refused + wrong,
        functions.len()
    );
    let head = include_str!("head.md");
    let (networks, tests) = (include_str!("networks.md"), tests(cases)?);
    Ok(format!(
        "{head}\n{summary}\n| function | spelling | | difference, or reason |\n|---|---|---|---|\n{rows}\n{tests}\n{networks}"
    ))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_spelling_is_right_if_all_its_cases_are() {
        let output = "GELU--by Erf-0\tright\t1.0e-7\nGELU--by Erf-1\tright\t3.0e-6\n\
                      Log--Log-0\trefused\t1 of the nodes: node \"l\" (Log): not here\nLog--Log-1\tright\t0.0e0\n";
        let page =
            super::page(output, "reason\tDet\t2\tnot known\n3 cases: 1 right, 2 refused, 0 wrong").unwrap();
        assert!(page.contains("2 spellings of 2 functions: 1 right, 1 refused by name, 0 wrong."), "{page}");
        assert!(
            page.contains("| GELU | by Erf | right | 3e-6 |")
                && page.contains("| Log | Log | refused | not here |")
        );
        assert!(page.contains("| Det | 2 | not known |"), "{page}");
        assert!(super::page("nonsense", "").is_err());
    }
}
