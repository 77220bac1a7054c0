//! The calls of the mini program: open the handle, make the step, seal what comes of it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use idaas_login::http::StatusCode;
use idaas_login::{
    CaptchaImage, CaptchaPass, Client, Device, Error, IdTokenVerifier, NotAllowed, Outcome, Resumed, Sealer,
    StepError, Suspended, Unresolved,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::answer::{Done, Now, Refused, Reply};

/// What every handler shares. Nothing in it changes: there is no store.
pub struct Backend {
    pub client: Client,
    /// It keeps the tenant's keys, which is a cache and no state.
    pub verifier: IdTokenVerifier,
    pub sealer: Sealer,
}

/// Who calls.
pub struct Caller {
    /// What handles are bound to: one that was given to another device does not open here.
    pub context: String,
    /// The device, for a login; a handle has the one that it began with.
    pub device: Device,
}

/// What the calls take. No `Debug`: there are passwords and codes in it.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Input {
    handle: String,
    way: String,
    code: String,
    user_name: String,
    password: String,
    phone: String,
    email: String,
    token: String,
    x: f64,
    captcha_token: String,
}

/// One arm for each of the six stages in which a code is due: they are types of their own with the same methods.
macro_rules! code_due {
    ($held:expr, |$stage:ident, $variant:ident| $then:expr) => {
        match $held {
            Resumed::BindByPhone($stage) => code_due!(@arm BindByPhone, $variant, $then),
            Resumed::BindByEmail($stage) => code_due!(@arm BindByEmail, $variant, $then),
            Resumed::RegisterByPhone($stage) => code_due!(@arm RegisterByPhone, $variant, $then),
            Resumed::RegisterByEmail($stage) => code_due!(@arm RegisterByEmail, $variant, $then),
            Resumed::SecondFactorByPhone($stage) => code_due!(@arm SecondFactorByPhone, $variant, $then),
            Resumed::SecondFactorByEmail($stage) => code_due!(@arm SecondFactorByEmail, $variant, $then),
            other => Err(Refused::wrong_stage(other)),
        }
    };
    (@arm $name:ident, $variant:ident, $then:expr) => {{
        let $variant = Resumed::$name;
        $then
    }};
}

impl Backend {
    /// The call of this path, if there is one.
    pub fn call(&self, path: &str, caller: &Caller, input: &Input) -> Option<Reply> {
        let held = || self.open(&input.handle, caller);
        Some(match path {
            "/api/login" => self.login(caller, input),
            "/api/choose" => held().and_then(|held| choose(held, input)),
            "/api/captcha" => held().and_then(|held| self.captcha(held)),
            "/api/captcha/solve" => held().and_then(|held| self.solve(held, input)),
            "/api/send-code" => held().and_then(|held| send_code(held, input)),
            "/api/submit" => held().and_then(|held| submit(held, input)),
            "/api/back" => held().and_then(back),
            "/api/retry-anyway" => self.retry_anyway(caller, input),
            "/api/me" => held().and_then(|held| self.me(held)),
            "/api/renew" => held().and_then(renew),
            _ => return None,
        })
    }

    /// The reply as JSON, with the handle sealed for this caller.
    pub fn tell(&self, reply: Reply, caller: &Caller) -> (StatusCode, Value) {
        let mut told = Map::new();
        let mut tell = |name: &str, value: Value| drop(told.insert(name.to_owned(), value));
        let (status, now) = match reply {
            Ok(Done { now, given }) => {
                if let Some((name, value)) = given {
                    tell(name, value);
                }
                (StatusCode::OK, Some(now))
            }
            Err(refused) => {
                tell("error", refused.error());
                (refused.status, refused.now.map(|now| *now))
            }
        };
        let Some(now) = now else {
            tell("stage", "unauthenticated".into());
            tell("ways", json!(["login"]));
            return (status, Value::Object(told));
        };
        match self.sealer.seal_for(&now.suspended, caller.context.as_bytes(), now.lifetime) {
            Ok(handle) => tell("handle", handle.into()),
            Err(error) => {
                eprintln!("{error}");
                let failed =
                    Refused::new(StatusCode::SERVICE_UNAVAILABLE, "start_over", "Please begin again.");
                return (failed.status, json!({ "error": failed.error(), "stage": "unauthenticated" }));
            }
        }
        tell("stage", now.stage.into());
        tell("purpose", now.purpose.into());
        tell("ways", now.ways.into());
        tell("destination", now.destination.into());
        tell("expires_in", now.lifetime.as_secs().into());
        (status, Value::Object(told))
    }

