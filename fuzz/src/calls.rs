//! The answers to the side calls.

use std::sync::OnceLock;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use idaas_login::{Call, Captcha, CaptchaImage, CaptchaPass, Error, Reply};
use serde_json::Value;

use super::answers::{STATE_TOKEN, bind, client, device, mfa};
use super::leaks::{self, Vocabulary};
use super::model::{self, Answer, Members, Unsure, Why};

const SENDER: &str = "11012345678";

/// A target for a side call: a byte that says how it is driven, and the answer.
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

/// The answer to a request for a code.
pub fn send_code(data: &[u8]) {
    static VOCABULARY: OnceLock<Vocabulary> = OnceLock::new();
    target(data, &VOCABULARY, |how, answer| {
        let client = client(answer);
        let pass = CaptchaPass::from_token(SENDER, "pass");
        let call = match how % 4 {
            0 => bind(&client).phone(SENDER).expect("allowed").send_code(&pass),
            1 => bind(&client).email(SENDER).expect("allowed").send_code(&pass),
            2 => mfa(&client).phone(SENDER).send_code(&pass),
            _ => mfa(&client).email(SENDER).send_code(&pass),
        };
        // Whatever else is in it must not be the answer to another request.
        let answers =
            ["status", "session_token", "state_token", "id_token", "mobile", "captcha_token", "token"];
        let is_silent =
            |members: &Members| answers.iter().all(|name| members.field(name).token() == Ok(None));
        let expected = model::settle(answer, None).and_then(|members| match members {
            Some(members) if is_silent(&members) => Ok(()),
            None if matches!(answer.body.trim_ascii(), b"" | b"null") => Ok(()),
            _ => Err(Why::Unreadable),
        });
        read(result(call, how, answer), expected, answer).1
    });
}

/// The one text of an answer.
fn one(answer: &Answer<'_>, name: &str, in_hand: Option<&str>) -> Result<String, Why> {
    let members = model::settle(answer, in_hand)?.ok_or(Why::Unreadable)?;
    members.field(name).good().map(str::to_owned).ok_or(Why::Unreadable)
}

/// The answer to the question for the registered mobile number.
pub fn mobile(data: &[u8]) {
    static VOCABULARY: OnceLock<Vocabulary> = OnceLock::new();
    target(data, &VOCABULARY, |how, answer| {
        let call = mfa(&client(answer)).registered_mobile();
        let (read, printed) =
            read(result(call, how, answer), one(answer, "mobile", Some(STATE_TOKEN)), answer);
        if let Some((mobile, expected)) = read {
            assert_eq!(mobile.expose(), expected);
            // It can be handed on: bad characters are found before anything is sent.
            let step = mfa(&client(answer)).phone(mobile).submit("123456").into_request();
            assert_eq!(step.is_ok(), !expected.chars().any(char::is_control));
        }
        printed
    });
}

/// The answer to a captcha's solution.
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

/// A captcha: the byte that says how, the answer, and eight bytes for a solution.
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
