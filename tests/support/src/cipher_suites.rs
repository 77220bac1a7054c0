//! Cipher suites that leave the plaintext elsewhere than those of ring do.

use std::sync::Arc;

use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter,
    Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::crypto::{CipherSuiteCommon, CryptoProvider, ring};
use rustls::{ConnectionTrafficSecrets, SupportedCipherSuite, Tls13CipherSuite};
use zeroize::Zeroizing;

/// Where a cipher suite leaves the plaintext.
#[derive(Clone, Copy)]
pub enum Place {
    /// Behind so many bytes of the record, as some cipher suites of TLS 1.2 do.
    Behind(usize),
    /// In memory of its own.
    Elsewhere,
}

/// A cipher suite that leaves the plaintext somewhere else.
struct Moved<T>(T, Place);

impl Tls13AeadAlgorithm for Moved<&'static dyn Tls13AeadAlgorithm> {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        self.0.encrypter(key, iv)
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Moved(self.0.decrypter(key, iv), self.1))
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
}

impl MessageDecrypter for Moved<Box<dyn MessageDecrypter>> {
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, rustls::Error> {
        let mut copy = Zeroizing::new(message.payload.to_vec());
        let copied = InboundOpaqueMessage::new(message.typ, message.version, &mut copy);
        let opened = self.0.decrypt(copied, seq)?;
        (message.typ, message.version) = (opened.typ, opened.version);
        match self.1 {
            Place::Behind(size) => {
                let place = size..size + opened.payload.len();
                message.payload[place.clone()].copy_from_slice(opened.payload);
                Ok(message.into_plain_message_range(place))
            }
            Place::Elsewhere => {
                let payload = opened.payload.to_vec().leak();
                Ok(InboundPlainMessage { typ: message.typ, version: message.version, payload })
            }
        }
    }
}

/// A cipher suite of TLS 1.3 that leaves the plaintext there.
pub fn moved(place: Place) -> SupportedCipherSuite {
    let SupportedCipherSuite::Tls13(of) = ring::cipher_suite::TLS13_AES_128_GCM_SHA256 else {
        panic!("of TLS 1.3")
    };
    SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
        common: CipherSuiteCommon {
            suite: of.common.suite,
            hash_provider: of.common.hash_provider,
            confidentiality_limit: of.common.confidentiality_limit,
        },
        hkdf_provider: of.hkdf_provider,
        aead_alg: Box::leak(Box::new(Moved(of.aead_alg, place))),
        quic: of.quic,
    })))
}

/// A provider that has this cipher suite alone.
pub fn provider(suite: SupportedCipherSuite) -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider { cipher_suites: vec![suite], ..ring::default_provider() })
}
