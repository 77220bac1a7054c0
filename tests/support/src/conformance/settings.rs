//! Whose request a vector is about: the client and the device.

use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use idaas_login::endpoints;
use idaas_login::{Client, Device, Edition, Error, WechatCodeField};
use serde_json::{Value, json};

use super::text;
use crate::response;

pub(super) struct Context {
    pub(super) client: Client,
    pub(super) device: Device,
}

impl Context {
    /// The vector's own settings over those that the file has for all.
    pub(super) fn of(file: &Value, vector: &Value) -> Result<Self, Error> {
        let client = merged(&file["defaults"]["client"], &vector["client"]);
        let device = device(&merged(&file["defaults"]["device"], &vector["device"]))?;
        let client = self::client(file, &client)?;
        if let Some(timestamp) = vector["client"]["signs_at"].as_str() {
            let key = json!({ "public_key": text(&file["signing"], "public_key") }).to_string();
            let (_, call) = client.public_key(&device).into_request()?;
            call.receive(Ok(response(200, key)))?;
            let date = json!({ "timestamp": timestamp }).to_string();
            let (_, call) = client.server_date(&device).into_request()?;
            call.receive(Ok(response(200, date)))?;
        }
        Ok(Self { client, device })
    }
}

fn merged(defaults: &Value, own: &Value) -> Value {
    let mut merged = defaults.clone();
    for (name, value) in own.as_object().into_iter().flatten() {
        merged[name] = value.clone();
    }
    merged
}

fn client(file: &Value, settings: &Value) -> Result<Client, Error> {
    let edition = match (text(settings, "edition"), settings["tenant_id"].as_str()) {
        ("CIAM", None) => Edition::Ciam,
        ("EIAM", None) => Edition::Eiam,
        ("OneAccess", None) => Edition::OneAccess,
        ("OneAccess", Some(tenant_id)) => Edition::OneAccessIsv { tenant_id: tenant_id.to_owned() },
        other => panic!("no edition is called {other:?}"),
    };
    let now = UNIX_EPOCH + Duration::from_secs(text(&file["defaults"], "now").parse().unwrap());
    let mut builder = Client::builder(text(settings, "base_address"), text(settings, "client_id"))
        .edition(edition)
        .clock(move || now)
        .monotonic_clock(|| Duration::ZERO);
    if let Some(prefix) = settings["path_prefix"].as_str() {
        builder = builder.path_prefix(prefix);
    }
    if settings["wechat_code_field"] == "wchat_code" {
        builder = builder.wechat_code_field(WechatCodeField::WchatCode);
    }
    if settings["allow_loopback_http"] == true {
        builder = builder.allow_loopback_http();
    }
    // By the stage and the step, as `VerifyPhone<MfaRequired>.send_code`.
    for (step, path) in settings["paths"].as_object().into_iter().flatten() {
        let row = endpoints::ALL.iter().find(|row| format!("{}.{}", row.from, row.step) == *step);
        builder = builder.path(row.unwrap(), path.as_str().unwrap());
    }
    builder.build_without_transport()
}

fn device(settings: &Value) -> Result<Device, Error> {
    let mut device = Device::new(
        text(settings, "operating_sys_version"),
        text(settings, "fingerprint"),
        text(settings, "agent"),
    )?;
    if let Some(ip) = settings["ip"].as_str() {
        device = device.with_ip(ip.parse::<IpAddr>().expect("an address"));
    }
    match settings["language"].as_str() {
        Some(language) => device.with_language(language),
        None => Ok(device),
    }
}
