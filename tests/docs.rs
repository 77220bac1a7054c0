//! The documents against the code: what is generated is what the code says, and what the others point to is there.
//!
//! `UPDATE_DOCS=1 cargo test --test docs` writes everything that is generated anew.

mod reference;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use idaas_login::endpoints::{self, StageKind};
use serde_json::{Value, json};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
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

fn generated() -> BTreeMap<String, String> {
    reference::documents(&read("docs/decisions.md"), &read("src/error.rs"))
}

/// What is generated and is not as it should be. With `UPDATE_DOCS` it is written anew, once and before it is read.
static STALE: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut stale = Vec::new();
    for (name, text) in generated() {
        let part = Part::of(&name);
        if part.now == text {
            continue;
        }
        if is_update() {
            let path = root().join(&part.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{}{text}{}", part.before, part.after)).unwrap();
        } else {
            let line = part.now.lines().zip(text.lines()).take_while(|(now, new)| now == new).count();
            let new: String = text.lines().nth(line).unwrap_or("(the end)").chars().take(160).collect();
            stale.push(format!("{name}, line {}, should read: {new}", line + 1));
        }
    }
    stale
});

fn is_update() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some()
}

#[test]
fn what_is_generated_is_not_stale() {
    let stale = STALE.join("\n");
    assert!(stale.is_empty(), "stale, write it anew with UPDATE_DOCS=1 cargo test --test docs:\n{stale}");
    let documents = generated();
    for entry in fs::read_dir(root().join("docs/stages")).unwrap() {
        let name = format!("docs/stages/{}", entry.unwrap().file_name().to_str().unwrap());
        assert!(documents.contains_key(&name), "{name} is there, but no stage has that name: remove it");
    }
}

/// Each step is a method, whose documentation cites its page; and the rustdoc of each stage shows its part of the
/// reference, which lists the step.
#[test]
fn the_rustdoc_of_each_stage_lists_its_steps() {
    let documents = generated();
    let flow = reference::flow::Flow::new(&read("docs/decisions.md"), &read("src/error.rs"));
    for stage in &flow.stages {
        let (source, part) = (stage.about.source, stage.rustdoc_file());
        let (text, generated) = (read(source), &documents[&part]);
        let included = format!("include_str!(\"{}{part}\")", "../".repeat(source.matches('/').count()));
        assert!(text.contains(&included), "{}: {source} does not show {part}", stage.name);
        for held in stage.about.holds {
            let method = format!("fn {held}(");
            let is_method = text.contains(&method) || read("src/stage/mod.rs").contains(&method);
            assert!(is_method, "{}: no method {held} in {source}", stage.name);
        }
        for step in &stage.steps {
            let name = format!("{}.{}", step.from, step.name);
            let method = format!("fn {}", step.name);
            // The stages that are narrowed alike have the methods for that in one place.
            let is_method = text.contains(&method) || read("src/stage/mod.rs").contains(&method);
            assert!(
                is_method || read("src/captcha.rs").contains(&method),
                "{name}: no such method in {source}"
            );
            assert!(generated.contains(&format!("::{})", step.name)), "{name}: {part} does not list it");
        }
    }
    for row in endpoints::ALL {
        let source = match row.from {
            StageKind::Client => "src/captcha.rs",
            // The methods of these are the same for each stage; the pages are in the part that is shown.
            StageKind::VerifyPhone(_) | StageKind::VerifyEmail(_) => continue,
            from => flow.stages.iter().find(|stage| stage.kinds.contains(&from)).unwrap().about.source,
        };
        assert!(
            read(source).contains(row.page),
            "{}.{}: {source} does not cite {}",
            row.from,
            row.step,
            row.page
        );
    }
}

