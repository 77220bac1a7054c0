//! The control API: what the tests of a service do to the tenant, over HTTP. `openapi.json` describes it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use http::{Method, Request, StatusCode};
use idaas_login::Edition;
use idaas_login::emulator::{Emulator, Settings};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::config::{self, Config, VerificationCode};
use crate::forms::{self, Binding, FaultForm, PlatformCode, PlatformForm, SettingsForm, UserForm, Wrong};

const OPENAPI: &str = include_str!("../openapi.json");
const SCHEMA: &str = include_str!("../tenant.schema.json");

/// The longest time that passes at once, in seconds: clocks that come to their end stand still.
const LONGEST_ADVANCE: u64 = 100 * 365 * 86_400;

/// The tenant, and what it is made of.
pub struct Control {
    config: Config,
    strict: bool,
    tenant: Mutex<Emulator>,
}

/// What is wrong with a call: the HTTP status and the reason.
struct Problem(StatusCode, String);

type Answer = Result<Value, Problem>;

impl From<Wrong> for Problem {
    fn from(wrong: Wrong) -> Self {
        Self(StatusCode::BAD_REQUEST, wrong.to_string())
    }
}

fn not_found(what: &str) -> Problem {
    Problem(StatusCode::NOT_FOUND, what.to_owned())
}

/// A call, taken apart.
struct Call<'a> {
    /// The names in the path, and those in the query.
    names: BTreeMap<String, String>,
    body: &'a [u8],
}

impl Call<'_> {
    fn name(&self, name: &str) -> Result<&str, Problem> {
        let given = self.names.get(name).map(String::as_str);
        given.ok_or_else(|| Problem(StatusCode::BAD_REQUEST, format!("{name} is missing in the query")))
    }

    fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let wrong = |why: &str| Problem(StatusCode::BAD_REQUEST, format!("body:{why}"));
        let text = std::str::from_utf8(self.body).map_err(|_| wrong(" is not UTF-8"))?;
        config::from_json(text).map_err(|error| wrong(&error))
    }
}

struct Route {
    method: Method,
    path: &'static str,
    call: fn(&Control, &Call<'_>) -> Answer,
}

const fn route(method: Method, path: &'static str, call: fn(&Control, &Call<'_>) -> Answer) -> Route {
    Route { method, path, call }
}

static ROUTES: &[Route] = &[
    route(Method::GET, "/health", Control::health),
    route(Method::GET, "/openapi.json", |_, _| document(OPENAPI)),
    route(Method::GET, "/tenant.schema.json", |_, _| document(SCHEMA)),
    route(Method::GET, "/users", Control::users),
    route(Method::POST, "/users", Control::add_user),
    route(Method::GET, "/users/{user_name}", Control::user),
    route(Method::GET, "/bindings", Control::binding),
    route(Method::POST, "/bindings", Control::bind),
    route(Method::POST, "/platform-codes", Control::platform_code),
    route(Method::GET, "/verification-codes", Control::last_code),
    route(Method::POST, "/verification-codes", Control::verification_code),
    route(Method::GET, "/captchas/{token}", Control::captcha),
    route(Method::POST, "/faults", Control::fault),
    route(Method::GET, "/clock", Control::clock),
    route(Method::POST, "/clock/advance", Control::advance),
    route(Method::POST, "/keys/rotate", Control::rotate),
    route(Method::GET, "/ledger", Control::ledger),
    route(Method::DELETE, "/ledger", Control::take_ledger),
    route(Method::GET, "/state-tokens/{state_token}", Control::state_token),
    route(Method::GET, "/sessions/{session_token}", Control::session),
    route(Method::DELETE, "/sessions/{session_token}", Control::end_session),
    route(Method::GET, "/settings", Control::settings),
    route(Method::PATCH, "/settings", Control::change_settings),
    route(Method::POST, "/reset", Control::reset),
];

#[allow(clippy::unnecessary_wraps)] // All have one signature.
impl Control {
    pub fn new(config: Config, strict: bool) -> Self {
        let tenant = Mutex::new(config.tenant(strict));
        Self { config, strict, tenant }
    }

    pub fn tenant(&self) -> Emulator {
        self.in_use().clone()
    }

    fn in_use(&self) -> MutexGuard<'_, Emulator> {
        self.tenant.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tenant's edition, its client id, and whether it is strict.
    pub fn summary(&self) -> (&'static str, String, bool) {
        self.with_settings(|settings| {
            let edition = match settings.edition {
                Edition::Eiam => "EIAM",
                Edition::OneAccess => "OneAccess",
                Edition::OneAccessIsv { .. } => "OneAccess (ISV)",
                _ => "CIAM",
            };
            (edition, settings.client_id.clone(), settings.strict)
        })
    }

