//! The one table of endpoints: a row per step.
//!
//! The steps are built from it, the emulator routes by it, the reference documentation (`docs/reference.md`) is generated
//! from it, and the exhaustive tests walk it. Nothing else in this crate spells a path, a field name or a send type.
//!
//! The pages are those of the vendor's public documentation. Where they contradict each other,
//! `docs/decisions.md` says what this crate does and why.

use std::fmt;

pub use super::editions::{Editions, InEdition, Shape, Source};
pub use super::kinds::{Credential, EditionKind, Platform, Scenario, SendType, StageKind};
pub use super::status::Status;

/// A page of the vendor's public documentation.
macro_rules! page {
    ($path:literal) => {
        concat!("https://open.bccastle.com/en/development/", $path)
    };
}

/// A page of Huawei Cloud's documentation of OneAccess.
macro_rules! huawei {
    ($path:literal) => {
        concat!("https://support.huaweicloud.com/api-oneaccess/", $path)
    };
}

/// The two rows of a verification code: the one that asks for it, and the one that it is submitted by.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CodeRows {
    /// Asks for the code.
    pub send_code: &'static Endpoint,
    /// Submits it.
    pub submit: &'static Endpoint,
}

impl Scenario {
    /// The rows of a code by SMS.
    #[must_use]
    pub const fn sms(self) -> CodeRows {
        match self {
            Self::Bind => CodeRows { send_code: &SEND_BIND_SMS, submit: &BIND_PHONE },
            Self::Register => CodeRows { send_code: &SEND_REGISTER_SMS, submit: &REGISTER_PHONE },
            Self::SecondFactor => CodeRows { send_code: &SEND_MFA_SMS, submit: &MFA_PHONE },
        }
    }

    /// The rows of a code by e-mail.
    #[must_use]
    pub const fn email(self) -> CodeRows {
        match self {
            Self::Bind => CodeRows { send_code: &SEND_BIND_EMAIL, submit: &BIND_EMAIL },
            Self::Register => CodeRows { send_code: &SEND_REGISTER_EMAIL, submit: &REGISTER_EMAIL },
            Self::SecondFactor => CodeRows { send_code: &SEND_MFA_EMAIL, submit: &MFA_EMAIL },
        }
    }
}

/// A field of a request's JSON body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name on the wire.
    pub name: &'static str,
    /// What the value is, and so how it is treated.
    pub kind: FieldKind,
}

/// What a field of a request's body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldKind {
    /// A one-time code: white space around it is cut off, an empty one is refused.
    Code,
    /// A code that the platform of a mini program gave out: treated as [`Code`](Self::Code). It is spent once the API has
    /// answered, whatever the answer.
    PlatformCode,
    /// The same, encrypted: sent exactly as given, an empty one is refused.
    PlatformOpaque,
    /// A password, or something encrypted: sent exactly as given, an empty one is refused.
    Opaque,
    /// A name, number or address: sent exactly as given; an empty one, or one with a control character, is refused.
    Text,
    /// The row's [`send_type`](Endpoint::send_type): no input.
    SendType,
}

/// The HTTP method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// `GET`
    Get,
    /// `POST`
    Post,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "GET",
            Self::Post => "POST",
        })
    }
}

impl From<Verb> for http::Method {
    fn from(verb: Verb) -> Self {
        match verb {
            Verb::Get => Self::GET,
            Verb::Post => Self::POST,
        }
    }
}

/// A row of the table: a step and the request that it sends.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// The stage whose method the step is.
    pub from: StageKind,
    /// The mini program that the step belongs to; `None` if to each.
    pub platform: Option<Platform>,
    /// The name of the method.
    pub step: &'static str,
    /// The HTTP method.
    pub verb: Verb,
    /// The path, absolute; an edition may have another.
    pub path: &'static str,
    /// The token that the request carries; an edition may have another.
    pub credential: Credential,
    /// The fields of the JSON body, in order; empty: no body.
    pub fields: &'static [Field],
    /// The type that belongs to the verification code in this request; an edition may have another.
    pub send_type: Option<SendType>,
    /// The stages that a successful answer can lead to; empty for a side call, which does not move the flow.
    pub leads_to: &'static [StageKind],
    /// The page that documents it; [`editions`](Self::editions) has those of the other editions.
    pub page: &'static str,
    /// How each edition has it.
    pub editions: Editions,
    /// The decisions of `docs/decisions.md` on what this page leaves open, by their names, such as `D3`. Those on an answer
    /// or a header hold for every row, and are not here.
    pub decisions: &'static [&'static str],
    /// The feature of this crate without which there is no such method; `None` if it is always there.
    pub feature: Option<&'static str>,
}

