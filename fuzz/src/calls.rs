//! The answers to the side calls.

use std::sync::OnceLock;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use idaas_login::endpoints::{self, Endpoint, Scenario, StageKind};
use idaas_login::{
    Account, Call, Captcha, CaptchaImage, CaptchaPass, Client, Error, MfaRequired, Outcome, Reply,
    WeChatMiniProgram,
};
use serde_json::Value;

use super::leaks::{self, Vocabulary};
use super::model::{self, Answer, Members, Unsure, Why};
use super::responses::{STATE_TOKEN, attributes, begun, client, device};

const SENDER: &str = "11012345678";

fn mfa(client: &Client) -> MfaRequired {
    match begun::<WeChatMiniProgram>(client, "MFA_AUTH") {
        Outcome::MfaRequired(stage) => stage,
        other => panic!("{other:?}"),
    }
}

/// A target for a side call: a byte that says how it is driven, and the response.
fn target(data: &[u8], vocabulary: &OnceLock<Vocabulary>, check: impl Fn(u8, &Answer<'_>) -> String) {
    let vocabulary = vocabulary.get_or_init(|| Vocabulary::of(|answer| check(0, answer)));
    let Some((how, rest)) = data.split_first() else { return };
    let Some(answer) = Answer::read(rest) else { return };
    leaks::none(&check(*how, &answer), &answer, vocabulary);
}

fn result<T: Reply>(call: Call<T>, how: u8, answer: &Answer<'_>) -> Result<T, Error> {
    if how & 0x80 == 0 {
        return call.send();
    }
    let (_, in_flight) = call.into_request()?;
    in_flight.receive(Ok(answer.response()))
}

/// Fails as the model does; gives what was read, and what is printed.
fn read<T: std::fmt::Debug, E>(
    result: Result<T, Error>,
    expected: Result<E, Why>,
    answer: &Answer<'_>,
) -> (Option<(T, E)>, String) {
    match (result, expected) {
        (Ok(read), Ok(expected)) => {
            let printed = format!("{read:?}\n{read:#?}");
            (Some((read, expected)), printed)
        }
        (Err(error), Err(why)) => {
            leaks::assert_same(&error, &why, answer.http_status);
            (None, leaks::printed(&error))
        }
        (Ok(read), Err(why)) => panic!("{read:?}, expected {why:?}"),
        (Err(error), Ok(_)) => panic!("{error}, expected a success"),
    }
}

/// The request for a code of a row, from the stage that it belongs to.
fn code_call(client: &Client, row: &Endpoint, pass: &CaptchaPass) -> Call<()> {
    use StageKind::{VerifyEmail, VerifyPhone};

    let login = || client.login(device());
    let wechat = |status| begun::<WeChatMiniProgram>(client, status);
    match row.from {
        VerifyPhone(Scenario::Login) => login().phone(SENDER).send_code(pass),
        VerifyEmail(Scenario::Login) => login().email(SENDER).send_code(pass),
        VerifyPhone(Scenario::Register) => login().register(attributes()).phone(SENDER).send_code(pass),
        VerifyEmail(Scenario::Register) => login().register(attributes()).email(SENDER).send_code(pass),
        VerifyPhone(Scenario::ResetPassword) => login().reset_password().phone(SENDER).send_code(pass),
        VerifyEmail(Scenario::ResetPassword) => login().reset_password().email(SENDER).send_code(pass),
        VerifyPhone(scenario) => match wechat(status_of(scenario)) {
            Outcome::PendingBind(stage) => stage.phone(SENDER).expect("allowed").send_code(pass),
            Outcome::PendingRegister(stage) => stage.phone(SENDER).expect("allowed").send_code(pass),
            Outcome::MfaRequired(stage) => stage.phone(SENDER).send_code(pass),
            Outcome::PasswordExpiring(stage) => stage.phone(SENDER).send_code(pass),
            other => panic!("{other:?}"),
        },
        VerifyEmail(scenario) => match wechat(status_of(scenario)) {
            Outcome::PendingBind(stage) => stage.email(SENDER).expect("allowed").send_code(pass),
            Outcome::PendingRegister(stage) => stage.email(SENDER).expect("allowed").send_code(pass),
            Outcome::MfaRequired(stage) => stage.email(SENDER).send_code(pass),
            Outcome::PasswordExpiring(stage) => stage.email(SENDER).send_code(pass),
            other => panic!("{other:?}"),
        },
        _ => panic!("fuzz/src/calls.rs: no stage for {}", row.from),
    }
}

/// The status that leads to a stage in which such a code is due.
fn status_of(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::Bind => "SOCIAL_BIND",
        Scenario::BindOrRegister => "USER_REGISTER",
        Scenario::SecondFactor => "MFA_AUTH",
        Scenario::ChangePassword => "PASSWORD_WARN",
        Scenario::Login | Scenario::Register | Scenario::ResetPassword => panic!("no status leads there"),
    }
}

