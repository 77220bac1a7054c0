//! What the program is called with.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::log::Form;

pub const USAGE: &str = "\
idaas-emulator: an IDaaS tenant for development and tests. It is never for users: its tokens, codes and keys are no secret.

usage: idaas-emulator [options]

  --config FILE          the tenant: settings, users, bindings, codes, as JSON; without it, a tenant without users
  --check                only look whether the configuration is right
  --listen ADDRESS       where the tenant is; 127.0.0.1:8080 by default, port 0 takes a free one
  --control ADDRESS      where the control API is; 127.0.0.1:8081 by default
  --tls-cert FILE        the tenant's certificates, as PEM: it is behind HTTPS then
  --tls-key FILE         the private key of the first of them, as PEM
  --strict               refuse what a real tenant might refuse
  --log text|json        the form of the log; text by default
  --beyond-loopback-not-for-users
                         allow addresses that other machines reach: whoever reaches them can do everything
  --help, --version

The control API describes itself: GET /openapi.json. The configuration's schema is at GET /tenant.schema.json.
";

const BEYOND_LOOPBACK: &str = "--beyond-loopback-not-for-users";

pub enum Command {
    Help,
    Version,
    Check(PathBuf),
    Serve(Options),
}

pub struct Options {
    pub config: Option<PathBuf>,
    pub listen: SocketAddr,
    pub control: SocketAddr,
    pub tls: Option<Tls>,
    pub strict: bool,
    pub log: Form,
}

/// The files of the certificates and of the key.
pub struct Tls {
    pub certificates: PathBuf,
    pub key: PathBuf,
}

pub fn read(arguments: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let mut arguments = arguments.map(|argument| {
        argument.into_string().map_err(|argument| format!("{} is not UTF-8", argument.display()))
    });
    let (mut config, mut certificates, mut key) = (None, None, None);
    let mut listen = SocketAddr::from(([127, 0, 0, 1], 8080));
    let mut control = SocketAddr::from(([127, 0, 0, 1], 8081));
    let (mut strict, mut check, mut beyond_loopback) = (false, false, false);
    let mut log = Form::Text;
    while let Some(argument) = arguments.next() {
        let argument = argument?;
        // `--listen=ADDRESS` is the same as `--listen ADDRESS`.
        let (name, given) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let is_switch =
            matches!(name, "--help" | "-h" | "--version" | "-V" | "--strict" | "--check" | BEYOND_LOOPBACK);
        if is_switch && given.is_some() {
            return Err(format!("{name} takes no value"));
        }
        let mut value = || match given.clone() {
            Some(value) => Ok(value),
            None => arguments.next().unwrap_or_else(|| Err(format!("{name} needs a value"))),
        };
        match name {
            "--help" | "-h" => return Ok(Command::Help),
            "--version" | "-V" => return Ok(Command::Version),
            "--config" => config = Some(PathBuf::from(value()?)),
            "--listen" => listen = address(name, &value()?)?,
            "--control" => control = address(name, &value()?)?,
            "--tls-cert" => certificates = Some(PathBuf::from(value()?)),
            "--tls-key" => key = Some(PathBuf::from(value()?)),
            "--strict" => strict = true,
            "--check" => check = true,
            BEYOND_LOOPBACK => beyond_loopback = true,
            "--log" => {
                log = match value()?.as_str() {
                    "text" => Form::Text,
                    "json" => Form::Json,
                    other => return Err(format!("--log: {other} is neither text nor json")),
                }
            }
            other => return Err(format!("{other} is no option")),
        }
    }
    if check {
        return config.map(Command::Check).ok_or_else(|| "--check needs --config".to_owned());
    }
    for (name, address) in [("--listen", listen), ("--control", control)] {
        if !address.ip().is_loopback() && !beyond_loopback {
            return Err(format!(
                "{name}: other machines reach {address}. The emulator is never for users, and whoever reaches it can do \
                 everything. If that is what you want, say {BEYOND_LOOPBACK}"
            ));
        }
    }
    let tls = match (certificates, key) {
        (Some(certificates), Some(key)) => Some(Tls { certificates, key }),
        (None, None) => None,
        _ => return Err("--tls-cert and --tls-key belong together".to_owned()),
    };
    Ok(Command::Serve(Options { config, listen, control, tls, strict, log }))
}

fn address(name: &str, text: &str) -> Result<SocketAddr, String> {
    let text =
        text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse().map_err(|_| format!("{name}: {text} is no address and port, such as 127.0.0.1:8080"))
}
