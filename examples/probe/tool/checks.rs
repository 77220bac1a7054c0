//! What is asked: the checks, each with a stable id, and the acts that answer them, each with what it needs.

/// Something that an act needs: a permission, or something that only the operator has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Bind,
    Register,
    Send,
    WrongAttempts,
    LoginCodes,
    DeniedCodes,
    PhoneCodes,
    UserName,
    Password,
    Mobile,
    Email,
    Captcha,
    SmsCode,
    EmailCode,
    /// A code of `wx.login`, or a user name with its password.
    AnyLogin,
    Expiring,
    Expired,
    Both,
    ExpiringMobile,
    ExpiredMobile,
    PasswordChange,
    NewPassword,
    NewMobiles,
    /// One more than a registration takes.
    TwoNewMobiles,
    NewEmails,
    AppLogins,
}

impl Need {
    /// The flag or variable that gives it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bind => "--allow-bind",
            Self::Register => "--allow-register",
            Self::Send => "--allow-send",
            Self::WrongAttempts => "--allow-wrong-attempts",
            Self::LoginCodes => "IDAAS_PROBE_WX_CODES",
            Self::DeniedCodes => "IDAAS_PROBE_WX_CODES_DENIED",
            Self::PhoneCodes => "IDAAS_PROBE_WX_PHONE_CODES",
            Self::UserName => "IDAAS_PROBE_USER_NAME",
            Self::Password => "IDAAS_PROBE_PASSWORD",
            Self::Mobile => "IDAAS_PROBE_MOBILE",
            Self::Email => "IDAAS_PROBE_EMAIL",
            Self::Captcha => "--ask",
            Self::SmsCode => "IDAAS_PROBE_SMS_CODE (or --ask)",
            Self::EmailCode => "IDAAS_PROBE_EMAIL_CODE (or --ask)",
            Self::AnyLogin => "IDAAS_PROBE_WX_CODES (or IDAAS_PROBE_USER_NAME)",
            Self::Expiring => "IDAAS_PROBE_EXPIRING_USER_NAME",
            Self::Expired => "IDAAS_PROBE_EXPIRED_USER_NAME",
            Self::Both => "IDAAS_PROBE_BOTH_USER_NAME",
            Self::ExpiringMobile => "IDAAS_PROBE_EXPIRING_MOBILE",
            Self::ExpiredMobile => "IDAAS_PROBE_EXPIRED_MOBILE",
            Self::PasswordChange => "--allow-password-change",
            Self::NewPassword => "IDAAS_PROBE_NEW_PASSWORD",
            Self::NewMobiles => "IDAAS_PROBE_NEW_MOBILES",
            Self::TwoNewMobiles => "IDAAS_PROBE_NEW_MOBILES (two of them)",
            Self::NewEmails => "IDAAS_PROBE_NEW_EMAILS",
            Self::AppLogins => "IDAAS_PROBE_APP_LOGINS",
        }
    }
}

/// Something that the probe does to the tenant.
#[derive(Debug, PartialEq, Eq)]
pub struct Act {
    pub says: &'static str,
    pub needs: &'static [Need],
}

/// Something that the probe asks the tenant.
#[derive(Debug)]
pub struct Check {
    /// Stable: `D` and a number are the decision's in docs/decisions.md, `C.` is a choice of the crate, `E.` one of the
    /// emulator.
    pub id: &'static str,
    pub asks: &'static str,
    pub act: &'static Act,
    /// Why it was not observed, if the act lacked nothing.
    pub otherwise: &'static str,
}

macro_rules! acts {
    ($($name:ident: $says:literal, [$($need:ident),*];)+) => {
        $(pub static $name: Act = Act { says: $says, needs: &[$(Need::$need),*] };)+
        /// Every act, in the order in which they are done.
        pub static ACTS: &[&Act] = &[$(&$name),+];
    };
}

