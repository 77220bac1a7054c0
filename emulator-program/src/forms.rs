//! The library's types as JSON: what the configuration and the control API have in common.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use idaas_login::codes::{self, KnownCode};
use idaas_login::emulator::{ClaimsLayout, DataForm, Effect, Entry, Fault, Settings, Unbound, User};
use idaas_login::endpoints::{self, Endpoint, Platform, SendType};
use idaas_login::{Edition, WechatCodeField};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

/// What is wrong with a value that has the right form: where it is, and why.
pub struct Wrong {
    pub at: Vec<At>,
    pub why: String,
}

/// A step on the way to a value.
pub enum At {
    Member(String),
    Item(usize),
}

impl Wrong {
    pub fn member(name: &str, why: impl Into<String>) -> Self {
        Self { at: vec![At::Member(name.to_owned())], why: why.into() }
    }

    /// The same, seen from the list that the value is in.
    pub fn inside(mut self, list: &str, index: usize) -> Self {
        self.at.splice(..0, [At::Member(list.to_owned()), At::Item(index)]);
        self
    }

    pub fn path(&self) -> String {
        let mut path = String::new();
        for at in &self.at {
            match at {
                At::Member(name) if path.is_empty() => path.push_str(name),
                At::Member(name) => path.extend([".", name]),
                At::Item(index) => path.extend(["[", &index.to_string(), "]"]),
            }
        }
        path
    }
}

/// A value that is written as its name.
macro_rules! named {
    ($form:ident, $value:ty, $what:literal, $all:expr, $name:expr) => {
        #[derive(Clone, Copy)]
        pub struct $form(pub $value);

        impl $form {
            fn name(&self) -> String {
                let name: fn(&$value) -> String = $name;
                name(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $form {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let given = String::deserialize(deserializer)?;
                let found = $all.map($form).find(|known| known.name() == given);
                found.ok_or_else(|| D::Error::custom(format!(concat!("`{}` is no ", $what), given)))
            }
        }

        impl Serialize for $form {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.name())
            }
        }
    };
}

named!(
    PlatformForm,
    Platform,
    "platform: they are named as WeChatMiniProgram, AlipayApp",
    Platform::ALL.iter().copied(),
    |platform| format!("{platform:?}")
);
named!(
    SendTypeForm,
    SendType,
    "send type: they are named as LOGIN_SMS, BIND_EMAIL_EMS",
    SendType::ALL.iter().copied(),
    |send_type| send_type.as_str().to_owned()
);
named!(Code, &'static KnownCode, "error code of the table", codes::ALL.iter().copied(), |code| code
    .code
    .to_owned());
named!(
    Step,
    &'static Endpoint,
    "step: docs/reference.md has them, such as PendingBind.wechat_mobile",
    endpoints::ALL.iter().copied(),
    |row| format!("{}.{}", row.from, row.step)
);

impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Step {}

