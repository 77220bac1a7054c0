//! A request and its response: which row it is of, whether its headers will do, and who carries it out.

use std::ptr;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use serde_json::{Map, Value, json};

use super::super::ledger::{Entry, Fault, SeenRequest};
use super::extras;
use super::refusal::{
    Answer, BAD_FORMAT, Fields, NO_CLIENT_ID, NO_DEVICE, NO_TENANT_ID, OTHER_APPLICATION, Refused, blank,
};
use super::state::Tenant;
use crate::client::{Edition, WechatCodeField};
use crate::endpoints::{self, Credential, Endpoint, FieldKind, Scenario, SendType, StageKind};
use crate::transport::{Request, Response};
use crate::wire::endpoints::WECHAT_CODE;
use crate::wire::headers::{
    X_AGENT, X_CLIENT_ID, X_DEVICE_FINGERPRINT, X_OPERATING_SYS_VERSION, X_TENANT_ID,
};

/// What becomes of a request.
pub(in crate::emulator) enum Reply {
    Answer(Response),
    /// The response, after a while.
    Late(Duration, Response),
    /// The connection is lost.
    Lost,
}

impl Tenant {
    pub(in crate::emulator) fn reply(&mut self, request: &Request) -> Reply {
        self.evict_expired();
        let path = request.uri().path().to_owned();
        let fault = self.faults.get_mut(&path).and_then(std::collections::VecDeque::pop_front);
        self.lose_response = false;
        self.begin_entry(path, request);
        match fault {
            Some(Fault::LoseRequest) => Reply::Lost,
            Some(Fault::Respond { http_status, body }) => self.answered(text(http_status, body)),
            Some(Fault::Refuse { code }) => {
                let response = self.refused(Refused::example(code, self.settings.lock_time));
                self.answered(response)
            }
            Some(Fault::LoseResponse) => {
                self.carry_out(request);
                Reply::Lost
            }
            Some(Fault::RespondAfter { http_status, body }) => {
                self.carry_out(request);
                self.answered(text(http_status, body))
            }
            Some(Fault::Late(time)) => {
                let response = self.carry_out(request);
                match self.answered(response) {
                    Reply::Answer(response) => Reply::Late(time, response),
                    other => other,
                }
            }
            None => {
                let response = self.carry_out(request);
                self.answered(response)
            }
        }
    }

    fn begin_entry(&mut self, path: String, request: &Request) {
        let longest = self.settings.ledger_entries;
        if self.ledger.len() >= longest.saturating_mul(2) {
            self.ledger.drain(..self.ledger.len().saturating_sub(longest));
        }
        let request = self.settings.keep_requests.then(|| SeenRequest {
            method: request.method().clone(),
            headers: request.headers().clone(),
            body: request.body().clone(),
        });
        self.ledger.push(Entry {
            path,
            http_status: None,
            error_code: None,
            effects: Vec::new(),
            objections: Vec::new(),
            request,
        });
    }

    /// Writes down what a strict tenant objects to.
    fn object(&mut self, objections: impl FnOnce(&Self) -> Vec<String>) {
        if self.settings.strict {
            let objections = objections(self);
            if let Some(entry) = self.ledger.last_mut() {
                entry.objections = objections;
            }
        }
    }

    pub(super) fn answered(&mut self, response: Response) -> Reply {
        if self.lose_response {
            return Reply::Lost;
        }
        if let Some(entry) = self.ledger.last_mut() {
            entry.http_status = Some(response.status());
        }
        Reply::Answer(response)
    }

    pub(super) fn carry_out(&mut self, request: &Request) -> Response {
        let Some(path) = request.uri().path().strip_prefix(self.settings.path_prefix.as_str()) else {
            self.object(|tenant| {
                vec![format!("address: no path begins without {}", tenant.settings.path_prefix)]
            });
            return not_the_api(StatusCode::NOT_FOUND, request);
        };
        if path == endpoints::KEYS_PATH && request.method() == Method::GET {
            self.object(|tenant| tenant.objections_to_keys(request));
            return match self.refuse_objections() {
                Ok(()) => self.key_set(),
                Err(refused) => self.refused(refused),
            };
        }
        self.issuer = issuer(request, &self.settings.path_prefix);
        let rows: Vec<_> =
            endpoints::ALL.iter().copied().filter(|row| self.path(row) == Some(path)).collect();
        let Some(first) = rows.first() else {
            self.object(|_| vec!["address: this edition documents no such path".to_owned()]);
            return not_the_api(StatusCode::NOT_FOUND, request);
        };
        self.object(|tenant| tenant.objections(&rows, request));
        if Method::from(first.verb) != request.method() {
            self.object(|_| vec![format!("method: it is {}", first.verb)]);
            return not_the_api(StatusCode::METHOD_NOT_ALLOWED, request);
        }
        match self.route(&rows, request) {
            Ok(value) => self.written(StatusCode::OK, value),
            Err(refused) => self.refused(refused),
        }
    }