acts! {
    LOOK: "ask for a captcha and for the keys, and send requests that cannot succeed: of another client id, with a \
           made-up login code, with a made-up state token, without single device headers, with other content types, and to a \
           path that does not exist", [];
    STEPS: "ask each step of the endpoint table whether it is there, without an account: requests without fields, and \
            with made-up tokens, codes and passwords for nobody", [];
    LOG_IN: "log in with each code of wx.login", [LoginCodes];
    LOG_IN_AGAIN: "try the first code of wx.login again", [LoginCodes, WrongAttempts];
    DENIED: "log in with a code of somebody whom the tenant denies", [DeniedCodes];
    SESSION: "verify the identity token of a session, and renew it once", [AnyLogin];
    FIELD: "give a made-up code of the phone-number button under either field name", [LoginCodes, WrongAttempts];
    WRONG_PASSWORD: "give a wrong password for the account, twice", [LoginCodes, UserName, WrongAttempts];
    BIND_PASSWORD: "bind by user name and password, and send the same request again",
        [LoginCodes, UserName, Password, Bind];
    BIND_WECHAT: "bind by a code of the phone-number button", [LoginCodes, PhoneCodes, Bind];
    PHONE_TWICE: "try a used code of the phone-number button again in the next login",
        [LoginCodes, PhoneCodes, Bind, WrongAttempts];
    CAPTCHA: "solve captchas for the numbers and addresses that were given", [Captcha, Send];
    WRONG_CAPTCHA: "solve a captcha wrongly, and then rightly", [Captcha, Send, WrongAttempts];
    SEND: "have codes sent to the numbers and addresses that were given, twice with the same pass once", [Captcha, Send];
    WRONG_CODE: "give a wrong code from the mobile number", [LoginCodes, Mobile, SmsCode, WrongAttempts];
    WRONG_EMAIL_CODE: "give a wrong code from the address", [LoginCodes, Email, EmailCode, WrongAttempts];
    BIND_PHONE: "bind by mobile number and code", [LoginCodes, Mobile, SmsCode, Bind];
    BIND_EMAIL: "bind by e-mail and code", [LoginCodes, Email, EmailCode, Bind];
    REGISTER_WECHAT: "register by a code of the phone-number button", [LoginCodes, PhoneCodes, Register];
    REGISTER_PHONE: "register by mobile number and code", [LoginCodes, Mobile, SmsCode, Register];
    REGISTER_EMAIL: "register by e-mail and code", [LoginCodes, Email, EmailCode, Register];
    FACTOR_PHONE: "give a second factor by SMS, where the tenant asks for one", [AnyLogin, SmsCode];
    FACTOR_EMAIL: "give a second factor by e-mail, where the tenant asks for one", [AnyLogin, Email, EmailCode];
    CODE_TWICE: "try a used code of a second factor again in the next login",
        [LoginCodes, SmsCode, WrongAttempts];
    AFTER_BIND: "bind an account that has a second factor", [LoginCodes, Bind];
    LOG_IN_APP: "log in with each code or token of another app", [AppLogins];
    LOG_IN_PASSWORD: "log in with user name and password", [UserName, Password];
    WRONG_LOGIN: "log in with a wrong password, once, if none was tried in a bind", [UserName, Password, WrongAttempts];
    LOG_IN_SMS: "log in by mobile number and code", [Mobile, SmsCode];
    LOG_IN_EMAIL: "log in by e-mail and code", [Email, EmailCode];
    EXPIRING_SMS: "log in by a code to the number of the account whose password expires soon, and keep the password",
        [ExpiringMobile, SmsCode];
    EXPIRING: "log in with the password that expires soon, and keep it", [Expiring];
    WRONG_OLD: "give a wrong old password for the account whose password expires soon, twice",
        [Expiring, NewPassword, WrongAttempts];
    CHANGE: "CHANGE THE PASSWORD that expires soon to IDAAS_PROBE_NEW_PASSWORD", [Expiring, NewPassword, PasswordChange];
    EXPIRED: "log in with the password that has expired", [Expired];
    KEEP_EXPIRED: "ask to keep the password that has expired, which the types forbid", [Expired, NewPassword, WrongAttempts];
    CHANGE_EXPIRED: "CHANGE THE PASSWORD that has expired to IDAAS_PROBE_NEW_PASSWORD",
        [Expired, NewPassword, PasswordChange];
    CHANGE_SMS: "CHANGE THE PASSWORD that has expired to IDAAS_PROBE_NEW_PASSWORD, by a code instead of the old one, where \
                 the tenant has that", [Expired, ExpiredMobile, NewPassword, PasswordChange, SmsCode];
    BOTH: "log in with a password that has expired, of an account with a second factor", [Both];
    CHANGE_BOTH: "CHANGE THE PASSWORD of that account to IDAAS_PROBE_NEW_PASSWORD", [Both, NewPassword, PasswordChange];
    REGISTRATION_REFUSED: "try to register a new number with the address that an account has, and then without it by the same \
                           code", [NewMobiles, Email, SmsCode, Register, WrongAttempts];
    REGISTRATION_PHONE: "register an account with a new number, its code and IDAAS_PROBE_ATTRIBUTES",
        [NewMobiles, SmsCode, Register];
    REGISTRATION_EMAIL: "register an account with a new address and its code, and nothing else",
        [NewEmails, EmailCode, Register];
    UNKNOWN: "log in by a code to a new number, which may register it", [TwoNewMobiles, SmsCode, Register];
    RESET_PHONE: "CHANGE THE PASSWORD of the account with the mobile number to IDAAS_PROBE_NEW_PASSWORD, by a code, and log in \
                  with it", [UserName, Password, Mobile, SmsCode, NewPassword, PasswordChange];
    RESET_EMAIL: "CHANGE THE PASSWORD of the account with the address to IDAAS_PROBE_NEW_PASSWORD, by a code, and log in \
                  with it", [UserName, Password, Email, EmailCode, NewPassword, PasswordChange];
}

