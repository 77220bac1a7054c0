//! TLS by ureq's connector and rustls, whose buffers hold no plaintext.
//!
//! rustls copies what it decrypts into memory that it frees as it is, and has no hook to wipe it. So its cipher suites are
//! wrapped: a record is decrypted in the connection's own [`Input`], and rustls gets the type and the length of the plaintext,
//! with marks in its place. rustls does everything else: it checks, orders, and ends the connection. When it lets marks through,
//! ureq reads as many bytes from the input, and only if they are the marks that come next.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::crypto::CryptoProvider;
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, KeyBlockShape, MessageDecrypter,
    MessageEncrypter, Tls12AeadAlgorithm, Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::{
    CipherSuiteCommon, ConnectionTrafficSecrets, ContentType, SupportedCipherSuite, Tls12CipherSuite,
    Tls13CipherSuite,
};
use ureq::Error as UreqError;
use ureq::config::Config;
use ureq::tls::TlsConfig;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, NextTimeout, RustlsConnector, Transport as Connection,
};
use zeroize::Zeroize;

use super::input::{Input, Lent, Owned, with_lent};

/// How much is taken from rustls at once: the largest record.
const RECORD: usize = 16 << 10;

/// Negotiates TLS, if the address wants it.
#[derive(Default)]
pub(super) struct Tls {
    connector: RustlsConnector,
    /// The caller's TLS settings, with wrapped cipher suites. All calls of a transport have the same.
    config: OnceLock<Config>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

fn wrapped(config: &Config) -> Config {
    let tls = config.tls_config();
    let tls = TlsConfig::builder()
        .provider(tls.provider())
        .client_cert(tls.client_cert().cloned())
        .root_certs(tls.root_certs().clone())
        .use_sni(tls.use_sni())
        .disable_verification(tls.disable_verification())
        .unversioned_rustls_crypto_provider(provider(tls));
    Config::builder()
        .proxy(None)
        .tls_config(tls.build())
        .input_buffer_size(RECORD)
        .output_buffer_size(config.output_buffer_size())
        .build()
}

impl<In: Connection> Connector<In> for Tls {
    type Out = Either<In, TlsConnection<<RustlsConnector as Connector<In>>::Out>>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, UreqError> {
        if !details.needs_tls() {
            return Ok(chained.map(Either::A));
        }
        let room = details.config.input_buffer_size();
        let details = ConnectionDetails {
            uri: details.uri,
            addrs: details.resolver.empty(),
            config: self.config.get_or_init(|| wrapped(details.config)),
            request_level: details.request_level,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: Arc::clone(&details.current_time),
            run_connector: Arc::clone(&details.run_connector),
            register_shutdown: Arc::clone(&details.register_shutdown),
        };
        let mut input = Some(Box::default());
        let lent = Lent::new(&mut input);
        let connected = self.connector.connect(&details, chained)?;
        drop(lent);
        Ok(connected.map(|connected| match connected {
            Either::A(unchanged) => Either::A(unchanged),
            Either::B(_) => Either::B(TlsConnection { connection: connected, input, room }),
        }))
    }
}

/// A connection over TLS.
pub(super) struct TlsConnection<T> {
    /// ureq's, whose input consists of marks.
    connection: T,
    input: Owned,
    /// How much may wait to be read.
    room: usize,
}

impl<T: fmt::Debug> fmt::Debug for TlsConnection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TlsConnection").field(&self.connection).finish()
    }
}

impl<T: Connection> Connection for TlsConnection<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), UreqError> {
        let _lent = Lent::new(&mut self.input);
        self.connection.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, UreqError> {
        if self.input().len() >= self.room {
            return Ok(false);
        }
        let lent = Lent::new(&mut self.input);
        let has_more = self.connection.await_input(timeout)?;
        drop(lent);
        let buffers = self.connection.buffers();
        let marks = buffers.input();
        let size = marks.len();
        let input = self.input.as_mut().ok_or(UreqError::ConnectionFailed)?;
        input.release(marks, RECORD)?;
        buffers.input_consume(size);
        Ok(has_more)
    }

