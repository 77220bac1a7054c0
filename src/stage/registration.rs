use std::fmt::{self, Write as _};

use serde_json::Value;
use zeroize::{Zeroize, Zeroizing};

use super::{
    AcceptsCode, Account, Outcome, SendsCode, Stage, Unauthenticated, Verify, VerifyEmail, VerifyPhone,
    accessors, tokenless_stage,
};
use crate::context::Context;
use crate::error::InvalidInput;
use crate::sealed::{INSIDE, Inside};
use crate::wire::body::check;
use crate::wire::endpoints::{Endpoint, Scenario};
use crate::wire::listed::listed;

/// An account is about to be registered: a code proves the number or address, and the account logs in at once.
///
/// [`Unauthenticated::register`](crate::Unauthenticated::register) leads here.
///
/// ```
/// use idaas_login::{Outcome, RegistrationAttributes};
///
/// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
/// let attributes = RegistrationAttributes::new().user_name("hanmeimei").nick_name("Meimei");
/// let stage = client.login(device).register(attributes).phone("13800138000");
/// # let pass = idaas_login::emulator::examples::pass(&tenant, &stage)?;
/// // `pass` is that of a captcha: see `Captcha::solve`.
/// stage.send_code(&pass).send()?;
/// # let code = tenant.last_code(stage.destination()).ok_or("sent")?;
/// // The user types the code.
/// let outcome = stage.submit(code).send()?;
/// assert!(matches!(outcome, Outcome::Authenticated(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
#[doc = include_str!("../../docs/stages/registration.md")]
pub struct Registration {
    context: Context,
    attributes: RegistrationAttributes,
}

tokenless_stage!(Registration);

impl SendsCode for Registration {
    const SCENARIO: Scenario = Scenario::Register;

    fn attributes(&self, _: Inside) -> Option<&RegistrationAttributes> {
        Some(&self.attributes)
    }
}

impl AcceptsCode for Registration {
    type Outcome = Outcome<Account>;
}

impl Registration {
    pub(crate) fn new(context: Context, attributes: RegistrationAttributes) -> Self {
        Self { context, attributes }
    }

    accessors!();

    /// What the account is registered with, beside the number or address.
    ///
    /// ```
    /// use idaas_login::RegistrationAttributes;
    ///
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// let stage = client.login(device).register(RegistrationAttributes::new().user_name("hanmeimei"));
    /// assert_eq!(stage.attributes().get("user_name"), Some("hanmeimei"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn attributes(&self) -> &RegistrationAttributes {
        &self.attributes
    }

    /// Replaces the attributes of this registration: after a refusal, such as of a user name that is taken.
    ///
    /// A code that was not refused itself may still be good. If the tenant used it up, it says that it is wrong.
    ///
    /// ```
    /// use idaas_login::RegistrationAttributes;
    ///
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// let stage = client.login(device).register(RegistrationAttributes::new().user_name("zhangshan"));
    /// // The name is taken.
    /// let stage = stage.with_attributes(RegistrationAttributes::new().user_name("zhangshan2"));
    /// assert_eq!(stage.attributes().get("user_name"), Some("zhangshan2"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_attributes(self, attributes: RegistrationAttributes) -> Self {
        Self { attributes, ..self }
    }

    /// Goes on by a mobile number and a code by SMS. Nothing is sent yet: [`VerifyPhone`] has the steps.
    ///
    /// The number is sent exactly as given.
    ///
    /// ```
    /// use idaas_login::{Outcome, RegistrationAttributes};
    ///
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// let stage = client.login(device).register(RegistrationAttributes::new()).phone("13800138000");
    /// # let code = idaas_login::emulator::examples::code(&tenant, &stage)?;
    /// // After `send_code`, the user types the code.
    /// let outcome = stage.submit(code).send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn phone(self, mobile: impl Into<String>) -> VerifyPhone<Self> {
        Verify::new(self, Zeroizing::new(mobile.into()))
    }

    /// Goes on by an e-mail address and a code by e-mail. Nothing is sent yet: [`VerifyEmail`] has the steps.
    ///
    /// ```
    /// use idaas_login::{Outcome, RegistrationAttributes};
    ///
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// let stage = client.login(device).register(RegistrationAttributes::new()).email("meimei@example.com");
    /// # let code = idaas_login::emulator::examples::code(&tenant, &stage)?;
    /// // After `send_code`, the user types the code.
    /// let outcome = stage.submit(code).send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn email(self, address: impl Into<String>) -> VerifyEmail<Self> {
        Verify::new(self, Zeroizing::new(address.into()))
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("attributes", &self.attributes).finish_non_exhaustive()
    }
}

impl Unauthenticated {
    /// Begins to register an account with these attributes, which may be none. Nothing is sent yet: [`Registration`] has the
    /// steps.
    ///
    /// The attributes are checked when a code is asked for, before anything is sent, and again when it is submitted.
    ///
    /// ```
    /// use idaas_login::RegistrationAttributes;
    /// use idaas_login::endpoints::StageKind;
    ///
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// let attributes = RegistrationAttributes::new().user_name("hanmeimei").password("correct horse");
    /// let stage = client.login(device).register(attributes);
    /// assert_eq!(stage.kind(), StageKind::Registration);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn register(self, attributes: RegistrationAttributes) -> Registration {
        Registration::new(self.into_context(INSIDE), attributes)
    }
}

listed! {
    /// The value of `attr_gender`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    Gender {
        /// `female`
        Female = "female",
        /// `male`
        Male = "male",
        /// `unknow` (without the last letter: that is how the API spells it)
        Unknown = "unknow",
    }
}

