//! The rows of the endpoint table, by the names that code refers to them by, and other spellings of what they send.

use idaas_login::endpoints::{self, EditionKind, Endpoint, SendType};

macro_rules! rows {
    ($($name:ident),+ $(,)?) => {
        /// Every row of the endpoint table, with its name: a test compares it with `endpoints::ALL`.
        pub static ROWS: &[(&str, &Endpoint)] = &[$((stringify!($name), &endpoints::$name)),+];
    };
}

rows! {
    LOGIN_WECHAT_MINI_PROGRAM, LOGIN_WECHAT_MINI_PROGRAM_MOBILE, LOGIN_ALIPAY_MINI_PROGRAM,
    BIND_WECHAT_MOBILE, BIND_ALIPAY_MOBILE, BIND_USERNAME_PASSWORD, BIND_PHONE, BIND_EMAIL,
    REGISTER_WECHAT_MOBILE, REGISTER_ALIPAY_MOBILE, REGISTER_PHONE, REGISTER_EMAIL,
    MFA_PHONE, MFA_EMAIL, REGISTERED_MOBILE,
    SEND_BIND_SMS, SEND_BIND_EMAIL, SEND_REGISTER_SMS, SEND_REGISTER_EMAIL, SEND_MFA_SMS, SEND_MFA_EMAIL,
    LOGIN_USERNAME_PASSWORD, LOGIN_IDENTIFIER_PASSWORD, LOGIN_WECHAT_APP, LOGIN_ALIPAY_APP, LOGIN_QQ, LOGIN_WEIBO,
    LOGIN_APPLE, LOGIN_CARRIER, LOGIN_PHONE, LOGIN_EMAIL,
    REGISTRATION_PHONE, REGISTRATION_EMAIL, RESET_PHONE, RESET_EMAIL,
    CHANGE_EXPIRING_PASSWORD, CHANGE_EXPIRED_PASSWORD, KEEP_PASSWORD, EXPIRING_PASSWORD_MOBILE, EXPIRED_PASSWORD_MOBILE,
    CHANGE_PASSWORD_PHONE, CHANGE_PASSWORD_EMAIL,
    SEND_LOGIN_SMS, SEND_LOGIN_EMAIL, SEND_REGISTRATION_SMS, SEND_REGISTRATION_EMAIL, SEND_RESET_SMS, SEND_RESET_EMAIL,
    SEND_CHANGE_PASSWORD_SMS, SEND_CHANGE_PASSWORD_EMAIL,
    RENEW_ID_TOKEN, CAPTCHA, CAPTCHA_VERIFY, LOGOUT, PUBLIC_KEY, SERVER_DATE, COUNTRY_CODES,
}

/// The name of a row's static in `idaas_login::endpoints`.
pub fn name(row: &Endpoint) -> String {
    let known = ROWS.iter().find(|(_, known)| std::ptr::eq(*known, row));
    known.map_or_else(|| format!("{}.{}", row.from, row.step), |(name, _)| (*name).to_owned())
}

pub fn find(name: &str) -> Option<&'static Endpoint> {
    ROWS.iter().find(|(known, _)| *known == name).map(|(_, row)| *row)
}

/// The send types that the editions have for a row, and those that a page prints against its own list, without repetition.
pub fn send_types(row: &Endpoint) -> Vec<&'static str> {
    let documented = EditionKind::ALL.iter().filter_map(|kind| row.in_edition(*kind)?.send_type);
    let printed: &[&str] = match row.send_type {
        Some(SendType::ForgetPwdSms) => &["CHANGE_PWD_SMS", "UPDATE_PWD_SMS"],
        Some(SendType::ForgetPwdEms) => &["CHANGE_PWD_EMS", "UPDATE_PWD_EMS"],
        Some(SendType::ChangePwdSms) => &["UPDATE_PWD_SMS"],
        Some(SendType::ChangePwdEms) => &["UPDATE_PWD_EMS"],
        _ => &[],
    };
    distinct(documented.chain(row.send_type).map(SendType::as_str).chain(printed.iter().copied()))
}

/// Paths that a row may have if its own is not there: those of the other editions, and other versions of the API.
pub fn other_paths(row: &Endpoint, own: &str) -> Vec<String> {
    let documented = EditionKind::ALL.iter().filter_map(|kind| Some(row.in_edition(*kind)?.path.to_owned()));
    let versions = ["/api/v3/", "/api/v1/"].into_iter().map(|version| own.replacen("/api/v2/", version, 1));
    distinct(documented.chain(versions).filter(|path| path != own))
}

/// Other spellings of a field: the ones that other pages and other APIs have.
pub fn other_names(field: &str) -> Vec<String> {
    let known: &[&str] = match field {
        "wechat_code" => &["wchat_code"],
        "user_name" => &["username"],
        "password" => &["pwd", "new_password"],
        "new_password" => &["password", "pwd"],
        "open_id" => &["openid"],
        "access_token" => &["token"],
        "verify_code" => &["code"],
        "mobile" => &["phone"],
        "captcha_token" => &["captcha_verification"],
        _ => &[],
    };
    let mut words = field.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    let camel = words.fold(first, |name, word| {
        let mut letters = word.chars();
        let capital = letters.next().map(|letter| letter.to_ascii_uppercase());
        name + &capital.into_iter().chain(letters).collect::<String>()
    });
    let names = known.iter().map(|name| (*name).to_owned()).chain([camel]);
    distinct(names.filter(|name| name != field))
}

fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    all.fold(Vec::new(), |mut kept, one| {
        if !kept.contains(&one) {
            kept.push(one);
        }
        kept
    })
}
