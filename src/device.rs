//! The device that the user logs in from.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};

use crate::error::Error;
use crate::secret::Redacted;
use crate::wire::headers::{
    X_AGENT, X_DEVICE_FINGERPRINT, X_DEVICE_IP, X_L, X_OPERATING_SYS_VERSION, header_value,
};

/// The device that the user logs in from, as the API identifies it.
///
/// The three required values go into the headers `X-operating-sys-version`, `X-device-fingerprint` and `X-agent`, which
/// all the pages list. They describe the device in the user's hand, not the server that sends the request. Cloning is cheap:
/// the clones share the values.
///
/// This is a phone on which a user has opened a mini program in WeChat. The mini program made the fingerprint once, when it was
/// first opened, and keeps it in its storage:
///
/// ```
/// use idaas_login::Device;
///
/// let device = Device::new(
///     "iOS 18.1",
///     "7f3c1a9e5b2d4f60",
///     "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
///      Mobile/15E148 MicroMessenger/8.0.54 NetType/WIFI Language/zh_CN",
/// )?
/// .with_ip([203, 0, 113, 7])
/// .with_language("zh")?;
/// assert_eq!(device.operating_sys_version(), "iOS 18.1");
/// assert_eq!(device.language(), Some("zh"));
/// # Ok::<(), idaas_login::Error>(())
/// ```
///
/// # The fingerprint stays the same
/// The tenant ties sessions to it: use one value for one user on one device, in the login and in every later call. The
/// address may change.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Device(Arc<Values>);

#[derive(Clone, PartialEq, Eq, Hash)]
struct Values {
    operating_sys_version: HeaderValue,
    fingerprint: HeaderValue,
    agent: HeaderValue,
    ip: Option<HeaderValue>,
    language: Option<HeaderValue>,
}

impl Device {
    /// Describes a device by its operating system and version (`iOS 18.1`), its fingerprint (`156aysdna213sc50`) and its user
    /// agent.
    ///
    /// ```
    /// use idaas_login::Device;
    ///
    /// let device = Device::new("Android 14", "156aysdna213sc50", "Mozilla/5.0 (Linux; Android 14; Pixel 8)")?;
    /// assert_eq!(device.fingerprint(), "156aysdna213sc50");
    ///
    /// let error = Device::new("Android 14", "", "Mozilla/5.0 (Linux; Android 14; Pixel 8)").unwrap_err();
    /// assert_eq!(error.to_string(), "invalid input: fingerprint is empty; nothing was sent");
    /// # Ok::<(), idaas_login::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if a value is empty, is longer than 1 KiB, or contains a character that a header cannot carry,
    /// such as a line break.
    pub fn new(operating_sys_version: &str, fingerprint: &str, agent: &str) -> Result<Self, Error> {
        let mut fingerprint = header_value("fingerprint", fingerprint)?;
        fingerprint.set_sensitive(true);
        Ok(Self(Arc::new(Values {
            operating_sys_version: header_value("operating_sys_version", operating_sys_version)?,
            fingerprint,
            agent: header_value("agent", agent)?,
            ip: None,
            language: None,
        })))
    }

    /// Sets the address of the user's device, or replaces it: header `X-device-ip`. The address may change while a user is
    /// logged in, the fingerprint may not.
    ///
    /// ```
    /// use idaas_login::Device;
    ///
    /// let at_home = Device::new("iOS 18.1", "156aysdna213sc50", "Mozilla/5.0 (iPhone)")?.with_ip([203, 0, 113, 7]);
    /// // The next request comes from another network.
    /// let moved = at_home.clone().with_ip([198, 51, 100, 23]);
    /// assert_ne!(moved, at_home);
    /// assert_eq!(moved.fingerprint(), at_home.fingerprint());
    /// # Ok::<(), idaas_login::Error>(())
    /// ```
    #[must_use]
    pub fn with_ip(mut self, ip: impl Into<IpAddr>) -> Self {
        let ip = ip.into().to_string();
        // The text of an address is always a valid header value.
        Arc::make_mut(&mut self.0).ip = HeaderValue::try_from(ip).ok().map(|mut value| {
            value.set_sensitive(true);
            value
        });
        self
    }