    pub(super) fn refused(&mut self, Refused { code, message }: Refused) -> Response {
        if let Some(entry) = self.ledger.last_mut() {
            entry.error_code = Some(code.code.to_owned());
        }
        let http_status = StatusCode::from_u16(code.http_status).unwrap_or(StatusCode::BAD_REQUEST);
        self.written(http_status, json!({ "error_code": code.code, "error_msg": message }))
    }

    fn written(&self, http_status: StatusCode, value: Value) -> Response {
        let value = if self.settings.undocumented_extras { extras::add(value) } else { value };
        // A code that was sent is answered with nothing.
        let body = if value.is_null() { String::new() } else { value.to_string() };
        text(http_status, body)
    }

    pub(super) fn route(&mut self, rows: &[&'static Endpoint], request: &Request) -> Answer {
        self.check_headers(request.headers())?;
        let fields = match serde_json::from_slice(request.body()) {
            Ok(Value::Object(fields)) => fields,
            _ if rows.iter().all(|row| row.fields.is_empty()) => Map::new(),
            _ => return self.refuse(BAD_FORMAT, "The body parameter format is incorrect"),
        };
        let mut fields = Fields(fields);
        if self.settings.wechat_code_field == WechatCodeField::WchatCode {
            fields.rename("wchat_code", WECHAT_CODE.name);
        }
        for (row, field, name) in &self.settings.field_names {
            if rows.iter().any(|candidate| ptr::eq(*candidate, *row)) {
                fields.rename(name, field);
            }
        }
        let missing =
            |row: &Endpoint| row.fields.iter().find(|field| fields.get(field.name).trim_ascii().is_empty());
        let complete: Vec<_> = rows.iter().copied().filter(|row| missing(row).is_none()).collect();
        if complete.is_empty() {
            // The row that is meant is the one of which most is there; speak of the first field that it lacks.
            let name = rows
                .iter()
                .max_by_key(|row| {
                    row.fields.iter().filter(|field| !fields.get(field.name).is_empty()).count()
                })
                .and_then(|row| missing(row))
                .map_or("body", |field| field.name);
            return self.refuse(blank(name), format!("Parameter {name} cannot be left blank"));
        }
        let meant = |row: &&Endpoint| {
            row.fields.iter().all(|field| {
                field.kind != FieldKind::SendType
                    || self.send_type_name(row).is_some_and(|name| name == fields.get(field.name))
            })
        };
        let meant: Vec<_> = complete.into_iter().filter(meant).collect();
        match self.meant_by_token(&meant, request.headers()) {
            Some(row) => {
                self.refuse_objections()?;
                self.call(row, request.headers(), &fields)
            }
            None => self.refuse(BAD_FORMAT, "The type parameter format is incorrect"),
        }
    }

    /// Refuses what a strict tenant objects to. What every tenant refuses comes first, with the code that it has.
    fn refuse_objections(&self) -> Result<(), Refused> {
        match self.ledger.last().map(|entry| entry.objections.join("; ")) {
            Some(objections) if !objections.is_empty() => self.refuse(BAD_FORMAT, objections),
            _ => Ok(()),
        }
    }

    /// The path of a row here; `None` if this tenant does not have it.
    fn path(&self, row: &Endpoint) -> Option<&str> {
        let own = self.settings.paths.iter().find(|(of, _)| ptr::eq(*of, row));
        let documented = row.in_edition(self.settings.edition.kind()).map(|shape| shape.path);
        own.map(|(_, path)| path.as_str()).or(documented)
    }

    /// The type that a code of this row is requested with here.
    pub(super) fn send_type(&self, row: &Endpoint) -> Option<SendType> {
        match row.in_edition(self.settings.edition.kind()) {
            Some(shape) => shape.send_type,
            None => row.send_type,
        }
    }

    /// The name of that type on the wire.
    pub(super) fn send_type_name(&self, row: &Endpoint) -> Option<&str> {
        let own = self.settings.send_types.iter().find(|(of, _)| ptr::eq(*of, row));
        own.map(|(_, name)| name.as_str()).or(self.send_type(row).map(SendType::as_str))
    }

    pub(super) fn check_headers(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let given = |name: &HeaderName| headers.get(name).is_some_and(|value| !value.is_empty());
        if !given(&X_CLIENT_ID) {
            return self.refuse(NO_CLIENT_ID, "Parameter X-client-id cannot be left blank.");
        }
        if headers.get(X_CLIENT_ID).is_none_or(|value| value.as_bytes() != self.settings.client_id.as_bytes())
        {
            return self.refuse(OTHER_APPLICATION, "X-client-id incorrect, no such application");
        }
        if let Edition::OneAccessIsv { tenant_id } = &self.settings.edition
            && headers.get(X_TENANT_ID).is_none_or(|value| value.as_bytes() != tenant_id.as_bytes())
        {
            return self.refuse(NO_TENANT_ID, "Parameter X-tenant-id cannot be left blank.");
        }
        if ![X_OPERATING_SYS_VERSION, X_DEVICE_FINGERPRINT, X_AGENT].iter().all(given) {
            return self.refuse(NO_DEVICE, "Device information is incomplete");
        }
        let media_type = headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes).unwrap_or_default();
        let media_type = media_type.split(|byte| *byte == b';').next().unwrap_or_default();
        if !media_type.trim_ascii().eq_ignore_ascii_case(b"application/json") {
            return self.refuse(BAD_FORMAT, "The content-type parameter format is incorrect");
        }
        Ok(())
    }

