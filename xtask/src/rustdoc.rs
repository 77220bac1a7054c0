//! The rendered documentation, checked: what a reader finds there, and what it says that the crate has.
//!
//! It says which types, variants and methods are public, whichever file they are written in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use idaas_login::endpoints::{self, EditionKind, StageKind};
use support::printed_types::{NOT_PRINTED, PRINTED, PRINTED_WITH_TEXT};

use crate::documents::{chapters, flow};
use crate::files::read;
use crate::reference::flow::base;

/// The enums each of whose variants is a fault that `docs/failure.md` has to speak of.
const FAULTS: [&str; 8] =
    ["Error", "UnexpectedReason", "ErrorClass", "Recovery", "Phase", "Sent", "UnsealReason", "ResumeReason"];

/// The rendered documentation of the crate, as `cargo doc --no-deps --all-features` left it.
pub struct Rendered {
    folder: PathBuf,
    /// The page of each public struct and enum, by its name.
    types: BTreeMap<String, String>,
    /// The page of each public alias.
    aliases: BTreeMap<String, String>,
}

impl Rendered {
    /// Reads the list of types in `folder`, such as `target/doc/idaas_login`.
    pub fn new(folder: PathBuf) -> Self {
        let list = page(&folder, "all.html");
        let (mut types, mut aliases) = (BTreeMap::new(), BTreeMap::new());
        for path in attributes(&list, "href") {
            let file = path.rsplit('/').next().unwrap_or_default();
            let Some(name) = file.strip_suffix(".html") else { continue };
            match name.split_once('.') {
                Some(("struct" | "enum", name)) => drop(types.insert(name.to_owned(), page(&folder, path))),
                Some(("type", name)) => drop(aliases.insert(name.to_owned(), page(&folder, path))),
                _ => {}
            }
        }
        Self { folder, types, aliases }
    }

    fn page(&self, type_name: &str) -> &str {
        let page = self.aliases.get(type_name).or_else(|| self.types.get(type_name));
        page.unwrap_or_else(|| panic!("there is no public type {type_name}"))
    }

