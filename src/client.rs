//! The client: a tenant, an application, a transport.

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::error::{Error, InvalidInput, Unsupported};
#[cfg(feature = "signature")]
use crate::signer::{MonotonicClock, Signer};
use crate::transport::{Request, Response, Transport, TransportError, discard, is_host, is_loopback};
#[cfg(feature = "verify")]
use crate::wire::endpoints::ISSUER_PATH;
use crate::wire::endpoints::{Credential, EditionKind, Endpoint, Field, FieldKind, SendType, WECHAT_CODE};
use crate::wire::headers::{X_CLIENT_ID, X_TENANT_ID, header_value, write_content_type};

/// The edition of the server: small differences in paths, headers and fields follow from it.
///
/// ```
/// use idaas_login::{Client, Edition};
///
/// # let (transport, _, device) = idaas_login::emulator::examples::client()?;
/// let edition = Edition::OneAccessIsv { tenant_id: "acme".to_owned() };
/// let client = Client::builder("https://oneaccess.example.com", "nTo1eRIub60vPb54WeE6aojPwYwImtl4")
///     .edition(edition)
///     .build_with(transport)?;
/// let (request, _) = client.captcha(&device).into_request()?;
/// assert_eq!(request.headers()["X-tenant-id"], "acme");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Edition {
    /// BambooCloud IDaaS for customers.
    #[default]
    Ciam,
    /// BambooCloud IDaaS for employees.
    Eiam,
    /// Huawei Cloud OneAccess.
    OneAccess,
    /// Huawei Cloud OneAccess, for an application of an independent software vendor: the client's base address is the
    /// common domain, the client id that of the application's template, and every request names the tenant in
    /// `X-tenant-id`.
    OneAccessIsv {
        /// The tenant.
        tenant_id: String,
    },
}

impl Edition {
    /// Which edition it is, as the table of endpoints speaks of it.
    #[must_use]
    pub const fn kind(&self) -> EditionKind {
        match self {
            Self::Ciam => EditionKind::Ciam,
            Self::Eiam => EditionKind::Eiam,
            Self::OneAccess | Self::OneAccessIsv { .. } => EditionKind::OneAccess,
        }
    }
}

/// The name of the field that carries the phone-number code of WeChat.
///
/// Every example prints `wechat_code`, two parameter tables print `wchat_code`: [decision](crate::manual::decisions) D3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WechatCodeField {
    /// `wechat_code`
    #[default]
    WechatCode,
    /// `wchat_code`
    WchatCode,
}

/// A tenant, an application and a transport: where logins begin.
///
/// One per application is enough. It is a cheap handle: clones share everything, and every stage holds one.
///
/// ```
/// use idaas_login::{Client, Outcome};
///
/// # let (tenant, _, device) = idaas_login::emulator::examples::client()?;
/// # let transport = tenant.clone();
/// # let code = tenant.wechat_login_code("an-openid");
/// let builder = Client::builder("https://acme.example.com", "nTo1eRIub60vPb54WeE6aojPwYwImtl4");
/// // In production, `build()` takes the default transport.
/// let client = builder.build_with(transport)?;
///
/// let outcome = client.login(device).wechat_mini_program(code).send()?;
/// assert!(matches!(outcome, Outcome::PendingBind(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
#[doc = include_str!("../docs/stages/client.md")]
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    /// Scheme, host, port, and the path in front of all paths: what every suspended stage names.
    base_address: String,
    scheme: Scheme,
    authority: Authority,
    client_id: HeaderValue,
    tenant_id: Option<HeaderValue>,
    edition: Edition,
    overrides: Overrides,
    clock: Clock,
    #[cfg(feature = "signature")]
    signer: Signer,
    transport: Box<dyn Transport>,
}