    pub(super) fn call(&mut self, row: &'static Endpoint, headers: &HeaderMap, fields: &Fields) -> Answer {
        let credential =
            row.in_edition(self.settings.edition.kind()).map_or(row.credential, |shape| shape.credential);
        match (row.from, credential) {
            (StageKind::Client, _) if row.step == "public_key" => self.public_key(),
            (StageKind::Client, _) if row.step == "server_date" => self.server_date(),
            (StageKind::Client, _) if row.step == "country_codes" => self.country_codes(),
            (StageKind::Client, _) => self.captcha(),
            (StageKind::Captcha, _) => self.solve(fields),
            (_, Credential::SessionToken) => self.renew(headers),
            (_, Credential::Signature) if row.step == "logout" => self.logout(headers),
            (_, Credential::Signature) => self.renew_signed(headers),
            (_, Credential::None) if !row.moves_the_flow() => self.send_code(row, fields),
            (StageKind::VerifyPhone(scenario) | StageKind::VerifyEmail(scenario), Credential::None) => {
                match scenario {
                    Scenario::Register => self.register(row, headers, fields),
                    Scenario::ResetPassword => self.reset_password(row, headers, fields),
                    _ => self.login(row, headers, fields),
                }
            }
            (_, Credential::None) => self.login(row, headers, fields),
            (_, Credential::StateToken) if !row.moves_the_flow() => {
                let (_, flow) = self.flow(row, headers)?;
                self.mobile_by_token(&flow)
            }
            (_, Credential::StateToken) => {
                let (state_token, flow) = self.flow(row, headers)?;
                self.check_allowed(row, &flow)?;
                let proved = self.prove(row, &flow, fields);
                if self.settings.state_token_ends_with_wrong_code
                    && proved.as_ref().is_err_and(Refused::is_wrong_proof)
                {
                    self.flows.remove(&state_token);
                }
                let user_name = proved?;
                // Consumed: single use.
                self.flows.remove(&state_token);
                Ok(self.settle(row, &state_token, flow, user_name))
            }
        }
    }
}

/// The tenant as the caller addressed it, as the issuer of its tokens: in process by the URI, over HTTP by the header.
fn issuer(request: &Request, path_prefix: &str) -> String {
    let origin = match (request.uri().scheme_str(), request.uri().authority(), request.headers().get(HOST)) {
        (Some(scheme), Some(authority), _) => format!("{scheme}://{authority}"),
        (_, _, host) => {
            format!("http://{}", host.and_then(|host| host.to_str().ok()).unwrap_or_default())
        }
    };
    origin + path_prefix + endpoints::ISSUER_PATH
}

pub(super) fn text(http_status: StatusCode, body: String) -> Response {
    let mut response = Response::new(body.into_bytes());
    *response.status_mut() = http_status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

/// What the framework in front of the API answers: an error without the API's error code.
fn not_the_api(http_status: StatusCode, request: &Request) -> Response {
    let body = json!({
        "status": http_status.as_u16(),
        "error": http_status.canonical_reason(),
        "path": request.uri().path(),
    });
    text(http_status, body.to_string())
}
