//! Captchas, verification codes and second factors: from "send me a code" to a finished login.

use std::collections::BTreeSet;
use std::time::Duration;

use idaas_login::emulator::{Effect, Emulator, Fault, Unbound, User};
use idaas_login::endpoints::{
    self, EditionKind, Endpoint, FieldKind, Platform, Scenario, SendType, StageKind,
};
use idaas_login::{
    AcceptsCode, Advice, AlipayMiniProgram, Captcha, CaptchaPass, Client, Edition, Error, ErrorClass,
    MfaRequired, Outcome, PendingBind, PendingRegister, Recovery, RegistrationAttributes, Request, Transport,
    VerifyEmail, VerifyPhone,
};
use support::{CAPTCHA, CLIENT_ID, EMAIL, MOBILE, StepResult, always, client, device, response, step_result};

fn captcha(body: &str) -> Result<Captcha, Error> {
    client(always(200, body)).captcha(&device()).send()
}

/// A captcha with these values in the place of nulls.
fn captcha_with(values: &[(&str, &str)]) -> String {
    let mut body = CAPTCHA.to_owned();
    for (name, value) in values {
        body = body.replace(&format!(r#""{name}":null"#), &format!(r#""{name}":{value}"#));
    }
    body
}

/// A PNG of one pixel, and the beginning of a JPEG of 16 by 8.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const JPEG: &str = "/9j/4AAQSkZJRgABAQAAAQABAAD/wAARCAAIABADASIAAhEBAxEB/9k=";

#[test]
fn a_captcha_is_read_whatever_its_kind_carries() {
    let plain = captcha(CAPTCHA).unwrap();
    assert_eq!(plain.token().expose(), "389c21b32a8e4eba9a6d75b71150bfd1");
    assert_eq!(plain.secret_key(), Some("yMXC583dP4R7uhmq"));
    assert!(plain.picture().is_none() && plain.piece().is_none() && plain.words().is_empty());

    let quoted = |text: &str| format!("\"{text}\"");
    let in_lines = format!("\"{}\\r\\n{}\"", &PNG[..40], &PNG[40..]);
    for (form, length) in [
        (quoted(PNG), 70),
        (quoted(PNG.trim_end_matches('=')), 70),
        (quoted(&format!("data:image/png;base64,{PNG}")), 70),
        (in_lines, 70),
    ] {
        let read = captcha(&captcha_with(&[("originalImageBase64", &form)])).unwrap();
        let picture = read.picture().unwrap();
        assert_eq!(picture.bytes().len(), length, "{form}");
        assert_eq!((picture.media_type(), picture.size()), ("image/png", Some((1, 1))));
        assert_eq!(format!("{picture:?}"), "image/png of 70 bytes");
    }
    let jpeg = captcha(&captcha_with(&[("jigsawImageBase64", &quoted(JPEG))])).unwrap();
    let piece = jpeg.piece().unwrap();
    assert_eq!((piece.media_type(), piece.size()), ("image/jpeg", Some((16, 8))));
    let other = captcha(&captcha_with(&[("jigsawImageBase64", "\"AAAA\"")])).unwrap();
    assert_eq!(
        (other.piece().unwrap().media_type(), other.piece().unwrap().size()),
        ("application/octet-stream", None)
    );

    let not_a_data_url = quoted(&format!("x:image/png;base64,{PNG}"));
    assert!(captcha(&captcha_with(&[("originalImageBase64", &not_a_data_url)])).is_err());

    let words = captcha(&captcha_with(&[("wordList", r#"["天","地"]"#)])).unwrap();
    assert_eq!(words.words(), ["天", "地"]);
    // Another form of the words, or of anything undocumented, is a captcha of another kind.
    assert!(
        captcha(&captcha_with(&[("wordList", r#"[{"a":1}]"#), ("point", "{}"), ("pointList", "[[]]")]))
            .is_ok()
    );

    for broken in [
        "",
        "{}",
        "[]",
        r#"{"token":null}"#,
        r#"{"token":17}"#,
        &captcha_with(&[("originalImageBase64", "\"not base64!\"")]),
        &captcha_with(&[("originalImageBase64", "17")]),
    ] {
        let error = captcha(broken).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unexpected response: a body that cannot be read, HTTP 200",
            "{broken}"
        );
    }
    let refused = r#"{"error_code":"IDAAS.SDK.PARAM.0001","error_msg":" Device information is incomplete"}"#;
    let error = client(always(400, refused)).captcha(&device()).send().unwrap_err();
    assert_eq!(error.to_string(), "refused by the API: IDAAS.SDK.PARAM.0001 (configuration), HTTP 400");
}

#[test]
fn a_solution_outside_the_picture_is_not_sent() {
    let picture = format!("\"{JPEG}\"");
    let body = captcha_with(&[("originalImageBase64", &picture)]);
    let client = client(move |request: Request| {
        assert_eq!(request.uri().path(), endpoints::CAPTCHA.path, "nothing else may be sent");
        Ok(response(200, body.clone()))
    });
    let captcha = client.captcha(&device()).send().unwrap();
    for x in [-0.1, 16.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = captcha.solve(x, MOBILE).send().unwrap_err();
        assert_eq!(error.to_string(), "invalid input: x is outside the picture; nothing was sent", "{x}");
    }
    let error = captcha.solve(1.0, "").send().unwrap_err();
    assert_eq!(error.to_string(), "invalid input: sender is empty; nothing was sent");
    for x in [0.0, 16.0, 7.25] {
        let (request, _) = captcha.solve(x, MOBILE).into_request().unwrap();
        let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
        assert_eq!(body["point_json"], format!("{{\"x\":{x:?},\"y\":5.0}}"));
    }
    // Without a picture that can be measured there is no edge to be beyond, but still nothing negative.
    let unmeasured = self::captcha(CAPTCHA).unwrap();
    assert!(unmeasured.solve(4000.0, MOBILE).into_request().is_ok());
    assert!(unmeasured.solve(-1.0, MOBILE).into_request().is_err());
}

#[test]
fn a_solution_gives_a_pass_for_its_sender() {
    let answer = include_str!("../seeds/captcha_verify.answer_200.json");
    let client = client(support::script(vec![Ok(response(200, CAPTCHA)), Ok(response(200, answer))]));
    let pass = client.captcha(&device()).send().unwrap().solve(237.0, MOBILE).send().unwrap();
    assert_eq!(pass.sender(), MOBILE);
    assert_eq!(pass.expose(), r#"71dd26999e314f9abb0c635336976635---{"x":237.0,"y":5.0}"#);
    for answer in ["", "{}", r#"{"captcha_token":null}"#, r#"{"captcha_token":{}}"#] {
        let client =
            self::client(support::script(vec![Ok(response(200, CAPTCHA)), Ok(response(200, answer))]));
        let error = client.captcha(&device()).send().unwrap().solve(237.0, MOBILE).send().unwrap_err();
        assert!(matches!(error, Error::Unexpected(_)), "{error}");
    }
}

#[test]
fn a_pass_for_another_destination_is_not_sent() {
    let client = client(|request: Request| {
        assert_eq!(
            request.uri().path(),
            endpoints::LOGIN_WECHAT_MINI_PROGRAM.path,
            "nothing else may be sent"
        );
        Ok(response(200, support::MFA_AUTH))
    });
    let pass = CaptchaPass::from_token("152", "a-token");
    let error = support::mfa_required(&client).phone("153").send_code(&pass).send().unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid input: captcha_token was made for another destination; nothing was sent"
    );
    let error = support::mfa_required(&client).email("a@b.c").send_code(&pass).send().unwrap_err();
    assert!(matches!(error, Error::InvalidInput(_)));
    let empty = CaptchaPass::from_token("152", " ");
    let error = support::mfa_required(&client).phone("152").send_code(&empty).send().unwrap_err();
    assert_eq!(error.to_string(), "invalid input: captcha_token is empty; nothing was sent");
}

#[test]
fn a_code_that_was_sent_is_answered_with_nothing() {
    let pass = CaptchaPass::from_token(MOBILE, "a-token");
    let send = |http_status, body: &str| {
        let answers = vec![Ok(response(200, support::MFA_AUTH)), Ok(response(http_status, body))];
        support::mfa_required(&client(support::script(answers))).phone(MOBILE).send_code(&pass).send()
    };
    for body in ["", " \n", "{}", "null", r#"{"result":true}"#, r#"{"status":null}"#] {
        send(200, body).unwrap();
    }
    // Somebody else's response, or half of one, is no success.
    for body in
        ["ok", "<html>", "[]", r#"{"result":"#, r#"{"status":500,"error":"x"}"#, r#"{"status":"MFA_AUTH"}"#]
    {
        assert!(matches!(send(200, body).unwrap_err(), Error::Unexpected(_)), "{body}");
    }
    assert!(matches!(send(200, r#"{"status":"ACCESS_DENIED"}"#).unwrap_err(), Error::AccessDenied));
    let refused = r#"{"error_code":"IDAAS.SDK.CAPTCHA.0006","error_msg":"x"}"#;
    for http_status in [200, 400] {
        assert!(matches!(send(http_status, refused).unwrap_err(), Error::Refused(_)));
    }
    assert!(matches!(send(302, "").unwrap_err(), Error::Unexpected(_)));
    assert!(matches!(send(500, "").unwrap_err(), Error::Unexpected(_)));
}

/// In the table, each stage that a code moves on has its two ways to ask for one and its two ways to submit one, and the
/// type that is asked for is the type that is submitted.
#[test]
fn the_table_pairs_each_request_for_a_code_with_its_submission() {
    let mut types = BTreeSet::new();
    for scenario in [Scenario::Bind, Scenario::Register, Scenario::SecondFactor] {
        for from in [StageKind::VerifyPhone(scenario), StageKind::VerifyEmail(scenario)] {
            let rows = |step| {
                let rows: Vec<_> =
                    endpoints::ALL.iter().filter(|row| row.from == from && row.step == step).collect();
                assert_eq!(rows.len(), 1, "{from:?}.{step}");
                rows[0]
            };
            let (send, submit) = (rows("send_code"), rows("submit"));
            assert_eq!(send.send_type, submit.send_type, "{from:?}");
            assert_eq!(send.fields[0], submit.fields[0], "{from:?}");
            assert!(send.fields.iter().any(|field| field.kind == FieldKind::SendType));
            assert!(!send.moves_the_flow() && submit.moves_the_flow());
            assert!(types.insert(send.send_type.unwrap().as_str()), "a type is for one scenario and channel");
        }
    }
}

/// Whatever a step submits can be asked for on the same stage, and whatever can be asked for is submitted there.
#[test]
fn every_code_that_is_asked_for_is_submitted_and_the_other_way_round() {
    let rows = || endpoints::ALL.iter().filter_map(|row| Some((row.from, row.step, row.send_type?)));
    for (from, step, send_type) in rows() {
        let other = if step == "send_code" { "submit" } else { "send_code" };
        let there = rows().any(|row| row == (from, other, send_type));
        let what = if step == "send_code" { "no step submits it" } else { "no step asks for it" };
        assert!(there, "{}: {from}.{step}: {what}", send_type.as_str());
    }
}

/// A tenant with one account, whose identity is not bound, behind HTTP.
struct Setting {
    tenant: Emulator,
    #[cfg(feature = "ureq")]
    _server: idaas_login::emulator::EmulatorServer,
    client: Client,
}

impl Setting {
    fn new(user: User) -> Self {
        let tenant = Emulator::new();
        tenant.add_user(user);
        #[cfg(feature = "ureq")]
        {
            let server = tenant.start().unwrap();
            let client = server.client_builder().build().unwrap();
            Self { tenant, _server: server, client }
        }
        #[cfg(not(feature = "ureq"))]
        {
            let client = tenant.client().unwrap();
            Self { tenant, client }
        }
    }

    fn log_in(&self) -> Outcome {
        let code = self.tenant.wechat_login_code("an-openid");
        self.client.login(device()).wechat_mini_program(code).send().unwrap()
    }

    fn bind(&self) -> PendingBind {
        self.tenant.configure(|settings| settings.unbound = Unbound::Bind);
        match self.log_in() {
            Outcome::PendingBind(stage) => stage,
            other => panic!("{other:?}"),
        }
    }

    fn register(&self) -> PendingRegister {
        self.tenant.configure(|settings| settings.unbound = Unbound::Register);
        match self.log_in() {
            Outcome::PendingRegister(stage) => stage,
            other => panic!("{other:?}"),
        }
    }

    /// What a person does: looks at the captcha, and moves the piece.
    fn pass(&self, destination: &str) -> CaptchaPass {
        let captcha = self.client.captcha(&device()).send().unwrap();
        let x = self.tenant.captcha_solution(captcha.token().expose()).unwrap();
        captcha.solve(x, destination).send().unwrap()
    }

    fn by_phone<S>(&self, stage: VerifyPhone<S>) -> Outcome
    where
        S: AcceptsCode<Outcome = Outcome>,
    {
        stage.send_code(&self.pass(stage.destination())).send().unwrap();
        let code = self.tenant.last_code(stage.destination()).unwrap();
        stage.submit(code).send().unwrap()
    }

    fn by_email<S>(&self, stage: VerifyEmail<S>) -> Outcome
    where
        S: AcceptsCode<Outcome = Outcome>,
    {
        stage.send_code(&self.pass(stage.destination())).send().unwrap();
        let code = self.tenant.last_code(stage.destination()).unwrap();
        stage.submit(code).send().unwrap()
    }

    fn second_factor(outcome: Outcome) -> MfaRequired {
        match outcome {
            Outcome::MfaRequired(stage) => stage,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn assert_logged_in(&self, outcome: Outcome) {
        let Outcome::Authenticated(user) = outcome else { panic!("{outcome:?}") };
        assert_eq!(self.tenant.session_user(user.session_token().expose()).as_deref(), Some("zhangsan"));
        assert_eq!(
            self.tenant.bound_user(Platform::WeChatMiniProgram, "an-openid").as_deref(),
            Some("zhangsan")
        );
    }
}

fn zhangsan() -> User {
    User::new("zhangsan").mobile("+86-15201657312").email(EMAIL)
}

/// Login, bind or register, second factor, session: each way in with each second factor, over HTTP.
#[test]
fn every_path_ends_in_a_session() {
    type Way = fn(&Setting) -> Outcome;
    let first: [Way; 4] = [
        |setting| setting.by_phone(setting.bind().phone("15201657312").unwrap()),
        |setting| setting.by_email(setting.bind().email(EMAIL).unwrap()),
        |setting| setting.by_phone(setting.register().phone("+86-15201657312").unwrap()),
        |setting| setting.by_email(setting.register().email(EMAIL).unwrap()),
    ];
    for way in first {
        let setting = Setting::new(zhangsan());
        setting.assert_logged_in(way(&setting));

        let setting = Setting::new(zhangsan().second_factor());
        let stage = Setting::second_factor(way(&setting));
        let mobile = stage.registered_mobile().send().unwrap();
        assert_eq!(mobile.expose(), "+86-15201657312");
        assert_eq!(format!("{mobile:?}"), "RegisteredMobile([redacted])");
        setting.assert_logged_in(setting.by_phone(stage.phone(mobile)));
        // Bound by now: the login itself asks for the second factor.
        let stage = Setting::second_factor(setting.log_in());
        setting.assert_logged_in(setting.by_email(stage.email(EMAIL)));

        // Two second factors, one after the other, with the first state token throughout.
        let setting = Setting::new(zhangsan().second_factors(2));
        setting.tenant.configure(|settings| settings.new_state_token = false);
        let stage = Setting::second_factor(way(&setting));
        let again = Setting::second_factor(setting.by_email(stage.email(EMAIL)));
        setting.assert_logged_in(setting.by_phone(again.phone("15201657312")));
    }
}

/// Submits a code to the stage of a row, which is reached at once.
fn submit(tenant: &Emulator, row: &Endpoint, destination: &str, code: &str) -> StepResult {
    let client = tenant.client().unwrap();
    let start = || client.login(device());
    let log_in = |unbound| {
        tenant.configure(|settings| settings.unbound = unbound);
        start().wechat_mini_program(tenant.wechat_login_code("an-openid")).send().unwrap()
    };
    let by_phone = matches!(row.from, StageKind::VerifyPhone(_));
    match support::scenario(row.from).unwrap() {
        Scenario::Bind => {
            let Outcome::PendingBind(stage) = log_in(Unbound::Bind) else { panic!("nobody has bound it") };
            if by_phone {
                step_result(stage.phone(destination).unwrap().submit(code).send())
            } else {
                step_result(stage.email(destination).unwrap().submit(code).send())
            }
        }
        Scenario::BindOrRegister => {
            let Outcome::PendingRegister(stage) = log_in(Unbound::Register) else {
                panic!("nobody has bound it")
            };
            if by_phone {
                step_result(stage.phone(destination).unwrap().submit(code).send())
            } else {
                step_result(stage.email(destination).unwrap().submit(code).send())
            }
        }
        Scenario::SecondFactor => {
            tenant.add_user(zhangsan().second_factor());
            tenant.bind(Platform::WeChatMiniProgram, "an-openid", "zhangsan");
            let Outcome::MfaRequired(stage) = log_in(Unbound::Bind) else { panic!("a second factor is due") };
            if by_phone {
                step_result(stage.phone(destination).submit(code).send())
            } else {
                step_result(stage.email(destination).submit(code).send())
            }
        }
        Scenario::Login if by_phone => step_result(start().phone(destination).submit(code).send()),
        Scenario::Login => step_result(start().email(destination).submit(code).send()),
        Scenario::Register => {
            let stage = start().register(RegistrationAttributes::new());
            if by_phone {
                step_result(stage.phone(destination).submit(code).send())
            } else {
                step_result(stage.email(destination).submit(code).send())
            }
        }
        Scenario::ResetPassword if by_phone => {
            step_result(start().reset_password().phone(destination).submit(code, "newPassword1").send())
        }
        Scenario::ResetPassword => {
            step_result(start().reset_password().email(destination).submit(code, "newPassword1").send())
        }
        Scenario::ChangePassword => {
            tenant.add_user(zhangsan().password("right").password_expired());
            let outcome = start().username_password("zhangsan", "right").send().unwrap();
            let Outcome::PasswordExpired(stage) = outcome else { panic!("{outcome:?}") };
            if by_phone {
                step_result(stage.phone(destination).submit(code, "newPassword1").send())
            } else {
                step_result(stage.email(destination).submit(code, "newPassword1").send())
            }
        }
    }
}

/// A code is for one scenario: asked for in one and submitted in another it is refused, for every pair.
#[test]
fn a_code_works_in_its_own_scenario_only() {
    let rows: Vec<_> = endpoints::ALL.iter().filter(|row| row.step == "submit").collect();
    for asked in &rows {
        for submitted in &rows {
            let tenant = Emulator::new();
            // EIAM alone changes a password by a code.
            if submitted.in_edition(EditionKind::Ciam).is_none() {
                tenant.configure(|settings| settings.edition = Edition::Eiam);
            }
            tenant.add_user(zhangsan());
            let is_phone = matches!(submitted.from, StageKind::VerifyPhone(_));
            let (phone, email) = match support::scenario(submitted.from) {
                // Nobody else has them.
                Some(Scenario::Register) => ("15200000000", "nobody@example.com"),
                _ => ("15201657312", EMAIL),
            };
            let code = tenant.issue_code(if is_phone { phone } else { email }, asked.send_type.unwrap());
            let came = submit(&tenant, submitted, if is_phone { phone } else { email }, &code);
            let pair = format!("{:?} submitted as {:?}", asked.send_type, submitted.send_type);
            if asked.send_type == submitted.send_type {
                let to = if submitted.leads_to.len() == 1 {
                    submitted.leads_to[0]
                } else {
                    StageKind::Authenticated
                };
                assert!(matches!(came, StepResult::To(stage) if stage == to), "{pair}: {came:?}");
            } else {
                let StepResult::Retry(Error::Refused(refusal), _) = &came else { panic!("{pair}: {came:?}") };
                assert_eq!(refusal.code().class(), ErrorClass::WrongInput, "{pair}");
            }
        }
    }
}

/// Wrong code: the same stage again, then success. Too many: locked, with a message that is there and is not parsed.
#[test]
fn a_wrong_code_costs_a_try_and_too_many_lock() {
    let setting = Setting::new(zhangsan());
    let stage = setting.bind().phone("15201657312").unwrap();
    let failed = stage.submit("000000").send().unwrap_err();
    let Error::Refused(refusal) = failed.error() else { panic!("{failed}") };
    assert_eq!(refusal.code().class(), ErrorClass::WrongInput);
    let Recovery::Retry(stage) = failed.into_recovery() else { panic!("the state token lives") };
    setting.assert_logged_in(setting.by_phone(stage));

    let setting = Setting::new(zhangsan());
    let mut stage = setting.bind().phone("15201657312").unwrap();
    let mut classes = Vec::new();
    for _ in 0..6 {
        let failed = stage.submit("000000").send().unwrap_err();
        let Error::Refused(refusal) = failed.error() else { panic!("{failed}") };
        classes.push(refusal.code().class());
        if refusal.code().class() == ErrorClass::Locked {
            assert_eq!(refusal.code().as_str(), "IDAAS.SDK.LOGIN.0001");
            assert_eq!(refusal.unlocks_in(), Some(Duration::from_secs(600)));
            assert!(refusal.message().contains("unlocks in"), "{}", refusal.message());
            assert!(!failed.to_string().contains("unlocks"));
        }
        let Recovery::Retry(again) = failed.into_recovery() else { panic!("the state token lives") };
        stage = again;
    }
    assert_eq!(classes[..4], [ErrorClass::WrongInput; 4]);
    assert_eq!(classes[4..], [ErrorClass::Locked; 2]);
    setting.tenant.configure(|settings| settings.state_token_lifetime = Duration::from_secs(3600));
    setting.tenant.advance(Duration::from_secs(600));
    setting.assert_logged_in(setting.by_phone(stage));
}

#[test]
fn codes_can_be_asked_for_again_and_grow_old() {
    let setting = Setting::new(zhangsan());
    let stage = setting.bind().email(EMAIL).unwrap();
    let pass = setting.pass(EMAIL);
    stage.send_code(&pass).send().unwrap();
    let first = setting.tenant.last_code(EMAIL).unwrap();
    stage.send_code(&pass).send().unwrap();
    assert_ne!(setting.tenant.last_code(EMAIL).unwrap(), first);
    let sent: Vec<_> = setting.tenant.ledger().into_iter().flat_map(|entry| entry.effects).collect();
    let one = Effect::CodeSent { destination: EMAIL.to_owned(), send_type: SendType::BindEmailEms };
    assert_eq!(sent, [one.clone(), one]);
    // The newest works alone, and not for ever.
    let failed = stage.submit(first).send().unwrap_err();
    let Recovery::Retry(stage) = failed.into_recovery() else { panic!("the state token lives") };
    let newest = setting.tenant.last_code(EMAIL).unwrap();
    setting.tenant.advance(Duration::from_secs(5 * 60 + 1));
    let failed = stage.submit(newest).send().unwrap_err();
    let Recovery::Retry(stage) = failed.into_recovery() else { panic!("the state token lives") };
    // So does the pass.
    let error = stage.send_code(&pass).send().unwrap_err();
    let Error::Refused(refusal) = error else { panic!("{error}") };
    assert_eq!(refusal.code().as_str(), "IDAAS.SDK.CAPTCHA.0003");
    setting.assert_logged_in(setting.by_email(stage));
}

#[test]
fn a_pass_can_be_good_for_one_code_only() {
    let setting = Setting::new(zhangsan());
    setting.tenant.configure(|settings| settings.single_use_pass = true);
    let stage = setting.bind().email(EMAIL).unwrap();
    let pass = setting.pass(EMAIL);
    stage.send_code(&pass).send().unwrap();
    assert!(matches!(stage.send_code(&pass).send().unwrap_err(), Error::Refused(_)));
}

#[test]
fn the_emulators_captchas_are_real_puzzles() {
    let setting = Setting::new(zhangsan());
    let mut places = BTreeSet::new();
    for _ in 0..20 {
        let captcha = setting.client.captcha(&device()).send().unwrap();
        let picture = captcha.picture().unwrap();
        let piece = captcha.piece().unwrap();
        assert_eq!((picture.size(), piece.size()), (Some((310, 155)), Some((47, 155))));
        let decode = |bytes: &[u8]| {
            let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            reader.next_frame(&mut pixels).unwrap();
            pixels
        };
        let (picture, piece) = (decode(picture.bytes()), decode(piece.bytes()));
        // The piece fits where the tenant says: there the picture is a third as bright as the piece.
        let x = setting.tenant.captcha_solution(captcha.token().expose()).unwrap();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let x_pixel = x as usize;
        let fits = |x: usize| {
            (0..155 * 47).filter(|pixel| piece[pixel * 4 + 3] == 255).all(|pixel| {
                let (row, column) = (pixel / 47, pixel % 47);
                let at = (row * 310 + column + x) * 3;
                (0..3).all(|channel| picture[at + channel] == piece[pixel * 4 + channel] / 3)
            })
        };
        places.insert(x_pixel);
        assert!(fits(x_pixel));
        assert!(!fits(x_pixel - 1) && !fits(x_pixel + 1));

        // A little off is right, more is wrong, and a captcha is good for one try.
        assert!(captcha.solve(x + 5.0, MOBILE).send().is_ok());
        assert!(captcha.solve(x, MOBILE).send().is_err());
        let captcha = setting.client.captcha(&device()).send().unwrap();
        let x = setting.tenant.captcha_solution(captcha.token().expose()).unwrap();
        let error = captcha.solve(x - 5.5, MOBILE).send().unwrap_err();
        assert_eq!(
            error.to_string(),
            "refused by the API: IDAAS.SDK.CAPTCHA.0002 (captcha refused), HTTP 400"
        );
    }
    assert!(places.len() > 10, "{places:?}");
}

#[test]
fn a_pass_for_one_destination_sends_no_code_to_another() {
    let setting = Setting::new(zhangsan());
    let pass = setting.pass(EMAIL);
    // Taken apart and put together for another destination: then the tenant refuses.
    let forged = CaptchaPass::from_token("mallory@example.com", pass.expose());
    let stage = setting.bind().email("mallory@example.com").unwrap();
    let Error::Refused(refusal) = stage.send_code(&forged).send().unwrap_err() else {
        panic!("the API refuses")
    };
    assert_eq!(refusal.code().as_str(), "IDAAS.SDK.CAPTCHA.0004");
}

#[test]
fn the_mobile_of_a_dead_state_token_is_refused() {
    let setting = Setting::new(zhangsan().second_factor());
    let stage = Setting::second_factor(setting.by_email(setting.bind().email(EMAIL).unwrap()));
    setting.tenant.advance(Duration::from_secs(3600));
    let Error::Refused(refusal) = stage.registered_mobile().send().unwrap_err() else { panic!("it is dead") };
    assert_eq!(refusal.code().class(), ErrorClass::DeadToken);
    // An account without a number.
    let setting = Setting::new(User::new("zhangsan").email(EMAIL).second_factor());
    let stage = Setting::second_factor(setting.by_email(setting.bind().email(EMAIL).unwrap()));
    assert!(matches!(stage.registered_mobile().send().unwrap_err(), Error::Refused(_)));
}

/// A second factor of another account is not this user's.
#[test]
fn the_second_factor_is_the_users_own() {
    let setting = Setting::new(zhangsan().second_factor());
    setting.tenant.add_user(User::new("mallory").mobile("15300000000"));
    let stage = Setting::second_factor(setting.by_email(setting.bind().email(EMAIL).unwrap()));
    let stage = stage.phone("15300000000");
    stage.send_code(&setting.pass("15300000000")).send().unwrap();
    let failed = stage.submit(setting.tenant.last_code("15300000000").unwrap()).send().unwrap_err();
    let Error::Refused(refusal) = failed.error() else { panic!("{failed}") };
    assert_eq!(refusal.code().as_str(), "SDK.COMMON.1013");
}

#[test]
fn wechat_logs_in_by_mobile_number_too() {
    let setting = Setting::new(zhangsan());
    let log_in = |mobile: &str| {
        let code = setting.tenant.wechat_phone_code(mobile);
        setting.client.login(device()).wechat_mini_program_mobile(format!(" {code}")).send()
    };
    let Outcome::Authenticated(user) = log_in("15201657312").unwrap() else { panic!("the number is known") };
    assert_eq!(setting.tenant.session_user(user.session_token().expose()).as_deref(), Some("zhangsan"));
    let failed = log_in("15300000000").unwrap_err();
    assert!(matches!(failed.into_recovery(), Recovery::Retry(_)));
}

/// Alipay: the same machine, with a bind of its own.
#[test]
fn alipay_has_its_own_binds() {
    for unbound in [Unbound::Bind, Unbound::Register] {
        let setting = Setting::new(zhangsan().second_factor());
        setting.tenant.configure(|settings| settings.unbound = unbound);
        let log_in = || {
            let code = setting.tenant.login_code(Platform::AlipayMiniProgram, "2088");
            setting.client.login(device()).alipay_mini_program(code).send().unwrap()
        };
        let encrypted = setting.tenant.phone_code(Platform::AlipayMiniProgram, "15201657312");
        let outcome: Outcome<AlipayMiniProgram> = match log_in() {
            Outcome::PendingBind(stage) => stage.alipay_mobile(encrypted).send().unwrap(),
            Outcome::PendingRegister(stage) => stage.alipay_mobile(encrypted).send().unwrap(),
            other => panic!("{other:?}"),
        };
        let Outcome::MfaRequired(stage) = outcome else { panic!("{outcome:?}") };
        let stage = stage.email(EMAIL);
        stage.send_code(&setting.pass(EMAIL)).send().unwrap();
        let outcome = stage.submit(setting.tenant.last_code(EMAIL).unwrap()).send().unwrap();
        assert!(matches!(outcome, Outcome::Authenticated(_)));
        assert_eq!(
            setting.tenant.bound_user(Platform::AlipayMiniProgram, "2088").as_deref(),
            Some("zhangsan")
        );
        assert_eq!(setting.tenant.bound_user(Platform::WeChatMiniProgram, "2088"), None);
    }
}

/// A WeChat login's state token is of no use to Alipay's bind: the types forbid it, and so does the tenant.
#[test]
fn the_tenant_refuses_the_other_platforms_bind() {
    let setting = Setting::new(zhangsan());
    let encrypted = setting.tenant.phone_code(Platform::AlipayMiniProgram, "15201657312");
    let token = setting.bind().state_token().expose().to_owned();
    let request =
        http::Request::post(format!("https://acme.example.com{}", endpoints::BIND_ALIPAY_MOBILE.path))
            .header("x-client-id", CLIENT_ID)
            .header("x-operating-sys-version", "windows10.1.1")
            .header("x-device-fingerprint", "156aysdna213sc50")
            .header("x-agent", "Mozilla/5.0")
            .header("x-state-token", token)
            .header("content-type", "application/json")
            .body(format!(r#"{{"alipay_encrypt":"{encrypted}"}}"#).into_bytes())
            .unwrap();
    let answer = setting.tenant.send(request).unwrap();
    assert!(String::from_utf8_lossy(answer.body()).contains("IDAAS.SDK.COMMON.1007"));
}

/// A captcha that another process fetched is solved by its token.
#[test]
fn a_captcha_can_be_solved_elsewhere() {
    let setting = Setting::new(zhangsan());
    let captcha = setting.client.captcha(&device()).send().unwrap();
    let x = setting.tenant.captcha_solution(captcha.token().expose()).unwrap();
    let stage = setting.bind().email(EMAIL).unwrap();
    let again = stage.client().captcha_from_token(stage.device(), captcha.token().expose());
    assert!(again.picture().is_none());
    let pass = again.solve(x, EMAIL).send().unwrap();
    stage.send_code(&pass).send().unwrap();
    // And whoever has had enough begins again, from any stage.
    let outcome =
        stage.start_over().wechat_mini_program(setting.tenant.wechat_login_code("an-openid")).send();
    assert!(matches!(outcome.unwrap(), Outcome::PendingBind(_)));
}

/// Any step and any call can be driven by one function each: this is all that an asynchronous client needs.
#[test]
fn steps_and_calls_can_be_driven_generically() {
    fn step<S: idaas_login::Stage, N: idaas_login::Next<S>>(
        step: idaas_login::Step<S, N>,
        send: impl Fn(Request) -> idaas_login::Response,
    ) -> Result<N, idaas_login::StepError<S>> {
        let (request, in_flight) = step.into_request()?;
        in_flight.receive(Ok(send(request)))
    }
    fn call<T: idaas_login::Reply>(
        call: idaas_login::Call<T>,
        send: impl Fn(Request) -> idaas_login::Response,
    ) -> Result<T, Error> {
        let (request, in_flight) = call.into_request()?;
        in_flight.receive(Ok(send(request)))
    }
    let tenant = Emulator::new();
    tenant.add_user(zhangsan());
    let send = |request| tenant.send(request).unwrap();
    // The client's own transport is never asked.
    let client = tenant
        .client_builder("https://acme.example.com")
        .build_with(|_: Request| -> Result<_, idaas_login::TransportError> { unreachable!("driven by hand") })
        .unwrap();
    let login = client.login(device()).wechat_mini_program(tenant.wechat_login_code("o"));
    let Outcome::PendingBind(stage) = step(login, send).unwrap() else { panic!("not bound") };
    let stage = stage.phone("15201657312").unwrap();
    let captcha = call(client.captcha(&device()), send).unwrap();
    let x = tenant.captcha_solution(captcha.token().expose()).unwrap();
    let pass = call(captcha.solve(x, stage.destination()), send).unwrap();
    call(stage.send_code(&pass), send).unwrap();
    let code = tenant.last_code(stage.destination()).unwrap();
    let Outcome::Authenticated(user) = step(stage.submit(code), send).unwrap() else {
        panic!("the code is right")
    };
    assert!(step(user.renew_id_token(), send).is_ok());
}

/// `?` works for callers that do not care which way was refused.
#[test]
fn a_way_that_is_not_allowed_is_an_error_like_the_others() {
    fn bind(stage: PendingBind) -> Result<Outcome, Error> {
        Ok(stage.email(EMAIL)?.submit("123456").send()?)
    }
    let only_phone = r#"{"status":"SOCIAL_BIND","state_token":"t","data":"{\"socialBindOrRegisterFlow\":[\"VERIFY_PHONE\"]}"}"#;
    let error = bind(support::pending_bind(&client(always(200, only_phone)))).unwrap_err();
    assert_eq!(error.to_string(), "the tenant does not allow VERIFY_EMAIL here; nothing was sent");
    let Err(refused) = support::pending_bind(&client(always(200, only_phone))).email(EMAIL) else {
        panic!("it is not listed")
    };
    assert_eq!(refused.advice(), Advice::ChooseAnotherMethod);
    let (same, stage) = refused.into_parts();
    assert_eq!(same.to_string(), error.to_string());
    assert!(stage.phone(MOBILE).is_ok());
}

/// A side call whose response is lost leaves the stage as it is.
#[test]
fn a_lost_side_call_costs_no_stage() {
    let setting = Setting::new(zhangsan());
    let stage = setting.bind().email(EMAIL).unwrap();
    let pass = setting.pass(EMAIL);
    setting.tenant.fail_next(endpoints::SEND_BIND_EMAIL.path, Fault::LoseResponse);
    let Error::Transport(lost) = stage.send_code(&pass).send().unwrap_err() else { panic!("it was lost") };
    assert_eq!(lost.sent(), idaas_login::Sent::Maybe);
    // The code was sent all the same, and works.
    let code = setting.tenant.last_code(EMAIL).unwrap();
    setting.assert_logged_in(stage.submit(code).send().unwrap());
}