/// The response to a request for a code: the row by the byte that says how.
pub fn send_code(data: &[u8]) {
    static VOCABULARY: OnceLock<Vocabulary> = OnceLock::new();
    let rows: Vec<_> = endpoints::ALL.iter().filter(|row| row.step == "send_code").collect();
    target(data, &VOCABULARY, |how, answer| {
        let client = client(answer);
        let row = rows[usize::from(how & 0x7f) % rows.len()];
        let call = code_call(&client, row, &CaptchaPass::from_token(SENDER, "pass"));
        read(result(call, how, answer), model::nothing(answer), answer).1
    });
}

/// The one text of a response.
fn one(answer: &Answer<'_>, name: &str, in_hand: Option<&str>) -> Result<String, Why> {
    let members = model::settle(answer, in_hand)?.ok_or(Why::Unreadable)?;
    members.field(name).good().map(str::to_owned).ok_or(Why::Unreadable)
}

/// The response to the question for the registered mobile number.
pub fn mobile(data: &[u8]) {
    static VOCABULARY: OnceLock<Vocabulary> = OnceLock::new();
    target(data, &VOCABULARY, |how, answer| {
        let client = client(answer);
        let call = match begun::<Account>(
            &client,
            ["MFA_AUTH", "PASSWORD_WARN", "PASSWORD_EXPIRED"][usize::from(how) % 3],
        ) {
            Outcome::MfaRequired(stage) => stage.registered_mobile(),
            Outcome::PasswordExpiring(stage) => stage.registered_mobile(),
            Outcome::PasswordExpired(stage) => stage.registered_mobile(),
            other => panic!("{other:?}"),
        };
        let (read, printed) =
            read(result(call, how, answer), one(answer, "mobile", Some(STATE_TOKEN)), answer);
        if let Some((mobile, expected)) = read {
            assert_eq!(mobile.expose(), expected);
            // It can be handed on: bad characters are found before anything is sent.
            let step = mfa(&client).phone(mobile).submit("123456").into_request();
            assert_eq!(step.is_ok(), !expected.chars().any(char::is_control));
        }
        printed
    });
}

/// The response to a captcha's solution.
pub fn captcha_token(data: &[u8]) {
    static VOCABULARY: OnceLock<Vocabulary> = OnceLock::new();
    target(data, &VOCABULARY, |how, answer| {
        let client = client(answer);
        let call = client.captcha_from_token(&device(), "token").solve(237.0, SENDER);
        let (read, printed) = read(result(call, how, answer), one(answer, "captcha_token", None), answer);
        if let Some((pass, expected)) = read {
            assert_eq!((pass.sender(), pass.expose()), (SENDER, expected.as_str()));
            let call = mfa(&client).phone(SENDER).send_code(&pass).into_request();
            assert_eq!(call.is_ok(), !expected.chars().any(char::is_control));
            // A pass is for one destination.
            assert!(mfa(&client).phone("another").send_code(&pass).into_request().is_err());
        }
        printed
    });
}

