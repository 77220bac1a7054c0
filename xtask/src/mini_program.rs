//! The page on mini programs against the example that it shows: the same code, and the same texts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use idaas_login::Advice;
use serde_json::Value;
use support::root;

use crate::files::read;
use crate::translations::blocks;

const PAGES: [&str; 2] = ["docs/mini-program.md", "docs/zh/mini-program.md"];
const EXAMPLE: &str = "examples/mini_program";

/// Every advice, in the order of `docs/failure.md`.
pub const ADVICE: [Advice; 10] = [
    Advice::AskAgain { attempts_left: None },
    Advice::FreshPlatformCode,
    Advice::NewCaptcha,
    Advice::ChooseAnotherMethod,
    Advice::Wait { unlocks_in: None },
    Advice::TryLater { retry_after: None },
    Advice::RenewIdToken,
    Advice::Settle,
    Advice::StartOver,
    Advice::TellOperator,
];

/// The tables of the pages: what the user reads, as the example has it.
pub fn tables() -> BTreeMap<String, String> {
    let file = read(&format!("{EXAMPLE}/utils/texts.js"));
    let json = file.split_once("module.exports = ").map(|(_, rest)| rest.trim_end().trim_end_matches(';'));
    let texts: Value = serde_json::from_str(json.unwrap_or_default()).unwrap_or_else(|error| {
        panic!("{EXAMPLE}/utils/texts.js is not JSON behind its first line: {error}")
    });
    let mut rows = String::new();
    for name in ADVICE.map(Advice::name) {
        rows += &row(name, &texts["problems"]);
    }
    for name in texts["own"].as_object().into_iter().flat_map(|own| own.keys()) {
        rows += &row(name, &texts["own"]);
    }
    let head = ["| `what` | English | Chinese |", "| `what` | 英文 | 中文 |"];
    let parts = PAGES.iter().zip(head);
    parts.map(|(page, head)| (format!("{page}#texts"), format!("{head}\n|---|---|---|\n{rows}"))).collect()
}

fn row(name: &str, texts: &Value) -> String {
    let text = |language: usize| {
        texts[name][language].as_str().unwrap_or_else(|| panic!("{EXAMPLE}/utils/texts.js lacks {name}"))
    };
    format!("| `{name}` | {} | {} |\n", text(0), text(1))
}

/// The code blocks of the page that no file of the example has: a block is lines of one file, with less indentation perhaps.
pub fn strangers() -> Vec<String> {
    let mut files = Vec::new();
    texts_below(&root().join(EXAMPLE), &mut files);
    let mut strangers = Vec::new();
    for block in blocks(&read(PAGES[0])) {
        let lines: Vec<_> = block.lines().collect();
        if let [fence, code @ .., _] = &lines[..]
            && ["```js", "```html"].contains(fence)
            && !files.iter().any(|file| has(file, code))
        {
            strangers.push(format!("{}: in no file of {EXAMPLE}:\n{}", PAGES[0], code.join("\n")));
        }
    }
    strangers
}

/// Whether a file has these lines in a row, each indented by the same.
fn has(file: &str, code: &[&str]) -> bool {
    let lines: Vec<_> = file.lines().collect();
    lines.windows(code.len()).any(|window| {
        let indent = window[0].len().saturating_sub(code[0].len());
        window.iter().zip(code).all(|(line, code)| {
            line == code
                || line
                    .split_at_checked(indent)
                    .is_some_and(|(space, rest)| space.trim().is_empty() && rest == *code)
        })
    })
}

fn texts_below(folder: &Path, texts: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts_below(&path, texts);
        } else {
            texts.push(fs::read_to_string(&path).unwrap());
        }
    }
}