/// Tells the time.
type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Where this tenant differs from the documents of its edition.
#[derive(Clone, Default)]
struct Overrides {
    wechat_code_field: WechatCodeField,
    path_prefix: String,
    paths: Vec<(&'static Endpoint, String)>,
    send_types: Vec<(&'static Endpoint, String)>,
    field_names: Vec<(&'static Endpoint, String, String)>,
}

/// What a row sends to this tenant.
pub(crate) struct TenantShape<'a> {
    pub(crate) path: Cow<'static, str>,
    pub(crate) credential: Credential,
    pub(crate) send_type: Option<&'a str>,
}

impl Client {
    /// Begins to build a client.
    ///
    /// `base_address` is `https://` and the tenant's domain, such as `https://acme.example.com`; a port may follow, a path
    /// may not. `client_id` is the application's authorization id, the header `X-client-id` on every page.
    ///
    /// ```
    /// use idaas_login::{Client, Edition};
    ///
    /// # let transport = idaas_login::emulator::Emulator::new();
    /// let client = Client::builder("https://acme.example.com", "nTo1eRIub60vPb54WeE6aojPwYwImtl4")
    ///     .edition(Edition::Eiam)
    ///     .build_with(transport)?;
    ///
    /// // Without TLS everybody on the way could read the tokens.
    /// let builder = Client::builder("http://acme.example.com", "nTo1eRIub60vPb54WeE6aojPwYwImtl4");
    /// # let transport = idaas_login::emulator::Emulator::new();
    /// assert!(builder.build_with(transport).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder(base_address: impl Into<String>, client_id: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            base_address: base_address.into(),
            client_id: client_id.into(),
            edition: Edition::default(),
            overrides: Overrides::default(),
            clock: Arc::new(SystemTime::now),
            #[cfg(feature = "signature")]
            monotonic_clock: crate::signer::system_clock(),
            loopback_http: false,
        }
    }

    /// The edition that the client speaks to.
    #[must_use]
    pub fn edition(&self) -> &Edition {
        &self.0.edition
    }

    /// A time that lies `lifetime` ahead of now, if there is such a time.
    pub(crate) fn time_in(&self, lifetime: Duration) -> Option<SystemTime> {
        (self.0.clock)().checked_add(lifetime)
    }

    /// What signs this client's requests.
    #[cfg(feature = "signature")]
    pub(crate) fn signer(&self) -> &Signer {
        &self.0.signer
    }

    /// What an error says about this client itself: after a refused signature the next one needs a fresh time.
    #[cfg_attr(not(feature = "signature"), allow(clippy::unused_self))] // It is the same call as with the feature.
    pub(crate) fn learn_from(&self, error: &Error) {
        #[cfg(feature = "signature")]
        if error.class() == Some(crate::error::ErrorClass::StaleSignature) {
            self.0.signer.forget();
        }
        #[cfg(not(feature = "signature"))]
        let _ = error;
    }

    /// The tenant and the application, to tell whether a suspended stage is theirs: base address, client id, tenant id.
    pub(crate) fn identity(&self) -> (&[u8], &[u8], Option<&[u8]>) {
        (
            self.0.base_address.as_bytes(),
            self.0.client_id.as_bytes(),
            self.0.tenant_id.as_ref().map(HeaderValue::as_bytes),
        )
    }

    /// What the tenant's identity tokens name as their issuer.
    #[cfg(feature = "verify")]
    pub(crate) fn issuer(&self) -> String {
        format!("{}{ISSUER_PATH}", self.0.base_address)
    }

    #[cfg(feature = "verify")]
    pub(crate) fn client_id(&self) -> Result<&str, InvalidInput> {
        let text = std::str::from_utf8(self.0.client_id.as_bytes());
        text.map_err(|_| InvalidInput::new("client_id", "is not text"))
    }

    /// Sends one request, once. A transport that panics counts as maybe sent, and the client stays usable. What the panic
    /// says is not told, for it may quote the request.
    pub(crate) fn exchange(&self, request: Request) -> Result<Response, TransportError> {
        let transport = &*self.0.transport;
        catch_unwind(AssertUnwindSafe(|| transport.send(request))).unwrap_or_else(|panic| {
            discard(panic);
            Err(TransportError::maybe_sent("the transport panicked"))
        })
    }

    /// The header that carries a session token.
    pub(crate) fn session_header(&self) -> HeaderName {
        HeaderName::from_static(self.0.edition.kind().session_header())
    }

