//! `docs/performance.md`, from the figures alone.

use std::fmt::Write as _;

use crate::figures::{Figures, sections};
use crate::plot::plot;
use crate::record::Row;

/// The document and its plot.
pub fn write(figures: &Figures) -> (String, String) {
    let mut text =
        "# Performance\n\n<!-- Written by `bash peers/measure` from performance.json: do not edit. -->\n\n"
            .to_owned();
    text += &filled(&format!(
        "A ratio is what the library needs, divided by what its peer needs, measured in one run: less is better, 1.00 is the \
         same. Over the network each round runs both alternately, and the ratio is the median of the rounds' ratios. The library's own counts come out the same in each run; times vary, and so do the \
         handshakes of a default pool. The figures behind them are in [performance.json](performance.json), measured on {} cores with {}.",
        figures.cores, figures.rustc
    ));
    text += &filled(
        "`bash peers/measure` measures everything anew and writes this page; each command below measures its part, \
         and fails if a count misses its target; with `-- --strict` behind it, if a time does.",
    );
    text += "![The ratios, as bars from the line of 1.00](performance.svg)\n";
    for (part, (_, heading, reading)) in sections(figures) {
        let _ = write!(text, "\n## {heading}\n\n{}", filled(reading));
        text += "| what | of | beside | ratio | target | command |\n|---|---|---|---|---|---|\n";
        part.rows.iter().for_each(|row| text += &line(row));
    }
    (text, plot(figures))
}

fn line(row: &Row) -> String {
    let target = match (row.target, row.is_met()) {
        (Some(target), Some(false)) => format!("{target}: missed"),
        (Some(target), _) => target.to_string(),
        (None, _) => String::new(),
    };
    let Row { what, peer, command, .. } = row;
    let (kind, ratio) = (row.kind(), row.ratio_text());
    format!("| {what} | {kind} | {peer} | {ratio} | {target} | `{command}` |\n")
}

/// A paragraph, in lines of the width that the other documents have.
fn filled(paragraph: &str) -> String {
    const WIDTH: usize = 124;
    let mut lines = vec![String::new()];
    // What is between backquotes stays on one line: it is a command, and may be searched for.
    let words = paragraph.split('`').enumerate().flat_map(|(at, piece)| {
        if at % 2 == 1 {
            vec![format!("`{piece}`")]
        } else {
            piece.split_inclusive(' ').map(str::to_owned).collect()
        }
    });
    for word in words {
        let last = lines.last().map_or(0, |line| line.chars().count());
        let begins_a_word = lines.last().is_none_or(|line| line.ends_with(' '));
        if begins_a_word && last + word.trim_end().chars().count() > WIDTH {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(&word);
        }
    }
    let lines: Vec<_> = lines.iter().map(|line| line.trim_end()).collect();
    lines.join("\n") + "\n\n"
}
