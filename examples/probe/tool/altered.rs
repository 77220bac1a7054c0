//! Requests that the types forbid, on purpose: with another header, another field, or sent a second time. Nothing else in
//! this program sends anything that the library does not send by itself.

use idaas_login::http::header::{HeaderName, HeaderValue};
use idaas_login::{
    Call, ClientBuilder, Device, Next, Outcome, Recovery, Reply, Request, Response, Stage, StateToken, Step,
    TransportError,
};
use serde_json::{Map, Value};

use super::Stop;
use super::record::{Exchange, Recorder};

/// A token that no tenant ever made.
pub const MADE_UP: &str =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJwcm9iZSI6Im1hZGUgdXAifQ.bWFkZSB1cCBieSB0aGUgcHJvYmU";

/// A side call, altered.
pub fn call<T: Reply>(
    http: &Recorder,
    call: Call<T>,
    alter: impl FnOnce(&mut Request),
) -> Result<Exchange, Stop> {
    let (mut request, _) = call.into_request()?;
    alter(&mut request);
    http.exchange(request)
}

/// A step, altered. The stage comes back: as far as the library knows, nothing was sent.
pub fn step<S: Stage, N: Next<S>>(
    http: &Recorder,
    step: Step<S, N>,
    alter: impl FnOnce(&mut Request),
) -> Result<(Exchange, S), Stop> {
    let (mut request, in_flight) = step.into_request().map_err(|failed| Stop(failed.to_string()))?;
    alter(&mut request);
    let exchange = http.exchange(request)?;
    match in_flight.receive(Err(TransportError::not_sent("another request went in its place"))) {
        Err(failed) => match failed.into_recovery() {
            Recovery::Retry(stage) => Ok((exchange, stage)),
            _ => Err(Stop("the stage did not come back".to_owned())),
        },
        Ok(_) => Err(Stop("the step went on without a response".to_owned())),
    }
}

/// The same request once more.
pub fn again(http: &Recorder, request: Request) -> Result<Exchange, Stop> {
    http.exchange(request)
}

/// A stage with a made-up state token: it comes from a client whose tenant is a line of text.
pub fn made_up(builder: ClientBuilder, device: &Device, status: &str) -> Result<Outcome, Stop> {
    let body = format!(r#"{{"status":"{status}","state_token":"{MADE_UP}"}}"#);
    let client = builder.build_with(move |_: Request| Ok(Response::new(body.clone().into_bytes())))?;
    client
        .login(device.clone())
        .wechat_mini_program("made-up")
        .send()
        .map_err(|failed| Stop(failed.to_string()))
}

/// Sets a header, or takes it away.
pub fn header(request: &mut Request, name: &'static str, value: Option<&'static str>) {
    let name = HeaderName::from_static(name);
    match value {
        Some(value) => drop(request.headers_mut().insert(name, HeaderValue::from_static(value))),
        None => drop(request.headers_mut().remove(name)),
    }
}

/// Carries the value of a header over to another one, under another name.
pub fn rename_header(request: &mut Request, from: &'static str, to: &'static str) {
    if let Some(value) = request.headers_mut().remove(from) {
        request.headers_mut().insert(HeaderName::from_static(to), value);
    }
}

/// Adds the state token, where no page lists it.
pub fn state_token(request: &mut Request, token: &StateToken) {
    if let Ok(value) = HeaderValue::from_str(token.expose()) {
        request.headers_mut().insert(HeaderName::from_static("x-state-token"), value);
    }
}

/// Gives the field of the body that has one of these names another one, or takes it away.
pub fn rename_field(request: &mut Request, from: [&str; 2], to: Option<&str>) {
    edit_body(request, |fields| {
        let value = from.iter().find_map(|name| fields.remove(*name));
        if let (Some(value), Some(to)) = (value, to) {
            fields.insert(to.to_owned(), value);
        }
    });
}

/// Asks for a code with another type.
pub fn send_type(request: &mut Request, name: &str) {
    edit_body(request, |fields| drop(fields.insert("type".to_owned(), name.into())));
}

fn edit_body(request: &mut Request, edit: impl FnOnce(&mut Map<String, Value>)) {
    let mut fields: Map<String, Value> = serde_json::from_slice(request.body()).unwrap_or_default();
    edit(&mut fields);
    *request.body_mut() = Value::Object(fields).to_string().into_bytes();
}