    /// What a row sends to this tenant: as its edition documents it, unless the client was told otherwise.
    pub(crate) fn shape(&self, row: &'static Endpoint) -> Result<TenantShape<'_>, Unsupported> {
        let overrides = &self.0.overrides;
        let path = find(&overrides.paths, row);
        let edition = self.0.edition.kind();
        let documented = row.in_edition(edition);
        let (credential, send_type, default_path) = match (&documented, path) {
            (Some(shape), _) => (shape.credential, shape.send_type, shape.path),
            // The tenant has it all the same.
            (None, Some(_)) => (row.credential, row.send_type, row.path),
            (None, None) => {
                return Err(Unsupported::new(row.step, edition, "this edition does not document it"));
            }
        };
        let path = match path {
            Some(path) => Cow::Owned(path.to_owned()),
            None => Cow::Borrowed(default_path),
        };
        let send_type = find(&overrides.send_types, row).or(send_type.map(SendType::as_str));
        Ok(TenantShape { path, credential, send_type })
    }

    /// How this tenant spells a field of a row.
    pub(crate) fn field_name(&self, row: &'static Endpoint, field: &'static Field) -> &str {
        let overrides = &self.0.overrides;
        let renamed =
            overrides.field_names.iter().find(|(of, name, _)| ptr::eq(*of, row) && *name == field.name);
        match (renamed, overrides.wechat_code_field) {
            (Some((_, _, name)), _) => name,
            (None, WechatCodeField::WchatCode) if *field == WECHAT_CODE => "wchat_code",
            (None, _) => field.name,
        }
    }

    pub(crate) fn uri(&self, path: Cow<'static, str>) -> Result<Uri, InvalidInput> {
        let prefix = &self.0.overrides.path_prefix;
        let path = match path {
            Cow::Borrowed(path) if prefix.is_empty() => Ok(PathAndQuery::from_static(path)),
            path => PathAndQuery::try_from(format!("{prefix}{path}")),
        };
        let invalid = || InvalidInput::new("base_address", "does not make an address with the path");
        let mut parts = Parts::default();
        parts.scheme = Some(self.0.scheme.clone());
        parts.authority = Some(self.0.authority.clone());
        parts.path_and_query = Some(path.map_err(|_| invalid())?);
        Uri::from_parts(parts).map_err(|_| invalid())
    }

    pub(crate) fn write_headers(&self, headers: &mut HeaderMap) {
        write_content_type(headers, self.0.edition.kind().content_type());
        headers.insert(X_CLIENT_ID, self.0.client_id.clone());
        self.write_tenant_id(headers);
    }

    /// Which of the tenants that share a domain: nothing where each has its own.
    pub(crate) fn write_tenant_id(&self, headers: &mut HeaderMap) {
        if let Some(tenant_id) = &self.0.tenant_id {
            headers.insert(X_TENANT_ID, tenant_id.clone());
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_address", &format_args!("{}", self.0.base_address))
            .field("client_id", &self.0.client_id)
            .field("edition", &self.0.edition)
            .field("overrides", &self.0.overrides)
            .finish_non_exhaustive()
    }
}

/// Only what differs from the documents.
impl fmt::Debug for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        if self.wechat_code_field != WechatCodeField::default() {
            map.entry(&"wechat_code_field", &self.wechat_code_field);
        }
        if !self.path_prefix.is_empty() {
            map.entry(&"path_prefix", &self.path_prefix);
        }
        let name = |row: &Endpoint| format!("{}.{}", row.from, row.step);
        for (row, path) in &self.paths {
            map.entry(&format_args!("path of {}", name(row)), path);
        }
        for (row, send_type) in &self.send_types {
            map.entry(&format_args!("send type of {}", name(row)), send_type);
        }
        for (row, field, spelled) in &self.field_names {
            map.entry(&format_args!("{field} of {}", name(row)), spelled);
        }
        map.finish()
    }
}

