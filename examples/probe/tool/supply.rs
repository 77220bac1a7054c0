//! What only a human has: codes of the mini program, passwords, numbers, the codes that arrive there, solved captchas.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, Write};
use std::path::PathBuf;

use idaas_login::emulator::{Emulator, Unbound, User};
use idaas_login::endpoints::{self, Endpoint, Platform, SendType};
use idaas_login::{Captcha, CaptchaImage, Gender, RegistrationAttributes};
use serde_json::{Map, Value, json};

use super::checks::Need;
use super::{Stop, rows};

/// Whom the next login should be of. A supply of real codes takes no notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Bound to no account: to bind.
    Bind,
    /// Bound to no account, and the tenant registers.
    Register,
    /// Bound to no account, and the account to bind has a second factor.
    BindThenFactor,
    /// Bound to an account with a second factor.
    Factor,
    /// Whoever is left.
    Anybody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    Phone,
    Email,
}

/// An account that logs in by its password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// The one to bind.
    Plain,
    /// Its password expires soon.
    Expiring,
    /// Its password has expired.
    Expired,
    /// Its password has expired, and it has a second factor.
    Both,
}

impl Who {
    pub const ALL: [Self; 4] = [Self::Plain, Self::Expiring, Self::Expired, Self::Both];

    /// The variable of its user name.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Plain => "IDAAS_PROBE_USER_NAME",
            Self::Expiring => "IDAAS_PROBE_EXPIRING_USER_NAME",
            Self::Expired => "IDAAS_PROBE_EXPIRED_USER_NAME",
            Self::Both => "IDAAS_PROBE_BOTH_USER_NAME",
        }
    }

    /// The variable of something else that it has.
    fn of(self, what: &str) -> String {
        self.variable().replace("USER_NAME", what)
    }
}

/// What an app gives for a login: the row, and the values of its fields.
pub type AppLogin = (&'static Endpoint, Vec<String>);

pub const ATTRIBUTES: &str = "IDAAS_PROBE_ATTRIBUTES";

pub trait Supply {
    /// Whether it can give this.
    fn has(&self, need: Need) -> bool;
    /// A code of `wx.login`.
    fn login_code(&mut self, want: Want) -> Option<String>;
    /// A code of `wx.login`, of somebody whom the tenant denies.
    fn denied_code(&mut self) -> Option<String>;
    /// A code of the phone-number button.
    fn phone_code(&mut self) -> Option<String>;
    fn user_name(&self) -> Option<String>;
    fn password(&self) -> Option<String>;
    /// User name and password of an account.
    fn account(&self, who: Who) -> Option<(String, String)>;
    /// What a password is changed to.
    fn new_password(&self) -> Option<String>;
    /// The mobile number or the address.
    fn destination(&self, channel: Channel) -> Option<String>;
    /// That of an account.
    fn destination_of(&self, who: Who, channel: Channel) -> Option<String>;
    /// One that no account has; another each time.
    fn new_destination(&mut self, channel: Channel) -> Option<String>;
    /// What an account is registered with.
    fn attributes(&self) -> RegistrationAttributes;
    /// A code or token for a login of an app, and the row that it is for.
    fn app_login(&mut self) -> Option<AppLogin>;
    /// Where the captcha's piece fits.
    fn solve(&mut self, captcha: &Captcha) -> Option<f64>;
    /// A verification code that was there before the probe began, of this type.
    fn early_code(&mut self, channel: Channel, send_type: SendType) -> Option<String>;
    /// The verification code that was just sent.
    fn code(&mut self, destination: &str, channel: Channel) -> Option<String>;
    /// Everything that must not be printed.
    fn secrets(&self) -> Vec<String>;
}

/// The operator: variables of the environment, and the keyboard if `--ask` is given.
pub struct Operator<'a> {
    login_codes: VecDeque<String>,
    denied_codes: VecDeque<String>,
    phone_codes: VecDeque<String>,
    user_name: Option<String>,
    password: Option<String>,
    mobile: Option<String>,
    email: Option<String>,
    sms_codes: Vec<Early>,
    email_codes: Vec<Early>,
    accounts: Vec<(Who, [Option<String>; 4])>,
    new_password: Option<String>,
    new_mobiles: VecDeque<String>,
    new_emails: VecDeque<String>,
    attributes: RegistrationAttributes,
    attribute_texts: Vec<String>,
    app_logins: VecDeque<AppLogin>,
    keyboard: Option<&'a mut dyn BufRead>,
}