impl Endpoint {
    /// What this row sends to a tenant of `edition`; `None` if the edition does not have it.
    #[must_use]
    pub fn in_edition(&self, edition: EditionKind) -> Option<Shape> {
        let column = self.editions.of(edition)?;
        Some(Shape {
            source: column.source,
            path: column.path.unwrap_or(self.path),
            credential: column.credential.unwrap_or(self.credential),
            send_type: column.send_type.or(self.send_type),
        })
    }

    /// Whether a field holds a code of a platform, which is spent once the API has answered.
    #[must_use]
    pub fn spends_platform_code(&self) -> bool {
        let kinds = [FieldKind::PlatformCode, FieldKind::PlatformOpaque];
        self.fields.iter().any(|field| kinds.contains(&field.kind))
    }

    /// Whether this step consumes its stage (`true`) or is a side call that leaves it as it is (`false`).
    #[must_use]
    pub const fn moves_the_flow(&self) -> bool {
        !self.leads_to.is_empty()
    }
}

const fn code(name: &'static str) -> Field {
    Field { name, kind: FieldKind::Code }
}

const fn platform_code(name: &'static str) -> Field {
    Field { name, kind: FieldKind::PlatformCode }
}

const fn platform_opaque(name: &'static str) -> Field {
    Field { name, kind: FieldKind::PlatformOpaque }
}

const fn text(name: &'static str) -> Field {
    Field { name, kind: FieldKind::Text }
}

const fn opaque(name: &'static str) -> Field {
    Field { name, kind: FieldKind::Opaque }
}

/// The field that two parameter tables print as `wchat_code`; see [`WechatCodeField`](crate::WechatCodeField).
pub(crate) const WECHAT_CODE: Field = platform_code("wechat_code");

/// Every login and every bind can lead to every stage: the status tables of all the pages list them all.
const ANY_OUTCOME: &[StageKind] =
    &[StageKind::Authenticated, StageKind::PendingBind, StageKind::PendingRegister, StageKind::MfaRequired];

/// A step that moves the flow by a POST with the state token, as all but the first do.
const fn post(from: StageKind, step: &'static str, path: &'static str, page: &'static str) -> Endpoint {
    Endpoint {
        from,
        platform: None,
        step,
        verb: Verb::Post,
        path,
        credential: Credential::StateToken,
        fields: &[],
        send_type: None,
        leads_to: ANY_OUTCOME,
        page,
        editions: Editions { ciam: InEdition::page(page), eiam: None, one_access: None },
        decisions: &["D5"],
        feature: None,
    }
}

/// A verification code given back to the API.
const fn submit(from: StageKind, path: &'static str, send_type: SendType, page: &'static str) -> Endpoint {
    Endpoint {
        fields: match from {
            StageKind::VerifyEmail(_) => const { &[text("email"), code("verify_code")] },
            _ => const { &[text("mobile"), code("verify_code")] },
        },
        send_type: Some(send_type),
        decisions: match from {
            StageKind::VerifyPhone(Scenario::SecondFactor) => &["D5", "D7", "D19"],
            StageKind::VerifyEmail(Scenario::SecondFactor) => &["D5", "D7"],
            StageKind::VerifyEmail(_) => &["D5"],
            _ => &["D5", "D19"],
        },
        ..post(from, "submit", path, page)
    }
}

