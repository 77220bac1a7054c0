//! The flow as data.

use std::collections::{BTreeMap, BTreeSet};

use idaas_login::codes;
use idaas_login::endpoints::{
    self, Credential, EditionKind, Endpoint, FieldKind, Narrowing, Source, StageKind,
};
use idaas_login::{Edition, ErrorClass};

use super::responses::{self, Code, Meaning, RESPONSES};
use support;

pub struct Flow {
    pub stages: Vec<Stage>,
    pub codes: Vec<Code>,
    pub headers: Vec<Header>,
    pub decisions: Vec<Decision>,
}

/// A type of stage: `VerifyPhone` is one, whatever it was narrowed from.
pub struct Stage {
    pub name: String,
    pub kinds: Vec<StageKind>,
    pub about: &'static About,
    /// What leads here.
    pub reached_by: Vec<String>,
    pub steps: Vec<Step>,
}

/// What the table does not say of a stage.
pub struct About {
    pub summary: &'static str,
    /// The methods that give what it holds.
    pub holds: &'static [&'static str],
}

/// A method of a stage.
pub struct Step {
    pub from: StageKind,
    pub name: &'static str,
    pub does: Does,
    pub decisions: &'static [&'static str],
}

pub enum Does {
    Sends(Sends),
    /// Nothing is sent.
    Narrows(&'static Narrowing),
}

pub struct Sends {
    pub row: &'static Endpoint,
    /// The header that carries the token, by edition. Of an edition that does not have the step it is the one that is sent if the
    /// client has a path for it.
    pub token_header: [Option<String>; 4],
    pub gives: Option<&'static str>,
    /// By [`RESPONSES`].
    pub meanings: Vec<Meaning>,
}

/// A header that every request carries.
pub struct Header {
    pub name: String,
    pub what: &'static str,
    /// What each edition sends: a fixed value, or that it is there.
    pub by_edition: [Option<String>; 4],
    pub decisions: &'static [&'static str],
}

pub struct Decision {
    pub id: String,
    pub title: String,
    /// The steps, responses and headers that rest on it.
    pub applies_to: Vec<String>,
}

/// The columns of what the editions send: their names, and OneAccess with a tenant id.
pub const EDITIONS: [&str; 4] = ["CIAM", "EIAM", "OneAccess", "OneAccessIsv"];

pub fn editions() -> [Edition; 4] {
    let isv = Edition::OneAccessIsv { tenant_id: "8f1c2a".to_owned() };
    [Edition::Ciam, Edition::Eiam, Edition::OneAccess, isv]
}

/// What the kinds of field are for, and the decisions on them.
pub const FIELD_KINDS: &[(FieldKind, &str, &str, &[&str])] = &[
    (
        FieldKind::Code,
        "code",
        "white space around it is cut off; an empty one is refused before anything is sent",
        &["D1"],
    ),
    (
        FieldKind::PlatformCode,
        "platform code",
        "as a code; it is spent once the API has answered, whatever the response",
        &["D1"],
    ),
    (
        FieldKind::PlatformOpaque,
        "opaque platform code",
        "as opaque; it is taken to be spent once the API has answered, whatever the response",
        &["D1"],
    ),
    (
        FieldKind::Text,
        "text",
        "sent exactly as given; empty or with a control character, it is refused before anything is sent",
        &["D1", "D19"],
    ),
    (
        FieldKind::Opaque,
        "opaque",
        "sent exactly as given; an empty one is refused before anything is sent",
        &["D1"],
    ),
    (
        FieldKind::Date,
        "date",
        "`yyyy-MM-dd`; what is no day of the calendar is refused before anything is sent",
        &["D34"],
    ),
    (
        FieldKind::Object,
        "JSON object",
        "written as it is; what is no object is refused before anything is sent",
        &["D34"],
    ),
    (FieldKind::SendType, "send type", "follows from the stage; no input", &[]),
];

pub fn field_kind(kind: FieldKind) -> &'static str {
    let found = FIELD_KINDS.iter().find(|(known, ..)| *known == kind);
    found.unwrap_or_else(|| panic!("the reference: no words for {kind:?}: add them to FIELD_KINDS")).1
}

/// The name of a stage's type without what it was narrowed from.
pub fn base(kind: StageKind) -> String {
    let name = kind.to_string();
    name.split_once('<').map_or(name.as_str(), |(base, _)| base).to_owned()
}