/// A captcha: the byte that says how, the response, and eight bytes for a solution.
pub fn captcha(data: &[u8]) {
    static VOCABULARY: OnceLock<Vocabulary> = OnceLock::new();
    let Some((rest, x)) = data.split_last_chunk::<8>() else { return };
    let x = f64::from_be_bytes(*x);
    target(rest, &VOCABULARY, |how, answer| {
        let client = client(answer);
        let expected = model::settle(answer, None).and_then(|members| {
            let members = members.ok_or(Why::Unreadable)?;
            let token = members.field("token").good().ok_or(Why::Unreadable)?.to_owned();
            let picture = image(&members, "originalImageBase64")?;
            let piece = image(&members, "jigsawImageBase64")?;
            Ok((token, picture, piece, members))
        });
        let expected = match expected {
            Ok((token, Ok(picture), Ok(piece), members)) => Ok((token, picture, piece, members)),
            // The model does not know whether the pictures can be read.
            Ok(_) => {
                return match result(client.captcha(&device()), how, answer) {
                    Ok(captcha) => format!("{captcha:?}"),
                    Err(error) => {
                        leaks::assert_same(&error, &Why::Unreadable, answer.http_status);
                        leaks::printed(&error)
                    }
                };
            }
            Err(why) => Err(why),
        };
        let (read, printed) = read(result(client.captcha(&device()), how, answer), expected, answer);
        if let Some((captcha, (token, picture, piece, members))) = read {
            assert_eq!(captcha.token().expose(), token);
            assert_eq!(captcha.picture().map(CaptchaImage::bytes), picture.as_deref());
            assert_eq!(captcha.piece().map(CaptchaImage::bytes), piece.as_deref());
            assert_eq!(captcha.secret_key(), members.field("secretKey").good());
            let words = match members.all("wordList").as_slice() {
                [one] => serde_json::from_str::<Vec<String>>(one).unwrap_or_default(),
                _ => Vec::new(),
            };
            assert_eq!(captcha.words(), words);
            solve(&captcha, x);
        }
        printed
    });
}

/// What a picture must be read as, if its Base64 is of a form that the model knows.
fn image(members: &Members, name: &str) -> Result<Result<Option<Vec<u8>>, Unsure>, Why> {
    let field = members.field(name);
    let Some(text) = field.token().map_err(|()| Why::Unreadable)? else { return Ok(Ok(None)) };
    let text = match text.split_once(";base64,") {
        Some((head, rest)) if head.starts_with("data:") => rest,
        _ => text,
    };
    let text: String = text.split_ascii_whitespace().collect();
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)) {
        return Err(Why::Unreadable);
    }
    let bytes = BASE64_STANDARD.decode(&text).or_else(|_| BASE64_STANDARD_NO_PAD.decode(&text));
    Ok(bytes.map(Some).map_err(|_| Unsure))
}

/// A solution is sent as it was given, or refused before.
fn solve(captcha: &Captcha, x: f64) {
    for image in [captcha.picture(), captcha.piece()].into_iter().flatten() {
        let is_png = image.bytes().starts_with(b"\x89PNG");
        assert_eq!(image.media_type() == "image/png", is_png);
        assert!(image.size().is_none() || image.bytes().len() > 8);
    }
    let width = captcha.picture().and_then(CaptchaImage::size).map_or(f64::MAX, |(width, _)| width.into());
    let good = x >= 0.0 && x <= width && !captcha.token().expose().chars().any(char::is_control);
    let call = captcha.solve(x, SENDER).into_request();
    assert_eq!(call.is_ok(), good, "{x} of {width}");
    let Ok((request, _)) = call else { return };
    let body: Value = serde_json::from_slice(request.body()).expect("a JSON body");
    assert_eq!((&body["token"], &body["sender"]), (&captcha.token().expose().into(), &SENDER.into()));
    // Not by the JSON library, which rounds large fractions.
    let point = body["point_json"].as_str().expect("a text");
    let given = point.strip_prefix(r#"{"x":"#).and_then(|point| point.strip_suffix(r#","y":5.0}"#));
    assert_eq!(given.and_then(|given| given.parse().ok()), Some(x), "{point}");
    assert!(serde_json::from_str::<Value>(point).is_ok(), "{point}");
}