/// A verification code asked for. No page lists `X-state-token` among the headers.
const fn send_code(from: StageKind, send_type: SendType) -> Endpoint {
    let sms = Endpoint {
        credential: Credential::None,
        fields: const { &[text("mobile"), SEND_TYPE, code("captcha_token")] },
        send_type: Some(send_type),
        leads_to: &[],
        editions: Editions {
            ciam: InEdition::page(SEND_SMS_PAGE),
            eiam: InEdition::page(page!("eiam/userapi/captcha/smssend.html")),
            one_access: InEdition::page(ONE_ACCESS_SMS_PAGE),
        },
        decisions: match from {
            StageKind::VerifyPhone(Scenario::SecondFactor) => &["D7", "D19", "D29"],
            StageKind::VerifyEmail(Scenario::SecondFactor) => &["D7", "D29"],
            StageKind::VerifyEmail(_) => &[],
            _ => &["D19"],
        },
        ..post(from, "send_code", "/api/v2/sdk/sms/send", SEND_SMS_PAGE)
    };
    match from {
        StageKind::VerifyEmail(_) => Endpoint {
            path: "/api/v2/sdk/email/send",
            fields: const { &[text("email"), SEND_TYPE, code("captcha_token")] },
            page: SEND_EMAIL_PAGE,
            editions: Editions {
                ciam: InEdition::page(SEND_EMAIL_PAGE),
                eiam: InEdition::page(page!("eiam/userapi/captcha/emailsend.html")),
                one_access: None,
            },
            ..sms
        },
        _ => sms,
    }
}

/// A request without a body that OneAccess alone documents.
const fn one_access_get(
    from: StageKind,
    step: &'static str,
    path: &'static str,
    page: &'static str,
) -> Endpoint {
    Endpoint {
        verb: Verb::Get,
        credential: Credential::None,
        leads_to: &[],
        editions: Editions { ciam: None, eiam: None, one_access: InEdition::page(page) },
        decisions: &[],
        ..post(from, step, path, page)
    }
}

/// OneAccess has a send type of its own for the second factor.
#[allow(clippy::unnecessary_wraps)] // It is a column, which may be empty.
const fn otp_rest_sms(page: &'static str) -> Option<InEdition> {
    Some(InEdition {
        source: Source::Page(page),
        path: None,
        send_type: Some(SendType::OtpRestSms),
        credential: None,
    })
}

/// The feature by which requests are signed.
const SIGNATURE: Option<&str> = Some("signature");
/// How OneAccess's signature is made.
const SIGNATURE_PAGE: &str = huawei!("oneaccess_04_0069.html");

const SEND_SMS_PAGE: &str = page!("ciam/api/v2/sdk/captcha/send-sms.html");
const SEND_EMAIL_PAGE: &str = page!("ciam/api/v2/sdk/captcha/send-email.html");
const ONE_ACCESS_SMS_PAGE: &str = huawei!("SendSmsVerifyCode.html");
const SEND_TYPE: Field = Field { name: "type", kind: FieldKind::SendType };

const SOCIAL_BIND: &str = "/api/v2/sdk/social/bind";
const SOCIAL_BIND_PAGE: &str = page!("ciam/api/v2/sdk/mini-program/wechat/bind-mobile.html");
const REGISTER_BIND: &str = "/api/v2/sdk/social/register-bind";
const REGISTER_BIND_PAGE: &str = page!("eiam/applets/bind-mobile-at-login-or-register.html");
const MFA_SMS_PAGE: &str = page!("eiam/userapi/mfa/smsmfa.html");
const MFA_EMAIL_PAGE: &str = page!("eiam/userapi/mfa/emsmfa.html");