fn about(kind: StageKind) -> &'static About {
    match kind {
        StageKind::Client => &About {
            summary: "No stage: a tenant, an application and a transport. `login(device)` begins a login and sends nothing.",
            holds: &["edition"],
        },
        StageKind::Captcha => &About {
            summary: "No stage: a picture with a hole. Its solution gives the pass that is required before a code is sent.",
            holds: &["picture", "piece", "words", "token", "secret_key"],
        },
        StageKind::Unauthenticated => {
            &About { summary: "Nothing has happened yet.", holds: &["client", "device"] }
        }
        StageKind::Registration => &About {
            summary: "An account is about to be registered, by a number or an address and a code.",
            holds: &["client", "device", "attributes"],
        },
        StageKind::PasswordReset => &About {
            summary: "A forgotten password is about to be replaced, by a number or an address and a code.",
            holds: &["client", "device"],
        },
        StageKind::PendingBind => &About {
            summary: "The identity is known to no account: an existing one must be bound.",
            holds: &["client", "device", "state_token", "allowed_flows"],
        },
        StageKind::PendingRegister => &About {
            summary: "The identity is known to no account: one must be bound, and is registered if there is none.",
            holds: &["client", "device", "state_token", "allowed_flows"],
        },
        StageKind::MfaRequired => &About {
            summary: "The first factor was right, and the tenant asks for a second.",
            holds: &["client", "device", "state_token", "data"],
        },
        StageKind::PasswordExpiring => &About {
            summary: "The password was right, and expires soon: it can be changed or kept.",
            holds: &["client", "device", "state_token", "policy", "data"],
        },
        StageKind::PasswordExpired => &About {
            summary: "The password was right, and must be changed.",
            holds: &["client", "device", "state_token", "policy", "data"],
        },
        StageKind::VerifyPhone(_) => &About {
            summary: "A stage `S`, narrowed to a mobile number: what is missing is the code that comes by SMS.",
            holds: &["client", "device", "destination"],
        },
        StageKind::VerifyEmail(_) => &About {
            summary: "A stage `S`, narrowed to an e-mail address: what is missing is the code that comes by e-mail.",
            holds: &["client", "device", "destination"],
        },
        StageKind::Authenticated => &About {
            summary: "The login is finished: there is a session.",
            holds: &["client", "device", "session_token", "expires_in", "expires_at", "id_token"],
        },
        other => {
            panic!("the reference: nothing is said about the stage {other}: add it to about()")
        }
    }
}

/// The order of the stages in every document: the way through a login, and at the end what has no state.
const ORDER: [&str; 13] = [
    "Unauthenticated",
    "Registration",
    "PasswordReset",
    "PendingBind",
    "PendingRegister",
    "MfaRequired",
    "PasswordExpiring",
    "PasswordExpired",
    "VerifyPhone",
    "VerifyEmail",
    "Authenticated",
    "Client",
    "Captcha",
];

