//! The documents against the code: what is generated is what the code says, and what the others point to is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use idaas_login::endpoints;
use serde_json::{Value, json};
use support::root;
use xtask::documents::{flow, generated, markdown, stale};
use xtask::files::read;
use xtask::reference::fields::FIELD_KINDS;
#[cfg(all(feature = "ureq", feature = "verify"))]
use xtask::reference::limits::TIME_LIMITS;
use xtask::{mini_program, reference, translations, words};

#[test]
fn what_is_generated_is_not_stale() {
    let stale = stale().join("\n");
    assert!(stale.is_empty(), "stale, `cargo xtask docs` writes it anew:\n{stale}");
}

/// The part of the reference that a stage's rustdoc shows lists its steps, each with a link to its method.
#[test]
fn the_page_of_each_stage_lists_its_steps() {
    let (documents, flow) = (generated(), flow());
    let mut listed = BTreeSet::new();
    for stage in &flow.stages {
        let page = stage.rustdoc_file();
        for step in &stage.steps {
            let name = format!("{}.{}", step.from, step.name);
            // What needs a feature is listed without a link.
            let (linked, named) = (format!("::{})", step.name), format!("| `{}`, feature ", step.name));
            assert!(
                documents[&page].contains(&linked) || documents[&page].contains(&named),
                "{name}: {page} does not list it"
            );
            listed.insert(name);
        }
    }
    for row in endpoints::ALL {
        let name = format!("{}.{}", row.from, row.step);
        assert!(listed.contains(&name), "{name}: no page lists it");
    }
}

/// Every name that the machine-readable reference refers to is in it, and all that is there is referred to.
#[test]
fn the_machine_readable_reference_fits_together() {
    let flow: Value = serde_json::from_str(&generated()["docs/flow.json"]).unwrap();
    let names = |list: &str, name: &str| -> BTreeSet<String> {
        flow[list].as_array().unwrap().iter().map(|item| item[name].as_str().unwrap().to_owned()).collect()
    };
    let (stages, responses) = (names("stages", "name"), names("responses", "id"));
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
        assert_eq!(
            meanings.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>(),
            responses,
            "{name}"
        );
    }
}

/// A line of the reference fits on a screen, whatever is added to the table of endpoints.
#[test]
fn the_lines_of_the_reference_are_not_long() {
    let long: Vec<_> =
        generated()["docs/reference.md"].lines().filter(|line| line.chars().count() > 200).collect();
    assert_eq!(long, [""; 0]);
}

/// The statuses lead where the readings say, and the fields belong to readings and kinds that are there.
#[test]
fn the_responses_of_the_machine_readable_reference_fit_together() {
    let flow: Value = serde_json::from_str(&generated()["docs/flow.json"]).unwrap();
    let rows = |list: &str| flow[list].as_array().unwrap().clone();
    let first = &flow["readings"]["Unauthenticated.wechat_mini_program"];
    let mut led = BTreeSet::new();
    for shape in rows("responses") {
        let body =
            serde_json::from_str::<Value>(shape["body"].as_str().unwrap_or_default()).unwrap_or_default();
        let meaning = &first[shape["id"].as_str().unwrap()];
        if meaning["then"] == "stage" {
            led.insert((body["status"].to_string(), meaning["name"].to_string()));
        }
    }
    let statuses = rows("statuses");
    let to_stages = statuses.iter().filter(|row| !row["stage"].is_null());
    assert_eq!(
        to_stages.map(|row| (row["status"].to_string(), row["stage"].to_string())).collect::<BTreeSet<_>>(),
        led
    );

    for field in rows("response_fields") {
        assert!(
            field["reading"].is_null() || flow["readings"].get(field["reading"].as_str().unwrap()).is_some(),
            "{field}"
        );
        assert!(flow["response_field_kinds"].get(field["kind"].as_str().unwrap()).is_some(), "{field}");
    }
}

