//! The configuration: read, checked, and made a tenant. What is wrong with it is told by file, line and field.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use idaas_login::emulator::Emulator;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::forms::{At, Binding, PlatformCode, SendTypeForm, SettingsForm, StandsFor, UserForm, Wrong};

/// How many requests the ledger keeps, unless the configuration says otherwise.
const LEDGER_ENTRIES: usize = 10_000;

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where editors find the schema.
    #[serde(rename = "$schema")]
    _schema: Option<String>,
    #[serde(default)]
    pub settings: SettingsForm,
    #[serde(default)]
    pub users: Vec<UserForm>,
    #[serde(default)]
    pub bindings: Vec<Binding>,
    #[serde(default)]
    pub platform_codes: Vec<PlatformCode>,
    #[serde(default)]
    pub verification_codes: Vec<VerificationCode>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerificationCode {
    pub destination: String,
    pub send_type: SendTypeForm,
    /// One is made if it is not given.
    pub code: Option<String>,
}

/// A configuration file, or all that is wrong with it, a line each.
pub fn read(file: &Path) -> Result<Config, String> {
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|error| format!("{name}: cannot be read: {error}"))?;
    let config: Config = from_json(&text).map_err(|wrong| format!("{name}:{wrong}"))?;
    let wrong = config.wrong();
    if wrong.is_empty() {
        return Ok(config);
    }
    let lines = wrong.iter().map(|wrong| format!("{name}:{}: {wrong}", line_of(&text, &wrong.at)));
    Err(lines.collect::<Vec<_>>().join("\n"))
}

/// JSON of this form, or what is wrong with it: line, column, field and reason.
pub fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let mut json = serde_json::Deserializer::from_str(text);
    let read = serde_path_to_error::deserialize(&mut json);
    read.map_err(|error| (error.path().to_string(), error.into_inner()))
        .and_then(|value| json.end().map(|()| value).map_err(|error| (".".to_owned(), error)))
        .map_err(|(path, error)| {
            let place = format!("{}:{}", error.line(), error.column());
            let text = error.to_string();
            let why = text.split(" at line ").next().unwrap_or_default();
            if path == "." { format!("{place}: {why}") } else { format!("{place}: {path}: {why}") }
        })
}

impl Config {
    /// What has the right form and cannot be right.
    fn wrong(&self) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        let settings = self.settings.check().err();
        wrong.extend(settings.map(|mut wrong| {
            wrong.at.insert(0, At::Member("settings".to_owned()));
            wrong
        }));
        let mut names = BTreeSet::new();
        for (index, user) in self.users.iter().enumerate() {
            let twice = (!names.insert(&user.user_name))
                .then(|| Wrong::member("user_name", format!("`{}` is there twice", user.user_name)));
            wrong.extend(user.check().err().or(twice).map(|wrong| wrong.inside("users", index)));
        }
        for (index, binding) in self.bindings.iter().enumerate() {
            if !names.contains(&binding.user_name) {
                let why = format!("no user is named `{}`", binding.user_name);
                wrong.push(Wrong::member("user_name", why).inside("bindings", index));
            }
        }
        for (index, code) in self.platform_codes.iter().enumerate() {
            wrong.extend(code.check().err().map(|wrong| wrong.inside("platform_codes", index)));
        }
        wrong
    }

    /// The tenant; `strict` in any case if the program was called so.
    pub fn tenant(&self, strict: bool) -> Emulator {
        let tenant = Emulator::new();
        tenant.configure(|settings| {
            settings.keep_requests = true;
            settings.ledger_entries = LEDGER_ENTRIES;
            self.settings.clone().apply(settings);
            settings.strict |= strict;
        });
        for user in &self.users {
            tenant.add_user(user.clone().user());
        }
        for Binding { platform, identity, user_name } in &self.bindings {
            tenant.bind(platform.0, identity, user_name);
        }
        for code in &self.platform_codes {
            accept(&tenant, code);
        }
        for VerificationCode { destination, send_type, code } in &self.verification_codes {
            match code {
                Some(code) => tenant.accept_code(destination, send_type.0, code),
                None => drop(tenant.issue_code(destination, send_type.0)),
            }
        }
        tenant
    }
}

/// A code of a platform, made or accepted; `None` if it stands for nothing.
pub fn accept(tenant: &Emulator, form: &PlatformCode) -> Option<String> {
    let platform = form.platform.0;
    let stands_for = form.check().ok()?;
    Some(match (form.code.clone(), stands_for) {
        (None, StandsFor::Identity(identity)) => tenant.login_code(platform, identity),
        (None, StandsFor::Mobile(mobile)) => tenant.phone_code(platform, mobile),
        (Some(code), StandsFor::Identity(identity)) => {
            tenant.accept_login_code(platform, &code, identity);
            code
        }
        (Some(code), StandsFor::Mobile(mobile)) => {
            tenant.accept_phone_code(platform, &code, mobile);
            code
        }
    })
}

/// The line on which a value begins, or else the last that is found on the way to it.
fn line_of(text: &str, path: &[At]) -> usize {
    let mut offset = text.len() - text.trim_start().len();
    let mut rest = text.trim();
    for at in path {
        let next = match at {
            At::Member(name) => serde_json::from_str::<BTreeMap<String, &RawValue>>(rest)
                .ok()
                .and_then(|members| members.get(name).map(|value| value.get())),
            At::Item(index) => serde_json::from_str::<Vec<&RawValue>>(rest)
                .ok()
                .and_then(|items| items.get(*index).map(|value| value.get())),
        };
        // It is a part of `rest`, so the difference of the addresses is where it begins.
        let Some(next) = next else { break };
        offset += next.as_ptr().addr() - rest.as_ptr().addr();
        rest = next;
    }
    1 + text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
}