/// Writes the rows as statics and collects them in [`ALL`], so that no row can be left out of the tests' walks.
macro_rules! table {
    ($($(#[$doc:meta])* $name:ident = $row:expr;)+) => {
        $($(#[$doc])* pub static $name: Endpoint = $row;)+

        /// Every row.
        pub static ALL: &[&Endpoint] = &[$(&$name),+];
    };
}

table! {
    /// The code of `wx.login` for a session, or for what must be done first.
    LOGIN_WECHAT_MINI_PROGRAM = Endpoint {
        platform: Some(Platform::WeChat),
        credential: Credential::None,
        fields: &[platform_code("code")],
        decisions: &["D1", "D4"],
        editions: Editions {
            ciam: InEdition::page(page!("ciam/api/v2/sdk/mini-program/wechat/login-by-wechat-mini.html")),
            eiam: InEdition::page(page!("eiam/applets/login-by-wechat-mini.html")),
            one_access: InEdition::decided("D50"),
        },
        ..post(
            StageKind::Unauthenticated,
            "wechat_mini_program",
            "/api/v2/sdk/login/wechat-miniprogram",
            page!("ciam/api/v2/sdk/mini-program/wechat/login-by-wechat-mini.html"),
        )
    };

    /// The code of WeChat's phone-number button for a session.
    LOGIN_WECHAT_MINI_PROGRAM_MOBILE = Endpoint {
        platform: Some(Platform::WeChat),
        credential: Credential::None,
        fields: &[platform_code("code")],
        decisions: &["D1", "D4"],
        ..post(
            StageKind::Unauthenticated,
            "wechat_mini_program_mobile",
            "/api/v2/sdk/login/wechat-mini-program-mobile",
            page!("ciam/api/v2/sdk/mini-program/wechat/login-mobile-by-wechat-mini.html"),
        )
    };

    /// The code of an Alipay mini program for a session, or for what must be done first.
    LOGIN_ALIPAY_MINI_PROGRAM = Endpoint {
        platform: Some(Platform::Alipay),
        credential: Credential::None,
        fields: &[platform_code("code")],
        decisions: &["D4", "D8"],
        ..post(
            StageKind::Unauthenticated,
            "alipay_mini_program",
            "/api/v2/sdk/login/alipay-miniprogram",
            page!("ciam/api/v2/sdk/mini-program/alipay/login-by-alipay-mini.html"),
        )
    };

    /// Bind by the phone number that WeChat authorised.
    BIND_WECHAT_MOBILE = Endpoint {
        platform: Some(Platform::WeChat),
        fields: &[WECHAT_CODE],
        decisions: &["D2", "D3", "D5", "D6"],
        editions: Editions {
            ciam: InEdition::page(page!("ciam/api/v2/sdk/mini-program/wechat/bind-wechat-mobile.html")),
            eiam: InEdition::page(page!("eiam/applets/bind-wechat-mobile.html")),
            one_access: InEdition::decided("D50"),
        },
        ..post(
            StageKind::PendingBind,
            "wechat_mobile",
            "/api/v2/sdk/social/wechat-mobile-bind",
            page!("ciam/api/v2/sdk/mini-program/wechat/bind-wechat-mobile.html"),
        )
    };

    /// Bind by the phone number that Alipay authorised.
    BIND_ALIPAY_MOBILE = Endpoint {
        platform: Some(Platform::Alipay),
        fields: &[platform_opaque("alipay_encrypt")],
        decisions: &["D5", "D6"],
        ..post(
            StageKind::PendingBind,
            "alipay_mobile",
            "/api/v2/sdk/social/alipay-mini-mobile-bind",
            page!("ciam/api/v2/sdk/mini-program/alipay/bind-alipay-mobile.html"),
        )
    };

    /// Bind by user name and password.
    BIND_USERNAME_PASSWORD = Endpoint {
        fields: &[text("user_name"), opaque("password")],
        decisions: &["D5", "D6"],
        editions: Editions {
            ciam: InEdition::page(page!("ciam/api/v2/sdk/mini-program/wechat/bind-username-password.html")),
            eiam: InEdition::page(page!("eiam/applets/bind-username-password.html")),
            one_access: InEdition::decided("D50"),
        },
        ..post(
            StageKind::PendingBind,
            "username_password",
            "/api/v2/sdk/social/username-password-bind",
            page!("ciam/api/v2/sdk/mini-program/wechat/bind-username-password.html"),
        )
    };

    /// Bind by mobile number and verification code.
    BIND_PHONE = Endpoint {
        editions: Editions {
            ciam: InEdition::page(page!("ciam/api/v2/sdk/mini-program/wechat/bind-mobile.html")),
            eiam: InEdition::page(page!("eiam/applets/bind-mobile.html")),
            one_access: InEdition::page(huawei!("BindSocialAccount.html")),
        },
        ..submit(StageKind::VerifyPhone(Scenario::Bind), SOCIAL_BIND, SendType::BindMobileSms, SOCIAL_BIND_PAGE)
    };

    /// Bind by e-mail and verification code.
    BIND_EMAIL = Endpoint {
        editions: Editions {
            ciam: InEdition::page(page!("ciam/api/v2/sdk/mini-program/wechat/bind-mobile.html")),
            eiam: InEdition::page(page!("eiam/applets/bind-mobile.html")),
            one_access: None,
        },
        ..submit(StageKind::VerifyEmail(Scenario::Bind), SOCIAL_BIND, SendType::BindEmailEms, SOCIAL_BIND_PAGE)
    };

    /// Bind or register by the phone number that WeChat authorised.
    REGISTER_WECHAT_MOBILE = Endpoint {
        platform: Some(Platform::WeChat),
        fields: &[WECHAT_CODE],
        decisions: &["D3", "D5", "D6"],
        editions: Editions {
            ciam: InEdition::decided("D50"),
            eiam: InEdition::page(page!("eiam/applets/bind-wechat-mobile-at-login-or-register.html")),
            one_access: InEdition::decided("D50"),
        },
        ..post(
            StageKind::PendingRegister,
            "wechat_mobile",
            "/api/v2/sdk/social/wechat-mobile-register-bind",
            page!("eiam/applets/bind-wechat-mobile-at-login-or-register.html"),
        )
    };

    /// Bind or register by the phone number that Alipay authorised.
    REGISTER_ALIPAY_MOBILE = Endpoint {
        platform: Some(Platform::Alipay),
        fields: &[platform_opaque("alipay_encrypt")],
        decisions: &["D5", "D6"],
        ..post(
            StageKind::PendingRegister,
            "alipay_mobile",
            "/api/v2/sdk/social/alipay-mini-mobile-register-bind",
            page!("ciam/api/v2/sdk/mini-program/alipay/bind-alipay-mobile-at-login-or-register.html"),
        )
    };

    /// Bind or register by mobile number and verification code.
    REGISTER_PHONE = Endpoint {
        editions: Editions {
            ciam: InEdition::page(page!("ciam/api/v2/sdk/user-self-service/social-account-register-bind.html")),
            eiam: InEdition::page(page!("eiam/applets/bind-mobile-at-login-or-register.html")),
            one_access: InEdition::page(huawei!("RegisterBindSocialAccount.html")),
        },
        ..submit(StageKind::VerifyPhone(Scenario::Register), REGISTER_BIND, SendType::RegisterSms, REGISTER_BIND_PAGE)
    };

    /// Bind or register by e-mail and verification code.
    REGISTER_EMAIL = Endpoint {
        editions: Editions {
            ciam: InEdition::page(page!("ciam/api/v2/sdk/user-self-service/social-account-register-bind.html")),
            eiam: InEdition::page(page!("eiam/applets/bind-mobile-at-login-or-register.html")),
            one_access: None,
        },
        ..submit(StageKind::VerifyEmail(Scenario::Register), REGISTER_BIND, SendType::RegisterEms, REGISTER_BIND_PAGE)
    };

    /// The second factor by SMS.
    MFA_PHONE = Endpoint {
        editions: Editions {
            ciam: InEdition::decided("D7"),
            eiam: InEdition::page(page!("eiam/userapi/mfa/smsmfa.html")),
            one_access: otp_rest_sms(huawei!("SecondaryAuthByMobileVerifyCode.html")),
        },
        ..submit(StageKind::VerifyPhone(Scenario::SecondFactor), "/api/v2/sdk/mfa/sms", SendType::MfaAuthSms, MFA_SMS_PAGE)
    };

    /// The second factor by e-mail.
    MFA_EMAIL = Endpoint {
        editions: Editions {
            ciam: InEdition::decided("D7"),
            eiam: InEdition::page(page!("eiam/userapi/mfa/emsmfa.html")),
            one_access: None,
        },
        ..submit(StageKind::VerifyEmail(Scenario::SecondFactor), "/api/v2/sdk/mfa/email", SendType::MfaAuthEms, MFA_EMAIL_PAGE)
    };

    /// The user's mobile number, for the second factor.
    REGISTERED_MOBILE = Endpoint {
        verb: Verb::Get,
        leads_to: &[],
        decisions: &["D7", "D19"],
        editions: Editions {
            ciam: InEdition::decided("D7"),
            eiam: InEdition::page(page!("eiam/userapi/captcha/mobile-by-token.html")),
            one_access: InEdition::page(huawei!("ShowMobileByStateToken.html")),
        },
        ..post(
            StageKind::MfaRequired,
            "registered_mobile",
            "/api/v2/sdk/mobile-by-token",
            page!("eiam/userapi/captcha/mobile-by-token.html"),
        )
    };

    /// A code by SMS, to bind.
    SEND_BIND_SMS = send_code(StageKind::VerifyPhone(Scenario::Bind), SendType::BindMobileSms);

    /// A code by e-mail, to bind.
    SEND_BIND_EMAIL = send_code(StageKind::VerifyEmail(Scenario::Bind), SendType::BindEmailEms);

    /// A code by SMS, to bind or register.
    SEND_REGISTER_SMS = send_code(StageKind::VerifyPhone(Scenario::Register), SendType::RegisterSms);

    /// A code by e-mail, to bind or register.
    SEND_REGISTER_EMAIL = send_code(StageKind::VerifyEmail(Scenario::Register), SendType::RegisterEms);

    /// A code by SMS, for the second factor.
    SEND_MFA_SMS = Endpoint {
        editions: Editions {
            // Its list of send types has none for a second factor.
            ciam: InEdition::decided("D7"),
            eiam: InEdition::page(page!("eiam/userapi/captcha/smssend.html")),
            one_access: otp_rest_sms(ONE_ACCESS_SMS_PAGE),
        },
        ..send_code(StageKind::VerifyPhone(Scenario::SecondFactor), SendType::MfaAuthSms)
    };

    /// A code by e-mail, for the second factor.
    SEND_MFA_EMAIL = Endpoint {
        editions: Editions {
            ciam: InEdition::decided("D7"),
            eiam: InEdition::page(page!("eiam/userapi/captcha/emailsend.html")),
            one_access: None,
        },
        ..send_code(StageKind::VerifyEmail(Scenario::SecondFactor), SendType::MfaAuthEms)
    };

    /// A new identity token, and perhaps a new session token, for a session.
    RENEW_ID_TOKEN = Endpoint {
        credential: Credential::SessionToken,
        leads_to: &[StageKind::Authenticated],
        decisions: &["D17", "D20", "D35", "D36"],
        editions: Editions {
            ciam: InEdition::page(page!("ciam/api/v2/sdk/user-self-service/refresh-id-token-by-session-token.html")),
            eiam: InEdition::page(page!("eiam/userapi/token/session-token-id-token.html")),
            // Another path and another credential.
            one_access: Some(InEdition {
                source: Source::Page(huawei!("CreateIdToken.html")),
                path: Some("/api/v2/sdk/session-token/refresh-id-token"),
                send_type: None,
                credential: Some(Credential::Signature),
            }),
        },
        ..post(
            StageKind::Authenticated,
            "renew_id_token",
            "/api/v2/sdk/sso/session-token/id-token",
            page!("ciam/api/v2/sdk/user-self-service/refresh-id-token-by-session-token.html"),
        )
    };

    /// A captcha.
    CAPTCHA = Endpoint {
        verb: Verb::Get,
        credential: Credential::None,
        leads_to: &[],
        decisions: &[],
        editions: Editions {
            ciam: InEdition::page(page!("ciam/api/v2/sdk/captcha/get-captcha.html")),
            eiam: InEdition::page(page!("eiam/userapi/captcha/captcha.html")),
            one_access: InEdition::page(huawei!("ShowCaptcha.html")),
        },
        ..post(
            StageKind::Client,
            "captcha",
            "/api/v2/sdk/captcha",
            page!("ciam/api/v2/sdk/captcha/get-captcha.html"),
        )
    };

    /// A captcha's solution, for the pass that sending a code needs.
    CAPTCHA_VERIFY = Endpoint {
        credential: Credential::None,
        fields: &[opaque("point_json"), code("token"), text("sender")],
        leads_to: &[],
        decisions: &[],
        editions: Editions {
            ciam: InEdition::page(page!("ciam/api/v2/sdk/captcha/verify-captcha.html")),
            eiam: InEdition::decided("D50"),
            one_access: InEdition::decided("D50"),
        },
        ..post(
            StageKind::Captcha,
            "solve",
            "/api/v2/sdk/captcha/verify",
            page!("ciam/api/v2/sdk/captcha/verify-captcha.html"),
        )
    };

    /// The end of a session.
    LOGOUT = Endpoint {
        credential: Credential::Signature,
        leads_to: &[StageKind::Unauthenticated],
        decisions: &["D36", "D37"],
        feature: SIGNATURE,
        ..one_access_get(StageKind::Authenticated, "logout", "/api/v2/sdk/logout", huawei!("Logout.html"))
    };

    /// The public key that signatures are made with.
    PUBLIC_KEY = Endpoint {
        decisions: &["D36"],
        feature: SIGNATURE,
        ..one_access_get(StageKind::Client, "public_key", "/api/v2/sdk/public-key", SIGNATURE_PAGE)
    };

    /// The server's time, which signatures need.
    SERVER_DATE = Endpoint {
        decisions: &["D36", "D40"],
        feature: SIGNATURE,
        ..one_access_get(StageKind::Client, "server_date", "/api/v2/sdk/server-date", SIGNATURE_PAGE)
    };

    /// How mobile numbers are written, country by country.
    COUNTRY_CODES = Endpoint {
        decisions: &["D19", "D39"],
        ..one_access_get(
            StageKind::Client,
            "country_codes",
            "/api/v2/sdk/country-codes",
            huawei!("ListCountryCodes.html"),
        )
    };
}

/// The path that ends an identity token's issuer: `https://{domain}/api/v1/oauth2`.
pub const ISSUER_PATH: &str = "/api/v1/oauth2";

/// The tenant's public keys, a JWK set, by GET without any header, but for `X-tenant-id` where tenants share a domain.
///
/// Page: `ciam/api/v2/sdk/appendix/get-user-info-from-id-token.html`.
pub const KEYS_PATH: &str = "/api/v1/oauth2/keys";

/// A method that sends nothing: it turns run-time data into a type.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Narrowing {
    /// The stage whose method it is.
    pub from: StageKind,
    /// The name of the method.
    pub step: &'static str,
    /// The stage that it gives.
    pub to: StageKind,
    /// Whether the tenant's allowed flows decide; if not, it is always allowed.
    pub gated: bool,
    /// The decisions of `docs/decisions.md` that it rests on.
    pub decisions: &'static [&'static str],
}

const fn narrow(from: StageKind, step: &'static str, to: StageKind, gated: bool) -> Narrowing {
    Narrowing { from, step, to, gated, decisions: if gated { &["D4", "D6"] } else { &[] } }
}

/// Every step that sends nothing.
pub static NARROWINGS: &[Narrowing] = &[
    narrow(StageKind::PendingBind, "phone", StageKind::VerifyPhone(Scenario::Bind), true),
    narrow(StageKind::PendingBind, "email", StageKind::VerifyEmail(Scenario::Bind), true),
    narrow(StageKind::PendingRegister, "phone", StageKind::VerifyPhone(Scenario::Register), true),
    narrow(StageKind::PendingRegister, "email", StageKind::VerifyEmail(Scenario::Register), true),
    narrow(StageKind::MfaRequired, "phone", StageKind::VerifyPhone(Scenario::SecondFactor), false),
    narrow(StageKind::MfaRequired, "email", StageKind::VerifyEmail(Scenario::SecondFactor), false),
    narrow(StageKind::VerifyPhone(Scenario::Bind), "back", StageKind::PendingBind, false),
    narrow(StageKind::VerifyEmail(Scenario::Bind), "back", StageKind::PendingBind, false),
    narrow(StageKind::VerifyPhone(Scenario::Register), "back", StageKind::PendingRegister, false),
    narrow(StageKind::VerifyEmail(Scenario::Register), "back", StageKind::PendingRegister, false),
    narrow(StageKind::VerifyPhone(Scenario::SecondFactor), "back", StageKind::MfaRequired, false),
    narrow(StageKind::VerifyEmail(Scenario::SecondFactor), "back", StageKind::MfaRequired, false),
];
