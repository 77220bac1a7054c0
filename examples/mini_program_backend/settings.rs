//! What the environment says.
//!
//! | variable | what it is | default |
//! |---|---|---|
//! | `LISTEN` | address and port to listen at; port 0 is any free one | `127.0.0.1:8080` |
//! | `SEAL_KEY` | at least 32 random bytes in hexadecimal, the same for all processes that share clients | random: handles end with the process |
//! | `IDAAS_BASE_ADDRESS` | the tenant, `https://` and its domain | an emulated tenant in this process |
//! | `IDAAS_CLIENT_ID` | the application's id; needed with a tenant | |
//! | `IDAAS_EDITION` | `ciam`, `eiam`, `oneaccess`, or `oneaccess-isv:` and the tenant's id | `ciam` |
//! | `EMULATOR_ADDRESS` | an emulated tenant that another process on this machine runs | |

use std::env;
use std::error::Error;
use std::net::SocketAddr;

use idaas_login::emulator;
use idaas_login::{Client, Edition, IdTokenVerifier, SealKey, Sealer};
use ring::rand::{SecureRandom, SystemRandom};

use crate::answer::STEP_LIFETIME;
use crate::api::Backend;
use crate::dev::Dev;

pub struct Settings {
    pub backend: Backend,
    /// What a browser needs in the place of WeChat; only with an emulated tenant in this process.
    pub dev: Option<Dev>,
    pub listen: SocketAddr,
    /// A sentence on the tenant.
    pub at: String,
}

pub fn read() -> Result<Settings, Box<dyn Error>> {
    let listen = variable("LISTEN").as_deref().unwrap_or("127.0.0.1:8080").parse();
    let listen = listen.map_err(|_| "LISTEN is not an address and a port")?;
    let (client, dev, at) = tenant()?;
    let verifier = IdTokenVerifier::new(&client)?;
    Ok(Settings {
        backend: Backend { client, verifier, sealer: Sealer::new(seal_key()?, STEP_LIFETIME) },
        dev,
        listen,
        at,
    })
}

/// What is set and not empty.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|text| !text.is_empty())
}

fn tenant() -> Result<(Client, Option<Dev>, String), Box<dyn Error>> {
    if let Some(address) = variable("IDAAS_BASE_ADDRESS") {
        let client_id = variable("IDAAS_CLIENT_ID").ok_or("IDAAS_CLIENT_ID is missing")?;
        let client = Client::builder(&address, client_id).edition(edition()?).build()?;
        return Ok((client, None, "The tenant is the one of IDAAS_BASE_ADDRESS.".to_owned()));
    }
    if let Some(address) = variable("EMULATOR_ADDRESS") {
        let client_id = variable("IDAAS_CLIENT_ID").unwrap_or(emulator::Settings::default().client_id);
        let client =
            Client::builder(&address, client_id).edition(edition()?).allow_loopback_http().build()?;
        return Ok((client, None, "The tenant is emulated, by another process.".to_owned()));
    }
    let dev = Dev::start(edition()?)?;
    let client = dev.client_builder().build()?;
    Ok((client, Some(dev), "The tenant is emulated: for development, never for users.".to_owned()))
}

fn edition() -> Result<Edition, Box<dyn Error>> {
    let named = variable("IDAAS_EDITION").unwrap_or_else(|| "ciam".to_owned());
    Ok(match named.as_str() {
        "ciam" => Edition::Ciam,
        "eiam" => Edition::Eiam,
        "oneaccess" => Edition::OneAccess,
        other => match other.strip_prefix("oneaccess-isv:") {
            Some(tenant_id) => Edition::OneAccessIsv { tenant_id: tenant_id.to_owned() },
            None => return Err("IDAAS_EDITION is none of ciam, eiam, oneaccess, oneaccess-isv:<id>".into()),
        },
    })
}

fn seal_key() -> Result<SealKey, Box<dyn Error>> {
    let secret = if let Some(text) = variable("SEAL_KEY") {
        hexadecimal(&text).ok_or("SEAL_KEY is not hexadecimal")?
    } else {
        let mut secret = vec![0; 32];
        SystemRandom::new().fill(&mut secret).map_err(|_| "the system gives no randomness")?;
        secret
    };
    Ok(SealKey::new(1, &secret).map_err(|error| format!("SEAL_KEY: {error}"))?)
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| u8::try_from(digit.to_digit(16)?).ok()).collect();
    let (pairs, rest) = digits.as_ref()?.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}