/// What an account is registered with, beside the number or address that is verified.
///
/// Each is optional here, but a tenant can demand any of them. Text is sent exactly as given. An empty value, a control
/// character, a birthday that is no date and an extension that is no object are refused before anything is sent.
///
/// CIAM alone documents `mailing_address`, `zip_code` and `industry`.
///
/// Pages: [by mobile number](https://open.bccastle.com/en/development/ciam/api/v2/sdk/user-self-service/register-by-mobile.html),
/// [by e-mail](https://open.bccastle.com/en/development/ciam/api/v2/sdk/user-self-service/register-by-email.html).
///
/// ```
/// use idaas_login::{Gender, RegistrationAttributes};
///
/// let attributes = RegistrationAttributes::new()
///     .user_name("hanmeimei")
///     .password("correct horse")
///     .gender(Gender::Female)
///     .birthday("1990-12-31")
///     .extension([("age".to_owned(), "18".into())].into_iter().collect::<serde_json::Map<_, _>>());
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RegistrationAttributes(Vec<(&'static str, Zeroizing<String>)>);

/// Writes the methods that set an attribute.
macro_rules! attributes {
    ($($(#[$doc:meta])* $method:ident = $field:literal,)+) => {
        impl RegistrationAttributes {
            $($(#[$doc])* #[must_use] pub fn $method(self, value: impl Into<String>) -> Self {
                self.with($field, value.into())
            })+

            /// The names of the fields, as text alone has them.
            const TEXTS: &'static [&'static str] = &[$($field),+];
        }
    };
}

attributes! {
    /// `email`: an address that is not verified. Only for a registration by mobile number.
    email = "email",
    /// `user_name`: the name to log in with.
    user_name = "user_name",
    /// `name`: the name of the person.
    name = "name",
    /// `pwd`: the password, sent in plain text inside TLS. Without one the user logs in by codes.
    password = "pwd",
    /// `head_img`: the address of a picture.
    head_img = "head_img",
    /// `attr_birthday`: a date, `yyyy-MM-dd`.
    birthday = "attr_birthday",
    /// `attr_nick_name`
    nick_name = "attr_nick_name",
    /// `first_name`
    first_name = "first_name",
    /// `middle_name`
    middle_name = "middle_name",
    /// `last_name`
    last_name = "last_name",
    /// `mailing_address`
    mailing_address = "mailing_address",
    /// `zip_code`
    zip_code = "zip_code",
    /// `industry`
    industry = "industry",
}

const GENDER: &str = "attr_gender";
const EXTENSION: &str = "extension";

impl RegistrationAttributes {
    /// Begins with no attributes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `attr_gender`.
    ///
    /// ```
    /// use idaas_login::{Gender, RegistrationAttributes};
    ///
    /// let attributes = RegistrationAttributes::new().gender(Gender::Female);
    /// assert_eq!(attributes.get("attr_gender"), Some("female"));
    /// ```
    #[must_use]
    pub fn gender(self, gender: Gender) -> Self {
        self.with(GENDER, gender.as_str().to_owned())
    }

    /// Sets `extension`: what the tenant defines itself, a JSON object such as `{"age":"18"}`.
    ///
    /// ```
    /// use idaas_login::RegistrationAttributes;
    ///
    /// let attributes = RegistrationAttributes::new().extension(serde_json::json!({ "age": "18" }));
    /// assert_eq!(attributes.get("extension"), Some(r#"{"age":"18"}"#));
    /// ```
    #[must_use]
    pub fn extension(self, extension: impl Into<Value>) -> Self {
        let mut extension = extension.into();
        let mut size = Size(0);
        // Nothing that stands in a value of JSON fails to be written.
        let _ = write!(size, "{extension}");
        // As large as it gets: a buffer that grows leaves copies behind.
        let mut text = String::with_capacity(size.0);
        let _ = write!(text, "{extension}");
        wipe(&mut extension);
        self.with(EXTENSION, text)
    }

    /// Whether none is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a field, by its name on the wire, as it is sent.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == field).map(|(_, value)| value.as_str())
    }

    fn with(mut self, field: &'static str, value: String) -> Self {
        self.0.retain(|(name, _)| *name != field);
        self.0.push((field, Zeroizing::new(value)));
        self
    }

    /// Whether a registration of this row can have them.
    pub(super) fn check(&self, row: &'static Endpoint) -> Result<(), InvalidInput> {
        self.0.iter().try_for_each(|(name, value)| {
            let field = row.optional.iter().find(|field| field.name == *name);
            let field = field.ok_or(InvalidInput::new(name, "is no attribute of this registration"))?;
            check(field, value)
        })
    }

    /// The fields and their values, for a suspended stage.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// From fields and values; `None` if a field is no attribute, or there twice.
    pub(crate) fn from_entries<'a>(mut entries: impl Iterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        let known = |name: &str| Self::TEXTS.iter().chain(&[GENDER, EXTENSION]).find(|known| **known == name);
        entries.try_fold(Self::default(), |attributes, (name, value)| {
            let name = known(name)?;
            attributes.get(name).is_none().then(|| attributes.with(name, value.to_owned()))
        })
    }
}

/// The names alone: the values are the user's.
impl fmt::Debug for RegistrationAttributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Counts the bytes of what is written.
struct Size(usize);

impl fmt::Write for Size {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(text.len());
        Ok(())
    }
}

/// Zeroizes the texts of a JSON value.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