/// No more messages than this are sent. By SMS and by e-mail one each to bind, to register in a bind, for a second factor, to
/// log in, to register and to reset; by SMS one more for each of the accounts whose password is old, one to a number that no
/// account has, and one with a pass that was used.
pub const MAX_MESSAGES: u32 = 17;
/// No account is given its password more often than this, nor a wrong one more often than the other.
pub const MAX_PASSWORDS: u32 = 5;
pub const MAX_WRONG_PASSWORDS: u32 = 2;

const NO_SUCH_STAGE: &str = "no login led to a stage where it shows";
const NO_FACTOR: &str = "no login led to MFA_AUTH, or no code for it was there";

macro_rules! checks {
    ($($id:literal, $act:ident, $asks:literal, $otherwise:expr;)+) => {
        /// Every check, in the order of the report.
        pub static CHECKS: &[Check] =
            &[$(Check { id: $id, asks: $asks, act: &$act, otherwise: $otherwise }),+];
    };
}

checks! {
    "D1", LOG_IN, "white space around status and tokens, which is cut off", NO_SUCH_STAGE;
    "D2", LOG_IN, "the spelling of SUCCESS", "no login ended with a session";
    "D3", STEPS, "the field of the phone-number code is wechat_code", NO_SUCH_STAGE;
    "D4", LOG_IN, "data: JSON text in a string, null or absent", "no login led to SOCIAL_BIND or USER_REGISTER";
    "D5", AFTER_BIND, "after a bind the newest state token counts", "no bind led to another stage";
    "D6.password", BIND_PASSWORD, "SOCIAL_BIND allows the password", NO_SUCH_STAGE;
    "D6.wechat", BIND_WECHAT, "SOCIAL_BIND allows the authorised phone number", NO_SUCH_STAGE;
    "D6.register", REGISTER_WECHAT, "USER_REGISTER allows the authorised phone number", NO_SUCH_STAGE;
    "D7.paths", STEPS, "mobile-by-token, mfa/sms and mfa/email are there", NO_SUCH_STAGE;
    "D7.sms", FACTOR_PHONE, "MFA_AUTH is completed by mfa/sms", NO_FACTOR;
    "D7.email", FACTOR_EMAIL, "MFA_AUTH is completed by mfa/email", NO_FACTOR;
    "D8", LOG_IN, "id_token is optional in a SUCCESS", "no login ended with a session";
    "D9", LOG_IN, "expire is a number", "no login ended with a session";
    "D10", LOG_IN, "each SUCCESS has a session_token", "no login ended with a session";
    "D11", DENIED, "a denied login is answered ACCESS_DENIED", NO_SUCH_STAGE;
    "D12", LOG_IN, "each status is documented", NO_SUCH_STAGE;
    "D13.client-id", LOOK, "another client id is refused (configuration)", NO_SUCH_STAGE;
    "D13.device", LOOK, "a missing device header is refused (configuration)", NO_SUCH_STAGE;
    "D13.login-code", LOOK, "a made-up login code is refused with an error code", NO_SUCH_STAGE;
    "D13.state-token", LOOK, "a made-up state token is refused (dead token)", NO_SUCH_STAGE;
    "D13.captcha", WRONG_CAPTCHA, "a captcha solved wrongly is refused (a new captcha)", NO_SUCH_STAGE;
    "D13.password", WRONG_PASSWORD, "a wrong password is refused (wrong input)", NO_SUCH_STAGE;
    "D13.code", WRONG_CODE, "a wrong code is refused (wrong input)", NO_SUCH_STAGE;
    "D13.codes", LOOK, "each error code is documented", NO_SUCH_STAGE;
    "D14.wechat", FIELD, "a state token survives a wrong phone-number code", NO_SUCH_STAGE;
    "D14.password", WRONG_PASSWORD, "a state token survives a wrong password", NO_SUCH_STAGE;
    "D14.code", WRONG_CODE, "a state token survives a wrong code by SMS", NO_SUCH_STAGE;
    "D14.email", WRONG_EMAIL_CODE, "a state token survives a wrong code by e-mail", NO_SUCH_STAGE;
    "D15.path", LOOK, "an unknown path: 3xx, or 4xx", NO_SUCH_STAGE;
    "D15.method", LOOK, "another method than POST: 3xx, or 4xx", NO_SUCH_STAGE;
    "D16", LOOK, "server failures and responses that cannot be read",
        "there was none, and a probe must not provoke one";
    "D17", SESSION, "the header of the session token is the edition's", "no login ended with a session";
    "D18", LOOK, "the headers of the edition are accepted", NO_SUCH_STAGE;
    "D18.content-type", LOOK, "the edition's content type is accepted", NO_SUCH_STAGE;
    "D19", FACTOR_PHONE, "the number of mobile-by-token works in mfa/sms as it is", NO_FACTOR;
    "D20", SESSION, "the claims name the user: flat, or in api", "there was no identity token that can be read";
    "D21", KEEP_EXPIRED, "a password that has expired cannot be kept", "no account had one";
    "D22.password", EXPIRING, "a password that expires soon is told at a login by password", "no such login succeeded";
    "D22.expired", EXPIRED, "a password that has expired is told at a login by password", "no such login succeeded";
    "D22.sms", EXPIRING_SMS, "whether PASSWORD_WARN comes to a login by SMS, too", "no such login succeeded";
    "D23.keep", EXPIRING, "what follows a password that is kept", "no login led to PASSWORD_WARN";
    "D23.change", CHANGE, "what follows a password that is changed", "no login led to PASSWORD_WARN";
    "D23.code", CHANGE_SMS, "what follows a password that is changed by a code", "the tenant does not have it";
    "D24.warn", EXPIRING, "data of PASSWORD_WARN: the policy, null or absent", "no login led to PASSWORD_WARN";
    "D24.expired", EXPIRED, "data of PASSWORD_EXPIRED: the policy, null or absent", "no login led to PASSWORD_EXPIRED";
    "D27.attempts", WRONG_PASSWORD, "a wrong password's refusal tells how many attempts are left", NO_SUCH_STAGE;
    "D27.lock", WRONG_PASSWORD, "a lock tells when it ends", "nothing was locked, and a probe must not lock anybody";
    "D28.login", LOG_IN_PASSWORD, "a login by password answers as the others do", NO_SUCH_STAGE;
    "D28.old", WRONG_OLD, "a wrong old password is refused (wrong input)", "no login led to PASSWORD_WARN";
    "D14.change", WRONG_OLD, "a state token survives a wrong old password", "no login led to PASSWORD_WARN";
    "D29", STEPS, "the second factor by SMS has the edition's send type", "the edition does not have it";
    "D30", STEPS, "a reset has the send type FORGET_PWD", "the edition does not have it";
    "D33", RESET_PHONE, "a reset is answered with nothing, and the new password logs in", NO_SUCH_STAGE;
    "D34.answer", REGISTRATION_PHONE, "a registration logs in", NO_SUCH_STAGE;
    "D34.id-token", REGISTRATION_PHONE, "whether the response to a registration has an id_token", NO_SUCH_STAGE;
    "D34.attributes", REGISTRATION_EMAIL, "whether an account is registered without attributes",
        "the tenant does not have it";
    "D35", STEPS, "the renewal is at the edition's path", NO_SUCH_STAGE;
    "D37", STEPS, "each step of the edition is there", NO_SUCH_STAGE;
    "D38", LOOK, "the three device headers are checked", NO_SUCH_STAGE;
    "D43", BOTH, "which comes first, the second factor or the password that has expired", "no such login succeeded";
    "D53", STEPS, "registration and reset are there, also where an edition has no page", NO_SUCH_STAGE;
    "D54", STEPS, "the login of Alipay's app is at the edition's path", "the edition does not have it";
    "C.edition", STEPS, "the edition is the one that was given", NO_SUCH_STAGE;
    "C.prefix", LOOK, "the path prefix is needed", "none was given";
    "C.first-factors", LOG_IN_APP, "logins of other apps are answered as that of the mini program", NO_SUCH_STAGE;
    "C.identifier", LOG_IN_PASSWORD, "a login by identifier takes the user name, too", "the tenant does not have it";
    "C.keys", LOOK, "the keys are published at /api/v1/oauth2/keys", NO_SUCH_STAGE;
    "C.fields", STEPS, "the fields have their documented names", NO_SUCH_STAGE;
    "C.send-types", STEPS, "the other codes have the edition's send types", "the edition has none";
    "C.signature", SESSION, "the identity token is RS256, by a published key, for this application",
        "there was no identity token";
    "C.claims", SESSION, "iss, sub, aud, exp and iat are there", "there was no identity token that was verified";
    "C.contradiction", LOOK, "no response is an error and a success in one", NO_SUCH_STAGE;
    "C.twice", LOOK, "no field is there twice", NO_SUCH_STAGE;
    "C.encoding", LOOK, "responses are UTF-8", NO_SUCH_STAGE;
    "C.busy", LOOK, "SDK.COMMON.1008 comes with HTTP 500", "no response had this code";
    "C.send-answer", SEND, "a request for a code is answered with nothing", NO_SUCH_STAGE;
    "C.send-headers", SEND, "a request for a code needs no state token", NO_SUCH_STAGE;
    "C.captcha-y", CAPTCHA, "a captcha's solution with y 5.0 is accepted", "no captcha was solved";
    "E.login-code", LOG_IN_AGAIN, "a login code works once", NO_SUCH_STAGE;
    "E.phone-code", PHONE_TWICE, "a phone-number code works once", NO_SUCH_STAGE;
    "E.code", CODE_TWICE, "a verification code works once", "there were no two logins that ask for a second factor";
    "E.state-token", BIND_PASSWORD, "a state token works once, and is then dead", NO_SUCH_STAGE;
    "E.new-state-token", AFTER_BIND, "another stage after a bind has a state token of its own",
        "no bind led to another stage";
    "E.captcha", WRONG_CAPTCHA, "a captcha is good for one try", NO_SUCH_STAGE;
    "E.pass", SEND, "a captcha's pass is good for several codes", NO_SUCH_STAGE;
    "E.registration-code", REGISTRATION_REFUSED, "a code survives a refused registration", NO_SUCH_STAGE;
    "E.login-registers", UNKNOWN, "whether a login by code registers an unknown number", NO_SUCH_STAGE;
    "E.session", SESSION, "a renewal keeps the session token", "no login ended with a session";
}

pub fn find(id: &str) -> Option<&'static Check> {
    CHECKS.iter().find(|check| check.id == id)
}
