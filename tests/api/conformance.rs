//! The conformance vectors: the library agrees with each of them, and with none that is altered.

use std::collections::BTreeSet;
use std::fs;

use idaas_login::endpoints::{self, EditionKind};
use serde_json::Value;
use support::conformance::{Kind, complete};
use support::root;
use xtask::conformance::{FOLDER, path};
use xtask::reference::schema;

fn file(kind: Kind) -> Value {
    serde_json::from_slice(&fs::read(path(kind)).unwrap()).unwrap()
}

fn vectors(file: &Value) -> &[Value] {
    file["vectors"].as_array().unwrap()
}

fn id(vector: &Value) -> &str {
    vector["id"].as_str().unwrap()
}

/// Without the feature `verify` nobody reads identity tokens.
fn kinds() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(|kind| cfg!(feature = "verify") || *kind != Kind::IdTokens)
}

#[test]
fn the_library_agrees_with_every_vector() {
    for kind in kinds() {
        let file = file(kind);
        for vector in vectors(&file) {
            assert_eq!(complete(kind, &file, vector), *vector, "{}: {}", kind.name(), id(vector));
        }
    }
}

#[test]
fn every_file_has_the_form_of_its_schema() {
    for kind in Kind::ALL {
        let schema = root().join(FOLDER).join(format!("{}.schema.json", kind.name()));
        let schema: Value = serde_json::from_slice(&fs::read(schema).unwrap()).unwrap();
        let wrong = schema::errors(&schema, &file(kind));
        assert!(wrong.is_empty(), "{}: {:#?}", kind.name(), &wrong[..wrong.len().min(20)]);
    }
}

#[test]
fn ids_are_unique_and_there_are_enough_vectors() {
    for (kind, least) in [
        (Kind::Requests, 150),
        (Kind::RefusedInputs, 200),
        (Kind::Responses, 1500),
        (Kind::IdTokens, 200),
        (Kind::Chains, 40),
    ] {
        let file = file(kind);
        let ids: BTreeSet<_> = vectors(&file).iter().map(id).collect();
        assert_eq!(ids.len(), vectors(&file).len(), "{}", kind.name());
        assert!(ids.len() >= least, "{}: {}", kind.name(), ids.len());
    }
}

/// Each row of the table in each edition: sent, or refused because the edition does not have it.
#[test]
fn every_row_has_a_vector_in_every_edition() {
    let (requests, refused) = (file(Kind::Requests), file(Kind::RefusedInputs));
    let ids = |file| vectors(file).iter().map(id).collect::<BTreeSet<_>>();
    let (requests, refused) = (ids(&requests), ids(&refused));
    for row in endpoints::ALL {
        for edition in EditionKind::ALL {
            let name = format!("{edition}/{}.{}", row.from, row.step);
            let is_there = match row.in_edition(*edition) {
                Some(_) => requests.contains(name.as_str()),
                None => refused.contains(format!("unsupported/{name}").as_str()),
            };
            assert!(is_there, "{name}: cargo xtask conformance");
        }
    }
}

/// Each step of the text is a place in the code.
#[test]
fn the_steps_of_the_text_are_in_the_code() {
    let text = xtask::files::read("docs/reading-responses.md");
    let code: String = ["src/wire/responses.rs", "src/stage/step.rs", "src/stage/outcome.rs", "src/call.rs"]
        .map(xtask::files::read)
        .concat();
    let is_there = |text: &str, mark: &str| text.contains(mark);
    for number in 1..=11 {
        assert!(
            is_there(&text, &format!("**Step {number}. ")),
            "docs/reading-responses.md: no step {number}"
        );
        let marks = [format!("// Step {number}:"), format!("// Step {number} of")];
        assert!(marks.iter().any(|mark| is_there(&code, mark)), "no comment names step {number}");
    }
    assert!(!is_there(&text, "**Step 12."));
}

/// Every altered leaf of what comes out is noticed, and so is what goes in.
#[test]
fn a_vector_that_is_altered_fails() {
    for kind in kinds() {
        let file = file(kind);
        let all = vectors(&file);
        let comes_out = match kind {
            Kind::Requests => "/request",
            Kind::RefusedInputs => "/refused",
            Kind::Responses | Kind::IdTokens => "/then",
            Kind::Chains => "/links/0/then",
        };
        for vector in all.iter().step_by(all.len().div_ceil(30)) {
            let mut leaves = Vec::new();
            leaves_of(vector.pointer(comes_out).unwrap(), comes_out, &mut leaves);
            assert!(!leaves.is_empty(), "{}", id(vector));
            for leaf in leaves {
                let mut altered = vector.clone();
                let value = altered.pointer_mut(&leaf).unwrap();
                *value = match &*value {
                    Value::String(text) => format!("{text}x").into(),
                    Value::Null => "x".into(),
                    _ => Value::Null,
                };
                assert_ne!(complete(kind, &file, &altered), altered, "{}: {leaf}", id(vector));
            }
        }
    }
    // What goes in.
    for (kind, vector, pointer, value) in [
        (Kind::Requests, "CIAM/PendingBind.username_password", "/inputs/user_name", "lisi"),
        (Kind::Requests, "CIAM/PendingBind.username_password", "/from/holds/state_token", "another"),
        (Kind::Requests, "CIAM/Unauthenticated.wechat_mini_program", "/client/edition", "OneAccess"),
        (Kind::RefusedInputs, "Unauthenticated.qq/open_id/empty", "/inputs/open_id", "o"),
        (Kind::Responses, "step/recovery/dead-token-http-400", "/response/body", "{}"),
        (Kind::Responses, "step/recovery/dead-token-http-400", "/reading", "registered_mobile"),
        (Kind::Chains, "token/the-newest-counts", "/links/1/response/body", "{}"),
    ] {
        let file = file(kind);
        let mut altered = vectors(&file).iter().find(|one| id(one) == vector).unwrap().clone();
        *altered.pointer_mut(pointer).unwrap() = value.into();
        assert_ne!(complete(kind, &file, &altered), altered, "{vector}: {pointer}");
    }
}

fn leaves_of(value: &Value, at: &str, leaves: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                leaves_of(member, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), leaves);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                leaves_of(item, &format!("{at}/{index}"), leaves);
            }
        }
        _ => leaves.push(at.to_owned()),
    }
}