    fn with_settings<T: Default>(&self, read: impl FnOnce(&Settings) -> T) -> T {
        let mut value = T::default();
        self.tenant().configure(|settings| value = read(settings));
        value
    }

    /// The response to a call: its HTTP status, and JSON.
    pub fn answer(&self, request: &Request<Vec<u8>>) -> (StatusCode, String) {
        let result = self.call(request.method(), request.uri(), request.body());
        match result {
            Ok(value) => (StatusCode::OK, value.to_string()),
            Err(Problem(http_status, why)) => (http_status, json!({ "error": why }).to_string()),
        }
    }

    fn call(&self, method: &Method, uri: &http::Uri, body: &[u8]) -> Answer {
        let found: Vec<_> =
            ROUTES.iter().filter_map(|route| Some((route, names(route.path, uri.path())?))).collect();
        if found.is_empty() {
            return Err(not_found("there is no such path: GET /openapi.json lists them"));
        }
        let Some((route, mut names)) = found.into_iter().find(|(route, _)| route.method == *method) else {
            let why = format!("the path is there, but not for {method}: GET /openapi.json lists what is");
            return Err(Problem(StatusCode::METHOD_NOT_ALLOWED, why));
        };
        for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            names.insert(decoded(name, true), decoded(value, true));
        }
        (route.call)(self, &Call { names, body })
    }

    fn health(&self, _: &Call<'_>) -> Answer {
        let (edition, client_id, strict) = self.summary();
        Ok(json!({
            "status": "ok",
            "version": env!("CARGO_PKG_VERSION"),
            "edition": edition,
            "client_id": client_id,
            "strict": strict,
        }))
    }

    fn users(&self, _: &Call<'_>) -> Answer {
        Ok(json!({ "users": self.tenant().user_names() }))
    }

    fn add_user(&self, call: &Call<'_>) -> Answer {
        let form: UserForm = call.json()?;
        form.check()?;
        let user_name = form.user_name.clone();
        self.tenant().add_user(form.user());
        Ok(json!({ "user_name": user_name }))
    }

    fn user(&self, call: &Call<'_>) -> Answer {
        let user_name = call.name("user_name")?;
        let tenant = self.tenant();
        if !tenant.user_names().iter().any(|known| known == user_name) {
            return Err(not_found("no user has this name"));
        }
        Ok(json!({ "user_name": user_name, "password": tenant.password(user_name) }))
    }

    fn binding(&self, call: &Call<'_>) -> Answer {
        let platform: PlatformForm = serde_json::from_value(call.name("platform")?.into())
            .map_err(|error| Problem(StatusCode::BAD_REQUEST, format!("platform: {error}")))?;
        let bound = self.tenant().bound_user(platform.0, call.name("identity")?);
        let user_name = bound.ok_or_else(|| not_found("nobody has bound this identity"))?;
        Ok(json!({ "user_name": user_name }))
    }

    fn bind(&self, call: &Call<'_>) -> Answer {
        let Binding { platform, identity, user_name } = call.json()?;
        let tenant = self.tenant();
        if !tenant.user_names().contains(&user_name) {
            return Err(Wrong::member("user_name", format!("no user is named `{user_name}`")).into());
        }
        tenant.bind(platform.0, identity, &user_name);
        Ok(json!({ "user_name": user_name }))
    }

    fn platform_code(&self, call: &Call<'_>) -> Answer {
        let form: PlatformCode = call.json()?;
        form.check()?;
        Ok(json!({ "code": config::accept(&self.tenant(), &form) }))
    }

    fn last_code(&self, call: &Call<'_>) -> Answer {
        let code = self.tenant().last_code(call.name("destination")?);
        Ok(json!({ "code": code.ok_or_else(|| not_found("no code was sent there"))? }))
    }

    fn verification_code(&self, call: &Call<'_>) -> Answer {
        let VerificationCode { destination, send_type, code } = call.json()?;
        let tenant = self.tenant();
        let code = match code {
            Some(code) => {
                tenant.accept_code(&destination, send_type.0, &code);
                code
            }
            None => tenant.issue_code(&destination, send_type.0),
        };
        Ok(json!({ "code": code }))
    }

    fn captcha(&self, call: &Call<'_>) -> Answer {
        let x = self.tenant().captcha_solution(call.name("token")?);
        let x = x.ok_or_else(|| not_found("there is no such captcha, or it was tried"))?;
        Ok(json!({ "x": x, "y": 5.0, "point_json": format!(r#"{{"x":{x:?},"y":5.0}}"#) }))
    }

    fn fault(&self, call: &Call<'_>) -> Answer {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Form {
            path: String,
            fault: FaultForm,
        }

        let Form { path, fault } = call.json()?;
        if !path.starts_with('/') {
            return Err(Wrong::member("path", "must begin with /").into());
        }
        self.tenant().fail_next(&path, fault.fault()?);
        Ok(json!({ "path": path }))
    }

    fn clock(&self, _: &Call<'_>) -> Answer {
        let since = self.tenant().now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(json!({ "unix_seconds": since.as_secs() }))
    }

    fn advance(&self, call: &Call<'_>) -> Answer {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Form {
            seconds: u64,
        }

        let Form { seconds } = call.json()?;
        if seconds > LONGEST_ADVANCE {
            return Err(Wrong::member("seconds", "is more than a hundred years").into());
        }
        self.tenant().advance(Duration::from_secs(seconds));
        self.clock(call)
    }

    fn rotate(&self, _: &Call<'_>) -> Answer {
        self.tenant().rotate_key();
        Ok(json!({}))
    }

    fn ledger(&self, _: &Call<'_>) -> Answer {
        let entries: Vec<_> = self.tenant().ledger().iter().map(forms::entry).collect();
        Ok(json!({ "entries": entries }))
    }

    fn take_ledger(&self, _: &Call<'_>) -> Answer {
        let entries: Vec<_> = self.tenant().take_ledger().iter().map(forms::entry).collect();
        Ok(json!({ "entries": entries }))
    }

    fn state_token(&self, call: &Call<'_>) -> Answer {
        let stage = self.tenant().pending(call.name("state_token")?);
        let stage = stage.ok_or_else(|| not_found("this state token is good for nothing"))?;
        Ok(json!({ "stage": stage.to_string() }))
    }

    fn session(&self, call: &Call<'_>) -> Answer {
        let user_name = self.tenant().session_user(call.name("session_token")?);
        Ok(json!({ "user_name": user_name.ok_or_else(|| not_found("there is no such session"))? }))
    }

    fn end_session(&self, call: &Call<'_>) -> Answer {
        let user = self.session(call)?;
        self.tenant().end_session(call.name("session_token")?);
        Ok(user)
    }

    fn settings(&self, _: &Call<'_>) -> Answer {
        let form = self.with_settings(SettingsForm::of);
        serde_json::to_value(form)
            .map_err(|error| Problem(StatusCode::INTERNAL_SERVER_ERROR, format!("no JSON: {error}")))
    }

    fn change_settings(&self, call: &Call<'_>) -> Answer {
        let form: SettingsForm = call.json()?;
        form.check()?;
        self.tenant().configure(|settings| form.apply(settings));
        self.settings(call)
    }

    fn reset(&self, _: &Call<'_>) -> Answer {
        *self.in_use() = self.config.tenant(self.strict);
        self.users(&Call { names: BTreeMap::new(), body: &[] })
    }
}

fn document(text: &str) -> Answer {
    serde_json::from_str(text)
        .map_err(|error| Problem(StatusCode::INTERNAL_SERVER_ERROR, format!("no JSON: {error}")))
}

/// The names in a path such as `/users/{user_name}`; `None` if it is another path.
fn names(pattern: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut names = BTreeMap::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(names),
            (Some(wanted), Some(given)) => {
                match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) if !given.is_empty() => names.insert(name.to_owned(), decoded(given, false)),
                    None if wanted == given => None,
                    _ => return None,
                };
            }
            _ => return None,
        }
    }
}