impl PartialOrd for Step {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Step {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.name().cmp(&other.name())
    }
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserForm {
    pub user_name: String,
    name: Option<String>,
    password: Option<String>,
    mobile: Option<String>,
    email: Option<String>,
    #[serde(default)]
    second_factors: u32,
    password_age: Option<PasswordAge>,
    #[serde(default)]
    denied: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PasswordAge {
    Expiring,
    Expired,
}

impl UserForm {
    pub fn check(&self) -> Result<(), Wrong> {
        if self.user_name.trim().is_empty() {
            return Err(Wrong::member("user_name", "is blank"));
        }
        Ok(())
    }

    pub fn user(self) -> User {
        let mut user = User::new(self.user_name).second_factors(self.second_factors);
        if let Some(name) = self.name {
            user = user.name(name);
        }
        if let Some(password) = self.password {
            user = user.password(password);
        }
        if let Some(mobile) = self.mobile {
            user = user.mobile(mobile);
        }
        if let Some(email) = self.email {
            user = user.email(email);
        }
        user = match self.password_age {
            Some(PasswordAge::Expiring) => user.password_expiring(),
            Some(PasswordAge::Expired) => user.password_expired(),
            None => user,
        };
        if self.denied { user.denied() } else { user }
    }
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    pub platform: PlatformForm,
    pub identity: String,
    pub user_name: String,
}

/// A code of a platform: for an identity, or for a mobile number.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformCode {
    pub platform: PlatformForm,
    pub identity: Option<String>,
    pub mobile: Option<String>,
    pub code: Option<String>,
}

/// What a code of a platform stands for.
pub enum StandsFor {
    Identity(String),
    Mobile(String),
}

impl PlatformCode {
    pub fn check(&self) -> Result<StandsFor, Wrong> {
        if self.code.as_deref().is_some_and(|code| code.trim().is_empty()) {
            return Err(Wrong::member("code", "is blank"));
        }
        match (&self.identity, &self.mobile) {
            (Some(identity), None) => Ok(StandsFor::Identity(identity.clone())),
            (None, Some(mobile)) => Ok(StandsFor::Mobile(mobile.clone())),
            (Some(_), Some(_)) => {
                Err(Wrong::member("mobile", "is one too many: the code stands for the identity"))
            }
            (None, None) => Err(Wrong { at: Vec::new(), why: "identity or mobile is missing".to_owned() }),
        }
    }
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultForm {
    LoseRequest,
    LoseResponse,
    Late { milliseconds: u64 },
    Respond { http_status: u16, body: String },
    Refuse { code: Code },
    RespondAfter { http_status: u16, body: String },
}

impl FaultForm {
    pub fn fault(self) -> Result<Fault, Wrong> {
        let status = |status: u16| {
            let within = StatusCode::from_u16(status).ok().filter(|status| !status.is_informational());
            within.ok_or_else(|| Wrong::member("http_status", "is no final HTTP status"))
        };
        Ok(match self {
            Self::LoseRequest => Fault::LoseRequest,
            Self::LoseResponse => Fault::LoseResponse,
            Self::Late { milliseconds } => Fault::Late(Duration::from_millis(milliseconds)),
            Self::Respond { http_status, body } => Fault::Respond { http_status: status(http_status)?, body },
            Self::Refuse { code } => Fault::Refuse { code: code.0 },
            Self::RespondAfter { http_status, body } => {
                Fault::RespondAfter { http_status: status(http_status)?, body }
            }
        })
    }
}

/// A setting and its form in JSON.
trait Form<T>: Sized {
    fn of(setting: &T) -> Self;
    fn into_setting(self) -> T;
}

macro_rules! plain {
    ($($type:ty),+) => {
        $(impl Form<$type> for $type {
            fn of(setting: &$type) -> Self {
                setting.clone()
            }

            fn into_setting(self) -> $type {
                self
            }
        })+
    };
}

plain!(String, bool, u32, usize, (usize, usize), Vec<String>, Option<String>);

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(transparent)]
struct Seconds(u64);

impl Form<Duration> for Seconds {
    fn of(setting: &Duration) -> Self {
        Self(setting.as_secs())
    }