/// A code that was there before, and the send type that it is of, if that was given.
type Early = (Option<String>, String);

/// Those with commas between.
fn list<T: FromIterator<String>>(text: Option<String>) -> T {
    let text = text.unwrap_or_default();
    text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect()
}

/// `QQ_ROW=access token open id`: the values of the fields, with white space between.
fn app_login(text: &str) -> Result<AppLogin, Stop> {
    let told = |why: &str| Stop(format!("{}: {why}", Need::AppLogins.name()));
    let (name, values) = text.split_once('=').ok_or_else(|| told("give ROW=code, with commas between"))?;
    let row = rows::find(name.trim()).ok_or_else(|| told("a name is no row of idaas_login::endpoints"))?;
    let values: Vec<_> = values.split_ascii_whitespace().map(str::to_owned).collect();
    if !APP_ROWS.iter().any(|known| std::ptr::eq(*known, row)) {
        return Err(told("a row is not the login of an app"));
    }
    if values.len() != row.fields.len() {
        return Err(told("a row has another number of fields; white space is between their values"));
    }
    Ok((row, values))
}

/// The logins that begin with what a platform gives an app.
static APP_ROWS: [&Endpoint; 8] = [
    &endpoints::LOGIN_WECHAT_MINI_PROGRAM_MOBILE,
    &endpoints::LOGIN_ALIPAY_MINI_PROGRAM,
    &endpoints::LOGIN_WECHAT_APP,
    &endpoints::LOGIN_ALIPAY_APP,
    &endpoints::LOGIN_QQ,
    &endpoints::LOGIN_WEIBO,
    &endpoints::LOGIN_APPLE,
    &endpoints::LOGIN_CARRIER,
];

impl<'a> Operator<'a> {
    pub fn read(
        variable: &dyn Fn(&str) -> Option<String>,
        keyboard: Option<&'a mut dyn BufRead>,
    ) -> Result<Self, Stop> {
        let one = |need: Need| variable(need.name());
        let list = |need| list(one(need));
        let early = |name: &str| {
            let codes: Vec<String> = self::list(variable(name));
            let early = |code: String| match code.split_once('=') {
                Some((send_type, code)) => (Some(send_type.trim().to_owned()), code.trim().to_owned()),
                None => (None, code),
            };
            codes.into_iter().map(early).collect()
        };
        let account = |who: Who| {
            (who, ["USER_NAME", "PASSWORD", "MOBILE", "EMAIL"].map(|what| variable(&who.of(what))))
        };
        let given = match variable(ATTRIBUTES).map(|text| serde_json::from_str(&text)) {
            None => Map::new(),
            Some(Ok(Value::Object(attributes))) => attributes,
            Some(_) => return Err(Stop(format!("{ATTRIBUTES} is no JSON object"))),
        };
        let mut attribute_texts = Vec::new();
        given.values().for_each(|value| texts(value, &mut attribute_texts));
        let app_logins: Vec<String> = self::list(one(Need::AppLogins));
        Ok(Self {
            login_codes: list(Need::LoginCodes),
            denied_codes: list(Need::DeniedCodes),
            phone_codes: list(Need::PhoneCodes),
            user_name: one(Need::UserName),
            password: one(Need::Password),
            mobile: one(Need::Mobile),
            email: one(Need::Email),
            sms_codes: early("IDAAS_PROBE_SMS_CODE"),
            email_codes: early("IDAAS_PROBE_EMAIL_CODE"),
            accounts: Who::ALL.into_iter().map(account).collect(),
            new_password: one(Need::NewPassword),
            new_mobiles: list(Need::NewMobiles),
            new_emails: list(Need::NewEmails),
            attributes: attributes(&given)?,
            attribute_texts,
            app_logins: app_logins.iter().map(|text| app_login(text)).collect::<Result<_, _>>()?,
            keyboard,
        })
    }

