//! The list of error codes, and the reserved values of the emulator, in Markdown: one generator for every [language](Language).

use std::fmt::Write as _;

use idaas_login::ErrorClass;
use idaas_login::codes::{self, EditionKind, Evidence, KnownCode};
use idaas_login::emulator::reserved::{self, ReservedKind};

use super::responses;
use crate::files::GENERATED;

/// What a language says in these documents.
pub struct Language {
    pub title: &'static str,
    pub introduction: &'static str,
    /// A text of the library.
    pub text: fn(&'static str) -> &'static str,
    pub advice: fn(ErrorClass) -> Advice,
    /// The head of a class: its heading, how it is printed, what is held, and the advice.
    pub section: fn(ErrorClass, &str, &Advice) -> String,
    pub columns: [&'static str; 4],
    /// The column of what to set or fix.
    pub fix_column: &'static str,
    /// Between the items of a list.
    pub list_separator: &'static str,
    /// Behind a sentence, before another one.
    pub full_stop: &'static str,
    /// Between a name and what is said of it.
    pub colon: &'static str,
    pub evidence: [(Evidence, &'static str); 3],
    /// What the caller of a step holds, by the recovery.
    pub held: [(&'static str, &'static str); 3],
    pub with_http_5xx: &'static str,
    /// What a side call does to the stage: it is over, or it stays.
    pub side_calls: [&'static str; 2],
    pub http_status: fn(u16) -> String,
    pub if_state_token_named: &'static str,
    pub reserved_columns: [&'static str; 3],
    pub reserved_kinds: [(ReservedKind, &'static str); 2],
    /// The columns of the table of steps.
    pub steps_columns: [&'static str; 3],
}

/// What a class comes to.
pub struct Advice {
    /// Its name, in a language that has one beside that of the type.
    pub name: &'static str,
    /// What to tell the user.
    pub tell: &'static str,
    /// What the program or its operator does.
    pub act: &'static str,
}

/// The words for one of a few values, each of which has to have some.
fn words<K: Copy + PartialEq + std::fmt::Debug>(of: K, all: &[(K, &'static str)]) -> &'static str {
    let found = all.iter().find(|(known, _)| *known == of);
    found.unwrap_or_else(|| panic!("the list of error codes: no words for {of:?}")).1
}

/// A row of a table, and what stands below a row of heads.
pub fn row(cells: &[&str]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn heads(columns: &[&str]) -> String {
    format!("{}|{}\n", row(columns), "---|".repeat(columns.len()))
}

fn edition(edition: EditionKind) -> &'static str {
    match edition {
        EditionKind::Ciam => "CIAM",
        EditionKind::Eiam => "EIAM",
        EditionKind::OneAccess => "OneAccess",
        other => panic!("the list of error codes: no name for {other:?}"),
    }
}

impl Language {
    /// `docs/errors.md`, or its twin.
    pub fn errors(&self) -> String {
        let mut text = format!("# {}\n\n{GENERATED}{}", self.title, self.introduction);
        for class in ErrorClass::ALL.iter().copied() {
            let mut rows: Vec<&KnownCode> =
                codes::ALL.iter().copied().filter(|known| known.class == class).collect();
            rows.sort_by_key(|known| known.code);
            let Some(first) = rows.first() else { continue };
            text.push_str(&(self.section)(class, &self.holds(first), &(self.advice)(class)));
            let fixes = rows.iter().any(|known| known.fix.is_some());
            let mut columns = self.columns.to_vec();
            columns.extend(fixes.then_some(self.fix_column));
            text.push_str(&heads(&columns));
            for known in rows {
                let code = format!("`{}`", known.code);
                let meaning = format!("{}{}", (self.text)(known.meaning), self.exceptions(known));
                let editions: Vec<_> = known.editions.iter().copied().map(edition).collect();
                let editions = editions.join(self.list_separator);
                let evidence = format!("[{}]({})", words(known.evidence, &self.evidence), known.page);
                let mut cells = vec![code.as_str(), &meaning, &editions, &evidence];
                cells.extend(fixes.then(|| (self.text)(known.fix.unwrap_or_default())));
                text.push_str(&row(&cells));
            }
        }
        text
    }

    /// What the caller of a step holds, as the library gives it.
    fn holds(&self, known: &KnownCode) -> String {
        let (_, http_400, http_500) = responses::refused(known.code, "");
        let [is_over, stays] = self.side_calls;
        let side_calls = if http_400 == "StartOver" { is_over } else { stays };
        let mut text = words(http_400, &self.held).to_owned();
        if http_400 != http_500 {
            write!(text, "{}{}", self.with_http_5xx, words(http_500, &self.held)).unwrap();
        }
        format!("{text}{}{side_calls}", self.full_stop)
    }

    fn exceptions(&self, known: &KnownCode) -> String {
        let mut text = String::new();
        if known.http_status != 400 {
            text.push_str(&(self.http_status)(known.http_status));
        }
        if known.dead_if_state_token_named {
            text.push_str(self.if_state_token_named);
        }
        text
    }

    /// The reserved values of the emulator.
    pub fn reserved(&self) -> String {
        let mut text = heads(&self.reserved_columns);
        for value in reserved::ALL {
            let (number, meaning) = (format!("`{}`", value.value), (self.text)(value.meaning));
            let outcome = format!("`{:?}`{}{meaning}", value.outcome, self.colon);
            text.push_str(&row(&[words(value.kind, &self.reserved_kinds), &number, &outcome]));
        }
        text
    }

    /// The heads of the table of steps.
    pub fn steps_heads(&self) -> String {
        heads(&self.steps_columns)
    }
}