/// What is too long for a field of a response is as long as the reference says.
#[test]
fn the_fields_of_responses_are_as_long_as_the_reference_says() {
    let kind = |name: &str| FIELD_KINDS.iter().find(|kind| kind.name == name).unwrap().max_bytes.unwrap();
    let leads_on = |row, body: Value| {
        let answer = move |_| Ok(support::response(200, body.to_string()));
        support::run_row(row, support::edition(row), Arc::new(answer)).error().is_none()
    };
    let token = |bytes| json!({"status": "SUCCESS", "session_token": "x".repeat(bytes)});
    let longest = kind("header token");
    assert!(leads_on(&endpoints::LOGIN_WECHAT_MINI_PROGRAM, token(longest)));
    assert!(!leads_on(&endpoints::LOGIN_WECHAT_MINI_PROGRAM, token(longest + 1)));

    let key: Value = serde_json::from_str(support::PUBLIC_KEY).unwrap();
    let pem = key["public_key"].as_str().unwrap();
    let key = |bytes: usize| json!({"public_key": format!("{}{pem}", "x".repeat(bytes - pem.len()))});
    let longest = kind("public key");
    assert!(leads_on(&endpoints::PUBLIC_KEY, key(longest)));
    assert!(!leads_on(&endpoints::PUBLIC_KEY, key(longest + 1)));
}

/// The times of the reference are the defaults of the builders.
#[cfg(all(feature = "ureq", feature = "verify"))]
#[test]
fn the_time_limits_are_the_defaults() {
    use idaas_login::{IdTokenVerifier, KeyCache, UreqTransport};
    let client = support::client(support::always(200, ""));
    let printed = [
        ("UreqTransportBuilder", format!("{:?}", UreqTransport::builder())),
        ("KeyCacheBuilder", format!("{:?}", KeyCache::builder(&client))),
        ("IdTokenVerifier", format!("{:?}", IdTokenVerifier::new(&client).unwrap())),
    ];
    let mut compared = BTreeSet::new();
    for limit in TIME_LIMITS.iter().filter(|limit| limit.whose == "client") {
        let of = limit.setting.and_then(|setting| setting.split_once("::")).unwrap().0;
        let (_, printed) = printed.iter().find(|(name, _)| *name == of).unwrap_or_else(|| panic!("{of}"));
        let said = format!("{}: {}s", limit.name, limit.seconds.unwrap());
        assert!(printed.split([',', '{', '}']).any(|part| part.trim() == said), "{said} is not in {printed}");
        compared.insert(of);
    }
    assert_eq!(compared.len(), printed.len());
}

/// Every stage that a row leads to is one that a response of the reference leads to.
#[test]
fn every_stage_is_reached() {
    for stage in flow().stages {
        assert!(stage.name == "Client" || !stage.reached_by.is_empty(), "nothing leads to {}", stage.name);
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
            set("/responses/0/http_status", json!(1.5)),
            "/responses/0/http_status: number, not [\"integer\",\"null\"]",
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
            "/: the schema's keyword pattern is not checked: teach the check of schemas",
        ),
        (json!({"$ref": "#/$defs/none"}), "/: the schema lacks \"#/$defs/none\""),
    ] {
        assert_eq!(reference::schema::errors(&schema, &json!("b")), [error]);
    }
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
fn links_lead_somewhere() {
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
    }
}

/// A Chinese page may be behind its English one, which `cargo xtask translations --check` lists. Its code may not.
#[test]
fn translations_have_the_code_of_their_pages() {
    assert!(translations::pages().len() >= 8, "only {:?} were found", translations::pages());
    let wrong = translations::wrong().join("\n");
    assert!(wrong.is_empty(), "`cargo xtask translations` copies the code blocks:\n{wrong}");
}

#[test]
fn translations_are_compared_in_code_alone() {
    let english = "one\n```rust\na();\n```\n| `b` | two |\n<!-- part -->\n| `c` | |\n<!-- /part -->\n";
    let same = "一\n```rust\na();\n```\n| 二 `b` | |\n<!-- part -->\n<!-- /part -->\n";
    assert_eq!(translations::differences(same, english, true), [""; 0]);
    let other = same.replace("a();", "A();").replace("`b`", "`B`");
    let block = "code block 1 is not the English one".to_owned();
    assert_eq!(translations::differences(&other, english, false), std::slice::from_ref(&block));
    let row = "a row of a table has {\"B\"}, and in English {\"b\"}".to_owned();
    assert_eq!(translations::differences(&other, english, true), [block, row]);
    let without = "一\n| `b` | |\n";
    assert_eq!(translations::differences(without, english, true), ["0 code blocks, and 1 in English"]);
}

