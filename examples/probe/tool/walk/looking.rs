//! Before any login: what the tenant answers to who has nothing.

use idaas_login::endpoints::{self, KEYS_PATH};
use idaas_login::http::{Method, Uri};
use idaas_login::{Error, ErrorClass, Outcome, Request, UnexpectedReason};

use super::super::record::{Exchange, Shape};
use super::{Probe, Run, Stop, altered};

const CLIENT_ID: &str = "x-client-id";
const FINGERPRINT: &str = "x-device-fingerprint";

impl Probe<'_> {
    pub(super) fn look(&mut self) -> Run {
        self.reach()?;
        self.headers()?;
        self.made_up_login_code()?;
        self.made_up_state_token()?;
        self.elsewhere()
    }

    /// Is there a tenant, and does it know the application?
    fn reach(&mut self) -> Run {
        let at = if self.tenant.emulated { "the emulated tenant" } else { "IDAAS_PROBE_BASE_ADDRESS" };
        match self.client.captcha(&self.device).send() {
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
                Err(Stop(format!(
                    "{at} does not answer as the API does ({answer}); is it a tenant's domain?"
                )))
            }
            Err(Error::Unexpected(_)) if !matches!(self.last()?.body, Shape::Fields { .. }) => {
                let seen = self.last()?.brief();
                Err(Stop(format!("{at} does not answer as the API does ({seen}); is it a tenant's domain?")))
            }
            Err(error) => {
                self.findings.open("D18", error.to_string());
                Ok(())
            }
            Ok(_) => {
                self.findings.as_decided("D18", format!("accepted ({})", self.tenant.edition_name()));
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

    fn made_up_login_code(&mut self) -> Run {
        let login = self.client.login(self.device.clone());
        self.take(login.wechat_mini_program("idaas-login-probe-made-up-code"))?;
        let answer = self.last()?;
        let refused = [ErrorClass::WrongInput, ErrorClass::Server, ErrorClass::Configuration];
        self.expect("D13.login-code", &answer, &refused);
        Ok(())
    }

    /// Without any input of a user: a body without fields, or a made-up code.
    fn made_up_state_token(&mut self) -> Run {
        let made_up = |status| altered::made_up(self.tenant.builder(), &self.device, status);
        let Outcome::PendingBind(stage) = made_up("SOCIAL_BIND")? else { return Ok(()) };
        let (answer, _) = altered::step(self.http, stage.wechat_mobile("idaas-login-probe-made-up"), |_| {})?;
        let Outcome::MfaRequired(stage) = made_up("MFA_AUTH")? else { return Ok(()) };
        let mobile = altered::call(self.http, stage.registered_mobile(), |_| {})?;
        let no_fields = |request: &mut Request| *request.body_mut() = b"{}".to_vec();
        let (sms, stage) = altered::step(self.http, stage.phone("-").submit("-"), no_fields)?;
        let (email, _) = altered::step(self.http, stage.back().email("-").submit("-"), no_fields)?;
        // Some tenants look at the fields first; the other call has none.
        let answer = if answer.is_dead_token() || !mobile.is_dead_token() { &answer } else { &mobile };
        self.expect("D13.state-token", answer, &[ErrorClass::DeadToken]);
        let paths = [
            (endpoints::REGISTERED_MOBILE.path, mobile),
            (endpoints::MFA_PHONE.path, sms),
            (endpoints::MFA_EMAIL.path, email),
        ];
        for (path, answer) in paths {
            match answer.refusal {
                Some(_) => self.findings.as_decided("D7.paths", "each refuses with an error code"),
                None => self.findings.differs("D7.paths", format!("{path}: {}", answer.brief())),
            }
        }
        Ok(())
    }

    /// Paths and methods that the API does not have; and the keys, which are not of the API either.
    fn elsewhere(&mut self) -> Run {
        let captcha = || self.client.captcha(&self.device);
        let no_path =
            altered::call(self.http, captcha(), |request| to(request, Method::POST, "/api/v2/sdk/none"))?;
        let login = endpoints::LOGIN_WECHAT_MINI_PROGRAM.path;
        let method = altered::call(self.http, captcha(), |request| to(request, Method::GET, login))?;
        for (id, answer) in [("D15.path", &no_path), ("D15.method", &method)] {
            let refused = answer.refusal.is_some() || (300..500).contains(&answer.http_status);
            if refused && !answer.went_on() {
                self.findings.as_decided(id, elsewhere(answer));
            } else {
                self.findings.differs(id, elsewhere(answer));
            }
        }
        let keys = altered::call(self.http, captcha(), |request| to(request, Method::GET, KEYS_PATH))?;
        if !keys.is_ok() {
            self.findings.open("C.signature", format!("the keys are not to be had: {}", keys.brief()));
        }
        Ok(())
    }
}

/// What somebody else's answer was: its fields have no meaning here.
fn elsewhere(answer: &Exchange) -> String {
    match &answer.body {
        Shape::Fields { .. } if answer.refusal.is_none() => {
            format!("HTTP {}, an object without error code", answer.http_status)
        }
        _ => answer.brief(),
    }
}

fn to(request: &mut Request, method: Method, path: &'static str) {
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(idaas_login::http::uri::PathAndQuery::from_static(path));
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    *request.method_mut() = method;
}