impl Overrides {
    fn check(&self) -> Result<(), InvalidInput> {
        // Parsing drops a fragment, and the path of the step with it.
        let is_path = |path: &str| {
            path.starts_with('/') && path.parse::<PathAndQuery>().is_ok_and(|parsed| parsed.path() == path)
        };
        if !self.path_prefix.is_empty() && !is_path(&self.path_prefix) {
            return Err(InvalidInput::new("path_prefix", "is not a path that begins with /"));
        }
        if !self.paths.iter().all(|(_, path)| is_path(path)) {
            return Err(InvalidInput::new("path", "is not a path that begins with /"));
        }
        let is_name = |name: &str| {
            !name.is_empty() && name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_graphic())
        };
        for (row, name) in &self.send_types {
            if !row.fields.iter().any(|field| field.kind == FieldKind::SendType) {
                return Err(InvalidInput::new("send_type", "is of a row that sends none"));
            }
            if !is_name(name) {
                return Err(InvalidInput::new("send_type", "is not a name"));
            }
        }
        for (row, field, name) in &self.field_names {
            if !row.all_fields().any(|known| known.name == field) {
                return Err(InvalidInput::new("field_name", "is of a field that the row does not have"));
            }
            if !is_name(name) || row.all_fields().any(|known| known.name == name) {
                return Err(InvalidInput::new("field_name", "is not a name, or another field's"));
            }
        }
        Ok(())
    }
}

/// The override of a row.
fn find<'a>(overrides: &'a [(&'static Endpoint, String)], row: &'static Endpoint) -> Option<&'a str> {
    overrides.iter().find(|(of, _)| ptr::eq(*of, row)).map(|(_, value)| value.as_str())
}

/// Builds a [`Client`]; begun by [`Client::builder`].
#[derive(Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct ClientBuilder {
    base_address: String,
    client_id: String,
    edition: Edition,
    overrides: Overrides,
    clock: Clock,
    #[cfg(feature = "signature")]
    monotonic_clock: MonotonicClock,
    loopback_http: bool,
}