#[test]
fn the_code_of_the_mini_program_page_is_that_of_the_example() {
    let strangers = mini_program::strangers().join("\n");
    assert!(strangers.is_empty(), "{strangers}");
}

/// What the table in CONTRIBUTING.md replaced does not slip back into the documents.
#[test]
fn replaced_terms_stay_away() {
    let found = words::found().join("\n");
    assert!(found.is_empty(), "CONTRIBUTING.md, Words, has the terms to use:\n{found}");
    let terms = ["an answer".to_owned()];
    assert_eq!(words::found_in("It is an\nAnswer.", &terms), terms);
    assert_eq!(words::found_in("`an answer`, ```\nan answer\n``` and an `x` answer", &terms), [""; 0]);
}

/// The targets of the packages of a workspace, as cargo knows them: kind, name and the folder of the source.
fn targets(manifest: &str) -> BTreeSet<(String, String, PathBuf)> {
    let output = support::cargo()
        .args(["metadata", "--no-deps", "--offline", "--format-version=1", "--manifest-path", manifest])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut targets = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        for target in package["targets"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let folder = PathBuf::from(text(&target["src_path"])).parent().unwrap().to_owned();
            targets.insert((text(&target["kind"][0]), text(&target["name"]), folder));
        }
    }
    targets
}

/// Each cargo command of a document names tests, modules of tests and examples that exist.
#[test]
fn commands_name_what_exists() {
    if !cfg!(all(feature = "ureq", feature = "verify", feature = "seal")) {
        // The tests of what is left out are not there.
        return;
    }
    let (own, peers) = (targets("Cargo.toml"), targets("peers/Cargo.toml"));
    let list = Command::new(std::env::current_exe().unwrap()).arg("--list").output().unwrap();
    let listed = String::from_utf8(list.stdout).unwrap();
    let mut seen = 0;
    for (file, text) in markdown() {
        for command in text.split(['`', '\n']).filter(|piece| piece.contains("cargo ")) {
            let words: Vec<_> = command.split_whitespace().take_while(|word| *word != "#").collect();
            for (at, pair) in words.windows(2).enumerate() {
                let kind = pair[0].trim_start_matches("--");
                if !["--test", "--example", "--bench"].contains(&pair[0]) {
                    continue;
                }
                let known = if words.contains(&"peers/Cargo.toml") { &peers } else { &own };
                let found = known.iter().find(|(of, name, _)| of == kind && name == pair[1]);
                let found =
                    found.unwrap_or_else(|| panic!("{}: {command}: no {kind} {}", file.display(), pair[1]));
                // What this very program runs it can list.
                if let Some(filter) =
                    words.get(at + 2).filter(|word| found.1 == "api" && !word.starts_with('-'))
                {
                    let there = listed.lines().any(|test| test.contains(*filter));
                    assert!(there, "{}: {command}: no test is named {filter}", file.display());
                }
                seen += 1;
            }
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

/// Each command of a document is run: by the gate or a long run, which may go on behind it or use another number, or, for the
/// test of a name, by the test command that the gate runs.
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
        ("SCREENSHOTS=docs/screenshots bash tests/browser/run", ".ci/long", "SCREENSHOTS="),
    ];
    let gate = format!("{}\n{}", read(".ci/run"), read(".ci/long"));
    let lines = gate.lines().map(|line| line.trim().trim_start_matches("run ").trim_end_matches(" \\"));
    let gated: BTreeSet<_> = lines.filter(|line| is_command(line)).map(plain).collect();
    assert!(gated.contains("cargo test"), "{gated:#?}");
    let mut seen = BTreeSet::new();
    for (file, text) in markdown() {
        for command in text.split(['`', '\n']).map(str::trim).filter(|piece| is_command(piece)) {
            let command = plain(command);
            let words: Vec<_> = command.split(' ').collect();
            let runs = match words[..] {
                ["cargo", "test", "--test", ..] => true,
                ["bash", ".ci/long", ref names @ ..] => {
                    names.iter().all(|name| gate.contains(&format!("\n{name}() {{")))
                }
                // The same tests, which write their snapshots.
                ["INSTA_UPDATE=always", "cargo", "test", ..] => gate.contains("INSTA_UPDATE=always"),
                // The gate goes through the names of these.
                ["cargo", "run", "--example", "walkthrough" | "async_backend"] => {
                    gate.contains("cargo run --quiet --example \"$example\"")
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