/// Every name that the machine-readable reference refers to is in it, and all that is there is referred to.
#[test]
fn the_machine_readable_reference_fits_together() {
    let flow: Value = serde_json::from_str(&generated()["docs/flow.json"]).unwrap();
    let names = |list: &str, name: &str| -> BTreeSet<String> {
        flow[list].as_array().unwrap().iter().map(|item| item[name].as_str().unwrap().to_owned()).collect()
    };
    let (stages, answers) = (names("stages", "name"), names("answers", "id"));
    let readings: BTreeSet<_> = flow["readings"].as_object().unwrap().keys().cloned().collect();
    let mut read = BTreeSet::new();
    for step in flow["steps"].as_array().unwrap() {
        assert!(stages.contains(step["from"].as_str().unwrap()), "{step}");
        for to in step["leads_to"].as_array().unwrap() {
            assert!(stages.contains(to.as_str().unwrap()), "{step}");
        }
        assert_eq!(step["request"].is_null(), step["reading"].is_null(), "{step}");
        read.extend(step["reading"].as_str().map(str::to_owned));
        // Where the reading says that a step leads is where its row says it does.
        if let Some(reading) = step["reading"].as_str() {
            let meanings = flow["readings"][reading].as_object().unwrap();
            let to = meanings.values().filter(|meaning| meaning["then"] == "stage");
            let to: BTreeSet<_> = to.map(|meaning| meaning["name"].as_str().unwrap()).collect();
            let row = step["leads_to"].as_array().unwrap().iter().map(|to| to.as_str().unwrap());
            assert_eq!(to, row.collect(), "{step}");
        }
    }
    assert_eq!(read, readings);
    for (name, meanings) in flow["readings"].as_object().unwrap() {
        assert_eq!(meanings.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>(), answers, "{name}");
    }
}

/// Every status that the code reads is a shape of answer that the reference shows.
#[test]
fn the_reference_shows_every_status_that_the_code_reads() {
    let source = read("src/wire/responses.rs");
    let is_status =
        |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let read: BTreeSet<_> = source.split('"').filter(is_status).collect();
    assert!(read.len() >= 6, "only {read:?} were found in src/wire/responses.rs");
    for status in read {
        let shown = reference::answers::ANSWERS.iter().any(|answer| answer.words == format!("`{status}`"));
        assert!(shown, "no answer has the status {status}: add one to ANSWERS in tests/reference/answers.rs");
    }
}

#[test]
fn the_machine_readable_reference_keeps_its_schema() {
    let schema: Value = serde_json::from_str(&read("docs/flow.schema.json")).unwrap();
    let flow: Value = serde_json::from_str(&generated()["docs/flow.json"]).unwrap();
    assert_eq!(reference::schema::errors(&schema, &flow), [""; 0]);

    // Broken in one place each, and the place that is named.
    let set = |pointer: &str, value: Value| {
        let mut broken = flow.clone();
        *broken.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        broken
    };
    let without = |pointer: &str, name: &str| {
        let mut broken = flow.clone();
        broken.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(name).unwrap();
        broken
    };
    let twice = |pointer: &str| {
        let mut broken = flow.clone();
        let items = broken.pointer_mut(pointer).unwrap().as_array_mut().unwrap();
        items.push(items[0].clone());
        broken
    };
    for (broken, error) in [
        (json!([]), "/: array, not \"object\""),
        (set("/$schema", json!("other")), "/$schema: \"other\" is not \"./flow.schema.json\""),
        (without("", "steps"), "/: steps is missing"),
        (set("/steps", json!([])), "/steps: too few items"),
        (set("/steps", json!({})), "/steps: object, not \"array\""),
        (twice("/stages"), "/stages: an item is there twice"),
        (set("/stages/0/name", json!("")), "/stages/0/name: too short"),
        (set("/stages/0/holds/0", json!(1)), "/stages/0/holds/0: integer, not \"string\""),
        (
            set("/steps/0/kind", json!("jump")),
            "/steps/0/kind: \"jump\" is none of [\"step\",\"side call\",\"narrow\"]",
        ),
        (set("/steps/0/if_allowed", json!(null)), "/steps/0/if_allowed: null, not \"boolean\""),
        (without("/steps/0/request", "page"), "/steps/0/request: page is missing"),
        (
            set("/steps/0/request/method", json!("PUT")),
            "/steps/0/request/method: \"PUT\" is none of [\"GET\",\"POST\"]",
        ),
        (
            set("/steps/0/request/body/0", json!({"name": "x", "kind": "code", "size": 1})),
            "/steps/0/request/body/0: size is not expected",
        ),
        (
            set("/answers/0/http_status", json!(1.5)),
            "/answers/0/http_status: number, not [\"integer\",\"null\"]",
        ),
        (set("/field_kinds/code", json!(true)), "/field_kinds/code: boolean, not \"string\""),
        (
            set("/readings/Unauthenticated.wechat_mini_program/lost/then", json!("nowhere")),
            "/readings/Unauthenticated.wechat_mini_program/lost/then: \"nowhere\" is none of \
             [\"stage\",\"reply\",\"recovery\",\"error\"]",
        ),
    ] {
        assert_eq!(reference::schema::errors(&schema, &broken), [error]);
    }
    // A schema that says more than is checked, or that refers to nothing.
    for (schema, error) in [
        (
            json!({"pattern": "^a"}),
            "/: the schema's keyword pattern is not checked: teach tests/reference/schema.rs",
        ),
        (json!({"$ref": "#/$defs/none"}), "/: the schema lacks \"#/$defs/none\""),
    ] {
        assert_eq!(reference::schema::errors(&schema, &json!("b")), [error]);
    }
}