/// The address is not printed: until it is checked, there may be a password in it.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("client_id", &self.client_id)
            .field("edition", &self.edition)
            .field("overrides", &self.overrides)
            .finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// Sets the server's edition. Defaults to [`Edition::Ciam`].
    ///
    /// ```
    /// use idaas_login::{Client, Edition};
    ///
    /// # let (tenant, _, device) = idaas_login::emulator::examples::client()?;
    /// let client = Client::builder("https://acme.example.com", "nTo1eRIub60vPb54WeE6aojPwYwImtl4")
    ///     .edition(Edition::Eiam)
    ///     .build_with(tenant)?;
    /// assert_eq!(client.edition(), &Edition::Eiam);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn edition(mut self, edition: Edition) -> Self {
        self.edition = edition;
        self
    }

    /// Sets the clock that [`Authenticated::expires_at`](crate::Authenticated::expires_at) is counted from. Defaults to the
    /// system's.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use idaas_login::{Client, Outcome};
    ///
    /// # let (tenant, _, device) = idaas_login::emulator::examples::client()?;
    /// let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    /// let client = Client::builder("https://acme.example.com", "nTo1eRIub60vPb54WeE6aojPwYwImtl4")
    ///     .clock(move || now)
    ///     .build_with(tenant)?;
    /// let outcome = client.login(device).username_password("zhangshan", "correct horse").send()?;
    /// let Outcome::Authenticated(user) = outcome else { panic!("nothing else is due") };
    /// assert_eq!(user.expires_at(), user.expires_in().map(|lifetime| now + lifetime));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets the clock that carries the server's time forward for signatures: it tells how much time has passed since a moment
    /// that stays the same. Defaults to [`Instant`](std::time::Instant).
    ///
    /// It should go on while the machine sleeps. One that goes back or jumps ahead costs a refusal, after which
    /// [`Client::prepare_signature`] fetches the time again.
    #[cfg(feature = "signature")]
    #[cfg_attr(docsrs, doc(cfg(feature = "signature")))]
    pub fn monotonic_clock(mut self, clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.monotonic_clock = Arc::new(clock);
        self
    }

    /// Sets the name of the field for the phone-number code of WeChat. Defaults to `wechat_code`.
    ///
    /// ```
    /// use idaas_login::{Client, Outcome, WechatCodeField};
    ///
    /// # let (tenant, _, device) = idaas_login::emulator::examples::client()?;
    /// # tenant.configure(|settings| settings.wechat_code_field = WechatCodeField::WchatCode);
    /// # let (transport, code) = (tenant.clone(), tenant.wechat_login_code("an-openid"));
    /// # let phone_code = tenant.wechat_phone_code("15201657312");
    /// let client = Client::builder("https://acme.example.com", "nTo1eRIub60vPb54WeE6aojPwYwImtl4")
    ///     .wechat_code_field(WechatCodeField::WchatCode)
    ///     .build_with(transport)?;
    /// let Outcome::PendingBind(stage) = client.login(device).wechat_mini_program(code).send()? else {
    ///     panic!("this WeChat user has no account yet");
    /// };
    /// let outcome = stage.wechat_mobile(phone_code).send()?;
    /// # assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wechat_code_field(mut self, field: WechatCodeField) -> Self {
        self.overrides.wechat_code_field = field;
        self
    }

    /// Sets a path in front of all paths, for a private deployment behind a gateway: `/idaas` for
    /// `https://gateway.example.com/idaas/api/v2/sdk/...`. Defaults to none.
    ///
    /// It belongs to the tenant's address: suspended stages are compared by it, keys are fetched below it, and the issuer of
    /// identity tokens is expected to have it ([`IdTokenVerifier::issuer`] sets another one).
    ///
    /// ```
    /// use idaas_login::Client;
    ///
    /// # let (tenant, _, device) = idaas_login::emulator::examples::client()?;
    /// let client = Client::builder("https://gateway.example.com", "nTo1eRIub60vPb54WeE6aojPwYwImtl4")
    ///     .path_prefix("/idaas")
    ///     .build_with(tenant)?;
    /// let (request, _) = client.captcha(&device).into_request()?;
    /// assert_eq!(request.uri(), "https://gateway.example.com/idaas/api/v2/sdk/captcha");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    #[cfg_attr(feature = "verify", doc = "[`IdTokenVerifier::issuer`]: crate::IdTokenVerifier::issuer")]
    #[cfg_attr(not(feature = "verify"), doc = "[`IdTokenVerifier::issuer`]: crate#features")]
    pub fn path_prefix(mut self, prefix: impl Into<String>) -> Self {
        let prefix = prefix.into();
        prefix.trim_end_matches('/').clone_into(&mut self.overrides.path_prefix);
        self
    }

    /// Sets the path of one step, for a tenant that has another than the documents say.
    ///
    /// A step that the edition does not document becomes available by it. `row` is one of [`endpoints`](crate::endpoints).
    ///
    /// ```
    /// use idaas_login::{Client, endpoints};
    ///
    /// # let (tenant, _, device) = idaas_login::emulator::examples::client()?;
    /// let client = Client::builder("https://acme.example.com", "nTo1eRIub60vPb54WeE6aojPwYwImtl4")
    ///     .path(&endpoints::CAPTCHA, "/api/v3/captcha")
    ///     .build_with(tenant)?;
    /// let (request, _) = client.captcha(&device).into_request()?;
    /// assert_eq!(request.uri(), "https://acme.example.com/api/v3/captcha");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn path(mut self, row: &'static Endpoint, path: impl Into<String>) -> Self {
        self.overrides.paths.retain(|(of, _)| !ptr::eq(*of, row));
        self.overrides.paths.push((row, path.into()));
        self
    }

    /// Sets the type that a verification code is requested with, for a tenant that knows it by another name.
    ///
    /// `row` is one of the `SEND_...` rows of [`endpoints`](crate::endpoints).
    ///
    /// ```
    /// use idaas_login::{Client, endpoints};
    ///
    /// # let (tenant, _, device) = idaas_login::emulator::examples::client()?;
    /// let client = Client::builder("https://acme.example.com", "nTo1eRIub60vPb54WeE6aojPwYwImtl4")
    ///     .send_type(&endpoints::SEND_MFA_SMS, "OTP_REST_SMS")
    ///     .build_with(tenant)?;
    /// # assert!(format!("{client:?}").contains("OTP_REST_SMS"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_type(mut self, row: &'static Endpoint, name: impl Into<String>) -> Self {
        self.overrides.send_types.retain(|(of, _)| !ptr::eq(*of, row));
        self.overrides.send_types.push((row, name.into()));
        self
    }

    /// Sets the name of a field of a row's body, for a tenant that spells it differently.
    ///
    /// ```
    /// use idaas_login::{Client, endpoints};
    ///
    /// # let (tenant, _, device) = idaas_login::emulator::examples::client()?;
    /// let client = Client::builder("https://acme.example.com", "nTo1eRIub60vPb54WeE6aojPwYwImtl4")
    ///     .field_name(&endpoints::LOGIN_USERNAME_PASSWORD, "user_name", "username")
    ///     .build_with(tenant)?;
    /// let step = client.login(device).username_password("zhangshan", "correct horse");
    /// let (request, _) = step.into_request()?;
    /// assert_eq!(request.body(), br#"{"username":"zhangshan","password":"correct horse"}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn field_name(
        mut self,
        row: &'static Endpoint,
        field: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        let field = field.into();
        self.overrides.field_names.retain(|(of, before, _)| !(ptr::eq(*of, row) && *before == field));
        self.overrides.field_names.push((row, field, name.into()));
        self
    }

    /// Accepts a base address with `http://` if its host is this machine (`localhost`, `127.0.0.0/8`, `[::1]`): for
    /// tests. Without TLS everybody on the way reads the tokens, so no other host is ever accepted.
    ///
    /// ```
    /// use idaas_login::Client;
    ///
    /// # let (tenant, _, device) = idaas_login::emulator::examples::client()?;
    /// let server = tenant.start()?;
    /// let builder = Client::builder(server.base_address(), "nTo1eRIub60vPb54WeE6aojPwYwImtl4");
    /// let client = builder.allow_loopback_http().build_with(tenant)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn allow_loopback_http(mut self) -> Self {
        self.loopback_http = true;
        self
    }

    /// Builds the client over [`UreqTransport`](crate::UreqTransport) with its defaults.
    ///
    /// ```
    /// use idaas_login::Client;
    ///
    /// // No connection is opened before the first step.
    /// let client = Client::builder("https://acme.example.com", "nTo1eRIub60vPb54WeE6aojPwYwImtl4").build()?;
    /// # Ok::<(), idaas_login::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`build_with`](Self::build_with).
    #[cfg(feature = "ureq")]
    #[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
    pub fn build(self) -> Result<Client, Error> {
        self.build_with(crate::transport::UreqTransport::default())
    }

    /// Builds the client without a transport: for asynchronous services, which send by
    /// [`Step::send_with`](crate::Step::send_with) and [`Call::send_with`](crate::Call::send_with).
    ///
    /// On such a client [`send`](crate::Step::send) sends nothing and says so at once, so a forgotten `_with` cannot block a
    /// runtime. Whatever sends by itself, such as [`KeyCache`], fails the same way.
    ///
    /// ```
    /// use idaas_login::{Client, Error};
    ///
    /// # let (_, _, device) = idaas_login::emulator::examples::client()?;
    /// let builder = Client::builder("https://acme.example.com", "nTo1eRIub60vPb54WeE6aojPwYwImtl4");
    /// let client = builder.build_without_transport()?;
    /// // Nothing is sent: this client needs `send_with`.
    /// let error = client.captcha(&device).send().unwrap_err();
    /// assert!(matches!(error, Error::Transport(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`build_with`](Self::build_with).
    ///
    #[cfg_attr(feature = "verify", doc = "[`KeyCache`]: crate::KeyCache")]
    #[cfg_attr(not(feature = "verify"), doc = "[`KeyCache`]: crate#features")]
    pub fn build_without_transport(self) -> Result<Client, Error> {
        self.build_with(|_: Request| {
            Err(TransportError::not_sent("this client has no transport: use send_with() instead of send()"))
        })
    }

    /// Builds the client over a transport of your own: anything that implements [`Transport`], a closure too.
    ///
    /// ```
    /// use idaas_login::{Client, Request};
    ///
    /// # use idaas_login::Transport;
    /// # let (tenant, _, device) = idaas_login::emulator::examples::client()?;
    /// # let exchange = move |request| tenant.send(request);
    /// // `exchange` calls your HTTP client, and gives a `Result<Response, TransportError>`.
    /// let client = Client::builder("https://acme.example.com", "nTo1eRIub60vPb54WeE6aojPwYwImtl4")
    ///     .build_with(move |request: Request| exchange(request))?;
    /// let captcha = client.captcha(&device).send()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if the base address is not `https://` and a domain (and not `http://` and this machine,
    /// allowed by [`allow_loopback_http`](Self::allow_loopback_http)), or if the client id or tenant id is empty, is
    /// longer than 1 KiB, or contains a character that a header cannot carry; or if an override is no path, or names a send
    /// type or a field of a row that has none.
    pub fn build_with(self, transport: impl Transport + 'static) -> Result<Client, Error> {
        let (scheme, authority) = base_address(&self.base_address, self.loopback_http)?;
        let tenant_id = match &self.edition {
            Edition::OneAccessIsv { tenant_id } => Some(header_value("tenant_id", tenant_id)?),
            _ => None,
        };
        self.overrides.check()?;
        Ok(Client(Arc::new(Inner {
            base_address: format!("{scheme}://{authority}{}", self.overrides.path_prefix),
            scheme,
            authority,
            client_id: header_value("client_id", &self.client_id)?,
            tenant_id,
            edition: self.edition,
            overrides: self.overrides,
            clock: self.clock,
            #[cfg(feature = "signature")]
            signer: Signer::new(self.monotonic_clock),
            transport: Box::new(transport),
        })))
    }
}

