//! Markers of secrets, and the search for them in whatever form they were written.

use std::fmt::Write as _;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};

pub const WX_CODE: &str = "mkWxCode4f1cQ9";
pub const WX_MOBILE_CODE: &str = "mkWxMobileCode7b";
pub const ALIPAY_CODE: &str = "mkAlipayCode55d";
pub const APP_CODE: &str = "mkAppCode62e";
pub const ACCESS_TOKEN: &str = "mkAccessToken19";
pub const OPEN_ID: &str = "mkOpenId48";
pub const NEW_PASSWORD: &str = "mkNewPass\"wo\\rd/7e";
pub const NICK_NAME: &str = "mkNickName80";
pub const PHONE_CODE: &str = "mkPhoneCode0a93";
pub const ALIPAY_ENCRYPT: &str = "mkAlipayEncrypt+/8b2==";
pub const USER_NAME: &str = "mkUserName31";
/// With what JSON, `Debug` and URLs write in another way.
pub const PASSWORD: &str = "mkPass\"wo\\rd/é+9d";
pub const MOBILE: &str = "15298761234";
pub const REGISTERED_MOBILE: &str = "+86-15287651243";
pub const EMAIL: &str = "mk.email@mk-mail.example";
/// Numbers and capitals, as the names that are printed are.
pub const SMS_CODE: &str = "27182818";
pub const EMAIL_CODE: &str = "K7XQ2MPB";
pub const SECOND_FACTOR_CODE: &str = "31415926";
pub const FINGERPRINT: &str = "mkFingerprint77";
pub const IP: [u8; 4] = [203, 0, 113, 77];
pub const CAPTCHA_TOKEN: &str = "mkCaptchaToken5";
pub const CAPTCHA_PASS: &str = "mkCaptchaPass9---{\"x\":237.0,\"y\":5.0}";
pub const SECRET_KEY: &str = "mkSecretKey40";
/// Tokens have a number behind this: each generation its own.
pub const STATE_TOKEN: &str = "mkStateToken-";
pub const SESSION_TOKEN: &str = "mkSessionToken-";
pub const ID_TOKEN: &str = "mkIdToken-";
pub const CLAIM: &str = "mkClaim-";
/// 32 bytes.
pub const SEAL_KEY: &str = "mkSealKey-0123456789abcdefghijkl";
pub const CONTEXT: &str = "mkSealContext2";
pub const PROXY_PASSWORD: &str = "mkProxyPassword6";
pub const USER_INFO: &str = "mkUserInfo83";
pub const MESSAGE: &str = "mkMessage12";

/// Every marker: its name, and the text to look for.
pub const MARKS: &[(&str, &str)] = &[
    ("WeChat code", WX_CODE),
    ("WeChat phone-number login code", WX_MOBILE_CODE),
    ("Alipay code", ALIPAY_CODE),
    ("another app's code", APP_CODE),
    ("access token", ACCESS_TOKEN),
    ("openid", OPEN_ID),
    ("new password", NEW_PASSWORD),
    ("the beginning of the new password", "mkNewPass"),
    ("nick name", NICK_NAME),
    ("phone-number code", PHONE_CODE),
    ("Alipay's encrypted number", ALIPAY_ENCRYPT),
    ("user name", USER_NAME),
    ("password", PASSWORD),
    ("the beginning of the password", "mkPass"),
    ("mobile number", MOBILE),
    ("registered mobile number", "15287651243"),
    ("e-mail address", EMAIL),
    ("code by SMS", SMS_CODE),
    ("code by e-mail", EMAIL_CODE),
    ("second factor's code", SECOND_FACTOR_CODE),
    ("fingerprint", FINGERPRINT),
    ("device's address", "203.0.113.77"),
    ("captcha's token", CAPTCHA_TOKEN),
    ("captcha's pass", "mkCaptchaPass9"),
    ("captcha's key", SECRET_KEY),
    ("state token", STATE_TOKEN),
    ("session token", SESSION_TOKEN),
    ("identity token", ID_TOKEN),
    ("claim", CLAIM),
    ("sealing key", SEAL_KEY),
    ("sealing context", CONTEXT),
    ("proxy's password", PROXY_PASSWORD),
    ("user info of the base address", USER_INFO),
    ("server's message", MESSAGE),
];

/// A marker that was found: whose it is, and in which form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    pub mark: &'static str,
    pub form: &'static str,
}

/// The forms in which a secret may have been written.
pub fn forms(text: &str) -> Vec<(&'static str, String)> {
    let bytes = text.as_bytes();
    let each = |write: fn(&u8) -> String| bytes.iter().map(write).collect::<Vec<_>>().concat();
    let mut forms = vec![
        ("plain", text.to_owned()),
        ("hexadecimal", each(|byte| format!("{byte:02x}"))),
        ("hexadecimal, capitals", each(|byte| format!("{byte:02X}"))),
        ("percent-encoded", percent(text)),
        ("percent-encoded throughout", each(|byte| format!("%{byte:02X}"))),
        ("JSON", serde_json::to_string(text).unwrap().trim_matches('"').to_owned()),
        (
            "JSON throughout",
            text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat(),
        ),
        ("Debug", format!("{text:?}").trim_matches('"').to_owned()),
        ("Debug of bytes", bytes.escape_ascii().to_string()),
        // Spaces are taken out of the text before this is looked for.
        ("list of bytes", bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(",")),
        (
            "list of hexadecimal bytes",
            bytes.iter().map(|byte| format!("{byte:x}")).collect::<Vec<_>>().join(","),
        ),
    ];
    for before in 0..3 {
        forms
            .push(("Base64", middle(&BASE64_STANDARD_NO_PAD.encode(at(before, bytes)), before, bytes.len())));
        forms.push((
            "Base64 of URLs",
            middle(&BASE64_URL_SAFE_NO_PAD.encode(at(before, bytes)), before, bytes.len()),
        ));
    }
    forms
}

/// The bytes, with so many others before them.
fn at(before: usize, bytes: &[u8]) -> Vec<u8> {
    let mut all = vec![0; before];
    all.extend_from_slice(bytes);
    all
}

/// What of the Base64 is the text's alone, whatever stands around it.
fn middle(encoded: &str, before: usize, length: usize) -> String {
    let from = (before * 8).div_ceil(6);
    let to = (before + length) * 8 / 6;
    encoded[from..to].to_owned()
}

fn percent(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
    }
    encoded
}

/// Looks for every marker in every form.
pub struct Search(Vec<(Found, String)>);

impl Search {
    pub fn new() -> Self {
        let mut needles = Vec::new();
        for (mark, text) in MARKS {
            for (form, needle) in forms(text) {
                if !needles.iter().any(|(_, known)| *known == needle) {
                    needles.push((Found { mark, form }, needle));
                }
            }
        }
        Self(needles)
    }

    pub fn found_in(&self, text: &str) -> Vec<Found> {
        let dense: String = text.split_whitespace().collect();
        let is_there = |needle: &str| text.contains(needle) || dense.contains(needle);
        self.0.iter().filter(|(_, needle)| is_there(needle)).map(|(found, _)| found.clone()).collect()
    }
}
