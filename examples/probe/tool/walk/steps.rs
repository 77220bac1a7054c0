//! The endpoint table, row by row: is the step there, where, and how are its send type and its fields spelled? Every
//! request is one that cannot succeed: without some of its fields, or with made-up values only.

use std::collections::HashMap;
use std::fmt::Write as _;

use idaas_login::endpoints::{self, Credential, EditionKind, Endpoint, FieldKind, Source, Verb};
use idaas_login::http::Method;
use idaas_login::{Edition, ErrorClass, WechatCodeField};
use serde_json::{Map, Value};

use super::super::checks;
use super::super::record::{Exchange, Shape};
use super::super::report::StepLine;
use super::super::rows;
use super::binding::same;
use super::looking::to;
use super::{Probe, Run, altered};

const MADE_UP: &str = "idaas-login-probe-made-up";
/// A destination and a user name that nobody has.
const NOBODY: &str = "-";
const NO_SEND_TYPE: &str = "IDAAS_LOGIN_PROBE_NONE";
const NOT_TOLD: &str = "there; it refuses its fields as it refuses others";
const WECHAT_CODE: &str = "wechat_code";
const WCHAT_CODE: &str = "wchat_code";

/// How a row's send type and fields are spelled, where they differ.
#[derive(Clone, Debug, Default)]
struct Spelling {
    send_type: Option<String>,
    names: Vec<(String, String)>,
}

/// What the tenant makes of a row's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// Nothing of the API is at this path.
    NotThere,
    /// The API is there, and its refusal is the same with the fields and without, or with any send type.
    There,
    /// The API is there and reads the fields; or it looks at the state token before them.
    Works,
}

/// What was asked so far: nothing is asked twice.
#[derive(Default)]
pub(super) struct Asked(HashMap<(String, String), Exchange>);

/// What is known of the editions.
#[derive(Default)]
pub(super) struct Evidence {
    /// Content types that the tenant refuses.
    pub(super) refused_content_types: Vec<&'static str>,
    /// The header of the session token that a renewal accepted.
    pub(super) session_header: Option<&'static str>,
    /// Which paths of the table are there.
    there: HashMap<(Verb, String), bool>,
}

/// Whether a response comes from the API; `None` if it cannot be told.
fn is_of_the_api(answer: &Exchange) -> Option<bool> {
    match answer {
        Exchange { refusal: Some(_), .. } => Some(true),
        // It says two things; but it is the API that does.
        _ if answer.form("error_code").is_some() => Some(true),
        Exchange { http_status: 500.., .. } => None,
        Exchange { http_status: 200..300, body: Shape::Fields { .. } | Shape::Empty, .. } => Some(true),
        _ => Some(false),
    }
}

