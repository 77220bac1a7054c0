//! The documents against the code: what they list is what the endpoint table has, and what they point to is there.
//!
//! `UPDATE_DOCS=1 cargo test --test docs` writes the generated part of the README anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use idaas_login::endpoints::{self, Scenario, StageKind};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn stage(kind: StageKind) -> String {
    let of = |scenario| match scenario {
        Scenario::Bind => "PendingBind",
        Scenario::Register => "PendingRegister",
        Scenario::SecondFactor => "MfaRequired",
    };
    match kind {
        StageKind::VerifyPhone(scenario) => format!("VerifyPhone<{}>", of(scenario)),
        StageKind::VerifyEmail(scenario) => format!("VerifyEmail<{}>", of(scenario)),
        other => format!("{other:?}"),
    }
}

/// The table of stages and steps, from the endpoint table.
fn steps() -> String {
    let mut table = String::from("| stage | step | sends | leads to |\n|---|---|---|---|\n");
    let narrowings = endpoints::NARROWINGS.iter().map(|row| {
        let gated = if row.gated { ", if the tenant allows it" } else { "" };
        (row.from, row.step, "nothing".to_owned(), format!("`{}`{gated}", stage(row.to)))
    });
    let rows = endpoints::ALL.iter().map(|row| {
        let verb = http::Method::from(row.verb);
        let to = match row.leads_to {
            [] => "a side call: the stage stays",
            [StageKind::Authenticated] => "`Authenticated`",
            _ => "`Outcome`",
        };
        let platform = row.platform.filter(|_| row.from != StageKind::Unauthenticated);
        let to =
            platform.map_or_else(|| to.to_owned(), |platform| format!("{to}, through {platform:?} only"));
        (row.from, row.step, format!("`{verb} {}`", row.path), to)
    });
    let mut all: Vec<_> = rows.chain(narrowings).collect();
    let order = |kind: StageKind| match kind {
        StageKind::Unauthenticated => 0,
        StageKind::PendingBind => 1,
        StageKind::PendingRegister => 2,
        StageKind::MfaRequired => 3,
        StageKind::VerifyPhone(_) => 4,
        StageKind::VerifyEmail(_) => 5,
        _ => 6,
    };
    all.sort_by_key(|(from, ..)| order(*from));
    for (from, step, sends, to) in all {
        writeln!(table, "| `{}` | `{step}` | {sends} | {to} |", stage(from)).unwrap();
    }
    table
}

#[test]
fn the_readme_lists_every_step() {
    const BEGIN: &str = "<!-- steps: checked against the endpoint table by tests/docs.rs -->\n";
    const END: &str = "<!-- /steps -->";
    let readme = read("README.md");
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (listed, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(root().join("README.md"), format!("{before}{BEGIN}{}{END}{after}", steps())).unwrap();
        return;
    }
    assert_eq!(listed, steps(), "the README is stale: UPDATE_DOCS=1 cargo test --test docs");
}

/// The rustdoc of each stage lists its steps with their paths, and each step's page.
#[test]
fn the_rustdoc_of_each_stage_lists_its_steps() {
    for row in endpoints::ALL {
        let file = match row.from {
            StageKind::Unauthenticated => "src/stage/unauthenticated.rs",
            StageKind::PendingBind => "src/stage/pending_bind.rs",
            StageKind::PendingRegister => "src/stage/pending_register.rs",
            StageKind::MfaRequired => "src/stage/mfa_required.rs",
            StageKind::VerifyPhone(_) | StageKind::VerifyEmail(_) => "src/stage/verify.rs",
            StageKind::Authenticated => "src/stage/authenticated.rs",
            StageKind::Client | StageKind::Captcha => "src/captcha.rs",
            other => panic!("tests/docs.rs: no file for {other:?}"),
        };
        let text = read(file);
        let name = format!("{}.{}", stage(row.from), row.step);
        assert!(text.contains(&format!("fn {}", row.step)), "{name}: no such method in {file}");
        assert!(text.contains(row.page), "{name}: {file} does not cite {}", row.page);
        if row.from != StageKind::Client {
            let sends = format!("`{} {}`", http::Method::from(row.verb), row.path);
            assert!(text.contains(&sends), "{name}: {file} does not list {sends}");
        }
    }
}

/// Each send type of the table is in the table of docs/flow.md, beside its path.
#[test]
fn the_flow_document_pairs_send_types_with_paths() {
    let flow = read("docs/flow.md");
    for row in endpoints::ALL.iter().filter(|row| row.step == "submit") {
        let line = format!("`{}` | `{}` |", row.send_type.unwrap().as_str(), row.path);
        assert!(flow.contains(&line), "docs/flow.md lacks: {line}");
    }
}

fn markdown() -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    let mut add = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        files.insert(path, text);
    };
    for folder in [root().to_owned(), root().join("docs")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                add(path);
            }
        }
    }
    files
}

/// What a document points to in the repository is there.
#[test]
fn links_and_file_names_lead_somewhere() {
    for (file, text) in markdown() {
        let folder = file.parent().unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if !target.starts_with("http") && !target.starts_with('#') {
                assert!(folder.join(target).exists(), "{}: {target}", file.display());
            }
        }
        for named in text.split('`').skip(1).step_by(2) {
            if named.starts_with("src/") || named.starts_with("tests/") || named.starts_with("snapshots/") {
                assert!(root().join(named).exists(), "{}: {named}", file.display());
            }
        }
    }
}

/// Each cargo command of a document names tests and examples that exist.
#[test]
fn commands_name_what_exists() {
    let mut seen = 0;
    for (file, text) in markdown() {
        for command in text.split(['`', '\n']).filter(|piece| piece.starts_with("cargo ")) {
            let words: Vec<_> = command.split_whitespace().collect();
            for pair in words.windows(2) {
                let path = match pair[0] {
                    "--test" => format!("tests/{}.rs", pair[1]),
                    "--example" => format!("examples/{}.rs", pair[1]),
                    "--bench" => format!("benches/{}.rs", pair[1]),
                    _ => continue,
                };
                // An example may have a folder.
                let folder = path.replace(".rs", "/main.rs");
                let there = [&path, &folder].iter().any(|path| root().join(path).exists());
                assert!(there, "{}: {command}: no {path}", file.display());
            }
            seen += 1;
        }
    }
    assert!(seen >= 5, "only {seen} commands were found");
}
