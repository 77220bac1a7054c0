//! Before any login: what the tenant answers to who has nothing.

use idaas_login::endpoints::{self, EditionKind, Endpoint, KEYS_PATH};
use idaas_login::http::{Method, Uri};
use idaas_login::{Edition, Error, ErrorClass, Outcome, Request, UnexpectedReason};

use super::super::calls::PATH_PREFIX;
use super::super::checks;
use super::super::record::{Exchange, Form, Shape};
use super::binding::same;
use super::{Probe, Run, Stop, altered};

const CLIENT_ID: &str = "x-client-id";
const NO_PATH: &str = "/api/v2/sdk/none";
const FINGERPRINT: &str = "x-device-fingerprint";
const DEVICE: [&str; 3] = [FINGERPRINT, "x-operating-sys-version", "x-agent"];
const MADE_UP: &str = "idaas-login-probe-made-up-code";

impl Probe<'_> {
    pub(super) fn look(&mut self) -> Run {
        self.announce_look();
        self.reach()?;
        self.prefix()?;
        self.headers()?;
        self.content_types()?;
        self.steps()?;
        self.announce_look();
        self.made_up_login_code()?;
        self.device_headers()?;
        self.made_up_state_token()?;
        self.elsewhere()
    }

    fn announce_look(&mut self) {
        let rows: [&'static Endpoint; 4] = [
            &endpoints::CAPTCHA,
            &endpoints::LOGIN_WECHAT_MINI_PROGRAM,
            &endpoints::BIND_WECHAT_MOBILE,
            &endpoints::REGISTERED_MOBILE,
        ];
        let mut paths: Vec<_> = rows.into_iter().map(|row| self.path(row)).collect();
        paths.extend([NO_PATH, KEYS_PATH].map(str::to_owned));
        self.announce_paths(&checks::LOOK, paths.into_iter());
    }

    /// Is there a tenant, and does it know the application?
    fn reach(&mut self) -> Run {
        let at = if self.tenant.emulated { "the emulated tenant" } else { "IDAAS_PROBE_BASE_ADDRESS" };
        let mut answer = self.client.captcha(&self.device).send();
        if let Err(Error::Unexpected(_)) = answer
            && let Some(path) = self.tenant.given.path(&endpoints::CAPTCHA)
        {
            self.calls.paths.push((&endpoints::CAPTCHA, path.to_owned()));
            self.rebuild()?;
            answer = self.client.captcha(&self.device).send();
        }
        if let Err(Error::Refused(_)) = answer {
            // Perhaps because of the edition's headers.
            for edition in [Edition::Ciam, Edition::Eiam, Edition::OneAccess] {
                let given = std::mem::replace(&mut self.calls.edition, edition);
                if given.kind().content_type() != self.calls.edition.kind().content_type() {
                    self.rebuild()?;
                    let other = self.client.captcha(&self.device).send();
                    if other.is_ok() {
                        let seen = format!(
                            "{}: the headers of {} are refused",
                            self.calls.edition.kind(),
                            given.kind()
                        );
                        self.findings.differs("C.edition", seen);
                        answer = other;
                        break;
                    }
                }
                self.calls.edition = given;
                self.rebuild()?;
            }
        }
        let hint = if self.calls.path_prefix.is_empty() {
            format!("; is it a tenant's domain? Behind a gateway it needs {PATH_PREFIX}")
        } else {
            format!("; is it a tenant's domain, and {PATH_PREFIX} right?")
        };
        match answer {
            Err(Error::Transport(error)) => Err(Stop(format!("{at} cannot be reached: {error}"))),
            Err(Error::Refused(refusal)) if refusal.code().class() == ErrorClass::Configuration => {
                let hint = "are IDAAS_PROBE_CLIENT_ID, IDAAS_PROBE_EDITION and IDAAS_PROBE_TENANT_ID right?";
                Err(Stop(format!("the tenant refuses this application ({refusal}); {hint}")))
            }
            Err(Error::Unexpected(answer))
                if matches!(
                    answer.reason(),
                    UnexpectedReason::Redirect
                        | UnexpectedReason::NotFromTheApi
                        | UnexpectedReason::ServerFailure
                ) =>
            {
                Err(Stop(format!("{at} does not answer as the API does ({answer}){hint}")))
            }
            Err(Error::Unexpected(_)) if !matches!(self.last()?.body, Shape::Fields { .. }) => {
                let seen = self.last()?.brief();
                Err(Stop(format!("{at} does not answer as the API does ({seen}){hint}")))
            }
            Err(error) => {
                self.findings.open("D18", error.to_string());
                Ok(())
            }
            Ok(_) => {
                self.findings.as_decided("D18", format!("accepted ({})", self.calls.edition.kind()));
                Ok(())
            }
        }
    }

    fn headers(&mut self) -> Run {
        let captcha = || self.client.captcha(&self.device);
        let other = altered::call(self.http, captcha(), |request| {
            altered::header(request, CLIENT_ID, Some("idaas-login-probe-no-such-client"));
        })?;
        let without =
            altered::call(self.http, captcha(), |request| altered::header(request, FINGERPRINT, None))?;
        self.expect("D13.client-id", &other, &[ErrorClass::Configuration]);
        self.expect("D13.device", &without, &[ErrorClass::Configuration]);
        Ok(())
    }

    /// Behind a gateway: would it be there without the prefix, too?
    fn prefix(&mut self) -> Run {
        let prefix = self.calls.path_prefix.clone();
        if prefix.is_empty() {
            return Ok(());
        }
        let captcha = self.client.captcha(&self.device);
        let bare = altered::call(self.http, captcha, |request| {
            to(request, Method::GET, endpoints::CAPTCHA.path);
        })?;
        if bare.is_ok() && matches!(bare.body, Shape::Fields { .. }) {
            self.findings.differs("C.prefix", format!("the API is there without {prefix}, too"));
            self.calls.path_prefix.clear();
            self.rebuild()?;
        } else {
            self.findings.as_decided("C.prefix", prefix);
        }
        Ok(())
    }

    fn made_up_login(&mut self, alter: impl FnOnce(&mut Request)) -> Run<Exchange> {
        let login = self.client.login(self.device.clone());
        let (answer, _) = altered::step(self.http, login.wechat_mini_program(MADE_UP), alter)?;
        Ok(answer)
    }

    fn made_up_login_code(&mut self) -> Run {
        let answer = self.made_up_login(|_| {})?;
        let refused = [ErrorClass::WrongInput, ErrorClass::Server, ErrorClass::Configuration];
        self.expect("D13.login-code", &answer, &refused);
        Ok(())
    }

    /// A header is checked if its absence changes the refusal.
    fn device_headers(&mut self) -> Run {
        let with_all = self.made_up_login(|_| {})?;
        if with_all.refusal.is_none() {
            self.findings.open("D38", format!("a made-up login code is answered: {}", with_all.brief()));
            return Ok(());
        }
        let mut unchecked = Vec::new();
        for name in DEVICE {
            let without = self.made_up_login(|request| altered::header(request, name, None))?;
            if same(&with_all, &without) {
                unchecked.push(name);
            }
        }
        let seen = match unchecked.as_slice() {
            [] => "each is checked".to_owned(),
            unchecked => format!("not checked: {}", unchecked.join(", ")),
        };
        self.findings.as_decided("D38", seen);
        Ok(())
    }

    /// Those of all editions.
    fn content_types(&mut self) -> Run {
        let own = self.calls.edition.kind().content_type();
        let mut refused = Vec::new();
        let mut asked = Vec::new();
        for kind in EditionKind::ALL {
            let content_type = kind.content_type();
            if asked.contains(&content_type) {
                continue;
            }
            asked.push(content_type);
            let captcha = self.client.captcha(&self.device);
            let by_get = altered::call(self.http, captcha, |request| {
                altered::header(request, "content-type", Some(content_type));
            })?;
            let by_post = self.made_up_login(|request| {
                altered::header(request, "content-type", Some(content_type));
            })?;
            let accepted = by_get.is_ok() && by_post.http_status != 415;
            if !accepted && !refused.contains(&content_type) {
                refused.push(content_type);
            }
        }
        if refused.contains(&own) {
            self.findings.differs("D18.content-type", format!("{own} is refused"));
        } else if refused.is_empty() {
            self.findings.as_decided("D18.content-type", "that of each edition is accepted");
        } else {
            self.findings.as_decided("D18.content-type", format!("only {own} is accepted"));
        }
        self.evidence.refused_content_types = refused;
        if !self.evidence.refused_content_types.contains(&own) {
            return Ok(());
        }
        // The steps are asked as the edition that is left.
        self.conclude_edition();
        self.rebuild()
    }

    fn made_up_state_token(&mut self) -> Run {
        let builder = || self.calls.apply(self.tenant.builder());
        let made_up = |status| altered::made_up(builder(), &self.device, status);
        let mut answers = Vec::new();
        if self.has(&endpoints::BIND_WECHAT_MOBILE)
            && let Outcome::PendingBind(stage) = made_up("SOCIAL_BIND")?
        {
            answers.push(altered::step(self.http, stage.wechat_mobile(MADE_UP), |_| {})?.0);
        }
        if self.has(&endpoints::REGISTERED_MOBILE)
            && let Outcome::MfaRequired(stage) = made_up("MFA_AUTH")?
        {
            answers.push(altered::call(self.http, stage.registered_mobile(), |_| {})?);
        }
        // Some tenants look at the fields first; the other call has none.
        let dead = answers.iter().find(|answer| answer.is_dead_token());
        if let Some(answer) = dead.or(answers.first()).cloned() {
            self.expect("D13.state-token", &answer, &[ErrorClass::DeadToken]);
        }
        Ok(())
    }

    /// Paths and methods that the API does not have; and the keys, which are not of the API either.
    fn elsewhere(&mut self) -> Run {
        let captcha = || self.client.captcha(&self.device);
        let at = |path: &str| format!("{}{path}", self.calls.path_prefix);
        let no_path = altered::call(self.http, captcha(), |request| {
            to(request, Method::POST, &at(NO_PATH));
        })?;
        let login = at(endpoints::LOGIN_WECHAT_MINI_PROGRAM.path);
        let method = altered::call(self.http, captcha(), |request| to(request, Method::GET, &login))?;
        for (id, answer) in [("D15.path", &no_path), ("D15.method", &method)] {
            let refused = answer.refusal.is_some() || (300..500).contains(&answer.http_status);
            if refused && !answer.went_on() {
                self.findings.as_decided(id, elsewhere(answer));
            } else {
                self.findings.differs(id, elsewhere(answer));
            }
        }
        let keys = altered::call(self.http, captcha(), |request| to(request, Method::GET, &at(KEYS_PATH)))?;
        match keys.form("keys") {
            Some(Form::List(count @ 1..)) if keys.is_ok() => {
                self.findings.as_decided("C.keys", format!("a list of {count}"));
            }
            _ => self.findings.differs("C.keys", keys.brief()),
        }
        if !keys.is_ok() {
            self.findings.open("C.signature", format!("could not fetch the keys: {}", keys.brief()));
        }
        Ok(())
    }
}

/// What somebody else's response was: its fields have no meaning here.
fn elsewhere(answer: &Exchange) -> String {
    match &answer.body {
        Shape::Fields { .. } if answer.refusal.is_none() => {
            format!("HTTP {}, an object without error code", answer.http_status)
        }
        _ => answer.brief(),
    }
}

pub(super) fn to(request: &mut Request, method: Method, path: &str) {
    let mut parts = request.uri().clone().into_parts();
    if let Ok(path) = path.parse() {
        parts.path_and_query = Some(path);
    }
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    *request.method_mut() = method;
}