    fn into_setting(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
enum EditionForm {
    #[serde(rename = "CIAM")]
    Ciam,
    #[serde(rename = "EIAM")]
    Eiam,
    OneAccess,
    OneAccessIsv {
        tenant_id: String,
    },
}

impl Form<Edition> for EditionForm {
    fn of(setting: &Edition) -> Self {
        match setting {
            Edition::Eiam => Self::Eiam,
            Edition::OneAccess => Self::OneAccess,
            Edition::OneAccessIsv { tenant_id } => Self::OneAccessIsv { tenant_id: tenant_id.clone() },
            _ => Self::Ciam,
        }
    }

    fn into_setting(self) -> Edition {
        match self {
            Self::Ciam => Edition::Ciam,
            Self::Eiam => Edition::Eiam,
            Self::OneAccess => Edition::OneAccess,
            Self::OneAccessIsv { tenant_id } => Edition::OneAccessIsv { tenant_id },
        }
    }
}

/// An enum of the library, under other names.
macro_rules! words {
    ($form:ident of $setting:ident { $($word:ident = $variant:ident),+ ; $other:ident }) => {
        #[derive(Clone, Copy, Deserialize, Serialize)]
        #[serde(rename_all = "snake_case")]
        enum $form {
            $($word),+
        }

        impl Form<$setting> for $form {
            #[allow(unreachable_patterns)] // The enum may have more variants one day.
            fn of(setting: &$setting) -> Self {
                match setting {
                    $($setting::$variant => Self::$word,)+
                    _ => Self::$other,
                }
            }

            fn into_setting(self) -> $setting {
                match self {
                    $(Self::$word => $setting::$variant),+
                }
            }
        }
    };
}

words!(WechatCodeForm of WechatCodeField { WechatCode = WechatCode, WchatCode = WchatCode; WechatCode });
words!(UnboundForm of Unbound { Bind = Bind, Register = Register; Bind });
words!(ClaimsForm of ClaimsLayout { Flat = Flat, Api = Api; Flat });

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum ListForm {
    Listed(Vec<String>),
    Null,
    Absent,
}

impl Form<DataForm> for ListForm {
    fn of(setting: &DataForm) -> Self {
        match setting {
            DataForm::Listed(listed) => Self::Listed(listed.clone()),
            DataForm::Null => Self::Null,
            _ => Self::Absent,
        }
    }

    fn into_setting(self) -> DataForm {
        match self {
            Self::Listed(listed) => DataForm::Listed(listed),
            Self::Null => DataForm::Null,
            Self::Absent => DataForm::Absent,
        }
    }
}

type OfSteps = BTreeMap<Step, String>;

impl Form<Vec<(&'static Endpoint, String)>> for OfSteps {
    fn of(setting: &Vec<(&'static Endpoint, String)>) -> Self {
        setting.iter().map(|(row, text)| (Step(row), text.clone())).collect()
    }

    fn into_setting(self) -> Vec<(&'static Endpoint, String)> {
        self.into_iter().map(|(step, text)| (step.0, text)).collect()
    }
}

type OfFields = BTreeMap<Step, BTreeMap<String, String>>;

impl Form<Vec<(&'static Endpoint, String, String)>> for OfFields {
    fn of(setting: &Vec<(&'static Endpoint, String, String)>) -> Self {
        let mut steps = Self::new();
        for (row, field, spelling) in setting {
            steps.entry(Step(row)).or_default().insert(field.clone(), spelling.clone());
        }
        steps
    }

    fn into_setting(self) -> Vec<(&'static Endpoint, String, String)> {
        let of_step = |(step, fields): (Step, BTreeMap<String, String>)| {
            fields.into_iter().map(move |(field, spelling)| (step.0, field, spelling))
        };
        self.into_iter().flat_map(of_step).collect()
    }
}

/// A member that is there is `Some`, also if it is null.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Each setting with its form: what of it is given is changed.
macro_rules! settings {
    ($($name:ident: $form:ty,)+) => {
        #[derive(Clone, Default, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        pub struct SettingsForm {
            $(
                #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
                $name: Option<$form>,
            )+
        }

        impl SettingsForm {
            pub fn of(settings: &Settings) -> Self {
                Self { $($name: Some(Form::of(&settings.$name)),)+ }
            }

            pub fn apply(self, settings: &mut Settings) {
                $(if let Some(form) = self.$name {
                    settings.$name = form.into_setting();
                })+
            }
        }
    };
}

settings! {
    client_id: String,
    edition: EditionForm,
    wechat_code_field: WechatCodeForm,
    path_prefix: String,
    paths: OfSteps,
    send_types: OfSteps,
    field_names: OfFields,
    unbound: UnboundForm,
    data: ListForm,
    new_state_token: bool,
    password_length: (usize, usize),
    password_asked_everywhere: bool,
    second_factor_first: bool,
    register_at_login: bool,
    required_attributes: Vec<String>,
    id_token: bool,
    id_token_lifetime: Seconds,
    claims_layout: ClaimsForm,
    sign_with_previous_key: bool,
    published_previous_keys: usize,
    broken_key_set: Option<String>,
    refresh_sessions: bool,
    printed_spaces: bool,
    state_token_lifetime: Seconds,
    code_lifetime: Seconds,
    captcha_tolerance: u32,
    single_use_pass: bool,
    max_attempts: u32,
    lock_time: Seconds,
    state_token_ends_with_wrong_code: bool,
    undocumented_extras: bool,
    session_lifetime: Seconds,
    signature_window: Seconds,
    strict: bool,
    keep_requests: bool,
    ledger_entries: usize,
}

impl SettingsForm {
    /// What has the right form and cannot be right.
    pub fn check(&self) -> Result<(), Wrong> {
        let wrong = |name: &str, why: &str| Err(Wrong::member(name, why));
        if let Some(client_id) = &self.client_id {
            check_header("client_id", client_id)?;
        }
        if let Some(EditionForm::OneAccessIsv { tenant_id }) = &self.edition {
            check_header("edition", tenant_id)?;
        }
        if let Some(prefix) = &self.path_prefix
            && !prefix.is_empty()
            && (!is_path(prefix) || prefix.ends_with('/'))
        {
            return wrong("path_prefix", "must begin with / and not end with it");
        }
        if self.paths.iter().flatten().any(|(_, path)| !is_path(path)) {
            return wrong("paths", "a path must begin with /, without a query");
        }
        if self.send_types.iter().flatten().any(|(step, name)| name.is_empty() || step.0.send_type.is_none())
        {
            return wrong("send_types", "a step has no send type, or its name is empty");
        }
        for (step, fields) in self.field_names.iter().flatten() {
            for (field, spelling) in fields {
                if !step.0.all_fields().any(|known| known.name == field) || spelling.is_empty() {
                    let why = format!("{} has no field `{field}`, or its spelling is empty", step.name());
                    return wrong("field_names", &why);
                }
            }
        }
        match self.password_length {
            Some((min, max)) if min > max => wrong("password_length", "the least is more than the most"),
            _ if self.max_attempts == Some(0) => wrong("max_attempts", "must be at least 1"),
            _ => Ok(()),
        }
    }
}

fn check_header(name: &str, value: &str) -> Result<(), Wrong> {
    let is_fit = !value.is_empty() && value.trim() == value && HeaderValue::from_str(value).is_ok();
    if is_fit { Ok(()) } else { Err(Wrong::member(name, "is empty, or a header cannot carry it")) }
}

fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'))
}

/// An entry of the ledger, with the head and the body of its request.
pub fn entry(entry: &Entry) -> Value {
    let request = entry.request.as_ref();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = request.map(|request| {
        let header = |(name, value): (&http::HeaderName, &HeaderValue)| {
            json!({ "name": name.as_str(), "value": text(value.as_bytes()) })
        };
        request.headers.iter().map(header).collect::<Vec<_>>()
    });
    json!({
        "method": request.map(|request| request.method.as_str()),
        "path": entry.path,
        "headers": headers,
        "body": request.map(|request| text(&request.body)),
        "http_status": entry.http_status.map(|status| status.as_u16()),
        "error_code": entry.error_code,
        "effects": entry.effects.iter().map(effect).collect::<Vec<_>>(),
        "objections": entry.objections,
    })
}

pub fn effect(effect: &Effect) -> Value {
    match effect {
        Effect::Registered { user_name } => json!({ "kind": "registered", "user_name": user_name }),
        Effect::Bound { user_name, identity } => {
            json!({ "kind": "bound", "user_name": user_name, "identity": identity })
        }
        Effect::Session { user_name } => json!({ "kind": "session", "user_name": user_name }),
        Effect::PasswordChanged { user_name } => {
            json!({ "kind": "password_changed", "user_name": user_name })
        }
        Effect::LoggedOut { user_name } => json!({ "kind": "logged_out", "user_name": user_name }),
        Effect::CodeSent { destination, send_type } => {
            json!({ "kind": "code_sent", "destination": destination, "send_type": send_type.as_str() })
        }
        other => json!({ "kind": "other", "text": format!("{other:?}") }),
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path().as_str() {
            "" => f.write_str(&self.why),
            path => write!(f, "{path}: {}", self.why),
        }
    }
}
