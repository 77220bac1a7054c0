//! What all the answers together say, whatever was asked.

use std::collections::{BTreeMap, BTreeSet};

use idaas_login::ErrorClass;

use super::record::{Exchange, Form, Shape};
use super::report::Findings;

const DOCUMENTED: [&str; 8] = [
    "SUCCESS",
    "SUCCES",
    "SOCIAL_BIND",
    "USER_REGISTER",
    "MFA_AUTH",
    "PASSWORD_WARN",
    "PASSWORD_EXPIRED",
    "ACCESS_DENIED",
];

/// Notes what every response of the API shows.
pub fn scan(answers: &[Exchange], findings: &mut Findings) {
    let with_status: Vec<_> = answers.iter().filter(|answer| answer.form("status").is_some()).collect();
    let logins: Vec<_> =
        with_status.iter().copied().filter(|answer| answer.refusal.is_none() && answer.is_ok()).collect();
    let successes: Vec<_> = logins
        .iter()
        .copied()
        .filter(|answer| matches!(answer.status.as_deref(), Some("SUCCESS" | "SUCCES")))
        .collect();
    if !logins.is_empty() {
        white_space(&logins, findings);
        statuses(&logins, findings);
    }
    if !successes.is_empty() {
        sessions(&successes, findings);
    }
    data(&logins, findings);
    if !answers.is_empty() {
        codes(answers, findings);
        broken(answers, findings);
    }
}

fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().collect::<Vec<_>>().join(", ")
}

fn white_space(logins: &[&Exchange], findings: &mut Findings) {
    let fields = logins.iter().flat_map(|answer| answer.fields());
    let spaced: BTreeSet<_> = fields
        .filter(|field| matches!(field.form, Form::Text { spaced: true, .. }))
        .map(|field| field.name.as_str())
        .collect();
    let seen = if spaced.is_empty() { "none".to_owned() } else { format!("around {}", list(spaced)) };
    findings.as_decided("D1", seen);
}

fn statuses(logins: &[&Exchange], findings: &mut Findings) {
    let seen: BTreeSet<_> =
        logins.iter().map(|answer| answer.status.as_deref().unwrap_or("(one that is not printed)")).collect();
    let unknown: Vec<_> = seen.iter().copied().filter(|status| !DOCUMENTED.contains(status)).collect();
    if unknown.is_empty() {
        findings.as_decided("D12", list(seen));
    } else {
        findings.differs("D12", format!("undocumented: {}", list(unknown)));
    }
}

fn sessions(successes: &[&Exchange], findings: &mut Findings) {
    for answer in successes {
        findings.as_decided("D2", answer.status.as_deref().unwrap_or_default());
        let session = matches!(answer.form("session_token"), Some(Form::Text { length: 1.., .. }));
        if session {
            findings.as_decided("D10", "in each");
        } else {
            findings.differs("D10", "a SUCCESS without session_token");
        }
        match answer.form("expire") {
            Some(form @ (Form::Integer | Form::Decimal | Form::Text { known: Some(_), .. })) => {
                findings.as_decided("D9", form.to_string());
            }
            None => findings.as_decided("D9", "absent, which means unknown"),
            Some(form) => findings.differs("D9", format!("{form}, which means unknown")),
        }
    }
    let there =
        successes.iter().filter(|answer| matches!(answer.form("id_token"), Some(Form::Text { .. }))).count();
    findings.as_decided(
        "D8",
        match there {
            0 => "in none",
            all if all == successes.len() => "in each",
            _ => "in some",
        },
    );
}

fn data(logins: &[&Exchange], findings: &mut Findings) {
    for answer in logins {
        let Some(status) = answer.status.as_deref() else { continue };
        let id = match status {
            "SOCIAL_BIND" | "USER_REGISTER" => "D4",
            "PASSWORD_WARN" => "D24.warn",
            "PASSWORD_EXPIRED" => "D24.expired",
            _ => continue,
        };
        match answer.form("data") {
            None => findings.as_decided(id, format!("absent with {status}")),
            Some(Form::Null) => findings.as_decided(id, format!("null with {status}")),
            Some(form @ Form::Text { known: Some(known), .. }) if known.starts_with("JSON,") => {
                findings.as_decided(id, format!("{form} with {status}"));
            }
            Some(form) => findings.differs(id, format!("{form} with {status}, which means unspecified")),
        }
    }
}

fn codes(answers: &[Exchange], findings: &mut Findings) {
    let refusals: BTreeMap<_, _> = answers
        .iter()
        .filter_map(|answer| answer.refusal.as_ref().map(|(code, class)| (code, class)))
        .collect();
    let undocumented: Vec<_> = refusals
        .iter()
        .filter(|(_, class)| ***class == ErrorClass::Unknown)
        .map(|(code, _)| code.as_str())
        .collect();
    if !undocumented.is_empty() {
        findings.differs("D13.codes", format!("undocumented: {}", list(undocumented)));
    } else if !refusals.is_empty() {
        findings.as_decided("D13.codes", list(refusals.keys().map(|code| code.as_str())));
    }
    for answer in answers {
        if answer.refusal.as_ref().is_some_and(|(code, _)| code == "SDK.COMMON.1008") {
            match answer.http_status {
                500 => findings.as_decided("C.busy", "HTTP 500"),
                other => findings.differs("C.busy", format!("HTTP {other}")),
            }
        }
    }
}

/// Responses that say too much, too little or nothing that can be read.
fn broken(answers: &[Exchange], findings: &mut Findings) {
    for answer in answers {
        if let Shape::Fields { twice, .. } = &answer.body
            && !twice.is_empty()
        {
            let names = list(twice.iter().map(String::as_str));
            findings.differs("C.twice", format!("{}: {names}", answer.request));
        }
        if matches!(&answer.body, Shape::Fields { utf8: false, .. }) {
            findings.differs("C.encoding", answer.request.clone());
        }
        if answer.http_status >= 500 {
            match &answer.refusal {
                Some(_) => findings.as_decided("D16", answer.brief()),
                None => findings.as_decided("D16", format!("HTTP {} without error code", answer.http_status)),
            }
        }
        let error = !(200..300).contains(&answer.http_status) || answer.form("error_code").is_some();
        let token = |name| matches!(answer.form(name), Some(Form::Text { .. }));
        let success = token("session_token") || token("state_token") || answer.says_that_it_went_on();
        if error && success {
            findings.differs("C.contradiction", format!("{}: {}", answer.request, answer.brief()));
        }
    }
    for id in ["C.twice", "C.encoding", "C.contradiction"] {
        if !findings.knows(id) {
            findings.as_decided(id, if id == "C.encoding" { "each is" } else { "none" });
        }
    }
}
