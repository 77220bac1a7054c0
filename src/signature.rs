//! What signatures are made with: fetched from the tenant, kept by the client.

use std::fmt;
use std::sync::Arc;

use rsa::RsaPublicKey;
use rsa::traits::PublicKeyParts;

use crate::call::{Call, Reply};
use crate::client::Client;
use crate::context::Context;
use crate::device::Device;
use crate::error::Error;
use crate::sealed::{Inside, Sealed};
use crate::signer::read_key;
use crate::wire::endpoints::{PUBLIC_KEY, SERVER_DATE};
use crate::wire::responses::{Failure, Received, public_key, server_date};

impl Client {
    /// Fetches what signatures are made with, the tenant's public key and its time, unless the client has both. OneAccess only.
    ///
    /// A step sends one request, so a step that needs a signature fetches nothing by itself. Call this before
    /// [`logout`](crate::Authenticated::logout), and in OneAccess before
    /// [`renew_id_token`](crate::Authenticated::renew_id_token): otherwise they are refused before anything is sent, and hand
    /// the stage back. The key and the time serve all clones of the client. After a refusal of the class
    /// [`StaleSignature`](crate::ErrorClass::StaleSignature) they are fetched again.
    ///
    /// From asynchronous code, send [`public_key`](Self::public_key) and [`server_date`](Self::server_date) by
    /// [`send_with`](Call::send_with), if [`can_sign`](Self::can_sign) says that one is missing.
    ///
    /// ```
    /// # use idaas_login::Edition;
    /// # let (tenant, user) = idaas_login::emulator::examples::authenticated_in(Edition::OneAccess)?;
    /// # let (client, device) = (user.client().clone(), user.device().clone());
    /// client.prepare_signature(&device)?;
    /// let user = user.renew_id_token().send()?;
    ///
    /// client.prepare_signature(&device)?; // sends nothing: the client has both
    /// let login = user.logout().send()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Any of [`Error`]'s; [`Error::Unsupported`] in CIAM and EIAM, which know no signature: nothing is sent.
    pub fn prepare_signature(&self, device: &Device) -> Result<(), Error> {
        if !self.signer().has_key() {
            self.public_key(device).send()?;
        }
        if !self.signer().has_time() {
            self.server_date(device).send()?;
        }
        Ok(())
    }

    /// Whether the client has the tenant's public key and its time, and so can sign.
    ///
    /// ```
    /// # use idaas_login::Edition;
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client_of(Edition::OneAccess)?;
    /// // What `prepare_signature` does, one call at a time.
    /// client.public_key(&device).send()?;
    /// assert!(!client.can_sign());
    /// client.server_date(&device).send()?;
    /// assert!(client.can_sign());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn can_sign(&self) -> bool {
        self.signer().has_key() && self.signer().has_time()
    }

    /// The tenant's public key, which signatures are made with. OneAccess only.
    ///
    /// The client keeps it as soon as it is received, in place of the one before: see
    /// [`prepare_signature`](Self::prepare_signature).
    ///
    /// ```
    /// # use idaas_login::Edition;
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client_of(Edition::OneAccess)?;
    /// let key = client.public_key(&device).send()?;
    /// assert!(key.bits() >= 2048);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [Signatures](https://support.huaweicloud.com/api-oneaccess/oneaccess_04_0069.html).
    ///
    /// # Errors
    /// From [`send`](Call::send): any of [`Error`]'s. A key that cannot be read, or has less than 2048 or more than 8192 bits,
    /// is [`Unreadable`](crate::UnexpectedReason::Unreadable).
    pub fn public_key(&self, device: &Device) -> Call<PublicKey> {
        let context = Context { client: self.clone(), device: device.clone() };
        let draft = context.draft(&PUBLIC_KEY, &[]);
        Call::new(context, None, draft, ())
    }

    /// The server's time, which signatures need. OneAccess only.
    ///
    /// The client keeps it as soon as it is received, and carries it forward by
    /// [`ClientBuilder::monotonic_clock`](crate::ClientBuilder::monotonic_clock): see
    /// [`prepare_signature`](Self::prepare_signature).
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// # use idaas_login::Edition;
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client_of(Edition::OneAccess)?;
    /// let date = client.server_date(&device).send()?;
    /// let time = SystemTime::UNIX_EPOCH + Duration::from_millis(date.timestamp());
    /// # assert!(time <= SystemTime::now() && time > SystemTime::now() - Duration::from_secs(60));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [Signatures](https://support.huaweicloud.com/api-oneaccess/oneaccess_04_0069.html).
    ///
    /// # Errors
    /// From [`send`](Call::send): any of [`Error`]'s. A time that cannot be read is
    /// [`Unreadable`](crate::UnexpectedReason::Unreadable).
    pub fn server_date(&self, device: &Device) -> Call<ServerDate> {
        let context = Context { client: self.clone(), device: device.clone() };
        let draft = context.draft(&SERVER_DATE, &[]);
        Call::new(context, None, draft, ())
    }
}

/// The public key of a tenant of OneAccess: [`Client::public_key`]. The client has kept it.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(Arc<RsaPublicKey>);

impl PublicKey {
    /// The size of its modulus in bits: 2048 to 8192.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.0.n().bits()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("bits", &self.bits()).finish_non_exhaustive()
    }
}

impl Sealed for PublicKey {}

impl Reply for PublicKey {
    type Kept = ();

    fn read((): (), context: Context, received: Received<'_>, _: Inside) -> Result<Self, Failure> {
        let key = Arc::new(public_key(received, read_key)?);
        context.client.signer().keep_key(Arc::clone(&key));
        Ok(Self(key))
    }
}

/// The time of a tenant of OneAccess: [`Client::server_date`]. The client has kept it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerDate(u64);

impl ServerDate {
    /// Milliseconds since 1970-01-01, as the server told it.
    #[must_use]
    pub fn timestamp(self) -> u64 {
        self.0
    }
}

impl Sealed for ServerDate {}

impl Reply for ServerDate {
    type Kept = ();

    fn read((): (), context: Context, received: Received<'_>, _: Inside) -> Result<Self, Failure> {
        let timestamp = server_date(received)?;
        context.client.signer().keep_time(timestamp);
        Ok(Self(timestamp))
    }
}
