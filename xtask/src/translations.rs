//! The documents in Chinese: each names the English text that it translates, by the hash of its prose, and has its code blocks.

use std::collections::BTreeSet;
use std::fs;
use std::io;

use support::root;

use crate::files::{GENERATED, read};
use crate::reference::chinese;

/// A translation: its path, and that of the English page.
type Pair = (String, String);

/// Every translation. What is generated follows its source by itself, and is none of these.
pub fn pages() -> Vec<Pair> {
    let mut pages = vec![("README.zh-CN.md".to_owned(), "README.md".to_owned())];
    for entry in fs::read_dir(root().join("docs/zh")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        pages.push((format!("docs/zh/{name}"), format!("docs/{name}")));
    }
    pages.retain(|(chinese, _)| !read(chinese).contains(GENERATED));
    pages.sort();
    pages
}

/// A document, cut into prose and code blocks. The second, fourth, ... piece is a block, with its fences.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for line in text.split_inclusive('\n') {
        let (is_fence, is_inside) = (line.starts_with("```"), pieces.len() % 2 == 0);
        if is_fence && !is_inside {
            pieces.push(String::new());
        }
        pieces.last_mut().unwrap().push_str(line);
        if is_fence && is_inside {
            pieces.push(String::new());
        }
    }
    pieces
}

/// The code blocks of a document, with their fences.
pub fn blocks(text: &str) -> Vec<String> {
    pieces(text).into_iter().skip(1).step_by(2).collect()
}

/// The lines that a translator has to follow: neither code blocks nor generated parts.
fn prose(text: &str) -> Vec<String> {
    let prose: String = pieces(text).into_iter().step_by(2).collect();
    let mut lines = Vec::new();
    let mut generated: Option<String> = None;
    for line in prose.lines() {
        let mark = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
        match (&generated, mark) {
            (Some(name), Some(mark)) if mark.strip_prefix('/') == Some(name) => generated = None,
            (None, Some(mark)) if !mark.contains([' ', '/']) => generated = Some(mark.to_owned()),
            (None, _) => lines.push(line.trim_end().to_owned()),
            _ => {}
        }
    }
    lines
}

/// FNV-1a, of the words of the prose: where a line is broken does not matter.
fn hash(english: &str) -> String {
    let prose = prose(english).join("\n");
    let bytes = prose.split_whitespace().collect::<Vec<_>>().join(" ").into_bytes();
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

fn stamp(english: &str) -> String {
    format!("<!-- translates {english} at {} -->", hash(&read(english)))
}

/// Whether a translation follows the English page as it is now.
fn is_current((chinese, english): &Pair) -> bool {
    read(chinese).starts_with(&stamp(english))
}

/// The pages that are behind their English ones, and what the generated ones show in English.
pub fn behind() -> Vec<String> {
    let behind = pages().into_iter().filter(|pair| !is_current(pair));
    let behind = behind.map(|(chinese, english)| format!("{chinese} is behind {english}"));
    let untranslated = chinese::untranslated();
    let untranslated =
        untranslated.iter().map(|text| format!("xtask/src/reference/chinese.rs lacks: {text}"));
    behind.chain(untranslated).collect()
}

/// What is code in the rows of the tables, but for the generated list of wrong clients, which is in English alone.
fn rows(text: &str) -> Vec<BTreeSet<String>> {
    let code = |row: &String| row.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let mut is_listed = false;
    let lines = prose(text);
    let translated = lines.iter().filter(|line| {
        is_listed = (is_listed || line.contains("<!-- wrong clients -->"))
            && !line.contains("<!-- /wrong clients -->");
        line.starts_with('|') && !is_listed
    });
    translated.map(code).collect()
}

/// What has to be the same in all pages: the code blocks, and in a page that is not behind the code in the tables.
pub fn wrong() -> Vec<String> {
    let mut wrong = Vec::new();
    for pair in pages() {
        let differences = differences(&read(&pair.0), &read(&pair.1), is_current(&pair));
        wrong.extend(differences.into_iter().map(|difference| format!("{}: {difference}", pair.0)));
    }
    wrong
}

/// How a translation differs from the English text where it should not.
pub fn differences(chinese: &str, english: &str, is_current: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let (own, other) = (blocks(chinese), blocks(english));
    if own.len() != other.len() {
        wrong.push(format!("{} code blocks, and {} in English", own.len(), other.len()));
    } else if let Some(at) = own.iter().zip(&other).position(|(own, other)| own != other) {
        wrong.push(format!("code block {} is not the English one", at + 1));
    }
    if is_current {
        let (own, other) = (rows(chinese), rows(english));
        if own.len() != other.len() {
            wrong.push(format!("{} rows of tables, and {} in English", own.len(), other.len()));
        }
        for (own, other) in own.iter().zip(&other).filter(|(own, other)| own != other) {
            wrong.push(format!("a row of a table has {own:?}, and in English {other:?}"));
        }
    }
    wrong
}

/// Copies the code blocks into the translations.
///
/// # Errors
/// If a page has not as many as its English one, or a file cannot be written.
pub fn copy_blocks() -> io::Result<()> {
    for (chinese, english) in pages() {
        let (text, blocks) = (read(&chinese), blocks(&read(&english)));
        let mut pieces = pieces(&text);
        if pieces.len() / 2 != blocks.len() {
            let has =
                format!("{chinese}: {} code blocks, and {} in {english}", pieces.len() / 2, blocks.len());
            return Err(io::Error::other(has));
        }
        for (piece, block) in pieces.iter_mut().skip(1).step_by(2).zip(blocks) {
            *piece = block;
        }
        fs::write(root().join(&chinese), pieces.concat())?;
    }
    Ok(())
}

/// Notes that a translation follows the English page as it is now.
///
/// # Errors
/// If there is no such translation, or it cannot be written.
pub fn mark_current(page: &str) -> io::Result<()> {
    let pair = pages().into_iter().find(|(chinese, _)| chinese == page);
    let (chinese, english) = pair.ok_or_else(|| io::Error::other(format!("{page} is no translation")))?;
    let text = read(&chinese);
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let rest = if first.starts_with("<!-- translates ") { rest } else { &text };
    fs::write(root().join(&chinese), format!("{}\n{rest}", stamp(&english)))
}