fn markdown() -> BTreeMap<PathBuf, String> {
    if is_update() {
        LazyLock::force(&STALE);
    }
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

/// The drawing is XML that any viewer reads, and no card lies on another.
#[test]
fn the_drawing_is_well_formed_and_nothing_overlaps() {
    let drawing = &generated()["docs/flow.svg"];
    let mut open = Vec::new();
    let mut cards: Vec<[i32; 4]> = Vec::new();
    for tag in drawing.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').unwrap_or_else(|| panic!("<{tag} has no end"));
        let mut escapes = text.split('&').skip(1);
        let known = |escape: &str| ["lt;", "gt;", "amp;"].iter().any(|known| escape.starts_with(known));
        assert!(escapes.all(known), "{text}");
        if let Some(comment) = tag.strip_prefix("!--") {
            assert!(!comment.trim_end_matches("--").contains("--"), "{comment}");
        } else if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "{tag}");
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap());
        }
        if tag.contains("class=\"body\"") {
            let number = |name: &str| -> i32 {
                let value = tag.split_once(&format!(" {name}=\"")).unwrap().1.split('"').next().unwrap();
                value.parse().unwrap()
            };
            cards.push(["x", "y", "width", "height"].map(number));
        }
    }
    assert_eq!(open, [""; 0]);
    assert!(cards.len() >= 13, "only {} cards were found", cards.len());
    for (index, [x, y, width, height]) in cards.iter().enumerate() {
        for [other_x, other_y, other_width, other_height] in &cards[..index] {
            let beside = x + width <= *other_x || other_x + other_width <= *x;
            let below = y + height <= *other_y || other_y + other_height <= *y;
            assert!(beside || below, "two cards lie on each other at {x}, {y}");
        }
    }
}