/// Percent-encoded text; `+` is a space in a query.
fn decoded(text: &str, query: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
        bytes.push(match (first, hex(tail.first()), hex(tail.get(1))) {
            (b'%', Some(high), Some(low)) => {
                rest = tail.get(2..).unwrap_or_default();
                u8::try_from(high * 16 + low).unwrap_or_default()
            }
            (b'+', ..) if query => b' ',
            (other, ..) => *other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{OPENAPI, ROUTES, Value, decoded, names};

    #[test]
    fn the_description_has_each_route_and_no_other() {
        let described: Value = serde_json::from_str(OPENAPI).unwrap();
        let mut described: Vec<_> = described["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| {
                let methods = item.as_object().unwrap().keys().filter(|name| *name != "parameters");
                methods.map(move |method| format!("{} {path}", method.to_uppercase()))
            })
            .collect();
        let mut served: Vec<_> =
            ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
        described.sort();
        served.sort();
        assert_eq!(described, served);
    }

    #[test]
    fn names_are_decoded() {
        assert_eq!(decoded("a%40b.c+d%2", true), "a@b.c d%2");
        assert_eq!(decoded("+86-1%2B", false), "+86-1+");
        assert_eq!(names("/users/{user_name}", "/users/%E5%BC%A0").unwrap()["user_name"], "张");
        assert!(names("/users/{user_name}", "/users/").is_none());
        assert!(names("/users", "/users/x").is_none());
    }
}
