//! Country codes: how a tenant of OneAccess writes mobile numbers.

use std::fmt;

use crate::call::{Call, Reply};
use crate::client::Client;
use crate::context::Context;
use crate::device::Device;
use crate::sealed::{Inside, Sealed};
use crate::secret::printable;
use crate::wire::countries::{CountryCodeParts, CountryCodesParts};
use crate::wire::endpoints::COUNTRY_CODES;
use crate::wire::responses::{Failure, Received, country_codes};

impl Client {
    /// The countries whose mobile numbers the tenant knows, and how it writes them. OneAccess only.
    ///
    /// For a front end that lets the user choose a country, or checks a number before a code is requested. Nothing in this
    /// crate depends on it: numbers are sent exactly as given ([decision](crate::manual::decisions) D19).
    ///
    /// ```
    /// # use idaas_login::Edition;
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client_of(Edition::OneAccess)?;
    /// let codes = client.country_codes(&device).send()?;
    /// let preferred = codes.preferred().ok_or("the tenant prefers one")?;
    /// assert_eq!(preferred.display_name("en"), Some("Chinese Mainland"));
    /// assert_eq!(preferred.area_code(), Some("86"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [List country codes](https://support.huaweicloud.com/api-oneaccess/ListCountryCodes.html).
    ///
    /// # Errors
    /// From [`send`](Call::send): any of [`Error`](crate::Error)'s. [`Unsupported`](crate::Error::Unsupported) in CIAM and
    /// EIAM: nothing is sent.
    pub fn country_codes(&self, device: &Device) -> Call<CountryCodes> {
        let context = Context { client: self.clone(), device: device.clone() };
        let draft = context.draft(&COUNTRY_CODES, &[]);
        Call::new(context, None, draft, ())
    }
}

/// The countries whose mobile numbers a tenant knows.
///
/// # How numbers are written
/// Each entry has the tenant's own rule, [`mobile_regex`](CountryCode::mobile_regex). In the documented example, numbers of
/// mainland China are written with `+86` or without it, and those of every other country only with `+` and the area code. The
/// hyphen behind the area code is optional in some countries and required in others.
///
/// The pages of the steps have rules of their own. To request a code by SMS, OneAccess documents digits only, and exactly 11 of
/// them. What [`registered_mobile`](crate::MfaRequired::registered_mobile) gives is accepted as it is.
///
/// At most 512 entries are kept. A part that is missing, of another type or longer than a name can be counts as absent.
#[derive(Clone, PartialEq, Eq)]
pub struct CountryCodes {
    entries: Vec<CountryCode>,
    preferred: Option<String>,
}

impl CountryCodes {
    /// The entries, in the tenant's order.
    #[must_use]
    pub fn entries(&self) -> &[CountryCode] {
        &self.entries
    }

    /// The country that the tenant prefers, as it names it.
    ///
    /// The field is called `preferredAreaCode`, and holds a country code in the documented example: `CN`.
    #[must_use]
    pub fn preferred_country(&self) -> Option<&str> {
        self.preferred.as_deref()
    }

    /// The entry that the tenant prefers: by its country code or, if none has that, by its area code.
    #[must_use]
    pub fn preferred(&self) -> Option<&CountryCode> {
        let preferred = self.preferred.as_deref()?;
        let by_country = self.entries.iter().find(|entry| entry.country_code() == Some(preferred));
        by_country.or_else(|| self.entries.iter().find(|entry| entry.area_code() == Some(preferred)))
    }
}

/// A country whose mobile numbers a tenant knows.
#[derive(Clone, PartialEq, Eq)]
pub struct CountryCode(CountryCodeParts);

impl CountryCode {
    /// The code before a number, without `+`: `86`.
    #[must_use]
    pub fn area_code(&self) -> Option<&str> {
        self.0.area_code.as_deref()
    }

    /// The country: `CN`.
    #[must_use]
    pub fn country_code(&self) -> Option<&str> {
        self.0.country_code.as_deref()
    }

    /// The country's name in a language, by the tenant's name for the language: `en`, `zh-CN`, `zh-TW`.
    #[must_use]
    pub fn display_name(&self, language: &str) -> Option<&str> {
        self.0.display_names.get(language).map(String::as_str)
    }

    /// The country's names with their languages.
    pub fn display_names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.display_names.iter().map(|(language, name)| (language.as_str(), name.as_str()))
    }

    /// The pattern of a mobile number, verbatim.
    ///
    /// It is the tenant's data: this crate neither compiles nor evaluates it. Some have no anchor at their end. An engine that
    /// backtracks needs a limit, for nobody has checked the pattern.
    #[must_use]
    pub fn mobile_regex(&self) -> Option<&str> {
        self.0.mobile_regex.as_deref()
    }

    /// What may follow the area code. The page's table says that it is one text, its example that it is a list; both are read.
    #[must_use]
    pub fn area_code_suffixes(&self) -> &[String] {
        &self.0.suffixes
    }
}

impl Sealed for CountryCodes {}

impl Reply for CountryCodes {
    type Kept = ();

    fn read((): (), _: Context, received: Received<'_>, _: Inside) -> Result<Self, Failure> {
        let CountryCodesParts { entries, preferred } = country_codes(received)?;
        Ok(Self { entries: entries.into_iter().map(CountryCode).collect(), preferred })
    }
}

impl fmt::Debug for CountryCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountryCodes").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

/// What else is in it is the tenant's text.
impl fmt::Debug for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountryCode")
            .field("country_code", &self.country_code().map(printable))
            .finish_non_exhaustive()
    }
}