    /// Removes the address: the header `X-device-ip` is left out.
    ///
    /// ```
    /// use idaas_login::Device;
    ///
    /// let device = Device::new("iOS 18.1", "156aysdna213sc50", "Mozilla/5.0 (iPhone)")?.with_ip([203, 0, 113, 7]);
    /// assert_eq!(device.without_ip().ip(), None);
    /// # Ok::<(), idaas_login::Error>(())
    /// ```
    #[must_use]
    pub fn without_ip(mut self) -> Self {
        if self.0.ip.is_some() {
            Arc::make_mut(&mut self.0).ip = None;
        }
        self
    }

    /// Sets the language of the API's messages, such as `zh` or `en`: header `X-L`.
    ///
    /// ```
    /// use idaas_login::Device;
    ///
    /// let device = Device::new("iOS 18.1", "156aysdna213sc50", "Mozilla/5.0 (iPhone)")?.with_language("en")?;
    /// assert_eq!(device.language(), Some("en"));
    /// # Ok::<(), idaas_login::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if it is empty, is longer than 1 KiB, or contains a character that a header cannot carry.
    pub fn with_language(mut self, language: &str) -> Result<Self, Error> {
        Arc::make_mut(&mut self.0).language = Some(header_value("language", language)?);
        Ok(self)
    }

    /// The operating system and its version.
    #[must_use]
    pub fn operating_sys_version(&self) -> &str {
        text(&self.0.operating_sys_version)
    }

    /// The fingerprint. It is the user's: `Debug` leaves it out, and so should a log.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        text(&self.0.fingerprint)
    }

    /// The user agent.
    #[must_use]
    pub fn agent(&self) -> &str {
        text(&self.0.agent)
    }

    /// The address, if there is one. It is the user's: `Debug` leaves it out, and so should a log.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        text(self.0.ip.as_ref()?).parse().ok()
    }

    /// The language of the API's messages, if there is one.
    #[must_use]
    pub fn language(&self) -> Option<&str> {
        self.0.language.as_ref().map(text)
    }

    /// Operating system and version, fingerprint, agent.
    pub(crate) fn required(&self) -> [&[u8]; 3] {
        let values = &*self.0;
        [values.operating_sys_version.as_bytes(), values.fingerprint.as_bytes(), values.agent.as_bytes()]
    }

    /// Address and language.
    pub(crate) fn optional(&self) -> [Option<&[u8]>; 2] {
        [&self.0.ip, &self.0.language].map(|value| value.as_ref().map(HeaderValue::as_bytes))
    }

    pub(crate) fn write_headers(&self, headers: &mut HeaderMap) {
        let values = &*self.0;
        headers.insert(X_OPERATING_SYS_VERSION, values.operating_sys_version.clone());
        headers.insert(X_DEVICE_FINGERPRINT, values.fingerprint.clone());
        headers.insert(X_AGENT, values.agent.clone());
        if let Some(ip) = &values.ip {
            headers.insert(X_DEVICE_IP, ip.clone());
        }
        if let Some(language) = &values.language {
            headers.insert(X_L, language.clone());
        }
    }
}

/// The value as it was given: it was made from text.
fn text(value: &HeaderValue) -> &str {
    std::str::from_utf8(value.as_bytes()).unwrap_or_default()
}

/// The fingerprint and the address are the user's: redacted.
impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device")
            .field("operating_sys_version", &self.0.operating_sys_version)
            .field("fingerprint", &Redacted)
            .field("agent", &self.0.agent)
            .field("ip", &self.0.ip.as_ref().map(|_| Redacted))
            .field("language", &self.0.language)
            .finish()
    }
}