impl Flow {
    /// From the endpoint table, the library, and the text of `docs/decisions.md`.
    pub fn new(decisions: &str) -> Self {
        let mut stages = stages();
        for stage in &mut stages {
            stage.reached_by = reached_by(&stage.name);
        }
        let mut flow = Self { stages, codes: responses::codes(), headers: headers(), decisions: Vec::new() };
        flow.decisions = flow.decided(decisions);
        flow
    }

    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.stages.iter().flat_map(|stage| &stage.steps)
    }

    /// The steps that send something, sorted by what their responses mean: all of a group read them alike.
    pub fn readings(&self) -> Vec<Vec<(&Step, &Sends)>> {
        let mut groups: Vec<Vec<(&Step, &Sends)>> = Vec::new();
        for step in self.steps() {
            let Does::Sends(sends) = &step.does else { continue };
            match groups.iter_mut().find(|group| group[0].1.meanings == sends.meanings) {
                Some(group) => group.push((step, sends)),
                None => groups.push(vec![(step, sends)]),
            }
        }
        groups
    }

    /// The decisions that are written down, with what rests on them. One that nothing rests on, or that is not written
    /// down, is an error.
    fn decided(&self, text: &str) -> Vec<Decision> {
        let mut used: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut add = |ids: &[&'static str], name: String| {
            for id in ids {
                let names = used.entry(id).or_default();
                if !names.contains(&name) {
                    names.push(name.clone());
                }
            }
        };
        for step in self.steps() {
            add(step.decisions, format!("`{}.{}`", step.from, step.name));
        }
        for shape in RESPONSES {
            add(shape.decisions, format!("the response “{}”", shape.words));
        }
        for header in &self.headers {
            add(header.decisions, format!("the header `{}`", header.name));
        }
        for (_, kind, _, ids) in FIELD_KINDS {
            add(ids, format!("fields of the kind {kind}"));
        }
        for known in codes::ALL {
            let name = || format!("the error code `{}`", known.code);
            let rests = [
                (known.dead_if_state_token_named, "D26"),
                (known.hint.is_some(), "D27"),
                (known.hint == Some(codes::MessageHint::AttemptsLeft), "D28"),
                (known.class == ErrorClass::RenewIdToken, "D44"),
            ];
            for (_, id) in rests.iter().filter(|(rests, _)| *rests) {
                add(&[*id], name());
            }
        }
        add(&["D25"], "the error codes of CIAM and OneAccess".to_owned());
        for row in endpoints::ALL {
            for edition in EditionKind::ALL {
                let name = format!("`{}.{}` in {edition}", row.from, row.step);
                match row.in_edition(*edition).map(|shape| shape.source) {
                    Some(Source::Decision(id)) => add(&[id], name),
                    Some(_) => {}
                    None if *edition == EditionKind::OneAccess
                        && row.fields.iter().any(|field| field.name == "email") =>
                    {
                        add(&["D37", "D51"], name);
                    }
                    None => add(&["D37"], name),
                }
            }
        }
        for (id, what) in [
            ("D45", "a redirect with 303"),
            ("D46", "an error code beside a state token"),
            ("D47", "a state token or session token"),
            ("D48", "an undocumented error code with 5xx"),
            ("D49", "the field `data`"),
            ("D24", "the field `data` of a password stage"),
            ("D40", "a length in `data` of a password stage"),
            ("D41", "the field `data` of a second factor"),
            ("D42", "the tickets of single sign-on"),
            ("D43", "an account that owes a second factor and a new password"),
            ("D55", "`PasswordExpiring.phone`"),
            ("D55", "`PasswordExpiring.email`"),
        ] {
            add(&[id], what.to_owned());
        }
        let written: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("**D"))
            .filter_map(|line| line.split_once("**")?.0.split_once(". "))
            .map(|(number, title)| (format!("D{number}"), title.trim_end_matches('.').to_owned()))
            .collect();
        for (id, by) in &used {
            let is_written = written.iter().any(|(known, _)| known == id);
            assert!(is_written, "docs/decisions.md lacks {id}, which {} rests on", by.join(", "));
        }
        let decision = |(id, title): (String, String)| {
            let applies_to = used.remove(id.as_str()).unwrap_or_else(|| {
                panic!("nothing in the reference rests on {id}: name it at a row of the endpoint table, or in the reference")
            });
            Decision { id, title, applies_to }
        };
        written.into_iter().map(decision).collect()
    }
}

impl Stage {
    fn file_name(&self) -> String {
        let mut name = String::new();
        for letter in self.name.chars() {
            if letter.is_ascii_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(letter.to_ascii_lowercase());
        }
        name
    }

    /// The part that its rustdoc includes.
    pub fn rustdoc_file(&self) -> String {
        format!("docs/stages/{}.md", self.file_name())
    }

    /// The type as it is written in prose: `VerifyPhone<S>`.
    pub fn written(&self) -> String {
        if self.kinds.len() > 1 { format!("{}<S>", self.name) } else { self.name.clone() }
    }
}

fn stages() -> Vec<Stage> {
    let mut kinds: Vec<StageKind> = Vec::new();
    let rows = endpoints::ALL.iter().flat_map(|row| row.leads_to.iter().copied().chain([row.from]));
    for kind in rows.chain(endpoints::NARROWINGS.iter().flat_map(|row| [row.from, row.to])) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    for kind in &kinds {
        let known = ORDER.contains(&base(*kind).as_str());
        assert!(known, "where does the stage {kind} stand? add it to ORDER");
    }
    let stage = |name: &&str| {
        let mut kinds: Vec<_> = kinds.iter().copied().filter(|kind| base(*kind) == *name).collect();
        kinds.sort_by_key(|kind| support::scenario(*kind).map(|scenario| scenario as u8));
        let steps = kinds.iter().flat_map(|kind| steps(*kind)).collect();
        Stage { name: (*name).to_owned(), about: about(kinds[0]), kinds, reached_by: Vec::new(), steps }
    };
    ORDER.iter().map(stage).collect()
}

