//! The one table of endpoints: a row per step.
//!
//! The steps are built from it, the emulator routes by it, the reference documentation (`docs/reference.md`) is generated
//! from it, and the exhaustive tests walk it. Nothing else in this crate spells a path, a field name or a send type.
//!
//! The pages are those of the vendor's public documentation. Where they contradict each other, the
//! [decisions](crate::manual::decisions) say what this crate does and why.

use std::fmt;

pub use super::editions::{Editions, InEdition, Shape, Source};
pub use super::kinds::{Credential, EditionKind, OriginKind, Platform, Scenario, SendType, StageKind};
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
            Self::BindOrRegister => CodeRows { send_code: &SEND_REGISTER_SMS, submit: &REGISTER_PHONE },
            Self::SecondFactor => CodeRows { send_code: &SEND_MFA_SMS, submit: &MFA_PHONE },
            Self::Login => CodeRows { send_code: &SEND_LOGIN_SMS, submit: &LOGIN_PHONE },
            Self::Register => CodeRows { send_code: &SEND_REGISTRATION_SMS, submit: &REGISTRATION_PHONE },
            Self::ResetPassword => CodeRows { send_code: &SEND_RESET_SMS, submit: &RESET_PHONE },
            Self::ChangePassword => {
                CodeRows { send_code: &SEND_CHANGE_PASSWORD_SMS, submit: &CHANGE_PASSWORD_PHONE }
            }
        }
    }

    /// The rows of a code by e-mail.
    #[must_use]
    pub const fn email(self) -> CodeRows {
        match self {
            Self::Bind => CodeRows { send_code: &SEND_BIND_EMAIL, submit: &BIND_EMAIL },
            Self::BindOrRegister => CodeRows { send_code: &SEND_REGISTER_EMAIL, submit: &REGISTER_EMAIL },
            Self::SecondFactor => CodeRows { send_code: &SEND_MFA_EMAIL, submit: &MFA_EMAIL },
            Self::Login => CodeRows { send_code: &SEND_LOGIN_EMAIL, submit: &LOGIN_EMAIL },
            Self::Register => CodeRows { send_code: &SEND_REGISTRATION_EMAIL, submit: &REGISTRATION_EMAIL },
            Self::ResetPassword => CodeRows { send_code: &SEND_RESET_EMAIL, submit: &RESET_EMAIL },
            Self::ChangePassword => {
                CodeRows { send_code: &SEND_CHANGE_PASSWORD_EMAIL, submit: &CHANGE_PASSWORD_EMAIL }
            }
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
    /// A code that a platform gave out: treated as [`Code`](Self::Code). It is spent once the API has answered, whatever the
    /// response.
    PlatformCode,
    /// The same, encrypted, or an access token of the platform: sent exactly as given, an empty one is refused.
    PlatformOpaque,
    /// A password, or something encrypted: sent exactly as given, an empty one is refused.
    Opaque,
    /// A name, number or address: sent exactly as given; an empty one, or one with a control character, is refused.
    Text,
    /// A date, `yyyy-MM-dd`: what is no date is refused.
    Date,
    /// A JSON object: what is none is refused.
    Object,
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
    /// The platform whose code or token the request carries, if it carries one.
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
    /// The fields behind them that may be left out, in order.
    pub optional: &'static [Field],
    /// The type that belongs to the verification code in this request; an edition may have another.
    pub send_type: Option<SendType>,
    /// The stages that a successful response can lead to; empty for a side call, which does not move the flow.
    pub leads_to: &'static [StageKind],
    /// The page that documents it; [`editions`](Self::editions) has those of the other editions.
    pub page: &'static str,
    /// How each edition has it.
    pub editions: Editions,
    /// The [decisions](crate::manual::decisions) on what this page leaves open, by their names, such as `D3`. Those on a
    /// response or a header hold for every row, and are not here.
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

    /// Every field of the body, those that may be left out at the end.
    pub fn all_fields(&self) -> impl Iterator<Item = &'static Field> {
        self.fields.iter().chain(self.optional)
    }

    /// Whether a field holds a code of a platform, which is spent once the API has answered.
    #[must_use]
    pub fn spends_platform_code(&self) -> bool {
        let kinds = [FieldKind::PlatformCode, FieldKind::PlatformOpaque];
        self.fields.iter().any(|field| kinds.contains(&field.kind))
    }

    /// The origin of the logins that have this step; `None` if each has it.
    ///
    /// For a step that begins a login it is the origin of that login.
    #[must_use]
    pub const fn origin(&self) -> Option<OriginKind> {
        match (self.platform, self.from) {
            (Some(platform), _) => Some(platform.origin()),
            (
                None,
                StageKind::Unauthenticated
                | StageKind::VerifyPhone(Scenario::Login | Scenario::Register)
                | StageKind::VerifyEmail(Scenario::Login | Scenario::Register),
            ) => Some(OriginKind::Account),
            _ => None,
        }
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

/// Every step that answers a status can lead to every stage: no page says that one cannot come (decisions D5 and D22).
const ANY_OUTCOME: &[StageKind] = &[
    StageKind::Authenticated,
    StageKind::PendingBind,
    StageKind::PendingRegister,
    StageKind::MfaRequired,
    StageKind::PasswordExpiring,
    StageKind::PasswordExpired,
];

/// The attributes that an account can be registered with, beside the number or address that is verified.
const ATTRIBUTES: &[Field] = &[
    text("email"),
    text("user_name"),
    text("name"),
    opaque("pwd"),
    text("head_img"),
    text("attr_gender"),
    Field { name: "attr_birthday", kind: FieldKind::Date },
    text("attr_nick_name"),
    text("first_name"),
    text("middle_name"),
    text("last_name"),
    text("mailing_address"),
    text("zip_code"),
    text("industry"),
    Field { name: "extension", kind: FieldKind::Object },
];

/// The attributes of a registration by e-mail: the address is the one that is verified.
const ATTRIBUTES_WITHOUT_EMAIL: &[Field] = match ATTRIBUTES {
    [_, rest @ ..] => rest,
    [] => &[],
};

/// A step that begins a login, by a POST without a token.
const fn first(step: &'static str, path: &'static str, page: &'static str) -> Endpoint {
    Endpoint {
        credential: Credential::None,
        decisions: &["D4", "D22"],
        ..post(StageKind::Unauthenticated, step, path, page)
    }
}

/// A password stage's new password.
const fn change_password(from: StageKind) -> Endpoint {
    let page = page!("ciam/api/v2/sdk/web-application/force-change-password.html");
    Endpoint {
        fields: const { &[opaque("old_password"), opaque("new_password")] },
        decisions: &["D5", "D21", "D23", "D28", "D32"],
        editions: Editions {
            ciam: InEdition::page(page),
            eiam: InEdition::page(page!("eiam/userapi/pwd/force-update.html")),
            one_access: InEdition::page(huawei!("ForceUpdatePwd.html")),
        },
        ..post(from, "change_password", "/api/v2/sdk/pwd/update", page)
    }
}

/// The user's mobile number, by the state token.
const fn registered_mobile(from: StageKind) -> Endpoint {
    let page = page!("eiam/userapi/captcha/mobile-by-token.html");
    Endpoint {
        verb: Verb::Get,
        leads_to: &[],
        decisions: &["D19"],
        editions: Editions { ciam: None, eiam: InEdition::page(page), one_access: None },
        ..post(from, "registered_mobile", "/api/v2/sdk/mobile-by-token", page)
    }
}

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
        optional: &[],
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
            StageKind::VerifyPhone(Scenario::ChangePassword)
            | StageKind::VerifyEmail(Scenario::ChangePassword) => &["D5", "D21", "D23", "D32"],
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
/// One section of a page whose own address is not known.
const ONE_ACCESS_REGISTER_PAGE: &str =
    "https://huaweicloud.com/guide/productsdesc-bms_f2c202e9b7715c7662ab528201b089f1support0";
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
        platform: Some(Platform::WeChatMiniProgram),
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
        platform: Some(Platform::WeChatMiniProgram),
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
        platform: Some(Platform::AlipayMiniProgram),
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
        platform: Some(Platform::WeChatMiniProgram),
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
        platform: Some(Platform::AlipayMiniProgram),
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
        platform: Some(Platform::WeChatMiniProgram),
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
        platform: Some(Platform::AlipayMiniProgram),
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
        ..submit(StageKind::VerifyPhone(Scenario::BindOrRegister), REGISTER_BIND, SendType::RegisterSms, REGISTER_BIND_PAGE)
    };

    /// Bind or register by e-mail and verification code.
    REGISTER_EMAIL = Endpoint {
        editions: Editions {
            ciam: InEdition::page(page!("ciam/api/v2/sdk/user-self-service/social-account-register-bind.html")),
            eiam: InEdition::page(page!("eiam/applets/bind-mobile-at-login-or-register.html")),
            one_access: None,
        },
        ..submit(StageKind::VerifyEmail(Scenario::BindOrRegister), REGISTER_BIND, SendType::RegisterEms, REGISTER_BIND_PAGE)
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
        decisions: &["D7", "D19"],
        editions: Editions {
            ciam: InEdition::decided("D7"),
            eiam: InEdition::page(page!("eiam/userapi/captcha/mobile-by-token.html")),
            one_access: InEdition::page(huawei!("ShowMobileByStateToken.html")),
        },
        ..registered_mobile(StageKind::MfaRequired)
    };

    /// A code by SMS, to bind.
    SEND_BIND_SMS = send_code(StageKind::VerifyPhone(Scenario::Bind), SendType::BindMobileSms);

    /// A code by e-mail, to bind.
    SEND_BIND_EMAIL = send_code(StageKind::VerifyEmail(Scenario::Bind), SendType::BindEmailEms);

    /// A code by SMS, to bind or register.
    SEND_REGISTER_SMS = send_code(StageKind::VerifyPhone(Scenario::BindOrRegister), SendType::RegisterSms);

    /// A code by e-mail, to bind or register.
    SEND_REGISTER_EMAIL = send_code(StageKind::VerifyEmail(Scenario::BindOrRegister), SendType::RegisterEms);

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

    /// User name and password for a session, or for what must be done first.
    LOGIN_USERNAME_PASSWORD = Endpoint {
        fields: &[text("user_name"), opaque("password")],
        decisions: &["D4", "D22", "D28"],
        editions: Editions {
            ciam: InEdition::page(page!("ciam/api/v2/sdk/web-application/login-by-username-password.html")),
            eiam: InEdition::page(page!("eiam/userapi/login/username-pwd.html")),
            one_access: InEdition::page(huawei!("LoginByUserNamePwd.html")),
        },
        ..first(
            "username_password",
            "/api/v2/sdk/login",
            page!("ciam/api/v2/sdk/web-application/login-by-username-password.html"),
        )
    };

    /// User name, mobile number or e-mail address, and password.
    LOGIN_IDENTIFIER_PASSWORD = Endpoint {
        fields: &[text("user_name"), opaque("password")],
        decisions: &["D4", "D22", "D28"],
        ..first(
            "identifier_password",
            "/api/v2/sdk/login/auth",
            page!("ciam/api/v2/sdk/web-application/login-by-identifier-password.html"),
        )
    };

    /// The code of WeChat's login in an app.
    LOGIN_WECHAT_APP = Endpoint {
        platform: Some(Platform::WeChatApp),
        fields: &[platform_code("code")],
        editions: Editions {
            ciam: InEdition::page(page!("ciam/api/v2/sdk/other-api/login-by-wechat.html")),
            eiam: InEdition::page(page!("eiam/userapi/login/wechat.html")),
            one_access: InEdition::page(huawei!("LoginByWechat.html")),
        },
        ..first(
            "wechat_app",
            "/api/v2/sdk/login/wechat",
            page!("ciam/api/v2/sdk/other-api/login-by-wechat.html"),
        )
    };

    /// The code of Alipay's login in an app.
    LOGIN_ALIPAY_APP = Endpoint {
        platform: Some(Platform::AlipayApp),
        fields: &[platform_code("code")],
        decisions: &["D4", "D22", "D54"],
        editions: Editions {
            ciam: InEdition::page(page!("ciam/api/v2/sdk/other-api/login-by-alipay.html")),
            eiam: None,
            one_access: InEdition::page(huawei!("LoginByAlipay.html")),
        },
        ..first(
            "alipay_app",
            "/api/v2/sdk/login/alipay",
            page!("ciam/api/v2/sdk/other-api/login-by-alipay.html"),
        )
    };

    /// The access token of QQ's login, and the user's `openid` there.
    LOGIN_QQ = Endpoint {
        platform: Some(Platform::Qq),
        fields: &[platform_opaque("access_token"), text("open_id")],
        ..first(
            "qq",
            "/api/v2/sdk/login/qq",
            page!("ciam/api/v2/sdk/other-api/login-by-qq.html"),
        )
    };

    /// The access token of Weibo's login, and the user's `uid` there.
    LOGIN_WEIBO = Endpoint {
        platform: Some(Platform::Weibo),
        fields: &[platform_opaque("access_token"), text("uid")],
        ..first(
            "weibo",
            "/api/v2/sdk/login/weibo",
            page!("ciam/api/v2/sdk/other-api/login-by-weibo.html"),
        )
    };

    /// The code of Sign in with Apple.
    LOGIN_APPLE = Endpoint {
        platform: Some(Platform::Apple),
        fields: &[platform_code("code")],
        ..first(
            "apple",
            "/api/v2/sdk/login/apple",
            page!("ciam/api/v2/sdk/other-api/login-by-apple.html"),
        )
    };

    /// The access token of a carrier's one-tap login, which stands for the number of the phone.
    LOGIN_CARRIER = Endpoint {
        platform: Some(Platform::Carrier),
        fields: &[platform_opaque("access_token")],
        ..first(
            "carrier_one_tap",
            "/api/v2/sdk/login/aliyun-mobile-auth",
            page!("ciam/api/v2/sdk/other-api/login-by-aliyun-mobile.html"),
        )
    };

    /// Mobile number and verification code for a session, or for what must be done first.
    LOGIN_PHONE = Endpoint {
        credential: Credential::None,
        decisions: &["D4", "D19", "D22"],
        editions: Editions {
            ciam: InEdition::page(page!("ciam/api/v2/sdk/web-application/login-by-mobile-code.html")),
            eiam: InEdition::page(page!("eiam/userapi/login/mobile-verify-code.html")),
            one_access: InEdition::page(huawei!("LoginByMobileVerifyCode.html")),
        },
        ..submit(StageKind::VerifyPhone(Scenario::Login), "/api/v2/sdk/login/mobile-verify-code", SendType::LoginSms, page!("ciam/api/v2/sdk/web-application/login-by-mobile-code.html"))
    };

    /// E-mail address and verification code for a session, or for what must be done first.
    LOGIN_EMAIL = Endpoint {
        credential: Credential::None,
        decisions: &["D4", "D22"],
        editions: Editions {
            ciam: InEdition::page(page!("ciam/api/v2/sdk/web-application/login-by-email-code.html")),
            eiam: InEdition::page(page!("eiam/userapi/login/email-verify-code.html")),
            one_access: None,
        },
        ..submit(StageKind::VerifyEmail(Scenario::Login), "/api/v2/sdk/login/email-verify-code", SendType::LoginEms, page!("ciam/api/v2/sdk/web-application/login-by-email-code.html"))
    };

    /// Register an account by mobile number and verification code.
    REGISTRATION_PHONE = Endpoint {
        credential: Credential::None,
        optional: ATTRIBUTES,
        decisions: &["D19", "D22", "D32", "D34", "D52"],
        editions: Editions {
            ciam: InEdition::page(page!("ciam/api/v2/sdk/user-self-service/register-by-mobile.html")),
            eiam: None,
            one_access: InEdition::page(ONE_ACCESS_REGISTER_PAGE),
        },
        ..submit(StageKind::VerifyPhone(Scenario::Register), "/api/v2/sdk/register/mobile-verify-code", SendType::RegisterSms, page!("ciam/api/v2/sdk/user-self-service/register-by-mobile.html"))
    };

    /// Register an account by e-mail address and verification code.
    REGISTRATION_EMAIL = Endpoint {
        credential: Credential::None,
        optional: ATTRIBUTES_WITHOUT_EMAIL,
        decisions: &["D22", "D32", "D34", "D52"],
        editions: Editions {
            ciam: InEdition::page(page!("ciam/api/v2/sdk/user-self-service/register-by-email.html")),
            eiam: None,
            one_access: None,
        },
        ..submit(StageKind::VerifyEmail(Scenario::Register), "/api/v2/sdk/register/email-verify-code", SendType::RegisterEms, page!("ciam/api/v2/sdk/user-self-service/register-by-email.html"))
    };

    /// Replace a forgotten password, by mobile number and verification code.
    RESET_PHONE = Endpoint {
        credential: Credential::None,
        fields: const { &[text("mobile"), code("verify_code"), opaque("password")] },
        leads_to: &[StageKind::Unauthenticated],
        decisions: &["D19", "D30", "D31", "D32", "D33"],
        editions: Editions {
            ciam: InEdition::decided("D53"),
            eiam: InEdition::page(page!("eiam/userapi/pwd/update-by-mobile.html")),
            one_access: InEdition::page(huawei!("GetBackPwdByMobile.html")),
        },
        ..submit(StageKind::VerifyPhone(Scenario::ResetPassword), "/api/v2/sdk/pwd/update-by-mobile", SendType::ForgetPwdSms, page!("eiam/userapi/pwd/update-by-mobile.html"))
    };

    /// Replace a forgotten password, by e-mail address and verification code.
    RESET_EMAIL = Endpoint {
        credential: Credential::None,
        fields: const { &[text("email"), code("verify_code"), opaque("password")] },
        leads_to: &[StageKind::Unauthenticated],
        decisions: &["D30", "D31", "D32", "D33"],
        editions: Editions {
            ciam: InEdition::page(page!("ciam/api/v2/sdk/user-self-service/reset-password-by-email.html")),
            eiam: InEdition::decided("D53"),
            one_access: None,
        },
        ..submit(StageKind::VerifyEmail(Scenario::ResetPassword), "/api/v2/sdk/pwd/update-by-email", SendType::ForgetPwdEms, page!("ciam/api/v2/sdk/user-self-service/reset-password-by-email.html"))
    };

    /// Change a password that expires soon.
    CHANGE_EXPIRING_PASSWORD = change_password(StageKind::PasswordExpiring);

    /// Change a password that has expired.
    CHANGE_EXPIRED_PASSWORD = change_password(StageKind::PasswordExpired);

    /// Keep a password that expires soon.
    KEEP_PASSWORD = Endpoint {
        verb: Verb::Get,
        decisions: &["D5", "D21", "D23"],
        editions: Editions {
            ciam: InEdition::page(page!("ciam/api/v2/sdk/web-application/skip-force-change-password.html")),
            eiam: InEdition::page(page!("eiam/userapi/pwd/skip-update.html")),
            one_access: InEdition::page(huawei!("SkipForceUpdatePwd.html")),
        },
        ..post(
            StageKind::PasswordExpiring,
            "keep_password",
            "/api/v2/sdk/pwd/skip-update",
            page!("ciam/api/v2/sdk/web-application/skip-force-change-password.html"),
        )
    };

    /// The user's mobile number, to change a password that expires soon by a code.
    EXPIRING_PASSWORD_MOBILE = registered_mobile(StageKind::PasswordExpiring);

    /// The user's mobile number, to change a password that has expired by a code.
    EXPIRED_PASSWORD_MOBILE = registered_mobile(StageKind::PasswordExpired);

    /// Change a password that has expired or expires soon, by a code by SMS.
    CHANGE_PASSWORD_PHONE = Endpoint {
        fields: const { &[code("verify_code"), opaque("new_password")] },
        editions: Editions {
            ciam: None,
            eiam: InEdition::page(page!("eiam/userapi/pwd/force-update-by-mobile.html")),
            one_access: None,
        },
        ..submit(StageKind::VerifyPhone(Scenario::ChangePassword), "/api/v2/sdk/after-login/pwd/update-by-mobile", SendType::ChangePwdSms, page!("eiam/userapi/pwd/force-update-by-mobile.html"))
    };

    /// Change a password that has expired or expires soon, by a code by e-mail.
    CHANGE_PASSWORD_EMAIL = Endpoint {
        fields: const { &[code("verify_code"), opaque("new_password")] },
        editions: Editions {
            ciam: None,
            eiam: InEdition::page(page!("eiam/userapi/pwd/force-update-by-email.html")),
            one_access: None,
        },
        ..submit(StageKind::VerifyEmail(Scenario::ChangePassword), "/api/v2/sdk/after-login/pwd/update-by-email", SendType::ChangePwdEms, page!("eiam/userapi/pwd/force-update-by-email.html"))
    };

    /// A code by SMS, to log in.
    SEND_LOGIN_SMS = send_code(StageKind::VerifyPhone(Scenario::Login), SendType::LoginSms);

    /// A code by e-mail, to log in.
    SEND_LOGIN_EMAIL = send_code(StageKind::VerifyEmail(Scenario::Login), SendType::LoginEms);

    /// A code by SMS, to register.
    SEND_REGISTRATION_SMS = send_code(StageKind::VerifyPhone(Scenario::Register), SendType::RegisterSms);

    /// A code by e-mail, to register.
    SEND_REGISTRATION_EMAIL = send_code(StageKind::VerifyEmail(Scenario::Register), SendType::RegisterEms);

    /// A code by SMS, to replace a forgotten password.
    SEND_RESET_SMS = Endpoint {
        decisions: &["D19", "D30"],
        ..send_code(StageKind::VerifyPhone(Scenario::ResetPassword), SendType::ForgetPwdSms)
    };

    /// A code by e-mail, to replace a forgotten password.
    SEND_RESET_EMAIL = Endpoint {
        decisions: &["D30"],
        ..send_code(StageKind::VerifyEmail(Scenario::ResetPassword), SendType::ForgetPwdEms)
    };

    /// A code by SMS, to change a password that has expired or expires soon.
    SEND_CHANGE_PASSWORD_SMS = Endpoint {
        editions: Editions {
            ciam: None,
            eiam: InEdition::page(page!("eiam/userapi/captcha/smssend.html")),
            one_access: None,
        },
        ..send_code(StageKind::VerifyPhone(Scenario::ChangePassword), SendType::ChangePwdSms)
    };

    /// A code by e-mail, to change a password that has expired or expires soon.
    SEND_CHANGE_PASSWORD_EMAIL = Endpoint {
        editions: Editions {
            ciam: None,
            eiam: InEdition::page(page!("eiam/userapi/captcha/emailsend.html")),
            one_access: None,
        },
        ..send_code(StageKind::VerifyEmail(Scenario::ChangePassword), SendType::ChangePwdEms)
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
    /// The [decisions](crate::manual::decisions) that it rests on.
    pub decisions: &'static [&'static str],
}