fn base_address(text: &str, loopback_http: bool) -> Result<(Scheme, Authority), InvalidInput> {
    let invalid = |reason| Err(InvalidInput::new("base_address", reason));
    let Ok(uri) = text.parse::<Uri>() else {
        return invalid("is not a URL");
    };
    if uri.path_and_query().is_some_and(|rest| rest.as_str() != "/") {
        return invalid(
            "has a path or a query: give https:// and the domain alone, and a path by path_prefix()",
        );
    }
    let parts = uri.into_parts();
    let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
        return invalid("does not begin with https://");
    };
    if text.contains('#') {
        return invalid("has a fragment: give https:// and the tenant's domain alone");
    }
    if authority.as_str().contains('@') {
        return invalid("contains a user name");
    }
    // What follows the host is nothing, or a colon and a port; anything else would be left out silently.
    let rest = authority.as_str().strip_prefix(authority.host()).unwrap_or(":");
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok();
    if !rest.is_empty() && !rest.strip_prefix(':').is_some_and(is_port) {
        return invalid("has an invalid port");
    }
    if authority.port_u16() == Some(0) {
        return invalid("has an invalid port");
    }
    if authority.host().is_empty() {
        return invalid("has no host");
    }
    if !is_host(authority.host()) {
        return invalid("has an invalid host");
    }
    // One spelling for one tenant: it is what its tokens name, and what a suspended stage is compared by.
    let default_port = if scheme == Scheme::HTTPS { 443 } else { 80 };
    let host = authority.host().to_ascii_lowercase();
    let authority = match authority.port_u16() {
        Some(port) if port != default_port => Authority::try_from(format!("{host}:{port}")),
        _ => Authority::try_from(host),
    };
    let Ok(authority) = authority else {
        return invalid("is not a URL");
    };
    if scheme == Scheme::HTTPS {
        return Ok((scheme, authority));
    }
    if scheme != Scheme::HTTP {
        return invalid("does not begin with https://");
    }
    if !is_loopback(authority.host()) {
        return invalid(
            "is http:// to another machine: everybody on the way could read the tokens, use https://",
        );
    }
    if !loopback_http {
        return invalid("is http://: call allow_loopback_http() if this is a test on this machine");
    }
    Ok((scheme, authority))
}