    fn unseal(&self, handle: &str, caller: &Caller) -> Result<Suspended, Refused> {
        self.sealer.open(handle, caller.context.as_bytes()).map_err(|error| {
            eprintln!("a handle does not open: {}", error.reason());
            Refused::dead_handle()
        })
    }

    fn open(&self, handle: &str, caller: &Caller) -> Result<Resumed, Refused> {
        match self.resume(handle, caller)? {
            Resumed::Unresolved(unresolved) => {
                let message = "What became of the last step is not known: begin again, or retry anyway.";
                let now = Now::unresolved(unresolved.suspend());
                Err(Refused::new(StatusCode::CONFLICT, "unknown_outcome", message).at(now))
            }
            held => Ok(held),
        }
    }

    fn resume(&self, handle: &str, caller: &Caller) -> Result<Resumed, Refused> {
        self.client.resume_any(self.unseal(handle, caller)?).map_err(|error| {
            eprintln!("{error}");
            Refused::dead_handle()
        })
    }

    fn login(&self, caller: &Caller, input: &Input) -> Reply {
        let step = self.client.login(caller.device.clone()).wechat_mini_program(&input.code);
        step.send().map(done).map_err(|failed| Refused::login(failed.error()))
    }

    /// A captcha belongs to no stage, but only a stage in which a code is due needs one.
    fn captcha(&self, held: Resumed) -> Reply {
        code_due!(held, |stage, back_to| {
            let captcha = self.client.captcha(stage.device()).send();
            let now = Now::at(back_to(stage));
            let captcha = match captcha {
                Ok(captcha) => captcha,
                Err(error) => return Err(Refused::side_call(&error, now)),
            };
            let size = captcha.picture().and_then(CaptchaImage::size);
            let given = json!({
                "token": captcha.token().expose(),
                "picture": captcha.picture().map(data_uri),
                "piece": captcha.piece().map(data_uri),
                "width": size.map(|(width, _)| width),
                "height": size.map(|(_, height)| height),
            });
            Ok(Done { now, given: Some(("captcha", given)) })
        })
    }

    /// The captcha may have been fetched by another process: its token is all that is needed.
    fn solve(&self, held: Resumed, input: &Input) -> Reply {
        code_due!(held, |stage, back_to| {
            let captcha = self.client.captcha_from_token(stage.device(), &input.token);
            let solved = captcha.solve(input.x, stage.destination()).send();
            let now = Now::at(back_to(stage));
            match solved {
                Ok(pass) => Ok(Done { now, given: Some(("captcha_token", pass.expose().into())) }),
                Err(error) => Err(Refused::side_call(&error, now)),
            }
        })
    }

    fn me(&self, held: Resumed) -> Reply {
        let Resumed::Authenticated(user) = held else { return Err(Refused::wrong_stage(held)) };
        let identified = user.identify(&self.verifier);
        let now = Now::at(Resumed::Authenticated(user));
        match identified {
            Ok(claims) => {
                let given = json!({
                    "id": claims.id(),
                    "user_name": claims.user_name(),
                    "name": claims.name(),
                    "mobile": claims.mobile(),
                    "email": claims.email(),
                });
                Ok(Done { now, given: Some(("user", given)) })
            }
            Err(error) => {
                eprintln!("an identity token is not accepted: {error}");
                Err(Refused::identity(&error, now))
            }
        }
    }

    /// Takes back the stage of an unresolved step, at the user's own risk.
    fn retry_anyway(&self, caller: &Caller, input: &Input) -> Reply {
        match self.resume(&input.handle, caller)? {
            Resumed::Unresolved(unresolved) => Ok(here(unresolved.retry_anyway())),
            held => Err(Refused::wrong_stage(held)),
        }
    }
}

fn here(held: Resumed) -> Done {
    Done { now: Now::at(held), given: None }
}

fn done(outcome: Outcome) -> Done {
    Done { now: Now::of(outcome), given: None }
}

/// The end of a step that leads to any stage.
fn stepped<S>(
    sent: Result<Outcome, StepError<S>>,
    held: impl FnOnce(S) -> Resumed,
    suspend: impl FnOnce(Unresolved<S>) -> Suspended,
) -> Reply {
    sent.map(done).map_err(|failed| Refused::step(failed, held, suspend))
}