    fn is_open(&mut self) -> bool {
        self.input.as_ref().is_some_and(|input| input.is_idle()) && self.connection.is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

/// The output is ureq's: rustls encrypts it in place, and leaves nothing.
impl<T: Connection> Buffers for TlsConnection<T> {
    fn output(&mut self) -> &mut [u8] {
        self.connection.buffers().output()
    }

    fn input(&self) -> &[u8] {
        self.input.as_ref().map_or(&[], |input| input.unread())
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.input.as_mut().map_or(&mut [], |input| input.free())
    }

    /// Nobody but the decrypter adds to it.
    fn input_appended(&mut self, _: usize) {}

    fn input_consume(&mut self, amount: usize) {
        if let Some(input) = &mut self.input {
            input.consume(amount);
        }
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.connection.buffers().tmp_and_output()
    }

    fn can_use_input(&self) -> bool {
        self.input.as_ref().is_some_and(|input| input.is_usable())
    }
}

/// The provider that ureq would choose, with wrapped cipher suites.
fn provider(config: &TlsConfig) -> Arc<CryptoProvider> {
    let chosen = config.unversioned_rustls_crypto_provider().as_ref().or(CryptoProvider::get_default());
    let mut provider = chosen
        .map_or_else(rustls::crypto::ring::default_provider, |provider| CryptoProvider::clone(provider));
    for suite in &mut provider.cipher_suites {
        *suite = wrapped_suite(*suite);
    }
    Arc::new(provider)
}

/// A cipher suite has to live as long as the process: each is wrapped once.
fn wrapped_suite(suite: SupportedCipherSuite) -> SupportedCipherSuite {
    static WRAPPED: Mutex<Vec<(SupportedCipherSuite, SupportedCipherSuite)>> = Mutex::new(Vec::new());
    let mut known = WRAPPED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, wrapped)) = known.iter().find(|(of, _)| is_same(*of, suite)) {
        return *wrapped;
    }
    let common = |of: &CipherSuiteCommon| CipherSuiteCommon {
        suite: of.suite,
        hash_provider: of.hash_provider,
        confidentiality_limit: of.confidentiality_limit,
    };
    let wrapped = match suite {
        SupportedCipherSuite::Tls12(of) => {
            SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
                common: common(&of.common),
                prf_provider: of.prf_provider,
                kx: of.kx,
                sign: of.sign,
                aead_alg: Box::leak(Box::new(Wrapped(of.aead_alg))),
            })))
        }
        SupportedCipherSuite::Tls13(of) => {
            SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
                common: common(&of.common),
                hkdf_provider: of.hkdf_provider,
                aead_alg: Box::leak(Box::new(Wrapped(of.aead_alg))),
                quic: of.quic,
            })))
        }
    };
    known.push((suite, wrapped));
    wrapped
}

/// Suites of one name differ between providers.
fn is_same(one: SupportedCipherSuite, other: SupportedCipherSuite) -> bool {
    match (one, other) {
        (SupportedCipherSuite::Tls12(one), SupportedCipherSuite::Tls12(other)) => std::ptr::eq(one, other),
        (SupportedCipherSuite::Tls13(one), SupportedCipherSuite::Tls13(other)) => std::ptr::eq(one, other),
        _ => false,
    }
}

/// Encrypts like what it wraps, and decrypts into the input that is lent to the thread.
struct Wrapped<T>(T);

impl Tls12AeadAlgorithm for Wrapped<&'static dyn Tls12AeadAlgorithm> {
    fn encrypter(&self, key: AeadKey, iv: &[u8], extra: &[u8]) -> Box<dyn MessageEncrypter> {
        self.0.encrypter(key, iv, extra)
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        Box::new(Wrapped(self.0.decrypter(key, iv)))
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        self.0.key_block_shape()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: &[u8],
        explicit: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv, explicit)
    }

    fn fips(&self) -> bool {
        self.0.fips()
    }
}

impl Tls13AeadAlgorithm for Wrapped<&'static dyn Tls13AeadAlgorithm> {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        self.0.encrypter(key, iv)
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Wrapped(self.0.decrypter(key, iv)))
    }

    fn key_len(&self) -> usize {
        self.0.key_len()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv)
    }

    fn fips(&self) -> bool {
        self.0.fips()
    }
}

impl MessageDecrypter for Wrapped<Box<dyn MessageDecrypter>> {
    fn decrypt<'a>(
        &mut self,
        message: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, rustls::Error> {
        let lacks_input = || rustls::Error::General("no connection is read from".to_owned());
        with_lent(|input| self.decrypt_into(input, message, seq)).unwrap_or_else(|| Err(lacks_input()))
    }
}

impl Wrapped<Box<dyn MessageDecrypter>> {
    fn decrypt_into<'a>(
        &mut self,
        input: &mut Input,
        mut message: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, rustls::Error> {
        let size = message.payload.len();
        let place = input.place(&message.payload);
        let begin = place.as_ptr() as usize;
        let copy = InboundOpaqueMessage::new(message.typ, message.version, place);
        let (typ, version, plain) = match self.0.decrypt(copy, seq) {
            Ok(opened) => {
                // Some suites of TLS 1.2 have a nonce before the plaintext.
                let at = (opened.payload.as_ptr() as usize).wrapping_sub(begin);
                (opened.typ, opened.version, at..at.saturating_add(opened.payload.len()))
            }
            Err(cause) => {
                input.placed(size).zeroize();
                return Err(cause);
            }
        };
        let place = input.placed(size);
        let Some(decrypted) = place.get(plain.clone()) else {
            place.zeroize();
            return Err(rustls::Error::General("a record was decrypted elsewhere".to_owned()));
        };
        message.payload.truncate(decrypted.len());
        if typ == ContentType::ApplicationData {
            input.mark(&mut message.payload);
            input.keep(plain);
        } else {
            // This is for rustls, such as a session ticket.
            message.payload.copy_from_slice(decrypted);
            place.zeroize();
            if typ == ContentType::Alert {
                input.set_ending();
            }
        }
        (message.typ, message.version) = (typ, version);
        Ok(message.into_plain_message())
    }
}
