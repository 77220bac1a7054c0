//! The end of a login: the session and the identity token.

use idaas_login::endpoints::{self, Credential, KEYS_PATH};
use idaas_login::{Authenticated, Error, IdToken, IdTokenError, IdTokenVerifier};

use super::super::checks;
use super::{Probe, Run, Stop, Way, altered};

const HEADERS: [&str; 2] = ["session-token", "x-session-token"];

impl Probe<'_> {
    pub(super) fn session(&mut self, user: Authenticated) -> Run {
        (self.say)(&format!("Next: fetch the keys: {}{KEYS_PATH}\n", self.calls.path_prefix));
        if let Some(id_token) = user.id_token() {
            self.identity(id_token)?;
        }
        if self.gone.insert(Way::Renew) {
            self.renew(user)?;
        }
        Ok(())
    }

    fn identity(&mut self, id_token: &IdToken) -> Run {
        if let Ok(claims) = id_token.unverified_claims() {
            let named = claims.id().or(claims.user_name()).is_some();
            match (named, claims.extra().contains_key("api")) {
                (true, false) => self.findings.as_decided("D20", "flat"),
                (true, true) => self.findings.as_decided("D20", "in api"),
                (false, _) => self.findings.differs("D20", "neither names the user"),
            }
        }
        let verifier = IdTokenVerifier::new(&self.client)?;
        match verifier.verify(id_token) {
            Ok(_) => {
                self.findings.as_decided("C.signature", "verified");
                self.findings.as_decided("C.claims", "each is there");
            }
            Err(error @ IdTokenError::MissingClaim(_)) => {
                self.findings.differs("C.claims", error.to_string());
            }
            Err(error @ IdTokenError::Keys(_)) => self.findings.open("C.signature", error.to_string()),
            Err(IdTokenError::WrongIssuer) => {
                let rest = match verifier.danger_accept_any_issuer().verify(id_token) {
                    Ok(_) => "the rest is right".to_owned(),
                    Err(error) => error.to_string(),
                };
                let seen = format!("the issuer is not the base address and /api/v1/oauth2; {rest}");
                self.findings.differs("C.signature", seen);
            }
            Err(error) => self.findings.differs("C.signature", error.to_string()),
        }
        Ok(())
    }

    fn renew(&mut self, user: Authenticated) -> Run {
        let shape = endpoints::RENEW_ID_TOKEN.in_edition(self.client.edition().kind());
        if shape.is_some_and(|shape| shape.credential == Credential::Signature) {
            for check in ["D17", "E.session"] {
                self.findings.open(check, "the renewal carries a signature, which the probe does not make");
            }
            return Ok(());
        }
        let before = user.session_token().clone();
        let (request, in_flight) = match user.renew_id_token().into_request() {
            Ok(ready) => ready,
            Err(failed) => {
                self.findings.open("D17", failed.error().to_string());
                self.findings.open("E.session", failed.error().to_string());
                return Ok(());
            }
        };
        self.announce(&checks::SESSION, &[&endpoints::RENEW_ID_TOKEN]);
        let name =
            HEADERS.into_iter().find(|name| request.headers().contains_key(*name)).unwrap_or(HEADERS[0]);
        let mut other = request.clone();
        let error = match in_flight.receive(idaas_login::Transport::send(&**self.http, request)) {
            Ok(user) => {
                self.findings.as_decided("D17", format!("{name} is accepted"));
                self.evidence.session_header = Some(name);
                if user.session_token().expose() == before.expose() {
                    self.findings.as_decided("E.session", "it is the same");
                } else {
                    self.findings.differs("E.session", "it is another one");
                }
                return Ok(());
            }
            Err(failed) => failed.into_parts().0,
        };
        if let Error::Transport(error) = error {
            return Err(Stop(error.to_string()));
        }
        let to = if name == HEADERS[0] { HEADERS[1] } else { HEADERS[0] };
        altered::rename_header(&mut other, name, to);
        if altered::again(self.http, other)?.is_ok() {
            self.findings.differs("D17", format!("{to} is accepted, {name} is not: {error}"));
            self.evidence.session_header = HEADERS.into_iter().find(|header| *header == to);
            self.conclude_edition();
        } else {
            self.findings.open("D17", format!("both headers are refused: {error}"));
        }
        Ok(())
    }
}
