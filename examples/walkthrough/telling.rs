//! Tells what happens: in short, with every secret cut, or as Markdown, with whole requests and responses.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use idaas_login::emulator::Effect;
use idaas_login::{Request, Response, TransportError};

use super::wire;

/// What was told since it was last taken.
pub struct Telling {
    whole: bool,
    told: Mutex<String>,
}

impl Telling {
    /// In short, or with whole requests and responses.
    pub fn new(whole: bool) -> Self {
        Self { whole, told: Mutex::default() }
    }

    /// What was told.
    pub fn take(&self) -> String {
        std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn tell(&self, short: &str, whole: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.push_str(if self.whole { whole } else { short });
    }

    pub fn title(&self, title: &str) {
        self.tell(&format!("\n## {title}\n"), &format!("# {title}\n"));
    }

    /// A stage, and its step.
    pub fn stage(&self, stage: &str, step: &str) {
        self.tell(&format!("  {stage}: {step}\n"), &format!("\n## `{stage}`\n\n`{step}`\n"));
    }

    /// What the caller sees.
    pub fn note(&self, note: &str) {
        self.tell(&format!("      {note}\n"), &format!("\n> {note}\n"));
    }

    /// A secret: whole, or cut short.
    pub fn secret(&self, text: &str) -> String {
        if self.whole { text.to_owned() } else { short(text) }
    }

    /// What the login came to.
    pub fn end(&self, end: &str) {
        self.tell(&format!("  {end}\n"), &format!("\n> {end}\n"));
    }

    pub fn request(&self, request: &Request) {
        let short =
            format!("      -> {} {} {}\n", request.method(), request.uri().path(), fields(request.body()));
        self.tell(&short, &format!("\n```http\n{}```\n", wire::request(request)));
    }

    pub fn response(&self, response: Result<&Response, &TransportError>) {
        match response {
            Ok(response) => {
                let (status, body) = (response.status().as_u16(), fields(response.body()));
                let whole = format!("\n```http\n{}```\n", wire::response(response));
                self.tell(&format!("      <- HTTP {status} {body}\n"), &whole);
            }
            Err(error) => self.tell(&format!("      <- {error}\n"), &format!("\n> No response: {error}\n")),
        }
    }

    /// What the tenant really did, by the paths of the requests.
    pub fn effects<'a>(&self, requests: impl Iterator<Item = (&'a str, &'a [Effect])>) {
        let (mut short, mut whole) = (String::new(), String::new());
        for (path, effects) in requests {
            for effect in effects {
                let _ = writeln!(short, "      {path:55} {effect:?}");
                let _ = writeln!(whole, "- `{path}`: `{effect:?}`");
            }
        }
        if !short.is_empty() {
            self.tell(
                &format!("  What the tenant did:\n{short}"),
                &format!("\n## What the tenant did\n\n{whole}"),
            );
        }
    }
}

/// The fields of a JSON body, each value cut short but for the few that are no secret.
fn fields(body: &[u8]) -> String {
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_slice(body) else { return String::new() };
    let shown = fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
        match (name.as_str(), value) {
            ("status" | "error_code" | "error_msg" | "type" | "data", serde_json::Value::String(text)) => {
                format!("{name}: {text}")
            }
            (_, serde_json::Value::String(text)) => format!("{name}: {}", short(text)),
            (_, serde_json::Value::Array(list)) => format!("{name}: a list of {}", list.len()),
            _ => format!("{name}: {value}"),
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// A secret, cut short.
fn short(text: &str) -> String {
    format!("{}…", text.chars().take(4.min(text.chars().count() / 2)).collect::<String>())
}