    /// User name, password, mobile number and address of an account.
    fn known(&self, who: Who) -> &[Option<String>; 4] {
        const NOTHING: &[Option<String>; 4] = &[const { None }; 4];
        self.accounts.iter().find(|(known, _)| *known == who).map_or(NOTHING, |(_, known)| known)
    }

    /// A line from the keyboard; an empty one is none.
    fn ask(&mut self, question: &str) -> Option<String> {
        let keyboard = self.keyboard.as_mut()?;
        eprint!("{question}: ");
        io::stderr().flush().ok()?;
        let mut line = String::new();
        keyboard.read_line(&mut line).ok()?;
        Some(line.trim().to_owned()).filter(|line| !line.is_empty())
    }
}

impl Supply for Operator<'_> {
    fn has(&self, need: Need) -> bool {
        let asks = self.keyboard.is_some();
        match need {
            Need::LoginCodes => asks || !self.login_codes.is_empty(),
            Need::DeniedCodes => !self.denied_codes.is_empty(),
            Need::PhoneCodes => asks || !self.phone_codes.is_empty(),
            Need::UserName => self.user_name.is_some(),
            Need::Password => self.password.is_some(),
            Need::Mobile => self.mobile.is_some(),
            Need::Email => self.email.is_some(),
            Need::Captcha => asks,
            Need::SmsCode => asks || !self.sms_codes.is_empty(),
            Need::EmailCode => asks || !self.email_codes.is_empty(),
            Need::AnyLogin => self.has(Need::LoginCodes) || self.account(Who::Plain).is_some(),
            Need::Expiring => self.account(Who::Expiring).is_some(),
            Need::Expired => self.account(Who::Expired).is_some(),
            Need::Both => self.account(Who::Both).is_some(),
            Need::ExpiringMobile => self.destination_of(Who::Expiring, Channel::Phone).is_some(),
            Need::ExpiredMobile => self.destination_of(Who::Expired, Channel::Phone).is_some(),
            Need::NewPassword => self.new_password.is_some(),
            Need::NewMobiles => !self.new_mobiles.is_empty(),
            Need::TwoNewMobiles => self.new_mobiles.len() > 1,
            Need::NewEmails => !self.new_emails.is_empty(),
            Need::AppLogins => !self.app_logins.is_empty(),
            Need::Bind | Need::Register | Need::Send | Need::WrongAttempts | Need::PasswordChange => false,
        }
    }

    fn login_code(&mut self, _: Want) -> Option<String> {
        let given = self.login_codes.pop_front();
        given.or_else(|| self.ask("a fresh code of wx.login (nothing: no more)"))
    }

    fn denied_code(&mut self) -> Option<String> {
        self.denied_codes.pop_front()
    }

    fn phone_code(&mut self) -> Option<String> {
        let given = self.phone_codes.pop_front();
        given.or_else(|| self.ask("a fresh code of the phone-number button (nothing: none)"))
    }

    fn user_name(&self) -> Option<String> {
        self.user_name.clone()
    }

    fn password(&self) -> Option<String> {
        self.password.clone()
    }

    fn account(&self, who: Who) -> Option<(String, String)> {
        let [user_name, password, ..] = self.known(who);
        user_name.clone().zip(password.clone())
    }

    fn new_password(&self) -> Option<String> {
        self.new_password.clone()
    }

    fn destination(&self, channel: Channel) -> Option<String> {
        match channel {
            Channel::Phone => self.mobile.clone(),
            Channel::Email => self.email.clone(),
        }
    }

    fn destination_of(&self, who: Who, channel: Channel) -> Option<String> {
        let [_, _, mobile, email] = self.known(who);
        match channel {
            Channel::Phone => mobile.clone(),
            Channel::Email => email.clone(),
        }
    }

    fn new_destination(&mut self, channel: Channel) -> Option<String> {
        match channel {
            Channel::Phone => self.new_mobiles.pop_front(),
            Channel::Email => self.new_emails.pop_front(),
        }
    }

    fn attributes(&self) -> RegistrationAttributes {
        self.attributes.clone()
    }

    fn app_login(&mut self) -> Option<AppLogin> {
        self.app_logins.pop_front()
    }

    fn solve(&mut self, captcha: &Captcha) -> Option<f64> {
        self.keyboard.as_ref()?;
        let mut files = Vec::new();
        for (name, image) in [("picture", captcha.picture()), ("piece", captcha.piece())] {
            if let Some(image) = image {
                files.push(write_image(name, image).ok()?);
            }
        }
        let x = self.ask("where the piece fits, in pixels from the left (nothing: skip)");
        for file in files {
            let _ = fs::remove_file(file);
        }
        x?.parse().ok()
    }

    fn early_code(&mut self, channel: Channel, send_type: SendType) -> Option<String> {
        let (codes, how) = match channel {
            Channel::Phone => (&mut self.sms_codes, "SMS"),
            Channel::Email => (&mut self.email_codes, "e-mail"),
        };
        let is_own = |(of, _): &Early| of.as_deref() == Some(send_type.as_str());
        // One without a type is for a stage of a login by WeChat, as those types are that come first.
        let old = [
            SendType::BindMobileSms,
            SendType::BindEmailEms,
            SendType::RegisterSms,
            SendType::RegisterEms,
            SendType::MfaAuthSms,
            SendType::OtpRestSms,
            SendType::MfaAuthEms,
        ];
        let at = codes.iter().position(is_own);
        let bare = || codes.iter().position(|(of, _)| of.is_none()).filter(|_| old.contains(&send_type));
        if let Some(at) = at.or_else(bare) {
            return Some(codes.remove(at).1);
        }
        let send_type = send_type.as_str();
        self.ask(&format!("a code of the type {send_type} that came by {how} before (nothing: none)"))
    }

    fn code(&mut self, _: &str, channel: Channel) -> Option<String> {
        self.ask(match channel {
            Channel::Phone => "the code that came by SMS (nothing: none)",
            Channel::Email => "the code that came by e-mail (nothing: none)",
        })
    }

    fn secrets(&self) -> Vec<String> {
        let lists =
            [&self.login_codes, &self.denied_codes, &self.phone_codes, &self.new_mobiles, &self.new_emails];
        let ones = [&self.user_name, &self.password, &self.mobile, &self.email, &self.new_password];
        let accounts = self.accounts.iter().flat_map(|(_, known)| known);
        let codes = self.sms_codes.iter().chain(&self.email_codes).map(|(_, code)| code);
        let values = self.app_logins.iter().flat_map(|(_, values)| values);
        let ones = ones.into_iter().chain(accounts).flatten();
        let texts = ones.chain(codes).chain(values).chain(&self.attribute_texts);
        lists.into_iter().flatten().chain(texts).cloned().collect()
    }
}