/// The end of a narrowing that the tenant may not allow.
fn narrowed<S, V>(
    to: Result<V, NotAllowed<S>>,
    held: impl FnOnce(V) -> Resumed,
    back_to: impl FnOnce(S) -> Resumed,
) -> Reply {
    to.map(|to| here(held(to))).map_err(|refused| {
        let error = Error::NotAllowed(refused.method().clone());
        Refused::side_call(&error, Now::at(back_to(refused.into_stage())))
    })
}

fn choose(held: Resumed, input: &Input) -> Reply {
    let Input { way, code, user_name, password, phone, email, .. } = input;
    match (held, way.as_str()) {
        (Resumed::PendingBind(stage), "authorised_number") => {
            stepped(stage.wechat_mobile(code).send(), Resumed::PendingBind, Unresolved::suspend)
        }
        (Resumed::PendingBind(stage), "password") => {
            let sent = stage.username_password(user_name, password).send();
            stepped(sent, Resumed::PendingBind, Unresolved::suspend)
        }
        (Resumed::PendingBind(stage), "phone") => {
            narrowed(stage.phone(phone), Resumed::BindByPhone, Resumed::PendingBind)
        }
        (Resumed::PendingBind(stage), "email") => {
            narrowed(stage.email(email), Resumed::BindByEmail, Resumed::PendingBind)
        }
        (Resumed::PendingRegister(stage), "authorised_number") => {
            stepped(stage.wechat_mobile(code).send(), Resumed::PendingRegister, Unresolved::suspend)
        }
        (Resumed::PendingRegister(stage), "phone") => {
            narrowed(stage.phone(phone), Resumed::RegisterByPhone, Resumed::PendingRegister)
        }
        (Resumed::PendingRegister(stage), "email") => {
            narrowed(stage.email(email), Resumed::RegisterByEmail, Resumed::PendingRegister)
        }
        (Resumed::MfaRequired(stage), "phone") if phone.is_empty() => {
            match stage.registered_mobile().send() {
                Ok(mobile) => Ok(here(Resumed::SecondFactorByPhone(stage.phone(mobile)))),
                Err(error) => Err(Refused::side_call(&error, Now::at(Resumed::MfaRequired(stage)))),
            }
        }
        (Resumed::MfaRequired(stage), "phone") => Ok(here(Resumed::SecondFactorByPhone(stage.phone(phone)))),
        (Resumed::MfaRequired(stage), "email") => Ok(here(Resumed::SecondFactorByEmail(stage.email(email)))),
        (held, _) => Err(Refused::wrong_stage(held)),
    }
}

fn send_code(held: Resumed, input: &Input) -> Reply {
    code_due!(held, |stage, back_to| {
        // The destination is the stage's: a pass that was made for another one is refused by the tenant.
        let pass = CaptchaPass::from_token(stage.destination(), &input.captcha_token);
        let sent = stage.send_code(&pass).send();
        let now = Now::at(back_to(stage));
        match sent {
            Ok(()) => Ok(Done { now, given: Some(("sent", true.into())) }),
            Err(error) => Err(Refused::side_call(&error, now)),
        }
    })
}

fn submit(held: Resumed, input: &Input) -> Reply {
    code_due!(held, |stage, back_to| stepped(stage.submit(&input.code).send(), back_to, Unresolved::suspend))
}

fn back(held: Resumed) -> Reply {
    Ok(here(match held {
        Resumed::BindByPhone(stage) => Resumed::PendingBind(stage.back()),
        Resumed::BindByEmail(stage) => Resumed::PendingBind(stage.back()),
        Resumed::RegisterByPhone(stage) => Resumed::PendingRegister(stage.back()),
        Resumed::RegisterByEmail(stage) => Resumed::PendingRegister(stage.back()),
        Resumed::SecondFactorByPhone(stage) => Resumed::MfaRequired(stage.back()),
        Resumed::SecondFactorByEmail(stage) => Resumed::MfaRequired(stage.back()),
        other => return Err(Refused::wrong_stage(other)),
    }))
}

fn renew(held: Resumed) -> Reply {
    let Resumed::Authenticated(user) = held else { return Err(Refused::wrong_stage(held)) };
    match user.renew_id_token().send() {
        Ok(user) => Ok(here(Resumed::Authenticated(user))),
        Err(failed) => Err(Refused::step(failed, Resumed::Authenticated, Unresolved::suspend)),
    }
}

fn data_uri(image: &CaptchaImage) -> String {
    format!("data:{};base64,{}", image.media_type(), BASE64_STANDARD.encode(image.bytes()))
}