/// What can be linked to in a document: its headings, as they are shown on the web, and what has an `id`.
fn anchors(text: &str) -> BTreeSet<String> {
    let slug = |heading: &str| -> String {
        let letters = heading.trim_start_matches('#').trim().to_lowercase();
        let kept =
            letters.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
        kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
    };
    let headings = text.lines().filter(|line| line.starts_with('#')).map(slug);
    let ids = text.split("id=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned);
    headings.chain(ids).collect()
}

/// What a document points to in the repository is there.
#[test]
fn links_and_file_names_lead_somewhere() {
    for (file, text) in markdown() {
        let folder = file.parent().unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("http") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let there = if path.is_empty() { file.clone() } else { folder.join(path) };
            assert!(there.exists(), "{}: {target}", file.display());
            if !anchor.is_empty() {
                let known = anchors(&fs::read_to_string(there).unwrap());
                assert!(known.contains(anchor), "{}: {target}: no such heading", file.display());
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
                    "--bench" => format!("peers/benches/{}.rs", pair[1]),
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

/// A command as it is compared: numbers stand for any number, and what is only about the output is left out.
fn plain(command: &str) -> String {
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let word = |word: &str| match word.split_once('=') {
        Some((name, value)) if is_number(value) => format!("{name}=N"),
        _ if is_number(word) => "N".to_owned(),
        _ => word.to_owned(),
    };
    let words = command.split_whitespace().take_while(|word| !word.starts_with(['>', '|', '#']));
    words.filter(|word| *word != "--quiet").map(word).collect::<Vec<_>>().join(" ")
}

/// Whether a piece of a document is a command: a program, perhaps behind variables.
fn is_command(piece: &str) -> bool {
    let is_variable = |word: &&str| {
        word.split_once('=')
            .is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
    };
    let mut words = piece.split_whitespace().skip_while(is_variable);
    matches!(words.next(), Some("cargo" | "bash")) && words.next().is_some_and(|word| !word.ends_with(':'))
}

/// Each command of a document is run: by the gate, which may go on behind it or use another number, or, for the test of a
/// name, by the test command that the gate runs.
#[test]
fn each_command_is_run() {
    // Run otherwise: what runs it, and the words that it says so by.
    const ELSEWHERE: &[(&str, &str, &str)] = &[
        ("bash .ci/run", ".ci/run", "The gate"),
        ("cargo deny check advisories", "CONTRIBUTING.md", "before each release"),
        (
            "cargo deny --manifest-path peers/Cargo.toml check advisories",
            "CONTRIBUTING.md",
            "before each release",
        ),
        ("bash peers/build N", "peers/measure", "bash peers/build"),
        ("cargo run --example mini_program_backend", "tests/backend.rs", "mini_program_backend"),
    ];
    let gate = read(".ci/run");
    let lines = gate.lines().map(|line| line.trim().trim_start_matches("run ").trim_end_matches(" \\"));
    let gated: BTreeSet<_> = lines.filter(|line| is_command(line)).map(plain).collect();
    assert!(gated.contains("cargo test"), "{gated:#?}");
    let mut seen = BTreeSet::new();
    for (file, text) in markdown() {
        for command in text.split(['`', '\n']).map(str::trim).filter(|piece| is_command(piece)) {
            let command = plain(command);
            let words: Vec<_> = command.split(' ').collect();
            let runs = match words[..] {
                ["cargo", "test", "--test", name, ..] => root().join(format!("tests/{name}.rs")).exists(),
                // The gate runs each example that is one file.
                ["cargo", "run", "--example", name]
                    if root().join(format!("examples/{name}.rs")).exists() =>
                {
                    gate.contains("cargo run --quiet --example \"$name\"")
                }
                // A script takes more arguments, or fewer, than the gate gives it.
                ["bash", script, ..] if gated.iter().any(|line| line.split(' ').nth(1) == Some(script)) => {
                    true
                }
                ["cargo", "bench", "--manifest-path", "peers/Cargo.toml", "--bench", name] => {
                    let benches = read("peers/measure");
                    benches.lines().any(|line| line.starts_with("for bench in ") && line.contains(name))
                }
                _ => ELSEWHERE.iter().any(|(known, by, word)| *known == command && read(by).contains(word)),
            };
            let behind = format!("{command} ");
            let is_gated = gated.iter().any(|line| *line == command || line.starts_with(&behind));
            assert!(runs || is_gated, "{}: nothing runs `{command}`: add it to .ci/run", file.display());
            seen.insert(command);
        }
    }
    assert!(seen.len() >= 30, "only {} commands were found: {seen:#?}", seen.len());
}

/// Each ratio of docs/performance.md is the one that was measured, beside the command that measures it, and in the plot.
#[test]
fn the_performance_document_says_what_was_measured() {
    let figures: Value = serde_json::from_str(&read("docs/performance.json")).unwrap();
    let number = |row: &Value, name: &str| row[name].as_f64();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let document = read("docs/performance.md");
    let plot = read("docs/performance.svg");
    let mut lines: Vec<_> = document.lines().filter(|line| line.ends_with("` |")).collect();

    let rows = figures["parts"].as_array().unwrap().iter().flat_map(|part| part["rows"].as_array().unwrap());
    for row in rows {
        let (own, beside) = (number(row, "own").unwrap(), number(row, "beside").unwrap());
        let target = &row["target"];
        let said = match number(row, "ratio") {
            Some(ratio) if target["at_most"].is_null() => {
                assert!(plot.contains(&format!(">{ratio:.2}</text>")), "the plot lacks {row}");
                if target["more"].is_null() {
                    format!("{ratio:.2}")
                } else {
                    format!("{ratio:.2} ({:+})", own - beside)
                }
            }
            _ => format!("{own} beside {beside}"),
        };
        // A count's ratio is that of the counts; a time's may be the median of many.
        if let Some(ratio) = number(row, "ratio").filter(|_| row["unit"] != "µs") {
            assert!((ratio - own / beside).abs() < 0.01 * ratio.max(0.1), "{row}");
        }
        let (what, peer, command) = (text(row, "what"), text(row, "peer"), text(row, "command"));
        let found = lines.iter().position(|line| {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            cells[1] == what && cells[3] == peer && cells[4] == said && cells[6] == format!("`{command}`")
        });
        lines.remove(found.unwrap_or_else(|| panic!("docs/performance.md lacks: {what}, {peer}, {said}")));
    }
    assert!(lines.is_empty(), "not measured: {lines:#?}");
}
