//! The conformance vectors: what goes in is here, and what comes out is what the library does. `docs/porting.md` says how they
//! are read.

mod chains;
mod refused;
mod requests;
mod responses;
#[cfg(feature = "verify")]
mod tokens;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use support::conformance::{Kind, complete};
use support::{CLIENT_ID, root};

/// Where the vectors are.
pub const FOLDER: &str = "tests/conformance";

/// The file of a kind.
pub fn path(kind: Kind) -> PathBuf {
    root().join(FOLDER).join(format!("{}.json", kind.name()))
}

/// What a file has for all of its vectors, and the vectors. The id of a vector stays the same as long as the vector does.
struct Vectors {
    kind: Kind,
    file: Value,
    ids: BTreeSet<String>,
    all: Vec<Value>,
}

impl Vectors {
    fn new(kind: Kind, about: &str) -> Self {
        let file = json!({
            "$schema": format!("./{}.schema.json", kind.name()),
            "about": about,
            "defaults": defaults(),
            "signing": {
                "public_key": public_key(),
                "private_key_pkcs8": BASE64_STANDARD.encode(support::keys::ONE),
            },
        });
        Self { kind, file, ids: BTreeSet::new(), all: Vec::new() }
    }

    /// Adds a vector with what comes out of it.
    fn add(&mut self, id: &str, mut vector: Value) -> &Value {
        assert!(self.ids.insert(id.to_owned()), "two vectors are called {id}");
        vector["id"] = id.into();
        self.all.push(complete(self.kind, &self.file, &vector));
        &self.all[self.all.len() - 1]
    }

    /// A file of which a line is a vector, so that a change is read as one.
    fn text(&self) -> String {
        let head = serde_json::to_string_pretty(&self.file).unwrap();
        let mut text = head.strip_suffix("\n}").unwrap().to_owned();
        text.push_str(",\n  \"vectors\": [\n");
        for (index, vector) in self.all.iter().enumerate() {
            let end = if index + 1 == self.all.len() { "\n" } else { ",\n" };
            text.extend(["    ", &vector.to_string(), end]);
        }
        text.push_str("  ]\n}\n");
        text
    }
}

fn defaults() -> Value {
    json!({
        "client": {
            "base_address": "https://acme.example.com",
            "client_id": CLIENT_ID,
            "edition": "CIAM",
        },
        "device": {
            "operating_sys_version": "windows10.1.1",
            "fingerprint": "156aysdna213sc50",
            "agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 13_3 like Mac OS X)",
            "ip": "192.168.1.2",
            "language": "zh",
        },
        "now": "1600000000",
    })
}

/// The public key that signatures are made with, as a tenant has it.
fn public_key() -> String {
    use ring::signature::KeyPair as _;
    let key = ring::rsa::KeyPair::from_pkcs8(support::keys::ONE).unwrap();
    // A SubjectPublicKeyInfo of RSA with a key of 2048 bits: the algorithm, then the key as a bit string.
    let head: &[u8] = &[
        0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01,
        0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00,
    ];
    let key = key.public_key().as_ref();
    assert_eq!(key.len(), 270, "the head is that of a key of 2048 bits");
    let der = [head, key].concat();
    let lines: Vec<_> = BASE64_STANDARD
        .encode(der)
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", lines.join("\n"))
}

/// Every file with its text. Without the feature `verify` there are no identity tokens.
pub fn generated() -> Vec<(Kind, String)> {
    vec![
        (Kind::Requests, requests::vectors().text()),
        (Kind::RefusedInputs, refused::vectors().text()),
        (Kind::Responses, responses::vectors().text()),
        (Kind::Chains, chains::vectors().text()),
        #[cfg(feature = "verify")]
        (Kind::IdTokens, tokens::vectors().text()),
    ]
}

/// What does not read as it should.
pub fn stale() -> Vec<String> {
    let mut stale = Vec::new();
    for (kind, text) in generated() {
        let now = fs::read_to_string(path(kind)).unwrap_or_default();
        if now != text {
            let line = now.lines().zip(text.lines()).take_while(|(now, new)| now == new).count();
            let new: String = text.lines().nth(line).unwrap_or("(the end)").chars().take(160).collect();
            stale.push(format!("{FOLDER}/{}.json, line {}, should read: {new}", kind.name(), line + 1));
        }
    }
    stale
}

/// Writes what is stale anew, and names it.
///
/// # Errors
/// If a file cannot be written.
pub fn write() -> io::Result<Vec<String>> {
    let mut written = Vec::new();
    fs::create_dir_all(root().join(FOLDER))?;
    for (kind, text) in generated() {
        if fs::read_to_string(path(kind)).unwrap_or_default() != text {
            fs::write(path(kind), text)?;
            written.push(format!("{FOLDER}/{}.json", kind.name()));
        }
    }
    Ok(written)
}
