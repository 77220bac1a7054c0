//! The list of error codes, and the reserved values of the emulator, in Markdown.

use std::fmt::Write as _;

use idaas_login::ErrorClass;
use idaas_login::codes::{self, EditionKind, Evidence, KnownCode};
use idaas_login::emulator::reserved::{self, ReservedKind};

use super::answers;
use super::markdown::GENERATED;

const INTRODUCTION: &str = "
Every error code of the API that is known, from the table `idaas_login::codes`. Search this page for the code in your log. What a
code means for your program is its class, `refusal.code().class()`; what else can fail is in [failure]. The [glossary] explains the
terms.

- There are three families: `SDK.*` is EIAM, `IDAAS.SDK.*` is CIAM and EIAM's pages for mini programs, and codes without either
  are OneAccess. The same number means different things in them, so codes are compared whole.
- *Documented*: a public page prints the code. *Seen in production*: a client in production use relies on it. *Inferred*: the
  code, its number or its prefix is concluded from other pages. CIAM and OneAccess are taken for one list, with and without
  prefix: D25 in the [decisions].
- A code that is not here has the class `ErrorClass::Unknown`.
- Error codes come with HTTP 400 unless the table says otherwise. What you hold does not depend on it, except where it says so.

[decisions]: decisions.md
[failure]: failure.md
[glossary]: glossary.md
";

/// What a class comes to: what to tell the user, and what the program or its operator does.
fn advice(class: ErrorClass) -> (&'static str, &'static str) {
    match class {
        ErrorClass::WrongInput => (
            "What was wrong, and ask again. `message()` is in the user's language. For a password show `attempts_left()`: each \
             attempt counts against the account everywhere.",
            "Take the step again with other input.",
        ),
        ErrorClass::NewCaptcha => {
            ("Show a new captcha.", "Call `captcha` and `solve` again. A captcha is good for one try.")
        }
        ErrorClass::DeadToken => (
            "“That took too long. Please log in again.”",
            "Start over, with a new code of the platform. If a step before was unresolved, it was probably carried out.",
        ),
        ErrorClass::RenewIdToken => (
            "Nothing: the session is still good.",
            "Call `renew_id_token`, and repeat the call with the new identity token. This is not “log in again”.",
        ),
        ErrorClass::StaleSignature => (
            "Nothing.",
            "Call `prepare_signature`, which fetches the server's time and key again, and repeat the step. If it lasts, check the clock.",
        ),
        ErrorClass::Locked => (
            "How long to wait: `unlocks_in()`, else `message()`. Or offer another login method.",
            "Do not try again before: a further attempt may prolong the lock. The state token may end first.",
        ),
        ErrorClass::Configuration => (
            "“Logging in does not work just now.” No input of the user helps.",
            "Tell the operator. The last column has what to set or fix.",
        ),
        ErrorClass::Server => (
            "“Please try again later.”",
            "Take the step again after a pause. A first login takes a fresh code of the platform.",
        ),
        other => panic!("the list of error codes: no words for {other:?}: add them to advice()"),
    }
}

pub fn evidence(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Documented => "documented",
        Evidence::SeenInProduction => "seen in production",
        Evidence::Inferred => "inferred",
        other => panic!("the list of error codes: no words for {other:?}"),
    }
}

pub fn edition(edition: EditionKind) -> &'static str {
    match edition {
        EditionKind::Ciam => "CIAM",
        EditionKind::Eiam => "EIAM",
        EditionKind::OneAccess => "OneAccess",
        other => panic!("the list of error codes: no name for {other:?}"),
    }
}

/// `docs/errors.md`.
pub fn document() -> String {
    let mut text = format!("# Error codes\n\n{GENERATED}{INTRODUCTION}");
    for class in ErrorClass::ALL.iter().copied() {
        let mut rows: Vec<&KnownCode> =
            codes::ALL.iter().copied().filter(|known| known.class == class).collect();
        rows.sort_by_key(|known| known.code);
        let Some(first) = rows.first() else { continue };
        let (tell, act) = advice(class);
        write!(
            text,
            "\n## {class:?}\n\nPrinted as “{class}”.\n\n- You hold: {}\n- Tell the user: {tell}\n- What to do: {act}\n\n",
            holds(first)
        )
        .unwrap();
        let fixes = rows.iter().any(|known| known.fix.is_some());
        let (head, line) = if fixes { (" what to set or fix |", "---|") } else { ("", "") };
        writeln!(text, "| code | what happened | edition | known |{head}\n|---|---|---|---|{line}").unwrap();
        for known in rows {
            let editions: Vec<_> = known.editions.iter().copied().map(edition).collect();
            let fix = if fixes { format!(" {} |", known.fix.unwrap_or_default()) } else { String::new() };
            writeln!(
                text,
                "| `{}` | {}{} | {} | [{}]({}) |{fix}",
                known.code,
                known.meaning,
                exceptions(known),
                editions.join(", "),
                evidence(known.evidence),
                known.page,
            )
            .unwrap();
        }
    }
    text
}

/// What the caller of a step holds, as the library gives it.
fn holds(known: &KnownCode) -> String {
    let in_words = |recovery: &str| match recovery {
        "Retry" => "the stage, `Recovery::Retry`",
        "Unresolved" => "an unresolved step, `Recovery::Unresolved`",
        "StartOver" => "nothing of this login, `Recovery::StartOver`",
        other => panic!("the list of error codes: no words for {other}"),
    };
    let (_, http_400, http_500) = answers::refused(known.code, "");
    let side_calls = match http_400 {
        "StartOver" => "After a side call the stage is over, too.",
        _ => "A side call leaves the stage with you.",
    };
    if http_400 == http_500 {
        format!("{}. {side_calls}", in_words(http_400))
    } else {
        format!("{}; with HTTP 5xx {}. {side_calls}", in_words(http_400), in_words(http_500))
    }
}

fn exceptions(known: &KnownCode) -> String {
    let mut text = String::new();
    if known.http_status != 400 {
        write!(text, " HTTP {}.", known.http_status).unwrap();
    }
    if known.dead_if_state_token_named {
        text.push_str(" If the message names the state token, the class is `DeadToken` (D13, D26).");
    }
    text
}

/// The reserved values of the emulator.
pub fn reserved() -> String {
    let mut text = String::from("| reserved | value | outcome |\n|---|---|---|\n");
    for value in reserved::ALL {
        let kind = match value.kind {
            ReservedKind::Mobile => "mobile number",
            ReservedKind::VerifyCode => "verification code",
            other => panic!("the reserved values: no words for {other:?}"),
        };
        writeln!(text, "| {kind} | `{}` | `{:?}`: {} |", value.value, value.outcome, value.meaning).unwrap();
    }
    text
}