/// Attributes by their names on the wire.
fn attributes(given: &Map<String, Value>) -> Result<RegistrationAttributes, Stop> {
    let mut attributes = RegistrationAttributes::new();
    for (name, value) in given {
        let text = value.as_str().unwrap_or_default().to_owned();
        attributes = match name.as_str() {
            "email" => attributes.email(text),
            "user_name" => attributes.user_name(text),
            "name" => attributes.name(text),
            "pwd" => attributes.password(text),
            "head_img" => attributes.head_img(text),
            "attr_gender" => attributes.gender(match text.as_str() {
                "female" => Gender::Female,
                "male" => Gender::Male,
                _ => Gender::Unknown,
            }),
            "attr_birthday" => attributes.birthday(text),
            "attr_nick_name" => attributes.nick_name(text),
            "first_name" => attributes.first_name(text),
            "middle_name" => attributes.middle_name(text),
            "last_name" => attributes.last_name(text),
            "mailing_address" => attributes.mailing_address(text),
            "zip_code" => attributes.zip_code(text),
            "industry" => attributes.industry(text),
            "extension" => attributes.extension(value.clone()),
            _ => return Err(Stop(format!("{ATTRIBUTES}: a name is no attribute of a registration"))),
        };
    }
    Ok(attributes)
}