impl Probe<'_> {
    /// Asks the table, and sets the client up for what is found.
    pub(super) fn steps(&mut self) -> Run {
        let shapes = |kind: EditionKind| endpoints::ALL.iter().filter_map(move |row| row.in_edition(kind));
        let paths = EditionKind::ALL.iter().copied().flat_map(shapes).map(|shape| shape.path.to_owned());
        self.announce_paths(&checks::STEPS, paths);
        for row in endpoints::ALL {
            for &kind in EditionKind::ALL {
                if let Some(shape) = row.in_edition(kind) {
                    self.is_there(row, shape.path)?;
                }
            }
        }
        self.conclude_edition();
        self.rebuild()?;
        for row in endpoints::ALL {
            self.step_of_the_table(row)?;
        }
        self.wechat_code_everywhere();
        self.rebuild()?;
        self.note_steps();
        Ok(())
    }

    fn is_there(&mut self, row: &Endpoint, path: &str) -> Run<bool> {
        let answer = self.ask_row(row, path, &Map::new())?;
        let there = is_of_the_api(&answer);
        if let Some(there) = there {
            self.evidence.there.insert((row.verb, path.to_owned()), there);
        }
        Ok(there.unwrap_or(true))
    }

    /// One request of a row, with made-up tokens; or what came of the same one before.
    fn ask_row(&mut self, row: &Endpoint, path: &str, body: &Map<String, Value>) -> Run<Exchange> {
        let body = Value::Object(body.clone()).to_string();
        let key = (format!("{} {path}", row.verb), body.clone());
        if let Some(answer) = self.asked.0.get(&key) {
            return Ok(answer.clone());
        }
        let at = format!("{}{path}", self.calls.path_prefix);
        let captcha = self.client.captcha(&self.device);
        let answer = altered::call(self.http, captcha, |request| {
            to(request, Method::from(row.verb), &at);
            let tokens: &[&'static str] = match row.credential {
                Credential::StateToken => &["x-state-token"],
                Credential::SessionToken => &["session-token", "x-session-token", "x-signature"],
                Credential::Signature => &["x-signature"],
                _ => &[],
            };
            for name in tokens {
                altered::header(request, name, Some(altered::MADE_UP));
            }
            if row.verb == Verb::Post {
                *request.body_mut() = body.clone().into_bytes();
            }
        })?;
        self.asked.0.insert(key, answer.clone());
        Ok(answer)
    }

    fn full_body(row: &Endpoint, spelling: &Spelling, send_type: &str) -> Map<String, Value> {
        let fields = row.fields.iter().map(|field| {
            let name = spelling.names.iter().find(|(documented, _)| documented == field.name);
            let name = name.map_or(field.name, |(_, name)| name);
            let value = match field.kind {
                FieldKind::SendType => send_type,
                FieldKind::Text => NOBODY,
                _ => MADE_UP,
            };
            (name.to_owned(), value.into())
        });
        fields.collect()
    }

    /// Whether the tenant reads each field of a body: some tell by the error code which field is missing.
    fn are_read(
        &mut self,
        row: &Endpoint,
        path: &str,
        body: &Map<String, Value>,
        empty: &Exchange,
    ) -> Run<bool> {
        let full = self.ask_row(row, path, body)?;
        if full.is_dead_token() || same(&full, empty) {
            return Ok(full.is_dead_token());
        }
        if !matches!(full.refusal, Some((_, ErrorClass::Configuration))) {
            return Ok(true);
        }
        for name in body.keys() {
            let mut rest = body.clone();
            rest.remove(name);
            if same(&self.ask_row(row, path, &rest)?, &full) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// At one path: as documented, or else with another spelling of the fields and of the send type.
    fn fit(&mut self, row: &'static Endpoint, path: &str, documented: Option<&str>) -> Run<(Fit, Spelling)> {
        let mut spelling = Spelling::default();
        if !self.is_there(row, path)? {
            return Ok((Fit::NotThere, spelling));
        }
        if row.fields.is_empty() {
            return Ok((Fit::Works, spelling));
        }
        let empty = self.ask_row(row, path, &Map::new())?;
        let mut names = vec![Vec::new(), self.tenant.given.names(row)];
        for field in row.fields.iter().filter(|field| field.kind != FieldKind::SendType) {
            let is_free = |name: &String| row.fields.iter().all(|other| other.name != name);
            let others = rows::other_names(field.name).into_iter().filter(is_free);
            names.extend(others.map(|name| vec![(field.name.to_owned(), name)]));
        }
        let send_type = documented.unwrap_or_default();
        let mut read = false;
        for names in names {
            let tried = Spelling { names, ..Spelling::default() };
            read = self.are_read(row, path, &Self::full_body(row, &tried, send_type), &empty)?;
            if read {
                spelling = tried;
                break;
            }
        }
        if !read || documented.is_none() {
            return Ok((if read { Fit::Works } else { Fit::There }, spelling));
        }
        if !row.fields.iter().any(|field| field.kind == FieldKind::SendType) {
            return Ok((Fit::Works, spelling));
        }
        let unknown = self.ask_row(row, path, &Self::full_body(row, &spelling, NO_SEND_TYPE))?;
        let own: Vec<String> = self.tenant.given.send_type(row).map(str::to_owned).into_iter().collect();
        let others = rows::send_types(row).into_iter().map(str::to_owned);
        for name in std::iter::once(send_type.to_owned()).chain(own).chain(others) {
            let full = self.ask_row(row, path, &Self::full_body(row, &spelling, &name))?;
            if !same(&full, &unknown) {
                spelling.send_type = Some(name).filter(|name| name != send_type);
                return Ok((Fit::Works, spelling));
            }
        }
        Ok((Fit::There, spelling))
    }

    fn step_of_the_table(&mut self, row: &'static Endpoint) -> Run {
        let documented = row.in_edition(self.calls.edition.kind());
        let own = documented.map_or(row.path, |shape| shape.path);
        let send_type = documented.map_or(row.send_type, |shape| shape.send_type);
        let mut paths = vec![own.to_owned()];
        paths.extend(self.tenant.given.path(row).map(str::to_owned));
        if documented.is_some() {
            paths.extend(rows::other_paths(row, own));
        }
        let mut best = (Fit::NotThere, Spelling::default(), own.to_owned());
        for path in paths {
            if path != own {
                self.announce_paths(&checks::STEPS, std::iter::once(path.clone()));
            }
            let (fit, spelling) = self.fit(row, &path, send_type.map(endpoints::SendType::as_str))?;
            if fit == Fit::Works || (fit == Fit::There && best.0 == Fit::NotThere) {
                best = (fit, spelling, path);
            }
            if best.0 == Fit::Works {
                break;
            }
        }
        let (fit, spelling, path) = best;
        let mut seen = match (fit, path == own) {
            (Fit::NotThere, _) => "not there".to_owned(),
            (Fit::There, true) => NOT_TOLD.to_owned(),
            (_, true) => "there".to_owned(),
            (_, false) => format!("there, at {path}"),
        };
        if documented.is_none() {
            let _ = write!(seen, "; {} does not document it", self.calls.edition.kind());
        }
        let shared = documented.is_none() && self.is_of_another_row(row, &path);
        if shared && fit != Fit::NotThere {
            seen.push_str(", but another step that sends the same");
        }
        if let Some(name) = &spelling.send_type {
            let _ = write!(seen, "; its send type is {name}");
        }
        for (field, name) in &spelling.names {
            let _ = write!(seen, "; {field} is {name}");
        }
        self.note_send_type(row, send_type.map(endpoints::SendType::as_str), fit, &spelling);
        self.calls.paths.retain(|(of, _)| !std::ptr::eq(*of, row));
        self.findings.step(StepLine { row: rows::name(row), path: own.to_owned(), seen });
        if fit == Fit::NotThere {
            self.missing.push(row);
            return Ok(());
        }
        if fit == Fit::There && documented.is_some() {
            self.findings.open("C.fields", format!("{}: {NOT_TOLD}", rows::name(row)));
        }
        if documented.is_none() {
            if fit == Fit::Works && !shared {
                self.optional.push((row, path));
            }
            return Ok(());
        }
        if path != own {
            self.calls.paths.push((row, path));
        }
        if let Some(name) = spelling.send_type {
            self.calls.send_types.push((row, name));
        }
        for (field, name) in spelling.names {
            self.calls.field_names.push((row, field, name));
        }
        if fit == Fit::Works && row.fields.iter().any(|field| field.name == WECHAT_CODE) {
            self.wechat_rows.push(row);
        }
        Ok(())
    }

    /// Whether the edition documents another step there whose request is the same.
    fn is_of_another_row(&self, row: &Endpoint, path: &str) -> bool {
        let kind = self.calls.edition.kind();
        let is_same = |other: &&&'static Endpoint| {
            let there = other.in_edition(kind).is_some_and(|shape| shape.path == path);
            there && (other.verb, other.fields) == (row.verb, row.fields)
        };
        let has_type = row.fields.iter().any(|field| field.kind == FieldKind::SendType);
        !has_type && endpoints::ALL.iter().any(|other| is_same(&other))
    }

    fn note_send_type(
        &mut self,
        row: &'static Endpoint,
        documented: Option<&str>,
        fit: Fit,
        spelling: &Spelling,
    ) {
        let Some(documented) = documented else { return };
        if !row.fields.iter().any(|field| field.kind == FieldKind::SendType)
            || row.in_edition(self.calls.edition.kind()).is_none()
        {
            return;
        }
        let id = send_type_check(row);
        match (fit, &spelling.send_type) {
            (Fit::NotThere, _) => {}
            (Fit::There, _) => {
                self.findings.open(id, format!("{documented} is refused as a made-up type is"));
            }
            (Fit::Works, Some(name)) => {
                self.findings.differs(id, format!("{name} is known, {documented} is not"));
            }
            (Fit::Works, None) => self.findings.as_decided(id, format!("{documented} is known")),
        }
    }

    /// One call for all the rows, if the name is the same in all.
    fn wechat_code_everywhere(&mut self) {
        let is_other = |(row, field, name): &(&'static Endpoint, String, String)| {
            (field == WECHAT_CODE && name == WCHAT_CODE).then_some(*row)
        };
        let spelled: Vec<_> = self.calls.field_names.iter().filter_map(is_other).collect();
        if !spelled.is_empty() && spelled.len() == self.wechat_rows.len() {
            self.calls.field_names.retain(|call| is_other(call).is_none());
            self.calls.wechat_code_field = WechatCodeField::WchatCode;
        }
        let answer = |row: &'static Endpoint| self.wechat_rows.iter().any(|known| std::ptr::eq(*known, row));
        if !spelled.is_empty() {
            self.findings.differs("D3", "wchat_code is read, wechat_code is not");
        } else if answer(&endpoints::BIND_WECHAT_MOBILE) && self.fields_are_read_first() {
            self.findings.as_decided("D3", "it is read");
        }
    }

    /// Whether the tenant looks at the fields before the state token, so that the names of the fields show.
    fn fields_are_read_first(&self) -> bool {
        let row = &endpoints::BIND_WECHAT_MOBILE;
        let path = self.calls.path(row).unwrap_or(row.path);
        let key = (format!("{} {path}", row.verb), "{}".to_owned());
        self.asked.0.get(&key).is_some_and(|answer| !answer.is_dead_token())
    }

    fn note_steps(&mut self) {
        let kind = self.calls.edition.kind();
        let absent: Vec<_> =
            self.missing.iter().filter(|row| row.in_edition(kind).is_some()).copied().collect();
        for row in &absent {
            self.findings.differs("D37", format!("{} is not there", rows::name(row)));
        }
        for (row, path) in &self.calls.paths {
            self.findings.differs("D37", format!("{} is at {path}", rows::name(row)));
        }
        if !self.findings.knows("D37") {
            self.findings.as_decided("D37", "each is there");
        }
        for row in [&endpoints::REGISTERED_MOBILE, &endpoints::MFA_PHONE, &endpoints::MFA_EMAIL] {
            if absent.iter().any(|missing| std::ptr::eq(*missing, row)) {
                self.findings.differs("D7.paths", format!("{} is not there", row.path));
            }
        }
        if !self.findings.knows("D7.paths") {
            self.findings.as_decided("D7.paths", "each is there");
        }
        let renewal = &endpoints::RENEW_ID_TOKEN;
        let own = renewal.in_edition(kind).map_or(renewal.path, |shape| shape.path);
        if let Some(path) = self.calls.path(renewal) {
            self.findings.differs("D35", format!("it is at {path}"));
        } else if absent.iter().any(|row| std::ptr::eq(*row, renewal)) {
            self.findings.differs("D35", format!("{own} is not there"));
        } else {
            self.findings.as_decided("D35", format!("{own} is there"));
        }
        self.note_alipay_app();
        self.note_self_service();
        for (row, field, name) in &self.calls.field_names {
            self.findings.differs("C.fields", format!("{field} of {} is {name}", rows::name(row)));
        }
        if !self.findings.has("C.fields") {
            self.findings.as_decided("C.fields", "each, as far as refusals show it");
        }
    }

    /// The page of the app's login by Alipay is the only one that prints another version.
    fn note_alipay_app(&mut self) {
        let row = &endpoints::LOGIN_ALIPAY_APP;
        let Some(shape) = row.in_edition(self.calls.edition.kind()) else { return };
        if let Some(path) = self.calls.path(row) {
            self.findings.differs("D54", format!("it is at {path}"));
        } else if self.missing.iter().any(|missing| std::ptr::eq(*missing, row)) {
            self.findings.differs("D54", format!("{} is not there", shape.path));
        } else {
            self.findings.as_decided("D54", format!("{} is there", shape.path));
        }
    }

    fn note_self_service(&mut self) {
        let kind = self.calls.edition.kind();
        for row in [
            &endpoints::REGISTRATION_PHONE,
            &endpoints::REGISTRATION_EMAIL,
            &endpoints::RESET_PHONE,
            &endpoints::RESET_EMAIL,
        ] {
            let shape = row.in_edition(kind);
            let is_there = !self.missing.iter().any(|missing| std::ptr::eq(*missing, row));
            let there = if is_there { "is there" } else { "is not there" };
            let has_page = shape.is_some_and(|shape| matches!(shape.source, Source::Page(_)));
            let page = if has_page { "" } else { ", and has no page" };
            let seen = format!("{} {there}{page}", rows::name(row));
            if shape.is_some() && !is_there {
                self.findings.differs("D53", seen);
            } else {
                self.findings.as_decided("D53", seen);
            }
        }
    }

    /// The edition that agrees with what was seen. The one that was given stays, unless something contradicts it.
    pub(super) fn conclude_edition(&mut self) {
        let given = self.calls.edition.kind();
        let (best, contradicted) = {
            let evidence = &self.evidence;
            let best = EditionKind::ALL
                .iter()
                .copied()
                .filter(|kind| evidence.allows(*kind))
                .min_by_key(|kind| (evidence.missing(*kind) + evidence.surplus(*kind), *kind != given));
            (best, !evidence.allows(given) || evidence.missing(given) > 0)
        };
        match best {
            Some(best) if best != given && contradicted => {
                let seen = format!("{best}: {}", self.evidence.against(given));
                self.findings.differs("C.edition", seen);
                self.calls.edition = match best {
                    EditionKind::Eiam => Edition::Eiam,
                    EditionKind::OneAccess => Edition::OneAccess,
                    _ => Edition::Ciam,
                };
            }
            None => {
                let seen = format!("no edition fits: {}", self.evidence.against(given));
                self.findings.differs("C.edition", seen);
            }
            _ => self.findings.as_decided("C.edition", format!("nothing contradicts {given}")),
        }
    }
}

