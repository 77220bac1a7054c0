//! The bytes of a suspended stage.
//!
//! A mark, a version, a kind, then fields, each a tag, a length and its bytes; tags rise, and none comes twice; at the end a
//! zero, so that a value that was cut short is not a whole one without its last fields. A reader of a newer version reads every
//! older one; `tests/corpus` keeps values of each.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use super::kind::SuspendedKind;
use crate::context::Context;
use crate::device::Device;
use crate::secret::{IdToken, SessionToken, StateToken};
use crate::wire::endpoints::{Platform, Scenario, StageKind};
use crate::wire::flows::AllowedFlows;

/// The first byte: other bytes rarely begin with it, so a newer version is told apart from them.
const MAGIC: u8 = 0xb5;
/// The newest version. A value has the oldest one that knows all of its fields, so that older services read what they can.
const VERSION: u8 = 2;
/// The version that brought the time at which a session expires.
const WITH_EXPIRES_AT: u8 = 2;
/// Behind the last field.
const END: u8 = 0;

/// The fields, by their tags.
mod tag {
    pub(super) const BASE_ADDRESS: u8 = 1;
    pub(super) const CLIENT_ID: u8 = 2;
    pub(super) const OPERATING_SYS_VERSION: u8 = 3;
    pub(super) const FINGERPRINT: u8 = 4;
    pub(super) const AGENT: u8 = 5;
    pub(super) const IP: u8 = 6;
    pub(super) const LANGUAGE: u8 = 7;
    pub(super) const TOKEN: u8 = 8;
    pub(super) const DATA: u8 = 9;
    pub(super) const DESTINATION: u8 = 10;
    pub(super) const EXPIRES_IN: u8 = 11;
    pub(super) const ID_TOKEN: u8 = 12;
    pub(super) const TENANT_ID: u8 = 13;
    pub(super) const EXPIRES_AT: u8 = 14;
}

/// A stage, taken apart, borrowing from it or from the bytes.
pub struct SuspendedFields<'a> {
    pub(super) kind: SuspendedKind,
    pub(super) base_address: &'a [u8],
    pub(super) client_id: &'a [u8],
    /// Of an application that many tenants on one domain share.
    pub(super) tenant_id: Option<&'a [u8]>,
    pub(super) operating_sys_version: &'a [u8],
    pub(super) fingerprint: &'a [u8],
    pub(super) agent: &'a [u8],
    pub(super) ip: Option<&'a [u8]>,
    pub(super) language: Option<&'a [u8]>,
    pub(super) token: &'a [u8],
    pub(super) data: Option<&'a [u8]>,
    pub(super) destination: Option<&'a [u8]>,
    pub(super) expires_in: Option<Duration>,
    pub(super) expires_at: Option<SystemTime>,
    pub(super) id_token: Option<&'a [u8]>,
}

/// Bytes that are no suspended stage of this version.
#[derive(Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Of a newer version.
    Newer(u8),
    /// Of none.
    Malformed,
}

impl<'a> SuspendedFields<'a> {
    /// What every stage has; its token and the rest are for the stage to add.
    pub(super) fn of(kind: SuspendedKind, context: &'a Context) -> Self {
        let (base_address, client_id, tenant_id) = context.client.identity();
        let [operating_sys_version, fingerprint, agent] = context.device.required();
        let [ip, language] = context.device.optional();
        Self {
            kind,
            base_address,
            client_id,
            tenant_id,
            operating_sys_version,
            fingerprint,
            agent,
            ip,
            language,
            token: &[],
            data: None,
            destination: None,
            expires_in: None,
            expires_at: None,
            id_token: None,
        }
    }