/// The texts in a JSON value.
fn texts(value: &Value, all: &mut Vec<String>) {
    match value {
        Value::String(text) => all.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| texts(value, all)),
        Value::Object(fields) => fields.values().for_each(|value| texts(value, all)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// For a person to look at. A file of this name that is there already is somebody else's.
fn write_image(name: &str, image: &CaptchaImage) -> io::Result<PathBuf> {
    let suffix = image.media_type().trim_start_matches("image/");
    let file = std::env::temp_dir().join(format!("idaas-probe-{}-{name}.{suffix}", std::process::id()));
    File::create_new(&file)?.write_all(image.bytes())?;
    eprintln!("the captcha's {name}: {}", file.display());
    Ok(file)
}

/// An emulated tenant: whoever is wanted is made up.
pub struct Emulated {
    tenant: Emulator,
    want: Want,
    count: u32,
    app_logins: usize,
}

const PLAIN: &str = "probe-plain";
const FACTOR: &str = "probe-factor";
const DENIED: &str = "probe-denied";
const EXPIRING: &str = "probe-expiring";
const EXPIRED: &str = "probe-expired";
const BOTH: &str = "probe-both";
const PASSWORD: &str = "correct-horse-battery";
const NEW_PASSWORD: &str = "new-horse-battery";
const NAME: &str = "Probe of a registration";

impl Emulated {
    pub fn new(tenant: &Emulator) -> Self {
        let plain = User::new(PLAIN).name("Plain").password(PASSWORD);
        tenant.add_user(plain.mobile("15200000001").email("plain@example.com"));
        let factor = User::new(FACTOR).name("Factor").password(PASSWORD);
        tenant.add_user(factor.mobile("15200000002").email("factor@example.com").second_factor());
        tenant.add_user(User::new(DENIED).denied());
        let of_age = |name: &str, digit: u8| {
            let mobile = format!("1520000000{digit}");
            User::new(name).password(PASSWORD).mobile(mobile).email(format!("{name}@example.com"))
        };
        tenant.add_user(of_age(EXPIRING, 3).password_expiring());
        tenant.add_user(of_age(EXPIRED, 4).password_expired());
        tenant.add_user(of_age(BOTH, 5).password_expired().second_factor());
        Self { tenant: tenant.clone(), want: Want::Anybody, count: 0, app_logins: 0 }
    }

    fn identity(&self) -> String {
        format!("probe-openid-{}", self.count)
    }
}

impl Supply for Emulated {
    fn has(&self, _: Need) -> bool {
        true
    }

    fn login_code(&mut self, want: Want) -> Option<String> {
        let unbound = if want == Want::Register { Unbound::Register } else { Unbound::Bind };
        self.tenant.configure(|settings| settings.unbound = unbound);
        (self.want, self.count) = (want, self.count + 1);
        match want {
            Want::Bind | Want::Register | Want::BindThenFactor => {}
            Want::Factor => self.tenant.bind(Platform::WeChatMiniProgram, self.identity(), FACTOR),
            Want::Anybody => return None,
        }
        Some(self.tenant.wechat_login_code(self.identity()))
    }

    fn denied_code(&mut self) -> Option<String> {
        if self.tenant.bound_user(Platform::WeChatMiniProgram, DENIED).is_some() {
            return None;
        }
        self.tenant.bind(Platform::WeChatMiniProgram, DENIED, DENIED);
        Some(self.tenant.wechat_login_code(DENIED))
    }

    fn phone_code(&mut self) -> Option<String> {
        Some(self.tenant.wechat_phone_code(self.destination(Channel::Phone)?))
    }

    fn user_name(&self) -> Option<String> {
        Some(PLAIN.to_owned())
    }

    fn password(&self) -> Option<String> {
        Some(PASSWORD.to_owned())
    }

    fn account(&self, who: Who) -> Option<(String, String)> {
        let user_name = match who {
            Who::Plain => PLAIN,
            Who::Expiring => EXPIRING,
            Who::Expired => EXPIRED,
            Who::Both => BOTH,
        };
        Some((user_name.to_owned(), PASSWORD.to_owned()))
    }

    fn new_password(&self) -> Option<String> {
        Some(NEW_PASSWORD.to_owned())
    }

    fn destination_of(&self, who: Who, channel: Channel) -> Option<String> {
        let (user_name, digit) = match who {
            Who::Plain => ("plain", 1),
            Who::Expiring => (EXPIRING, 3),
            Who::Expired => (EXPIRED, 4),
            Who::Both => (BOTH, 5),
        };
        Some(match channel {
            Channel::Phone => format!("1520000000{digit}"),
            Channel::Email => format!("{user_name}@example.com"),
        })
    }

    fn new_destination(&mut self, channel: Channel) -> Option<String> {
        self.count += 1;
        Some(match channel {
            Channel::Phone => format!("154{:08}", self.count),
            Channel::Email => format!("newcomer-{}@example.com", self.count),
        })
    }

    fn attributes(&self) -> RegistrationAttributes {
        let attributes = RegistrationAttributes::new().name(NAME).birthday("1990-12-31");
        attributes.extension(json!({ "age": "18" }))
    }

    fn app_login(&mut self) -> Option<AppLogin> {
        let row = *APP_ROWS.get(self.app_logins)?;
        self.app_logins += 1;
        let platform = row.platform?;
        let mobile = self.destination_of(Who::Plain, Channel::Phone)?;
        let of_number = platform == Platform::Carrier || *row == endpoints::LOGIN_WECHAT_MINI_PROGRAM_MOBILE;
        let code = if of_number {
            self.tenant.phone_code(platform, mobile)
        } else {
            self.tenant.login_code(platform, self.identity())
        };
        let named = row.fields.iter().skip(1).map(|_| self.identity());
        Some((row, std::iter::once(code).chain(named).collect()))
    }

    fn destination(&self, channel: Channel) -> Option<String> {
        Some(match (self.want, channel) {
            (Want::BindThenFactor | Want::Factor, Channel::Phone) => "15200000002".to_owned(),
            (Want::BindThenFactor | Want::Factor, Channel::Email) => "factor@example.com".to_owned(),
            (Want::Register, Channel::Phone) => format!("153{:08}", self.count),
            (Want::Register, Channel::Email) => format!("new-{}@example.com", self.count),
            (_, Channel::Phone) => "15200000001".to_owned(),
            (_, Channel::Email) => "plain@example.com".to_owned(),
        })
    }

    fn solve(&mut self, captcha: &Captcha) -> Option<f64> {
        self.tenant.captcha_solution(captcha.token().expose())
    }

    fn early_code(&mut self, _: Channel, _: SendType) -> Option<String> {
        None
    }

    fn code(&mut self, destination: &str, _: Channel) -> Option<String> {
        self.tenant.last_code(destination)
    }

    fn secrets(&self) -> Vec<String> {
        let secrets = [PLAIN, FACTOR, DENIED, EXPIRING, EXPIRED, BOTH, PASSWORD, NEW_PASSWORD, NAME];
        secrets.map(str::to_owned).into()
    }
}