/// The check that a row's send type belongs to.
pub(super) fn send_type_check(row: &'static Endpoint) -> &'static str {
    if row == &endpoints::SEND_MFA_SMS {
        "D29"
    } else if [&endpoints::SEND_RESET_SMS, &endpoints::SEND_RESET_EMAIL].contains(&row) {
        "D30"
    } else {
        "C.send-types"
    }
}

impl Evidence {
    /// Whether headers do not rule the edition out.
    fn allows(&self, kind: EditionKind) -> bool {
        !self.refused_content_types.contains(&kind.content_type())
            && self.session_header.is_none_or(|header| header == kind.session_header())
    }

    fn is_missing(&self, row: &Endpoint, path: &str) -> bool {
        self.there.get(&(row.verb, path.to_owned())) == Some(&false)
    }

    /// How many rows that the edition has a page for are not there.
    fn missing(&self, kind: EditionKind) -> usize {
        let is_missing = |row: &&&'static Endpoint| {
            row.in_edition(kind).is_some_and(|shape| {
                matches!(shape.source, Source::Page(_)) && self.is_missing(row, shape.path)
            })
        };
        endpoints::ALL.iter().filter(is_missing).count()
    }

    /// How many rows are there at a path that the edition does not have.
    fn surplus(&self, kind: EditionKind) -> usize {
        let is_surplus = |row: &&&'static Endpoint| {
            let own = row.in_edition(kind).map(|shape| shape.path);
            let others = EditionKind::ALL.iter().filter_map(|other| Some(row.in_edition(*other)?.path));
            let mut others = others.filter(|path| Some(*path) != own);
            others.any(|path| self.there.get(&(row.verb, path.to_owned())) == Some(&true))
        };
        endpoints::ALL.iter().filter(is_surplus).count()
    }

    fn against(&self, kind: EditionKind) -> String {
        if self.refused_content_types.contains(&kind.content_type()) {
            return format!("the content type of {kind} is refused");
        }
        if let Some(header) = self.session_header.filter(|header| *header != kind.session_header()) {
            return format!("{header} is accepted, {} is not", kind.session_header());
        }
        let missing = endpoints::ALL
            .iter()
            .filter(|row| row.in_edition(kind).is_some_and(|shape| self.is_missing(row, shape.path)));
        let names: Vec<_> = missing.map(|row| rows::name(row)).collect();
        format!("{kind} documents what is not there: {}", names.join(", "))
    }
}
