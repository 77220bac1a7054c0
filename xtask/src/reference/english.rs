//! The words of the English documents.

use idaas_login::ErrorClass;
use idaas_login::codes::Evidence;
use idaas_login::emulator::reserved::ReservedKind;

use super::errors::{Advice, Language};

pub const ENGLISH: Language = Language {
    title: "Error codes",
    introduction: INTRODUCTION,
    text: |text| text,
    advice,
    section: |class, held, Advice { tell, act, .. }| {
        format!(
            "\n## {class:?}\n\nPrinted as “{class}”.\n\n- You hold: {held}\n- Tell the user: {tell}\n- What to do: {act}\n\n"
        )
    },
    columns: ["code", "what happened", "edition", "known"],
    fix_column: "what to set or fix",
    list_separator: ", ",
    full_stop: ". ",
    colon: ": ",
    evidence: [
        (Evidence::Documented, "documented"),
        (Evidence::SeenInProduction, "seen in production"),
        (Evidence::Inferred, "inferred"),
    ],
    held: [
        ("Retry", "the stage, `Recovery::Retry`"),
        ("Unresolved", "an unresolved step, `Recovery::Unresolved`"),
        ("StartOver", "nothing of this login, `Recovery::StartOver`"),
    ],
    with_http_5xx: "; with HTTP 5xx ",
    side_calls: ["After a side call the stage is over, too.", "A side call leaves the stage with you."],
    http_status: |http_status| format!(" HTTP {http_status}."),
    if_state_token_named: " If the message names the state token, the class is `DeadToken` (D13, D26).",
    reserved_columns: ["reserved", "value", "outcome"],
    reserved_kinds: [
        (ReservedKind::Mobile, "mobile number"),
        (ReservedKind::VerifyCode, "verification code"),
    ],
    steps_columns: ["stage", "reached by", "steps"],
};

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

fn advice(class: ErrorClass) -> Advice {
    let (name, tell, act) = match class {
        ErrorClass::WrongInput => (
            "",
            "What was wrong, and ask again. `message()` is in the user's language. For a password show `attempts_left()`: each \
             attempt counts against the account everywhere.",
            "Take the step again with other input.",
        ),
        ErrorClass::NewCaptcha => {
            ("", "Show a new captcha.", "Call `captcha` and `solve` again. A captcha is good for one try.")
        }
        ErrorClass::DeadToken => (
            "",
            "“That took too long. Please log in again.”",
            "Start over, with a new code of the platform. If a step before was unresolved, it was probably carried out.",
        ),
        ErrorClass::RenewIdToken => (
            "",
            "Nothing: the session is still good.",
            "Call `renew_id_token`, and repeat the call with the new identity token. This is not “log in again”.",
        ),
        ErrorClass::StaleSignature => (
            "",
            "Nothing.",
            "Call `prepare_signature`, which fetches the server's time and key again, and repeat the step. If it \
             lasts, check the clock.",
        ),
        ErrorClass::Locked => (
            "",
            "How long to wait: `unlocks_in()`, else `message()`. Or offer another login method.",
            "Do not try again before: a further attempt may prolong the lock. The state token may end first.",
        ),
        ErrorClass::Configuration => (
            "",
            "“Logging in does not work just now.” No input of the user helps.",
            "Tell the operator. The last column has what to set or fix.",
        ),
        ErrorClass::Server => (
            "",
            "“Please try again later.”",
            "Take the step again after a pause. A first login takes a fresh code of the platform.",
        ),
        other => panic!("the list of error codes: no words for {other:?}: add them to advice()"),
    };
    Advice { name, tell, act }
}