    pub(super) fn write(&self) -> Zeroizing<Vec<u8>> {
        let expires_in = self.expires_in.map(|time| time.as_secs().to_be_bytes());
        // Whole seconds, rounded down: a session is never thought to live longer than it does.
        let expires_at = self.expires_at.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let expires_at = expires_at.map(|time| time.as_secs().to_be_bytes());
        let version = if expires_at.is_some() { WITH_EXPIRES_AT } else { 1 };
        let fields = [
            (tag::BASE_ADDRESS, Some(self.base_address)),
            (tag::CLIENT_ID, Some(self.client_id)),
            (tag::OPERATING_SYS_VERSION, Some(self.operating_sys_version)),
            (tag::FINGERPRINT, Some(self.fingerprint)),
            (tag::AGENT, Some(self.agent)),
            (tag::IP, self.ip),
            (tag::LANGUAGE, self.language),
            (tag::TOKEN, Some(self.token)),
            (tag::DATA, self.data),
            (tag::DESTINATION, self.destination),
            (tag::EXPIRES_IN, expires_in.as_ref().map(<[u8; 8]>::as_slice)),
            (tag::ID_TOKEN, self.id_token),
            (tag::TENANT_ID, self.tenant_id),
            (tag::EXPIRES_AT, expires_at.as_ref().map(<[u8; 8]>::as_slice)),
        ];
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let there = || fields.iter().filter_map(|(tag, bytes)| bytes.map(|bytes| (*tag, bytes)));
        // Exactly as large as it gets: a buffer that grows leaves copies of the token behind.
        let size = 6 + there().map(|(_, bytes)| 5 + bytes.len()).sum::<usize>();
        let mut written = Zeroizing::new(Vec::with_capacity(size));
        // What cannot be suspended has no fields, so there is always a byte.
        let stage = stage_byte(self.kind.stage).unwrap_or_default();
        written.extend([MAGIC, version, stage, platform_byte(self.kind.platform)]);
        written.push(u8::from(self.kind.unresolved));
        for (tag, bytes) in there() {
            written.push(tag);
            written.extend(length(bytes).to_be_bytes());
            written.extend_from_slice(bytes);
        }
        written.push(END);
        written
    }

    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let Some((&[MAGIC, version], rest)) = bytes.split_first_chunk() else {
            return Err(Unreadable::Malformed);
        };
        match version {
            0 => Err(Unreadable::Malformed),
            1..=VERSION => {
                let fields = Self::read_fields(rest).ok_or(Unreadable::Malformed)?;
                let has_its_version = (version >= WITH_EXPIRES_AT) == fields.expires_at.is_some();
                if has_its_version { Ok(fields) } else { Err(Unreadable::Malformed) }
            }
            newer => Err(Unreadable::Newer(newer)),
        }
    }

    fn read_fields(bytes: &'a [u8]) -> Option<Self> {
        let (&[stage, platform, unresolved], mut rest) = bytes.split_first_chunk()?;
        let platform = if platform == platform_byte(None) { None } else { Some(platform_of(platform)?) };
        let kind = SuspendedKind { stage: stage_of(stage)?, platform, unresolved: flag(unresolved)? };
        let mut fields: [Option<&[u8]>; 15] = [None; 15];
        let mut last = 0;
        while let Some((&[tag, a, b, c, d], after)) = rest.split_first_chunk() {
            let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
            let (value, after) = after.split_at_checked(length)?;
            if tag <= last {
                return None;
            }
            *fields.get_mut(usize::from(tag))? = Some(value);
            (last, rest) = (tag, after);
        }
        if rest != [END] {
            return None;
        }
        let field = |tag: u8| fields.get(usize::from(tag)).copied().flatten();
        // A field that the stage does not have would be lost when it is suspended again.
        let is_narrowed = matches!(kind.stage, StageKind::VerifyPhone(_) | StageKind::VerifyEmail(_));
        let is_finished = kind.stage == StageKind::Authenticated;
        let has = |tag| field(tag).is_some();
        if has(tag::DESTINATION) && !is_narrowed
            || has(tag::DATA) && is_finished
            || (has(tag::EXPIRES_IN) || has(tag::EXPIRES_AT) || has(tag::ID_TOKEN)) && !is_finished
        {
            return None;
        }
        let seconds = |tag| match field(tag) {
            None => Some(None),
            Some(bytes) => Some(Some(Duration::from_secs(u64::from_be_bytes(bytes.try_into().ok()?)))),
        };
        let expires_in = seconds(tag::EXPIRES_IN)?;
        let expires_at = match seconds(tag::EXPIRES_AT)? {
            None => None,
            Some(since) => Some(UNIX_EPOCH.checked_add(since)?),
        };
        Some(Self {
            kind,
            base_address: field(tag::BASE_ADDRESS)?,
            client_id: field(tag::CLIENT_ID)?,
            tenant_id: field(tag::TENANT_ID),
            operating_sys_version: field(tag::OPERATING_SYS_VERSION)?,
            fingerprint: field(tag::FINGERPRINT)?,
            agent: field(tag::AGENT)?,
            ip: field(tag::IP),
            language: field(tag::LANGUAGE),
            token: field(tag::TOKEN)?,
            data: field(tag::DATA),
            destination: field(tag::DESTINATION),
            expires_in,
            expires_at,
            id_token: field(tag::ID_TOKEN),
        })
    }

    pub(super) fn device(&self) -> Option<Device> {
        let text = |bytes| std::str::from_utf8(bytes).ok();
        let device =
            Device::new(text(self.operating_sys_version)?, text(self.fingerprint)?, text(self.agent)?)
                .ok()?;
        let device = match self.ip {
            None => device,
            Some(ip) => device.with_ip(text(ip)?.parse::<IpAddr>().ok()?),
        };
        match self.language {
            None => Some(device),
            Some(language) => device.with_language(text(language)?).ok(),
        }
    }

    pub(super) fn state_token(&self) -> Result<StateToken, Unreadable> {
        text(self.token).map(StateToken::new)
    }

    pub(super) fn session_token(&self) -> Result<SessionToken, Unreadable> {
        text(self.token).map(SessionToken::new)
    }

    pub(super) fn id_token(&self) -> Result<Option<IdToken>, Unreadable> {
        Ok(self.id_token.map(text).transpose()?.map(IdToken::new))
    }

    pub(super) fn flows(&self) -> Result<AllowedFlows, Unreadable> {
        let data = self.data.map(text).transpose()?;
        Ok(AllowedFlows::of(data.map(|data| Zeroizing::new(data.to_owned()))))
    }

    pub(super) fn destination(&self) -> Result<Zeroizing<String>, Unreadable> {
        let destination = self.destination.ok_or(Unreadable::Malformed).and_then(text)?;
        Ok(Zeroizing::new(destination.to_owned()))
    }
}