/// The steps of a stage: what sends, then what does not.
fn steps(kind: StageKind) -> Vec<Step> {
    let sending = endpoints::ALL.iter().copied().filter(|row| row.from == kind).map(|row| Step {
        from: kind,
        name: row.step,
        does: Does::Sends(Sends {
            row,
            token_header: editions().map(|edition| token_header(row, edition)),
            gives: responses::gives(row),
            meanings: responses::meanings(row),
        }),
        decisions: row.decisions,
    });
    let narrowing = endpoints::NARROWINGS.iter().filter(|row| row.from == kind).map(|row| Step {
        from: kind,
        name: row.step,
        does: Does::Narrows(row),
        decisions: row.decisions,
    });
    sending.chain(narrowing).collect()
}

fn reached_by(name: &str) -> Vec<String> {
    match name {
        "Unauthenticated" => {
            let ways = [
                "`Client.login`",
                "`start_over`",
                "`StartOver`",
                "a reset of the password",
                "`Authenticated.logout`",
            ];
            return ways.map(str::to_owned).to_vec();
        }
        "Captcha" => return vec!["`Client.captcha`".to_owned()],
        _ => {}
    }
    let mut ways: Vec<String> = Vec::new();
    let mut add = |way: String| {
        if !ways.contains(&way) {
            ways.push(way);
        }
    };
    for row in endpoints::ALL {
        for to in row.leads_to.iter().filter(|to| base(**to) == name) {
            if row.leads_to.len() == 1 {
                add(format!("`{}.{}`", row.from, row.step));
            } else {
                for status in responses::statuses_to(*to) {
                    add(format!("the status `{status}`"));
                }
            }
        }
    }
    for row in endpoints::NARROWINGS.iter().filter(|row| base(row.to) == name) {
        add(format!("`{}.{}`", row.from, row.step));
    }
    ways
}

/// The header in which the request carries the stage's token.
fn token_header(row: &'static Endpoint, edition: Edition) -> Option<String> {
    let Some(shape) = row.in_edition(edition.kind()) else {
        return match row.credential {
            Credential::None => None,
            Credential::Signature => Some("X-signature".to_owned()),
            Credential::StateToken => Some("X-state-token".to_owned()),
            Credential::SessionToken => Some(as_documented(edition.kind().session_header())),
            other => panic!("the reference: which token is {other:?}? add it to token_header()"),
        };
    };
    let token = match shape.credential {
        Credential::None => return None,
        Credential::Signature => return Some("X-signature".to_owned()),
        Credential::StateToken => support::STATE_TOKEN,
        Credential::SessionToken => support::SESSION_TOKEN,
        other => panic!("the reference: which token is {other:?}? add it to token_header()"),
    };
    let request = support::request_of(row, edition);
    let (name, _) = request.headers().iter().find(|(_, value)| *value == token).unwrap();
    Some(as_documented(name.as_str()))
}

/// The headers that every request carries, whatever its step.
fn headers() -> Vec<Header> {
    let requests = editions().map(|edition| support::request_of(&endpoints::CAPTCHA, edition));
    let names: BTreeSet<_> =
        requests.iter().flat_map(|request| request.headers().keys().map(http::HeaderName::as_str)).collect();
    let header = |name: &str| {
        let (what, decisions): (_, &[_]) = match name {
            "content-type" => ("fixed", &["D18"]),
            "x-tenant-id" => ("the tenant id of the edition", &["D18"]),
            "x-client-id" => ("the client id of the application", &[]),
            "x-operating-sys-version" => ("the device's operating system", &["D38"]),
            "x-device-fingerprint" => ("the device's fingerprint", &["D38"]),
            "x-device-ip" => ("the device's address, if given", &[]),
            "x-agent" => ("the device's user agent", &["D38"]),
            "x-l" => ("the user's language, if given", &[]),
            other => panic!("the reference: what is the header {other}? add it to headers()"),
        };
        let by_edition = requests.each_ref().map(|request| {
            let value = request.headers().get(name)?;
            Some(if what == "fixed" { value.to_str().unwrap().to_owned() } else { String::new() })
        });
        Header { name: as_documented(name), what, by_edition, decisions }
    };
    names.into_iter().map(header).collect()
}

/// A header's name as the pages print it.
fn as_documented(name: &str) -> String {
    match name.strip_prefix("x-") {
        Some("l") => "X-L".to_owned(),
        Some(rest) => format!("X-{rest}"),
        None => name.to_owned(),
    }
}
