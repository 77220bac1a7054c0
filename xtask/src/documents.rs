//! The generated documents: what they should read, what of them is stale, and how they are written anew.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;

use support::root;

use crate::files::read;
use crate::mini_program;
use crate::reference::{self, flow::Flow};

/// The flow as data, from the endpoint table and the library.
pub fn flow() -> Flow {
    Flow::new(&read("docs/decisions.md"))
}

/// Every generated file, and every generated part of a file (`docs/flow.md#steps`), with its text. Without the feature `verify`
/// there are no transcripts.
pub fn generated() -> &'static BTreeMap<String, String> {
    static GENERATED: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    GENERATED.get_or_init(|| {
        let mut documents = reference::documents(&flow());
        documents.extend(mini_program::tables());
        #[cfg(feature = "verify")]
        documents.extend(crate::transcripts::documents());
        documents
    })
}

/// The documents that are chapters of the manual, too: all but those that are only for whoever works on the crate, and the
/// reference, which rustdoc shows stage by stage.
pub fn chapters() -> Vec<String> {
    let entries = fs::read_dir(root().join("docs")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_chapter = |name: &String| {
        name.strip_suffix(".md").is_some_and(|stem| !["fuzzing", "performance", "reference"].contains(&stem))
    };
    let mut chapters: Vec<_> = names.filter(is_chapter).collect();
    chapters.sort();
    chapters
}

/// A generated part of a document: all of it, or what stands between two marks.
struct Part {
    path: String,
    before: String,
    now: String,
    after: String,
}

impl Part {
    fn of(name: &str) -> Self {
        let Some((path, mark)) = name.split_once('#') else {
            let now = fs::read_to_string(root().join(name)).unwrap_or_default();
            return Self { path: name.to_owned(), before: String::new(), now, after: String::new() };
        };
        let (begin, end) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
        let text = read(path);
        let parts = text.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?)));
        let (before, (now, after)) =
            parts.unwrap_or_else(|| panic!("{path} lacks the marks of its part {mark}"));
        Self {
            path: path.to_owned(),
            before: format!("{before}{begin}"),
            now: now.to_owned(),
            after: format!("{end}{after}"),
        }
    }
}

/// What is generated and does not read as it should, and what lies among the generated files and is not generated.
pub fn stale() -> Vec<String> {
    let generated = generated();
    let mut stale = Vec::new();
    for (name, text) in generated {
        let now = Part::of(name).now;
        if now != *text {
            let line = now.lines().zip(text.lines()).take_while(|(now, new)| now == new).count();
            let new: String = text.lines().nth(line).unwrap_or("(the end)").chars().take(160).collect();
            stale.push(format!("{name}, line {}, should read: {new}", line + 1));
        }
    }
    let folders = ["docs/stages", "docs/transcripts"].into_iter();
    for folder in folders.filter(|folder| generated.keys().any(|name| name.starts_with(folder))) {
        for entry in fs::read_dir(root().join(folder)).into_iter().flatten() {
            let name = format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap());
            if !generated.contains_key(&name) {
                stale.push(format!("{name} is there, but nothing of that name is generated: remove it"));
            }
        }
    }
    stale
}

/// The documents of the repository, by their paths: those in its root, in `docs`, in `docs/zh` and in `docs/transcripts`.
pub fn markdown() -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    let folders = ["", "docs", "docs/zh", "docs/transcripts"].map(|folder| root().join(folder));
    for folder in folders.iter().filter(|folder| folder.exists()) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                files.insert(path.clone(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

/// What a document names as a file of the repository, and is none.
pub fn names_without_file() -> Vec<String> {
    let mut wrong = Vec::new();
    for (file, text) in markdown() {
        for named in text.split('`').skip(1).step_by(2) {
            let is_file =
                ["src/", "tests/", "snapshots/", "xtask/"].iter().any(|folder| named.starts_with(folder));
            if is_file && !root().join(named).exists() {
                wrong.push(format!("{}: {named}", file.display()));
            }
        }
    }
    wrong
}

/// Writes what is stale anew, and names it.
///
/// # Errors
/// If a file cannot be written.
pub fn write() -> io::Result<Vec<String>> {
    let mut written = Vec::new();
    for (name, text) in generated() {
        let part = Part::of(name);
        if part.now != *text {
            let path = root().join(&part.path);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(path, format!("{}{text}{}", part.before, part.after))?;
            written.push(name.clone());
        }
    }
    Ok(written)
}