const fn narrow(from: StageKind, step: &'static str, to: StageKind, gated: bool) -> Narrowing {
    Narrowing { from, step, to, gated, decisions: if gated { &["D4", "D6"] } else { &[] } }
}

/// Back to the stage that was narrowed.
const fn back(from: StageKind) -> Narrowing {
    narrow(from, "back", from.before_narrowing(), false)
}

/// Every step that sends nothing.
pub static NARROWINGS: &[Narrowing] = &[
    narrow(StageKind::Unauthenticated, "phone", StageKind::VerifyPhone(Scenario::Login), false),
    narrow(StageKind::Unauthenticated, "email", StageKind::VerifyEmail(Scenario::Login), false),
    narrow(StageKind::Unauthenticated, "register", StageKind::Registration, false),
    narrow(StageKind::Unauthenticated, "reset_password", StageKind::PasswordReset, false),
    narrow(StageKind::Registration, "phone", StageKind::VerifyPhone(Scenario::Register), false),
    narrow(StageKind::Registration, "email", StageKind::VerifyEmail(Scenario::Register), false),
    narrow(StageKind::PasswordReset, "phone", StageKind::VerifyPhone(Scenario::ResetPassword), false),
    narrow(StageKind::PasswordReset, "email", StageKind::VerifyEmail(Scenario::ResetPassword), false),
    narrow(StageKind::PendingBind, "phone", StageKind::VerifyPhone(Scenario::Bind), true),
    narrow(StageKind::PendingBind, "email", StageKind::VerifyEmail(Scenario::Bind), true),
    narrow(StageKind::PendingRegister, "phone", StageKind::VerifyPhone(Scenario::BindOrRegister), true),
    narrow(StageKind::PendingRegister, "email", StageKind::VerifyEmail(Scenario::BindOrRegister), true),
    narrow(StageKind::MfaRequired, "phone", StageKind::VerifyPhone(Scenario::SecondFactor), false),
    narrow(StageKind::MfaRequired, "email", StageKind::VerifyEmail(Scenario::SecondFactor), false),
    narrow(StageKind::PasswordExpiring, "phone", StageKind::VerifyPhone(Scenario::ChangePassword), false),
    narrow(StageKind::PasswordExpiring, "email", StageKind::VerifyEmail(Scenario::ChangePassword), false),
    narrow(StageKind::PasswordExpired, "phone", StageKind::VerifyPhone(Scenario::ChangePassword), false),
    narrow(StageKind::PasswordExpired, "email", StageKind::VerifyEmail(Scenario::ChangePassword), false),
    back(StageKind::VerifyPhone(Scenario::Login)),
    back(StageKind::VerifyEmail(Scenario::Login)),
    back(StageKind::VerifyPhone(Scenario::Register)),
    back(StageKind::VerifyEmail(Scenario::Register)),
    back(StageKind::VerifyPhone(Scenario::ResetPassword)),
    back(StageKind::VerifyEmail(Scenario::ResetPassword)),
    back(StageKind::VerifyPhone(Scenario::Bind)),
    back(StageKind::VerifyEmail(Scenario::Bind)),
    back(StageKind::VerifyPhone(Scenario::BindOrRegister)),
    back(StageKind::VerifyEmail(Scenario::BindOrRegister)),
    back(StageKind::VerifyPhone(Scenario::SecondFactor)),
    back(StageKind::VerifyEmail(Scenario::SecondFactor)),
    back(StageKind::VerifyPhone(Scenario::ChangePassword)),
    back(StageKind::VerifyEmail(Scenario::ChangePassword)),
];