    /// All that is wrong.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = self.steps();
        wrong.extend(self.send_types());
        wrong.extend(self.faults());
        wrong.extend(self.printed());
        wrong.extend(self.links());
        wrong
    }

    /// Each step and each thing that a stage holds is a method of it. A step has an example, and its page of the API's documents
    /// is cited there.
    fn steps(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let flow = flow();
        let has = |stage: &str, method: &str| {
            // The methods of an alias are those of the type behind it.
            let of = if self.aliases.contains_key(stage) { "Verify" } else { stage };
            attributes(self.page(of), "id").any(|id| id == format!("method.{method}"))
        };
        for stage in &flow.stages {
            let methods = stage.about.holds.iter().copied().chain(stage.steps.iter().map(|step| step.name));
            wrong.extend(
                methods
                    .filter(|method| !has(&stage.name, method))
                    .map(|method| format!("{}: no method {method} is documented", stage.name)),
            );
            for step in stage
                .steps
                .iter()
                .filter(|step| !self.page(&stage.name).contains(&format!("#method.{}\"", step.name)))
            {
                wrong.push(format!("{}: the list of steps does not link {}", stage.name, step.name));
            }
        }
        for stage in &flow.stages {
            let of = if self.aliases.contains_key(&stage.name) { "Verify" } else { &stage.name };
            let steps: BTreeSet<_> = stage.steps.iter().map(|step| step.name).collect();
            let has_examples =
                |step| methods(self.page(of), step).all(|method| method.contains("example-wrap"));
            wrong.extend(
                steps
                    .into_iter()
                    .filter(|step| !has_examples(step))
                    .map(|step| format!("{}: {step} has no example", stage.name)),
            );
        }
        for row in endpoints::ALL {
            let stage = base(row.from);
            // Where the captcha is asked for is written beside it.
            let cited = self.page(&stage).contains(row.page)
                || row.from == StageKind::Client && self.page("Captcha").contains(row.page);
            if !cited {
                wrong
                    .push(format!("{}.{}: its documentation does not cite {}", row.from, row.step, row.page));
            }
        }
        wrong
    }

    /// Each type of code is asked for by a row of the endpoint table, and submitted by one.
    fn send_types(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for variant in attributes(self.page("SendType"), "id").filter_map(|id| id.strip_prefix("variant.")) {
            for step in ["send_code", "submit"] {
                let is_its = |row: &endpoints::Endpoint| {
                    let types =
                        EditionKind::ALL.iter().filter_map(|edition| row.in_edition(*edition)?.send_type);
                    row.step == step && types.into_iter().any(|of| format!("{of:?}") == variant)
                };
                if !endpoints::ALL.iter().any(|row| is_its(row)) {
                    wrong
                        .push(format!("SendType::{variant}: no row of the endpoint table has it for {step}"));
                }
            }
        }
        wrong
    }

    /// Each variant of these enums is in the document of failures.
    fn faults(&self) -> Vec<String> {
        let document = read("docs/failure.md");
        let mut wrong = Vec::new();
        for name in FAULTS {
            let variants: BTreeSet<_> =
                attributes(self.page(name), "id").filter_map(|id| id.strip_prefix("variant.")).collect();
            if variants.len() < 2 {
                wrong.push(format!("{name}: only {variants:?} were found"));
            }
            wrong.extend(
                variants
                    .iter()
                    .filter(|variant| !document.contains(&format!("{name}::{variant}")))
                    .map(|variant| format!("docs/failure.md lacks {name}::{variant}")),
            );
        }
        wrong
    }

    /// Each public type is printed by the full run that looks for secrets, or is excused.
    fn printed(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let excused: BTreeSet<_> = NOT_PRINTED.iter().map(|(name, _)| *name).collect();
        for (name, page) in &self.types {
            if !PRINTED.contains(&&**name) && !excused.contains(&**name) {
                wrong.push(format!("{name}: public, and not printed by the full run of the tests"));
            }
            let has_text = attributes(page, "id").any(|id| id.starts_with("impl-Display-for-"));
            if has_text && !PRINTED_WITH_TEXT.contains(&&**name) && !excused.contains(&**name) {
                wrong.push(format!(
                    "{name}: public with Display, which the full run of the tests does not print"
                ));
            }
        }
        let known = PRINTED.iter().chain(PRINTED_WITH_TEXT).chain(&excused);
        for name in known.filter(|name| !self.types.contains_key(**name)) {
            wrong.push(format!("{name}: is in the list of printed types, and no public type"));
        }
        wrong
    }

    /// What a chapter of the manual links to is there, and is no file of the repository.
    fn links(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let documents = chapters();
        let chapters: Vec<_> = fs::read_dir(self.folder.join("manual"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .collect();
        if chapters.len() != documents.len() {
            wrong.push(format!("the manual has {} chapters, which should be {documents:?}", chapters.len()));
        }
        for chapter in chapters {
            let page = page(&chapter, "index.html");
            for link in attributes(&page, "href").filter(|link| !link.starts_with("http")) {
                let path = link.split('#').next().unwrap_or_default();
                if !chapter.join(path).exists() {
                    wrong.push(format!("{}: {link} leads nowhere", chapter.display()));
                }
            }
        }
        wrong
    }
}

fn page(folder: &Path, name: &str) -> String {
    let path = folder.join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a page says of the methods of this name: a stage that is generic can have several.
fn methods<'a>(page: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let sections = page.split("<section id=\"").skip(1);
    let [only, first] = [format!("method.{name}\""), format!("method.{name}-")];
    sections.filter(move |section| section.starts_with(&*only) || section.starts_with(&*first))
}

/// The values of an attribute, wherever it is.
fn attributes<'a>(page: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let begin = format!(" {name}=\"");
    let values: Vec<_> = page.split(&*begin).skip(1).filter_map(|rest| rest.split('"').next()).collect();
    values.into_iter()
}
