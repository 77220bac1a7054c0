//! The builder calls that a tenant needs, as they are made and as they are printed.

use idaas_login::endpoints::Endpoint;
use idaas_login::{ClientBuilder, Edition, WechatCodeField};

use super::{Stop, rows};

/// What `Client::builder` has to be told of a tenant.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    pub edition: Edition,
    pub wechat_code_field: WechatCodeField,
    pub path_prefix: String,
    pub paths: Vec<(&'static Endpoint, String)>,
    pub send_types: Vec<(&'static Endpoint, String)>,
    pub field_names: Vec<(&'static Endpoint, String, String)>,
}

impl Calls {
    /// Makes them.
    pub fn apply(&self, builder: ClientBuilder) -> ClientBuilder {
        let mut builder = builder
            .edition(self.edition.clone())
            .wechat_code_field(self.wechat_code_field)
            .path_prefix(&self.path_prefix);
        for (row, path) in &self.paths {
            builder = builder.path(row, path);
        }
        for (row, name) in &self.send_types {
            builder = builder.send_type(row, name);
        }
        for (row, field, name) in &self.field_names {
            builder = builder.field_name(row, field, name);
        }
        builder
    }

    /// Prints them, as lines of Rust. The id of a tenant is not printed.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        match &self.edition {
            Edition::Ciam => {}
            Edition::Eiam => lines.push(".edition(Edition::Eiam)".to_owned()),
            Edition::OneAccess => lines.push(".edition(Edition::OneAccess)".to_owned()),
            _ => {
                let tenant_id = r#""YOUR_TENANT_ID".to_owned()"#;
                lines.push(format!(".edition(Edition::OneAccessIsv {{ tenant_id: {tenant_id} }})"));
            }
        }
        if !self.path_prefix.is_empty() {
            lines.push(format!(".path_prefix({:?})", self.path_prefix));
        }
        if self.wechat_code_field == WechatCodeField::WchatCode {
            lines.push(".wechat_code_field(WechatCodeField::WchatCode)".to_owned());
        }
        let name = |row| rows::name(row);
        lines.extend(
            self.paths.iter().map(|(row, path)| format!(".path(&endpoints::{}, {path:?})", name(row))),
        );
        lines.extend(
            self.send_types
                .iter()
                .map(|(row, text)| format!(".send_type(&endpoints::{}, {text:?})", name(row))),
        );
        lines.extend(self.field_names.iter().map(|(row, field, text)| {
            format!(".field_name(&endpoints::{}, {field:?}, {text:?})", name(row))
        }));
        lines
    }

    pub fn path(&self, row: &Endpoint) -> Option<&str> {
        find(&self.paths, row)
    }
}

/// What the operator believes that the tenant has in place of what the documents say. It is tried where the documents
/// turn out wrong.
#[derive(Clone, Debug, Default)]
pub struct Given {
    pub path_prefix: String,
    pub paths: Vec<(&'static Endpoint, String)>,
    pub send_types: Vec<(&'static Endpoint, String)>,
    pub field_names: Vec<(&'static Endpoint, String, String)>,
}

pub const PATH_PREFIX: &str = "IDAAS_PROBE_PATH_PREFIX";
pub const PATHS: &str = "IDAAS_PROBE_PATHS";
pub const SEND_TYPES: &str = "IDAAS_PROBE_SEND_TYPES";
pub const FIELD_NAMES: &str = "IDAAS_PROBE_FIELD_NAMES";

impl Given {
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Stop> {
        let pairs = |name: &str| -> Result<Vec<(String, String)>, Stop> {
            let text = variable(name).unwrap_or_default();
            let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
            let pair = |pair: &str| {
                let (key, value) = pair
                    .split_once('=')
                    .ok_or_else(|| Stop(format!("{name}: give NAME=VALUE, with commas between")))?;
                Ok((key.trim().to_owned(), value.trim().to_owned()))
            };
            pairs.map(pair).collect()
        };
        let row = |variable: &str, name: &str| {
            rows::find(name)
                .ok_or_else(|| Stop(format!("{variable}: {name} is no row of idaas_login::endpoints")))
        };
        let mut given = Self { path_prefix: variable(PATH_PREFIX).unwrap_or_default(), ..Self::default() };
        for (name, path) in pairs(PATHS)? {
            given.paths.push((row(PATHS, &name)?, path));
        }
        for (name, send_type) in pairs(SEND_TYPES)? {
            given.send_types.push((row(SEND_TYPES, &name)?, send_type));
        }
        for (name, spelled) in pairs(FIELD_NAMES)? {
            let (name, field) = name
                .split_once('.')
                .ok_or_else(|| Stop(format!("{FIELD_NAMES}: give ROW.field=name, with commas between")))?;
            given.field_names.push((row(FIELD_NAMES, name)?, field.to_owned(), spelled));
        }
        Ok(given)
    }

    /// All of it as calls, to see whether a builder would take it.
    pub fn calls(&self, edition: &Edition) -> Calls {
        Calls {
            edition: edition.clone(),
            wechat_code_field: WechatCodeField::default(),
            path_prefix: self.path_prefix.clone(),
            paths: self.paths.clone(),
            send_types: self.send_types.clone(),
            field_names: self.field_names.clone(),
        }
    }

    pub fn path(&self, row: &Endpoint) -> Option<&str> {
        find(&self.paths, row)
    }

    pub fn send_type(&self, row: &Endpoint) -> Option<&str> {
        find(&self.send_types, row)
    }

    /// The fields of a row that are spelled differently.
    pub fn names(&self, row: &Endpoint) -> Vec<(String, String)> {
        let of_row = self.field_names.iter().filter(|(of, ..)| std::ptr::eq(*of, row));
        of_row.map(|(_, field, name)| (field.clone(), name.clone())).collect()
    }
}

fn find<'a>(all: &'a [(&'static Endpoint, String)], row: &Endpoint) -> Option<&'a str> {
    all.iter().find(|(of, _)| std::ptr::eq(*of, row)).map(|(_, text)| text.as_str())
}