fn text(bytes: &[u8]) -> Result<&str, Unreadable> {
    std::str::from_utf8(bytes).map_err(|_| Unreadable::Malformed)
}

fn flag(byte: u8) -> Option<bool> {
    match byte {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// The byte of a stage. A byte once given is never given to another. `None`: the stage cannot be suspended.
const fn stage_byte(stage: StageKind) -> Option<u8> {
    match stage {
        StageKind::Client | StageKind::Captcha | StageKind::Unauthenticated => None,
        StageKind::PendingBind => Some(1),
        StageKind::PendingRegister => Some(2),
        StageKind::MfaRequired => Some(3),
        StageKind::VerifyPhone(Scenario::Bind) => Some(4),
        StageKind::VerifyEmail(Scenario::Bind) => Some(5),
        StageKind::VerifyPhone(Scenario::Register) => Some(6),
        StageKind::VerifyEmail(Scenario::Register) => Some(7),
        StageKind::VerifyPhone(Scenario::SecondFactor) => Some(8),
        StageKind::VerifyEmail(Scenario::SecondFactor) => Some(9),
        StageKind::Authenticated => Some(10),
    }
}

fn stage_of(byte: u8) -> Option<StageKind> {
    StageKind::all().find(|stage| stage_byte(*stage) == Some(byte))
}

const fn platform_byte(platform: Option<Platform>) -> u8 {
    match platform {
        None => 0,
        Some(Platform::WeChat) => 1,
        Some(Platform::Alipay) => 2,
    }
}

fn platform_of(byte: u8) -> Option<Platform> {
    Platform::ALL.iter().copied().find(|platform| platform_byte(Some(*platform)) == byte)
}
